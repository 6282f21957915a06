#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Several administrators run every verb at random, while clients come, relays are killed and nodes die.

load lib/helpers
load lib/verbs

# The node of that port dies, and another takes its place. Each has a log of its own.
renew_node() { # PORT
  local pid
  eval "pid=\$PID_n$1_$((GENERATION[$1]))"
  kill "$pid"
  gone "$pid"
  GENERATION[$1]=$((GENERATION[$1] + 1))
  node_start "n$1_${GENERATION[$1]}" "$1" 4 --mode hold:50
}

# crowd NAME: clients that come and go, for as long as the administrators need, or longer.
crowd() {
  background "$T/crowd-$1.out" "$CLIENT" -n 600 -c 12 --expect line "$GATE"
  CROWDS+=("$PID")
}

@test "administrators, clients, deaths: every verb ends with a status of its manual, no client is lost or refused, no node is overfilled" {
  local seed=${SEED:-$RANDOM} port name turn=0 victim administrators=() CROWDS=() GENERATION=() pid
  echo "# seed $seed" >&3
  for port in 4001 4002 4003; do
    GENERATION[port]=0
    node_start "n${port}_0" $port 4 --mode hold:50
    node_line $port 4
  done
  entrance alone --retry-after 200ms
  for name in a b c; do crowd $name; done
  for name in 1 2 3 4; do
    administrator "administrator$name" $((seed + name)) 60 3>&- &
    administrators+=("$!")
  done
  RANDOM=$seed
  while [ -n "$(jobs -pr | grep -xF -f <(printf '%s\n' "${administrators[@]}"))" ]; do
    turn=$((turn + 1))
    victim=$(score slots -nr -o PID | shuf -n 1 --random-source=<(yes $RANDOM))
    if [ -n "$victim" ] && [ "$victim" != "$GATE_PID" ]; then kill -9 "$victim" || true; fi
    if ((turn % 3 == 0)); then renew_node $((4001 + turn / 3 % 3)) || return 1; fi
    sleep 0.2
  done
  cat "$T"/administrator*.wrong
  [ -z "$(cat "$T"/administrator*.wrong)" ]

  score resume
  score load
  for port in 4001 4002 4003; do
    score set "$ADDR:$port" cores=4
    score up "$ADDR:$port"
  done
  probe
  for pid in "${CROWDS[@]}"; do wait "$pid" || true; done
  farm_is_at_rest
  score fsck
  # A client ends early, or by a reset, if its relay or its node was killed; all others are served, none is refused.
  for name in a b c; do
    cat "$T/crowd-$name.out"
    grep -qE ' refused=0 .* mismatch=0 timeout=0 ' "$T/crowd-$name.out"
    awk '/^ok=/ { for (i = 1; i <= NF; i++) { split($i, f, "="); n[f[1]] += f[2] }
      exit !(n["ok"] > 300 && n["ok"] + n["reset"] + n["early"] == 600) }' "$T/crowd-$name.out"
  done
}

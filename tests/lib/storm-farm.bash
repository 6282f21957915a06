# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# storm-farm.bash: the scene and the choices of tests/lib/storm.

: "${BUILD:?the folder of the programs}"
dir=$(mktemp -d /tmp/corebalance-storm.XXXXXX) || exit 1
address=127.$((RANDOM % 254 + 1)).$((RANDOM % 256)).$((RANDOM % 254 + 1))
export COREBALANCE_SCOREBOARD=$dir/scoreboard.tdb
conf=$dir/nodes.conf
declare -A node_pid=() entrance_pid=()
crowds=() killed=0 edits=0 flaps=0 failed=0

score() { "$BUILD/cbscore" -c "$conf" "$@"; }

start() { # LOG COMMAND...; the pid in $started
  local log=$1
  shift
  "$@" </dev/null >>"$log" 2>&1 &
  started=$!
}

start_node() { # NAME PORT: a node that takes 4 connections at most, whatever its cores are set to
  start "$dir/node-$1.log" "$BUILD/tests/cbtest-node" --name "$1" --max 4 --mode echo "$address:$2"
  node_pid[$2]=$started
}

relay_options=() # of every entrance

start_entrance() { # NAME PORT COMMAND...
  local name=$1
  shift 2
  start "$dir/$name.log" "$@"
  entrance_pid[$name]=$started
}

open_entrance() { # NAME
  local relay=("$BUILD/cbrelay" -c "$conf" --retry-after 200ms "${relay_options[@]}")
  case $1 in
  listener) start_entrance listener 3632 systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS \
    -l "$address:3632" "${relay[@]}" ;;
  connection) start_entrance connection 3633 systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS \
    -l "$address:3633" --accept "${relay[@]}" ;;
  alone) start_entrance alone 3634 "${relay[0]}" --policy spread "${relay[@]:1}" "$address:3634" ;;
  esac
}

storm_begin() {
  local port end=$((SECONDS + 300))
  for port in 4001 4002 4003; do
    start_node "n$port" $port
    echo "$address, $port, 4, 0" >>"$conf"
  done
  score load >/dev/null || return 1
  for name in listener connection alone; do open_entrance $name; done
  for port in 3632 3633 3634; do
    until ss -Hltn "sport = :$port" | grep -qF "$address:$port"; do
      [ $SECONDS -lt $end ] || return 1
      sleep 0.02
    done
  done
}

relays() { score slots -nr -o PID 2>/dev/null; }
waiters() { score queue -nr -o PID 2>/dev/null; }
holders() { "$BUILD/tests/cbtest-holders" "$COREBALANCE_SCOREBOARD"; }
is_entrance() { [[ " ${entrance_pid[*]} " == *" $1 "* ]]; }

# Not more clients than a small machine can run: while all nodes are held or down, no client leaves by being served.
crowds_are_many() {
  local alive=() pid
  for pid in "${crowds[@]}"; do if kill -0 "$pid" 2>/dev/null; then alive+=("$pid"); fi; done
  crowds=("${alive[@]}")
  [ ${#crowds[@]} -ge 12 ]
}

crowd() { # a few clients at one of the doors
  if crowds_are_many; then
    sleep 0.01
    return
  fi
  local port=$((3632 + RANDOM % 3)) n=$((RANDOM % 20 + 1)) how=()
  case $((RANDOM % 5)) in
  0) how=(--send 100000 --abort-after $((RANDOM % 100))) ;;
  1) how=(--send 0 --expect none --close-after $((RANDOM % 100))) ;;
  2) how=(--send 400000 --half-close --expect echo) ;;
  *) how=(--send $((RANDOM % 3000 + 1)) --half-close --expect echo) ;;
  esac
  start "$dir/crowd.log" "$BUILD/tests/cbtest-client" -n "$n" -c "$n" \
    --source 127.78.1.$((RANDOM % 6 + 1)) "${how[@]}" "$address:$port"
  crowds+=("$started")
}

# A process of the scoreboard: a relay with a connection, or one that waits for the next; what makes relays; a tool. Jobs are
# so short that a look at the slots finds hardly any.
kill_somebody() {
  local pids pid
  mapfile -t pids < <(holders)
  [ ${#pids[@]} -gt 0 ] || return 0
  pid=${pids[RANDOM % ${#pids[@]}]}
  if ! is_entrance "$pid"; then
    kill -9 "$pid" 2>/dev/null && killed=$((killed + 1))
  fi
}

kill_a_tool() { # in the middle of its work, wherever that is
  score "${@}" >/dev/null 2>&1 &
  local pid=$!
  [ $((RANDOM % 2)) = 0 ] || sleep 0.00$((RANDOM % 5))
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
}

kill_the_stand_alone() {
  kill -9 "${entrance_pid[alone]}" 2>/dev/null
  wait "${entrance_pid[alone]}" 2>/dev/null
  open_entrance alone
}

edit() {
  local node=$address:$((4001 + RANDOM % 3))
  edits=$((edits + 1))
  case $((RANDOM % 7)) in
  0) score set "$node" cores=$((RANDOM % 4 + 1)) ;;
  1) score down "$node" storm ;;
  2 | 3) score up "$node" ;;
  4) score remove "$node" ;;
  5) score load ;;
  6) score set "$node" speed=$((RANDOM % 5 + 1)) ;;
  esac >/dev/null 2>&1
}

flap() {
  local port=$((4001 + RANDOM % 3))
  flaps=$((flaps + 1))
  kill "${node_pid[$port]}" 2>/dev/null
  wait "${node_pid[$port]}" 2>/dev/null
  start_node "n$port" $port
}

# What runs is ended, and leaves nothing.
storm_stop() {
  # shellcheck disable=SC2046 # pids
  kill -9 $(jobs -p) $(holders) 2>/dev/null
  wait
  rm -rf "$dir"
}

storm_turn() {
  case $((RANDOM % 24)) in
  0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9) crowd ;;
  10 | 11 | 12 | 13) kill_somebody ;;
  14 | 15 | 16) edit ;;
  17) flap ;;
  18) kill_a_tool load ;;
  19) kill_a_tool set "$address:4001" cores=$((RANDOM % 4 + 1)) ;;
  20) kill_a_tool reap ;;
  21) "$BUILD/cbprobe" -c "$conf" --fall 1 >/dev/null 2>&1 ;;
  22) [ $((RANDOM % 4)) = 0 ] && kill_the_stand_alone ;;
  23) tdbtool "$COREBALANCE_SCOREBOARD" check | grep -q 'integrity is OK' || { echo "storm: tdbtool finds damage"; failed=1; } ;;
  esac
}

storm_counts() {
  local all
  all=$(awk '/^ok=/ { for (i = 1; i <= NF; i++) { split($i, f, "="); n[f[1]] += f[2] } }
    END { printf "%d served, %d reset, %d early, %d mismatched, %d timed out", n["ok"], n["reset"], n["early"], n["mismatch"], n["timeout"] }' \
    "$dir/crowd.log" 2>/dev/null || echo)
  echo "$killed killed, $edits edits, $flaps flaps; $all"
  rm -rf "$dir"
}

at_rest() { [ -z "$(relays)" ] && [ -z "$(waiters)" ]; }

storm_end() {
  local pid end node
  for node in 4001 4002 4003; do score up "$address:$node" >/dev/null 2>&1; done
  score load >/dev/null || failed=1
  for node in 4001 4002 4003; do score set "$address:$node" cores=4 >/dev/null || failed=1; done
  # Probes as the timer would: otherwise a node that a probe took down is tried only after half a minute.
  "$BUILD/cbprobe" -c "$conf" >/dev/null 2>&1
  for pid in "${crowds[@]}"; do wait "$pid" 2>/dev/null; done
  end=$((SECONDS + 300))
  until at_rest; do
    if [ $SECONDS -ge $end ]; then
      echo "storm: not everything is free:"
      score list
      score slots
      score queue
      failed=1
      break
    fi
    sleep 0.1
    "$BUILD/cbprobe" -c "$conf" >/dev/null 2>&1
  done
  if ! score fsck; then failed=1; fi
  tdbtool "$COREBALANCE_SCOREBOARD" check | grep -q 'integrity is OK' || { echo "storm: tdbtool finds damage"; failed=1; }
  if grep -H VIOLATION "$dir"/node-*.log; then failed=1; fi
  if grep -E 'runtime error|ERROR: .*Sanitizer' "$dir"/*.log; then failed=1; fi
  if grep -E '(refused|mismatch|timeout)=[1-9]' "$dir/crowd.log" |
    grep -vE 'refused=[0-9]* .* mismatch=0 timeout=0' ; then failed=1; fi
  for pid in "${entrance_pid[@]}" "${node_pid[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${entrance_pid[@]}" "${node_pid[@]}"; do wait "$pid" 2>/dev/null; done
  return $failed
}

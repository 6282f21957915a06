# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154  # variables are for the tests, and of the farm of a test
#
# gateways.bash: gateways that share the nodes of $CONF: each has a folder $T/NAME with its scoreboard, a relay and a
# cbshare. Needs an etcd (etcd.bash).

LEASE=10s MARGIN=2s
declare -gA RELAY_PID SHARE_PID CROWD_PID ENGINE_OF
NEXT_PORT=3700
declare -gA PORT

# Runs a command at that gateway.
on() {
  local name=$1
  shift
  COREBALANCE_SCOREBOARD=$T/$name/scoreboard.tdb "$@"
}

relay_start() {
  : "${PORT[$1]:=$((NEXT_PORT += 1))}"
  on "$1" background "$T/$1/relay" "$BUILD/cbrelay" -c "$CONF" "$ADDR:${PORT[$1]}"
  RELAY_PID[$1]=$PID
  until_ok is_listening "$ADDR:${PORT[$1]}"
}

share_start() { # NAME [cbshare option]...
  local name=$1
  shift
  on "$name" background "$T/$name/share" "$BUILD/cbshare" -c "$CONF" --name "$name" --lease $LEASE --margin $MARGIN \
    --engine "etcd:${ENGINE_OF[$name]:-$(etcd_urls)}" "$@"
  SHARE_PID[$name]=$PID
}

gateway_start() { # NAME [cbshare option]...
  mkdir -p "$T/$1"
  share_start "$@"
  until_ok grep -q 'joined' "$T/$1/share"
  relay_start "$1"
}

# Every process of a gateway's scoreboard but the children of this test's shell that only look at it.
gateway_pids() { pids_holding "$T/$1/scoreboard.tdb"; }
gateway_kill() {
  local pid
  for pid in $(gateway_pids "$1"); do kill -9 "$pid" 2>/dev/null || true; done
}
hand_of() { ps -o pid= --ppid "${SHARE_PID[$1]}" | tr -d ' '; }
has_hand() { [ -n "$(hand_of "$1")" ]; }
says() { grep -q -- "$2" "$T/$1/share"; }

busy_on() { on "$1" "$BUILD/cbscore" slots -n | grep -c . || true; }
busy_on_is() { heard on "$1" "$BUILD/cbscore" slots -n && [ ${#HEARD[@]} = "$2" ]; }
busy_on_at_least() { heard on "$1" "$BUILD/cbscore" slots -n && [ ${#HEARD[@]} -ge "$2" ]; }

waiting_on_at_least() { heard on "$1" "$BUILD/cbscore" queue -n && [ ${#HEARD[@]} -ge "$2" ]; }
waiting_on_is() { heard on "$1" "$BUILD/cbscore" queue -n && [ ${#HEARD[@]} = "$2" ]; }

# job_start GATEWAY NAME [option]...: a client of that gateway with a job that lasts until `word NAME`.
job_start() {
  local gateway=$1 name=$2
  shift 2
  background "$T/$name.out" "$CLIENT" --line "$(until_word "$name")" --expect line "$@" "$ADDR:${PORT[$gateway]}"
  printf -v "PID_$name" %s "$PID"
}

# crowd_start NAME N [job]: clients of that gateway, one job after the other, until crowd_stop.
crowd_start() {
  background "$T/$1/crowd" "$CLIENT" -n 1000000 -c "$2" --interval 10 \
    --line "${3:-sleep 300}" --expect line "$ADDR:${PORT[$1]}"
  CROWD_PID[$1]=$PID
}
crowd_stop() { kill "${CROWD_PID[$1]}"; gone "${CROWD_PID[$1]}"; }

# The dead hands are no children of the test.
gateways_teardown() {
  local board pid
  [ -z "${WAY-}" ] || kill -9 -- "-$WAY" 2>/dev/null || true
  for board in "$T"/*/scoreboard.tdb; do
    if [ -e "$board" ]; then for pid in $(pids_holding "$board"); do kill -9 "$pid" 2>/dev/null; done; fi
  done
  farm_teardown
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

setup() { farm_setup; }
teardown() { farm_teardown; }

@test "IPv6: clients, listener and node" {
  background "$T/six.log" "$NODE" --name six --max 1 --mode hold:5 '[::1]:0'
  until_ok grep -q ^PORT "$T/six.log"
  local node_port
  node_port=$(awk '{ print $2 }' "$T/six.log")
  background "$T/relay.log" "$BUILD/cbrelay" '[::1]:0' "[::1]:$node_port"
  until_ok grep -q 'listening on' "$T/relay.log"
  GATE=$(sed -n 's/.*listening on //p' "$T/relay.log")
  client -n 3 -c 3 --expect line
  grep 'client=\[::1\]:' "$T/relay.log"
}

@test "a unix socket, and several sockets at once, from systemd" {
  node a 4001 2 --mode hold:5
  background "$T/relay.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS \
    -l "$T/gate.sock" -l "$GATE" -l "$ADDR:3633" "$BUILD/cbrelay" -c "$CONF"
  until_ok test -S "$T/gate.sock"
  until_ok is_listening "$ADDR:3633"
  "$CLIENT" -n 3 -c 3 --expect line "unix:$T/gate.sock"
  client -n 3 -c 3 --expect line
  "$CLIENT" -n 3 -c 3 --expect line "$ADDR:3633"
  grep 'client=unix:' "$T/relay.log"
  farm_is_at_rest
}

@test "IAWLB's command line: a farm from arguments, with a scoreboard of its own that goes with it" {
  node_start a 4001 2 --mode hold:5
  node_start b 4002 1 --mode hold:5
  unset COREBALANCE_SCOREBOARD
  background "$T/relay.log" "$BUILD/cbrelay" "$GATE" "$ADDR:4001/2" "$ADDR:4002"
  until_ok is_listening "$GATE"
  local own
  until_ok grep -q 'scoreboard ' "$T/relay.log"
  own=$(sed -n 's/.*scoreboard //p' "$T/relay.log")
  client -n 9 -c 9 --expect line
  run -0 score list -s "$own" -nr -o NODE,CORES
  [ "$output" = "$ADDR:4001 2
$ADDR:4002 1" ]
  kill "$GATE_PID" 2>/dev/null || kill "$PID"
  until_ok test ! -e "$own"
  nodes_never_overfilled
}

@test "inetd's wait form: a listening socket on standard input" {
  node a 4001 1 --mode hold:5
  background "$T/relay.log" python3 -c "
import os, socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$ADDR', 3632)); s.listen(16)
os.dup2(s.fileno(), 0)
os.execv('$BUILD/cbrelay', ['cbrelay', '-c', '$CONF', '--exit-idle', '300ms'])"
  local pid=$PID
  until_ok is_listening "$GATE"
  client -n 5 -c 5 --expect line
  # Idle: it gives the socket back to inetd by ending.
  gone "$pid"
  wait "$pid"
  farm_is_at_rest
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A process is short of something, or is killed at the wrong moment: the client
# waits, that is told once, and the client is served when it can be.

load lib/helpers
load lib/holders

said() { grep -c -- "$1" "$T/relay.log" || true; }
descriptors() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }

@test "a process without a descriptor for its node waits for one, tells so once, and serves" {
  node a 4001 1 --mode line --eof-ends
  entrance connection
  client_start holder --line "sleep 60000" --expect line
  until_ok busy_is 1
  client_start late --line "sleep 0" --expect line
  until_ok waiting_is 1
  pid=$(score queue -nr -o PID)
  # The relay keeps its open descriptors; the socket to the node would be one too many.
  prlimit --pid "$pid" --nofile=3:4096
  kill "$PID_holder"
  until_ok grep -q 'cannot connect for .*: Too many open files; trying again until it can be done' "$T/relay.log"
  kill -0 "$pid"
  prlimit --pid "$pid" --nofile=4096:4096
  client_wait late
  [ "$(said 'cannot connect for')" = 1 ]
  farm_is_at_rest
}

@test "a process without a descriptor for its node: when the client leaves, or SIGTERM comes, the slot is free" {
  node a 4001 1 --mode line --eof-ends
  entrance connection
  for how in client close signal; do
    client_start holder --line "sleep 60000" --expect line
    until_ok busy_is 1
    # The client resets its connection at a word; or closes it, and has sent nothing.
    rm -f "$T/word"
    mkfifo "$T/word"
    background "$T/$how.out" python3 -c "
import socket, struct
s = socket.create_connection(('$ADDR', 3632))
if '$how' != 'close': s.sendall(b'sleep 0\n')
open('$T/word').read()
if '$how' != 'close': s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))"
    until_ok waiting_is 1
    pid=$(score queue -nr -o PID)
    prlimit --pid "$pid" --nofile=3:4096
    kill "$PID_holder"
    until_ok grep -q 'cannot connect for' "$T/relay.log"
    case $how in
    client | close) echo now >"$T/word" ;;
    signal) kill "$pid" ;;
    esac
    until_ok everything_is_free
    gone "$pid"
    echo now 1<>"$T/word"
    : >"$T/relay.log"
  done
  farm_is_at_rest
}

@test "relays without a descriptor for the next connection leave it in the backlog, and take it when they can" {
  node a 4001 4 --mode line
  entrance alone
  # All relays that the listener begins with: a relay that is made later would have its descriptors.
  until_ok eval '[ "$(pgrep -c -P "$GATE_PID" -x cbrelay)" -ge 4 ]'
  client --line "sleep 0" --expect line
  until_ok everything_is_free
  mapfile -t relays < <(pgrep -P "$GATE_PID" -x cbrelay)
  for pid in "${relays[@]}"; do prlimit --pid "$pid" --nofile=3:4096; done
  client_start late --line "sleep 0" --expect line
  until_ok grep -q 'cannot accept: Too many open files; connections wait in the backlog meanwhile' "$T/relay.log"
  for pid in "${relays[@]}"; do prlimit --pid "$pid" --nofile=4096:4096; done
  client_wait late
  farm_is_at_rest
}

@test "a full /run: a process of its own that finds no room for its ticket waits for that, too" {
  small_run
  node a 4001 1 --mode line --eof-ends
  score load
  fill_run
  entrance alone
  client_start holder --line "sleep 600000" --expect line
  until_ok busy_is 1
  # Until the queue has to grow, and cannot.
  client_start crowd -n 3500 --line "sleep 0" --expect line
  until_ok grep -q 'No space left on device' "$T/relay.log"
  GATE=$ADDR:3633
  background "$T/relay2.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -l "$GATE" --accept \
    "$BUILD/cbrelay" -c "$CONF"
  until_ok is_listening "$GATE"
  client_start more -n 3 --line "sleep 0" --expect line
  until_ok grep -q 'cannot queue for .*: No space left on device; trying again' "$T/relay2.log"
  rm "$T/run/ballast"
  kill "$PID_holder"
  client_wait crowd
  client_wait more
  [ "$(grep -c 'cannot queue' "$T/relay2.log")" -le 3 ]
  farm_is_at_rest
}

@test "an administrator ends the waiters: a listener's clients at the second SIGTERM, each with its line" {
  node a 4001 1 --mode line --eof-ends
  entrance alone
  client_start holder --line "sleep 60000" --expect line
  until_ok busy_is 1
  client_start crowd -n 20 --line "sleep 0" --expect line
  until_ok waiting_is 20
  kill "$GATE_PID"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  kill "$GATE_PID"
  gone "$GATE_PID"
  client_fails holder
  client_fails crowd
  until_ok eval '[ "$(said end=KQ)" -ge 10 ]'
  until_ok everything_is_free
  scoreboard_is_sound
}

@test "limits of a listener: clients that waited too long for busy nodes, or while none is up, are ended" {
  node a 4001 2 --mode line --eof-ends
  entrance alone --queue-timeout 400ms --down-timeout 30s
  client_start holder -n 2 --line "sleep 60000" --expect line
  until_ok busy_is 2
  client_start crowd -n 20 --line "sleep 0" --expect line
  client_fails crowd
  until_ok lines_with_are "$T/relay.log" end=RQ 20
  # The longer limit counts while no node is up: the client that came is still there, and is served.
  kill "$PID_holder"
  until_ok busy_is 0
  kill "$PID_a"
  gone "$PID_a"
  probe --fall 1
  state_is 4001 down
  client_start patient -n 2 --line "sleep 0" --expect line
  until_ok waiting_is 2
  waited() { [ $(($(date +%s%6N) - $(score queue -nr -o SINCE | tail -n 1))) -gt 800000 ]; }
  until_ok waited
  waiting_is 2
  node_start a 4001 2 --mode line --eof-ends
  probe
  client_wait patient
  farm_is_at_rest
}

@test "--abandon-on-eof: a client that closed its side has left, whichever process has taken it in" {
  node a 4001 1 --mode line --eof-ends
  for way in alone connection; do
    entrance $way --abandon-on-eof
    client_start holder --line "sleep 60000" --expect line
    until_ok busy_is 1
    client_start crowd -n 20 --line "sleep 0" --half-close --expect line
    client_fails crowd
    busy_is 1
    until_ok lines_with_are "$T/relay.log" end=CQ 20
    kill "$PID_holder" "$GATE_PID"
    until_ok everything_is_free
    gone "$GATE_PID"
  done
  farm_is_at_rest
}

@test "the duty of the guard goes from a killed process to the listener with the clients that came before" {
  node a 4001 1 --mode line --eof-ends
  entrance listener
  client_start holder --line "sleep 60000" --expect line
  until_ok busy_is 1
  client_start older -n 5 --line "sleep 0" --expect line
  until_ok waiting_is 5
  local holder first=$GATE
  holder=$(holders)
  GATE=$ADDR:3633
  background "$T/relay2.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -l "$GATE" --accept \
    "$BUILD/cbrelay" -c "$CONF"
  until_ok is_listening "$GATE"
  client_start younger --line "sleep 0" --expect line
  until_ok waiting_is 6
  # The listener watches the process that has the duty by a descriptor.
  watches() { grep -l "^Pid:[[:space:]]*$2\$" "/proc/$1"/fdinfo/*; }
  youngest=$(score queue -nr -o PID | tail -n 1)
  until_ok watches "$GATE_PID" "$youngest"
  kill -9 "$youngest"
  # A process that is not dead yet would be granted the slot behind the others, and no process would be left to look.
  until_ok gone "$youngest"
  kill -9 "$holder"
  client_wait older
  GATE=$first
  farm_is_at_rest
}

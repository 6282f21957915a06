#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# A restart that no client notices: relays outlive their listener, and waiters pass to the next listener with their
# places. Here with a service manager of the test's own; tests/systemd.bats does the same with systemd.

load lib/helpers
load lib/holders
load lib/managed

# gateway [cbrelay option]...: a listener under the service manager.
gateway() { managed "$BUILD/cbrelay" -c "$CONF" "$@"; }

@test "a restart cuts no connection and loses no place; newcomers are served beside long connections" {
  local before i
  node a 4001 3 --mode line
  gateway
  client_start long -n 2 --line "$(until_word long)" --expect line
  until_ok busy_is 2
  client_start third --line "$(until_word third)" --expect line
  until_ok busy_is 3
  for i in 1 2 3 4 5; do
    client_start "w$i" --line count --expect line --print
    until_ok waiting_is "$i"
  done
  score queue -nr -o TICKET >"$T/tickets"
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  # The earlier listener has ended with status 0, without waiting for any connection.
  until_ok grep "ended $before status 0" "$T/service.log"
  until_ok waiters_of_service_are 5
  score queue -nr -o TICKET | diff "$T/tickets" -
  busy_is 3
  client_start newcomer --line count --expect line --print
  until_ok waiting_is 6
  word third
  client_wait third
  # Clients were served in the order in which they came, by the node's own count; the two long connections stay.
  for i in 1 2 3 4 5; do
    client_wait "w$i"
    grep "total=$((i + 3))\b" "$T/w$i.out"
  done
  client_wait newcomer
  grep "total=9\b" "$T/newcomer.out"
  until_ok busy_is 2
  word long
  client_wait long
  farm_is_at_rest
  # Nothing of a served client is left in the store.
  until_ok eval 'tail -n 1 "$T/service.log" | grep " 0 stored"'
}

@test "a relay of the listener before is killed: its slot is given back though no client needs it" {
  local before holder
  node a 4001 3 --mode line
  gateway
  client_start long --line "sleep 60000" --expect line
  until_ok busy_is 1
  holder=$(GATE_PID=$(service) holders)
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  kill -9 "$holder"
  client_fails long
  until_ok busy_is 0
  farm_is_at_rest
}

@test "hundreds of waiters pass through several restarts under load, and each is served once" {
  local before i
  node a 4001 2 --mode line
  gateway
  client_start crowd -n 300 -c 300 --line "sleep 10" --expect line
  until_ok busy_is 2
  for i in 1 2 3; do
    before=$(service)
    kill -USR1 "$MANAGER"
    until_ok restarted "$before" $((i + 1))
  done
  client_wait crowd
  grep 'ok=300 failed=0' "$T/crowd.out"
  farm_is_at_rest
  [[ $(node_report a) == *total=300* ]]
}

@test "a waiter that leaves while no process has it leaves the queue, and the next waiter is served" {
  local before
  node a 4001 1 --mode line
  gateway
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start leaver --send 0 --expect none
  until_ok waiting_is 1
  client_start stayer --line "sleep 0" --expect line
  until_ok waiting_is 2
  before=$(service)
  kill -STOP "$MANAGER"
  kill "$before"
  kill "$PID_leaver"
  kill -CONT "$MANAGER"
  until_ok restarted "$before"
  until_ok waiting_is 1
  word go
  client_wait holder
  client_wait stayer
  farm_is_at_rest
}

is_zombie() { look_at "$1" && [ "$STATE" = Z ]; }

@test "a slot that comes free while no process has the waiters goes to the oldest of them" {
  local before
  node a 4001 1 --mode line
  gateway
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start w1 --line count --expect line --print
  until_ok waiting_is 1
  client_start w2 --line count --expect line --print
  until_ok waiting_is 2
  before=$(service)
  kill -STOP "$MANAGER"
  kill "$before"
  until_ok is_zombie "$before"
  until_ok waiting_is 0
  word go
  client_wait holder
  until_ok busy_is 0
  kill -CONT "$MANAGER"
  client_wait w1
  client_wait w2
  grep "total=2\b" "$T/w1.out"
  grep "total=3\b" "$T/w2.out"
  farm_is_at_rest
}

@test "a client that has sent its job to a unix socket and closed it keeps its place through a restart" {
  local before
  GATE=unix:$T/gate.sock
  node a 4001 1 --mode line --eof-ends
  gateway
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  python3 -c "
import socket
s = socket.socket(socket.AF_UNIX)
s.connect('$T/gate.sock')
s.sendall(b'count\n')
s.close()"
  until_ok waiting_is 1
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  until_ok waiters_of_service_are 1
  word go
  client_wait holder
  until_ok grep -q 'client=unix:.* bytes_in=6 ' "$T/relay.log"
  farm_is_at_rest
  [[ $(node_report a) == *total=2* ]]
}

@test "a listener that is killed: its relays finish, and the next one goes on" {
  local before
  node a 4001 2 --mode line
  gateway
  client_start long --line "$(until_word long)" --expect line
  until_ok busy_is 1
  before=$(service)
  kill -9 "$before"
  until_ok restarted "$before"
  client --line "sleep 0" --expect line
  until_ok busy_is 1
  word long
  client_wait long
  farm_is_at_rest
}

# Clients in the backlog of a socket that is restarted are the next listener's, also as far as it has no place for them.
@test "clients in the backlog of a former socket pass through several restarts with --queue-limit" {
  local before signal i
  node a 4001 1 --mode line
  gateway --queue-limit 2
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start crowd -n 6 -c 6 --line "sleep 5" --expect line
  until_ok waiters_of_service_are 2
  until_ok connected_are 7
  i=1
  for signal in USR2 USR2 USR1; do
    before=$(service)
    kill -"$signal" "$MANAGER"
    until_ok restarted "$before" $((++i))
    until_ok eval '[ "$(waiting)" -ge 2 ]'
  done
  word go
  client_wait holder
  client_wait crowd
  grep 'ok=6 failed=0' "$T/crowd.out"
  farm_is_at_rest
}

@test "waiters for which the service manager's store has no room are served by the listener that ends" {
  local before
  node a 4001 1 --mode line
  FDSTORE=3 gateway
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start crowd -n 5 -c 5 --line "sleep 5" --expect line
  until_ok waiters_of_service_are 5
  before=$(service)
  kill -USR1 "$MANAGER"
  # One place of the three is the socket's.
  until_ok grep 'stopping: .* of 3 waiters are served first' "$T/relay.log"
  waiters_of_service_are 3
  word go
  client_wait holder
  client_wait crowd
  grep 'ok=5 failed=0' "$T/crowd.out"
  until_ok restarted "$before"
  grep 'cannot pass waiters to the next listener: Too many open files' "$T/relay.log"
  farm_is_at_rest
}

# A farm whose scoreboard's folder is removed while a connection lasts.
folder_removed() {
  mkdir "$T/run"
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  node a 4001 1 --mode line
  gateway
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  rm -r "$T/run"
  mkdir "$T/run"
}

@test "the scoreboard's folder is removed, and a restart: a connection is served to its end if that comes soon" {
  local before
  folder_removed
  before=$(service)
  until_ok grep 'the folder of the scoreboard was removed' "$T/relay.log"
  kill -USR1 "$MANAGER"
  # An idle relay may not have ended yet, and counts.
  until_ok grep 'stopping: the connections of [1-9][0-9]* relays .* have 5 s' "$T/relay.log"
  word go
  # On a machine that is very slow the time may be over first.
  client_wait one || grep 'stopping at once: ending [1-9][0-9]* relays' "$T/relay.log"
  until_ok restarted "$before"
  client --line "sleep 0" --expect line
  farm_is_at_rest
}

@test "the scoreboard's folder is removed, and a restart: no connection goes on beside a scoreboard that does not know it" {
  local before
  folder_removed
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  client_fails one
  # The only core is free for the next, and is not given out twice.
  client --line "sleep 0" --expect line
  grep 'stopping at once: ending [1-9][0-9]* relays' "$T/relay.log"
  farm_is_at_rest
}

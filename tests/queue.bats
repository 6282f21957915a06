#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

# More clients at once than cores: all are served, none is refused, and no node ever has more connections than cores.
more_clients_than_cores() {
  node a 4001 3 --mode line
  node b 4002 1 --mode line
  entrance "$1"
  client_start crowd -n 40 -c 40 --line "$(until_word go)" --expect line
  until_ok busy_is 4
  until_ok waiting_is 36
  word go
  client_wait crowd
  grep 'ok=40 failed=0' "$T/crowd.out"
  farm_is_at_rest
  [[ $(node_report a) == *max=3* ]]
  [[ $(node_report b) == *max=1* ]]
}

@test "listener: more clients than cores wait, and all are served" { more_clients_than_cores listener; }
@test "connection: more clients than cores wait, and all are served" { more_clients_than_cores connection; }
@test "inetd: more clients than cores wait, and all are served" { more_clients_than_cores inetd; }
@test "alone: more clients than cores wait, and all are served" { more_clients_than_cores alone; }

# Clients are served in the order in which they came.
first_come_first_served() {
  node a 4001 1 --mode line
  entrance "$1"
  client_start first --line "$(until_word go)" --expect line
  until_ok busy_is 1
  for i in 1 2 3 4 5; do
    client_start "c$i" --line count --expect line --print
    until_ok waiting_is "$i"
  done
  run -0 score queue -nr -o TICKET
  [ "$output" = "$(sort -n <<<"$output")" ]
  word go
  client_wait first
  for i in 1 2 3 4 5; do
    client_wait "c$i"
    # The node's own count of its connections.
    grep "reply=open=1 max=1 total=$((i + 1))\b" "$T/c$i.out"
  done
  farm_is_at_rest
}

@test "listener: first come, first served" { first_come_first_served listener; }
@test "connection: first come, first served" { first_come_first_served connection; }
@test "inetd: first come, first served" { first_come_first_served inetd; }
@test "alone: first come, first served" { first_come_first_served alone; }

@test "the fastest node with a free slot is used first, then the next" {
  node slow 4001 2 --mode line
  node_start fast 4002 2 --mode line
  node_line 4002 2 speed=2.5
  entrance alone
  client_start crowd -n 3 -c 3 --line "$(until_word go)" --expect line
  until_ok busy_is 3
  run -0 score list -nr -o NODE,BUSY
  [[ $output == *"$ADDR:4002 2"* ]]
  [[ $output == *"$ADDR:4001 1"* ]]
  word go
  client_wait crowd
  farm_is_at_rest
}

@test "two entrances share one farm: one cap, one order" {
  node a 4001 2 --mode hold:50
  entrance listener
  local first=$GATE
  GATE=$ADDR:3633
  background "$T/relay2.log" "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client_start two -n 20 -c 20 --expect line
  GATE=$first
  client_start one -n 20 -c 20 --expect line
  client_wait one
  client_wait two
  grep 'ok=20 failed=0' "$T/one.out"
  grep 'ok=20 failed=0' "$T/two.out"
  farm_is_at_rest
}

@test "a client that leaves the queue leaves no trace" {
  node a 4001 1 --mode line
  entrance listener
  client_start first --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start leaver --send 0 --expect none
  resetter aborter
  until_ok waiting_is 2
  kill "$PID_leaver"
  until_ok waiting_is 1
  kill "$PID_aborter"
  until_ok waiting_is 0
  busy_is 1
  word go
  client_wait first
  farm_is_at_rest
}

@test "a waiting client that sent its request and half-closed is still served" {
  node a 4001 1 --mode reply
  entrance connection
  # The client gets its reply when it ends its side.
  client_start holder --send 5 --expect any
  until_ok busy_is 1
  client_start patient --send 100 --half-close --expect sum
  until_ok waiting_is 1
  kill "$PID_holder"
  client_wait patient
  farm_is_at_rest
}

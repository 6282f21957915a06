#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Any process that meets the damage, at any operation, rebuilds the scoreboard,
# says so, and then does the operation.

load lib/helpers

damage() { "$BUILD/tests/cbtest-damage" "$SCOREBOARD" "$@"; }
kept() { find "$T" -name 'scoreboard.tdb.damaged-*' | grep -c . || true; }

@test "each verb of cbscore, and the prober: it does what it was asked to, on a scoreboard that is sound again" {
  node a 4001 2
  node_line 4002 1
  local n=0 verb
  score load
  for verb in list slots queue explain dump "down $ADDR:4001 --reason word" "up $ADDR:4001" "set $ADDR:4001 cores=3" \
    "add $ADDR,4009,1,0" "remove $ADDR:4002" load reap "export ipvs --service tcp:192.0.2.1:1"; do
    [ "$verb" != load ] || echo "$ADDR, 4003, 1, 0" >>"$CONF"
    damage noise farm
    # shellcheck disable=SC2086  # words
    run --separate-stderr score $verb
    [ "$status" = 0 ] || { echo "$verb: $status $stderr"; return 1; }
    [[ $stderr == *"was damaged; rebuilt with "* ]] || { echo "$verb: $stderr, $(kept) kept"; return 1; }
    rm -f "$T"/scoreboard.tdb.damaged-*
    [ "$(score fsck)" = "$SCOREBOARD: sound" ] || { echo "$verb"; return 1; }
  done
  damage noise farm
  run -0 probe --fall 1
  [[ $output == *"was damaged; rebuilt with "* ]]
  state_is 4002 down
}

# The processes of two connections: one holds the slot, one waits. No other process looks at the scoreboard.
two_processes() {
  node a 4001 1 --mode line --eof-ends
  entrance connection "$@"
  client_start holder --line "sleep 60000" --expect line
  until_ok busy_is 1
  client_start waiter --line "sleep 0" --expect line
  until_ok waiting_is 1
}
was_kept() { [ "$(kept)" -ge 1 ]; }

@test "the guard of the queue, at its next look" {
  two_processes
  damage noise farm
  until_ok was_kept
  busy_is 1
  waiting_is 1
  kill "$PID_holder"
  client_wait waiter
  farm_is_at_rest
}

@test "a waiter that leaves" {
  two_processes --abandon-on-eof
  damage noise farm
  kill -9 "$PID_waiter"
  until_ok was_kept
  until_ok waiting_is 0
  client_start next --line "sleep 0" --expect line
  until_ok waiting_is 1
  kill "$PID_holder"
  client_wait next
  until_ok everything_is_free
}

@test "what can be told from the rest is repaired in place, and that is told" {
  two_processes --abandon-on-eof
  damage noise queue/0
  kill -9 "$PID_waiter"
  until_ok grep -q "scoreboard.tdb: was damaged; repaired in place, [0-9]* findings" "$T/relay.log"
  until_ok waiting_is 0
  [ "$(kept)" = 0 ]
  busy_is 1
  kill "$PID_holder"
  farm_is_at_rest
}

@test "a relay whose node does not answer its connect: the other node is tried" {
  full_node 4009
  node_line 4009 1 speed=9
  node a 4001 1 --mode hold:10
  entrance connection --connect-timeout 5s
  client_start one --expect line
  until_ok busy_is 1
  damage noise farm
  client_wait one
  until_ok was_kept
  state_is 4009 down
  farm_is_at_rest
}

@test "a relay that gives its slot back" {
  node a 4001 1 --mode line
  entrance connection
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  damage noise farm
  word go
  client_wait one
  until_ok was_kept
  farm_is_at_rest
}

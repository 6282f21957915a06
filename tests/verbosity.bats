#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore verbosity, Core Balance's v#: how much relays and the prober log, changed while they run.

load lib/helpers

has_lines() { lines_with_are "$T/$1.log" "$2" "$3"; }

@test "verbosity changes what a running relay and a running prober log; status reminds of it" {
  node a 4001 1 --mode hold:5
  entrance alone --log none
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --interval 50ms
  client --expect line
  farm_is_at_rest
  has_lines relay ' takes slot ' 0
  has_lines relay 'client=' 0
  run -0 score verbosity
  [ "$output" = "verbosity 0: relays and the prober log what their options say" ]

  run -0 score verbosity 1
  [ "$output" = "verbosity 0 -> 1: relays and the prober log as with --verbose" ]
  client --expect line
  farm_is_at_rest
  has_lines relay ' takes slot 0 of ' 1
  has_lines relay 'client=' 0
  until_ok grep -q 'checked 1 of 1 nodes' "$T/probe.log"
  score status | grep -q '^  verbosity 1: '

  run -0 score verbosity 2
  client --expect line
  farm_is_at_rest
  has_lines relay ' takes slot ' 2
  until_ok has_lines relay 'client=.* end=--' 1
  run -0 score verbosity 2
  [[ $output == "verbosity is 2 already: "* ]]

  score verbosity 0
  client --expect line
  farm_is_at_rest
  has_lines relay ' takes slot ' 2
  # A pass that began before may still sum up; the next has two nodes.
  score add "$ADDR, 4002, 1, 0"
  until_ok state_is 4002 down
  client --expect line
  farm_is_at_rest
  has_lines relay 'client=' 1
  run ! grep 'of 2 nodes' "$T/probe.log"
  run ! grep verbosity <(score status)
}

@test "a client that waits with the listener and leaves has its line with verbosity 2" {
  node a 4001 1 --mode line
  entrance alone --log none
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  score verbosity 2
  resetter three
  until_ok waiting_is 1
  kill "$PID_three"
  until_ok waiting_is 0
  until_ok grep -q 'end=CQ' "$T/relay.log"
  word go
  client_wait one
  farm_is_at_rest
}

@test "verbosity: wrong numbers are refused, and change nothing; it outlives a load and needs no scoreboard beforehand" {
  node_line 4001 1
  run -1 score verbosity
  [ ! -e "$SCOREBOARD" ]
  score verbosity 1
  for wrong in 3 -1 x '' 01x; do
    run -2 score verbosity -- "$wrong"
    [[ $output == *"\"$wrong\": expected 0, 1 or 2"* ]]
  done
  score load
  run -0 score verbosity
  [[ $output == "verbosity 1: "* ]]
  run -0 score fsck
}

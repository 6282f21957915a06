#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Each change of a node is told once, with the reason and how long the earlier state lasted, in the same words by every
# program.

load lib/helpers

@test "the prober says why a node was down when it is up, and nothing of a pass that changes nothing" {
  node_line 4001 1
  run -0 probe
  [[ $output == "cbprobe: $ADDR:4001 is down: connection refused (was up for "*")" ]]
  run -0 probe
  [ -z "$output" ]
  node_start a 4001 1
  run -0 probe
  [[ $output == "cbprobe: $ADDR:4001 is up (was down for "*", the reason was: connection refused)" ]]
  run -0 probe
  [ -z "$output" ]
}

@test "a relay says the same in the same words" {
  node_line 4001 4 speed=9
  node b 4002 1 --mode echo
  entrance alone --retry-after 100ms
  client --line hello --expect line
  until_ok grep -qE "cbrelay: $ADDR:4001 is down: connection refused \(was up for .*\)$" "$T/relay.log"
  node_start a 4001 4 --mode echo
  is_tried() { client --line hello --expect line >/dev/null && state_is 4001 up; }
  until_ok is_tried
  until_ok grep -qE "cbrelay: $ADDR:4001 is up \(was down for .*, the reason was: connection refused\)$" "$T/relay.log"
}

@test "in the journal a line does not repeat the program's name" {
  node_line 4001 1 'check=chat:/nonexistent'
  exec 7>"$T/journal"
  JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) "$BUILD/cbprobe" -c "$CONF" 2>&7 </dev/null
  exec 7>&-
  grep -qE '^<3>check "chat:/nonexistent": No such file or directory' "$T/journal"
  run ! grep cbprobe: "$T/journal"
}

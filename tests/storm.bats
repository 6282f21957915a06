#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

storms() {
  unset COREBALANCE_SCOREBOARD
  run "$BATS_TEST_DIRNAME/lib/storm" 120x $((RANDOM % 1000)) "$@"
  echo "$output"
  echo "# ${lines[0]}; ${lines[-1]}" >&3
  [ "$status" = 0 ]
}

@test "storm: three entrances, kills, edits, flaps and probes at once; afterwards all is free and sound" { storms; }

@test "storm: three entrances, kills, edits, flaps and probes, and slots go to the client that holds the fewest" { storms --fair; }

@test "storm: three entrances, kills, edits, flaps and probes, and slots are kept for those that a fast one serves sooner" {
  storms --policy fastest --patience 1s
}

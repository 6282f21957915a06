#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore set: each edit changes its own fields, and nothing else, also with other edits at the same time.

load lib/helpers

setup() { farm_setup; }
teardown() { farm_teardown; }

@test "edits of different fields of one node at the same time all last: 150 pairs lose nothing" {
  node_line 4001 1
  score load
  local i first second
  for ((i = 1; i <= 150; i++)); do
    "$BUILD/cbscore" set "$ADDR:4001" cores=$((i + 1)) >/dev/null 3>&- &
    first=$!
    "$BUILD/cbscore" set "$ADDR:4001" speed=$i >/dev/null 3>&- &
    second=$!
    wait "$first"
    wait "$second"
    [ "$(score list -nr -o CORES,SPEED)" = "$((i + 1)) $i" ]
  done
}

@test "an edit that is half wrong changes nothing; several fields are changed together" {
  node_line 4001 2 speed=3
  score load
  run -2 score set "$ADDR:4001" cores=9 speed=fast
  [ "$(score list -nr -o CORES,SPEED)" = "2 3" ]
  run -0 score set "$ADDR:4001" cores=9 speed= backup=yes check="ssh --slot" proxy=v2
  score dump | grep -qxF "$ADDR, 4001, 9, 0, backup, check=ssh --slot, proxy=v2"
  run -0 score set "$ADDR:4001" backup=no check= proxy=
  score dump | grep -qxF "$ADDR, 4001, 9, 0"
}

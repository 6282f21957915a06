#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The scoreboard's history: how long connections waited and held a slot.

load lib/helpers

@test "every connection is counted once, whatever the clock does, and the last hour is shown without a gap" {
  echo "$ADDR, 4001, 1, 0" >"$CONF"
  for seed in 1 2 3; do
    rm -f "$SCOREBOARD"*
    "$BUILD/cbscore" -c "$CONF" load
    run -0 "$BUILD/tests/cbtest-history" "$SCOREBOARD" 30 "$seed"
    [[ $output == *" connections are remembered" ]]
    run -0 "$BUILD/cbscore" fsck
  done
}

@test "a slice that is missing or of another size costs no connection" {
  node a 4001 1 --mode line
  score load
  tdbdump -k history "$SCOREBOARD"
  for i in $(seq 0 2 118); do echo "delete slice/$i"; done | tdbtool "$SCOREBOARD"
  for i in $(seq 1 2 119); do echo "store slice/$i short"; done | tdbtool "$SCOREBOARD"
  entrance alone
  run -0 client -n 5 -c 1 --line now --expect line
  [[ $output == *"ok=5 failed=0"* ]]
  # They are found, and repaired: from then on they remember again.
  run -1 score fsck
  [[ $output == *"slice/0: "* && $output == *"slice/1: "* && $output == *": 120 findings" ]]
  run -0 score fsck --repair
  run -0 score fsck
}

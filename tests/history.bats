#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The scoreboard's history: how long connections waited and held a slot.

load lib/helpers
load lib/clocks

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

# ---- the wall clock is set ----

# The two sums of seconds that all connections waited, and held their slots, are less than the clock was set ahead.
sums_are_small() {
  score metrics | awk '/^corebalance_.*(wait|hold).*_seconds_sum/ { n++; if ($2 < 0 || $2 > 1800) bad++ } END { exit n < 2 || bad }'
}

what_is_measured_stays() {
  node a 4001 1 --mode line
  clock_preload
  WRAPPER=$OTHER_CLOCKS entrance "$1"
  client_start now --line "$(until_word now)" --expect line
  until_ok busy_is 1
  client_start first --line "$(until_word first)" --expect line
  until_ok waiting_is 1
  clocks_ahead 3600
  word now
  client_wait now
  until_ok waiting_is 0
  word first
  client_wait first
  farm_is_at_rest
  score metrics | grep _seconds_sum
  sums_are_small
}

@test "alone: waiting and holding are measured right although the clock is set ahead" { what_is_measured_stays alone; }
@test "listener: waiting and holding are measured right although the clock is set ahead" { what_is_measured_stays listener; }
@test "connection: waiting and holding are measured right although the clock is set ahead" { what_is_measured_stays connection; }
@test "inetd: waiting and holding are measured right although the clock is set ahead" { what_is_measured_stays inetd; }

# What is shown follows the wall clock of the process that shows it.
@test "the time since when a slot is taken is shown by the present wall clock" {
  local since
  node a 4001 1 --mode line
  clock_preload
  WRAPPER=$OTHER_CLOCKS entrance alone
  client_start now --line "$(until_word now)" --expect line
  until_ok busy_is 1
  since=$(score slots -nr -o SINCE)
  clocks_ahead 3600
  # shellcheck disable=SC2086
  later=$($OTHER_CLOCKS "$BUILD/cbscore" -c "$CONF" slots -nr -o SINCE)
  echo "$since $later"
  [ $(((later - since + 500000) / 1000000)) = 3600 ]
  word now
  client_wait now
}

@test "a connection is ended though the wall clock is set between two looks at its slot" {
  node a 4001 1 --mode line
  entrance alone
  clock_preload
  client_start one --line "sleep 30000" --expect line
  until_ok busy_is 1
  # shellcheck disable=SC2086
  CLOCK_GAINS=1 run -0 $OTHER_CLOCKS "$BUILD/cbscore" -c "$CONF" kill "$ADDR:4001/0"
  echo "$output"
  [[ $output == *" is ended" ]]
  client_fails one
  farm_is_at_rest
}

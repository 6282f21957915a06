#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A farm has one name, by which every program finds its node list and its scoreboard.

load lib/helpers

# Runs a script that has its own /etc/corebalance and /run/corebalance.
with_paths() {
  [ "$(id -u)" = 0 ] || skip "needs root to mount"
  unset COREBALANCE_SCOREBOARD
  unshare --mount sh -euc 'mount -t tmpfs none /etc && mount -t tmpfs none /run && mkdir /etc/corebalance /run/corebalance
    B=$1 ADDR=$2; shift 2; eval "$1"' sh "$BUILD" "$ADDR" "$1"
}

@test "-f, --farm and \$COREBALANCE_FARM name the list and the scoreboard of every program" {
  run -0 with_paths '
    echo "$ADDR, 4001, 1, 0" >/etc/corebalance/ci.conf
    echo "$ADDR, 4002, 2, 0" >/etc/corebalance/nodes.conf
    "$B/cbscore" -f ci load >/dev/null
    "$B/cbscore" load >/dev/null
    "$B/cbscore" -f ci list -nr -o NODE
    "$B/cbscore" list -nr -o NODE
    COREBALANCE_FARM=ci "$B/cbscore" list -nr -o NODE
    "$B/cbscore" list --farm ci -nr -o CORES
    "$B/cbprobe" -f ci --verbose
    ls /run/corebalance'
  [[ $output == "$ADDR:4001"$'\n'"$ADDR:4002"$'\n'"$ADDR:4001"$'\n'1$'\n'* ]]
  [[ $output == *"$ADDR:4001 "*"connection refused"* ]]
  [[ $output != *"$ADDR:4002 "*"connection refused"* ]]
  [[ $output == *ci.tdb* && $output == *scoreboard.tdb* ]]
}

@test "a path that is given is nearer than the farm's name; a name on the command line is nearer than the environment" {
  run -0 with_paths '
    echo "$ADDR, 4001, 1, 0" >/etc/corebalance/ci.conf
    echo "$ADDR, 4003, 3, 0" >/etc/corebalance/llm.conf
    COREBALANCE_FARM=ci "$B/cbscore" -f llm load >/dev/null
    COREBALANCE_FARM=ci "$B/cbscore" -f llm list -nr -o CORES
    COREBALANCE_SCOREBOARD=/run/other.tdb "$B/cbscore" -f llm list -nr -o CORES
    [ ! -e /run/other.tdb ]
    COREBALANCE_SCOREBOARD=/run/other.tdb COREBALANCE_FARM=ci "$B/cbscore" load >/dev/null
    COREBALANCE_SCOREBOARD=/run/other.tdb COREBALANCE_FARM=ci "$B/cbscore" list -nr -o CORES
    [ -e /run/other.tdb ]
    "$B/cbscore" -f ci -s /run/mine.tdb load >/dev/null
    "$B/cbscore" -f ci -s /run/mine.tdb list -nr -o CORES
    [ -e /run/mine.tdb ]'
  [ "$output" = 3$'\n'3$'\n'1$'\n'1 ]
}

@test "what cannot be a farm's name is refused by every program" {
  for name in '' . .. a/b -x 'a b' "$(printf '%064d' 0)" ä; do
    run -2 "$BUILD/cbscore" --farm "$name" list
    [[ $output == *"expected letters, digits, dots, dashes and underscores, at most 63"* ]]
    run -64 "$BUILD/cbrelay" --farm "$name"
    run -64 "$BUILD/cbprobe" --farm "$name"
  done
  COREBALANCE_FARM=a/b run -2 "$BUILD/cbscore" list
  [[ $output == *'$COREBALANCE_FARM: "a/b": expected the name of a farm'* ]]
}

@test "the figures carry the farm's name" {
  run -0 with_paths '
    echo "$ADDR, 4001, 1, 0" >/etc/corebalance/ci.conf
    "$B/cbscore" -f ci load >/dev/null
    "$B/cbscore" -f ci metrics | grep build_info{'
  [[ $output == *'farm="ci"'* ]]
}

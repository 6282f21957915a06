#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# A later version with another format of the scoreboard takes over from this version while connections run and wait; and
# the way back says what must be done. The later version is the present version, built with another number.
# tests/package.bats does the same with two packages.

load lib/helpers
load lib/managed

# The objects are those of $BUILD, but for those that know the version, or the format.
setup_file() {
  export LATER=$BATS_FILE_TMPDIR/later
  mkdir "$LATER"
  cp -a "$BUILD"/{relay,scoreboard,version} "$LATER"
  grep -rlZ --include='*.d' 'store/version\.h' "$LATER" | sed -z 's/d$/o/' | xargs -0 rm
  make -s -C "$BATS_TEST_DIRNAME/.." BUILD="$LATER" CFLAGS=-O0 LDFLAGS= CPPFLAGS='-DSCORE_FORMAT=99' VERSION=99 \
    "$LATER/cbrelay" "$LATER/cbscore" "$LATER/cbprobe" >"$BATS_FILE_TMPDIR/later.log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/later.log" && return 1; }
}

# install BUILD: the version that the service's next start gets.
install_version() { cp "$1/cbrelay" "$T/cbrelay.new" && mv "$T/cbrelay.new" "$T/cbrelay"; }

later() { "$LATER/cbscore" -c "$CONF" "$@"; }
later_counts() { [ "$(later "$1" -n | grep -c .)" = "$2" ]; }

@test "an upgrade cuts no connection and loses no place; a slot of the earlier version is free when its relay has ended" {
  local before i
  node a 4001 3 --mode line
  install_version "$BUILD"
  managed "$T/cbrelay" -c "$CONF"
  client_start long -n 2 --line "$(until_word long)" --expect line
  until_ok busy_is 2
  client_start third --line "$(until_word third)" --expect line
  until_ok busy_is 3
  for i in 1 2 3; do
    client_start "w$i" --line count --expect line --print
    until_ok waiting_is "$i"
  done
  score queue -nr -o TICKET >"$T/tickets"
  before=$(service)
  install_version "$LATER"
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  until_ok later_counts queue 3
  later queue -nr -o TICKET | diff "$T/tickets" -
  later_counts slots 3
  grep 'was made by an earlier version; upgraded with 1 node, 3 slots taken, 0 waiting$' "$T/relay.log"
  run -1 score list
  [[ $output == *'a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)' ]]
  client_start newcomer --line count --expect line --print
  until_ok later_counts queue 4
  word third
  client_wait third
  for i in 1 2 3; do
    client_wait "w$i"
    grep "total=$((i + 3))\b" "$T/w$i.out"
  done
  client_wait newcomer
  grep "total=7\b" "$T/newcomer.out"
  word long
  client_wait long
  until_ok later reap
  until_ok later_counts slots 0
  nodes_never_overfilled
  [[ $(node_report a) == *total=7* ]]
}

# The scoreboard is as $T/before. The words of the lock, bytes 152 to 167, are no part of it: a process that has the lock for
# long, as on a busy machine, says so there.
is_unchanged() {
  cmp -n 152 "$SCOREBOARD" "$T/before"
  cmp -i 168 "$SCOREBOARD" "$T/before"
}

@test "the way back: the earlier version says that connections must end first, takes none, and leaves the scoreboard alone" {
  node a 4001 1 --mode line
  later load
  cp "$SCOREBOARD" "$T/before"
  run -78 "$BUILD/cbrelay" -c "$CONF" "$GATE"
  [[ $output == *"cbrelay: $SCOREBOARD: a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)" ]]
  is_unchanged
  later list
}

@test "a pass of the prober of another version, later or earlier, changes nothing and has a status of its own" {
  node a 4001 1 --mode echo
  score load
  cp "$SCOREBOARD" "$T/before"
  run -75 "$LATER/cbprobe" -c "$CONF"
  [ "$output" = "cbprobe: $SCOREBOARD: a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)" ]
  is_unchanged
  rm "$SCOREBOARD"
  later load
  run -75 "$BUILD/cbprobe" -c "$CONF"
}

@test "a scoreboard of a format that is too old is refused as a scoreboard of a later format is" {
  node a 4001 1 --mode line
  score load
  # The format number stands behind the magic.
  python3 - "$SCOREBOARD" <<'EOF'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[data.index(b"version" + b"corebalance") + len("version") + 16] = 1
open(sys.argv[1], "r+b").write(data)
EOF
  run -78 "$LATER/cbrelay" -c "$CONF" "$GATE"
  [[ $output == *'a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)' ]]
}

# The time of an earlier format is that of the wall clock: an upgrade converts it. Such a scoreboard is made of one of
# this format.
@test "a scoreboard whose times are of the wall clock is upgraded with its slots as old as they are" {
  local since later
  node a 4001 1 --mode line
  entrance alone
  client_start now --line "$(until_word now)" --expect line
  until_ok busy_is 1
  client_start first --line "$(until_word first)" --expect line
  until_ok waiting_is 1
  since=$(score slots -nr -o SINCE)
  mkdir -m 755 "$T/earlier"
  cp "$SCOREBOARD" "$T/earlier/scoreboard.tdb"
  python3 - "$T/earlier/scoreboard.tdb" "$since" "$(score queue -nr -o SINCE)" <<'EOF2'
import struct, sys, time
path, since = sys.argv[1], [int(word) for word in sys.argv[2:]]
data = bytearray(open(path, "rb").read())
at = data.index(b"version" + b"corebalance") + len("version") + 16
assert data[at] >= 18
data[at] = 17
ahead = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000 - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
# Both times may be so near each other that they cannot be told apart here: each is converted by what it is.
found = 0
for offset in range(len(data) - 7):
    value = struct.unpack_from("=Q", data, offset)[0]
    if any(abs(value + ahead - wall) < 20000 for wall in since):
        struct.pack_into("=Q", data, offset, value + ahead)
        found += 1
print("converted", found)
assert found >= len(since)
open(path, "r+b").write(data)
EOF2
  export COREBALANCE_SCOREBOARD=$T/earlier/scoreboard.tdb
  background "$T/upgrade.log" "$BUILD/cbrelay" -c "$CONF" "$ADDR:3640"
  until_ok grep -q "made by an earlier version; upgraded with 1 node, 1 slot taken" "$T/upgrade.log"
  later=$("$BUILD/cbscore" -c "$CONF" slots -nr -o SINCE)
  echo "$since $later"
  [ $((later - since)) -lt 1000000 ] && [ $((since - later)) -lt 1000000 ]
  export COREBALANCE_SCOREBOARD=$SCOREBOARD
  word now
  client_wait now
  word first
  client_wait first
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# namespaces.bats: processes that do not see each other must not share a farm: each
# would take the other's slots for those of dead processes, or never wake the
# other's waiters.

load lib/helpers

setup() {
  if [ "$(id -u)" != 0 ]; then skip "needs root for namespaces"; fi
  farm_setup
  node a 4001 2 --mode line
}
teardown() { [ -z "${PIDS+x}" ] || farm_teardown; }

ELSEWHERE='its processes run in another pid, time, network or user namespace'

# refused OPTION...: the farm refuses programs in namespaces that unshare(1) makes with these options.
refused() {
  local said
  for said in "1 cbscore list" "1 cbscore load" "78 cbprobe" "78 cbrelay $ADDR:3700"; do
    # shellcheck disable=SC2086  # a status, a program and its arguments
    set -- "$@" -- $said
    local options=() words
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    words=("${@:2}")
    run --separate-stderr "-$1" timeout 300 unshare "${options[@]}" "$BUILD/${words[0]}" -c "$CONF" "${words[@]:1}"
    [[ ${stderr##*$'\n'} == "${words[0]}: $SCOREBOARD: $ELSEWHERE"* ]] || { echo "${options[*]}: $said: $stderr"; return 1; }
    set -- "${options[@]}"
  done
}

@test "a process in another pid, time, network or user namespace than the farm's processes is refused" {
  entrance alone
  client_start held --line "$(until_word go)" --expect line
  until_ok busy_is 1
  refused --pid --fork --mount-proc
  refused --time --fork
  refused --net
  refused --user --map-root-user
  # These may differ without harm: mounts, the host's name.
  run -0 unshare --mount --uts --ipc "$BUILD/cbscore" -c "$CONF" list
  word go
  client_wait held
  farm_is_at_rest
}

@test "the first process after a boot says where the farm is" {
  score load
  # The record "origin" begins with the boot's id, behind its key.
  python3 -c "
with open('$SCOREBOARD', 'r+b') as f:
    f.seek(f.read().index(b'origin') + 6)
    f.write(b'of another boot.')"
  run -0 unshare --net --fork "$BUILD/cbscore" -c "$CONF" list
  run --separate-stderr -1 score list
  [[ $stderr == *"$ELSEWHERE"* ]]
}

@test "two that make a scoreboard at once as pid 1 of their containers do not meet" {
  local i
  for i in 1 2 3 4 5 6; do
    rm -f "$SCOREBOARD"
    background "$T/one.out" unshare --pid --fork --mount-proc "$BUILD/cbscore" -c "$CONF" load
    local one=$PID
    background "$T/two.out" unshare --pid --fork --mount-proc "$BUILD/cbscore" -c "$CONF" load
    local two=$PID status=0 other=0
    wait "$one" || status=$?
    wait "$two" || other=$?
    # A program in one pid namespace has made the scoreboard; the program in the other is told that it is in another.
    [ $((status + other)) -le 1 ] || { cat "$T"/*.out; return 1; }
    [ $((status + other)) = 0 ] || cat "$T/one.out" "$T/two.out" | grep -q "$ELSEWHERE"
    tdbtool "$SCOREBOARD" check | grep -q 'integrity is OK'
    [ "$(find "$T" -name 'scoreboard.tdb*.new')" = "" ]
  done
}

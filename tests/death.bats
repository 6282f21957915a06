#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=computes

load lib/helpers

# The scoreboard is in memory if there is a place: the disk has no part in what is tried here.
setup() {
  local place
  farm_setup
  if place=$(mktemp -d /dev/shm/corebalance-death.XXXXXX 2>/dev/null); then
    FOLDERS+=("$place")
    SCOREBOARD=$place/scoreboard
  fi
}

@test "a process killed at any store, lock or unlock leaves a sound scoreboard, and the next client is served" {
  # Each process that has died has all processes of the machine looked at: in namespaces of their own these are few.
  local apart=(unshare --mount --pid --fork --kill-child --mount-proc)
  "${apart[@]}" true 2>/dev/null || apart=()
  local part deaths=0
  for part in 1 2; do
    background "$T/part$part" "${apart[@]}" "$BUILD/tests/cbtest-death" "$SCOREBOARD$part" "$part/2"
    eval "PID_part$part=$PID"
  done
  for part in 1 2; do
    client_wait "part$part" || { cat "$T/part$part" && false; }
    grep ' deaths, the scoreboard was sound after each$' "$T/part$part"
    deaths=$((deaths + $(sed -n '$s/ .*//p' "$T/part$part")))
  done
  echo "# $deaths deaths" >&3
  [ "$deaths" -gt 2000 ]
}

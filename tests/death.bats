#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=computes

load lib/helpers

@test "a process killed at any store, lock or unlock leaves a sound scoreboard, and the next client is served" {
  # Each process that has died has all processes of the machine looked at: in namespaces of their own these are few.
  local apart=(unshare --mount --pid --fork --kill-child --mount-proc)
  "${apart[@]}" true 2>/dev/null || apart=()
  run -0 "${apart[@]}" "$BUILD/tests/cbtest-death" "$SCOREBOARD"
  echo "# ${lines[-1]}" >&3
  [[ ${lines[-1]} == *" deaths, the scoreboard was sound after each" ]]
  [ "${lines[-1]%% *}" -gt 500 ]
}

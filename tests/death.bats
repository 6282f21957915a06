#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=alone

load lib/helpers

@test "a process killed at any store, lock or unlock leaves a sound scoreboard, and the next client is served" {
  run -0 "$BUILD/tests/cbtest-death" "$SCOREBOARD"
  echo "# ${lines[-1]}" >&3
  [[ ${lines[-1]} == *" deaths, the scoreboard was sound after each" ]]
  [ "${lines[-1]%% *}" -gt 500 ]
}

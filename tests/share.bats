#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a gateway may use of nodes that several gateways share.

load lib/helpers

@test "shares that a program sets, and a lease: nothing is granted at or after its end, waiters are served by the next" {
  node_line 4001 4
  score load
  "$BUILD/tests/cbtest-share" "$SCOREBOARD"
  score fsck
  scoreboard_is_sound
}

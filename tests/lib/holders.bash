# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# holders.bash: which relays hold the slots, for tests that kill, stop or look at these relays. A listener that has no idle
# relay accepts a connection and holds its slot itself for a moment, until it gives both to a relay.

slots_are_of_relays() {
  local pids
  pids=$(score slots -nr -o PID)
  [ -n "$pids" ] && ! grep -qxF "$GATE_PID" <<<"$pids"
}

# The pids, a line each, when none of them is the listener's, $GATE_PID.
holders() { until_ok slots_are_of_relays && score slots -nr -o PID; }

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# One slot, and many waiters: the time from the node's closing of a connection, its job done, to the first byte of the
# next. All clients wait before the first job ends; each further job takes 1 ms.

group_handover() {
  WAITERS=$(full 2000 200)
  peers_start 1 haproxy nginx pen proxyd socat corebalance
  rounds "$(full 4 1)" handover_round
}

handover_round() { # PEER ROUND
  node_counts
  load "$1" --op hold --clients "$WAITERS" --count "$WAITERS" --hold 1000 --first-hold "$(full 3000000 500000)" --timeout 60
  node_counts
  record_load p50 "$1" "$2" "$(calculate "${GOT[node_gap_p50]} / 1000")" ms
  record p99 "$1" "$2" "$(calculate "${GOT[node_gap_p99]} / 1000")" ms
  record peak "$1" "$2" "${GOT[node_peak]}" "at the node"
}

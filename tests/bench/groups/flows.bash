# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# Flows of 1 KB to 100 KB from the node, four at once.

group_flows() {
  peers_start 64 direct haproxy haproxy-tuned nginx pen proxyd corebalance
  rounds "$(full 6 1)" flows_round
}

flows_round() { # PEER ROUND
  local size
  for size in 1 10 100; do
    load "$1" --op bulk --size $((size * 1024)) --clients 4 --seconds "$(full 0.5 0.15)"
    record_load "${size}KB" "$1" "$2" "${GOT[rate]}" flows/s
  done
}

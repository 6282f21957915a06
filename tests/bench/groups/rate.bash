# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# Connections a second of 16 clients: 64 bytes there, 64 back, closed both ways; at most 64 at the node.

group_rate() {
  peers_start 64 direct haproxy haproxy-tuned nginx pen proxyd socat corebalance strict
  rounds "$(full 8 2)" rate_round
}

rate_round() { # PEER ROUND
  local seconds
  seconds=$(full 0.6 0.15)
  load "$1" --clients 16 --seconds "$seconds"
  record_load fin "$1" "$2" "${GOT[rate]}" connections/s
  load "$1" --clients 16 --seconds "$seconds" --reset
  record_load rst "$1" "$2" "${GOT[rate]}" connections/s
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# Connections a second of 16 clients: 64 bytes there, 64 back, closed both ways; at most 64 at the node. "fin" and "rst":
# clients that end cleanly, or reset; each peer is warm. "cold": the first 200 connections after a start. "twenty": a
# cap of 64 on 20 servers instead of one. Then what a connection costs each peer, all of its processes together: system
# calls, switches (also those that it did not want), page faults, and microseconds of processor time.

RATE_PEERS=(direct haproxy haproxy-log haproxy-batch haproxy-tuned nginx nginx-batch pen pen-batch proxyd socat corebalance strict)

group_rate() {
  local peer
  peers_start 64 "${RATE_PEERS[@]}"
  rounds "$(full 3 1)" rate_cold
  for peer in "${PEERS[@]}"; do load "$peer" --clients 16 --count "$(full 1000 100)"; done
  rounds "$(full 8 2)" rate_round
  counts_of_peers --clients 16 --count "$(full 2000 200)"
  rate_twenty
}

rate_cold() { # PEER ROUND
  if [ "$1" = direct ]; then return; fi
  peer_restart "$1" || return
  load "$1" --clients 16 --count 200
  record_load cold "$1" "$2" "${GOT[rate]}" connections/s
}

rate_round() { # PEER ROUND
  local seconds
  seconds=$(full 0.6 0.15)
  load "$1" --clients 16 --seconds "$seconds" --warmup 50
  record_load fin "$1" "$2" "${GOT[rate]}" connections/s
  load "$1" --clients 16 --seconds "$seconds" --warmup 50 --reset
  record_load rst "$1" "$2" "${GOT[rate]}" connections/s
}

rate_twenty() {
  local peer
  peers_stop
  peers_start 64 haproxy-twenty haproxy-log-twenty corebalance-twenty
  for peer in "${PEERS[@]}"; do load "$peer" --clients 16 --count "$(full 1000 100)"; done
  rounds "$(full 6 2)" rate_twenty_round
}

rate_twenty_round() { # PEER ROUND
  load "$1" --clients 16 --seconds "$(full 0.6 0.15)" --warmup 50
  record_load twenty "${1%-twenty}" "$2" "${GOT[rate]}" connections/s
}

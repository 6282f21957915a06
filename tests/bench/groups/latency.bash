# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# One client after another: connections a second, and how much longer each takes than a direct connection to the node in
# the same round.

group_latency() {
  declare -gA latency=()
  peers_start 64 direct haproxy haproxy-tuned nginx pen proxyd socat corebalance
  rounds "$(full 8 2)" latency_round
}

latency_round() { # PEER ROUND
  load "$1" --seconds "$(full 0.6 0.2)"
  record_load rate "$1" "$2" "${GOT[rate]}" connections/s
  record p50 "$1" "$2" "${GOT[p50]}" us
  record p99 "$1" "$2" "${GOT[p99]}" us
  latency[$1.p50]=${GOT[p50]} latency[$1.p99]=${GOT[p99]}
  if [ "$1" = "${PEERS[$(($2 % 2 ? ${#PEERS[@]} - 1 : 0))]}" ]; then latency_added "$2"; fi
}

# Called at a round's end.
latency_added() { # ROUND
  local peer which
  for peer in "${PEERS[@]}"; do
    if [ "$peer" = direct ] || [ -z "${latency[direct.p50]-}" ]; then continue; fi
    for which in p50 p99; do
      record "added-$which" "$peer" "$1" "$(calculate "${latency[$peer.$which]} - ${latency[direct.$which]}")" us
    done
  done
}

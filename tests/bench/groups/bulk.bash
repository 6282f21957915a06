# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# 100 MB flows from the node, one at a time and four at once. Processor time is that of the whole machine (/proc/stat,
# interrupts included) less the client's and the node's own; so it is wrong if others use the machine. "own" is what was
# charged to the peer's processes, by their control group if there is one.

group_bulk() {
  peers_start 64 direct haproxy haproxy-tuned nginx nginx-tuned pen proxyd socat corebalance
  rounds "$(full 5 1)" bulk_round
}

bulk_round() { # PEER ROUND
  bulk_flows one 1 "$(full 16 3)" "$@"
  bulk_flows four 4 "$(full 16 4)" "$@"
}

bulk_flows() { # ROW CLIENTS COUNT PEER ROUND
  local busy node own gigabytes
  node_counts
  node=${GOT[node_cpu]} own=$(bulk_own "$4") busy=$(cpu_busy)
  load "$4" --op bulk --size 100000000 --clients "$2" --count "$3" || return
  busy=$(calculate "$(cpu_busy) - $busy") own=$(calculate "$(bulk_own "$4") - $own")
  node_counts
  gigabytes=$(calculate "(${GOT[bytes]} + 1) / 1e9")
  record_load "$1" "$4" "$5" "$(calculate "${GOT[bytes]} * 8 / 1e9 / ${GOT[seconds]}")" Gbit/s
  [ "$4" != direct ] || return 0
  record "cpu-$1" "$4" "$5" "$(calculate "($busy - ${GOT[cpu]} - ${GOT[node_cpu]} + $node) / $gigabytes")" s/GB
  record "cpu-own-$1" "$4" "$5" "$(calculate "$own / $gigabytes")" s/GB
}

bulk_own() { if [ "$1" = direct ]; then echo 0; else cpu_of "$1"; fi; }

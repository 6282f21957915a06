# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# 1,000 and 4,000 clients on 64 slots: how many are served a second, how evenly they wait (p99/p50), and their memory:
# of the peer's processes (PSS); of the whole machine ("all"; right only if nothing else uses the machine, and with the
# clients' own sockets); and what the kernel charged to the peer ("charged"; connections in a backlog are not charged).

group_queue() {
  peers_start 64 haproxy nginx pen proxyd socat corebalance
  QUEUE=1000
  rounds "$(full 5 1)" queue_round
  QUEUE=4000
  if [ -z "$QUICK" ]; then rounds 5 queue_round; fi
}

queue_round() { # PEER ROUND
  local before before_all before_charged
  peer_restart "$1" || return
  memory_of "$1"
  before=${GOT[pss]} before_all=${GOT[used]} before_charged=${GOT[charged]}
  memory_watch "$1"
  load "$1" --clients "$QUEUE" --warmup "$QUEUE" --seconds "$(full 1.5 0.3)" --reset --timeout 60
  memory_watched
  record_load "rate-$QUEUE" "$1" "$2" "${GOT[rate]}" connections/s
  record "wait-p50-$QUEUE" "$1" "$2" "$(calculate "${GOT[p50]} / 1000")" ms
  record "wait-p99-$QUEUE" "$1" "$2" "$(calculate "${GOT[p99]} / 1000")" ms
  if [ "${GOT[ok]-0}" != 0 ]; then
    record "p99/p50-$QUEUE" "$1" "$2" "$(calculate "${GOT[p99]} / ${GOT[p50]}")" ""
  fi
  record "memory-$QUEUE" "$1" "$2" "$(calculate "(${GOT[pss]} - $before) / 1024")" MB
  record "memory-all-$QUEUE" "$1" "$2" "$(calculate "(${GOT[used]} - $before_all) / 1024")" MB
  if [ "${GOT[charged]}" != -1 ]; then
    record "memory-charged-$QUEUE" "$1" "$2" "$(calculate "(${GOT[charged]} - $before_charged) / 1024")" MB
  fi
  node_counts
  record "peak-$QUEUE" "$1" "$2" "${GOT[node_peak]}" "at the node"
  # The next peer must not pay for the clean-up of this peer.
  wait_until no_client_is_left "${TARGET[$1]}"
}

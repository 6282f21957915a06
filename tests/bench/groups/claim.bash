# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# A claim and its release in the library alone: 1 to 64 processes, farms of 10 to 10,000 nodes, and each policy.

group_claim() {
  local round processes nodes policy word
  BASE=10-nodes
  for ((round = 1; round <= $(full 5 1); round++)); do
    progress "round $round of $(full 5 1)"
    for processes in 1 2 16 64; do
      for nodes in 10 100 1000 10000; do
        GOT=([failures]=1)
        for word in $("$B/cbbench-claim" "$T/claim.tdb" $nodes $processes "$(full 0.4 0.1)"); do GOT[${word%%=*}]=${word#*=}; done
        record_load "$processes-processes" "$nodes-nodes" "$round" "${GOT[us]-}" us
      done
      [ $processes = 1 ] || continue
      for policy in order spread roundrobin hash affinity; do
        GOT=([failures]=1)
        for word in $("$B/cbbench-claim" "$T/claim.tdb" 10000 1 "$(full 0.4 0.1)" $policy); do GOT[${word%%=*}]=${word#*=}; done
        record_load 1-processes "10000-nodes-$policy" "$round" "${GOT[us]-}" us
      done
    done
  done
}

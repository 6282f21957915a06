# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# For each idle connection, compared with none: proportional memory (PSS) of the peer's processes; memory of the whole
# machine, with the sockets of client and node; and what the kernel charged to the peer.

group_memory() {
  MEMORY=$(full 1000 100)
  peers_start $((MEMORY + 10)) haproxy nginx pen proxyd socat corebalance
  rounds "$(full 3 1)" memory_round
}

memory_round() { # PEER ROUND
  local before before_all before_charged pid
  peer_restart "$1" || return
  memory_of "$1"
  before=${GOT[pss]} before_all=${GOT[used]} before_charged=${GOT[charged]}
  mkfifo "$T/memory.fifo"
  "$B/cbbench-load" --idle --clients "$MEMORY" "${TARGET[$1]}" <"$T/memory.fifo" >"$T/memory.log" 2>&1 &
  pid=$!
  exec 8>"$T/memory.fifo"
  rm "$T/memory.fifo"
  wait_until grep -q '^idle=' "$T/memory.log" || progress "$1: not all connections were served within 10 s"
  sleep 2 # idle is what has lasted for a while: until then a process may keep what short connections need
  memory_of "$1"
  record idle "$1" "$2" "$(calculate "(${GOT[pss]} - $before) / $MEMORY")" kB
  record idle-all "$1" "$2" "$(calculate "(${GOT[used]} - $before_all) / $MEMORY")" kB
  if [ "${GOT[charged]}" != -1 ]; then
    record idle-charged "$1" "$2" "$(calculate "(${GOT[charged]} - $before_charged) / $MEMORY")" kB
  fi
  exec 8>&-
  wait $pid
  record idle.failures "$1" "$2" \
    "$(awk '{ for (i = 1; i <= NF; i++) if (sub(/^failures=/, "", $i)) print $i }' "$T/memory.log")" connections
  wait_until no_client_is_left "${TARGET[$1]}"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# How many system calls a short connection costs. The numbers are counts, so they are the same on every machine; the
# cheapest of many connections is taken, as a client that a busy machine keeps from running costs a poll more.
#
# A client that asks, is answered, and ends first, with a relay that waits:
#   1 epoll_pwait2   the next connection, an order of the listener, a question about the scoreboard, or SIGTERM
#   2 accept4        in the section that takes the slot, and gives the client's address
#   3 socket         to the node
#   4 setsockopt     SO_LINGER: the node sees a killed relay's connection end at once
#   5 setsockopt     SO_OOBINLINE: urgent data stays in its place
#   - setsockopt     TCP_CONGESTION: only where the system's congestion control paces, and the node is on this machine
#   6 connect
#   7 recvfrom       what the client asks
#   8 sendto         to the node, which shows that it is connected
#   9 getsockname    our address towards the node, for the connection's line
#  10 ppoll          until the node answers
#  11 recvfrom
#  12 sendto
#  13 ppoll          until one of both says more, or ends
#  14 recvfrom       the client's end
#  15 shutdown       is passed on
#  16 ppoll          until the node ends
#  17 getsockopt     TCP_INFO: the node has said all, and its machine has confirmed all, and the end
#  18 setsockopt     SO_LINGER: from here on close(2) is no reset for the client
#  19 close_range    the client and the node
#  20 write          the connection's line
# A claim and a release of the slot cost none (lock.bats).

load lib/helpers

# The least number of calls from one accept to the next of one relay.
calls_each() {
  awk '!/ resumed>/ { n[$1]++ }
    /accept4.*= [0-9]+$/ { if ($1 in at) print n[$1] - at[$1]; at[$1] = n[$1] }' "$T/trace" | sort -n | head -n 1
}

# trace COUNT AT-ONCE [cbtest-client option]...: the calls of all relays, while a client makes so many connections. -D: the
# entrance's process is cbrelay, not strace.
trace() {
  local count=$1 at_once=$2
  shift 2
  [ -z "${SANITIZE-}" ] || skip "a sanitizer makes calls of its own"
  strace -f -qq -o "$T/trace" true 2>/dev/null || skip "no process may be traced on this machine"
  WRAPPER="strace -D -f -qq -o $T/trace" entrance alone --congestion-control system
  client -n "$count" -c "$at_once" "$@"
  farm_is_at_rest
}

@test "a short connection makes 20 system calls, the wait for it included" {
  node a 4001 8
  trace 60 1 --send 64 --expect echo
  [ "$(calls_each)" -le 20 ]
}

@test "a short connection makes 19 system calls while the next is there already" {
  node a 4001 8
  trace 200 16 --send 64 --expect echo
  [ "$(calls_each)" -le 19 ]
}

# The node's end comes with its answer: 12 is followed by the shutdown of the client's side, and the client's end by that
# of the node's, whose confirmation is asked for by SIOCOUTQ instead of TCP_INFO.
@test "a short connection that the node ends makes 20 system calls" {
  node a 4001 8 --mode line
  trace 60 1 --line "sleep 0" --expect line
  [ "$(calls_each)" -le 20 ]
}

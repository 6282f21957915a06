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
#
# In the strict form, --connections-per-relay 1, a relay makes these first:
#   1 set_robust_list, 2 prctl (its name), 3 close_range, 4 close (what is its nursery's), 5 getpid, 6 clock_gettime, 7 gettid (what it is)
#   8 landlock_restrict_self
#   9 prctl, 10 getppid, 11 rt_sigprocmask (the end of its parent, and signals)
#  12 epoll_create1, 13-15 epoll_ctl, 16 socket, 17 getpid, 18 bind, 19 getsockname (what it waits for)
# then all of the above and getsockopt (whether the client's socket has inherited SO_LINGER), and exit_group. The kernel may wake
# those that wait for the scoreboard's lock: futex. For each relay the nursery makes 4 calls (getpid, clock_gettime,
# clone, close), and the listener 7 (socketpair, close, pidfd_open, epoll_ctl; waitid, and close twice). An order takes 6 more,
# for all its relays together (fstat, sendmsg, recvfrom; recvmsg, sendto, poll); so does a turn of the listener, for all ends
# that it finds: 2 of epoll_wait.

load lib/helpers
load lib/holders

# The calls of the cheapest connection: its number, and their names. A connection is from the one accept4 of a relay that gave
# a client to the next of that relay.
cheapest() {
  awk '!/ resumed>/ { calls[$1]++; sub(/\(.*/, "", $2); names[$1] = names[$1] " " $2 }
    /accept4.*= [0-9]+$/ { if ($1 in since) print calls[$1] - since[$1] names[$1]; since[$1] = calls[$1]; names[$1] = "" }' \
    "$T/trace" | sort -n | head -n 1
}

# makes CALLS COUNT AT-ONCE [cbtest-client option]...: a client makes COUNT connections, up to 20 times, until a connection
# has cost no more than so many calls. On a busy machine no connection of a whole run may be met at its cheapest: two relays
# take turns, and each is woken for the other's. -D: the entrance's process is cbrelay, not strace.
makes() {
  local calls=$1 count=$2 at_once=$3 least
  shift 3
  [ -z "${SANITIZE-}" ] || skip "a sanitizer makes calls of its own"
  strace -f -qq -o "$T/trace" true 2>/dev/null || skip "no process may be traced on this machine"
  WRAPPER="strace -D -f -qq -o $T/trace" entrance alone --congestion-control system
  for _ in {1..20}; do
    client -n "$count" -c "$at_once" "$@"
    farm_is_at_rest
    least=$(cheapest)
    [ "${least%% *}" -gt "$calls" ] || return 0
  done
  echo "the cheapest connection: $least" >&2
  return 1
}

@test "a short connection makes 20 system calls, the wait for it included" {
  node a 4001 8
  makes 20 60 1 --send 64 --expect echo
}

@test "a short connection makes 19 system calls while the next is there already" {
  node a 4001 8
  makes 19 200 16 --send 64 --expect echo
}

# The node's end comes with its answer: 12 is followed by the shutdown of the client's side, and the client's end by that
# of the node's, whose confirmation is asked for by SIOCOUTQ instead of TCP_INFO.
@test "a short connection that the node ends makes 20 system calls" {
  node a 4001 8 --mode line
  makes 20 60 1 --line "sleep 0" --expect line
}

@test "a relay that lives for one connection makes no call that its nursery can make once for all relays" {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer makes calls of its own"
  strace -f -qq -o "$T/probe" true 2>/dev/null || skip "no process may be traced on this machine"
  local served=0 file
  node a 4001 8
  WRAPPER="strace -D -ff -qq -o $T/trace" entrance alone --congestion-control system --connections-per-relay 1
  client -n 20 --send 64 --expect echo
  farm_is_at_rest
  # The listener, too, accepts a connection where no relay is free. Its trace has the execve(2) that a relay does without.
  for file in "$T"/trace.*; do
    if ! grep -q '^execve' "$file" && grep -q '^accept4.*= [0-9]' "$file" && grep -q '^landlock\|^shutdown' "$file"; then
      served=$((served + 1))
      # Handlers of signals, the program of seccomp(2), and where the scoreboard is mapped.
      run ! grep -E '^(rt_sigaction|seccomp|mmap|munmap|prctl\(PR_SET_(DUMPABLE|NO_NEW_PRIVS))' "$file"
    fi
  done
  echo "# $served relays" >&3
  [ "$served" -ge 10 ]
}

# The page faults of a process that no disk served.
faults_of() { awk '{ sub(/.*\) /, ""); print $8 }' "/proc/$1/stat"; }

@test "a connection with a process of its own has taken 60 page faults in that process when it waits for its node, at most" {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer has memory of its own"
  local pid
  node a 4001 8 --mode line
  entrance alone --connections-per-relay 1
  client_start all -n 8 -c 8 --line "$(until_word go)" --expect line
  until_ok busy_is 8
  until_ok eval '[ "$(holders | wc -l)" = 8 ]'
  for pid in $(holders); do faults_of "$pid"; done | sort -n >"$T/faults"
  echo "# $(head -n 1 "$T/faults") page faults" >&3
  [ "$(head -n 1 "$T/faults")" -le 60 ]
  word go
  client_wait all
  farm_is_at_rest
}

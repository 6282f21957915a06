#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# First come, first served, from the backlog on: clients are served in the order in which they connect, however long the
# process that accepts one of them is delayed.

load lib/helpers

# in_order ROUNDS N: N clients at once, in a known order, are served in that order; ROUNDS times.
in_order() { "$LIB/in-order" "${GATE%:*}" "${GATE##*:}" "$1" "$2"; }

# Every process that accepts a connection is delayed by up to so many microseconds.
slow_accept() {
  preload accept
  export ACCEPT_DELAY=$1
}

in_the_order_of_the_backlog() {
  slow_accept 20000
  node a 4001 1 --mode line
  LD_PRELOAD=$PRELOAD entrance alone "$@"
  run -0 in_order 12 6
  farm_is_at_rest
}

@test "relays that are delayed between accept and service keep the order" { in_the_order_of_the_backlog; }
@test "relays of a single connection that are delayed between accept and service keep the order" {
  in_the_order_of_the_backlog --connections-per-relay 1
}
@test "with --queue-limit relays that are delayed between accept and service keep the order" {
  in_the_order_of_the_backlog --queue-limit 2
}

@test "a client whose acceptor is held for long does not lose its place to the client that comes next" {
  # Longer than a granted slot may be left untaken: while an acceptor is held no process can take one.
  slow_accept 1500000
  node a 4001 1 --mode line
  LD_PRELOAD=$PRELOAD entrance alone
  run -0 in_order 3 3
  farm_is_at_rest
}

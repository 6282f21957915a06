#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

# If a node refuses, the relay tries another node, and the client never notices.
dead_node_is_passed_over() {
  node_line 4009 4 speed=9
  node a 4001 2 --mode hold:20
  entrance "$1"
  client -n 10 -c 10 --expect line
  state_is 4009 down
  run -0 score list -nr -o NODE,REASON
  [[ $output == *"$ADDR:4009 connection\x20refused"* ]]
  [ "$(grep -c "$ADDR:4009 is down" "$T/relay.log")" = "$2" ]
  farm_is_at_rest
}

@test "listener: a dead node is passed over, its clients never notice" { dead_node_is_passed_over listener 1; }
@test "connection: a dead node is passed over, its clients never notice" { dead_node_is_passed_over connection 1; }
@test "inetd: a dead node is passed over, its clients never notice" { dead_node_is_passed_over inetd 1; }
@test "alone: a dead node is passed over, its clients never notice" { dead_node_is_passed_over alone 1; }

# No client is refused when all nodes are down. A node that returns is used, and waiters are woken for it.
all_down_then_one_returns() {
  node_line 4001 2
  node_line 4002 2
  entrance "$1" --retry-after 200ms
  client_start crowd -n 8 -c 8 --expect line
  until_ok waiting_is 8
  is_not_up 4001
  node_start a 4001 2 --mode hold:10
  client_wait crowd
  grep 'ok=8 failed=0' "$T/crowd.out"
  state_is 4001 up
  farm_is_at_rest
}

@test "listener: all nodes down, clients wait, one returns, all are served" { all_down_then_one_returns listener; }
@test "connection: all nodes down, clients wait, one returns, all are served" { all_down_then_one_returns connection; }
@test "inetd: all nodes down, clients wait, one returns, all are served" { all_down_then_one_returns inetd; }
@test "alone: all nodes down, clients wait, one returns, all are served" { all_down_then_one_returns alone; }

@test "a probe that finds a node up wakes the waiters for it" {
  node_line 4001 2
  entrance listener --retry-after 1h
  client_start crowd -n 4 -c 4 --expect line
  until_ok waiting_is 4
  state_is 4001 down
  node_start a 4001 2 --mode hold:10
  probe
  client_wait crowd
  state_is 4001 up
  farm_is_at_rest
}

@test "a node that is down is tried again by one connection, not by all" {
  node_line 4001 8
  entrance listener --retry-after 2s
  client_start crowd -n 20 -c 20 --expect line
  until_ok waiting_is 20
  # Each trial fails and counts once: there are far fewer trials than waiters.
  failed() { score list -nr -o FAILED; }
  local before
  before=$(failed)
  until_ok eval '[ "$(failed)" -gt "$before" ]'
  [ $(($(failed) - before)) -lt 20 ]
  node_start a 4001 8 --mode hold:10
  client_wait crowd
  farm_is_at_rest
}

@test "all addresses of a node are tried" {
  # A name with two addresses, of which one answers.
  node_start a 4001 1 --mode hold:10
  if [ "$(id -u)" != 0 ]; then skip "needs root for a hosts file of its own"; fi
  printf '127.0.0.1 localhost\n127.99.99.99 twin.test\n%s twin.test\n' "$ADDR" >"$T/hosts"
  echo "twin.test, 4001, 1, 0" >"$CONF"
  background "$T/relay.log" unshare -m bash -c "mount --bind '$T/hosts' /etc/hosts && exec '$BUILD/cbrelay' -c '$CONF' '$GATE'"
  until_ok is_listening "$GATE"
  client -n 3 -c 1 --expect line
  until_ok grep 'node=twin.test:4001' "$T/relay.log"
  farm_is_at_rest
}

@test "a connect that gets no answer times out, and the client goes elsewhere" {
  full_node 4009
  node_line 4009 1 speed=9
  node a 4001 1 --mode hold:10
  entrance alone --connect-timeout 300ms
  client -n 2 -c 1 --expect line
  run -0 score list -nr -o NODE,STATE,REASON
  [[ $output == *"$ADDR:4009 down connect\x20timed\x20out"* ]]
  farm_is_at_rest
}

@test "a name that did not resolve is tried as soon as a load finds its address, without a prober" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a hosts file of its own"; fi
  node_start a 4001 1 --mode hold:5
  echo 'late.test, 4001, 1, 0' >"$CONF"
  printf '127.0.0.1 localhost\n' >"$T/hosts"
  in_hosts() { unshare -m bash -c "mount --bind '$T/hosts' /etc/hosts && exec \"\$@\"" sh "$@"; }
  in_hosts "$BUILD/cbscore" -c "$CONF" load
  entrance alone
  client_start patient --expect line
  until_ok waiting_is 1
  printf '127.0.0.1 localhost\n%s late.test\n' "$ADDR" >"$T/hosts"
  in_hosts "$BUILD/cbscore" -c "$CONF" load
  client_wait patient
  farm_is_at_rest
}

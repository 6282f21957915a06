#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What relays learn about nodes from the connections that they make.

load lib/helpers

column() { score list -nr -o "NODE,$2" | awk -v n="$ADDR:$1" '$1 == n { print $2 }'; }
column_is() { [ "$(column "$1" "$2")" = "$3" ] || { echo "$2 $(column "$1" "$2")"; return 1; }; }

# The node ends three connections in a row at once, without a byte: it goes down, the other nodes serve, and the clients
# see what the node did.
silent_node_goes_down() {
  node bad 4001 4 --mode closing
  sed -i 's/$/, speed=9/' "$CONF"
  node b 4002 2 --mode hold:1
  entrance "$1"
  client -n 2 -c 1 --expect none
  until_ok column_is 4001 DOUBTS 2
  state_is 4001 up
  client --expect none
  until_ok state_is 4001 down
  column_is 4001 REASON 'closes\x20without\x20an\x20answer'
  column_is 4001 SERVED 0
  column_is 4001 FAILED 3
  client -n 5 -c 5 --expect line
  until_ok lines_with_are "$T/relay.log" "$ADDR:4001 is down: closes without an answer" 1
  farm_is_at_rest
  run -0 score fsck
}

@test "listener: a node that closes without a byte is failing, not fast" { silent_node_goes_down listener; }
@test "connection: a node that closes without a byte is failing, not fast" { silent_node_goes_down connection; }
@test "inetd: a node that closes without a byte is failing, not fast" { silent_node_goes_down inetd; }
@test "alone: a node that closes without a byte is failing, not fast" { silent_node_goes_down alone; }

@test "a node that resets at once is failing, and the client sees the reset" {
  node bad 4001 4 --mode line
  sed -i 's/$/, speed=9/' "$CONF"
  node b 4002 1 --mode hold:1
  entrance alone
  for _ in 1 2 3; do
    run client --line reset --expect line --print
    [[ $output == *result=reset* ]]
  done
  until_ok state_is 4001 down
  client --expect line
  farm_is_at_rest
}

@test "a node that resets before we could ask whether it is connected has failed no connect" {
  preload reset
  node only 4001 1 --mode reset
  LD_PRELOAD=$PRELOAD entrance alone
  for _ in 1 2 3 4; do
    run client --line "sleep 1" --expect line --print
    [[ $output == *result=reset* ]]
  done
  # Each connection is a doubt, and the last node that is up stays up.
  until_ok column_is 4001 FAILED 4
  column_is 4001 DOUBTS 4
  state_is 4001 up
  until_ok lines_with_are "$T/relay.log" "end=SD" 4
  farm_is_at_rest
}

@test "an answer in between settles what was doubted; slow ends and the client's own are no doubt" {
  node a 4001 4 --mode line
  sed -i 's/$/, speed=9/' "$CONF"
  node b 4002 1 --mode hold:1
  entrance alone
  client -n 2 -c 1 --line 'silent 0' --expect none
  until_ok column_is 4001 DOUBTS 2
  client --line 'bytes 5' --expect any
  until_ok column_is 4001 DOUBTS 0
  client -n 2 -c 1 --line 'silent 0' --expect none
  until_ok column_is 4001 DOUBTS 2
  # The node worked on it for more than a second: then an end without a byte counts as an answer.
  client --line 'silent 1200' --expect none
  until_ok column_is 4001 SERVED 2
  # The client ended its side first.
  client --half-close --expect none
  until_ok column_is 4001 SERVED 3
  column_is 4001 DOUBTS 2
  state_is 4001 up
  farm_is_at_rest
}

@test "the last node that is up stays up, whatever clients do to it" {
  node a 4001 4 --mode closing
  entrance alone
  client -n 5 -c 1 --expect none
  until_ok column_is 4001 FAILED 5
  state_is 4001 up
  farm_is_at_rest
}

@test "a connect is no answer: neither a probe nor a trial's connect puts a silent node up, its first byte does" {
  node bad 4001 4 --mode closing
  sed -i 's/$/, speed=9/' "$CONF"
  node b 4002 1 --mode hold:1
  entrance alone --retry-after 1h
  client -n 3 -c 1 --expect none
  until_ok state_is 4001 down
  probe
  state_is 4001 down
  kill "$GATE_PID"
  gone "$GATE_PID"
  # Now with a short pause: the trials, each with a client's connection, end like the others, and the node stays down.
  score remove "$ADDR:4001"
  score add "$ADDR, 4001, 4, 0, speed=9"
  entrance alone --retry-after 100ms
  client -n 3 -c 1 --expect none
  until_ok state_is 4001 down
  before=$(column 4001 FAILED)
  trial() { client --expect none && [ "$(column 4001 FAILED)" -gt "$before" ]; }
  until_ok trial
  is_not_up 4001
  kill "$PID_bad"
  gone "$PID_bad"
  node_start good 4001 4 --mode hold:1
  answered() { client --expect line && state_is 4001 up; }
  until_ok answered
  column_is 4001 DOUBTS 0
  until_ok grep -q "$ADDR:4001 is up" "$T/relay.log"
  farm_is_at_rest
}

@test "a check that has an answer puts a silent node up; an agent's is not the node's own" {
  node bad 4001 4 --mode closing
  sed -i 's/$/, speed=9, check=agent:4101/' "$CONF"
  node b 4002 1 --mode hold:1
  entrance alone --retry-after 1h
  client -n 3 -c 1 --expect none
  until_ok state_is 4001 down
  background "$T/agent.log" "$LIB/talker" 'say:up ready\n' "$ADDR:4101"
  until_ok grep -q ^PORT "$T/agent.log"
  run -0 probe -v
  [[ $output == *"$ADDR:4001: agent: answered"* ]]
  state_is 4001 down
  score set "$ADDR:4001" check=banner:^HELLO
  kill "$PID_bad"
  gone "$PID_bad"
  background "$T/good.log" "$LIB/talker" 'say:HELLO\n' "$ADDR:4001"
  until_ok grep -q ^PORT "$T/good.log"
  probe
  state_is 4001 up
  column_is 4001 DOUBTS 0
}

@test "clients that give up while a node drops their connects take it down" {
  full_node 4009
  node_line 4009 4 speed=9
  node b 4002 1 --mode hold:1
  entrance alone --connect-timeout 1h
  # A client that leaves sooner proves nothing.
  client --abort-after 100
  until_ok column_is 4009 FAILED 1
  column_is 4009 DOUBTS 0
  # These clients wait for more than a second, also by the relay's count, which may begin late.
  client -n 3 -c 1 --abort-after 3000
  until_ok state_is 4009 down
  column_is 4009 REASON 'connect\x20timed\x20out'
  client --expect line
  farm_is_at_rest
}

# The word silent says that the node's protocol is like that: such connections count as served, and a trial among them
# brings the node back.
silent_node_stays_up() {
  node a 4001 4 --mode closing
  sed -i 's/$/, silent, speed=9/' "$CONF"
  node b 4002 1 --mode hold:1
  entrance "$1"
  client -n 6 -c 1 --expect none
  until_ok column_is 4001 SERVED 6
  column_is 4001 FAILED 0
  column_is 4001 DOUBTS 0
  state_is 4001 up
  farm_is_at_rest
  run -0 score fsck
}

@test "listener: a node with silent may close without a byte" { silent_node_stays_up listener; }
@test "connection: a node with silent may close without a byte" { silent_node_stays_up connection; }

@test "a node that went down for its silence is up by one connection when it gets the word" {
  node a 4001 4 --mode closing
  sed -i 's/$/, speed=9/' "$CONF"
  node b 4002 1 --mode hold:1
  entrance alone --retry-after 100ms
  client -n 3 -c 1 --expect none
  until_ok state_is 4001 down
  score set "$ADDR:4001" silent=yes
  [ "$(score dump | grep -c ', silent')" = 1 ]
  up_by_a_connection() {
    client --expect any || true
    state_is 4001 up
  }
  until_ok up_by_a_connection
  score set "$ADDR:4001" silent=no
  [ "$(score dump | grep -c ', silent')" = 0 ]
  farm_is_at_rest
}

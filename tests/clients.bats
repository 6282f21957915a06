#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# --per-client: a client that has all the slots that it may have waits, and holds up no other client.

load lib/helpers
load lib/clients
load lib/holders

# How many connections wait of the clients whose names begin with a pattern of the shell.
waiting_of_is() { heard score queue -nr -o CLIENT && heard_are "$1*" "$2"; }

# So many connections of that client have a slot or wait.
has_at_least() { # CLIENT N
  local line n=0
  heard score slots -nr -o CLIENT
  for line in "${HEARD[@]}"; do if [[ $line == "$1"* ]]; then n=$((n + 1)); fi; done
  [ $n -lt "$2" ] || return 0
  heard score queue -nr -o CLIENT
  for line in "${HEARD[@]}"; do if [[ $line == "$1"* ]]; then n=$((n + 1)); fi; done
  [ $n -ge "$2" ]
}

# greedy N: that client has N connections, each until its word.
greedy() {
  local i
  for ((i = 1; i <= $1; i++)); do
    client_start "greedy$i" --source $GREEDY --line "$(until_word "go$i")" --expect line
    until_ok has_at_least $GREEDY "$i"
  done
}

above_the_limit() {
  node a 4001 3 --mode line
  node b 4002 2 --mode line
  entrance "$1" --per-client 2
  greedy 4
  until_ok waiting_of_is $GREEDY 2
  held_by_is $GREEDY 2
  # Another client overtakes those that wait, and ends: the slot stays free.
  client --source $OTHER --line "sleep 0" --expect line
  held_by_is $GREEDY 2
  waiting_of_is $GREEDY 2
  score queue | grep -q 'its client has 2 slots'
  score explain | grep -q '^2 wait, as their clients have all the slots that they may have (--per-client).$'
  score explain | grep -q '^The next connection gets '
  # That waiters are passed by is no damage.
  run -0 score fsck
  # Its own connections come in order.
  word go1
  client_wait greedy1
  until_ok waiting_of_is $GREEDY 1
  held_by_is $GREEDY 2
  word go3
  client_wait greedy3
  word go2
  client_wait greedy2
  word go4
  client_wait greedy4
  until_ok everything_is_free
  farm_is_at_rest
  nodes_never_overfilled
}

@test "listener: a client at its limit waits, others pass it by, and all are served in order" { above_the_limit listener; }
@test "connection: a client at its limit waits, others pass it by, and all are served in order" { above_the_limit connection; }
@test "inetd: a client at its limit waits, others pass it by, and all are served in order" { above_the_limit inetd; }
@test "alone: a client at its limit waits, others pass it by, and all are served in order" { above_the_limit alone; }

@test "a client that is told by a PROXY header is counted by its address, IPv6 by its network, and its proxy is not" {
  node a 4001 9 --mode line
  entrance alone --per-client 1 --accept-proxy 127.88.0.1
  # Two of one network, one of another, two of an IPv4 address, and two that the proxy has for itself.
  through_proxy 'PROXY TCP6 2001:db8::1 2001:db8::9 1 2' 'PROXY TCP6 2001:db8::2 2001:db8::9 3 4' \
    'PROXY TCP6 2001:db8:0:1::1 2001:db8::9 5 6' 'PROXY TCP4 192.0.2.1 192.0.2.9 7 8' \
    'PROXY TCP4 192.0.2.1 192.0.2.9 9 10' 'PROXY UNKNOWN' 'PROXY UNKNOWN'
  until_ok waiting_is 2
  until_ok busy_is 5
  held_by_is '\[2001:db8::[12]\]' 1
  held_by_is '\[2001:db8:0:1::1\]' 1
  held_by_is 192.0.2.1: 1
  held_by_is 127.88.0.1: 2
  waiting_of_is '\[2001:db8::[12]\]' 1
  waiting_of_is 192.0.2.1: 1
  # A slot that was granted and not taken yet cannot be ended.
  until_ok eval 'score kill "$(score slots -nr -o CLIENT | grep ^192.0.2.1:)"'
  until_ok waiting_is 1
  until_ok held_by_is 192.0.2.1: 1
}

@test "a relay that is killed gives its client's next connection the slot" {
  node a 4001 4 --mode line
  entrance alone --per-client 1
  greedy 2
  until_ok waiting_of_is $GREEDY 1
  kill -9 "$(holders)"
  until_ok waiting_is 0
  client_fails greedy1
  word go2
  client_wait greedy2
}

@test "a node that refuses gives a client no slot more than it may have" {
  node a 4001 3 --mode line
  node_line 4002 4 speed=9
  entrance alone --per-client 2
  greedy 5
  until_ok waiting_of_is $GREEDY 3
  held_by_is $GREEDY 2
  for i in 1 2 3 4 5; do
    word "go$i"
    client_wait "greedy$i"
  done
  until_ok everything_is_free
}

@test "many at once: a client never has more than it may, and all are served" {
  node a 4001 4 --mode line
  node b 4002 4 --mode line
  entrance alone --per-client 3
  client_start crowd --source $GREEDY -n 60 -c 60 --line "sleep 5" --expect line
  for ((i = 0; i < 40; i++)); do [ "$(held_by $GREEDY)" -le 3 ]; done
  client_wait crowd
  until_ok everything_is_free
}

@test "a client's long queue makes the scoreboard larger: listeners that had it open before go on" {
  node a 4001 2 --mode line
  echo "$ADDR, 4002, 1500, 0x40000000" >>"$CONF" # held: its slots leave little room in the file
  entrance alone --per-client 1
  early=$GATE_PID
  client --source $OTHER --line "sleep 0" --expect line
  size=$(stat -c %s "$SCOREBOARD")
  GATE=$ADDR:3633 entrance alone --per-client 1
  GATE=$ADDR:3633 client_start crowd --source $GREEDY -n 1000 -c 1000 --line "$(until_word go)" --expect line
  until_ok waiting_is 999
  [ "$(score queue -n -o REASON | sort -u)" = 'its client has 1 slot' ]
  [ "$(stat -c %s "$SCOREBOARD")" -gt "$size" ]
  # A listener changes the scoreboard twice in one section: the client gets a place, and then a slot.
  for i in 1 2 3; do client --source $OTHER --line "sleep 0" --expect line; done
  is_running "$early"
  word go
  client_wait crowd
  until_ok everything_is_free
  nodes_never_overfilled
}

@test "without the option a client may have all slots" {
  node a 4001 3 --mode line
  entrance alone
  greedy 3
  until_ok held_by_is $GREEDY 3
  score queue -o REASON -n | grep -q slots && return 1
  for i in 1 2 3; do word "go$i"; done
  client_wait greedy3
}

@test "a wrong number is told" {
  for number in x -1 4294967296 ''; do
    run -64 "$BUILD/cbrelay" -c "$CONF" --per-client "$number" "$GATE"
    [[ $output == "cbrelay: --per-client: \"$number\": expected a number"* ]]
  done
}

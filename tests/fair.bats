#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# --fair: the next slot goes to the client that holds the fewest, to its oldest connection.

load lib/helpers
load lib/clients

# The tickets that wait, in the order in which they are to get slots.
queue_order_is() { heard score queue -nr -o TICKET && [ "${HEARD[*]}" = "$1" ]; }
scoreboard_is_right() { score fsck; }

# comes NAME SOURCE: a connection until the word go-NAME, with the next ticket.
n_come=0
comes() {
  client_start "$1" --source "$2" --line "$(until_word "go-$1")" --expect line
  n_come=$((n_come + 1))
  until_ok have_come $n_come
}
goes() {
  word "go-$1"
  client_wait "$1"
  n_come=$((n_come - 1))
}

fewest_first() {
  local i
  node a 4001 2 --mode line
  entrance "$1" --fair
  for i in 1 2 3 4 5 6; do comes greedy$i $GREEDY; done
  comes other1 $OTHER
  # Tickets 1 and 2 have the slots: the next is 7, then the greedy client's in their order.
  until_ok queue_order_is "7 3 4 5 6"
  comes other2 $OTHER
  comes third $THIRD
  # The greedy client holds two slots, the others hold none. Of equal clients the client that has waited longer is next.
  until_ok queue_order_is "7 9 8 3 4 5 6"
  scoreboard_is_right
  goes greedy2
  until_ok held_by_is $OTHER 1
  until_ok queue_order_is "9 3 8 4 5 6"
  goes greedy1
  # Of the two that hold none now the third client has held none for longer.
  until_ok held_by_is $THIRD 1
  until_ok queue_order_is "3 8 4 5 6"
  goes other1
  until_ok held_by_is $GREEDY 1
  until_ok queue_order_is "8 4 5 6"
  goes third
  until_ok held_by_is $OTHER 1
  for i in greedy3 other2 greedy4 greedy5 greedy6; do goes $i; done
  until_ok everything_is_free
  farm_is_at_rest
  nodes_never_overfilled
  scoreboard_is_right
}

@test "listener: a client's first job is next, whatever another has queued; its others by arrival" { fewest_first listener; }
@test "connection: a client's first job is next, whatever another has queued; its others by arrival" { fewest_first connection; }
@test "inetd: a client's first job is next, whatever another has queued; its others by arrival" { fewest_first inetd; }
@test "alone: a client's first job is next, whatever another has queued; its others by arrival" { fewest_first alone; }

@test "without the option the order is that of arrival" {
  node a 4001 1 --mode line
  entrance alone
  for i in 1 2 3; do comes greedy$i $GREEDY; done
  comes other $OTHER
  queue_order_is "2 3 4"
  goes greedy1
  until_ok queue_order_is "3 4"
  for i in greedy2 greedy3 other; do goes $i; done
}

@test "three clients with long queues and two slots: each gets its turn, and a ticket's age does not count" {
  node a 4001 2 --mode line
  entrance listener --fair
  for i in 1 2 3 4 5; do comes greedy$i $GREEDY; done
  for i in 1 2 3; do comes other$i $OTHER; done
  comes third $THIRD
  # Tickets 3 to 5, 6 to 8, and 9 wait.
  until_ok queue_order_is "6 9 7 3 8 4 5"
  goes greedy1
  until_ok queue_order_is "9 3 7 4 8 5"
  goes greedy2
  until_ok held_by_is $THIRD 1
  until_ok queue_order_is "3 7 4 8 5"
  goes other1
  until_ok queue_order_is "7 4 8 5"
  for i in third greedy3 other2 greedy4 greedy5 other3; do goes $i; done
  until_ok everything_is_free
}

@test "a client alone gets every slot" {
  node a 4001 3 --mode line
  entrance alone --fair
  for i in 1 2 3 4; do comes greedy$i $GREEDY; done
  held_by_is $GREEDY 3
  goes greedy2
  until_ok held_by_is $GREEDY 3
  for i in 1 3 4; do goes greedy$i; done
  until_ok everything_is_free
  scoreboard_is_right
}

@test "a client is what a PROXY header says, IPv6 by its network" {
  node a 4001 1 --mode line
  entrance alone --fair --accept-proxy 127.88.0.1
  through_proxy 'PROXY TCP6 2001:db8::1 2001:db8::9 1 2' 'PROXY TCP6 2001:db8::2 2001:db8::9 3 4' \
    'PROXY TCP6 2001:db8:0:1::1 2001:db8::9 5 6' 'PROXY TCP4 192.0.2.1 192.0.2.9 7 8' 'PROXY TCP4 192.0.2.1 192.0.2.9 9 10'
  until_ok queue_order_is "3 4 2 5"
}

@test "a machine of the link is a client of its own, and an IPv4 client is the same at a socket of IPv6" {
  node a 4001 1 --mode line
  entrance alone --fair --accept-proxy 127.88.0.1
  through_proxy 'PROXY TCP6 fe80::1 fe80::9 1 2' 'PROXY TCP6 fe80::1 fe80::9 3 4' 'PROXY TCP6 fe80::2 fe80::9 5 6' \
    'PROXY TCP4 192.0.2.1 192.0.2.9 7 8' 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.9 9 10' \
    'PROXY TCP6 64:ff9b::c000:201 2001:db8::9 11 12' 'PROXY TCP6 64:ff9b::c000:202 2001:db8::9 13 14'
  # The first holds the slot. Of IPv4's client the second connection is behind all that are first ones.
  until_ok queue_order_is "3 4 6 7 2 5"
  scoreboard_is_right
}

@test "entrances: the order is the farm's as soon as one of them is fair" {
  node a 4001 1 --mode line
  entrance listener
  for i in 1 2 3; do comes greedy$i $GREEDY; done
  queue_order_is "2 3"
  background "$T/second.out" "$BUILD/cbrelay" -c "$CONF" --fair "$ADDR:3633"
  until_ok is_listening "$ADDR:3633"
  background "$T/other.out" "$CLIENT" --source $OTHER --line "$(until_word go-other)" --expect line "$ADDR:3633"
  PID_other=$PID
  n_come=4
  until_ok have_come 4
  queue_order_is "4 2 3"
  goes greedy1
  until_ok held_by_is $OTHER 1
  # The entrance that is not fair serves its waiters in whichever order they get slots.
  goes other
  until_ok held_by_is $GREEDY 1
  goes greedy2
  goes greedy3
  until_ok everything_is_free
}

@test "with --per-client: a client at its limit waits, and the next one gets the slot" {
  node a 4001 3 --mode line
  entrance alone --fair --per-client 2
  for i in 1 2 3; do comes greedy$i $GREEDY; done
  held_by_is $GREEDY 2
  comes other1 $OTHER
  held_by_is $OTHER 1
  comes other2 $OTHER
  until_ok queue_order_is "5 3"
  goes greedy1
  until_ok held_by_is $OTHER 2
  held_by_is $GREEDY 1
  goes greedy2
  goes greedy3
  goes other1
  goes other2
  until_ok everything_is_free
}

@test "with different --per-client: clients at their limits are passed by, and each gets a slot as soon as it may" {
  node a 4001 6 --mode line
  entrance alone --fair --per-client 2
  GATE=$ADDR:3633 entrance alone --fair --per-client 3
  for i in 1 2 3; do comes greedy$i $GREEDY; done
  held_by_is $GREEDY 2
  for i in 1 2 3 4; do GATE=$ADDR:3633 comes other$i $OTHER; done
  held_by_is $OTHER 3
  until_ok queue_order_is "3 7"
  # A slot is free, and goes to whichever client may have it.
  for i in 1 2 3; do client --source 127.78.1.1 --line "sleep 0" --expect line; done
  until_ok queue_order_is "3 7"
  held_by_is $GREEDY 2
  held_by_is $OTHER 3
  goes other1
  until_ok queue_order_is "3"
  held_by_is $OTHER 3
  goes greedy1
  until_ok held_by_is $GREEDY 2
  have_come $n_come
  held_by_is $GREEDY 2
  for i in greedy2 greedy3 other2 other3 other4; do goes $i; done
  until_ok everything_is_free
}

# comes_at LIMIT NAME SOURCE: as comes, at the entrance with that --per-client.
comes_at() { GATE=$ADDR:$((3640 + $1)) comes "$2" "$3"; }

@test "with different --per-client: a client's younger ticket with the higher limit gets the slot, the older one its turn later" {
  node a 4001 3 --mode line
  GATE=$ADDR:3642 entrance alone --fair --per-client 2
  GATE=$ADDR:3643 entrance alone --fair --per-client 3
  for i in 1 2 3; do comes_at 2 low$i $GREEDY; done
  comes_at 3 other $OTHER
  # Tickets 1, 2 and 4 have the slots. The greedy client has as many as its ticket 3 may have, but not ticket 6.
  comes_at 2 low4 $GREEDY
  comes_at 3 high1 $GREEDY
  comes_at 3 high2 $GREEDY
  scoreboard_is_right
  # The tickets that get no slot if the greedy client gives none back are last.
  queue_order_is "6 3 5 7"
  goes other
  until_ok held_by_is $GREEDY 3
  until_ok queue_order_is "3 5 7"
  # The limits are those of the tickets, also where the records are made anew.
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" zero party/1/0 0 8
  run score fsck --repair
  scoreboard_is_right
  # It holds 2: so ticket 3 must wait, and 7 is next.
  goes low1
  until_ok queue_order_is "3 5"
  held_by_is $GREEDY 3
  # It holds 1 in the end: ticket 3, then 5.
  goes low2
  have_come $n_come
  queue_order_is "3 5"
  goes high1
  until_ok queue_order_is "5"
  goes high2
  until_ok waiting_is 0
  for i in 3 4; do goes low$i; done
  until_ok everything_is_free
  scoreboard_is_right
}

@test "with more limits than a client has lists of tickets, a ticket has the next lower limit, or the lowest" {
  local limit
  node a 4001 20 --mode line
  for limit in {0..17}; do GATE=$ADDR:$((3640 + limit)) entrance connection --fair --per-client "$limit"; done
  comes_at 0 other $OTHER
  score pause
  for limit in {2..17} 0 1; do comes_at "$limit" greedy"$limit" $GREEDY; done
  scoreboard_is_right
  score resume
  # Fifteen limits up to 16 have lists; 17, and no limit, are 16, too; 1 is 2.
  until_ok held_by_is $GREEDY 16
  queue_order_is "18 19"
  scoreboard_is_right
  for limit in {2..17} 0 1; do goes greedy"$limit"; done
  goes other
  until_ok everything_is_free
  scoreboard_is_right
}

@test "the order is that of the rule after each of many changes, whatever the limits" {
  local seed=$RANDOM farm
  for farm in "6 5 0" "6 5 2" "6 5 1,2,3" "4 5 2,3,0" "8 20 0,1,2,3,4,5,6,7" "4 20 1,2" "4 1 2,3,0"; do
    rm -f "$T/order.tdb"*
    echo "seed $seed, $farm"
    # shellcheck disable=SC2086 # a word for each number
    "$BUILD/tests/cbtest-fair" "$T/order.tdb" $farm 1500 "$seed"
  done
}

@test "more clients than there was room for: each has its turn, and nothing is lost while the records grow" {
  node a 4001 2 --mode line
  entrance alone --fair
  client_start hold --source $GREEDY -n 2 -c 2 --line "$(until_word go)" --expect line
  until_ok busy_is 2
  client_start crowd --source 127.78.1.1/400 -n 800 -c 800 --line "sleep 0" --expect line
  until_ok waiting_is 800
  [ "$(tdbtool "$SCOREBOARD" keys | grep -c party/0/)" -gt 16 ]
  scoreboard_is_right
  # Of 400 clients with two connections each, all first ones are before all second ones.
  score queue -nr -o CLIENT | cut -d: -f1 >"$T/turns"
  [ "$(head -400 "$T/turns" | sort -u | wc -l)" = 400 ]
  # A repair changes what is wrong, and no turn.
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" zero party/1/0 0 8
  run score fsck
  [ "${lines[0]}" = "party/1/0: the record is not what follows from the others" ]
  [ "${#lines[@]}" = 2 ]
  run -0 score fsck --repair
  scoreboard_is_right
  [ "$(score queue -nr -o CLIENT | cut -d: -f1)" = "$(cat "$T/turns")" ]
  word go
  client_wait hold
  client_wait crowd
  until_ok everything_is_free
  scoreboard_is_right
}

@test "clients have no room when a process says what it holds of lost slots: room is made, and the slot is its own" {
  local relay size page part numbers=()
  node a 4001 1 --mode line
  entrance listener --fair
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start second --line "sleep 0" --expect line
  until_ok waiting_is 1 # only a farm with waiters counts for fairness
  relay=$(score slots -nr -o PID)
  kill -STOP "$relay"
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" zero slots/1/0
  score reap
  busy_is 8 # a page of slots, also those that the node has no cores for
  # Each part of a party says that its party holds a slot.
  size=$(tdbdump "$SCOREBOARD" | awk -F'[()]' '/"party\/0\/0"/ { getline; print $2 / 16 }')
  for part in {0..15}; do numbers+=($((part * size + 8)) 1); done
  for page in {0..15}; do "$BUILD/tests/cbtest-damage" "$SCOREBOARD" number "party/0/$page" "${numbers[@]}"; done
  kill -CONT "$relay"
  word go
  client_wait holder
  client_wait second
  [ "$(score list -nr -o SERVED)" = 2 ]
  client --line "sleep 0" --expect line
  until_ok everything_is_free
  farm_is_at_rest
  scoreboard_is_right
}

@test "a relay that is killed gives its client's slot back to fairness, too" {
  node a 4001 2 --mode line
  entrance connection --fair
  for i in 1 2 3 4; do comes greedy$i $GREEDY; done
  comes other1 $OTHER
  kill -9 "$(score slots -nr -o PID | head -1)"
  until_ok held_by_is $OTHER 1
  until_ok scoreboard_is_right
}

# The relay, and not the listener, has the client's slot; its pid is in $RELAY.
relay_has_it() { # CLIENT
  local line
  heard score slots -nr -o PID,CLIENT
  for line in "${HEARD[@]}"; do
    RELAY=${line%% *}
    if [[ $line == *" $1:"* && $RELAY != "$GATE_PID" ]]; then return; fi
  done
  return 1
}

@test "many clients at once, killed relays and clients that leave: all are served, and the counts are right" {
  node a 4001 4 --mode line
  node b 4002 3 --mode line
  entrance listener --fair
  for i in 1 2 3 4 5 6; do
    client_start crowd$i --source 127.77.1.$i -n 40 -c 12 --line "sleep 3" --expect line
  done
  for i in 1 2 3 4; do
    client_start killed$i --source 127.77.2.$i --line "$(until_word never)"
    until_ok held_by_is 127.77.2.$i 1
    until_ok relay_has_it "127.77.2.$i"
    kill -9 "$RELAY"
    client_fails killed$i
    score fsck
  done
  for i in 1 2 3 4 5 6; do client_wait crowd$i; done
  nodes_never_overfilled
  until_ok scoreboard_is_right
}

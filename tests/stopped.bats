#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A waiter that is stopped (SIGSTOP, a debugger, a frozen cgroup) holds up no other, and has its place when it goes on.

load lib/helpers
load lib/holders
load lib/clocks

# waiter NAME: a client that waits for its slot; the process that waits for it is in $waiter. While it has its slot its
# node answers after `word NAME`.
waiter() {
  local before
  before=$(waiting)
  client_start "$1" --line "$(until_word "$1")" --expect line
  until_ok waiting_is $((before + 1))
  waiter=$(score queue -nr -o PID | tail -n 1)
}

has_ended() {
  local pid=PID_$1
  ! is_running "${!pid}"
}
# served NAME: the client was served.
served() {
  until_ok has_ended "$1"
  client_wait "$1"
}
# The busy slot has been taken by another process than $1.
busy_with_another() { heard score slots -nr -o PID && [ "${HEARD[*]}" != "" ] && [ "${HEARD[*]}" != "$1" ]; }

# A process has a slot.
has_slot() { score slots -nr -o PID | grep -qx "$1"; }

# The first of two waiters is stopped, in $stopped, and the slot for which both wait comes free.
first_is_stopped() {
  client_start now --line "$(until_word now)" --expect line
  until_ok busy_is 1
  waiter first
  stopped=$waiter
  waiter second
  kill -STOP "$stopped"
  word now
  served now
}

# A waiter of its own process is granted a slot while it is stopped: the next waiter and a new client are served. When
# it goes on it is before those that came later, under its own name.
a_granted_slot_goes_on() {
  local stopped ticket
  node a 4001 1 --mode line
  entrance "$1"
  client_start now --line "$(until_word now)" --expect line
  until_ok busy_is 1
  waiter first
  stopped=$waiter
  ticket=$(score queue -nr -o TICKET,CLIENT)
  waiter second
  kill -STOP "$stopped"
  word now
  word second
  served now
  served second
  word new
  client_start new --line "$(until_word new)" --expect line
  served new
  client_start busy --line "$(until_word busy)" --expect line
  until_ok busy_is 1
  until_ok busy_with_another "$stopped"
  waiter later
  kill -CONT "$stopped"
  until_ok waiting_is 2
  [ "$(score queue -nr -o TICKET,CLIENT | head -n 1)" = "$ticket" ]
  word busy
  served busy
  until_ok waiting_is 1
  [ "$(score slots -nr -o PID)" = "$stopped" ]
  word first
  served first
  word later
  served later
  farm_is_at_rest
}

@test "connection: a slot that a stopped waiter was granted goes to the next waiter" { a_granted_slot_goes_on connection; }
@test "inetd: a slot that a stopped waiter was granted goes to the next waiter" { a_granted_slot_goes_on inetd; }

# Its ticket is out of the queue, and the queue has no room: the waiter waits for that, as a newcomer does.
@test "a full /run: a waiter that lost its slot while it was stopped waits for room to come back into the queue" {
  local stopped crowd
  small_run
  node a 4001 1 --mode line
  score load
  fill_run
  entrance connection
  first_is_stopped
  until_ok busy_with_another "$stopped"
  crowd=$ADDR:3633
  background "$T/listener.log" "$BUILD/cbrelay" -c "$CONF" "$crowd"
  until_ok is_listening "$crowd"
  background "$T/crowd.out" "$CLIENT" -n 3500 -c 3500 --line "sleep 0" --expect line "$crowd"
  local pid=$PID
  until_ok grep -q 'No space left on device' "$T/listener.log"
  kill -CONT "$stopped"
  until_ok grep 'the scoreboard failed\|cannot queue for .*; trying again' "$T/relay.log"
  run -1 grep 'the scoreboard failed' "$T/relay.log"
  rm "$T/run/ballast"
  word first
  word second
  served second
  served first
  wait "$pid"
  farm_is_at_rest
}

# A process is held up in a section for so long that what was granted before it is older than a slot may be untaken. Until
# then the waiter could not take its slot: it keeps the slot. It is stopped as well, so from then on its time runs.
a_held_lock_makes_nobody_late() {
  local first
  node a 4001 1 --mode line
  entrance "$1"
  client -n 1 --line "sleep 0" --expect line
  background "$T/late.log" "$BUILD/tests/cbtest-lock" late "$SCOREBOARD"
  local holder=$PID
  until_ok grep -q held "$T/late.log"
  waiter first
  first=$waiter
  waiter second
  kill -STOP "$first"
  kill -USR1 "$holder"
  until_ok grep -q left "$T/late.log"
  cat "$T/late.log"
  grep -qx "granted to $first" "$T/late.log"
  word second
  served second
  kill -CONT "$first"
  word first
  served first
  farm_is_at_rest
}

@test "connection: no process is late with a slot while another process is held up with the lock" {
  a_held_lock_makes_nobody_late connection
}
@test "inetd: no process is late with a slot while another process is held up with the lock" {
  a_held_lock_makes_nobody_late inetd
}

# granted_and_killed: a waiter of its own process is killed when it has been granted a slot, no other waits, and the other
# slot is free. $dead is its process. The dispatch is not seen by it: it is stopped. A process that stays takes the slot back
# after a second: on a busy machine that may be before the kill, and the next waiter is tried.
granted_and_killed() {
  local n granted=''
  for n in {1..30}; do
    client_start "one$n" --line "$(until_word "one$n")" --expect line
    client_start "two$n" --line "$(until_word "two$n")" --expect line
    until_ok busy_is 2
    waiter "first$n"
    dead=$waiter
    kill -STOP "$dead"
    word "one$n"
    served "one$n"
    until_ok was_granted
    kill -9 "$dead"
    client_fails "first$n"
    word "two$n"
    served "two$n"
    [ -z "$granted" ] || return 0
  done
  return 1
}
was_granted() {
  if has_slot "$dead"; then granted=1; else busy_is 1 && waiting_is 0; fi
}

@test "a waiter is killed with the slot that it was granted: the next client gives the slot back, though another is free" {
  local dead
  node a 4001 2 --mode line
  entrance connection
  granted_and_killed
  next_one_finds_it() { client -n 1 --line "sleep 0" --expect line && busy_is 0; }
  until_ok next_one_finds_it
  farm_is_at_rest
}

@test "beside a listener, a waiter is killed with the slot that it was granted: the slot is given back without any client" {
  local dead first
  node a 4001 2 --mode line
  entrance listener
  client -n 1 --line "sleep 0" --expect line
  second_entrance
  granted_and_killed
  until_ok busy_is 0
  farm_is_at_rest
}

# The youngest waiters, which are to look after the queue, are stopped, and the process that has the slot is killed.
any_waiter_is_the_guard() {
  local holder guards=()
  node a 4001 1 --mode line
  entrance "$1"
  client_start now --line "sleep 60000" --expect line
  until_ok busy_is 1
  holder=$(holders)
  waiter first
  local oldest=$waiter
  for i in 1 2 3; do
    waiter "guard$i"
    guards+=("$waiter")
    word "guard$i"
  done
  # The oldest has left the duty to those behind it: it watches the process behind it by a descriptor.
  watches() { grep -l "^Pid:[[:space:]]*$2\$" "/proc/$1"/fdinfo/*; }
  until_ok watches "$oldest" "${guards[0]}"
  kill -STOP "${guards[@]}"
  word first
  kill -9 "$holder"
  client_fails now
  served first
  kill -CONT "${guards[@]}"
  for i in 1 2 3; do served "guard$i"; done
  farm_is_at_rest
}

@test "connection: when the guard of the queue is stopped another waiter is" { any_waiter_is_the_guard connection; }
@test "inetd: when the guard of the queue is stopped another waiter is" { any_waiter_is_the_guard inetd; }

# second_entrance: each connection to $GATE is a process of its own from now on; $first is the gate of the listener.
second_entrance() {
  first=$GATE
  GATE=$ADDR:3633
  background "$T/relay2.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -E UBSAN_OPTIONS \
    -l "$GATE" --accept "$BUILD/cbrelay" -c "$CONF"
  until_ok is_listening "$GATE"
}

# A listener is stopped that has waiters, and that looks after the queue: its clients wait until it goes on, and those
# of another entrance are served meanwhile, before and behind them. Then its clients have their places.
a_stopped_listener_holds_up_no_other() {
  local first second listener=$GATE_PID holder
  node a 4001 1 --mode line
  entrance "$@"
  listener=$GATE_PID
  second_entrance
  second=$GATE
  client_start now --line "sleep 60000" --expect line
  until_ok busy_is 1
  holder=$(score slots -nr -o PID)
  waiter before
  GATE=$first
  for i in 1 2 3 4; do waiter "held$i"; done
  listener=$waiter
  kill -STOP "$listener"
  word before
  kill -9 "$holder"
  client_fails now
  served before
  GATE=$second
  client_start behind --line "sleep 0" --expect line
  served behind
  client_start busy --line "$(until_word busy)" --expect line
  until_ok busy_is 1
  until_ok busy_with_another "$listener"
  waiter later
  kill -CONT "$listener"
  until_ok waiting_is 5
  word busy
  served busy
  for i in 1 2 3 4; do
    until_ok waiting_is $((5 - i))
    word "held$i"
    served "held$i"
  done
  word later
  served later
  farm_is_at_rest
}

# A listener that has hundreds of waiters, and looks after the queue, is stopped. The waiter before them is alone in
# looking in its place, and does so at once, however many there are.
looked_since() { [ "$(tdbdump -k farm "$SCOREBOARD")" != "$1" ]; }

@test "a stopped listener with hundreds of waiters: the waiter before them looks after the queue at once" {
  local first holder listener oldest farm crowd=300
  node a 4001 1 --mode line
  entrance listener
  listener=$GATE_PID
  second_entrance
  client_start now --line "sleep 60000" --expect line
  until_ok busy_is 1
  holder=$(GATE_PID=$listener holders)
  waiter oldest
  oldest=$waiter
  GATE=$first
  client_start crowd -n $crowd -c $crowd --line "sleep 0" --expect line
  until_ok waiting_is $((crowd + 1))
  watches() { grep -l "^Pid:[[:space:]]*$2\$" "/proc/$1"/fdinfo/*; }
  until_ok watches "$oldest" "$listener"
  # Nothing but the listener's looks changes the farm's record now: the oldest waiter has left the duty to it.
  for _ in 1 2; do
    farm=$(tdbdump -k farm "$SCOREBOARD")
    until_ok looked_since "$farm"
  done
  kill -STOP "$listener"
  word oldest
  kill -9 "$holder"
  client_fails now
  served oldest
  kill -CONT "$listener"
  client_wait crowd
  farm_is_at_rest
}

@test "listener: a listener stopped with its waiters holds up no other entrance" { a_stopped_listener_holds_up_no_other listener; }
@test "alone: a listener stopped with its waiters holds up no other entrance" { a_stopped_listener_holds_up_no_other alone; }
@test "a relay for each connection: a listener that is stopped with its waiters holds up no other entrance" {
  a_stopped_listener_holds_up_no_other alone --connections-per-relay 1
}

# The wall clock is set back behind the grant: its age is not of that clock.
a_grant_goes_on() {
  local stopped
  node a 4001 1 --mode line
  clock_preload
  WRAPPER=$OTHER_CLOCKS entrance "$1"
  first_is_stopped
  # A second later the slot goes to the next waiter, which on a busy machine may be before this look.
  until_ok eval 'has_slot "$stopped" || waiting_is 0'
  clocks_ahead -3600
  word second
  served second
  kill -CONT "$stopped"
  word first
  served first
  farm_is_at_rest
}

@test "connection: a slot that a stopped waiter was granted goes on although the clock is set back" { a_grant_goes_on connection; }
@test "inetd: a slot that a stopped waiter was granted goes on although the clock is set back" { a_grant_goes_on inetd; }

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# replaced.bats: a stranger removes the scoreboard while it is in use, moves it
# away, or replaces it by another. A core is not given out twice, no waiter is
# lost, and the replacement is told.

load lib/helpers

told() { grep -q "scoreboard.tdb: was $1" "$T"/*.log; }

# One slot is held; one client waits.
scene() { # WAY
  node a 4001 1 --mode line
  entrance "$1"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --line "sleep 0" --expect line
  until_ok waiting_is 1
  cp "$CONF" "$T/list"
}

# Starts another entrance of the farm: its own address, the same scoreboard.
second_entrance() {
  GATE=$ADDR:3640
  # shellcheck disable=SC2086  # a command
  background "$T/second.log" ${WRAPPER:-} "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
}

# The client that came last waits, as the core is taken; then each is served, one at a time.
all_are_served() {
  client_start three --line "sleep 0" --expect line
  three_are_served
}
three_are_served() {
  until_ok waiting_is 2
  word go
  for name in one two three; do client_wait $name; done
  nodes_never_overfilled
  farm_is_at_rest
  run -0 score fsck
}

removed() { # WAY, WHAT MAY BE TOLD
  scene "$1"
  rm "$SCOREBOARD"
  second_entrance
  until_ok told "\(removed while it was in use; put back with 1 node, 1 slot taken, 1 waiting\|${2-never}\)"
  until_ok busy_is 1
  all_are_served
}
@test "listener: the file is removed, and another entrance starts: it knows holders and waiters" { removed listener; }
@test "connection: the file is removed, and another entrance starts: it knows holders and waiters" { removed connection; }
@test "inetd: the file is removed, and another entrance starts: it knows holders and waiters" { removed inetd; }
@test "alone: the file is removed, and another entrance starts: it knows holders and waiters" { removed alone; }

# Root sees what every process has open. Others do not see what listeners and relays of their own user have open.
as_user() {
  if [ "$(id -u)" != 0 ]; then skip "needs root to be another user"; fi
  open_to_nobody "$T"
  mkdir "$T/run" "$T/build"
  chown 54321 "$T/run"
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  cp "$BUILD"/cb{relay,score} "$T/build"
  BUILD=$T/build
  WRAPPER="setpriv --reuid=54321 --regid=54321 --clear-groups"
}
@test "listener of a user: it is removed, and another entrance starts" { as_user && removed listener; }
@test "connection of a user: it is removed, and another entrance starts" { as_user && removed connection; }

# /proc shows a user only processes that hide nothing. The entrance awaits that one of those puts the file back, but not for
# long: on a busy machine it makes a new file, in which the slots are taken until the processes have been heard of.
removed_behind_hidepid() { # WAY
  behind_hidepid
  removed "$1" "replaced while it was in use"
}
behind_hidepid() { # [1]
  as_user
  hidepid_wrapper "$@"
  WRAPPER="$T/hidepid $WRAPPER"
}
@test "listener of a user, /proc with hidepid: it is removed, and another entrance starts" {
  removed_behind_hidepid listener
}
@test "connection of a user, /proc with hidepid: it is removed, and another entrance starts" {
  removed_behind_hidepid connection
}

# A process and all below it.
family() { # PID
  local pid
  echo "$1"
  for pid in $(pgrep -P "$1"); do family "$pid"; done
}

# Built with sanitizers, a process binds itself to nothing, and hides nothing.
hides() { if [ -n "${SANITIZE-}" ]; then skip "a process that is built with sanitizers hides nothing"; fi; }

# Nor does a process put the file back that is stopped.
removed_stopped() { # COMMAND...
  local pids
  hides
  scene listener
  mapfile -t pids < <(family "$GATE_PID")
  kill -STOP "${pids[@]}"
  "$@"
  second_entrance
  until_ok told "replaced while it was in use; its slots count as taken until [0-9]* processes have been heard of"
  client_start three --line "sleep 0" --expect line
  until_ok waiting_is 1
  kill -CONT "${pids[@]}"
  three_are_served
}
@test "listener of a user, /proc with hidepid: it is removed, and its processes are stopped" {
  behind_hidepid
  removed_stopped rm "$SCOREBOARD"
}
@test "listener of a user, /proc with hidepid: it is removed with its page, and its processes are stopped" {
  behind_hidepid
  removed_stopped rm "$SCOREBOARD" "$SCOREBOARD.lock"
}

@test "listener of a user, /proc with hidepid=1: it is removed, and its processes are stopped" {
  behind_hidepid 1
  removed_stopped rm "$SCOREBOARD"
}

# The farm's processes go on in the folder that they have open, and their ports are named by it.
@test "listener of a user: its folder is renamed, another is made, and the scoreboard is damaged: no core is given out twice" {
  cp "$BUILD/tests/cbtest-damage" "$T"
  as_user
  node a 4001 2 --mode line
  entrance alone
  for name in one two; do client_start $name --line "$(until_word go)" --expect line; done
  until_ok busy_is 2
  mv "$T/run" "$T/renamed"
  mkdir "$T/run"
  chown 54321 "$T/run"
  export COREBALANCE_SCOREBOARD=$T/renamed/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  "$T/cbtest-damage" "$SCOREBOARD" zero slots/1/0
  # A process of the farm meets the damage. It may not see what the others have open, and nothing else looks before.
  client_start more -n 4 -c 4 --line "sleep 1" --expect line
  until_ok told "damaged"
  until_ok waiting_is 4
  word go
  for name in one two more; do client_wait $name; done
  farm_is_at_rest
}

@test "a relay has a file open that was rebuilt, and its successor is removed: what the relay knows is of an earlier time" {
  local relay others
  hides
  node a 4001 2 --mode line
  entrance listener
  client_start one --line "$(until_word one)" --expect line
  until_ok busy_is 1
  relay=$(score slots -nr -o PID)
  kill -STOP "$relay"
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" header
  run -0 score list
  client_start two --line "$(until_word two)" --expect line
  until_ok busy_is 2
  mapfile -t others < <(family "$GATE_PID" | grep -vx "$relay")
  kill -STOP "${others[@]}"
  rm "$SCOREBOARD" "$SCOREBOARD.lock"
  kill -CONT "$relay"
  word one
  client_wait one
  until_ok test -e "$SCOREBOARD"
  second_entrance
  client_start more -n 2 -c 2 --line "$(until_word more)" --expect line
  until_ok waiting_is 2
  kill -CONT "${others[@]}"
  until_ok waiting_is 1
  for name in two more; do word $name; done
  for name in two more; do client_wait $name; done
  nodes_never_overfilled
  farm_is_at_rest
  run -0 score fsck
}

put_back() { # WAY COMMAND...
  scene "$1"
  shift
  "$@"
  until_ok told "removed while it was in use; put back"
  busy_is 1
  all_are_served
}
@test "listener: it is removed: it is there again within a moment" { put_back listener rm "$SCOREBOARD"; }
@test "connection: it is removed: the guard of the queue puts it back" { put_back connection rm "$SCOREBOARD"; }
@test "listener: it is removed with the page of its lock" { put_back listener rm "$SCOREBOARD" "$SCOREBOARD.lock"; }
@test "listener: it is moved away" { put_back listener mv "$SCOREBOARD" "$T/elsewhere"; }
@test "connection: it is moved away" { put_back connection mv "$SCOREBOARD" "$T/elsewhere"; }

@test "no client waits, and the scoreboard is removed: the listener puts it back" {
  node a 4001 1 --mode line
  entrance listener
  client --line "sleep 0" --expect line
  rm "$SCOREBOARD"
  until_ok told "removed while it was in use; put back"
  client --line "sleep 0" --expect line
  farm_is_at_rest
}

# A new scoreboard of the same list, with the nodes in another order, replaces it.
fresh() {
  { echo "$ADDR, 4002, 1, 0x40000000"; cat "$T/list"; } | made_of
}
without_nodes() { made_of </dev/null; }
made_of() { # <LIST
  cat >"$CONF"
  "$BUILD/cbscore" -s "$T/fresh.tdb" -c "$CONF" load
  cp "$T/list" "$CONF"
}
replaced() { # WAY COMMAND [WHAT IS MADE]
  local said="replaced while it was in use; its slots"
  scene "$1"
  "${3-fresh}"
  "$2" "$T/fresh.tdb" "$SCOREBOARD"
  second_entrance
  # cp empties the file before it writes. A process that looks at it then makes another file, and cp writes to the old one.
  [ "$2" = mv ] || said="\\($said\\|damaged; rebuilt with 0 nodes, .*, slots that could not be read\\)"
  until_ok told "$said count as taken until [0-9]* processes have been heard of"
  score load
  # The holder's slot is of a node that has another number here: a slot of that node counts as taken until the holder
  # has ended.
  client_start three --line "$(until_word three)" --expect line
  until_ok waiting_is 2
  word go
  for name in one two; do client_wait $name; done # the client that waited before is the first
  word three
  client_wait three
  nodes_never_overfilled
  until_ok everything_is_free
  farm_is_at_rest
  run -0 score fsck
}
@test "listener: a fresh scoreboard is moved over it" { replaced listener mv; }
@test "connection: a fresh scoreboard is moved over it" { replaced connection mv; }
@test "listener: a fresh scoreboard is copied over it" { replaced listener cp; }
@test "connection: a fresh scoreboard is copied over it" { replaced connection cp; }
@test "listener: a scoreboard without nodes is moved over it, and the list is loaded" { replaced listener mv without_nodes; }
@test "connection: a scoreboard without nodes is copied over it, and the list is loaded" { replaced connection cp without_nodes; }

copied_slowly() { # FROM TO
  local copy
  exec {copy}>"$2"
  until_ok told "damaged; rebuilt with 0 nodes"
  cat "$1" >&"$copy"
  exec {copy}>&-
}
@test "listener: a fresh scoreboard is copied over it slowly" { replaced listener copied_slowly; }
@test "connection: a fresh scoreboard is copied over it slowly" { replaced connection copied_slowly; }

@test "listener: a scoreboard of fewer cores is moved over it, and the list is loaded: no core is given out twice" {
  node a 4001 12 --mode line
  entrance listener
  client_start one -n 12 -c 12 --line "$(until_word go)" --expect line
  until_ok busy_is 12
  cp "$CONF" "$T/list"
  made_of <<<"$ADDR, 4001, 1, 0"
  mv "$T/fresh.tdb" "$SCOREBOARD"
  second_entrance
  until_ok told "replaced while it was in use"
  score load
  client_start more -n 2 -c 2 --line "sleep 0" --expect line
  until_ok waiting_is 2
  run -0 score fsck
  word go
  for name in one more; do client_wait $name; done
  nodes_never_overfilled
  until_ok everything_is_free
  farm_is_at_rest
}

# A connection is idle. Whatever happens to the scoreboard, twice, the next clients are served at once, the idle
# connection's slot stays taken, and all ends well.
beside_an_idle_connection() { # WAY COMMAND
  local i
  node a 4001 2 --mode line
  node b 4002 1 --mode line
  entrance "$1"
  client -n 2 --line "sleep 0" --expect line
  "$BUILD/cbscore" -s "$T/fresh.tdb" -c "$CONF" load
  cp "$SCOREBOARD" "$T/earlier.tdb"
  client_start idle --line "$(until_word go)" --expect line
  until_ok busy_is 1
  for i in 1 2; do
    "$2"
    client --line "sleep 0" --expect line
    until_ok test -e "$SCOREBOARD"
  done
  client_start more -n 3 -c 3 --line "$(until_word go)" --expect line
  until_ok waiting_is 1
  busy_is 3
  word go
  for name in idle more; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
}
emptied() { truncate -s 0 "$SCOREBOARD"; }
moved_away() { mv "$SCOREBOARD" "$T/elsewhere"; }
all_removed() { rm "$SCOREBOARD" "$SCOREBOARD.lock"; }
fresh_moved() { cp "$T/fresh.tdb" "$T/moved"; mv "$T/moved" "$SCOREBOARD"; }
earlier_copied() { cp "$T/earlier.tdb" "$SCOREBOARD"; }
earlier_moved() { cp "$T/earlier.tdb" "$T/moved"; mv "$T/moved" "$SCOREBOARD"; }
@test "alone, beside an idle connection: it is cut to nothing, twice" { beside_an_idle_connection alone emptied; }
@test "connection, beside an idle connection: it is cut to nothing, twice" { beside_an_idle_connection connection emptied; }
@test "inetd, beside an idle connection: it is moved away, twice" { beside_an_idle_connection inetd moved_away; }
@test "listener, beside an idle connection: it is removed with the page of its lock, twice" {
  beside_an_idle_connection listener all_removed
}
@test "connection, beside an idle one: a fresh scoreboard is moved over it, twice" { beside_an_idle_connection connection fresh_moved; }
@test "listener, beside an idle connection: an earlier copy is copied over it, twice" { beside_an_idle_connection listener earlier_copied; }
@test "connection, beside an idle connection: an earlier copy is moved over it, twice" {
  beside_an_idle_connection connection earlier_moved
}

# An earlier copy, from which a record is gone, is moved over it. What the copy says of slots is not true.
damaged_copy() { # WAY, COMMAND THAT USES IT FIRST...
  node a 4001 1 --mode line
  entrance "$1"
  client --line "sleep 0" --expect line
  until_ok everything_is_free
  cp "$SCOREBOARD" "$T/earlier.tdb"
  tdbtool "$T/earlier.tdb" delete queue/0 >/dev/null
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --line "sleep 0" --expect line
  until_ok waiting_is 1
  mv "$T/earlier.tdb" "$SCOREBOARD"
  "${@:2}"
  all_are_served
  [ -n "$(find "$T" -name 'scoreboard.tdb.damaged-*')" ] # it was rebuilt
}
@test "listener: a damaged earlier copy is moved over it, and another entrance starts" { damaged_copy listener second_entrance; }
@test "connection: a damaged earlier copy is moved over it, and another entrance starts" { damaged_copy connection second_entrance; }
@test "listener: a damaged earlier copy is moved over it" { damaged_copy listener true; }
@test "connection: a damaged earlier copy is moved over it" { damaged_copy connection true; }
@test "inetd: a damaged earlier copy is moved over it" { damaged_copy inetd true; }

@test "a scoreboard that is made in the place of another that no process knows any more is like any other" {
  node a 4001 1 --mode line
  score load
  rm "$SCOREBOARD"
  run -0 --separate-stderr score load
  [ -z "$stderr" ]
  run -0 --separate-stderr score list
  [ -z "$stderr" ]
  everything_is_free
}

# cutting: $cutting is a command that runs a program for which the next scoreboards that it opens are cut short.
cutting() {
  preload cut
  cutting="env LD_PRELOAD=$PRELOAD CUTS=$T/cuts"
}

cut_at_the_opening() { # WAY
  local cutting
  cutting
  node a 4001 1 --mode line
  WRAPPER=$cutting entrance "$1"
  client --line "sleep 0" --expect line
  until_ok everything_is_free
  printf 123456789 >"$T/cuts"
  client --line "sleep 0" --expect line
  [ ! -e "$T/cuts" ]
  farm_is_at_rest
}
@test "connection: it is cut short ten times as a process opens it: its client is served" {
  cut_at_the_opening connection
}
@test "inetd: it is cut short ten times as a process opens it: its client is served" { cut_at_the_opening inetd; }

@test "a scoreboard is cut short while a listener goes over to it: the listener lives, and serves" {
  local cutting
  cutting
  node a 4001 1 --mode line
  WRAPPER=$cutting entrance alone
  client -n 1 --line "sleep 0" --expect line
  "$BUILD/cbscore" -s "$T/other.tdb" -c "$CONF" load
  touch "$T/cuts"
  mv "$T/other.tdb" "$SCOREBOARD"
  until_ok test ! -e "$T/cuts"
  client -n 4 -c 2 --line "sleep 0" --expect line
  kill -0 "$GATE_PID"
  farm_is_at_rest
}

@test "a listener that opened its socket itself ends at SIGTERM also when the folder was removed and made anew" {
  mkdir "$T/run"
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  node a 4001 1 --mode line
  entrance alone
  client --line "sleep 0" --expect line
  rm -r "$T/run"
  mkdir "$T/run"
  score load
  client_start pending --line "sleep 0" --expect line
  until_ok grep -q 'cannot accept' "$T/relay.log"
  kill "$GATE_PID"
  gone "$GATE_PID"
  grep -q 'connections in the backlog are not served' "$T/relay.log"
  client_fails pending
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# damage.bats: something writes into the scoreboard while connections run and
# wait. The scoreboard is rebuilt from what can be read, and the damaged file is
# kept. No node gets too many connections, and no client is lost or refused.

load lib/helpers
load lib/holders

damage() { "$BUILD/tests/cbtest-damage" "$SCOREBOARD" "$@"; }
kept() { find "$T" -name 'scoreboard.tdb.damaged-*' | grep -c . || true; }
was_kept() { kept_are 1; }
kept_are() { [ "$(kept)" -ge "$1" ]; } # at least
counter() { score list -nr -o NODE,"$2" | awk -v n="$ADDR:$1" '$1 == n { print $2 }'; }

# Three slots are held, two clients wait; each holder ends at a word of its own.
scene() { # WAY
  node a 4001 2 --mode line
  node b 4002 1 --mode line
  entrance "$1"
  client -n 4 --line "sleep 0" --expect line
  for name in one two three; do client_start $name --line "$(until_word $name)" --expect line; done
  until_ok busy_is 3
  client_start four --line "sleep 0" --expect line
  client_start five --line "sleep 0" --expect line
  until_ok waiting_is 2
}

# All clients that held, waited, and come now are served. A slot that could not be read counts as taken until the
# processes of that time are through, so the first end of a connection need not free a slot.
all_are_served() {
  client_start more -n 6 -c 3 --line "sleep 0" --expect line
  word one
  client_wait one
  word two
  word three
  for name in two three four five more; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
  [ "$(score list -n | grep -c .)" = 2 ]
}

stray_write() {
  scene "$1"
  # shellcheck disable=SC2086  # a word or two
  damage $2
  all_are_served
}

@test "listener: header" { stray_write listener "header"; }
@test "listener: chains" { stray_write listener "chains"; }
@test "listener: chain slots/1/0" { stray_write listener "chain slots/1/0"; }
@test "listener: chain node/1" { stray_write listener "chain node/1"; }
@test "listener: chain farm" { stray_write listener "chain farm"; }
@test "listener: chain queue/0" { stray_write listener "chain queue/0"; }
@test "listener: chain applied" { stray_write listener "chain applied"; }
@test "listener: chain intent" { stray_write listener "chain intent"; }
@test "listener: head slots/1/0" { stray_write listener "head slots/1/0"; }
@test "listener: head node/2" { stray_write listener "head node/2"; }
@test "listener: head queue/0" { stray_write listener "head queue/0"; }
@test "listener: head index/0/0" { stray_write listener "head index/0/0"; }
@test "listener: head version" { stray_write listener "head version"; }
@test "listener: zero slots/1/0" { stray_write listener "zero slots/1/0"; }
@test "listener: zero node/1" { stray_write listener "zero node/1"; }
@test "listener: zero queue/0" { stray_write listener "zero queue/0"; }
@test "listener: zero farm" { stray_write listener "zero farm"; }
@test "listener: zero index/0/0" { stray_write listener "zero index/0/0"; }
@test "listener: zero applied" { stray_write listener "zero applied"; }
@test "listener: noise slots/1/0" { stray_write listener "noise slots/1/0"; }
@test "listener: noise node/2" { stray_write listener "noise node/2"; }
@test "listener: noise queue/0" { stray_write listener "noise queue/0"; }
@test "listener: noise farm" { stray_write listener "noise farm"; }
@test "listener: noise index/0/0" { stray_write listener "noise index/0/0"; }
@test "listener: noise intent" { stray_write listener "noise intent"; }
@test "listener: page slots/1/0" { stray_write listener "page slots/1/0"; }
@test "listener: page node/1" { stray_write listener "page node/1"; }
@test "listener: page queue/0" { stray_write listener "page queue/0"; }
@test "listener: page farm" { stray_write listener "page farm"; }
@test "listener: cut 30000" { stray_write listener "cut 30000"; }
@test "listener: cut 80000" { stray_write listener "cut 80000"; }
@test "listener: cut 0" { stray_write listener "cut 0"; }
@test "listener: all" { stray_write listener "all"; }
@test "connection: header" { stray_write connection "header"; }
@test "connection: chain slots/1/0" { stray_write connection "chain slots/1/0"; }
@test "connection: head node/2" { stray_write connection "head node/2"; }
@test "connection: head queue/0" { stray_write connection "head queue/0"; }
@test "connection: zero slots/1/0" { stray_write connection "zero slots/1/0"; }
@test "connection: zero queue/0" { stray_write connection "zero queue/0"; }
@test "connection: noise farm" { stray_write connection "noise farm"; }
@test "connection: page node/1" { stray_write connection "page node/1"; }
@test "connection: cut 80000" { stray_write connection "cut 80000"; }
@test "connection: all" { stray_write connection "all"; }

@test "of damaged scoreboards the three youngest are kept" {
  node_line 4001 2
  score load
  for i in 1 2 3 4 5 6; do
    damage all
    score list
  done
  [ "$(kept)" = 3 ]
}

@test "the copy of a damaged scoreboard that is told of is kept, also if the clock was set back since others were made" {
  node_line 4001 2
  score load
  touch "$SCOREBOARD".damaged-29990101T{000001,000002,000003}
  damage all
  run -0 score list
  [[ $output =~ "; kept as "([^ $'\n']*) ]]
  [ -s "${BASH_REMATCH[1]}" ]
  [ "$(kept)" = 3 ]
}

@test "where there is no room for a copy of the damaged scoreboard it is rebuilt all the same" {
  small_run 4m
  node a 4001 1 --mode line
  entrance connection
  client --line "sleep 0" --expect line
  until_ok everything_is_free
  damage noise farm
  client --line "sleep 0" --expect line
  grep 'was damaged; rebuilt with ' "$T/relay.log"
  [ "$(kept)" = 0 ]
  farm_is_at_rest
}

@test "a file that was much larger, and is emptied: every process goes over to the new file" {
  for i in $(seq 600); do echo "127.99.$((i / 250)).$((i % 250 + 1)), 4001, 2, 0" >>"$CONF"; done
  score load
  : >"$CONF"
  node a 4001 2 --mode line
  score load
  entrance listener
  run -0 client -n 4 -c 4 --line "sleep 20" --expect line
  until_ok everything_is_free
  for name in one two three; do client_start $name --line "$(until_word go)" --expect line; done
  until_ok waiting_is 1
  damage cut 0
  client_start more -n 8 -c 4 --line "sleep 1" --expect line
  until_ok was_kept
  word go
  for name in one two three more; do client_wait $name; done
  # One damage, one rebuild; and the process that did it knew the whole list.
  [ "$(kept)" = 1 ]
  farm_is_at_rest
  run -0 score fsck
}

@test "nothing can be read, and more clients wait than a page of the queue has places for: each keeps its place" {
  node a 4001 1 --mode line
  entrance listener
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start crowd -n 30 -c 30 --line "sleep 0" --expect line
  until_ok waiting_is 30
  damage all
  client_start more --line "sleep 0" --expect line
  until_ok was_kept
  until_ok waiting_is 31
  word go
  for name in holder crowd more; do client_wait $name; done
  farm_is_at_rest
}

# The descriptors of relays of another user are hidden from a member of the group.
# $REAP_WITH is a command that runs the member's second look; the relays cannot answer before it.
# shellcheck disable=SC2086  # a command, and pids
member_meets_damage() { # WRAPPER...
  local relays='' member=("$@" setpriv --reuid=54321 --regid=54320 --clear-groups)
  open_to_nobody "$T"
  mkdir -m 770 "$T/run"
  chown 54320:54320 "$T/run"
  cp "$BUILD/cbscore" "$T/cbscore"
  SCOREBOARD=$T/run/scoreboard.tdb
  export COREBALANCE_SCOREBOARD=$SCOREBOARD
  node a 4001 2 --mode line
  score load
  chown 54320:54320 "$SCOREBOARD"
  # Relays of another farm, whose descriptors are hidden from the member of the group as well.
  background "$T/other.log" "$BUILD/cbrelay" -s "$T/other.tdb" "$ADDR:3633" "$ADDR:4001"
  until_ok is_listening "$ADDR:3633"
  entrance alone
  for name in one two; do client_start $name --line "$(until_word go)" --expect line; done
  until_ok busy_is 2
  if [ -n "${REAP_WITH-}" ]; then
    relays=$(holders)
    kill -STOP $relays
    damage zero slots/1/0
    "${member[@]}" "$T/cbscore" fsck --repair
  else
    damage zero slots/1/0
    "${member[@]}" "$T/cbscore" list
  fi
  # The member's own process was there, too, and has ended by now.
  ${REAP_WITH-} "${member[@]}" "$T/cbscore" reap
  if [ -n "$relays" ]; then
    [ "$(counter 4001 FREE)" = 0 ]
    kill -CONT $relays
  fi
  client_start more -n 4 -c 4 --line "sleep 1" --expect line
  until_ok waiting_is 4
  word go
  client_wait more
  client_wait one
  client_wait two
  farm_is_at_rest
}
@test "a member of the group meets the damage: relays of another user hold on" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  member_meets_damage
}
@test "a member of the group, /proc with hidepid, meets the damage: relays of another user hold on" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  hidepid_wrapper
  member_meets_damage "$T/hidepid"
}
@test "a member of the group, /proc with hidepid=1, meets the damage: relays of another user hold on" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  hidepid_wrapper 1
  member_meets_damage "$T/hidepid"
}

# Processes that /proc does not show are known by their ports alone.
@test "a member of the group, /proc with hidepid, cannot read the ports: relays of another user hold on" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  preload portless
  hidepid_wrapper
  REAP_WITH="env LD_PRELOAD=$PRELOAD" member_meets_damage "$T/hidepid"
}

# Relays of another farm: a relay, which may not look into other processes, knows it by the names of their sockets alone.
other_farm() {
  background "$T/other.log" "$BUILD/cbrelay" -s "$T/other.tdb" "$ADDR:3633" "$ADDR:4001"
  until_ok is_listening "$ADDR:3633"
}

@test "listener: a relay meets the damage, beside another farm's relays: lost slots are free without a waiter" {
  other_farm
  node a 4001 2 --mode line
  entrance listener
  client_start one --line "$(until_word one)" --expect line
  until_ok busy_is 1
  damage zero farm
  client --line "sleep 0" --expect line
  word one
  client_wait one
  until_ok was_kept
  farm_is_at_rest
}

@test "a relay meets the damage: what other relays hold stays taken" {
  node a 4001 3 --mode line
  entrance listener
  client_start held -n 2 -c 2 --line "$(until_word go)" --expect line
  until_ok busy_is 2
  damage zero slots/1/0
  client_start more -n 4 -c 4 --line "$(until_word go)" --expect line
  until_ok grep 'was damaged; ' "$T/relay.log" # before a look from here meets it
  until_ok waiting_is 3
  busy_is 3
  word go
  for name in held more; do client_wait $name; done
  farm_is_at_rest
}

@test "connection: a relay meets the damage, beside another farm's relays: lost slots are free with the next client" {
  other_farm
  node a 4001 2 --mode line
  entrance connection
  client_start one --line "$(until_word one)" --expect line
  until_ok busy_is 1
  damage zero slots/1/0
  word one
  client_wait one
  until_ok grep 'was damaged; ' "$T/relay.log"
  client --line "sleep 0" --expect line
  farm_is_at_rest
}

# asked: the processes that have not said what they hold, by the record lost.
asked() {
  tdbdump -k lost/0 "$SCOREBOARD" | python3 -c '
import re, struct, sys

text = sys.stdin.buffer.read().rstrip(b"\n")
data = re.sub(rb"\\([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text)
for at in range(0, len(data), 32):
    print(struct.unpack_from("<I", data, at)[0])'
}

@test "connection: a relay meets the damage: no relay of another farm is asked what it holds" {
  local others other
  other_farm
  other=$PID
  has_relay() { pgrep -P "$other"; }
  until_ok has_relay
  node a 4001 3 --mode line
  entrance connection
  for name in one two; do client_start $name --line "$(until_word go)" --expect line; done
  until_ok busy_is 2
  damage zero slots/1/0
  damage chain slots/1/0
  client_start three --line "$(until_word go)" --expect line
  until_ok grep 'slots that could not be read count as taken' "$T/relay.log"
  # Relays of the other farm have nothing to say: if they were asked they stay on the record.
  others=$(pgrep -P "$other")
  asked >"$T/asked"
  run ! grep -xF "$others" "$T/asked"
  word go
  score reap # other relays of this machine, too, may have been asked
  for name in one two three; do client_wait $name; done
  farm_is_at_rest
}

@test "what can be read stays: counters, holds, holders of slots, waiters" {
  scene listener
  score down "$ADDR:4002" --reason "a reason of its own"
  # Changes at run time, which are not in the node list.
  score add "$ADDR, 4009, 3, 0"
  score set "$ADDR:4002" speed=2.5
  served=$(counter 4001 SERVED)
  damage chain farm
  score list
  until_ok was_kept # by another process, it may be, which does so when the new file is there
  state_is 4002 held
  score list -o +DETAIL | grep 'a reason of its own'
  [ "$(counter 4001 SERVED)" -ge "$served" ]
  [ "$(counter 4009 CORES)" = 3 ]
  [ "$(counter 4002 SPEED)" = 2.5 ]
  # A load on purpose restores the list's values.
  score load
  [ -z "$(counter 4009 CORES)" ]
  score up "$ADDR:4002"
  all_are_served
}

@test "a relay that could not be asked yet, as it had just been forked, says by itself that it holds nothing" {
  preload late
  node a 4001 30 --mode line
  export LATE=$T/late
  LD_PRELOAD=$PRELOAD entrance alone
  client --line "sleep 0" --expect line
  : >"$LATE"
  client_start all -n 20 --line "$(until_word go)" --expect line
  until_ok test -e "$LATE.here"
  damage zero slots/1/0
  run -0 --separate-stderr score slots
  # Or the listener was first.
  [[ $stderr == *"was damaged; "* ]] || until_ok grep -q 'was damaged; ' "$T/relay.log"
  rm "$LATE"
  word go
  client_wait all
  until_ok everything_is_free
  farm_is_at_rest
}

# Writes zeros over so many bytes, from OFFSET on, of each of a record's first N slots or cells, which have EACH bytes. It does
# so at once: no process repairs a part meanwhile.
zero_parts() { # KEY EACH N OFFSET SIZE
  local i parts=()
  for ((i = 0; i < $3; i++)); do parts+=($(($2 * i + $4)) "$5"); done
  damage zero "$1" "${parts[@]}"
}

# met COMMAND...: the command damages the scoreboard; then the test looks. The test's process rebuilds it, or the guard
# of the queue, which may be first.
met() {
  local before
  before=$(repairs)
  "$@"
  score reap 2>>"$T/reap.log"
  until_ok repairs_are_more_than "$before"
}
repairs() { cat "$T/relay.log" "$T/reap.log" 2>/dev/null | grep -c 'was damaged; ' || true; }
repairs_are_more_than() { [ "$(repairs)" -gt "$1" ]; }

# A page of memory may end inside a record, so zeros may end there, too.
@test "a node cannot be read: the farm stays paused" {
  node_line 4001 1
  node_line 4002 1
  score load
  score pause
  score verbosity 2
  damage zero node/1
  score load
  was_kept
  [[ $(score status) == *" is paused"* ]]
  [[ $(score verbosity) == *2* ]]
  scoreboard_is_sound
}

@test "a slot of which the beginning was zeroed is not free" {
  local size
  node a 4001 2 --mode line
  entrance listener
  for name in one two; do client_start $name --line "$(until_word go)" --expect line; done
  until_ok busy_is 2
  client_start more -n 4 -c 4 --line "sleep 0" --expect line
  until_ok waiting_is 4
  for size in 68 72 76 80; do
    met zero_parts slots/1/0 144 2 0 $size
    busy_is 2
    waiting_is 4
  done
  word go
  for name in one two more; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
}

zeroed_cells() { # WAY OFFSET SIZE
  node a 4001 1 --mode line
  entrance "$1"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  for name in two three four; do client_start $name --line "sleep 0" --expect line; done
  until_ok waiting_is 3
  met zero_parts queue/0 152 8 "$2" "$3"
  until_ok waiting_is 3
  busy_is 1
  word go
  for name in one two three four; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
}

@test "listener: cells of which the beginning was zeroed are not free" { zeroed_cells listener 0 52; }
@test "connection: cells of which the beginning was zeroed are not free" { zeroed_cells connection 0 52; }
@test "listener: cells with zeroed owners: the owners are not dead" { zeroed_cells listener 8 32; }
@test "connection: cells with zeroed owners: the owners are not dead" { zeroed_cells connection 8 32; }

# The slots of a node are lost, and then the record of the processes that may hold them, before any of these has
# answered.
lost_twice() { # CORES HELD
  local i
  node a 4001 "$1" --mode line
  entrance listener
  client_start holders -n "$2" -c "$2" --line "$(until_word go)" --expect line
  until_ok busy_is "$2"
  mapfile -t relays < <(holders)
  kill -STOP "${relays[@]}"
  damage zero slots/1/0
  score reap
  busy_is 8 # a page of slots, also those that the node has no cores for
}
ends_well() {
  kill -CONT "${relays[@]}"
  word go
  client_wait holders
  client --line "sleep 0" --expect line
  farm_is_at_rest
  run -0 score fsck
}

@test "the list of possible holders of a lost slot is zeroed, too: it stays lost until all of them have answered" {
  lost_twice 2 2
  client_start more -n 4 -c 4 --line "sleep 0" --expect line
  until_ok waiting_is 4
  met damage zero lost/0
  damage zero lost/0 0 16
  run -0 score fsck --repair
  damage zero farm 76 4
  run -0 score fsck --repair
  { cat "$T/relay.log"; score slots; tdbdump "$SCOREBOARD" | grep -c lost; } >&2; busy_is 8
  waiting_is 4
  ends_well
  client_wait more
}

@test "more processes may hold what was lost than a record has room for: each is heard of" {
  local i
  node a 4001 2 --mode line
  entrance listener
  client_start held -n 2 -c 2 --line "$(until_word go)" --expect line
  until_ok busy_is 2
  for i in {1..140}; do background "$T/silent.log" sleep 600 9<"$SCOREBOARD"; done
  local silent=("${PIDS[@]: -140}")
  damage zero slots/1/0
  score reap
  tdbtool "$SCOREBOARD" keys | grep lost/2
  run -0 score fsck
  kill "${silent[@]}"
  word go
  client_wait held
  client --line "sleep 0" --expect line
  farm_is_at_rest
  run -0 score fsck
}

@test "the list of possible holders of a lost slot is zeroed, too, and no process looks: it does not stay lost for ever" {
  lost_twice 4 1
  damage zero lost/0
  ends_well
}

@test "nothing can be read, and more clients wait than a new queue has places for: each keeps its place" {
  node a 4001 1 --mode line
  entrance listener
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start crowd -n 600 -c 600 --line "sleep 0" --expect line
  until_ok waiting_is 600
  damage all
  run -0 score list
  until_ok waiting_is 600
  score queue -nr -o TICKET >"$T/tickets"
  sort -nc "$T/tickets"
  # A client that comes now is behind them all.
  client_start more --line "sleep 0" --expect line
  until_ok waiting_is 601
  # Each knows its own client's name.
  run ! grep unknown <(score queue -nr -o CLIENT)
  [ "$(score queue -nr -o TICKET | tail -n 1)" -gt "$(tail -n 1 "$T/tickets")" ]
  word go
  for name in holder crowd more; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
}

@test "it is damaged again before the nodes of a lost list are back: the slot that a connection holds stays taken" {
  node a 4001 1 --mode line
  entrance listener
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start next --line "sleep 0" --expect line
  until_ok waiting_is 1
  mv "$CONF" "$T/elsewhere"
  damage all
  until_ok grep 'rebuilt with 0 nodes, .* until the list is loaded' "$T/relay.log"
  # If no process has looked by then, the load finds the damage.
  damage chains
  mv "$T/elsewhere" "$CONF"
  score load
  until_ok kept_are 2
  until_ok waiting_is 1
  busy_is 1
  word go
  for name in holder next; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
}

@test "connection: cells with zeroed names to wake by: each waiter gets another name" { zeroed_cells connection 80 8; }

@test "a node fails, and a damaged slot of the next one is met: the slot of the first is given back" {
  node_line 4001 1 speed=9
  node b 4002 1 --mode line
  score load
  entrance alone
  damage zero slots/2/0
  client --line "sleep 0" --expect line
  until_ok grep 'was damaged; ' "$T/relay.log"
  state_is 4001 down
  farm_is_at_rest
  run -0 score fsck
}

@test "a file of which only the words of the lock are left is rebuilt, and not taken for another program's" {
  local at
  node_line 4001 1
  for at in 152 160; do
    rm -f "$SCOREBOARD"
    score load
    damage all
    printf '\1\2\3\4' | dd of="$SCOREBOARD" bs=1 seek=$at conv=notrunc status=none
    run -0 score list -nr -o NODE
    [[ $output == *"$ADDR:4001" ]]
    scoreboard_is_sound
  done
}

@test "a file that is cut short within its header is rebuilt by the next process, and not taken for another program's" {
  local size
  node a 4001 1 --mode line
  entrance connection
  client --line "sleep 0" --expect line
  for size in 1 8 9 36 39 40 100; do
    until_ok busy_is 0
    truncate -s "$size" "$SCOREBOARD"
    run -0 score list -nr -o NODE
    [[ $output == *"$ADDR:4001" ]]
    truncate -s "$size" "$SCOREBOARD"
    client --line "sleep 0" --expect line
  done
  scoreboard_is_sound
}

# The port of such a process is not seen here, and its descriptors are not seen by a relay, which is confined.
@test "a relay meets a damaged slot while another farm has relays in another network: the slot is given back" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a network of its own"; fi
  background "$T/other.log" unshare --net bash -c 'ip link set lo up && exec "$@"' bash \
    "$BUILD/cbrelay" -s "$T/other.tdb" 127.0.0.1:3632 127.0.0.1:4001
  until_ok grep -q listening "$T/other.log"
  node_line 4001 1 speed=9
  node b 4002 1 --mode line
  score load
  entrance alone
  damage zero slots/2/0
  client --line "sleep 0" --expect line
  until_ok grep 'was damaged; ' "$T/relay.log"
  farm_is_at_rest
}

# The same, and neither is root: no process of the farm sees what a process of the other farm has open.
USER_DOES=(setpriv --reuid=54321 --regid=54321 --clear-groups)

# user_meets_damage OTHER...: a user's listener meets a damaged slot while that command runs, a program of another farm. The
# user does not see what it has open.
user_meets_damage() {
  if [ "$(id -u)" != 0 ]; then skip "needs root to be another user"; fi
  open_to_nobody "$T"
  mkdir "$T/run" "$T/build"
  cp "$BUILD/cbrelay" "$T/build"
  chown 54321 "$T/run"
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  background "$T/other.log" "$@"
  until_ok eval "$OTHER_IS_READY"
  node b 4002 1 --mode line
  background "$T/relay.log" "${USER_DOES[@]}" "$T/build/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client --line "sleep 0" --expect line
  damage zero slots/1/0
  client --line "sleep 0" --expect line
  until_ok grep 'was damaged; ' "$T/relay.log"
  until_ok everything_is_free
  kill -0 "$PID"
}

@test "a user's listener meets a damaged slot while another farm of the user is in another network: the slot is given back" {
  OTHER_IS_READY='grep -q listening "$T/other.log"' user_meets_damage unshare --net bash -c 'ip link set lo up && exec "$@"' bash \
    "${USER_DOES[@]}" "$T/build/cbrelay" -s "$T/run/other.tdb" 127.0.0.1:3632 127.0.0.1:4001
}

@test "a user's listener meets a damaged slot while root's prober of another farm runs: the slot is given back" {
  echo "$ADDR, 4001, 1, 0" >"$T/other.conf"
  OTHER_IS_READY='[ "$(score -s "$T/other.tdb" list -n -o STATE)" = down ]' \
    user_meets_damage "$BUILD/cbprobe" --interval 1min -c "$T/other.conf" -s "$T/other.tdb"
}

everything_is_free() { [ "$(score slots -n | grep -c .)" = 0 ]; }

@test "slots that a node has no cores for any more are lost, too, if what they say cannot be read" {
  node a 4001 16 --mode line
  entrance listener
  client_start low -n 8 -c 8 --line "$(until_word low)" --expect line
  until_ok busy_is 8
  client_start high -n 8 -c 8 --line "$(until_word high)" --expect line
  until_ok busy_is 16
  score set "$ADDR:4001" cores=4
  met damage head slots/1/1
  grep -h 'was damaged; ' "$T/relay.log" "$T/reap.log" | grep '16 slots taken'
  busy_is 16
  client_start more -n 4 -c 4 --line "sleep 0" --expect line
  until_ok waiting_is 4
  word low
  client_wait low
  until_ok busy_is 8
  waiting_is 4
  word high
  for name in high more; do client_wait $name; done
  farm_is_at_rest
  run -0 score fsck
}

@test "a process has the scoreboard open and does not say what it holds: waiters sleep meanwhile" {
  local pid
  # How many nanoseconds the process has run, or waited for a processor to run on: all of the time, if it does not sleep.
  awake() { awk '{ printf "%.0f", $1 + $2 }' "/proc/$1/schedstat"; }
  now() { date +%s%N; }
  sleeps() {
    local before began
    before=$(awake "$1") began=$(now)
    python3 -c 'import time
while time.process_time() < 0.2: pass'
    [ $((($(awake "$1") - before) * 4)) -lt $(($(now) - began)) ]
  }
  watches() { find "/proc/$1/fd" -lname '*pidfd*' | grep .; }
  node a 4001 1 --mode line
  entrance connection
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  for name in two three; do client_start $name --line "sleep 0" --expect line; done
  until_ok waiting_is 2
  pid=$(score queue -nr -o PID | head -n 1)
  until_ok watches "$pid"
  background "$T/silent.log" sleep 600 9<"$SCOREBOARD"
  local silent=$PID
  until_ok eval 'pids_holding "$SCOREBOARD" | grep -x "$silent"'
  met damage zero slots/1/0
  until_ok sleeps "$pid"
  kill "$silent"
  word go
  for name in one two three; do client_wait $name; done
  farm_is_at_rest
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

# The section: its cost, and what happens to its lock.

load lib/helpers

LOCK=$BUILD/tests/cbtest-lock

farm() {
  node_line 4001 4
  score load
}

# hold WORD: starts a process that does WORD to the lock; its pid is in HOLDER, its output in $T/holder.log.
hold() {
  background "$T/holder.log" "$LOCK" "$1" "$SCOREBOARD"
  HOLDER=$PID
  until_ok grep -q held "$T/holder.log"
}

is_stopped() { grep -q '^State:.T' "/proc/$1/status"; }

@test "a claim and a release make no system call" {
  farm
  run -0 "$LOCK" calls "$SCOREBOARD"
  [ "$output" = "1000 claims and releases without a system call" ]
}

@test "a claim and a release make no system call among 10,000 nodes" {
  awk 'BEGIN { for (i = 0; i < 10000; i++) printf "127.77.%d.%d, 4001, 2, 0\n", i / 250, i % 250 + 1 }' >"$CONF"
  score load
  run -0 "$LOCK" calls "$SCOREBOARD"
}

@test "no section touches more records in a farm of 10,000 nodes than in one of 300" {
  nodes() {
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "127.77.%d.%d, 4001, 2, 0\n", i / 250, i % 250 + 1 }' >"$CONF"
    # Another list, in another order: of ten nodes another node has the place of the first, and of twenty the last changes.
    awk 'NR % 10 == 1 { printf "127.79.%d.%d, 4001, 20, 0\n", NR / 250, NR % 250 + 1; next }
      { print $0 (NR % 20 ? "" : ", speed=2") }' "$CONF" >"$T/other"
    tac "$T/other" >"$T/list"
  }
  nodes 300
  score load
  run -0 "$LOCK" touched "$SCOREBOARD" "$T/list"
  score fsck
  printf '%s\n' "${lines[@]}" >"$T/small"
  rm "$SCOREBOARD"
  nodes 10000
  score load
  run -0 "$LOCK" touched "$SCOREBOARD" "$T/list"
  score fsck
  printf '%s\n' "${lines[@]}" >"$T/large"
  # The index has at most two levels more.
  paste -d ' ' "$T/small" "$T/large"
  [ "$(wc -l <"$T/large")" = 18 ]
  run -0 paste -d ' ' "$T/small" "$T/large"
  for line in "${lines[@]}"; do
    read -r _ small _ _ large _ <<<"$line"
    [ "$large" -le $((small + 40)) ]
    [ "$large" -le 200 ]
  done
}

@test "no section that frees lost slots touches many records, however many were lost" {
  awk 'BEGIN { for (i = 0; i < 10000; i++) printf "127.77.%d.%d, 4001, 2, 0\n", i / 250, i % 250 + 1 }' >"$CONF"
  score load
  "$BUILD/cbscore" -s "$T/other.tdb" -c "$CONF" load
  hold late
  mv "$T/other.tdb" "$SCOREBOARD"
  # All slots of the other scoreboard are lost: the process may hold any of them.
  score status 2>&1 | grep 'its slots count as taken'
  kill -KILL "$HOLDER"
  until_ok gone "$HOLDER"
  run -0 "$LOCK" reap "$SCOREBOARD"
  [ "$output" -le 300 ]
  score status | grep ': 0 of 20000 cores busy'
}

@test "a process that waits two seconds for the lock says which process has it" {
  farm
  hold hold
  score list >"$T/out" 2>"$T/err" &
  until_ok grep -q "process $HOLDER (cbtest-lock) has its lock" "$T/err"
  [ ! -s "$T/out" ]
  kill -USR1 "$HOLDER"
  wait $!
  grep -q "$ADDR:4001" "$T/out"
  [ "$(wc -l <"$T/err")" = 1 ]
}

@test "a process that was stopped with the lock is continued, and that is said" {
  farm
  hold stop
  until_ok is_stopped "$HOLDER"
  run -0 --separate-stderr score list
  [[ $stderr == *"process $HOLDER (cbtest-lock) has its lock and was stopped; it is continued" ]]
  until_ok grep -q left "$T/holder.log"
}

# While the process $TOOL has tdb's locks: slots are claimed and released, what makes a record fails with the name of the
# process; and it does not fail when the process has ended.
only_records_wait() { # COMMAND THAT ENDS THE TOOL...
  client -n 3 --line "sleep 0" --expect line
  run -1 score add "127.78.0.1, 4001, 1, 0"
  [[ $output == *"process $TOOL (tdbtool) keeps records of it locked"* ]]
  [[ $output == *"another program keeps records of it locked; see Stock tools in corebalance-scoreboard(5)"* ]]
  client -n 3 --line "sleep 0" --expect line
  "$@"
  gone "$TOOL"
  score add "127.78.0.1, 4001, 1, 0"
  score fsck
  tdbtool "$SCOREBOARD" check
}

has_lock() { grep -q "$1 *$TOOL " /proc/locks; } # READ or WRITE: the process $TOOL has such a lock of a file

# at_prompt COMMAND: a tdbtool that has done the command and waits for the next, until `quit` or the test's end.
at_prompt() {
  mkfifo "$T/prompt"
  background "$T/tool" bash -c 'exec tdbtool "$0" <"$1"' "$SCOREBOARD" "$T/prompt"
  TOOL=$PID
  exec 9>"$T/prompt"
  echo "$1" >&9
  until_ok has_lock READ
}
quit() {
  echo quit >&9
  exec 9>&-
}

@test "a stock tool at its prompt holds up nothing but new records" {
  node a 4001 2 --mode line
  score load
  entrance listener
  at_prompt first
  only_records_wait quit
}

@test "a stock tool behind a pager holds up nothing but new records" {
  awk 'BEGIN { for (i = 0; i < 3000; i++) printf "127.77.%d.%d, 4001, 1, 0x40000000\n", i / 250, i % 250 + 1 }' >"$CONF"
  node a 4001 2 --mode line
  score load
  entrance listener
  mkfifo "$T/pager"
  # shellcheck disable=SC2016 # variables of that shell
  background "$T/tool" bash -c 'exec tdbtool "$0" keys >"$1"' "$SCOREBOARD" "$T/pager"
  TOOL=$PID
  exec 9<"$T/pager"
  until_ok has_lock WRITE # until more is read of the keys than a pipe has room for
  let_go() { exec 9<&-; }
  only_records_wait let_go
}

@test "a node that is to go while a stock tool is at its prompt goes afterwards, and stands in no way" {
  node a 4001 1 --mode line
  node_line 4002 1
  score load
  at_prompt first
  run -1 score remove "$ADDR:4002"
  state_is 4002 draining
  score reap
  probe
  state_is 4002 draining
  quit
  gone "$TOOL"
  score reap
  [ "$(score list -nr -o NODE)" = "$ADDR:4001" ]
  score fsck
}

# The scoreboard has to be repaired, and the tool's locks stand in the way of that. No client loses its place meanwhile.
copied_beside_a_tool() { # WAY
  node a 4001 1 --mode line
  score load
  "$BUILD/cbscore" -s "$T/fresh.tdb" -c "$CONF" load
  entrance "$1"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --line "sleep 0" --expect line
  until_ok waiting_is 1
  at_prompt first
  cp "$T/fresh.tdb" "$SCOREBOARD"
  until_ok grep -q "cannot .*: another program keeps records of it locked" "$T/relay.log"
  client_start three --line "sleep 0" --expect line
  # A relay of a single connection has to open the scoreboard first.
  if [ "$1" != listener ]; then until_ok grep -q "cannot open .*: another program keeps records of it locked" "$T/relay.log"; fi
  quit
  [ "$(lines_with "$T/relay.log" "cannot look after the queue")" -le 1 ]
  word go
  for name in one two three; do client_wait $name; done
  nodes_never_overfilled
  farm_is_at_rest
  score fsck
}
@test "listener: another scoreboard is copied over it beside a stock tool: clients wait for the tool" { copied_beside_a_tool listener; }
@test "connection: another scoreboard is copied over it beside a stock tool: clients wait for the tool" {
  copied_beside_a_tool connection
}
@test "inetd: another scoreboard is copied over it beside a stock tool: clients wait for the tool" { copied_beside_a_tool inetd; }

@test "while a stock tool is at its prompt, waiters for which the queue has no room stay in the backlog" {
  node a 4001 1 --mode line
  entrance listener
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  at_prompt first
  client_start crowd -n 400 -c 400 --line "sleep 0" --expect line
  until_ok grep -q "cannot accept: another program keeps records of it locked" "$T/relay.log"
  [ "$(lines_with "$T/relay.log" "process $TOOL (tdbtool) keeps")" -ge 1 ]
  word go
  client_wait one
  quit
  client_wait crowd
  grep 'ok=400 failed=0' "$T/crowd.out"
  farm_is_at_rest
}

@test "Ctrl-Z stops a process behind its section" {
  farm
  hold tstp
  # The process first goes to the end of the section, so no process waits for it.
  until_ok is_stopped "$HOLDER"
  run -0 --separate-stderr score list
  [ -z "$stderr" ]
  is_stopped "$HOLDER"
  run ! grep -q left "$T/holder.log"
  kill -CONT "$HOLDER"
  until_ok grep -q left "$T/holder.log"
}

@test "a listener that waits for the lock can be ended" {
  node a 4001 2 --mode line
  entrance listener
  client -n 2 --line "sleep 0" --expect line
  hold hold
  client_start one --line "sleep 0" --expect line
  # The listener says it, and so may a relay.
  until_ok grep -q "cbtest-lock) has its lock" "$T/relay.log"
  kill -TERM "$GATE_PID"
  until_ok grep -q stopping "$T/relay.log"
  kill -TERM "$GATE_PID" || true # once may have been enough
  gone "$GATE_PID"
  kill -0 "$HOLDER"
}

@test "a relay that waits for the lock to give its slot back can be ended, and blames no scoreboard" {
  local relay
  full_node 4001
  node_line 4001 1
  entrance connection
  client_start one --line "sleep 0" --expect line
  until_ok busy_is 1
  relay=$(score slots -nr -o PID)
  hold hold
  # The connect fails now, and the node's slot is to be given back.
  until_ok grep -q "cbtest-lock) has its lock" "$T/relay.log"
  kill -TERM "$relay"
  client_fails one
  until_ok grep 'end=K' "$T/relay.log"
  run ! grep 'the scoreboard failed' "$T/relay.log"
  kill -0 "$HOLDER"
}

@test "a process that is killed in a section holds up no other" {
  farm
  hold hold
  kill -KILL "$HOLDER"
  run -0 --separate-stderr score list
  [ -z "$stderr" ]
  scoreboard_is_sound
}

# One process at a time is in a section, whatever happens to the page meanwhile, which is for LASTS seconds.
apart_while() {
  farm
  "$LOCK" apart "$SCOREBOARD" 6 "${LASTS:-2}" >"$T/apart" 2>&1 &
  local pid=$!
  while is_running $pid; do
    "$@"
    sleep 0.02
  done
  wait $pid
  cat "$T/apart"
  [[ $(cat "$T/apart") == *"violations 0 failures 0 died 0" ]]
  score list >/dev/null
  scoreboard_is_sound
}

removed() { rm -f "$SCOREBOARD.lock"; }
cut() { truncate -s 0 "$SCOREBOARD.lock" 2>/dev/null || true; }
cut_and_filled() { dd if=/dev/zero of="$SCOREBOARD.lock" bs=4096 count=1 2>/dev/null || true; }
# All of the page but its head: the mutex, and what the C library would keep beside it.
scribbled() { dd if=/dev/urandom of="$SCOREBOARD.lock" bs=64 seek=1 count=63 conv=notrunc,nocreat 2>/dev/null || true; }
copied() { if cp "$SCOREBOARD.lock" "$T/copy" 2>/dev/null; then mv "$T/copy" "$SCOREBOARD.lock"; fi; }
linked() { rm -rf "$SCOREBOARD.lock"; ln -s "$T/victim" "$SCOREBOARD.lock" 2>/dev/null || true; }
a_folder() { rm -rf "$SCOREBOARD.lock"; mkdir "$SCOREBOARD.lock" 2>/dev/null || true; }
writable_by_all() { chmod 666 "$SCOREBOARD.lock" 2>/dev/null || true; }

@test "sections stay apart while the page is removed again and again" { apart_while removed; }
@test "sections stay apart while the page is cut short" { apart_while cut; }
@test "sections stay apart while the page is written over" { apart_while cut_and_filled; }
@test "sections stay apart while anything is written behind the page's head, and no process is made to use it as an address" {
  LASTS=4 apart_while scribbled # a process waits for two seconds where it finds such a page
}
@test "sections stay apart while copies take the page's place" { apart_while copied; }
@test "sections stay apart while every user may write the page" { apart_while writable_by_all; }
@test "sections stay apart where a folder has the page's name" { apart_while a_folder; }

@test "sections stay apart while a link has the page's name, and nothing is written through it" {
  printf 'untouched' >"$T/victim"
  apart_while linked
  [ "$(cat "$T/victim")" = untouched ]
}

@test "sections stay apart under two names of one scoreboard" {
  farm
  ln "$SCOREBOARD" "$T/other.tdb"
  "$LOCK" apart "$SCOREBOARD" 3 2 >"$T/one" &
  local one=$!
  run -0 "$LOCK" apart "$T/other.tdb" 3 2
  wait $one
  [[ $(cat "$T/one") == *"violations 0 failures 0 died 0" ]]
  scoreboard_is_sound
}

# The file is cut at a size at which no record ends.
cut_scoreboard() {
  truncate -s $((RANDOM * 3)) "$SCOREBOARD"
  score list >/dev/null 2>&1 || true
}

@test "a scoreboard that is cut short again and again ends no process, and sections stay apart" {
  farm
  "$LOCK" apart "$SCOREBOARD" 6 4 >"$T/apart" 2>&1 &
  local pid=$! cuts=0
  while is_running $pid; do
    cut_scoreboard
    sleep 0.1 # in which sections go on
    cuts=$((cuts + 1))
  done
  wait $pid
  cat "$T/apart"
  echo "$cuts cuts"
  [[ $(cat "$T/apart") == *"violations 0 "*" died 0" ]]
  [[ $(cat "$T/apart") != "sections 0 "* ]]
  score list
  scoreboard_is_sound
}

@test "a listener goes over to the new page when the old page was removed" {
  node a 4001 1 --mode line
  entrance listener
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start waits --line "sleep 0" --expect line
  until_ok waiting_is 1
  rm "$SCOREBOARD.lock"
  maps_old() { grep -q "scoreboard.tdb.lock (deleted)" "/proc/$1/maps"; }
  maps_new() { grep "scoreboard.tdb.lock" "/proc/$1/maps" | grep -qv deleted; }
  pid=$(score queue -nr -o PID)
  until_ok maps_new "$pid"
  # The new page is mapped before the old one is unmapped.
  until_ok eval '! maps_old "$pid"'
  word go
  client_wait waits
}

@test "the page has the mode and the group of the scoreboard" {
  farm
  [ "$(stat -c '%a %g' "$SCOREBOARD")" = "$(stat -c '%a %g' "$SCOREBOARD.lock")" ]
}

@test "stock tools read the scoreboard while it is used, and find it sound" {
  farm
  "$LOCK" apart "$SCOREBOARD" 2 2 >"$T/apart" &
  local pid=$!
  while is_running $pid; do
    run -0 tdbdump "$SCOREBOARD"
    run -0 tdbtool "$SCOREBOARD" check
    [[ $output == *"integrity is OK"* ]]
  done
  wait $pid
}

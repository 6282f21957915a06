#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore set: each edit changes its own fields, and nothing else, also with other edits at the same time.

load lib/helpers

@test "edits of different fields of one node at the same time all last: 150 pairs lose nothing" {
  node_line 4001 1
  score load
  local i first second
  for ((i = 1; i <= 150; i++)); do
    "$BUILD/cbscore" set "$ADDR:4001" cores=$((i + 1)) >/dev/null 3>&- &
    first=$!
    "$BUILD/cbscore" set "$ADDR:4001" speed=$i >/dev/null 3>&- &
    second=$!
    wait "$first"
    wait "$second"
    [ "$(score list -nr -o CORES,SPEED)" = "$((i + 1)) $i" ]
  done
}

@test "an edit that is half wrong changes nothing; several fields are changed together" {
  node_line 4001 2 speed=3
  score load
  run -2 score set "$ADDR:4001" cores=9 speed=fast
  [ "$(score list -nr -o CORES,SPEED)" = "2 3" ]
  run -0 score set "$ADDR:4001" cores=9 speed= backup=yes check="ssh --slot" proxy=v2
  score dump | grep -qxF "$ADDR, 4001, 9, 0, backup, check=ssh --slot, proxy=v2"
  run -0 score set "$ADDR:4001" backup=no check= proxy=
  score dump | grep -qxF "$ADDR, 4001, 9, 0"
}

# The farm has exactly the nodes of $T/list, in that order, and nothing in the scoreboard contradicts anything else.
is_the_list() {
  run -0 score fsck
  score dump | grep -v '^#' | cut -d, -f1 | diff - "$T/list"
}

@test "nodes that come and go leave the others in their order, whatever size the index has" {
  local n name
  # The index has pages of 32, so another level begins at 33 nodes, and at 1,025.
  for n in 0 31 1023; do
    awk -v n="$n" 'BEGIN { for (i = 0; i < n; i++) printf "127.77.%d.%d, 4001, %d, 0\n", i / 250, i % 250 + 1, i % 20 + 1 }' >"$CONF"
    cut -d, -f1 "$CONF" >"$T/list"
    rm -f "$SCOREBOARD"
    score load
    for i in 1 2 3 4; do
      score add "127.78.0.$i, 4001, $((i * 5)), 0"
      echo "127.78.0.$i" >>"$T/list"
      is_the_list
    done
    for i in 1 2 3 4 5; do
      name=$(shuf -n 1 "$T/list")
      [ -n "$name" ] || break
      score remove "$name:4001"
      grep -vxF "$name" "$T/list" >"$T/rest" || true
      mv "$T/rest" "$T/list"
      is_the_list
    done
  done
}

@test "a load puts the nodes into the order of any other list" {
  local round
  for round in 1 2 3 4 5 6; do
    shuf -i 1-70 -n $((20 + round * 8)) | awk -v r="$round" '{ printf "127.77.0.%d, 4001, %d, 0\n", $1, ($1 * r) % 30 + 1 }' >"$CONF"
    cut -d, -f1 "$CONF" >"$T/list"
    score load
    is_the_list
    diff <(score list -nr -o CORES) <(cut -d, -f3 "$CONF" | tr -d ' ')
  done
}

@test "a node that was removed and still has a connection can be added again, behind the others" {
  node a 4001 2 --mode line
  node b 4002 2 --mode line
  entrance alone
  client_start first --line "$(until_word go)" --expect line
  until_ok busy_is 1
  local name
  name=$(score slots -nr -o NODE)
  score remove "$name"
  [ "$(score list -nr -o NODE,STATE,BUSY | grep -F "$name")" = "$name draining 1" ]
  run -2 score add "${name%:*}, ${name#*:}, 0, 0"
  score add "${name%:*}, ${name#*:}, 3, 0"
  [ "$(score list -nr -o NODE,STATE,CORES,BUSY | tail -n 1)" = "$name up 3 1" ]
  run -1 score add "${name%:*}, ${name#*:}, 3, 0"
  score fsck
  word go
  client_wait first
  [ "$(score list -nr -o NODE | wc -l)" = 2 ]
  farm_is_at_rest
}

@test "of processes that add the same node at once a single process adds it" {
  node_line 4001 1
  score load
  local i pids pid added
  for i in $(seq 15); do
    pids=() added=0
    for _ in 1 2 3 4; do
      "$BUILD/cbscore" -c "$CONF" add "127.78.0.$i, 4001, 1, 0" >/dev/null 2>&1 3>&- &
      pids+=($!)
    done
    for pid in "${pids[@]}"; do
      if wait "$pid"; then added=$((added + 1)); fi
    done
    [ $added = 1 ]
  done
  [ "$(score list -nr -o NODE | sort -u | wc -l)" = 16 ]
  [ "$(score list -nr -o NODE | wc -l)" = 16 ]
  score fsck
}

@test "loads and edits at the same time, with clients: the scoreboard is sound, and the next load has its list" {
  local i loads=()
  node a 4001 3 --mode hold:1
  cp "$CONF" "$T/one"
  (cat "$CONF"; for i in $(seq 40); do echo "127.77.0.$i, 4001, $i, 0x40000000"; done) >"$T/two"
  tac "$T/two" | sed '/127.77.0.2[0-9]/d' >"$T/three"
  cp "$T/two" "$CONF"
  entrance alone
  client_start crowd -n 600 -c 20 --expect line
  for i in 1 2 3; do
    for list in two three one; do
      "$BUILD/cbscore" -c "$CONF" load - <"$T/$list" >>"$T/loads" 2>&1 3>&- &
      loads+=($!)
    done
    score set "$ADDR:4001" cores=$((3 - i % 2))
    wait "${loads[@]}"
    loads=()
    score fsck
  done
  client_wait crowd
  grep 'ok=600 failed=0' "$T/crowd.out"
  score load - <"$T/three"
  [ "$(score list -nr -o NODE | wc -l)" = 31 ]
  [ "$(score list -nr -o NODE | tail -n 1)" = "$ADDR:4001" ]
  farm_is_at_rest
}

# Starts a load of a list that stops after each of its sections; its pid is in $PID.
load_in_steps() { # LOG, LIST
  # shellcheck disable=SC2016 # variables of that shell
  background "$1" bash -c 'LD_PRELOAD=$0 exec "$1" -c "$2" load - <"$3"' "$PRELOAD" "$BUILD/cbscore" "$CONF" "$2"
  until_ok is_at_rest "$PID"
}
is_at_rest() { ! is_running "$1" || [ "$STATE" = T ]; }
step() { # PID
  kill -CONT "$1"
  until is_at_rest "$1"; do :; done
}

@test "what reads the farm while a load puts it into another order sees each node once" {
  local first second
  preload steps
  for i in $(seq 150); do echo "127.77.0.$i, 4001, $i, 0"; done >"$CONF"
  for i in $(seq 150); do echo "127.77.1.$i, 4001, $i, 0"; done >>"$CONF"
  score load
  cp "$CONF" "$T/longer"
  sed -i '1a 127.78.0.1, 4001, 7, 0' "$T/longer"
  load_in_steps "$T/first" "$T/longer"
  first=$PID
  while is_running "$first" && [ "$(score list -nr -o NODE | sed -n 2p)" != 127.78.0.1:4001 ]; do step "$first"; done
  load_in_steps "$T/second" "$T/longer"
  second=$PID
  while is_running "$second"; do
    step "$second"
    if is_running "$first"; then step "$first"; fi
  done
  until_ok gone "$first"
  cat "$T/first" "$T/second"
  [ "$(score list -nr -o NODE,CORES,STATE)" = "$(awk -F ', ' '{ print $1 ":" $2, $3, "up" }' "$T/longer")" ]
  grep '^0 added' "$T/second"
  score fsck
}

@test "where there is no room for all new nodes of a list none comes, and nothing else changes" {
  small_run 6m
  for i in $(seq 20); do echo "127.77.0.$i, 4001, 2, 0"; done >"$CONF"
  score load
  score dump >"$T/before"
  fill_run
  (echo "127.77.0.1, 4001, 9, 0"; for i in $(seq 2000); do echo "127.78.$((i / 250)).$((i % 250 + 1)), 4001, 40, 0"; done) >"$T/large"
  run ! score load - <"$T/large"
  [[ $output == *"No space left"* ]]
  rm "$T/run/ballast"
  score dump | diff "$T/before" -
  score fsck
}

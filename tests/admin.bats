#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The verbs by which an administrator looks after a farm: status, check, pause, diff, load --dry-run, edit, slots --free.

load lib/helpers
load lib/terminal

teardown() {
  terminal_end
  farm_teardown
}

@test "status: the farm in a few lines; which clients wait, what is wrong since when, and how the last hour was" {
  node a 4001 1 --mode line
  echo 'no-such-host.invalid, 3632, 4, 0' >>"$CONF"
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --line "sleep 5" --expect line
  until_ok waiting_is 1
  run -0 score status
  [[ ${lines[0]} =~ ^farm\ [a-z.-]+:\ 1\ of\ 5\ cores\ busy,\ 1\ waiting\ \(oldest\ [0-9]+[smh]\),\ 1\ of\ 2\ nodes\ up$ ]]
  [[ ${lines[1]} =~ ^\ \ no-such-host.invalid:3632\ down\ [0-9]+[smh]:\ name\ does\ not\ resolve$ ]]
  [[ ${lines[2]} == "  last hour: 0 served, 0 failed"* ]]
  word go
  client_wait one
  client_wait two
  until_ok eval "score status | grep -q 'last hour: 2 served, 0 failed, wait p50 '"
}

@test "pause lets every new connection wait and resume lets them go, in order; it is seen everywhere" {
  node a 4001 2 --mode line
  entrance alone
  client_start present --line "$(until_word go)" --expect line
  until_ok busy_is 1
  run -0 score pause
  [ "$output" = "the farm is paused; 1 connection goes on, 0 wait" ]
  run -0 score pause
  [[ $output == "the farm is already paused;"* ]]
  client_start later --line "$(until_word end)" --expect line
  until_ok waiting_is 1
  word go
  client_wait present
  until_ok busy_is 0
  waiting_is 1
  score status | grep -q ' is paused: 0 of 2 cores busy, 1 waiting'
  score list | grep -q 'the farm is paused'
  score explain | grep -q 'the farm is paused'
  [ "$(score slots --free)" = 0 ]
  score status -J | jq -e '.free == 0'
  run -1 score check -J -w free=1:
  jq -e '.figures[0] | .value == 0 and .alert == "WARNING"' <<<"$output"
  run -1 score check
  [[ $output == "COREBALANCE WARNING - the farm is paused"* ]]
  [ "$(score list -nr -o STATE)" = up ]
  run -0 score fsck
  run -0 score resume
  [ "$output" = "the farm goes on; 0 connections go on, 1 waits" ] || [ "$output" = "the farm goes on; 1 connection goes on, 0 wait" ]
  word end
  client_wait later
  run -0 score resume
  [[ $output == "the farm was not paused;"* ]]
  farm_is_at_rest
}

@test "slots --free is one number: what a build may start at once" {
  node_line 4001 3
  node_line 4002 2 backup
  score load
  [ "$(score slots --free)" = 3 ]
  score status -J | jq -e '.free == 3'
  score down "$ADDR:4001"
  [ "$(score slots --free)" = 2 ]
}

@test "check is a monitoring plugin: statuses, ranges and figures as plugins have them" {
  node_line 4001 4
  node_line 4002 4
  score load
  run -0 score check
  [ "$output" = "COREBALANCE OK - 2 of 2 nodes up, 0 of 8 cores busy, 0 waiting | free=8;;;0; waiting=0;;;0; oldest=0s;;;0; down=0;0;;0;" ]
  expects() { # STATUS WORD OPTION...
    run "-$1" score check "${@:3}"
    [[ $output == "COREBALANCE $2 - "* ]] || { echo "$output"; return 1; }
  }
  expects 0 OK -w 8: -c 4:
  expects 1 WARNING -w 9: -c 4:
  expects 2 CRITICAL -w 9: -c 9:
  expects 0 OK -w 10
  expects 1 WARNING -w 7
  expects 1 WARNING -w @5:8
  expects 0 OK -w @9:10
  expects 1 WARNING -w '~:7'
  expects 0 OK -w -3:8
  expects 1 WARNING --warning=-3:-1
  expects 1 WARNING -w @-3:8
  expects 0 OK -w "waiting=0,oldest=5,free=~:8"
  expects 2 CRITICAL --critical=waiting=1:
  # Behind the verb -c is the verb's own option; before it, -c is the node list.
  run -0 "$BUILD/cbscore" -c "$CONF" -s "$SCOREBOARD" check -c 4:
  # An administrator's hold is no fault; a farm without a node that is up is.
  score down "$ADDR:4001"
  expects 0 OK
  score down "$ADDR:4002"
  expects 2 CRITICAL
  # A plugin's usage error is UNKNOWN, and so is a farm that is not there.
  for wrong in x 8:4 -1 4:x free= speed=3 @ ''; do
    run -3 score check -w "$wrong"
  done
  run -3 score check --colour
  COREBALANCE_FARM=a/b run -3 --separate-stderr "$BUILD/cbscore" check
  [ "$output" = 'COREBALANCE UNKNOWN - $COREBALANCE_FARM: "a/b": expected the name of a farm' ]
  COREBALANCE_FARM=a/b run -3 --separate-stderr "$BUILD/cbscore" check -J
  jq -e '.status == "UNKNOWN"' <<<"$output"
  run -3 --separate-stderr bash -c '"$0" check -s "$1" >/dev/full' "$BUILD/cbscore" "$SCOREBOARD"
  # A scoreboard that is to be made anew from a list that is wrong.
  echo broken >"$T/broken.conf"
  : >"$T/damaged.tdb"
  run -3 --separate-stderr "$BUILD/cbscore" -c "$T/broken.conf" -s "$T/damaged.tdb" check
  [ "$output" = "COREBALANCE UNKNOWN - $T/broken.conf: 1 error" ]
  [[ $stderr == *"broken.conf:1: port: missing"* ]]
  run -3 score check -s "$T/none.tdb"
  [ "$output" = "COREBALANCE UNKNOWN - $T/none.tdb: no such scoreboard; cbscore load makes one" ]
  [ ! -e "$T/none.tdb" ]
}

@test "diff and load --dry-run tell what a load would change, and change nothing" {
  node_line 4001 8
  node_line 4002 4
  score load
  run -0 score diff
  [ "$output" = "$CONF and the farm agree" ]
  printf '%s, 4001, 4, 0, speed=2\n%s, 4003, 1, 0\n' "$ADDR" "$ADDR" >"$CONF"
  run -1 score diff
  expected="~ $ADDR:4001 cores 8 -> 4, speed not set -> 2
+ $ADDR:4003 added, cores 1
- $ADDR:4002 draining, 0 connections go on"
  [ "$output" = "$expected" ]
  run -0 score load --dry-run
  [ "$output" = "$expected
1 to add, 1 to change, 1 to drain, 0 kept; nothing is done" ]
  [ "$(score list -nr -o CORES | paste -sd' ')" = "8 4" ]
  run -0 score load
  [ "$output" = "1 added, 1 changed, 0 draining, 1 removed, 0 kept" ]
  run -0 score diff - <"$CONF"
}

@test "status, check, diff and load in JSON, with the members that the manual names" {
  node_line 4001 8
  node_line 4002 4
  score load
  score status -J >"$T/json"
  jq -e '.slots == 12 and .busy == 0 and (.nodes | length) == 2 and .nodes[0].state == "up" and .oldest_since == null' "$T/json"
  run -1 score check -J -w free=13:,waiting=3 -c oldest=5
  jq -e '.status == "WARNING" and .text == "2 of 2 nodes up, 0 of 12 cores busy, 0 waiting" and
    (.figures | map(.figure)) == ["free", "waiting", "oldest", "down"] and
    .figures[0] == {figure: "free", value: 12, warning: "13:", critical: null, alert: "WARNING"} and
    .figures[1].alert == null and .figures[2].critical == "5" and .figures[3].warning == "0"' <<<"$output"
  run -3 score check -J -s "$T/none.tdb"
  jq -e '.status == "UNKNOWN" and .figures == [] and (.text | endswith(": no such scoreboard; cbscore load makes one"))' <<<"$output"
  run -0 score diff -J
  jq -e '. == {diff: [], added: 0, changed: 0, draining: 0, kept: 2}' <<<"$output"
  printf '%s, 4001, 4, 0, speed=2\n%s, 4003, 1, 0\n' "$ADDR" "$ADDR" >"$CONF"
  run -1 score diff -J
  jq -e --arg a "$ADDR" '.diff == [
    {change: "changed", node: ($a + ":4001"), cores: 4, busy: 0, fields: [
      {field: "cores", before: "8", after: "4"}, {field: "speed", before: null, after: "2"}]},
    {change: "added", node: ($a + ":4003"), cores: 1, busy: 0, fields: []},
    {change: "draining", node: ($a + ":4002"), cores: 4, busy: 0, fields: []}] and
    .added == 1 and .changed == 1 and .draining == 1 and .kept == 0 and (keys | length) == 5' <<<"$output"
  # What load would do is what diff says, in the same form; then it is done.
  diff - <(score load --dry-run -J) <<<"$output"
  run -0 score load -J
  jq -e '. == {added: 1, changed: 1, draining: 0, removed: 1, kept: 0}' <<<"$output"
}

@test "edit replaces and loads the node list only if it is valid; a second edit is refused meanwhile" {
  node_line 4001 8
  chmod 640 "$CONF"
  score load
  before=$(cat "$CONF")
  EDITOR='sed -i "s/, 8,/, x,/"' run -78 score edit </dev/null
  [[ $output == *'cores: "x": expected 1 to 65535'* ]]
  [ "$(cat "$CONF")" = "$before" ]
  EDITOR=false run -1 score edit
  [[ $output == *"false: the editor failed; nothing is changed"* ]]
  EDITOR=true run -0 score edit
  [ "$output" = "$CONF is unchanged" ]
  EDITOR='sed -i "s/, 8,/, 3,/"' run -0 score edit
  [ "$output" = "0 added, 1 changed, 0 draining, 0 removed, 0 kept" ]
  [ "$(score list -nr -o CORES)" = 3 ]
  [ "$(stat -c %a "$CONF")" = 640 ]
  [ "$(find "$T" -name "$(basename "$CONF").*" | wc -l)" = 0 ]
  EDITOR="$BUILD/cbscore -c $CONF -s $SCOREBOARD edit #" run -1 score edit
  [[ $output == *"$CONF: another cbscore edit has it open"* ]]
}

@test "edit: an editor that is killed, a signal, a list that is missing or a link: nothing is half done, no copy is left" {
  node_line 4001 8
  mv "$CONF" "$T/linked.conf"
  ln -s linked.conf "$CONF"
  score load
  no_copy() { [ "$(find "$T" -name '*.conf*' | wc -l)" = 2 ]; }
  # shellcheck disable=SC2016 # for the editor's shell
  EDITOR='kill -KILL $$ #' run -1 score edit
  [[ $output == *": the editor was ended by SIGKILL; nothing is changed" ]]
  no_copy
  # A signal is the editor's; cbscore ends after it, and removes the copy.
  for signal in TERM HUP; do
    rm -f "$T/editing"
    EDITOR="touch $T/editing; exec sleep 600 #" background "$T/edit.out" "$BUILD/cbscore" -c "$CONF" edit
    until_ok test -e "$T/editing"
    kill -"$signal" "$PID"
    gone "$PID"
    grep -q "the editor was ended by SIG$signal; nothing is changed" "$T/edit.out"
    no_copy
  done
  # A link stays a link, and its file is edited.
  EDITOR='sed -i "s/, 8,/, 3,/"' run -0 score edit
  [ -L "$CONF" ]
  grep -q ', 3,' "$T/linked.conf"
  [ "$(score list -nr -o CORES)" = 3 ]
  # A list that is missing is not there afterwards, if the editor saved nothing.
  EDITOR=false run -1 score -c "$T/none/nodes.conf" edit
  [[ $output == *"$T/none/nodes.conf: No such file or directory" ]]
  mkdir "$T/new"
  for editor in false true; do
    EDITOR=$editor run score -c "$T/new/nodes.conf" -s "$T/new/s.tdb" edit
    [ -z "$(ls "$T/new")" ]
  done
  EDITOR="echo $ADDR, 4001, 2, 0 >" run -0 score -c "$T/new/nodes.conf" -s "$T/new/s.tdb" edit
  [ "$output" = "1 added, 0 changed, 0 draining, 0 removed, 0 kept" ]
}

@test "edit: a signal at the question whether to edit again leaves no copy, and no list where there was none" {
  local key
  mkdir "$T/new"
  for key in C-c 'C-\' TERM; do
    on_terminal 80 24 "trap : INT QUIT; EDITOR='echo bad >' '$BUILD/cbscore' -c '$T/new/nodes.conf' -s '$T/new/s.tdb' edit"
    until_ok shows "Edit it again?"
    if [ "$key" = TERM ]; then
      pkill -TERM -x cbscore -P "$("${MUX[@]}" list-panes -F '#{pane_pid}')"
    else
      keys "$key"
    fi
    until_ok shows "ended "
    [ -z "$(ls "$T/new")" ]
    "${MUX[@]}" kill-server
  done
}

@test "edit: a signal that comes as the editor begins is the editor's, too, and no copy is left" {
  [ -z "${SANITIZE-}" ] || skip "the leak detector does not work beside strace"
  strace -qq -o /dev/null true 2>/dev/null || skip "no process may be traced on this machine"
  node_line 4001 8
  # The editor sends the signal before cbscore goes on from its fork.
  # shellcheck disable=SC2016 # for the editor's shell
  EDITOR='kill -TERM $PPID; exec sleep 600 #' run -1 strace -qq -o /dev/null -e trace=clone -e inject=clone:delay_exit=500000 \
    "$BUILD/cbscore" -c "$CONF" edit
  [[ $output == *": the editor was ended by SIGTERM; nothing is changed" ]]
  [ "$(find "$T" -name "$(basename "$CONF").*" | wc -l)" = 0 ]
}

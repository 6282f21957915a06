#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What cbscore prints, and how it changes the farm node by node.

# shellcheck disable=SC2016  # expressions of jq
load lib/helpers

# The columns of a table, by --help.
columns() { score --help=raw | awk -F'\t' -v verb="$1" '$1 == "column" && $2 == verb { print $3 }'; }

@test "explain takes the address of a client, and nothing else" {
  node_line 4001 2
  score load
  for client in 192.0.2.7 192.0.2.7:4000 2001:db8::7 '[2001:db8::7]:80' '[::1]' unix unix:77; do
    run -0 score explain "$client"
  done
  for client in foo 192.0.2 192.0.2.7:x '[::1' '[10.0.0.1]:3' 192.0.2.7:99999 unix:x; do
    run -2 score explain "$client"
    [[ $output == *"\"$client\": expected the address of a client"* ]]
  done
  node_line 4002 4 speed=2
  score load
  run -0 score explain
  [ "${lines[-1]}" = "$ADDR:4001 comes next: slower; speed 1 against 2, worth 1 against 2, 2 of 2 free against 4 of 4." ]
  score remove "$ADDR:4002"
  [[ $(score explain) != *"comes next"* ]]
  score down "$ADDR:4001"
  [ "$(score explain -nr -o WHY)" = 'held\x20by\x20an\x20administrator' ]
}

@test "several nodes are held and put back at once, none if a name is unknown; a reason is not lost silently" {
  node_line 4001 2
  node_line 4002 2
  echo 'no-such-host.invalid, 3632, 4, 0' >>"$CONF"
  score load
  run -0 score down "$ADDR:4001" "$ADDR:4002" --reason "new memory"
  [ "$output" = "$ADDR:4001 is held
$ADDR:4002 is held
no node is up now: every connection waits" ]
  [ "$(score list -nr -o STATE,DETAIL | head -n 2 | sort -u)" = 'held new\x20memory' ]
  run -0 score down "$ADDR:4001"
  [ "${lines[0]}" = "$ADDR:4001 is already held: new memory" ]
  run -0 score down "$ADDR:4001" --reason "old fan"
  [ "${lines[0]}" = "$ADDR:4001 is already held; reason \"new memory\" -> \"old fan\"" ]
  run -3 --separate-stderr score up "$ADDR:4001" nowhere "$ADDR:4003" no-such
  [ "$stderr" = "cbscore: nowhere: no such node; cbscore list shows them
cbscore: $ADDR:4003: no such node; nearest: $ADDR:4001
cbscore: no-such: no such node; nearest: no-such-host.invalid:3632" ]
  [ "$(score list -nr -o STATE | head -n 1)" = held ]
  run -0 score up "$ADDR:4001" "$ADDR:4002" no-such-host.invalid
  [ "${lines[0]}" = "$ADDR:4001 is no longer held" ]
  [ "${lines[2]}" = "no-such-host.invalid:3632 was not held; it is down: name does not resolve" ]
}

@test "an option may stand before its verb, also with a letter that several verbs have" {
  node_line 4001 2
  score load
  run -0 "$BUILD/cbscore" -w free=2: check
  run -1 "$BUILD/cbscore" -w free=3: -s "$SCOREBOARD" check
  run -1 "$BUILD/cbscore" -wfree=3: check
  run -0 "$BUILD/cbscore" -w down "$ADDR:4001"
  [[ $output == *"is held"*"no connection left" ]]
  # A word that is the value of an option is no verb.
  run -1 "$BUILD/cbscore" -s check list
  [[ $output == "cbscore: check: no such scoreboard"* ]]
  run -2 "$BUILD/cbscore" --web 192.0.2.1:nonsense serve
  [[ $output == *'--web: "192.0.2.1:nonsense": '*"expected [ADDRESS:]PORT"* ]]
  run -2 "$BUILD/cbscore" --colour list
  [[ $output == *"list: unrecognized option '--colour'"* ]]
  run -2 "$BUILD/cbscore" --warning free=2: list
  [[ $output == *"list: has no use for --warning"* ]]
}

@test "down --wait waits until the node is empty, and tells how many connections are left; with a timeout it gives up" {
  node a 4001 2 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  client_start two --line "$(until_word go)" --expect line
  until_ok busy_is 2
  # A time without what it is for would be ignored: it is refused, and nothing is held.
  run -2 score down "$ADDR:4001" --timeout 300ms
  [[ $output == *"down: --timeout: expected also --wait or --kill"* ]]
  run -2 score remove "$ADDR:4001" --timeout 300ms
  state_is 4001 up
  run -1 --separate-stderr score down "$ADDR:4001" --wait --timeout 300ms
  [[ $output == *"$ADDR:4001 is held; 2 connections of it go on"*"2 connections left, the oldest "*", of "* ]]
  [ "$stderr" = "cbscore: 2 connections left when the time was over" ]
  score down "$ADDR:4001" -w >"$T/wait.out" &
  local waiter=$!
  until_ok grep -q '2 connections left' "$T/wait.out"
  word go
  wait "$waiter"
  [ "$(tail -n 1 "$T/wait.out")" = "no connection left" ]
  client_wait one
  client_wait two
}

@test "what down --wait holds is held after a reboot, however the wait ends" {
  [ "$(id -u)" = 0 ] || skip "needs root to mount"
  mkdir "$T/run" "$T/kept"
  SCOREBOARD=$T/run/scoreboard.tdb
  export COREBALANCE_SCOREBOARD=$SCOREBOARD
  node a 4001 1 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  # shellcheck disable=SC2016  # the inner bash expands it
  background "$T/down.out" unshare --mount bash -euc 'mount -t tmpfs none /run && mount -t tmpfs none /var/lib
    mkdir /run/corebalance /var/lib/corebalance
    mount --bind "$1" /run/corebalance && mount --bind "$2" /var/lib/corebalance
    shift 2
    exec "$@"' bash "$T/run" "$T/kept" \
    "$BUILD/cbscore" -c "$CONF" -s /run/corebalance/scoreboard.tdb down "$ADDR:4001" --reason "new memory" --wait
  until_ok grep -q '1 connection left' "$T/down.out"
  kill -9 "$PID"
  gone "$PID"
  grep -x "$ADDR:4001 new memory" "$T/kept/scoreboard.holds"
  word go
  client_wait one
}

@test "kill ends a connection by its slot or its client, and the slot goes to the next; down --kill and remove --kill empty a node" {
  node a 4001 1 --mode line
  entrance alone
  client_start one --line "sleep 60000" --expect line
  until_ok busy_is 1
  client_start two --line "$(until_word go)" --expect line
  until_ok waiting_is 1
  # A slot that was granted and not taken yet cannot be ended.
  ends() { score kill "$1" >"$T/ended"; }
  until_ok ends "$ADDR:4001/0"
  [[ $(<"$T/ended") == "$ADDR:4001/0: the connection of "*" is ended" ]]
  until_ok waiting_is 0
  busy_is 1
  run -1 score kill nobody
  [[ $output == *"nobody: no slot is held by that name"* ]]
  until_ok ends "$(score slots -nr -o CLIENT)"
  until_ok busy_is 0
  client_start three --line "sleep 60000" --expect line
  until_ok busy_is 1
  run -0 score down "$ADDR:4001" --kill
  [[ $output == *"no connection left" ]]
  busy_is 0
  score up "$ADDR:4001"
  client_start four --line "sleep 60000" --expect line
  until_ok busy_is 1
  run -0 score remove "$ADDR:4001" --wait --kill --timeout 100ms
  [[ $output == *"no connection left" ]]
  until_ok eval '[ -z "$(score list -n)" ]'
}

@test "a removed node that has connections yet can be removed again: so --wait and --kill can be given later" {
  node a 4001 1 --mode line
  entrance alone
  client_start one --line "sleep 60000" --expect line
  until_ok busy_is 1
  run -0 score remove "$ADDR:4001"
  [ "$output" = "$ADDR:4001 is removed; 1 connection of it goes on; $CONF still has it, the next load adds it again" ]
  run -0 score remove "$ADDR:4001"
  [ "$output" = "$ADDR:4001 is already removed; 1 connection of it goes on; $CONF still has it, the next load adds it again" ]
  run -0 score remove "$ADDR:4001" --kill
  [[ $output == *"is already removed"*"no connection left" ]]
  until_ok eval '[ -z "$(score list -n)" ]'
  run -3 score remove "$ADDR:4001"
}

@test "every column of every table is printed, as people read it, in raw and in JSON" {
  node a 4001 3 --mode line
  echo "$ADDR, 4002, 2, 0, backup, speed=2, check=tcp, proxy=v1, check-proxy=v2" >>"$CONF"
  score load
  entrance alone
  client_start holder -n 3 --line "sleep 60000" --expect line
  until_ok busy_is 3
  client_start crowd -n 3 --line "sleep 0" --expect line
  until_ok waiting_is 3
  local table all
  for table in list slots queue explain; do
    all=$(columns "$table" | paste -sd,)
    [ -n "$all" ]
    run -0 score "$table" -o "$all"
    [ "$(tr -s ' ' ',' <<<"${lines[0]}" | sed 's/,$//')" = "$all" ]
    run -0 score "$table" -r -n -o "$all"
    # One word for each column, in each line.
    [ "${#lines[@]}" -ge 2 ]
    awk -v n="$(columns "$table" | wc -l)" 'NF > n { print; bad = 1 } END { exit bad }' <<<"$output"
    run -0 score "$table" -J -o "$all"
    [ "$(jq -r '.[][0] | keys_unsorted | join(",") | ascii_upcase' <<<"$output")" = "$all" ]
  done
}

@test "a table without a line: the headings, an empty list in JSON, nothing without headings" {
  node_line 4001 1
  score load
  [ "$(score queue | awk '{ print $1 }')" = "$(columns queue | head -n 1)" ]
  [[ $(score slots) == NODE* ]]
  [ "$(score queue -J | jq -c .)" = '{"queue":[]}' ]
  [ -z "$(score queue -n)" ]
}

@test "--sort: numbers by value, words as words, also by a column that is not shown" {
  for cores in 9 10 1; do node_line 40$cores $cores; done
  score load
  [ "$(score list -nr -o CORES --sort CORES | paste -sd' ')" = "1 9 10" ]
  [ "$(score list -nr -o CORES --sort NODE | paste -sd' ')" = "1 10 9" ]
  [ "$(score list -nr -o NODE --sort CORES | sed 's/.*://' | paste -sd' ')" = "401 409 4010" ]
  run -2 score list --sort CORNS
  [[ $output == *'unknown column "CORNS"; did you mean CORES? Expected NODE CORES'* ]]
  run -2 score list -r -J
  [[ $output == *"--raw and --json: expected one of them"* ]]
}

@test "add, set, remove, dump: each says what it did, and dump is a node list that makes the same farm" {
  node_line 4001 2
  score load
  run -0 score add "$ADDR, 4002, 4, 0, backup, check=tcp"
  [ "$output" = "$ADDR:4002 is added, until the next load; $CONF does not have it" ]
  run -0 score add "[::1], 4003, 1, 0, speed=1.5"
  run -0 score set "$ADDR:4001" cores=7 proxy=v1 check-proxy=v2 speed=0.5
  [ "$output" = "$ADDR:4001: cores 2 -> 7, speed not set -> 0.5, proxy not set -> v1, check-proxy not set -> v2" ]
  run -0 score set "[::1]:4003" backup=yes
  run -0 score dump
  [[ ${lines[0]} == '# host, port, cores'* ]]
  score dump >"$T/dumped"
  [ "$(grep -c . "$T/dumped")" = 4 ]
  grep -qx "$ADDR, 4001, 7, 0, .*proxy=v1.*" "$T/dumped"
  cp "$T/dumped" "$CONF"
  run -0 score load
  [[ $output == "0 added, 0 changed, 0 draining, 0 removed, 3 kept"* ]]
  score dump | diff "$T/dumped" -
  run -0 score remove "[::1]:4003"
  [ "$(score list -n | grep -c .)" = 2 ]
}

@test "set flags= holds a node and puts it back, whatever was done since the list said so" {
  node_line 4001 2
  score load
  score down "$ADDR:4001" --reason broken
  run -0 score set "$ADDR:4001" cores=3
  [ "$(score list -nr -o STATE,CORES)" = 'held 3' ]
  run -0 score set "$ADDR:4001" flags=0
  [ "$(score list -nr -o STATE)" = up ]
  run -0 score set "$ADDR:4001" flags=0x40000000
  [ "$(score list -nr -o STATE)" = held ]
  score up "$ADDR:4001"
  run -0 score set "$ADDR:4001" speed=2
  [ "$(score list -nr -o STATE)" = up ]
  run -0 score set "$ADDR:4001" flags=0x40000000
  [ "$(score list -nr -o STATE)" = held ]
  # Nothing is told that is not done: only probes and connections take a node down.
  run -0 score set "$ADDR:4001" flags=0x80000000
  [ "$output" = "$ADDR:4001: flags 0x40000000 -> 0 (whether it is down is left to probes and connections)" ]
  [ "$(score list -nr -o STATE,FLAGS)" = 'up 0x00000000' ]
  run -0 score fsck
}

@test "what cannot be added, set or removed is told, with its status, and nothing changes" {
  node_line 4001 2
  node_line 4002 2
  score load
  before=$(score dump)
  refused() { # STATUS TEXT ARGUMENT...
    run "-$1" --separate-stderr score "${@:3}"
    [[ $stderr == *"$2"* ]] || { echo "$stderr"; return 1; }
    [ "$(score dump)" = "$before" ]
  }
  refused 1 "$ADDR:4001: is a node already" add "$ADDR, 4001, 1, 0"
  refused 2 'expected 1 to 65535' add "$ADDR, 4003, 0, 0"
  refused 2 'expected one node: host, port, cores, flags' add "# only a remark"
  refused 2 'add: expected a line of at most 2047 bytes' add "$ADDR, 4003, 1, 0$(printf '%2048s' ''), backup"
  refused 3 'nowhere:1: no such node' set nowhere:1 cores=2
  refused 3 'nowhere:1: no such node' remove nowhere:1
  refused 3 "$ADDR: 2 nodes have this host: expected host:port" set "$ADDR" cores=2
  refused 2 '"colour=red": expected cores=, flags=, speed=' set "$ADDR:4001" colour=red
  refused 2 'set: "cores"; did you mean cores=? Expected cores=, flags=, speed=' set "$ADDR:4001" cores
  refused 2 'set: "coers=3"; did you mean cores=? Expected cores=, ' set "$ADDR:4001" coers=3
  refused 2 'key: "chekc"; did you mean check=? Expected speed=, ' add "$ADDR, 4003, 1, 0, chekc=tcp"
  refused 2 'key: "bakup"; did you mean backup? Expected speed=, ' add "$ADDR, 4003, 1, 0, bakup"
  refused 2 '--policy: "sprad"; did you mean spread? Expected fastest, ' explain --policy sprad
  refused 2 'backup: "perhaps": expected yes or no' set "$ADDR:4001" backup=perhaps
  refused 2 'without a comma' set "$ADDR:4001" check=tcp,banner
  refused 2 'check: "banner:a#b": expected one line of at most 255 bytes, without a comma or #' \
    set "$ADDR:4001" check=banner:a#b
  refused 2 'cores: "3#": expected one line' set "$ADDR:4001" 'cores=3#'
  refused 2 'flags: "0 #": expected one line' set "$ADDR:4001" backup=yes 'flags=0 #'
  refused 2 'expected one line' set "$ADDR:4001" check=tcp$'\n'
  refused 2 'expected 1 to 65535' set "$ADDR:4001" cores=many
  refused 2 'expected one line of at most 79 bytes' down "$ADDR:4001" --reason "$(printf 'x%.0s' $(seq 300))"
}

@test "--help and --version of each program, and a standard output that takes nothing" {
  for program in cbrelay cbscore cbprobe; do
    [[ $("$BUILD/$program" --version) == "$program (corebalance) $VERSION" ]]
    [[ $("$BUILD/$program" --help) == *--scoreboard* ]]
    run --separate-stderr bash -c '"$0" --help >/dev/full' "$BUILD/$program"
    [ "$status" != 0 ]
    [ "$stderr" = "$program: standard output: No space left on device" ]
  done
}

@test "times are read in every way that the manual has, and refused otherwise" {
  local text
  for text in 1.5s "1min 30s" 0.25h 250ms "2d 3h" 90 1.0000001s; do
    run --separate-stderr timeout 300 "$BUILD/cbrelay" --connect-timeout "$text" -c "$T/none.conf" "$GATE"
    [[ $stderr != *"--connect-timeout"* ]] || { echo "$text: $stderr"; return 1; }
  done
  for text in 1. .5s "s" "1 2x" 1.s 99999999999999999999h "5min -1s"; do
    run -64 --separate-stderr "$BUILD/cbrelay" --connect-timeout "$text" "$GATE"
    [[ $stderr == *"--connect-timeout: \"$text\": expected a time"* ]] || { echo "$text: $stderr"; return 1; }
  done
}

@test "copies without their zeros come back as they were, and take fewer bytes" {
  run -0 "$BUILD/tests/cbtest-sparse" "$RANDOM"
  read -r all _ _ taken <<<"$output"
  [ "$taken" -lt "$all" ]
}

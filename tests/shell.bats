#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore shell and -i: Core Balance's letters, and the verbs.

load lib/helpers

setup() {
  farm_setup
  MUX=(tmux -L "cb-$$-shell-$BATS_TEST_NUMBER" -f /dev/null)
}

teardown() {
  "${MUX[@]}" kill-server 2>/dev/null || true
  farm_teardown
}

shows() { "${MUX[@]}" capture-pane -p | grep -qF -- "$1"; }
ends_in() { [ "$("${MUX[@]}" capture-pane -p | grep . | tail -n 1)" = "$1" ]; } # the last line that is not empty

@test "the letters run together, or are split by anything else; verbs with their arguments; the last status counts" {
  node_line 4001 2
  score load
  run -0 score -i <<<"bct"
  [ "$(grep -c '^NODE ' <<<"$output")" = 2 ]
  [ "$(grep -c '^TICKET ' <<<"$output")" = 1 ]
  [ "$(grep -c '^PID ' <<<"$output")" = 1 ]
  run -0 score shell <<<"b, b;b 7 b"
  [ "$(grep -c '^NODE ' <<<"$output")" = 4 ]
  run -0 score shell <<<"down $ADDR:4001 --reason 'new memory'
list -n -r -o STATE,DETAIL

up $ADDR:4001"
  [ "${lines[2]}" = 'held new\x20memory' ]
  state_is 4001 up
  run -3 score -i <<<"up nowhere"
  [[ $output == *"nowhere: no such node"* ]]
  # A line without a word is no command.
  run -3 score -i <<<$'up nowhere\n\n \t\n'
  run -2 score -i <<<"lits"
  [[ $output == *'unknown verb "lits"; did you mean list?'* ]]
  run -2 score -i <<<"down 'a"
  [[ $output == *"expected an end of what is quoted" ]]
  # A line may have as many words as a command line; a carriage return is white space.
  run -3 score -i <<<"up $(printf 'nowhere%d ' {1..1000})"
  [ "${#lines[@]}" = 1000 ]
  run -0 score -i <<<$'list -n -r -o CORES\r'
  [ "$output" = 2 ]
  run -0 score -i <<<"bv1,tv"
  [[ $output == *"verbosity 0 -> 1: "*"PID "*"verbosity 1: relays and the prober log as with --verbose" ]]
  run -1 score -i </
  [ "$output" = "cbscore: standard input: Is a directory" ]
  run -2 score -i <<<"v3"
  [[ $output == *'verbosity: "3": expected 0, 1 or 2'* ]]
  run -0 score -i <<<"quit
lits"
  [ -z "$output" ]
}

@test "a shell that is given a scoreboard, and no node list, changes a farm of any list, as the verb alone does" {
  node_line 4001 2
  score load
  unset COREBALANCE_SCOREBOARD
  run -0 "$BUILD/cbscore" -s "$SCOREBOARD" shell <<<"down $ADDR:4001"
  [ "${lines[0]}" = "$ADDR:4001 is held" ]
  # A list that the caller names is compared with the farm's.
  run -1 "$BUILD/cbscore" -s "$SCOREBOARD" -c "$T/other.conf" shell <<<"up $ADDR:4001"
  [[ $output == *"made from the node list $CONF, not from $T/other.conf"* ]]
}

# completed BEGUN WHOLE: the Tab key makes WHOLE of what is BEGUN.
completed() {
  "${MUX[@]}" send-keys C-u "$1" Tab
  until_ok shows "cbscore> $2"
}

@test "on a terminal lines are edited and completed: verbs, options, their values, columns, nodes, slots, clients, keys, files" {
  local client
  node a 4001 2 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  "${MUX[@]}" new-session -d -x 100 -y 20 "'$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' -i; echo ended \$?; exec sleep 600"
  until_ok shows "cbscore>"
  completed val validate
  completed "down --rea" "down --reason"
  completed "down --help $ADDR:4" "down --help $ADDR:4001"
  completed "list --ver" "list --version"
  completed "slots --sort cli" "slots --sort client"
  completed "slots -o node,cli" "slots -o node,client"
  completed "slots --sort cli --no" "slots --sort cli --noheadings"
  completed "kill $ADDR:4001/" "kill $ADDR:4001/0"
  client=$(score slots -nr -o CLIENT)
  completed "kill ${client%?}" "kill $client"
  completed "export al" "export allow"
  completed "share no" "share none"
  completed "help val" "help validate"
  completed "diff ${CONF%/*}/nod" "diff $CONF"
  completed "set 127" "set $ADDR:4001"
  "${MUX[@]}" send-keys "cor" Tab
  until_ok shows "set $ADDR:4001 cores="
  "${MUX[@]}" send-keys "7" Enter
  until_ok shows "$ADDR:4001: cores 2 -> 7"
  "${MUX[@]}" send-keys "quit" Enter
  until_ok shows "ended 0"
  word go
  client_wait one
}

@test "Ctrl-C drops the line, or ends the verb that runs, and never the shell; the end of input ends it with the last status" {
  node a 4001 1 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  "${MUX[@]}" new-session -d -x 100 -y 20 "trap : INT; '$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' -i; echo ended \$?; exec sleep 600"
  until_ok shows "cbscore>"
  "${MUX[@]}" send-keys "remove $ADDR:40" C-c
  "${MUX[@]}" send-keys "verbosity" Enter
  until_ok shows "verbosity 0: "
  "${MUX[@]}" send-keys "down $ADDR:4001 --wait" Enter
  until_ok shows "1 connection left"
  "${MUX[@]}" send-keys C-c
  "${MUX[@]}" send-keys "up nowhere" Enter
  until_ok shows "nowhere: no such node"
  # The line before comes back. Until the shell asks again the terminal is the verb's, and Ctrl-D would be lost.
  until_ok ends_in "cbscore>"
  "${MUX[@]}" send-keys Up
  until_ok ends_in "cbscore> up nowhere"
  "${MUX[@]}" send-keys C-u C-d
  until_ok shows "ended 3"
  word go
  client_wait one
}

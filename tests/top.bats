#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore top, as an administrator uses it: on terminals of all sizes, with keys, and ended in every way.

load lib/helpers
load lib/terminal

teardown() {
  terminal_end
  farm_teardown
}

top() { echo "'$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' top"; }

@test "top shows the farm on terminals of 40, 80 and 200 columns, and no line is folded" {
  node_line 4001 8
  node_line 4002 2
  echo 'a-long-name.of-a-machine.in-a-department.of-a-large-company.invalid, 65535, 4, 0' >>"$CONF"
  score load
  score down "$ADDR:4002" --reason "new memory"
  for width in 40 80 200; do
    on_terminal "$width" 24 "$(top)"
    until_ok shows "$ADDR:4001"
    until_ok shows "0/8"
    until_ok shows "q quit" # in the last line
    screen | head -n 1 | grep -q '0/14 busy, 0 waiting'
    [ "$(screen | grep -c 4002)" = 1 ]
    [ "$(screen | awk 'NF' | wc -l)" = 7 ]
    [ "$width" -lt 80 ] || shows "held by an administrator"
    [ "$width" -lt 200 ] || shows "held by an administrator: new memory"
    shows "q quit"
    # A long name keeps its beginning and its port, and is whole where there is room.
    screen | grep -qE '^a-long.*:65535 '
    [ "$width" != 200 ] || shows a-long-name.of-a-machine.in-a-department.of-a-large-company.invalid:65535
    "${MUX[@]}" kill-server
  done
}

@test "top: a reason in any script fills its line to the last column, and no character is divided" {
  local reason width
  node_line 4001 2
  score load
  for reason in "$(printf 'ü%.0s' {1..35})" "a$(printf '新%.0s' {1..25})"; do
    score down "$ADDR:4001" --reason "$reason"
    for width in 79 80; do
      on_terminal $width 24 "LC_ALL=C.UTF-8 $(top)"
      until_ok shows "held by an administrator: "
      until_ok shows "q quit" # in the last line
      "${MUX[@]}" capture-pane -p >"$T/screen"
      cat "$T/screen"
      # A character of the second script has two columns, so the last column may stay empty.
      LC_ALL=C.UTF-8 grep 4001 "$T/screen" | python3 -c 'import sys, unicodedata
line = sys.stdin.read().rstrip("\n")
assert sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in line) in (int(sys.argv[1]), int(sys.argv[1]) - 1), line
assert "?" not in line and "\ufffd" not in line, line' $width
      "${MUX[@]}" kill-server
    done
    score up "$ADDR:4001"
  done
}

@test "top: h holds after a question, u puts back, Enter shows connections, k ends a connection, q leaves the terminal as it was" {
  node a 4001 2 --mode line
  entrance alone
  client_start one --line "sleep 600000" --expect line
  until_ok busy_is 1
  on_terminal 100 20 "$(top)"
  until_ok shows "1/2"
  keys h
  until_ok shows "Hold $ADDR:4001? (y/n)"
  keys n
  until_ok shows "q quit"
  state_is 4001 up
  keys h
  until_ok shows "(y/n)"
  keys y
  until_ok shows "$ADDR:4001 is held"
  state_is 4001 held
  keys u
  until_ok shows "Put $ADDR:4001 back? (y/n)"
  keys y
  until_ok shows "$ADDR:4001 is no longer held"
  keys e
  until_ok shows "Press a key."
  shows "The next connection gets $ADDR:4001."
  keys x
  until_ok shows "q quit"
  keys Enter
  until_ok shows "$ADDR:4001/0"
  keys k
  until_ok shows "End the connection of "
  keys y
  until_ok busy_is 0
  keys Escape
  until_ok shows "0/2"
  keys q
  until_ok shows "ended 0"
  run ! shows "q quit"
}

@test "top in a terminal of 1x1 that grows; with 10,000 nodes that scroll; filtered" {
  for i in $(seq 0 9999); do echo "127.$((i / 65536 + 1)).$((i / 256 % 256)).$((i % 256)), 4001, 16, 0"; done >"$CONF"
  score load
  on_terminal 1 1 "$(top)"
  "${MUX[@]}" resize-window -x 70 -y 20
  until_ok shows "127.1.0.0:4001"
  keys End
  until_ok shows "127.1.39.15:4001"
  keys / 39.7 Enter
  until_ok shows "127.1.39.7:4001"
  run ! shows "127.1.39.15:4001"
  keys q
  until_ok shows "ended 0"
}

@test "top leaves the terminal as it was when a signal ends it, and comes back after a stop" {
  node_line 4001 2
  score load
  # Signals of a fault, and signals that no program expects, too.
  for signal in TERM HUP INT SEGV ABRT USR1 ALRM; do
    on_terminal 80 24 "$(top)"
    until_ok shows "q quit"
    "${MUX[@]}" list-panes -F '#{pane_pid}' >"$T/shell"
    kill -"$signal" "$(pgrep -P "$(cat "$T/shell")" -x cbscore)"
    until_ok shows "ended "
    run ! shows "q quit"
    # Raw mode is over: typed text is echoed.
    keys abc
    until_ok shows abc
    "${MUX[@]}" kill-server
  done
  on_terminal 80 24 "$(top)"
  until_ok shows "q quit"
  "${MUX[@]}" list-panes -F '#{pane_pid}' >"$T/shell"
  pid=$(pgrep -P "$(cat "$T/shell")" -x cbscore)
  kill -STOP "$pid"
  score set "$ADDR:4001" cores=5
  kill -CONT "$pid"
  until_ok shows "0/5"
  keys q
  until_ok shows "ended 0"
}

@test "top without a terminal, or on a terminal that is not known, says so" {
  node_line 4001 2
  score load
  run -2 score top
  [[ $output == *"top: expected a terminal"* ]]
  on_terminal 80 24 "TERM=no-such $(top)"
  until_ok shows 'no-such": expected a terminal that is known'
  "${MUX[@]}" kill-server
  on_terminal 80 24 "TERM=dumb $(top)"
  until_ok shows 'dumb": expected a terminal that is known'
}

@test "top is stopped by Ctrl-Z with the terminal as it was, and draws its screen anew after fg" {
  node_line 4001 2
  score load
  on_terminal 80 12 "bash --norc -i"
  until_ok shows 'bash-'
  keys "$(top)" Enter
  until_ok shows "q quit"
  keys C-z
  until_ok shows Stopped
  run ! shows "q quit"
  keys "echo typ''ed" Enter
  until_ok shows typed
  keys fg Enter
  until_ok shows "q quit"
  shows "0/2"
  run ! shows Stopped
  keys q
  until_ok shows Stopped
  run ! shows "q quit"
}

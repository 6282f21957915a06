#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbprobe --notify: a command for each change of a node's state.

load lib/helpers

@test "the command is run at each change, and at nothing else, with what there is to know in its environment" {
  export OUT=$T/told
  # shellcheck disable=SC2016 # for the shell that runs it
  hook='echo "$COREBALANCE_NODE $COREBALANCE_OLD->$COREBALANCE_STATE ($COREBALANCE_REASON) $COREBALANCE_SINCE" >>"$OUT"'
  node a 4001 1
  COREBALANCE_STATE=mine probe --notify "$hook"
  [ ! -e "$OUT" ]
  kill "$PID_a"
  gone "$PID_a"
  probe --notify "$hook"
  probe --notify "$hook"
  node_start a 4001 1
  probe --notify "$hook"
  sed 's/ [0-9]*$//' "$OUT" | diff - <(printf '%s\n' "$ADDR:4001 up->down (connection refused)" \
    "$ADDR:4001 down->up (connection refused)")
  # The time of the change is that of cbscore, give or take a moment.
  since=$(tail -n 1 "$OUT" | sed 's/.* //')
  [ $((since / 60000000 - $(date +%s) / 60)) -ge -1 ]
}

@test "the command works on the farm that the prober checks" {
  export OUT=$T/told
  node_line 4001 1
  score load
  # shellcheck disable=SC2016 # for the shell that runs it
  COREBALANCE_SCOREBOARD=$T/other.tdb "$BUILD/cbprobe" --farm ci -c "$CONF" -s "$SCOREBOARD" --fall 1 \
    --notify '{ echo "$COREBALANCE_FARM"; "$BUILD/cbscore" list -nr -o NODE,STATE; } >"$OUT"'
  [ "$(cat "$OUT")" = "ci"$'\n'"$ADDR:4001 down" ]
}

@test "a command is no part of the pass: slow commands wait for each other only where they are of one node" {
  export OUT=$T/told
  for i in 1 2 3 4 5; do node_line "400$i" 1; done
  # Each command waits until all five have begun, so five must run at once.
  # shellcheck disable=SC2016 # for the shell that runs it
  run -0 probe --fall 1 --notify 'echo begun >>"$OUT"; while [ "$(wc -l <"$OUT")" -lt 5 ]; do sleep 0.05; done'
  [ "$(wc -l <"$OUT")" = 5 ]
  [[ $output != *killed* ]]
}

@test "changes of one node are told in order, one after the other" {
  export OUT=$T/told
  node a 4001 1
  # shellcheck disable=SC2016 # for the shell that runs it
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --interval 50ms --fall 1 --notify \
    'echo "begin $COREBALANCE_STATE" >>"$OUT"; while [ -e "$OUT.wait" ]; do sleep 0.02; done; echo "end $COREBALANCE_STATE" >>"$OUT"'
  prober=$PID
  : >"$OUT.wait"
  kill "$PID_a"
  gone "$PID_a"
  until_ok grep -q 'begin down' "$OUT"
  # The pass goes on while the command is stuck.
  node_start a 4001 1
  until_ok state_is 4001 up
  run ! grep 'begin up' "$OUT"
  rm "$OUT.wait"
  until_ok grep -q 'end up' "$OUT"
  diff "$OUT" <(printf '%s\n' 'begin down' 'end down' 'begin up' 'end up')
  kill "$prober"
  wait "$prober"
}

@test "nothing is left behind: not by the command's own children, not by SIGTERM" {
  node_line 4001 1
  run -0 probe --fall 1 --notify "sleep 1000 & echo \$! >'$T/child'"
  gone "$(cat "$T/child")"
  score remove "$ADDR:4001"
  score add "$ADDR, 4001, 1, 0"
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --interval 50ms --fall 1 --notify "echo \$\$ >'$T/leader'; sleep 1000"
  prober=$PID
  until_ok test -s "$T/leader"
  kill "$prober"
  wait "$prober"
  gone "$(cat "$T/leader")"
}

@test "the command has no descriptors but the three, whatever a check has open" {
  echo "$ADDR, 4001, 1, 0, check=http://%n/" >"$CONF"
  # shellcheck disable=SC2016 # for the shell that runs it
  run -0 probe --fall 1 --notify 'ls "/proc/$$/fd"; true'
  [ "$(grep -x '[0-9]*' <<<"$output" | tr '\n' ' ')" = '0 1 2 ' ] || { echo "$output"; return 1; }
}

@test "a prober that was stopped for a while takes no command for the command before it" {
  preload ahead
  export OUT=$T/told AHEAD=$T/ahead
  node a 4001 1
  # The first command takes longer than its 30 seconds, and ends while the prober can handle neither command.
  # shellcheck disable=SC2016 # for the shell that runs it
  LD_PRELOAD=$PRELOAD background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --interval 50ms --fall 1 --notify \
    'echo "begin $COREBALANCE_STATE" >>"$OUT"; until [ -e "$OUT.$COREBALANCE_STATE" ]; do sleep 0.02; done
     echo "end $COREBALANCE_STATE" >>"$OUT"'
  prober=$PID
  kill "$PID_a"
  gone "$PID_a"
  until_ok grep -q 'begin down' "$OUT"
  node_start a 4001 1
  until_ok state_is 4001 up
  kill -STOP "$prober"
  until_ok grep -q '^State:.T' "/proc/$prober/status"
  : >"$AHEAD"
  : >"$OUT.down"
  until_ok grep -q 'end down' "$OUT"
  a_timer_expired() { grep -qE '^ticks: [1-9]' "/proc/$prober/fdinfo"/*; }
  until_ok a_timer_expired
  kill -CONT "$prober"
  # The second command runs until the prober has had every chance to take the first command's end for the second's.
  until_ok grep -q 'begin up' "$OUT"
  : >"$OUT.up"
  until_ok grep -q 'end up\|killed by\|exit status' "$OUT" "$T/probe.log"
  until_ok grep -q 'end up' "$OUT"
  run ! grep 'killed by' "$T/probe.log"
}

# stuck_command [cbprobe option]...: the prober runs, and its command for the death of 4001 hangs so that no signal ends it.
# $stuck is that command; the clock then says that its time is over.
stuck_command() {
  local libraries
  preload ahead
  libraries=$PRELOAD
  preload immortal
  export OUT=$T/told AHEAD=$T/ahead
  # shellcheck disable=SC2016 # for the shell that runs it
  LD_PRELOAD=$libraries:$PRELOAD background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --fall 1 "$@" --notify \
    'echo "$COREBALANCE_NODE $COREBALANCE_STATE $$" >>"$OUT"
     case $COREBALANCE_NODE:$COREBALANCE_STATE in *:4001:down) exec sleep 600 ;; esac'
  prober=$PID
  until_ok grep ':4001 down' "$OUT"
  stuck=$(awk '$2 == "down" { print $3 }' "$OUT")
  started "$stuck"
  : >"$AHEAD"
}

@test "a command that cannot be killed holds up no pass and no other command, and is left" {
  node_line 4001 1
  node b 4002 1
  score load
  stuck_command --interval 50ms
  until_ok grep -F "cbprobe: --notify for $ADDR:4001: cannot be killed, process $stuck is left" "$T/probe.log"
  is_running "$stuck"
  kill "$PID_b"
  until_ok grep "$ADDR:4002 down" "$OUT"
  node_start a 4001 1
  until_ok grep "$ADDR:4001 up" "$OUT"
  kill "$prober"
  gone "$prober"
  kill -9 "$stuck"
}

@test "a prober that ends leaves a command that cannot be killed" {
  node_line 4001 1
  score load
  stuck_command
  wait "$prober"
  grep -F "cannot be killed, process $stuck is left" "$T/probe.log"
  is_running "$stuck"
  kill -9 "$stuck"
}

@test "a command that fails or cannot be run is told of, and the pass is none the worse for it" {
  node_line 4001 1
  run -0 probe --fall 1 --notify 'exit 7'
  [[ $output == *"--notify for $ADDR:4001: exit status 7"* ]]
  state_is 4001 down
  score add "$ADDR, 4002, 1, 0"
  # shellcheck disable=SC2016 # for the shell that runs it
  run -0 probe --fall 1 --notify 'kill -9 $$'
  [[ $output == *"--notify for $ADDR:4002: killed by signal 9"* ]]
  run --separate-stderr -64 probe --notify ''
}

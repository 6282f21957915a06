#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# check=agent: HAProxy's agent-check.

load lib/helpers

setup() {
  farm_setup
  node_start a 4001 4
  node_line 4001 4 'check=agent:4101, speed=2'
}

# An agent as administrators write it: a script that prints one line.
agent_start() {
  background "$T/agent.log" socat "TCP-LISTEN:4101,bind=$ADDR,reuseaddr,fork" "EXEC:cat $T/words"
  PID_agent=$PID
  until_ok is_listening "$ADDR:4101"
}

# says WORDS [cbprobe option]...: runs a pass in which the agent says WORDS.
says() {
  printf '%b' "$1" >"$T/words"
  shift
  run -0 probe "$@"
}

of() { score list -nr -o "$1" | sed 's/\\x20/ /g'; }
is() { [ "$(of "$1")" = "$2" ] || { echo "$1 is $(of "$1")"; return 1; }; }

@test "NN% scales the speed, maxconn: limits the connections, and what is not mentioned stays" {
  agent_start
  says '50%\n'
  is SPEED,FREE,STATE '1 4 up'
  says 'maxconn:3\n'
  is SPEED,FREE,STATE '1 3 up'
  is AGENT '50% maxconn:3'
  # Words in any order, separated by blanks, tabs or commas; text behind the line is not read.
  says 'maxconn:1,\t ready up 200%\r\nmaint\n'
  is SPEED,FREE,STATE '4 1 up'
  says 'weight:7 maxconn:100\n'
  is SPEED,FREE '7 4'
  says 'weight:25%\n'
  is SPEED,FREE '0.5 4'
  says 'maxconn:0 100%\n'
  is SPEED,FREE,AGENT '2 4 100%'
  run -0 score fsck
}

@test "words in upper case are the same words" {
  agent_start
  says 'DOWN #Disk\n'
  is STATE,REASON 'down its agent says down: Disk'
  says 'Up Drain\n'
  is STATE held
  says 'READY Weight:50% MaxConn:3\n'
  is SPEED,FREE,STATE,REASON '1 3 up '
}

@test "a limit holds for connections, and cores that a larger limit adds go to the waiters" {
  agent_start
  says 'maxconn:2\n'
  kill "$PID_a"
  gone "$PID_a"
  node_start b 4001 2 --mode line
  entrance alone
  client_start x -n 4 -c 4 --line "$(until_word go)" --expect line
  until_ok waiting_is 2
  busy_is 2
  says 'maxconn:1\n'
  busy_is 2
  word go
  client_wait x
  farm_is_at_rest
}

@test "drain and maint keep connections away, apart from an administrator's hold and from health" {
  agent_start
  entrance alone
  says 'drain\n'
  [[ $output == *"$ADDR:4001 is held: its agent says drain (was up for "* ]]
  is STATE,REASON 'held its agent says drain'
  client_start x --line hi --expect echo
  until_ok waiting_is 1
  score down "$ADDR:4001" --reason mine
  says 'ready\n'
  is STATE,REASON 'held held by an administrator: mine'
  waiting_is 1
  says 'maint #moving house\n'
  score up "$ADDR:4001"
  is STATE,REASON 'held its agent says maint'
  probe
  is STATE,REASON 'held its agent says maint: moving house'
  waiting_is 1
  says 'ready\n'
  [[ $output == *"$ADDR:4001 is up (was held for "*": its agent says maint)"* ]]
  client_wait x
  # Weight 0 is another way to say drain.
  says '0%\n'
  is STATE,REASON 'held its agent says drain'
  says '100%\n'
  is STATE up
  farm_is_at_rest
}

@test "only the agent undoes its words, and its up counts only if the node answers" {
  agent_start
  says 'down #disk full\n'
  [[ $output == *"$ADDR:4001 is down: its agent says down: disk full (was up for "* ]]
  is STATE,REASON 'down its agent says down: disk full'
  # An agent that is silent changes nothing.
  kill "$PID_agent"
  gone "$PID_agent"
  run -0 probe
  [ -z "$output" ]
  is STATE,REASON 'down its agent says down: agent: connection refused'
  agent_start
  says 'ready 100%\n'
  is STATE down
  says 'stopped\n'
  is STATE down
  kill "$PID_a"
  gone "$PID_a"
  says 'up\n'
  # The node does not answer, so the prober did not ask its agent.
  is STATE,REASON 'down connection refused'
  node_start a 4001 4
  says 'up\n'
  [[ $output == *"$ADDR:4001 is up"* ]]
  is STATE,REASON 'up '
  # The list has another check now: no agent would undo the words.
  says 'fail\n'
  is STATE down
  echo "$ADDR, 4001, 4, 0" >"$CONF"
  score load
  is STATE up
}

@test "no answer from the agent is no failure: refused, silent, endless, closed, nonsense" {
  probe
  is STATE,REASON 'up agent: connection refused'
  for mode in mute endless close 'say:one two' 'say:101x%\n' 'reset:do'; do
    background "$T/talker.log" "$LIB/talker" "$mode" "$ADDR:4101"
    talker=$PID
    until_ok is_listening "$ADDR:4101"
    run -0 probe --timeout 300ms
    [ -z "$output" ]
    is STATE up
    is AGENT ''
    [[ $(of REASON) == 'agent: '* ]] || { echo "$mode: $(of REASON)"; return 1; }
    kill "$talker"
    gone "$talker"
  done
}

@test "explain shows what the agent says, and export has it: fewer connections, less speed, none" {
  agent_start
  weight() { score export ipvs --service tcp:10.0.0.1:1 | sed -n 's/.* -w //p'; }
  says '50% maxconn:3\n'
  [ "$(score explain -n -r -o speed,free,agent,from | sed 's/\\x20/ /g')" = \
    '1 3 50% maxconn:3 pinned by speed=; its agent says 50% maxconn:3' ]
  [ "$(weight)" = 300 ]
  says 'maxconn:1\n'
  entrance alone
  client_start one --line hi --expect echo --hold 60000
  until_ok is FREE 0
  [ "$(score explain -n -r -o why | sed 's/\\x20/ /g')" = 'as many as its agent allows' ]
  says 'drain#new disk\n'
  [[ $(score explain -n -r -o rank,why | sed 's/\\x20/ /g') == ' its agent says drain: new disk' ]]
  [ "$(weight)" = 0 ]
}

@test "the agent's percentage is of the learned speed, too, and does not change what is learned" {
  sed -i 's/, speed=2//' "$CONF"
  node_line 4002 4 check=none
  score load >/dev/null
  # Connections to two nodes: on the first they take two thirds as long.
  "$BUILD/tests/cbtest-speed" "$SCOREBOARD" 100 200000 30000 1 1000000 1500000
  agent_start
  says '100%\n'
  read -r speed learned < <(score list -nr -o speed,learned)
  jq -en "$speed > 1.1" >/dev/null
  says '50%\n'
  read -r half still < <(score list -nr -o speed,learned)
  echo "$speed of $learned, then $half of $still"
  jq -en "$half > $speed * 0.49 and $half < $speed * 0.51 and $still > $learned * 0.99 and $still < $learned * 1.01" >/dev/null
  [ "$(score explain -n -r -o rank,node)" = "1 $ADDR:4002"$'\n'"2 $ADDR:4001" ]
}

# The agent is asked, and answers when the test says so.
slow_agent() {
  background "$T/agent.log" socat "TCP-LISTEN:4101,bind=$ADDR,reuseaddr,fork" \
    "SYSTEM:touch $T/asked; until [ -e $T/go.word ]; do sleep 0.02; done; echo maint"
  until_ok is_listening "$ADDR:4101"
}

@test "an agent answers when the node has another check: its words hold nothing, as no pass would take them back" {
  slow_agent
  background "$T/pass.log" "$BUILD/cbprobe" -v -c "$CONF" --timeout 60s
  local pass=$PID
  until_ok test -e "$T/asked"
  score set "$ADDR:4001" check=tcp
  word go
  until_ok gone "$pass"
  grep -F "$ADDR:4001: agent: answered" "$T/pass.log"
  is STATE,AGENT 'up '
}

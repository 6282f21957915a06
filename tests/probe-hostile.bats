#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Hostile nodes: their checks fail, and neither delay the checks of others nor make the prober grow.

load lib/helpers

# talker NAME MODE: a server on any address; its port is in PORT_NAME.
talker() {
  background "$T/$1.log" "$LIB/talker" "$2" 0.0.0.0:0
  until_ok grep -q ^PORT "$T/$1.log"
  printf -v "PORT_$1" %s "$(awk '{ print $2 }' "$T/$1.log")"
}

# nodes PORT N CHECK: N nodes, all with that server's port.
nodes() {
  local i
  for ((i = 0; i < $2; i++)); do echo "127.9.$((i / 250)).$((i % 250 + 1)), $1, 1, 0, check=$3"; done >>"$CONF"
}

states() { score list -nr -o NODE,STATE | awk -v p=":$1" 'index($1, p) { n[$2]++ } END { for (s in n) print n[s], s }'; }
reasons() { score list -nr -o NODE,REASON | awk -v p=":$1" 'index($1, p) { print $2 }' | sort -u | sed 's/\\x20/ /g'; }

# The most memory in kB that a prober with this list has in use at a time: of a resident prober, after its first pass.
peak() {
  local prober
  background "$T/peak.log" "$BUILD/cbprobe" -c "$CONF" -v --interval 1h "$@"
  prober=$PID
  until_ok grep -q ' checked [0-9]* of ' "$T/peak.log"
  awk '$1 == "VmHWM:" { print $2 }' "/proc/$prober/status"
  kill "$prober"
  wait "$prober" || true
}

@test "each kind of ill will ends, with a reason of its own" {
  talker endless endless
  talker drip 'drip:this never comes to an end '
  talker mute mute
  talker reset 'reset:220 hal'
  talker noise 'endless:\x00\xff\xfe'
  nodes "$PORT_endless" 1 'smtp -t 20s'
  nodes "$PORT_drip" 1 'smtp -t 1s'
  nodes "$PORT_mute" 1 'smtp -t 500ms'
  nodes "$PORT_reset" 1 'ssh -t 20s'
  nodes "$PORT_noise" 1 'distcc -t 20s'
  run -0 probe
  [ "$(reasons "$PORT_endless")" = 'answer too long' ]
  [ "$(reasons "$PORT_drip")" = 'no answer in time' ]
  [ "$(reasons "$PORT_mute")" = 'no answer in time' ]
  [ "$(reasons "$PORT_reset")" = 'connection reset' ]
  [[ $(reasons "$PORT_noise") == 'invalid protocol: '* ]]
}

@test "a chat with them ends as well" {
  printf '%s\n' 'expect "^220 "' 'send "EHLO x\r\n"' 'expect "^250 "' >"$T/chat"
  talker endless 'endless:no\r\n'
  talker drip 'drip:not what you think'
  talker mute mute
  nodes "$PORT_endless" 1 "chat:$T/chat -t 20s"
  nodes "$PORT_drip" 1 "chat:$T/chat -t 2s"
  nodes "$PORT_mute" 1 "chat:$T/chat -t 500ms"
  run -0 probe
  [ "$(reasons "$PORT_endless")" = 'wrong answer: line 1: no' ]
  [[ $(reasons "$PORT_drip") == 'wrong answer: line 1: n'* ]]
  [ "$(reasons "$PORT_mute")" = 'no answer in time: line 1' ]
}

@test "hundreds of hostile servers: the good nodes are up, and memory is what as many good nodes take" {
  talker good 'say:220 hello\r\n'
  talker endless endless
  talker drip 'drip:slow '
  talker mute mute
  talker reset 'reset:220'
  nodes "$PORT_good" 800 'smtp -t 60s'
  if [ -z "${SANITIZE-}" ]; then good=$(peak --jobs 400); fi # sanitizers have a memory of their own
  : >"$CONF"
  # With its lock's page: a scoreboard in the place of another one is gone over in one transaction, which takes memory.
  rm -f "$SCOREBOARD" "$SCOREBOARD.lock"
  nodes "$PORT_endless" 200 'smtp -t 1s'
  nodes "$PORT_drip" 200 'smtp -t 1s'
  nodes "$PORT_mute" 200 'smtp -t 1s'
  nodes "$PORT_reset" 200 'smtp -t 1s'
  nodes "$PORT_good" 200 'smtp -t 60s'
  if [ -z "${SANITIZE-}" ]; then
    bad=$(peak --jobs 400)
    echo "$good kB for good ones, $bad kB for bad ones"
    # The nodes can fill at most 400 conversations of 8 kB.
    [ "$bad" -lt $((good + 400 * 9)) ]
  else
    probe --jobs 400
  fi
  [ "$(states "$PORT_good")" = '200 up' ]
  for port in "$PORT_endless" "$PORT_drip" "$PORT_mute" "$PORT_reset"; do [ "$(states "$port")" = '200 down' ]; done
}

@test "good nodes behind hostile servers do not wait: one at a time is not what --jobs means" {
  talker mute mute
  talker good 'say:220 hello\r\n'
  nodes "$PORT_mute" 100 'smtp -t 60s'
  nodes "$PORT_good" 100 'smtp -t 60s'
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v
  all_good_answered() { [ "$(grep -c ": smtp: answered" "$T/probe.log")" = 100 ]; }
  until_ok all_good_answered
  # The prober still waits for the other nodes.
  kill -0 "$PID"
  [ "$(states "$PORT_mute")" = '100 up' ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Probes that make a node work count as connections of the farm: the cap is for both together.

load lib/helpers

talker() {
  background "$T/$1.log" "$LIB/talker" "$3" "$ADDR:$2"
  printf -v "PID_$1" %s "$PID"
  until_ok grep -q ^PORT "$T/$1.log"
}

probe_holds_a_slot() { [ "$(score slots -nr -o CLIENT)" = cbprobe ]; }

# A check that lasts until a word is given, and then ends with that status.
check_until() { # WORD STATUS
  printf '#!/bin/sh\nwhile [ ! -e "%s" ]; do sleep 0.02; done\nexit %s\n' "$T/$1.word" "$2" >"$T/check-$1"
  chmod +x "$T/check-$1"
  open_to_nobody "$T"
}

@test "a probe takes a slot like a connection, and its end gives the slot to the waiter" {
  talker a 4001 mute
  check_until go 2
  echo "$ADDR, 4001, 1, 0, check=-s -t 60s exec:$T/check-go" >"$CONF"
  score load
  entrance alone
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v
  prober=$PID
  until_ok probe_holds_a_slot
  client_start x --expect line
  until_ok waiting_is 1
  busy_is 1
  word go
  # The client gets the slot when the probe's first try is over, and holds it when the second try is due.
  until_ok waiting_is 0
  wait "$prober"
  grep -q "$ADDR:4001: exec: unknown: no slot of it is free" "$T/probe.log"
  state_is 4001 up
  run -0 score fsck
}

@test "a probe that is killed with its slot is reaped like any other" {
  talker a 4001 mute
  echo "$ADDR, 4001, 1, 0, check=-s -t 30s banner:x" >"$CONF"
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF"
  until_ok probe_holds_a_slot
  kill -9 "$PID"
  gone "$PID" || true
  score reap
  busy_is 0
  score fsck
}

@test "no slot is free: a node that has served is alive, another is looked at again and then left alone" {
  node_start a 4001 1
  echo "$ADDR, 4001, 1, 0, check=-s -t 300ms banner:never" >"$CONF"
  score load
  entrance alone
  client_start x --line hello --expect echo --hold 60000
  until_ok busy_is 1
  run -0 probe -v
  [[ $output == *"$ADDR:4001: banner: unknown: no slot of it is free"* ]]
  state_is 4001 up
  # One connection was served later.
  kill "$PID_x"
  until_ok busy_is 0
  client_start y --line hello --expect echo --hold 60000
  until_ok busy_is 1
  run -0 probe -v
  [[ $output == *"$ADDR:4001: banner: busy, and has served since the last pass"* ]]
  state_is 4001 up
  # And no connection since.
  run -0 probe -v
  [[ $output == *"$ADDR:4001: banner: unknown: no slot of it is free"* ]]
  # When there is a free slot, the check asks the node.
  kill "$PID_y"
  until_ok busy_is 0
  probe
  state_is 4001 down
}

@test "a node that is down: the probe is its trial, and no connection tries it meanwhile" {
  talker a 4001 'say:bad\r\n'
  echo "$ADDR, 4001, 4, 0, check=-s banner:good" >"$CONF"
  probe
  state_is 4001 down
  kill "$PID_a"
  gone "$PID_a"
  talker b 4001 mute
  check_until good 0
  echo "$ADDR, 4001, 4, 0, check=-s -t 60s exec:$T/check-good" >"$CONF"
  score load
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF"
  until_ok state_is 4001 retry
  probe_holds_a_slot
  word good
  wait "$PID"
  state_is 4001 up
  busy_is 0
  run -0 score fsck
  # A node that an administrator holds is checked all the same, and stays held.
  score down "$ADDR:4001" --reason mine
  probe -v
  state_is 4001 held
  busy_is 0
  run -0 score fsck
}

@test "a farm under load and probed all the time is never over-filled" {
  node_start a 4001 2 --mode hold:5
  node_start b 4002 1 --mode hold:5
  printf '%s\n' "$ADDR, 4001, 2, 0, check=-s -t 2s banner:." "$ADDR, 4002, 1, 0, check=-s -t 2s banner:." >"$CONF"
  score load
  entrance alone
  client_start x -n 300 -c 8 --expect line
  while is_running "$PID_x"; do probe; done
  client_wait x
  farm_is_at_rest
  score fsck
}

# A node that says hello, or sends a page on request, and then ignores its connections.
deaf_node() {
  background "$T/deaf.log" python3 -c "
import socket, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$ADDR', 4001)); s.listen(8)
print('ready', flush=True)
held = []
def serve(c):
    if '$1' == 'page':
        c.recv(1000)
        c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi')
    else:
        c.sendall(b'hello\\r\\n')
    print('said', flush=True)
while True:
    c, _ = s.accept(); held.append(c)
    threading.Thread(target=serve, args=(c,), daemon=True).start()"
  until_ok grep -q ready "$T/deaf.log"
}
node_has() { [ "$(ss -Htn "src $ADDR and sport = 4001" | grep -c .)" = "$1" ]; }

@test "when a probe's slot is free its connection has ended at the node, too, which need not have noticed" {
  local check
  deaf_node hello
  # The first is done; the others wait for an answer that does not come.
  for check in 'banner:hello' '-t 300ms banner:no' 'chat'; do
    printf 'expect "hello"\nexpect "more"\n' >"$T/chat"
    [ "$check" != chat ] || check="-t 300ms chat:$T/chat"
    echo "$ADDR, 4001, 1, 0, check=-s $check" >"$CONF"
    score load
    probe
    busy_is 0
    until_ok node_has 0
  done
}

@test "when the slot of a probe by http is free its connection has ended at the node, too" {
  deaf_node page
  echo "$ADDR, 4001, 1, 0, check=-s http://$ADDR:4001/" >"$CONF"
  probe
  state_is 4001 up
  busy_is 0
  until_ok node_has 0
}

@test "the connection of a probe that is killed with its slot ends at the node, too" {
  deaf_node hello
  printf 'expect "hello"\nexpect "more"\n' >"$T/chat"
  echo "$ADDR, 4001, 1, 0, check=-s -t 60s chat:$T/chat" >"$CONF"
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF"
  until_ok grep -q said "$T/deaf.log"
  until_ok probe_holds_a_slot
  node_has 1
  kill -9 "$PID"
  gone "$PID" || true
  until_ok node_has 0
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers
load lib/holders

@test "SIGTERM: the present connections and those that wait are served to their end, then exit 0" {
  node a 4001 1 --mode line
  entrance alone
  client_start now --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start later --line "sleep 5" --expect line
  until_ok waiting_is 1
  kill "$GATE_PID"
  until_ok eval '! is_listening "$GATE"'
  word go
  client_wait now
  client_wait later
  wait "$GATE_PID"
  farm_is_at_rest
}

@test "SIGTERM: with --queue-limit, too, each client in the backlog of our own socket is served" {
  node a 4001 1 --mode line
  entrance alone --queue-limit 2
  client_start crowd -n 20 --line "$(until_word go)" --expect line
  until_ok waiting_in_listener_is 2
  # All other connections are in the backlog.
  until_ok connected_are 20
  kill "$GATE_PID"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  word go
  client_wait crowd
  wait "$GATE_PID"
  farm_is_at_rest
}

@test "SIGTERM: near the limit of descriptors, too, each client in the backlog of our own socket is served" {
  node a 4001 1 --mode line
  few_descriptors 128
  client_start crowd -n 120 -c 120 --line "$(until_word go)" --expect line
  # The listener takes in as many as it has descriptors for; all others are in the backlog.
  until_ok eval '[ "$(waiting_in_listener)" -ge 20 ]'
  until_ok connected_are 120
  kill "$GATE_PID"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  word go
  client_wait crowd
  grep 'ok=120 failed=0' "$T/crowd.out"
  wait "$GATE_PID"
  farm_is_at_rest
}

@test "SIGTERM twice, near the limit of descriptors: the backlog ends, too" {
  node a 4001 1 --mode line
  few_descriptors 128
  client_start crowd -n 120 -c 120 --line "sleep 30000" --expect line
  until_ok eval '[ "$(waiting_in_listener)" -ge 20 ]'
  until_ok connected_are 120
  kill "$GATE_PID"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  kill "$GATE_PID"
  wait "$GATE_PID"
  client_fails crowd
  farm_is_at_rest
}

@test "SIGTERM twice: connections are ended, slots are free" {
  node a 4001 1 --mode line
  entrance alone
  client_start now --line "sleep 30000" --expect line
  until_ok busy_is 1
  client_start later --line "sleep 5" --expect line
  until_ok waiting_is 1
  kill "$GATE_PID"
  until_ok eval '! is_listening "$GATE"'
  kill "$GATE_PID"
  wait "$GATE_PID"
  client_fails now
  client_fails later
  # The slot of one connection may have gone to the other before that was ended, too.
  until_ok eval '[ "$(grep -c "end=K" "$T/relay.log")" = 2 ]'
  farm_is_at_rest
}

@test "SIGTERM to the relay of one connection ends that connection, with a reset" {
  node a 4001 2 --mode line
  entrance connection
  client_start victim --line "sleep 30000" --expect line
  until_ok busy_is 1
  kill "$(holders)"
  client_fails victim
  grep 'reset=1' "$T/victim.out"
  # The slot is taken before the node has answered the connect.
  until_ok grep 'end=K[CD]' "$T/relay.log"
  farm_is_at_rest
}

@test "SIGTERM to a relay is a reset for the node, too: it is free for the next" {
  node a 4001 1 --mode line
  for way in alone connection; do
    GATE=$ADDR:$([ $way = alone ] && echo 3632 || echo 3633)
    entrance $way
    client_start victim --line "sleep 30000" --expect line
    until_ok busy_is 1
    kill "$(holders)"
    client_fails victim
    run -0 client --line "sleep 0" --expect line
    nodes_never_overfilled
  done
  farm_is_at_rest
}

@test "SIGHUP while a listener begins does not end it, and is obeyed when it has begun" {
  node a 4001 1 --mode line
  mkfifo "$T/list"
  # The listener reads the list for as long as the list has a writer.
  background "$T/writer.log" bash -c "{ cat '$CONF'; until [ -e '$T/go.word' ]; do sleep 0.02; done; } >'$T/list'"
  background "$T/relay.log" "$BUILD/cbrelay" -c "$T/list" "$GATE"
  GATE_PID=$PID
  until_ok eval '[ "$(readlink "/proc/$GATE_PID/fd/"* | grep -cx "$T/list")" = 1 ]'
  kill -HUP "$GATE_PID"
  word go
  until_ok grep -q 'the nodes stay as they were' "$T/relay.log" # a pipe without a writer is no list
  run -0 client --line "sleep 0" --expect line
  farm_is_at_rest
}

@test "SIGHUP loads the node list anew; a bad list changes nothing" {
  node a 4001 1 --mode hold:5
  entrance alone
  # A listener that serves has its handler.
  client --expect line
  node_line 4002 3
  kill -HUP "$GATE_PID"
  until_ok eval 'grep -q "1 added, 0 changed, 0 draining, 0 removed, 1 kept" "$T/relay.log"'
  echo nonsense >>"$CONF"
  kill -HUP "$GATE_PID"
  until_ok grep -q 'the nodes stay as they were' "$T/relay.log"
  [ "$(score list -n | wc -l)" = 2 ]
  client --expect line
  farm_is_at_rest
}

@test "a node list without nodes is told of, and clients wait until it has some" {
  : >"$CONF"
  entrance alone
  until_ok grep "$CONF: no nodes; connections wait" "$T/relay.log"
  client_start patient --expect line
  until_ok waiting_is 1
  node a 4001 1 --mode hold:5
  kill -HUP "$GATE_PID"
  client_wait patient
  : >"$CONF"
  kill -HUP "$GATE_PID"
  until_ok eval '[ "$(grep -c "no nodes; connections wait" "$T/relay.log")" = 2 ]'
  farm_is_at_rest
}

@test "--exit-idle: a listener that has nothing to do ends well" {
  node a 4001 1 --mode hold:5
  # Longer than a slow machine needs for the first connection to come.
  entrance alone --exit-idle 8s
  client --expect line
  gone "$GATE_PID"
  wait "$GATE_PID"
  farm_is_at_rest
}

# The listener ends no earlier than its time after the end of the last connection, which lasted longer than that.
rests_after() { # OPTION...
  local usec began
  node a 4001 1 --mode line
  entrance listener --exit-idle 1s "$@"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  usec=${EPOCHREALTIME/./}
  until_ok eval '[ $((${EPOCHREALTIME/./} - '"$usec"')) -gt 3000000 ]'
  began=${EPOCHREALTIME/./}
  "${LAST_ACT:-word}" go
  wait "$PID_one" || true
  gone "$GATE_PID"
  wait "$GATE_PID"
  [ $((${EPOCHREALTIME/./} - began)) -ge 1000000 ]
  farm_is_at_rest
}

kill_relay() { kill -9 "$(score slots -nr -o PID)"; }

@test "--exit-idle counts from the end of a connection, also of a relay's last" { rests_after --connections-per-relay 1; }
@test "--exit-idle counts from the end of a connection, also if its relay is killed" { LAST_ACT=kill_relay rests_after; }

@test "--exit-idle: a time that no clock reaches is a time, too, and the listener sleeps" {
  node a 4001 1 --mode hold:5
  entrance alone --exit-idle 18446744073709551615us
  client --expect line
  ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
  local before
  before=$(ticks "$GATE_PID")
  sleep 0.5
  client --expect line
  is_running "$GATE_PID"
  [ $(($(ticks "$GATE_PID") - before)) -lt 20 ]
  run ! grep 'cannot set a timer' "$T/relay.log"
  # So it is with the page.
  background "$T/serve.log" "$BUILD/cbscore" serve -w "$ADDR:3680" --exit-idle 18446744073709551615us
  until_ok is_listening "$ADDR:3680"
  before=$(ticks "$PID")
  sleep 1
  [ $(($(ticks "$PID") - before)) -lt 20 ]
  farm_is_at_rest
}

@test "limits: --queue-timeout, --down-timeout and --queue-limit" {
  node a 4001 1 --mode line
  # Longer than a slow machine needs to see the waiters.
  entrance connection --queue-timeout 8s --queue-limit 1
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start waiter --line "sleep 5" --expect line
  until_ok waiting_is 1
  # The second waiter is one too many; the first waits its time.
  run ! client --line "sleep 5" --expect line
  client_fails waiter
  until_ok eval '[ "$(grep -c end=RQ "$T/relay.log")" = 2 ]'
  lines_with_are "$T/relay.log" 'cause=queue-limit .*end=RQ' 1
  lines_with_are "$T/relay.log" 'cause=queue-timeout .*end=RQ' 1
  word go
  client_wait holder
  farm_is_at_rest
  : >"$CONF"
  node_line 4009 1
  score load "$CONF"
  GATE=$ADDR:3634
  background "$T/down.log" "$BUILD/cbrelay" -c "$CONF" --down-timeout 300ms "$GATE"
  until_ok is_listening "$GATE"
  run ! client --line "sleep 5" --expect line
  until_ok grep 'cause=down-timeout .*end=RQ' "$T/down.log"
  farm_is_at_rest
}

@test "down holds a node: present connections finish, new ones go elsewhere, up puts it back" {
  node a 4001 2 --mode line
  entrance alone
  client_start present --line "$(until_word go)" --expect line
  until_ok busy_is 1
  run -0 score down "$ADDR:4001" --reason "new disk"
  [ "${lines[0]}" = "$ADDR:4001 is held; 1 connection of it goes on" ]
  client_start later --line "sleep 5" --expect line
  until_ok waiting_is 1
  # A probe that finds the node well does not put it back.
  probe
  state_is 4001 held
  [ "$(score list -nr -o REASON)" = 'held\x20by\x20an\x20administrator:\x20new\x20disk' ]
  word go
  client_wait present
  until_ok busy_is 0
  waiting_is 1
  run -0 score up "$ADDR:4001"
  client_wait later
  farm_is_at_rest
}

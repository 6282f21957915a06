#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers
load lib/managed

# The number of lines in the relay's log that have the text.
said() { grep -c -- "$1" "$T/relay.log" || true; }

@test "out of descriptors: connections wait in the backlog, it is told at most once, all are served" {
  node a 4001 2 --mode hold:5
  # 64 descriptors are kept for other things than waiters.
  background "$T/relay.log" prlimit --nofile=80:80 "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client -n 200 -c 100 --expect line
  [ "$(said 'cannot accept')" -le 1 ]
  farm_is_at_rest
}

@test "descriptors too few for one connection: one clear line, exit 71; with the least there may be all are served" {
  node a 4001 3 --mode hold:5
  run --separate-stderr -71 timeout 300 prlimit --nofile=64:64 "$BUILD/cbrelay" -c "$CONF" "$GATE" </dev/null
  [[ $stderr == *"cbrelay: the limit of descriptors is 64: expected at least 67" ]]
  run -71 timeout 300 prlimit --nofile=66:66 "$BUILD/cbrelay" -c "$CONF" "$GATE" </dev/null
  background "$T/relay.log" prlimit --nofile=67:67 "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client -n 100 -c 50 --expect line
  farm_is_at_rest
}

@test "the limit of descriptors keeps connections in the backlog: it is told once until the backlog is empty" {
  node a 4001 1 --mode line
  background "$T/relay.log" prlimit --nofile=100:100 "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client_start crowd -n 80 -c 80 --line "$(until_word go)" --expect line
  until_ok connected_are 80
  until_ok grep 'limit of 100 descriptors is reached; connections wait' "$T/relay.log"
  word go
  client_wait crowd
  lines_with_are "$T/relay.log" 'descriptors is reached' 1
  # The shortage was over; the next shortage is told again.
  crowd_is_told() {
    client -n 80 -c 80 --line "sleep 5" --expect line
    [ "$(lines_with "$T/relay.log" 'descriptors is reached')" -ge 2 ]
  }
  until_ok crowd_is_told
  farm_is_at_rest
}

@test "the limit of descriptors, with many slots: relays as many as there is room for, and all are served" {
  node a 4001 200 --mode line
  few_descriptors 100
  client_start crowd -n 80 -c 80 --line "$(until_word go)" --expect line
  until_ok lines_with_are "$T/relay.log" 'limit of 100 descriptors is reached; connections wait' 1
  until_ok eval '[ "$(busy)" -ge 17 ]'
  word go
  client_wait crowd
  farm_is_at_rest
  # The same again, and then SIGTERM.
  rm "$T/go.word"
  client_start crowd -n 80 -c 80 --line "$(until_word go)" --expect line
  until_ok eval '[ "$(busy)" -ge 17 ]'
  until_ok connected_are 80
  kill "$GATE_PID"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  word go
  client_wait crowd
  wait "$GATE_PID"
  farm_is_at_rest
}

@test "--queue-limit of a listener: the rest waits in the kernel's backlog, no client is refused" {
  node a 4001 1 --mode line
  entrance alone --queue-limit 3
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start crowd -n 12 -c 12 --line "sleep 5" --expect line
  until_ok waiting_in_listener_is 3
  # All other connections are in the backlog, and no process has accepted any of them.
  until_ok connected_are 13
  [ "$(waiting)" = 3 ]
  word go
  client_wait holder
  client_wait crowd
  grep 'ok=12 failed=0' "$T/crowd.out"
  farm_is_at_rest
}

@test "out of processes: waiters keep their place until relays can be started again" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to become a user of its own"; fi
  if [ -n "${SANITIZE:-}" ]; then skip "sanitizers need threads of their own"; fi
  node a 4001 8 --mode hold:30
  # A uid that no user and no other test has; its limit counts the listener, the nursery and three relays.
  local dir=$T uid=$((100000 + RANDOM))
  chown $uid "$T"
  while [ "$dir" != / ]; do
    chmod o+x "$dir"
    dir=$(dirname "$dir")
  done
  cp "$BUILD/cbrelay" "$T/cbrelay"
  background "$T/relay.log" setpriv --reuid=$uid --regid=$uid --clear-groups prlimit --nproc=5:5 \
    "$T/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client -n 24 -c 24 --expect line
  [ "$(said 'cannot start a relay')" -ge 1 ]
  farm_is_at_rest
}

@test "a full /run: clients wait, it is told once for each, and service resumes by itself" {
  small_run
  node a 4001 1 --mode line
  score load
  fill_run
  entrance alone
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  # More clients than the queue has room for: it must grow, and cannot.
  client_start crowd -n 3500 -c 3500 --line "sleep 0" --expect line
  until_ok grep -q 'No space left on device' "$T/relay.log"
  [ "$(waiting)" -ge 200 ]
  [ "$(said 'No space left')" = 1 ]
  rm "$T/run/ballast"
  word go
  client_wait holder
  client_wait crowd
  grep 'ok=3500 failed=0' "$T/crowd.out"
  farm_is_at_rest
}

@test "a full /run, and SIGTERM: each client in the backlog of our own socket is served when there is room" {
  small_run
  node a 4001 8 --mode line
  score load
  fill_run
  entrance alone
  client_start crowd -n 3500 -c 3500 --line "$(until_word go)" --expect line
  until_ok grep -q 'No space left on device' "$T/relay.log"
  until_ok connected_are 3500
  kill "$GATE_PID"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  rm "$T/run/ballast"
  word go
  client_wait crowd
  grep 'ok=3500 failed=0' "$T/crowd.out"
  wait "$GATE_PID"
  farm_is_at_rest
}

@test "a full /run: a process of its own ends at --queue-timeout, and when its client leaves; a listener leaves clients in the backlog" {
  small_run
  node a 4001 1 --mode line
  score load
  fill_run
  entrance alone
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  # Until the queue has to grow, and cannot, to the end of this test.
  client_start crowd -n 3500 -c 3500 --line "sleep 0" --expect line
  until_ok grep -q 'No space left on device' "$T/relay.log"
  GATE=$ADDR:3633
  background "$T/listener.log" "$BUILD/cbrelay" -c "$CONF" --queue-timeout 1s "$GATE"
  until_ok is_listening "$GATE"
  client_start patient --line "sleep 0" --expect line
  until_ok grep 'No space left on device' "$T/listener.log"
  GATE=$ADDR:3634
  background "$T/single.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -l "$GATE" --accept \
    "$BUILD/cbrelay" -c "$CONF" --queue-timeout 1s
  until_ok is_listening "$GATE"
  client_start alone --line "sleep 0" --expect line
  client_fails alone
  until_ok grep 'end=RQ' "$T/single.log"
  # Without a limit: a client closes, and has sent nothing.
  GATE=$ADDR:3635
  background "$T/leave.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -l "$GATE" --accept \
    "$BUILD/cbrelay" -c "$CONF"
  until_ok is_listening "$GATE"
  mkfifo "$T/leave"
  background "$T/leaver.out" python3 -c "
import socket
s = socket.create_connection(('$ADDR', ${GATE##*:}))
open('$T/leave').read()"
  until_ok grep 'No space left on device' "$T/leave.log"
  echo now >"$T/leave"
  until_ok grep 'end=CQ' "$T/leave.log"
  # The listener has ended no client meanwhile, and a client's time in the queue begins when the queue has room.
  lines_with_are "$T/listener.log" 'No space left on device' 1
  lines_with_are "$T/listener.log" 'end=RQ' 0
  kill -0 "$PID_patient"
  rm "$T/run/ballast"
  word go
  client_wait holder
  client_wait crowd
  farm_is_at_rest
}

@test "a full /run, and a node that fails a connect: its client waits on, and the slot is given back" {
  small_run
  full_node 4001
  local full=$PID
  node_line 4001 1
  score load
  fill_run
  entrance alone --connect-timeout 2s --retry-after 1s
  # One connection is connecting, and the others fill the queue: it has no place to go back to.
  client_start crowd -n 3500 -c 3500 --line "sleep 0" --expect line
  until_ok grep -q 'cannot queue for .*No space left on device' "$T/relay.log"
  kill "$full" || true # it may have ended by itself
  gone "$full"
  node_start a 4001 1 --mode line
  rm "$T/run/ballast"
  client_wait crowd
  grep 'ok=3500 failed=0' "$T/crowd.out"
  run -1 grep 'the scoreboard failed' "$T/relay.log"
  farm_is_at_rest
}

@test "a full /run, and damage: a relay that cannot give its slot back ends, and the slot is free when there is room" {
  small_run
  node a 4001 1 --mode line
  score load
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  fill_run
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" zero farm
  word go
  client_wait one
  until_ok grep "cannot give slot 0 of $ADDR:4001 back: " "$T/relay.log"
  rm "$T/run/ballast"
  score fsck --repair || true # the listener may have done it
  until_ok busy_is 0
  client --line "sleep 0" --expect line
  farm_is_at_rest
}

@test "a full /run, and a restart: a connection for which the queue has no room passes to the next listener, too" {
  local before
  small_run
  node a 4001 1 --mode line
  score load
  fill_run
  # Where headers are awaited, connections are accepted before they have a place.
  managed "$BUILD/cbrelay" -c "$CONF" --accept-proxy 127.88.0.1
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start crowd -n 3500 -c 3500 --line "sleep 0" --expect line
  until_ok grep -q 'No space left on device' "$T/relay.log"
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  grep 'waiter\.0\.' "$T/service.log"
  rm "$T/run/ballast"
  word go
  client_wait holder
  client_wait crowd
  grep 'ok=3500 failed=0' "$T/crowd.out"
  farm_is_at_rest
}

@test "no room to make a scoreboard at all: one clear line, exit 71, nothing left behind" {
  small_run 64k
  node a 4001 1
  # A file system that is full from the beginning, and two that a scoreboard fills.
  for size in 64k 512k 900k; do
    mount -o remount,size=$size "$T/run"
    run --separate-stderr -71 "$BUILD/cbrelay" -c "$CONF" "$GATE" </dev/null
    [[ $stderr == *"$T/run/scoreboard.tdb: No space left on device"* ]] || { echo "$size: $stderr"; return 1; }
    [ -z "$(ls "$T/run")" ]
  done
}

@test "a full /run: clients are served as long as it is full" {
  small_run
  node a 4001 2 --mode line
  score load
  fill_run
  entrance alone
  client_start crowd -n 3000 -c 3000 --line "sleep 0" --expect line
  until_ok grep -q 'No space left on device' "$T/relay.log"
  client_wait crowd
  grep 'ok=3000 failed=0' "$T/crowd.out"
  [ -e "$T/run/ballast" ]
  farm_is_at_rest
}

# Accepting fails for what is written into $SHORT, as long as that is there.
short_machine() {
  preload short
  export SHORT=$T/short
  LD_PRELOAD=$PRELOAD entrance alone "$@"
}

# No connection can be accepted for want of $1: those that wait already are served meanwhile, the others afterwards.
served_while_short() {
  node a 4001 1 --mode line
  short_machine
  client_start now --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start inside -n 400 -c 400 --line "sleep 0" --expect line
  until_ok waiting_is 400
  echo "$1" >"$SHORT"
  client_start outside -n 20 -c 20 --line "sleep 0" --expect line
  until_ok grep -q "$2" "$T/relay.log"
  word go
  client_wait now
  client_wait inside
  [ "$(said "$2")" = 1 ]
  kill -0 "$PID_outside"
  rm "$SHORT"
  client_wait outside
  grep 'ok=20 failed=0' "$T/outside.out"
  farm_is_at_rest
}

@test "a limit of the size of files is as a full /run: clients wait in the backlog, and all are served" {
  node a 4001 1 --mode line
  echo "$ADDR, 4002, 1500, 0x40000000" >>"$CONF" # held: its slots leave little room in the file
  score load
  WRAPPER="prlimit --fsize=$(stat -c %s "$SCOREBOARD")" entrance alone
  client_start crowd -n 900 -c 900 --line "$(until_word go)" --expect line
  until_ok grep -q 'cannot accept: No space left on device' "$T/relay.log"
  word go
  client_wait crowd
  run ! grep damaged "$T/relay.log"
  farm_is_at_rest
}

@test "the machine's table of files is full: clients that wait are served meanwhile" { served_while_short ENFILE 'Too many open files in system'; }
@test "no memory for another connection: clients that wait are served meanwhile" { served_while_short ENOMEM 'Cannot allocate memory'; }

# So many processes at least have tried to accept a connection, and could not
tried_are() { [ "$(cut -d' ' -f1 "$SHORT.tried" | sort -u | wc -l)" -ge "$1" ]; }

# The times, in milliseconds, at which the process has tried that has tried most often.
tries() { awk '{ n[$1]++; t[$1] = t[$1] $2 "\n"; if (n[$1] > n[most]) most = $1 } END { printf "%s", t[most] }' "$SHORT.tried"; }
tries_are() { [ "$(tries | wc -l)" -ge "$1" ]; }

@test "whatever accept(2) fails with, a process tries it four times a second, and that is said once" {
  node a 4001 5 --mode line
  short_machine
  client --line "sleep 0" --expect line
  echo EPERM >"$SHORT"
  client_start late -n 4 -c 4 --line "sleep 0" --expect line
  until_ok tries_are 8
  # Between eight tries there are seven pauses of a quarter of a second.
  run -0 tries
  [ $((lines[7] - lines[0])) -ge 1700 ]
  rm "$SHORT"
  client_wait late
  [ "$(said 'Operation not permitted')" = 1 ]
  farm_is_at_rest
}

@test "a shortage that several relays meet is said once, and once again when it comes back" {
  local round
  node a 4001 5 --mode line
  short_machine
  for round in 1 2; do
    rm -f "$SHORT.tried"
    client_start four -n 4 -c 4 --line "$(until_word "go$round")" --expect line
    until_ok busy_is 4
    word "go$round"
    client_wait four
    until_ok busy_is 0
    echo ENFILE >"$SHORT"
    client_start late -n 20 -c 20 --line "sleep 0" --expect line
    until_ok tried_are 2
    rm "$SHORT"
    client_wait late
    [ "$(said 'Too many open files in system')" = "$round" ]
  done
  farm_is_at_rest
}

@test "a full /run, and damage: a process of its own that waits, and another that begins, serve their clients when there is room" {
  small_run
  node a 4001 1 --mode line
  score load
  entrance connection
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --line "sleep 0" --expect line
  until_ok waiting_is 1
  fill_run
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" header
  until_ok grep -q 'cannot queue for .*: No space left on device; trying again' "$T/relay.log"
  client_start three --line "sleep 0" --expect line
  until_ok grep -q 'cannot open .*: No space left on device; trying again' "$T/relay.log"
  rm "$T/run/ballast"
  word go
  for name in one two three; do client_wait $name; done
  run ! grep 'the scoreboard failed' "$T/relay.log"
  nodes_never_overfilled
  farm_is_at_rest
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
# The listener's relays: how many there are, which relay takes what, and that nothing of a connection reaches the next.

load lib/helpers
load lib/holders

relays() { pgrep -P "$GATE_PID" -x cbrelay || true; }
count_relays() { relays | wc -l; }
relays_at_least() { [ "$(count_relays)" -ge "$1" ]; }
relays_at_most() { [ "$(count_relays)" -le "$1" ]; }
# The process that has the first busy slot.
pid_of_slot() { score slots -nr -o PID | head -n 1; }
relays_with_slots_are() { [ "$(score slots -nr -o PID | grep -vxF "$GATE_PID" | sort -u | wc -l)" = "$1" ]; }

# While a connection is held, the scoreboard shows which process serves it.
serve_one_by_one() {
  local i
  for i in $(seq "$1"); do
    client_start "c$i" --line "$(until_word "go$i")" --expect line
    until_ok busy_is 1
    holders
    word "go$i"
    client_wait "c$i"
    until_ok busy_is 0
  done
}

@test "one relay serves connection after connection, and retires after --connections-per-relay" {
  node a 4001 1 --mode line
  entrance alone --connections-per-relay 3
  serve_one_by_one 7 >"$T/pids"
  # At most three connections for each process; and some process served more than one.
  run -0 awk '{ n[$1]++ } END { for (p in n) { if (n[p] > 3) bad = 1; if (n[p] > 1) again = 1 } exit bad || !again }' "$T/pids"
  farm_is_at_rest
}

@test "--connections-per-relay 1: a process for each connection" {
  node a 4001 1 --mode line
  entrance alone --connections-per-relay 1
  serve_one_by_one 5 >"$T/pids"
  [ "$(sort -u "$T/pids" | wc -l)" = 5 ]
  run -0 client -n 300 -c 8 --send 2000 --half-close --expect any
  farm_is_at_rest
}

@test "how many relays there are: the rule alone" {
  run -0 "$BUILD/tests/cbtest-size"
  [ ${#lines[@]} = 12 ]
}

@test "as many long connections as slots are served at once, by as many relays, which go when they are idle" {
  node a 4001 40 --mode line
  entrance alone
  client_start long -n 40 --line "$(until_word go)" --expect line
  until_ok busy_is 40
  until_ok relays_with_slots_are 40
  word go
  client_wait long
  until_ok relays_at_most 20
  farm_is_at_rest
}

@test "waiters are descriptors of the listener, not processes" {
  node a 4001 2 --mode line
  entrance alone
  client_start holder -n 2 --line "$(until_word go)" --expect line
  until_ok busy_is 2
  client_start crowd -n 300 --line "sleep 1" --expect line
  until_ok waiting_is 300
  until_ok relays_at_most 14
  word go
  client_wait holder
  client_wait crowd
  farm_is_at_rest
}

@test "nothing of one connection is in the relay that serves the next" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to read a relay's memory"; fi
  node a 4001 1 --mode line
  entrance alone
  # Idle relays take turns only when they must, and some are let go: sooner or later a relay gets the next client, too.
  for turn in $(seq 200); do
    # A request that no other part of the test has in one piece, behind more bytes than the next client sends.
    client_start "first$turn" --expect line \
      --line "$(until_word "first$turn") $(printf '%064d' 0)XSECRETX$((7 * 11 * 13))YSECRETY"
    until_ok busy_is 1
    pid=$(holders)
    word "first$turn"
    client_wait "first$turn"
    until_ok busy_is 0
    client_start "second$turn" --line "$(until_word "second$turn")" --expect line
    until_ok busy_is 1
    if [ "$(holders)" = "$pid" ]; then break; fi
    word "second$turn"
    client_wait "second$turn"
    until_ok busy_is 0
  done
  [ "$(holders)" = "$pid" ]
  kill -STOP "$pid"
  # The relay's sockets are only the listening socket, its own two for orders and wake-ups, and this connection's two.
  for fd in /proc/"$pid"/fd/*; do readlink "$fd" || true; done >"$T/fds"
  [ "$(grep -c '^socket:' "$T/fds")" -le 5 ]
  run -0 python3 - "$pid" <<'PY'
import re, sys
pid, found = sys.argv[1], []
want = b"XSECRETX" + str(7 * 11 * 13).encode() + b"YSECRETY"
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
    seen = 0
    for line in maps:
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
        if not m:
            continue
        start, end = (int(x, 16) for x in m.groups())
        if end - start > 1 << 30:
            continue
        try:
            mem.seek(start)
            data = mem.read(end - start)
        except OSError:
            continue
        seen += len(data)
        if want in data:
            found.append(line.strip())
assert seen > 1 << 16, "nothing was read"
assert not found, found
PY
  kill -CONT "$pid"
  word "second$turn"
  client_wait "second$turn"
  farm_is_at_rest
}

@test "a listener that is killed leaves no socket behind that no process accepts from" {
  node a 4001 2 --mode line
  entrance alone
  client_start long --line "$(until_word go)" --expect line
  until_ok busy_is 1
  kill -9 "$GATE_PID"
  until_ok eval '! is_listening "$GATE"'
  # The port is free for the next listener, while the connection goes on.
  entrance alone
  run -0 client --line "sleep 1" --expect line
  until_ok busy_is 1
  word go
  client_wait long
  farm_is_at_rest
}

# A relay of root becomes the owner of the scoreboard's folder when it looks for the dead.
@test "a relay of root that looks for the dead in another user's folder lives on, and leaves no socket behind either" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to be another user"; fi
  local other
  mkdir "$T/run"
  chown nobody "$T/run"
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  node_line 4001 1
  entrance alone
  # The relay's node refuses, and the relay waits with its client. A second listener waits with another client.
  client_start long --line "$(until_word go)" --expect line
  until_ok waiting_is 1
  waiting_in_listener_is 0
  background "$T/other.log" "$BUILD/cbrelay" -c "$CONF" "$ADDR:3633"
  other=$PID
  until_ok is_listening "$ADDR:3633"
  background "$T/second.out" "$CLIENT" --line "sleep 0" --expect line "$ADDR:3633"
  until_ok waiting_is 2
  # No other process than the relay is left that looks for the dead. It finds the second listener.
  kill -STOP "$GATE_PID"
  kill -9 "$other"
  until_ok waiting_is 1
  node_start a 4001 1 --mode line
  probe
  until_ok busy_is 1
  kill -9 "$GATE_PID"
  until_ok eval '! is_listening "$GATE"'
  word go
  client_wait long
  run ! grep 'ended by signal' "$T/relay.log"
  farm_is_at_rest
}

@test "a listener that is killed before a new relay could watch for that leaves no socket behind either" {
  preload late
  node a 4001 1 --mode line
  export LATE=$T/late
  LD_PRELOAD=$PRELOAD entrance alone
  until_ok relays_at_least 4
  : >"$LATE"
  for pid in $(relays); do kill -9 "$pid" || true; done
  until_ok test -e "$LATE.here"
  # So that a relay has to accept the connection.
  kill -STOP "$GATE_PID"
  client_start long --line "sleep 60000" --expect line
  until_ok connected_are 1
  late=$(relays)
  kill -9 "$GATE_PID"
  rm "$LATE"
  until_ok eval '! is_listening "$GATE"'
  client_fails long
  for pid in $late; do until_ok gone "$pid"; done
  farm_is_at_rest
}

@test "idle relays that are killed are replaced, and those that are told to end take nothing with them" {
  node a 4001 8 --mode line
  entrance alone
  until_ok relays_at_least 4
  for round in 1 2 3 4 5 6; do
    for pid in $(relays); do kill -"$([ $((round % 2)) = 0 ] && echo KILL || echo TERM)" "$pid" 2>/dev/null || true; done
    client -n 20 -c 4 --line "sleep 1" --expect line
  done
  until_ok relays_at_least 4
  farm_is_at_rest
}

@test "where the kernel has no epoll_pwait2, relays wait, serve and end all the same" {
  preload old
  node a 4001 2 --mode line
  LD_PRELOAD=$PRELOAD entrance alone
  until_ok relays_at_least 4
  relays | sort >"$T/relays"
  client -n 40 --line "sleep 1" --expect line
  until_ok everything_is_free
  # No relay had to be replaced.
  [ "$(wc -l <"$T/relays")" -ge 4 ]
  [ "$(relays | sort | comm -12 "$T/relays" - | wc -l)" = "$(wc -l <"$T/relays")" ]
  client -n 40 -c 6 --line "sleep 1" --expect line
  kill "$GATE_PID"
  until_ok gone "$GATE_PID"
  for pid in $(cat "$T/relays"); do until_ok gone "$pid"; done
}

# ends_are_noticed [cbrelay option]...: while nothing else happens, the listener waits for relays that end, idle or busy.
ends_are_noticed() {
  local pid
  node a 4001 4 --mode line
  entrance alone "$@"
  until_ok relays_at_least 4
  pid=$(relays | head -n 1)
  kill -9 "$pid"
  until_ok grep -F "relay $pid was ended by signal 9" "$T/relay.log"
  until_ok test ! -e "/proc/$pid"
  client_start one --line "sleep 60000" --expect line
  until_ok busy_is 1
  pid=$(pid_of_slot)
  kill -9 "$pid"
  client_fails one
  until_ok test ! -e "/proc/$pid"
  until_ok everything_is_free
  client -n 40 -c 6 --line "sleep 1" --expect line
  # Relays that have ended leave no process behind.
  until_ok eval '! ps -o stat= --ppid "$GATE_PID" | grep ^Z'
  farm_is_at_rest
}

@test "relays that end are noticed at once" { ends_are_noticed; }
@test "relays of one connection that end are noticed at once" { ends_are_noticed --connections-per-relay 1; }

@test "where the kernel has no pidfd_open, relays that end are noticed while nothing else happens" {
  preload pidless
  export LD_PRELOAD=$PRELOAD
  ends_are_noticed --connections-per-relay 1
}

@test "relays that cannot begin are not forked without end, and clients wait until relays can" {
  preload old
  node a 4001 2 --mode line
  export FAILS=$T/fails
  begun=$(date +%s%N)
  LD_PRELOAD=$PRELOAD entrance alone
  until_ok relays_at_least 4
  : >"$FAILS"
  for pid in $(relays); do kill -9 "$pid" || true; done
  client_start waits -n 3 -c 3 --line "sleep 1" --expect line
  until_ok eval '[ "$(lines_with "$T/relay.log" "cannot begin as a relay")" -gt 100 ]'
  # At most GROWTH_MAX relays at a time, and a pause of a quarter of a second after them.
  said=$(lines_with "$T/relay.log" "cannot begin as a relay")
  pauses=$((($(date +%s%N) - begun) / 250000000 + 2))
  [ "$said" -le $((pauses * 32)) ]
  rm "$FAILS"
  client_wait waits
  farm_is_at_rest
}

# dies_of SIGNAL: relays with a library that sends SIGNAL to a relay as soon as a connection wakes it; see dying_relay.
dies_of() {
  preload dies
  export DIES=$T/dies DIES_OF=$1
  LD_PRELOAD=$PRELOAD entrance alone
  # So many relays that the listener does not replace the dead relay at once: a new relay would find the connection.
  client_start all -n 8 --line "$(until_word all)" --expect line
  until_ok busy_is 8
  word all
  client_wait all
  until_ok everything_is_free
  relays_at_least 6
}

# Clients come until a connection of theirs has woken a relay that got the signal. All are served.
dying_relay() {
  : >"$DIES"
  # The listener takes in a connection that no relay has accepted in a moment, and gives it to a relay: then none has
  # died.
  for _ in $(seq 200); do
    client --line "sleep 1" --expect line
    if [ ! -e "$DIES" ]; then break; fi
  done
  [ ! -e "$DIES" ]
}

@test "a relay that is killed as a connection wakes it leaves the connection to the others" {
  node a 4001 20 --mode line
  dies_of 9
  dying_relay
  until_ok grep 'ended by signal 9' "$T/relay.log"
  farm_is_at_rest
}

@test "a relay that is told to end as a connection wakes it serves the connection, and ends" {
  node a 4001 20 --mode line
  dies_of 15
  relays >"$T/before"
  dying_relay
  has_ended() { relays | grep -vxF -f - "$T/before"; }
  until_ok has_ended
  run -1 grep -e 'ended by signal' -e 'end=K' "$T/relay.log"
  farm_is_at_rest
}

last_client() { client_start last --line "$(until_word go)" --expect line; }

# The slot of a connection that was cut has been granted to a waiter of the listener, and every idle relay is stopped:
# the waiter is on its way to one of these relays. They are in $idle.
connection_on_its_way() {
  node a 4001 1 --mode line
  entrance alone "$@"
  until_ok relays_at_least 4
  client_start now --line "sleep 60000" --expect line
  until_ok busy_is 1
  last_client
  until_ok waiting_in_listener_is 1
  taken=$(holders)
  idle=$(relays | grep -vxF "$taken")
  # shellcheck disable=SC2086  # pids
  kill -STOP $idle
  kill -9 "$taken"
  client_fails now
}

# Whether the only busy slot has been taken by another relay than those that were stopped.
taken_by_another() {
  local pid
  pid=$(pid_of_slot)
  [ -n "$pid" ] && [ "$pid" != "$GATE_PID" ] && ! grep -qxF "$pid" <<<"$idle"
}

stopped_on_the_way() {
  local taken idle
  connection_on_its_way "$@"
  until_ok taken_by_another
  # shellcheck disable=SC2086  # pids
  kill -CONT $idle
  word go
  client_wait last
  farm_is_at_rest
}

@test "a waiter on its way to a relay that is stopped goes to another one, with its place" { stopped_on_the_way; }
@test "relays of one connection: a waiter on its way to a stopped relay goes to another one" { stopped_on_the_way --connections-per-relay 1; }

@test "a client that was on its way to a stopped relay learns of its end while the relay is stopped" {
  local taken idle
  # It says its end first: so its own end comes with the close of the socket.
  last_client() {
    background "$T/last.out" python3 -c "
import socket
s = socket.create_connection(('$ADDR', 3632)); s.sendall(b'$(until_word go)\n'); s.shutdown(socket.SHUT_WR)
s.settimeout(300)
while s.recv(999): pass
print('end', flush=True)"
  }
  connection_on_its_way
  until_ok taken_by_another
  word go
  until_ok busy_is 0
  PATIENCE=20 until_ok grep -qx end "$T/last.out"
  # shellcheck disable=SC2086  # pids
  kill -CONT $idle
  farm_is_at_rest
}

@test "a waiter on its way to a relay that is killed goes to another one, with its place" {
  local taken idle
  connection_on_its_way
  # shellcheck disable=SC2086  # pids
  kill -9 $idle
  until_ok taken_by_another
  word go
  client_wait last
  farm_is_at_rest
}

@test "a relay that is told to end while its next connection is on the way loses nothing, and ends" {
  local taken idle
  connection_on_its_way
  # shellcheck disable=SC2086  # pids
  kill $idle
  # shellcheck disable=SC2086
  kill -CONT $idle
  until_ok busy_is 1
  word go
  client_wait last
  for pid in $idle; do until_ok gone "$pid"; done
  farm_is_at_rest
}

@test "a relay that is told to end while its next connection is on the way, and its listener stops, loses nothing" {
  local taken idle
  connection_on_its_way
  kill "$GATE_PID"
  until_ok grep 'stopping:' "$T/relay.log"
  # shellcheck disable=SC2086  # pids
  kill $idle
  # shellcheck disable=SC2086
  kill -CONT $idle
  until_ok busy_is 1
  word go
  client_wait last
  until_ok gone "$GATE_PID"
  farm_is_at_rest
}

@test "a listener that is told to end at once also ends a connection that is on the way to its relay" {
  local taken idle
  connection_on_its_way
  kill "$GATE_PID"
  until_ok grep 'stopping:' "$T/relay.log"
  kill "$GATE_PID"
  until_ok grep 'stopping at once' "$T/relay.log"
  # shellcheck disable=SC2086  # pids
  kill -CONT $idle
  client_fails last
  until_ok gone "$GATE_PID"
  farm_is_at_rest
}

is_zombie() { look_at "$1" && [ "$STATE" = Z ]; }
sleeps_more() { [ "$(sleeps_of "$1")" -ge "$2" ]; }

@test "a listener sleeps while a debugger keeps a relay that is dead" {
  local holder before
  [ "$(id -u)" = 0 ] || skip "needs root to trace a relay"
  node a 4001 1 --mode line
  entrance alone
  until_ok relays_at_least 4
  client_start one --line "sleep 60000" --expect line
  until_ok busy_is 1
  holder=$(holders)
  background "$T/debugger.log" python3 -c "
import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
print('seized' if libc.ptrace(PTRACE_SEIZE, $holder, None, None) == 0 else 'refused', flush=True)
time.sleep(600)"
  until_ok grep -qE 'seized|refused' "$T/debugger.log"
  grep seized "$T/debugger.log" || skip "no process may be traced on this machine"
  kill -9 "$holder"
  until_ok is_zombie "$holder"
  client_fails one
  before=$(sleeps_of "$GATE_PID")
  # A listener that looked all the time would not sleep at all.
  PATIENCE=20 until_ok sleeps_more "$GATE_PID" $((before + 20))
  kill -9 "$PID"
  until_ok grep -F "relay $holder was ended by signal 9" "$T/relay.log"
  until_ok test ! -e "/proc/$holder"
  client -n 40 -c 6 --line "sleep 1" --expect line
  farm_is_at_rest
}

sleeps_of() { awk '/^voluntary/ { print $2 }' "/proc/$1/status"; }

# Not also to close its copy of the socket. A turn more in a while is for its timers.
@test "a slot that goes from connection to connection wakes the listener once for each" {
  local before sleeps
  node a 4001 1 --mode line
  entrance alone
  until_ok relays_at_least 4
  client_start first --line "$(until_word first)" --expect line
  until_ok busy_is 1
  client_start rest -n 60 -c 60 --line "sleep 3" --expect line
  until_ok waiting_in_listener_is 60
  before=$(sleeps_of "$GATE_PID")
  word first
  client_wait rest
  sleeps=$(($(sleeps_of "$GATE_PID") - before))
  echo "$sleeps sleeps"
  [ "$sleeps" -le 90 ]
  farm_is_at_rest
}

# An ending HOW, "end" or "reset", of a connection that was given to a relay, while the listener has the socket, too. The
# client says its end first: so its own end comes with the close of the socket.
ends_while_the_listener_is_stopped() {
  background "$T/$1.client" python3 -c "
import socket
s = socket.create_connection(('$ADDR', 3632)); s.sendall(b'hold$1\n')
assert s.recv(9)
w = socket.create_connection(('$ADDR', 3632)); w.sendall(b'$1\n'); w.shutdown(socket.SHUT_WR); w.settimeout(20)
print('waits', flush=True)
s.close()
try:
    print('end' if w.recv(9) == b'x' and w.recv(9) == b'' else 'bytes', flush=True)
except ConnectionResetError: print('reset', flush=True)
except TimeoutError: print('nothing', flush=True)"
  until_ok waiting_in_listener_is 1
  word "hold$1"
  until_ok grep -qx "got $1" "$T/jobs.log"
  kill -STOP "$GATE_PID"
  word "$1"
  until_ok grep -qxE 'end|reset|nothing|bytes' "$T/$1.client"
  kill -CONT "$GATE_PID"
  [ "$(tail -n 1 "$T/$1.client")" = "$1" ]
}

@test "a client learns of the end at once also while the listener has its socket, too, and is stopped" {
  python_node jobs <<END
while True:
    c = s.accept()[0]
    name = c.recv(99).decode().strip()
    say('got', name)
    if name.startswith('hold'): c.sendall(b'x')
    while not os.path.exists('$T/' + name + '.word'): time.sleep(0.005)
    if name == 'reset': c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    elif name == 'end': c.sendall(b'x')
    c.close()
END
  node_line 4001 1
  entrance alone
  until_ok relays_at_least 4
  ends_while_the_listener_is_stopped end
  ends_while_the_listener_is_stopped reset
  farm_is_at_rest
}

@test "a relay that cannot write its line keeps no waiter from its slot" {
  node a 4001 1 --mode line
  # The log is a pipe that no process reads: no line has room in it.
  mkfifo "$T/log"
  sleep 600 <>"$T/log" 3>&- &
  started $!
  background /dev/null bash -c 'exec "$@" 2>"$0"' "$T/log" "$BUILD/cbrelay" -c "$CONF" "$GATE"
  GATE_PID=$PID
  until_ok is_listening "$GATE"
  client_start first --line "$(until_word first)" --expect line
  until_ok busy_is 1
  client_start second --line "$(until_word second)" --expect line
  until_ok waiting_in_listener_is 1
  # Fills the rest of the pipe's room.
  python3 -c "
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
for size in (4096, 1):
    try:
        while True:
            os.write(fd, b'x' * size)
    except BlockingIOError:
        pass" "$T/log"
  word first
  client_wait first
  # The line of the first connection is lost; its relay, or a new relay, has the second.
  second_is_served() { [ -n "$(pid_of_slot)" ] && [ "$(pid_of_slot)" != "$GATE_PID" ]; }
  until_ok second_is_served
  word second
  client_wait second
  farm_is_at_rest
}

@test "clients of many short connections, with the farm full and not full in turn: no connection is lost" {
  node a 4001 3 --mode echo
  node b 4002 2 --mode echo
  entrance alone
  for n in 2 5 6 20 3 40 1; do
    run -0 client -n 400 -c "$n" --send 700 --half-close --expect echo
  done
  farm_is_at_rest
}

@test "--queue-limit leaves clients to the backlog of a listener, and refuses none" {
  node a 4001 1 --mode hold:40
  entrance alone --queue-limit 2
  client_start crowd -n 30 --expect line
  client_wait crowd
  grep 'ok=30 failed=0' "$T/crowd.out"
  farm_is_at_rest
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The relay's log of connections: its lines are true, and a reader that does not
# read never delays a connection.

load lib/helpers
load lib/holders

# Standard error is a full pipe, which no process reads until drain.
full_stderr() {
  mkfifo "$T/pipe"
  exec 8<>"$T/pipe"
  python3 -c "
import os
os.set_blocking(8, False)
try:
    while True: os.write(8, b'x' * 4095 + b'\\n')
except BlockingIOError:
    while True:
        try: os.write(8, b'x')
        except BlockingIOError: break
os.set_blocking(8, True)"
}

# The reader of the log has stopped reading.
log_hangs() {
  full_stderr
  node a 4001 2 --mode hold:5
  # systemd-socket-activate's own lines would wait, so the pipe is for the relay alone.
  way_in "$1" "$GATE" bash --norc -c "exec \"\$@\" 2>'$T/pipe'" sh "$BUILD/cbrelay" -c "$CONF"
  background "$T/relay.log" "${WAY_IN[@]}"
  until_ok is_listening "$GATE"
  client -n 60 -c 6 --expect line
  farm_is_at_rest
}

@test "listener: a log that no process reads holds up no connection" { log_hangs listener; }
@test "connection: a log that no process reads holds up no connection" { log_hangs connection; }
@test "inetd: a log that no process reads holds up no connection" { log_hangs inetd; }
@test "alone: a log that no process reads holds up no connection, and what was lost is counted" {
  log_hangs alone
  # Now a process reads; behind the next line comes the number of missing lines.
  background "$T/drained" cat "$T/pipe"
  until_ok test -s "$T/drained"
  client --expect line
  until_ok grep -E 'cbrelay: [0-9]+ lines before this one were lost, as the log took none' "$T/drained"
  # There is a connection more than there are lines: the other line is the listener's own.
  [ "$(sed -n 's/^.*cbrelay: \([0-9]*\) lines before this.*/\1/p' "$T/drained")" -ge 60 ]
  until_ok lines_with_are "$T/drained" 'client=' 1
}

@test "the resident prober: a log that no process reads holds up no pass, and what was lost is counted" {
  full_stderr
  node_line 4001 1
  score load
  background "$T/probe.log" bash -c 'exec "$@" 2>'"'$T/pipe'" sh "$BUILD/cbprobe" -c "$CONF" --interval 50ms --fall 1
  until_ok state_is 4001 down
  node a 4001 1 --mode line
  until_ok state_is 4001 up
  kill "$PID_a"
  until_ok state_is 4001 down
  background "$T/drained" cat "$T/pipe"
  until_ok test -s "$T/drained"
  node_start a 4001 1 --mode line
  until_ok grep -E '^cbprobe: .*:4001 is up \(was down' "$T/drained"
  until_ok grep -E '^cbprobe: ([2-9]|[1-9][0-9]+) lines before this one were lost' "$T/drained"
}

@test "a pass that a person starts loses no line, however slowly these are read" {
  local i
  for ((i = 1; i <= 2000; i++)); do echo "$ADDR, $((10000 + i)), 1, 0"; done >"$CONF"
  score load
  probe --fall 1 -v 2> >(while IFS= read -r line; do echo "$line"; done >"$T/slowly")
  until_ok eval '[ "$(grep -c "is down: connection refused" "$T/slowly")" = 2000 ]'
}

# A journal of the test's own: python reads the datagrams once "$T/read.word" is there, and writes them as text.
journal_start() {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a journal of its own"; fi
  background "$T/journal.keeper" unshare --mount bash -c "mount -t tmpfs none /run/systemd 2>/dev/null || { mkdir -p /run/systemd && mount -t tmpfs none /run/systemd; }
    mkdir -p /run/systemd/journal && exec python3 -c \"
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('/run/systemd/journal/socket')
print('ready', flush=True)
while not os.path.exists('$T/read.word'): time.sleep(0.02)
while True:
    print(s.recv(65536).decode(), flush=True)\""
  JOURNAL=$PID
  until_ok grep -q ready "$T/journal.keeper"
}

# The relay takes its standard error for the journal's.
journal_entrance() {
  exec 7>"$T/relay.stderr"
  background "$T/relay.log" nsenter --mount="/proc/$JOURNAL/ns/mnt" bash -c \
    'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) exec "$@" 2>&7' sh "$BUILD/cbrelay" -c "$CONF" "$@" "$GATE"
  until_ok is_listening "$GATE"
}

field() { sed -n "s/^$1=//p" "$T/journal.keeper"; }

@test "the journal: a node that the prober finds down is told with its farm" {
  journal_start
  word read
  node_line 4001 1
  score load
  exec 7>"$T/probe.stderr"
  # shellcheck disable=SC2016 # for the shell that runs it
  nsenter --mount="/proc/$JOURNAL/ns/mnt" bash -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) exec "$@" 2>&7' sh \
    "$BUILD/cbprobe" --farm ci -s "$SCOREBOARD" -c "$CONF" --fall 1
  until_ok grep -q "MESSAGE_ID=3ae5f1" "$T/journal.keeper"
  [ "$(field COREBALANCE_FARM | sort -u)" = ci ]
  [ "$(field COREBALANCE_NODE | sort -u)" = "$ADDR:4001" ]
}

@test "the journal: a connection is told in words, and exactly in fields" {
  journal_start
  word read
  node a 4001 1 --mode line
  journal_entrance --farm ci --scoreboard "$SCOREBOARD" --config "$CONF"
  client_start first --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start second --line "sleep 0" --expect line
  until_ok waiting_is 1
  word go
  client_wait first
  client_wait second
  until_ok grep -q "MESSAGE_ID=6c2f0a" "$T/journal.keeper"
  until_ok eval '[ "$(field MESSAGE_ID | grep -c 6c2f0a)" = 2 ]'
  field MESSAGE | grep -E "^127\.[0-9.]+:[0-9]+ -> $ADDR:4001: served in [0-9.]+m?s, [0-9]+ B in, [0-9]+ B out$"
  [ "$(field COREBALANCE_FARM | sort -u)" = ci ]
  [ "$(field COREBALANCE_CLIENT_ADDRESS | sort -u)" = "$(field COREBALANCE_CLIENT | sed 's/:[0-9]*$//' | sort -u)" ]
  [ "$(field COREBALANCE_END | sort -u)" = "--" ]
  [ "$(field SYSLOG_IDENTIFIER | sort -u)" = cbrelay ]
  ! field MESSAGE | grep -E '[0-9] ?us\b'
}

@test "the journal: a limit that was reached is named, and no node is said to have been reached" {
  journal_start
  word read
  node a 4001 1 --mode line
  journal_entrance --queue-timeout 400ms --down-timeout 300ms
  client_start holder --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client --line "sleep 0" --expect line || true
  until_ok eval 'field MESSAGE | grep -E "^127[^ ]*: not served: all nodes were busy for 0\.[4-9]s \(--queue-timeout\)$|not served: all nodes were busy for [0-9.]*s"'
  word go
  client_wait holder
  score down "$ADDR:4001"
  client --line "sleep 0" --expect line || true
  until_ok eval 'field MESSAGE | grep -E "^127[^ ]*: not served: no node was up for [0-9.]+s \(--down-timeout\)$"'
  [ "$(field COREBALANCE_NODE | grep -c NOSRV)" = 2 ]
  [ "$(field COREBALANCE_END | grep -c RQ)" = 2 ]
  [ "$(field COREBALANCE_CAUSE | xargs)" = '- queue-timeout down-timeout' ] || [ "$(field COREBALANCE_CAUSE | xargs)" = 'queue-timeout - down-timeout' ]
}

@test "the journal hangs: connections go on, and what was lost is counted" {
  journal_start
  node a 4001 2 --mode hold:5
  journal_entrance
  client -n 800 -c 8 --expect line
  farm_is_at_rest
  word read
  until_ok grep -q 'MESSAGE_ID' "$T/journal.keeper"
  # The queue of datagrams is empty when everything that was sent has been read.
  until_ok eval 'client --expect line; field MESSAGE | grep -qE "^[0-9]+ lines before this one were lost"'
}

@test "--log: which connections have a line" {
  node a 4001 2 --mode line
  entrance alone --log failed
  client --line "sleep 0" --expect line
  client --line reset --expect line || true
  until_ok grep -q 'end=SD' "$T/relay.log"
  lines_with_are "$T/relay.log" 'end=--' 0
  GATE=$ADDR:3699
  background "$T/slow.log" "$BUILD/cbrelay" -c "$CONF" --log slow=300ms "$GATE"
  until_ok is_listening "$GATE"
  client --line "sleep 0" --expect line
  client --line "sleep 400" --expect line
  until_ok lines_with_are "$T/slow.log" 'end=--' 1
  grep -q 'client=.* end=--' "$T/slow.log"
  GATE=$ADDR:3697
  background "$T/sample.log" "$BUILD/cbrelay" -c "$CONF" --log sample=10 "$GATE"
  until_ok is_listening "$GATE"
  client -n 100 -c 4 --line "sleep 0" --expect line
  client --line reset --expect line || true
  until_ok lines_with_are "$T/sample.log" ' sample=1 .*end=SD' 1
  farm_is_at_rest
  # Of a hundred tickets in a row each tenth.
  until_ok lines_with_are "$T/sample.log" ' sample=10 .*end=--' 10
  for wrong in sample=0 sample= sample=x sample=1.5; do
    run -64 "$BUILD/cbrelay" --log "$wrong"
  done
  GATE=$ADDR:3698
  background "$T/none.log" "$BUILD/cbrelay" -c "$CONF" --log none "$GATE"
  until_ok is_listening "$GATE"
  client --line reset --expect line || true
  farm_is_at_rest
  lines_with_are "$T/none.log" 'client=' 0
  run -64 "$BUILD/cbrelay" --log some
  [[ $output == *'--log: "some": expected all, failed, slow=TIME, sample=N or none'* ]]
}

# A value of the only line of the log that has that cause.
of_killed() { sed -n "/ cause=killed /s/.* $1=\([^ ]*\).*/\1/p" "$T/relay.log"; }

@test "a connection whose relay is killed has its line, which the listener writes" {
  node a 4001 1 --mode line
  entrance alone
  client_start victim --line "$(until_word never)" --expect line
  until_ok slots_are_of_relays
  # The relay tells how many bytes have moved each second.
  until_ok eval '[ "$(score slots -nr -o IN)" -gt 0 ]'
  local client slot
  client=$(score slots -nr -o CLIENT) slot=$(score slots -nr -o SLOT)
  kill -9 "$(score slots -nr -o PID)"
  client_fails victim
  until_ok lines_with_are "$T/relay.log" 'cause=killed' 1
  [ "$(of_killed client)" = "$client" ]
  [ "$(of_killed node)" = "$ADDR:4001" ]
  [ "$(of_killed slot)" = "$slot" ]
  [ "$(of_killed end)" = RD ]
  [[ $(of_killed id) == ?*-*-* ]]
  [[ $(of_killed node_local) == 127.* ]]
  [ "$(of_killed bytes_in)" -gt 0 ]
  [ "$(of_killed total_usec)" -ge "$(of_killed wait_usec)" ]
  # The number's next relay tells of its own connection only.
  client -n 20 -c 2 --line "sleep 0" --expect line
  farm_is_at_rest
  until_ok lines_with_are "$T/relay.log" 'end=--' 20
  lines_with_are "$T/relay.log" 'client=' 21
}

@test "a connection whose relay is killed while it connects, or waits for another node, is told as that" {
  full_node 4001
  node_line 4001 1
  score load
  entrance alone
  client_start connecting --expect any
  kill -9 "$(holders)"
  client_fails connecting
  until_ok lines_with_are "$T/relay.log" 'cause=killed' 1
  [ "$(of_killed end)" = RC ]
  [ "$(of_killed connect_usec)" = - ]
  : >"$T/relay.log"
  node_line 4002 1
  score load
  score down "$ADDR:4001"
  client_start waiting --expect any
  # The node refuses.
  until_ok eval '[ "$(score queue -n | grep -c .)" = 1 ]'
  until_ok eval '! grep -qxF "$GATE_PID" <<<"$(score queue -nr -o PID)"'
  kill -9 "$(score queue -nr -o PID)"
  client_fails waiting
  until_ok lines_with_are "$T/relay.log" 'cause=killed' 1
  [ "$(of_killed end)" = RQ ]
  [ "$(of_killed node)" = "<NOSRV>" ]
}

@test "a connection's line is put together without printf, and reads as printf would have written it" {
  run -0 "$BUILD/tests/cbtest-text"
  [ ${#lines[@]} = 3 ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

@test "IPv6: clients, listener and node" {
  background "$T/six.log" "$NODE" --name six --max 1 --mode hold:5 '[::1]:0'
  until_ok grep -q ^PORT "$T/six.log"
  local node_port
  node_port=$(awk '{ print $2 }' "$T/six.log")
  background "$T/relay.log" "$BUILD/cbrelay" '[::1]:0' "[::1]:$node_port"
  until_ok grep -q 'listening on' "$T/relay.log"
  GATE=$(sed -n 's/.*listening on //p' "$T/relay.log")
  client -n 3 -c 3 --expect line
  until_ok grep 'client=\[::1\]:' "$T/relay.log"
}

@test "a unix socket, and several sockets at once, from systemd" {
  node a 4001 2 --mode hold:5
  background "$T/relay.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS \
    -l "$T/gate.sock" -l "$GATE" -l "$ADDR:3633" "$BUILD/cbrelay" -c "$CONF"
  until_ok test -S "$T/gate.sock"
  until_ok is_listening "$ADDR:3633"
  "$CLIENT" -n 3 -c 3 --expect line "unix:$T/gate.sock"
  client -n 3 -c 3 --expect line
  "$CLIENT" -n 3 -c 3 --expect line "$ADDR:3633"
  until_ok grep 'client=unix:' "$T/relay.log"
  farm_is_at_rest
}

@test "stand-alone at a path: the next farm starts there while the last connections of the farm before are served" {
  node a 4001 2 --mode line
  background "$T/relay.log" "$BUILD/cbrelay" -c "$CONF" "$T/gate.sock"
  local before=$PID
  until_ok grep 'listening on' "$T/relay.log"
  background "$T/one.out" "$CLIENT" --line "$(until_word go)" --expect line "unix:$T/gate.sock"
  local one=$PID
  until_ok busy_is 1
  kill "$before"
  until_ok eval '! ss -Hxl | grep -F "$T/gate.sock"'
  background "$T/next.log" "$BUILD/cbrelay" -c "$CONF" "$T/gate.sock"
  until_ok grep 'listening on' "$T/next.log"
  "$CLIENT" --line "sleep 0" --expect line "unix:$T/gate.sock"
  is_running "$before"
  word go
  wait "$one"
  gone "$before"
  farm_is_at_rest
}

# closed_and_waiting [--accept]: a closed unix socket gives a hang-up, which is no reset.
closed_and_waiting() {
  node a 4001 1 --mode line --eof-ends
  background "$T/relay.log" systemd-socket-activate "$@" -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS \
    -l "$T/gate.sock" -l "$GATE" "$BUILD/cbrelay" -c "$CONF"
  until_ok test -S "$T/gate.sock"
  until_ok is_listening "$GATE"
  client_start one --line "sleep 60000" --expect line
  until_ok busy_is 1
  run -0 python3 - "$T/gate.sock" <<'EOF'
import socket, sys
for job in b'count\n', b'':
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(job)
    s.close()
EOF
  until_ok grep -q 'client=unix:.* bytes_in=0 .* end=CQ' "$T/relay.log"
  until_ok waiting_is 1
  kill "$PID_one"
  until_ok grep -q 'client=unix:.* bytes_in=6 ' "$T/relay.log"
  farm_is_at_rest
}

@test "listener: a client that has sent its job to a unix socket and closed it waits for its slot" { closed_and_waiting; }
@test "connection: a client that has sent its job to a unix socket and closed it waits for its slot" {
  closed_and_waiting --accept
}

@test "IAWLB's command line: a farm from arguments, with a scoreboard of its own that goes with it" {
  node_start a 4001 2 --mode hold:5
  node_start b 4002 1 --mode hold:5
  unset COREBALANCE_SCOREBOARD
  background "$T/relay.log" "$BUILD/cbrelay" "$GATE" "$ADDR:4001/2" "$ADDR:4002"
  until_ok is_listening "$GATE"
  local own
  until_ok grep -q 'scoreboard ' "$T/relay.log"
  own=$(sed -n 's/.*scoreboard //p' "$T/relay.log")
  client -n 9 -c 9 --expect line
  run -0 score list -s "$own" -nr -o NODE,CORES
  [ "$output" = "$ADDR:4001 2
$ADDR:4002 1" ]
  kill "$GATE_PID" 2>/dev/null || kill "$PID"
  until_ok test ! -e "$own"
  nodes_never_overfilled
}

@test "a farm from arguments: a node whose name does not resolve is told, and the others serve" {
  node_start a 4001 2 --mode hold:5
  unset COREBALANCE_SCOREBOARD
  background "$T/relay.log" "$BUILD/cbrelay" "$GATE" nowhere.invalid:4002/8 "$ADDR:4001/2"
  GATE_PID=$PID
  until_ok grep -q "nowhere.invalid:4002: the name does not resolve, so this node gets no connection" "$T/relay.log"
  client -n 4 -c 4 --expect line
  run ! grep -q "$ADDR:4001: the name" "$T/relay.log"
  kill "$GATE_PID"
  gone "$GATE_PID"
  nodes_never_overfilled
}

@test "a farm from arguments has a scoreboard of its own where COREBALANCE_SCOREBOARD is empty, too" {
  [ ! -e /run/corebalance/scoreboard.tdb ] || skip "this machine has a farm, which must not be taken for it"
  node_start a 4001 2 --mode line
  export COREBALANCE_SCOREBOARD=
  background "$T/relay.log" "$BUILD/cbrelay" "$GATE" "$ADDR:4001/2"
  until_ok grep -q 'scoreboard .*/cbrelay-.*/scoreboard.tdb' "$T/relay.log"
  client --line hello --expect line
  kill "$PID"
  wait "$PID"
}

# Runs in a mount namespace where /run and /dev/shm are empty: what other farms of this machine have is not seen.
alone_here() {
  [ "$(id -u)" = 0 ] || skip "needs root for empty folders in place of /run and /dev/shm"
  unset COREBALANCE_SCOREBOARD
  node_start a 4001 2 --mode line
  run -0 unshare --mount env BUILD="$BUILD" ADDR="$ADDR" T="$T" CLIENT="$CLIENT" timeout 300 bash -euc '
    mount -t tmpfs none /run
    mount -t tmpfs none /dev/shm
    until_ok() { for _ in $(seq 1500); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.02; done; echo "gave up: $*"; exit 1; }
    farm() { "$BUILD/cbrelay" "$ADDR:$1" "$ADDR:4001/2" 2>"$T/$1.log" & until_ok grep "^cbrelay: listening" "$T/$1.log"; }
    own() { sed -n "s/.*: scoreboard //p" "$T/$1.log"; }
    served() { "$CLIENT" --line "sleep 0" --expect line "$ADDR:$1" >/dev/null; }
    '"$1"
  echo "$output"
}

@test "a stand-alone farm: nothing of it is left at its end, nor of a killed farm at the next start" {
  alone_here '
    farm 3633; first=$!; served 3633
    kill $first; wait $first
    [ -z "$(ls -A /run /dev/shm | grep cbrelay)" ]
    farm 3633; killed=$!; served 3633
    "$CLIENT" --line "until $T/go" --expect line "$ADDR:3633" >/dev/null & client=$!
    relay() { "$BUILD/cbscore" slots -s "$(own 3633)" -nr -o pid; }
    until_ok eval "relay | grep ."
    relay=$(relay)
    kill -9 $killed
    wait $killed || true
    # A relay of the killed farm still serves: its scoreboard stays.
    farm 3634; other=$!; served 3634
    [ -e "$(own 3633)" ]
    : >"$T/go"
    wait $client
    until_ok eval "! kill -0 $relay"
    kill $other; wait $other
    farm 3635; last=$!; served 3635
    [ ! -e "$(own 3633)" ]
    kill $last; wait $last
    [ -z "$(ls -A /run /dev/shm | grep cbrelay)" ]
  '
}

@test "cbscore without options shows the stand-alone farm, unless the machine has a farm, or there are several" {
  alone_here '
    farm 3633; first=$!; served 3633
    [ "$("$BUILD/cbscore" list -nr -o node,cores)" = "$ADDR:4001 2" ]
    [ "$("$BUILD/cbscore" fsck)" = "$(own 3633): sound" ]
    # Every program gives it the same name.
    until_ok grep " farm=stand-alone id=stand-alone-" "$T/3633.log"
    "$BUILD/cbscore" status | grep -q "^farm stand-alone: "
    farm 3634; second=$!; served 3634
    rc=0; "$BUILD/cbscore" list 2>"$T/said" || rc=$?
    [ $rc = 1 ]
    grep "2 stand-alone farms are here: name one by --scoreboard" "$T/said"
    rc=0; said=$("$BUILD/cbscore" check 2>/dev/null) || rc=$?
    [ $rc = 3 ]
    [[ $said == "COREBALANCE UNKNOWN - 2 stand-alone farms are here: name one by --scoreboard"* ]]
    # What needs no farm, or is about the machine'\''s own, is not asked which.
    echo "$ADDR, 4009, 7, 0" >"$T/list"
    "$BUILD/cbscore" validate "$T/list"
    "$BUILD/cbscore" mergelogs /dev/null /dev/null
    "$BUILD/cbscore" help list >/dev/null
    cp "$T/list" "$T/edited"
    EDITOR=true "$BUILD/cbscore" -c "$T/edited" edit
    EDITOR="sed -i s/7/8/" "$BUILD/cbscore" -c "$T/edited" edit 2>"$T/said" || true
    grep "/run/corebalance/scoreboard.tdb" "$T/said"
    [ "$("$BUILD/cbscore" list -s "$(own 3634)" -nr -o node,cores)" = "$ADDR:4001 2" ]
    kill -9 $second; wait $second || true
    # What the killed farm left behind is not taken for a farm.
    until_ok "$BUILD/cbscore" list
    mkdir /run/corebalance
    echo "$ADDR, 4009, 7, 0" >"$T/list"
    "$BUILD/cbscore" load -c "$T/list" >/dev/null
    [ "$("$BUILD/cbscore" list -nr -o node,cores)" = "$ADDR:4009 7" ]
    kill $first; wait $first
  '
}

@test "inetd's wait form: a listening socket on standard input" {
  node a 4001 1 --mode hold:5
  background "$T/relay.log" python3 -c "
import os, socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$ADDR', 3632)); s.listen(16)
os.dup2(s.fileno(), 0)
os.execv('$BUILD/cbrelay', ['cbrelay', '-c', '$CONF', '--exit-idle', '8s'])"
  local pid=$PID
  until_ok is_listening "$GATE"
  # Long before the relay is idle, also on a slow machine.
  client -n 5 -c 5 --expect line
  # An idle listener ends, which gives the socket back to inetd.
  gone "$pid"
  wait "$pid"
  farm_is_at_rest
}

@test "inetd's wait form: SIGTERM ends the listener when its waiters are served or have left, whichever relays it has by then" {
  local pid holder
  node a 4001 1 --mode line
  background "$T/relay.log" python3 -c "
import os, socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$ADDR', 3632)); s.listen(16)
os.dup2(s.fileno(), 0)
os.execv('$BUILD/cbrelay', ['cbrelay', '-c', '$CONF'])"
  pid=$PID
  until_ok is_listening "$GATE"
  client_start killed --line "$(until_word never)" --expect line
  until_ok busy_is 1
  client_start served --line "$(until_word go)" --expect line
  until_ok waiting_is 1
  client_start leaver --send 0 --expect none
  until_ok waiting_is 2
  kill "$pid"
  until_ok grep -q 'stopping: ' "$T/relay.log"
  # The next relay is made when no relay and no nursery of earlier is left, and is idle when the last waiter leaves.
  holder=$(score slots -nr -o PID)
  pgrep -P "$pid" | grep -vx "$holder" | xargs -r kill -9 || true
  until_ok eval '[ "$(pgrep -P "$pid")" = "$holder" ]'
  kill -9 "$holder"
  client_fails killed
  until_ok waiting_is 1
  score down "$ADDR:4001"
  word go
  client_wait served
  until_ok busy_is 0
  kill "$PID_leaver"
  gone "$pid"
  farm_is_at_rest
}

# Makes a connection to $GATE, and prints the source that the PROXY header told the node.
source_told() { # ADDRESS
  "$CLIENT" --line "sleep 0" --expect line --print "$1" | sed -nE 's/.* src=([^ ]*).*/\1/p'
}

@test "the PROXY header names clients of every family: IPv6, IPv4 by an IPv6 socket, and a unix socket" {
  local version out port
  for version in v1 v2; do
    port=$((20000 + RANDOM % 10000))
    node_start "$version" 400"${version#v}" 1 --mode line --proxy "$version"
    echo "$ADDR, 400${version#v}, 1, 0, proxy=$version" >"$CONF"
    score load
    background "$T/relay.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS \
      -l "$T/gate.sock" -l "[::]:$port" "$BUILD/cbrelay" -c "$CONF"
    until_ok is_listening ":$port"
    until_ok test -S "$T/gate.sock"
    out=$(source_told "[::1]:$port")
    [[ $out == '[::1]:'* ]] || { echo "$version IPv6: $out"; return 1; }
    out=$(source_told "127.0.0.1:$port")
    [[ $out == 127.0.0.1:* ]] || { echo "$version IPv4: $out"; return 1; }
    out=$(source_told "unix:$T/gate.sock")
    [[ $out =~ ^(unknown|local)$ ]] || { echo "$version unix: $out"; return 1; }
    kill "$PID"
    gone "$PID"
    rm -f "$T/gate.sock"
  done
}

# given CODE: runs cbrelay with the descriptors that this line of Python makes, from 3 on, as systemd passes them.
given() {
  python3 -c "
import os, socket
def inet(kind=socket.SOCK_STREAM, listen=False):
    s = socket.socket(socket.AF_INET, kind)
    if listen: s.listen(1)
    return s.detach()
def give(*fds):
    high = [os.dup2(fd, 300 + i) for i, fd in enumerate(fds)]
    for i, fd in enumerate(high): os.dup2(fd, 3 + i)
    os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()))
$1
os.execv('$BUILD/cbrelay', ['cbrelay', '-c', '$CONF'] + '${2:-}'.split())" </dev/null
}

@test "descriptors that are not what an entrance can be: exit 64 and one line that says what was expected" {
  node a 4001 1
  run -64 given "give(os.open('/dev/null', os.O_RDWR))"
  [[ $output == *"descriptor 3: Socket operation on non-socket: expected a stream socket"* ]]
  run -64 given "give(inet(socket.SOCK_DGRAM))"
  [[ $output == *"descriptor 3: Protocol wrong type for socket: expected a stream socket"* ]]
  run -64 given "give(inet(listen=True), socket.socketpair()[0].detach())"
  [[ $output == *"descriptor 4: expected one connected socket, or listening ones only"* ]]
  run -64 given "give(*[inet(listen=True) for i in range(200)])"
  [[ $output == *": expected at most "*" sockets"* ]]
  run -64 given "give(inet(listen=True))" "$GATE"
  [[ $output == *"$GATE: expected no arguments when socket-activated"* ]]
  run -71 given "os.environ.update(LISTEN_FDS='many', LISTEN_PID=str(os.getpid()))"
  [[ $output == *"cannot take the sockets of the service manager: "* ]]
}

@test "--user: a listener gives root up once it listens; a user that does not exist is told, and so is a user without the right" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to give it up"; fi
  node a 4001 1 --mode line
  run -64 "$BUILD/cbrelay" -c "$CONF" --user nobody-of-that-name "$GATE"
  [[ $output == *'--user: "nobody-of-that-name": expected a user that exists'* ]]
  run -64 "$BUILD/cbrelay" -c "$CONF" --user "" "$GATE"
  [[ $output == *'--user: "": expected a user'* ]]
  cp "$BUILD/cbrelay" "$T/cbrelay"
  mkdir -m 755 "$T/run"
  chown nobody "$T/run"
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
  chmod 755 "$T"
  local dir=$T
  while [ "$dir" != / ]; do chmod o+x "$dir"; dir=$(dirname "$dir"); done
  run -71 setpriv --reuid=nobody --regid=nogroup --clear-groups "$T/cbrelay" -c "$CONF" --user root "$GATE"
  [[ $output == *'--user: "root": Operation not permitted'* ]]
  # A port that only root may have.
  GATE=$ADDR:632
  entrance alone --user nobody
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  [ "$(stat -c %U "$SCOREBOARD")" = nobody ]
  [ "$(ps -o user= -p "$(score slots -nr -o PID)")" = nobody ]
  word go
  client_wait one
  farm_is_at_rest
}

@test "a service manager is told when it is ready, how busy it is, and that it stops" {
  node a 4001 1 --mode line
  background "$T/told" socat -u "UNIX-RECV:$T/notify,mode=777" -
  until_ok test -S "$T/notify"
  export NOTIFY_SOCKET=$T/notify
  entrance alone
  unset NOTIFY_SOCKET
  until_ok grep -aq READY=1 "$T/told"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --line "sleep 0" --expect line
  until_ok waiting_is 1
  until_ok grep -aq 'STATUS=1 busy, 0 free, 1 waiting' "$T/told"
  word go
  client_wait one
  client_wait two
  until_ok grep -aq 'STATUS=0 busy, 1 free, 0 waiting' "$T/told"
  kill "$GATE_PID"
  gone "$GATE_PID"
  until_ok grep -aq STOPPING=1 "$T/told"
}

@test "no journal where standard error is said to be it: connections are served all the same" {
  node a 4001 1 --mode hold:5
  exec 7>"$T/journal"
  JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) "$BUILD/cbrelay" -c "$CONF" "$GATE" 2>&7 </dev/null 3>&- &
  started $!
  exec 7>&-
  until_ok is_listening "$GATE"
  client -n 3 --expect line
  kill "$PID_a"
  gone "$PID_a"
  client_start late --expect line
  until_ok state_is 4001 down
  [ ! -s "$T/journal" ]
  node_start a 4001 1 --mode hold:5
  probe
  client_wait late
  # Another number in JOURNAL_STREAM: standard error is not the journal.
  GATE=$ADDR:3633
  JOURNAL_STREAM=1:1 entrance alone
  client --expect line
  until_ok grep "end=" "$T/relay.log"
}

@test "a node that is the listener itself is told of, by whichever address it is in the list" {
  node a 4001 1 --mode line
  node_line 3632 1
  entrance alone
  until_ok grep -qx "cbrelay: $GATE: this node is the listener itself: each connection that it gets comes back, and waits for another slot" \
    "$T/relay.log"
  lines_with_are "$T/relay.log" 'the listener itself' 1
  # It is looked for in a list that is loaded anew, too.
  kill -HUP "$GATE_PID"
  until_ok lines_with_are "$T/relay.log" 'the listener itself' 2
  # A socket that listens on all addresses: those of the machine are the listener's, and no others.
  printf '%s, 3699, 1, 0\n' "$ADDR" '[::1]' 192.0.2.1 '[2001:db8::1]' >"$T/all.conf"
  background "$T/all.log" "$BUILD/cbrelay" -c "$T/all.conf" -s "$T/all.tdb" 3699
  until_ok lines_with_are "$T/all.log" 'the listener itself' 2
  grep -q "^cbrelay: $ADDR:3699: this node" "$T/all.log"
  grep -qF 'cbrelay: [::1]:3699: this node' "$T/all.log"
}

@test "a node that is the listener itself is told of by the second address of an interface, too" {
  unshare --net true 2>/dev/null || skip "needs root for a network of its own"
  printf '%s, 3699, 1, 0\n' 10.9.0.1 10.9.0.2 10.9.0.3 >"$CONF"
  # shellcheck disable=SC2016 # for the shell inside
  background "$T/relay.log" unshare --net --fork --kill-child bash -c \
    'ip link set lo up && ip link add v0 type veth peer name v1 &&
    ip addr add 10.9.0.1/24 dev v0 && ip addr add 10.9.0.2/24 dev v0 && ip link set v0 up && exec "$@"' bash \
    "$BUILD/cbrelay" -c "$CONF" 3699
  until_ok lines_with_are "$T/relay.log" 'the listener itself' 2
  grep -q '10.9.0.1:3699: this node' "$T/relay.log"
  grep -q '10.9.0.2:3699: this node' "$T/relay.log"
}

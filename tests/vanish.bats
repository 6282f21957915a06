#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# Machines that vanish: a network of the test's own with the gateway in it, and
# a second one, the far machine, at the other end of a cable that can be cut.
# The time after which a machine counts as vanished is eight seconds here.

load lib/helpers

setup() {
  farm_setup
  if [ "$(id -u)" != 0 ]; then skip "needs root for networks of its own"; fi
  background "$T/near.log" unshare --net sleep 900
  NEAR=$PID
  background "$T/far.log" unshare --net sleep 900
  FAR=$PID
  until_ok eval '! [ "/proc/$NEAR/ns/net" -ef /proc/self/ns/net ] && ! [ "/proc/$FAR/ns/net" -ef /proc/self/ns/net ]'
  near ip link set lo up
  far ip link set lo up
  near ip link add name cable type veth peer name cable netns "/proc/$FAR/ns/net"
  near ip addr add 198.51.100.1/24 dev cable
  far ip addr add 198.51.100.2/24 dev cable
  near ip link set cable up
  far ip link set cable up
  FARMS=0
}
# Relays outlive a listener that is killed. A relay with a peer on a machine that has vanished stays as long as a test lets
# it.
teardown() {
  local status=0 scoreboard pid
  farm_teardown || status=$?
  for scoreboard in "$T"/*.tdb; do
    for pid in $(pids_holding "$scoreboard"); do kill -9 "$pid" 2>/dev/null || true; done
  done
  return $status
}

near() { nsenter --net="/proc/$NEAR/ns/net" "$@"; }
far() { nsenter --net="/proc/$FAR/ns/net" "$@"; }
cut() { far ip link set cable down; }
mend() { far ip link set cable up; }
# Nothing that the far machine sends arrives.
mute() { far ip neigh replace 198.51.100.1 lladdr 02:00:00:00:00:99 dev cable nud permanent; }
unmute() { far ip neigh del 198.51.100.1 dev cable; }

# farm WAY LINE [cbrelay option]...: a farm of its own, with the line as its node list; its port is in $PORT, its
# scoreboard is $T/PORT.tdb, its log $T/PORT.log.
farm() {
  local way=$1
  FARMS=$((FARMS + 1))
  PORT=$((5000 + FARMS))
  echo "$2" >"$T/$PORT.conf"
  shift 2
  way_in "$way" "0.0.0.0:$PORT" "$BUILD/cbrelay" -c "$T/$PORT.conf" --vanish-timeout "${VANISH:-8s}" "$@"
  background "$T/$PORT.log" env COREBALANCE_SCOREBOARD="$T/$PORT.tdb" nsenter --net="/proc/$NEAR/ns/net" "${WAY_IN[@]}"
  until_ok near_listens "$PORT"
}

# near_table: the IPv4 sockets of the near machine are in $TABLE, as the kernel has them: a number, ":", the local
# place, the other place, and the state, all hexadecimal. No look takes a process.
near_table() {
  TABLE=''
  IFS= read -rd '' TABLE <"/proc/$NEAR/net/tcp" || true
  [[ $TABLE == *local_address* ]]
}
near_listens() {
  local place
  printf -v place ': 00000000:%04X 00000000:0000 0A' "$1"
  near_table && [[ $TABLE == *"$place"* ]]
}

# python LOG WHERE: runs the script on standard input, on the near or the far machine. W(word) waits until the word was
# given; full(s) fills all buffers on the way to a peer that does not read.
python() {
  local log=$1 network=$NEAR script
  [ "$2" = near ] || network=$FAR
  script="import os, socket, struct, sys, time
def W(word):
    while not os.path.exists('$T/' + word + '.word'):
        time.sleep(0.02)
def say(*words): print(*words, flush=True)
def full(s):
    s.setblocking(False)
    for _ in range(3):
        try:
            while True: s.send(b'y' * 65536)
        except BlockingIOError: time.sleep(0.2)
$(cat)"
  # Not by near or far: the shell that runs a function in the background would be ended, and python left.
  background "$log" nsenter --net="/proc/$network/ns/net" python3 -c "$script"
}

slots_are() { heard near "$BUILD/cbscore" -s "$T/$1.tdb" slots -n && [ ${#HEARD[@]} = "$2" ]; }
queue_is() { heard near "$BUILD/cbscore" -s "$T/$1.tdb" queue -n && [ ${#HEARD[@]} = "$2" ]; }
# What a farm has logged is looked at without a process. So a test awaits this first, and looks at the scoreboard then.
logged() { # PORT PATTERN
  local text=''
  IFS= read -rd '' text <"$T/$1.log" || true
  [[ $text =~ $2 ]]
}
# The time of a connection by its log line, in seconds, is in $TOOK.
took() { logged "$1" 'total_usec=([0-9]+)[0-9]{6} ' && TOOK=${BASH_REMATCH[1]}; }
ended() { logged "$1" "end=$2"; }

# The slot of a node is free, and nothing was asked of the node's machine before.
node_is_given_up() {
  local asked
  near_table || return 1
  printf -v asked ':%04X 02 ' "$2"
  if [[ $TABLE == *"$asked"* ]]; then echo "$TABLE" >>"$T/asked.log"; fi
  took "$1" && slots_are "$1" 0 && ! [ -e "$T/asked.log" ]
}

# All states in which something is unacknowledged, side by side. The far machine has four clients and nodes.
vanishes() {
  local way=$1 answer byte end rest open
  # The node answers a client on a machine that has vanished.
  python "$T/answer.out" near <<END
s = socket.create_server(('127.0.0.1', 4001)); say('ready')
c, _ = s.accept(); c.recv(10); say('asked'); W('answer'); c.sendall(b'y' * 1000)
try:
    while c.recv(10): pass
except ConnectionError: pass
say('over')
END
  # A client sends one more byte to a node that has vanished; a client's end is on its way to it; a node that has ended
  # its side vanishes while the rest is sent to it; another node does so while its client stays.
  python "$T/nodes.out" far <<END
byte = socket.create_server(('198.51.100.2', 4002)); end = socket.create_server(('198.51.100.2', 4003))
rest = socket.create_server(('198.51.100.2', 4004)); open = socket.create_server(('198.51.100.2', 4005)); say('ready')
a, _ = byte.accept(); a.recv(10)
b, _ = end.accept(); b.recv(10)
c, _ = rest.accept(); c.recv(10); c.shutdown(socket.SHUT_WR)
d, _ = open.accept(); d.recv(10); d.shutdown(socket.SHUT_WR)
say('asked'); time.sleep(600)
END
  until_ok grep -q ready "$T/answer.out"
  until_ok grep -q ready "$T/nodes.out"
  farm "$way" "127.0.0.1, 4001, 1, 0"; answer=$PORT
  farm "$way" "198.51.100.2, 4002, 1, 0"; byte=$PORT
  farm "$way" "198.51.100.2, 4003, 1, 0"; end=$PORT
  farm "$way" "198.51.100.2, 4004, 1, 0"; rest=$PORT
  farm "$way" "198.51.100.2, 4005, 1, 0"; open=$PORT
  python "$T/asker.out" far <<END
s = socket.create_connection(('198.51.100.1', $answer)); s.sendall(b'ask'); time.sleep(600)
END
  python "$T/clients.out" near <<END
a = socket.create_connection(('127.0.0.1', $byte)); a.sendall(b'ask')
b = socket.create_connection(('127.0.0.1', $end)); b.sendall(b'ask')
c = socket.create_connection(('127.0.0.1', $rest)); c.sendall(b'ask'); c.recv(10)
d = socket.create_connection(('127.0.0.1', $open)); d.sendall(b'ask'); d.recv(10)
say('asked'); W('cut'); a.sendall(b'x'); b.shutdown(socket.SHUT_WR); c.sendall(b'z'); c.close(); d.sendall(b'z'); say('said')
for s in (a, b):
    try:
        while s.recv(10): pass
        say('end')
    except ConnectionResetError: say('reset')
time.sleep(600)
END
  until_ok grep -q asked "$T/answer.out"
  until_ok grep -q asked "$T/nodes.out"
  until_ok grep -q asked "$T/clients.out"
  for farm in $answer $byte $end $rest $open; do slots_are "$farm" 1; done
  cut
  word cut
  word answer
  until_ok grep -q said "$T/clients.out"
  PATIENCE=30 until_ok node_is_given_up "$open" 4005
  for farm in $answer $byte $end $rest $open; do
    PATIENCE=30 until_ok took "$farm"
    PATIENCE=30 until_ok slots_are "$farm" 0
    # Not before the time is over, and soon after it.
    [ "$TOOK" -ge 7 ]
    [ "$TOOK" -le 60 ]
  done
  until_ok ended "$answer" CD
  until_ok ended "$byte" SD
  until_ok ended "$end" SD
  until_ok ended "$rest" SD
  until_ok grep -q 'cause=vanished .*end=SD' "$T/$open.log"
  until_ok grep -q over "$T/answer.out"
  until_ok lines_with_are "$T/clients.out" reset 2
}

@test "listener: a machine that vanished while something was unacknowledged costs its slot for the time set" { vanishes listener; }
@test "connection: a machine that vanished while something was unacknowledged costs its slot for the time set" { vanishes connection; }
@test "inetd: a machine that vanished while something was unacknowledged costs its slot for the time set" { vanishes inetd; }
@test "alone: a machine that vanished while something was unacknowledged costs its slot for the time set" { vanishes alone; }

# A silent client, a client that waits, and a silent node: keepalive finds them.
silent_vanishes() {
  local way=$1 client node
  python "$T/near.out" near <<END
s = socket.create_server(('127.0.0.1', 4001)); say('ready')
c, _ = s.accept(); c.recv(10); say('asked'); time.sleep(600)
END
  python "$T/far.out" far <<END
s = socket.create_server(('198.51.100.2', 4002)); say('ready')
c, _ = s.accept(); c.recv(10); say('asked'); time.sleep(600)
END
  until_ok grep -q ready "$T/near.out"
  until_ok grep -q ready "$T/far.out"
  farm "$way" "127.0.0.1, 4001, 1, 0"; client=$PORT
  farm "$way" "198.51.100.2, 4002, 1, 0"; node=$PORT
  python "$T/holder.out" near <<END
s = socket.create_connection(('127.0.0.1', $client)); s.sendall(b'ask')
t = socket.create_connection(('127.0.0.1', $node)); t.sendall(b'ask'); time.sleep(600)
END
  until_ok grep -q asked "$T/near.out"
  until_ok grep -q asked "$T/far.out"
  python "$T/waiter.out" far <<END
s = socket.create_connection(('198.51.100.1', $client)); s.sendall(b'ask'); time.sleep(600)
END
  until_ok queue_is "$client" 1
  cut
  PATIENCE=30 until_ok ended "$node" SD
  PATIENCE=30 until_ok ended "$client" CQ
  until_ok slots_are "$node" 0
  until_ok queue_is "$client" 0
  slots_are "$client" 1
}

@test "listener: a silent node that vanished, and a waiter, are found by keepalive" { silent_vanishes listener; }
@test "connection: a silent node that vanished, and a waiter, are found by keepalive" { silent_vanishes connection; }
@test "inetd: a silent node that vanished, and a waiter, are found by keepalive" { silent_vanishes inetd; }
@test "alone: a silent node that vanished, and a waiter, are found by keepalive" { silent_vanishes alone; }

@test "a client and a node that are alive and do not read for four times as long live; then all bytes arrive" {
  local client node
  python "$T/nodes.out" far <<END
s = socket.create_server(('198.51.100.2', 4001)); t = socket.socket()
t.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192); t.bind(('198.51.100.2', 4002)); t.listen(5); say('ready')
c, _ = s.accept(); d, _ = t.accept(); d.recv(10)
if os.fork() == 0:
    c.sendall(b'n' * 20000000); c.close(); os._exit(0)
W('read'); n = 10
while part := d.recv(100000): n += len(part)
say('got', n)
END
  until_ok grep -q ready "$T/nodes.out"
  farm alone "198.51.100.2, 4001, 1, 0"; client=$PORT
  farm alone "198.51.100.2, 4002, 1, 0"; node=$PORT
  python "$T/clients.out" far <<END
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192); s.connect(('198.51.100.1', $client))
t = socket.create_connection(('198.51.100.1', $node))
if os.fork() == 0:
    t.sendall(b'c' * 20000000); t.shutdown(socket.SHUT_WR); t.recv(10); os._exit(0)
say('silent'); W('read'); n = 0
while part := s.recv(100000): n += len(part)
say('got', n)
END
  until_ok grep -q silent "$T/clients.out"
  local end=$((SECONDS + 33))
  while [ $SECONDS -lt $end ]; do
    slots_are "$client" 1
    slots_are "$node" 1
    nap 1
  done
  word read
  until_ok grep -qx 'got 20000000' "$T/clients.out"
  until_ok grep -qx 'got 20000000' "$T/nodes.out"
}

@test "a client that had not read for a while, and vanishes, costs its slot for about the time set" {
  python "$T/node.out" near <<END
s = socket.create_server(('127.0.0.1', 4001)); say('ready')
c, _ = s.accept(); c.sendall(b'n' * 20000000); time.sleep(600)
END
  until_ok grep -q ready "$T/node.out"
  farm alone "127.0.0.1, 4001, 1, 0"
  python "$T/client.out" far <<END
s = socket.create_connection(('198.51.100.1', $PORT)); time.sleep(600)
END
  # The client's window is closed, and the kernel probes it from time to time.
  until_ok eval 'near ss -Htnoi "sport = :$PORT" | grep -q persist'
  sleep 5
  slots_are "$PORT" 1
  cut
  PATIENCE=30 until_ok ended "$PORT" CD
  until_ok slots_are "$PORT" 0
}

# An abort while no packet passes for a third of a second: the only reset, or the far machine's answer, is lost.
lost_reset() {
  local way=$1 lose=${2:-cut} restore=${3:-mend}
  python "$T/node.out" far <<END
import threading
s = socket.create_server(('198.51.100.2', 4001)); say('ready')
def serve(c, n):
    try:
        while c.recv(10): pass
        say('end', n)
    except ConnectionResetError: say('reset', n)
n, all = 0, []
while True:
    c, _ = s.accept(); n += 1; all.append(c)
    # The connections that this machine knows of; state 7 is closed.
    say('open', n, 'of', sum(a.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 7 for a in all))
    threading.Thread(target=serve, args=(c, n), daemon=True).start()
END
  until_ok grep -q ready "$T/node.out"
  farm "$way" "198.51.100.2, 4001, 1, 0"
  python "$T/one.out" near <<END
s = socket.create_connection(('127.0.0.1', $PORT)); s.sendall(b'ask')
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); W('abort'); s.close(); say('gone'); time.sleep(600)
END
  until_ok grep -q 'open 1' "$T/node.out"
  python "$T/two.out" near <<END
s = socket.create_connection(('127.0.0.1', $PORT)); s.sendall(b'ask'); time.sleep(600)
END
  until_ok queue_is "$PORT" 1
  "$lose"
  word abort
  until_ok grep -q gone "$T/one.out"
  sleep 0.35
  [ "$(grep -c open "$T/node.out")" = 1 ]
  "$restore"
  until_ok grep -q 'open 2' "$T/node.out"
  # The first connection ended by a reset before the second came; there was no third.
  grep -qx 'open 2 of 1' "$T/node.out"
  until_ok grep -qx 'reset 1' "$T/node.out"
  lines_with_are "$T/node.out" open 2
}

@test "listener: a reset that is lost is told again, and the slot goes on when the node knows" { lost_reset listener; }
@test "connection: a reset that is lost is told again, and the slot goes on when the node knows" { lost_reset connection; }
@test "inetd: a reset that is lost is told again, and the slot goes on when the node knows" { lost_reset inetd; }
@test "alone: a reset that is lost is told again, and the slot goes on when the node knows" { lost_reset alone; }
@test "alone: the far machine's answer about a reset is lost: its process sees no other connection" { lost_reset alone mute unmute; }

# The peers of a connection that fill all buffers and read nothing, and one of half a connection; a client whose PROXY
# header is awaited. Of each the far one vanishes; the near one lives and goes on not to read.
full_vanishes() {
  local way=$1 client node half header
  python "$T/near.out" near <<END
a = socket.create_server(('127.0.0.1', 4001)); b = socket.create_server(('127.0.0.1', 4002)); say('ready')
c, _ = a.accept(); c.recv(10); full(c)
d, _ = b.accept(); d.recv(10); full(d)
say('full'); time.sleep(600)
END
  python "$T/far.out" far <<END
s = socket.create_server(('198.51.100.2', 4003)); say('ready')
c, _ = s.accept(); c.recv(10); full(c)
say('full'); time.sleep(600)
END
  until_ok grep -q ready "$T/near.out"
  until_ok grep -q ready "$T/far.out"
  farm "$way" "127.0.0.1, 4001, 1, 0"; client=$PORT
  farm "$way" "127.0.0.1, 4002, 1, 0"; half=$PORT
  farm "$way" "198.51.100.2, 4003, 1, 0"; node=$PORT
  farm "$way" "127.0.0.1, 4004, 1, 0" --accept-proxy 198.51.100.0/24; header=$PORT
  python "$T/far-clients.out" far <<END
h = socket.create_connection(('198.51.100.1', $header)); h.sendall(b'PROXY TCP4 192.0')
s = socket.create_connection(('198.51.100.1', $client)); s.sendall(b'ask'); full(s)
t = socket.create_connection(('198.51.100.1', $half)); t.sendall(b'ask'); t.shutdown(socket.SHUT_WR)
say('full'); time.sleep(600)
END
  python "$T/near-client.out" near <<END
s = socket.create_connection(('127.0.0.1', $node)); s.sendall(b'ask'); full(s)
say('full'); time.sleep(600)
END
  for out in near far far-clients near-client; do until_ok grep -q full "$T/$out.out"; done
  for farm in $client $half $node; do slots_are "$farm" 1; done
  cut
  for farm in $client $half $node; do
    PATIENCE=40 until_ok took "$farm"
    PATIENCE=40 until_ok slots_are "$farm" 0
    [ "$TOOK" -ge 7 ]
  done
  until_ok ended "$client" CD
  until_ok ended "$half" CD
  until_ok ended "$node" SD
  no_connection_is_left() {
    local any
    printf -v any ': [0-9A-F]{8}:%04X [0-9A-F]{8}:[0-9A-F]{4} (0[^A]|[^0].)' "$1"
    near_table && [[ ! $TABLE =~ $any ]]
  }
  PATIENCE=40 until_ok no_connection_is_left "$header"
  slots_are "$header" 0
  queue_is "$header" 0
}

@test "listener: a machine that vanished with all buffers full, or before its PROXY header, is found" { full_vanishes listener; }
@test "connection: a machine that vanished with all buffers full, or before its PROXY header, is found" { full_vanishes connection; }
@test "inetd: a machine that vanished with all buffers full, or before its PROXY header, is found" { full_vanishes inetd; }
@test "alone: a machine that vanished with all buffers full, or before its PROXY header, is found" { full_vanishes alone; }

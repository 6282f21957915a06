#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Clients that come through another proxy, and nodes that are told the clients'
# addresses: by hand, and with the real haproxy and nginx on both sides.

load lib/helpers
load lib/managed
load lib/nginx

REAL=127.9.9.9   # where clients really are

# A node that is haproxy: it answers with the address and the id of the PROXY header.
haproxy_node() {
  command -v haproxy >/dev/null || skip "haproxy is not installed"
  cat >"$T/node.cfg" <<END
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend node
  bind $ADDR:4001 accept-proxy
  http-request return status 200 content-type text/plain lf-string "src=%[src] dst=%[dst] id=%[fc_pp_unique_id]\n"
END
  background "$T/haproxy-node.log" haproxy -f "$T/node.cfg"
  until_ok is_listening "$ADDR:4001"
  node_line 4001 2
}

nginx_node() {
  nginx_at 4001 2 <<END
  access_log off;
  server { listen $ADDR:4001 proxy_protocol; location / { return 200 "src=\$proxy_protocol_addr port=\$proxy_protocol_port\n"; } }
END
}

# haproxy_front send-proxy|send-proxy-v2: haproxy before the gateway.
haproxy_front() {
  command -v haproxy >/dev/null || skip "haproxy is not installed"
  cat >"$T/front.cfg" <<END
defaults
  mode tcp
  timeout client 30s
  timeout server 30s
  timeout connect 5s
listen front
  bind $ADDR:5000
  server gate $GATE $1
END
  background "$T/front.log" haproxy -f "$T/front.cfg"
  until_ok is_listening "$ADDR:5000"
}

ask() { curl -s -m 300 --interface "$REAL" "http://$1/"; }

@test "haproxy and nginx as nodes are told the client's address by both versions, and by version 2 the id of the connection" {
  haproxy_node
  entrance alone --proxy-protocol v2
  run -0 ask "$GATE"
  [[ $output == "src=$REAL dst=$ADDR id="*-*-* ]]
  local id=${output##*id=}
  until_ok grep -q " id=$id " "$T/relay.log"
  GATE=$ADDR:3699
  background "$T/v1.log" "$BUILD/cbrelay" -c "$CONF" --proxy-protocol v1 "$GATE"
  until_ok is_listening "$GATE"
  run -0 ask "$GATE"
  [[ $output == "src=$REAL dst=$ADDR"* ]]
}

@test "nginx as a node is told by both versions" {
  nginx_node
  entrance alone --proxy-protocol v2
  run -0 ask "$GATE"
  [[ $output == "src=$REAL port="* ]]
  GATE=$ADDR:3699
  background "$T/v1.log" "$BUILD/cbrelay" -c "$CONF" --proxy-protocol v1 "$GATE"
  until_ok is_listening "$GATE"
  run -0 ask "$GATE"
  [[ $output == "src=$REAL port="* ]]
}

@test "the key of a node goes before --proxy-protocol" {
  node_start a 4001 1 --mode line --proxy v1
  node_line 4001 1 proxy=v1
  entrance alone --proxy-protocol v2
  run -0 client --line "sleep 0" --expect line --print
  [[ $output == *"src=127.0.0.1:"* ]]
}

@test "a client that comes through nginx is known by its own address, here and at the node" {
  haproxy_node
  local module=/usr/lib/nginx/modules/ngx_stream_module.so
  [ -e "$module" ] || skip "nginx has no module stream"
  mkdir -p "$T/nginx"
  cat >"$T/front.conf" <<END
load_module $module;
daemon off; pid $T/nginx/pid; error_log $T/nginx/error.log; worker_processes 1;
events {}
stream { server { listen $ADDR:5000; proxy_pass $GATE; proxy_protocol on; } }
END
  background "$T/front.log" nginx -e "$T/nginx/error.log" -c "$T/front.conf"
  until_ok is_listening "$ADDR:5000"
  entrance alone --accept-proxy 127.0.0.1,127.0.0.0/8 --proxy-protocol v1
  run -0 ask "$ADDR:5000"
  [[ $output == "src=$REAL dst=$ADDR"* ]]
  until_ok grep -q "client=$REAL:.*end=--" "$T/relay.log"
}

# Through haproxy, by both versions, to a node that also gets a header.
through() {
  haproxy_node
  haproxy_front send-proxy-v2
  entrance "$1" --accept-proxy 127.0.0.0/8 --proxy-protocol v2
  run -0 ask "$ADDR:5000"
  [[ $output == "src=$REAL dst=$ADDR"* ]]
  until_ok grep -q "client=$REAL:.*end=--" "$T/relay.log"
  farm_is_at_rest
}

@test "listener: a client that comes through haproxy is known by its own address, here and at the node" { through listener; }
@test "connection: a client that comes through haproxy is known by its own address, here and at the node" { through connection; }
@test "inetd: a client that comes through haproxy is known by its own address, here and at the node" { through inetd; }
@test "alone: a client that comes through haproxy is known by its own address, here and at the node" { through alone; }

@test "a client that comes through haproxy with version 1: the scoreboard shows its own address" {
  node a 4001 1 --mode line
  haproxy_front send-proxy
  entrance alone --accept-proxy 10.0.0.0/8,127.0.0.1,127.0.0.0/8
  background "$T/client.out" "$CLIENT" --line "$(until_word go)" --expect line "$ADDR:5000"
  until_ok eval 'score slots -nr -o CLIENT | grep -q "^127\.0\.0\.1:"'
  local client port
  client=$(score slots -nr -o CLIENT)
  # The header names the client's own connection to haproxy, not haproxy's to the gateway.
  port=${client##*:}
  ss -Htn "src 127.0.0.1 and sport = :$port and dst $ADDR and dport = :5000" | grep -q .
  word go
  until_ok grep -q "client=$client .*end=--" "$T/relay.log"
}

# by_hand: connects to the gate, sends the parts one by one, and prints the answer, or how the connection ended.
by_hand() {
  python3 - "$ADDR" "$@" <<'END'
import socket, sys, time
s = socket.create_connection((sys.argv[1], 3632)); s.settimeout(300)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for part in sys.argv[2:]:
    s.sendall(bytes(part, 'latin-1').decode('unicode_escape').encode('latin-1')); time.sleep(0.01)
s.shutdown(socket.SHUT_WR)
answer = b''
try:
    while part := s.recv(1000):
        answer += part
    print(answer.decode())
except ConnectionResetError:
    print('reset')
END
}

# Prints every byte of a text as a part of its own.
split() { echo "$1" | grep -oP '\\x..|\\r|\\n|.' ; }

ENDS='\xc0\x00\x02\x09\xc0\x00\x02\x0a\x12\x67\x00\x50' # 192.0.2.9:4711 and 192.0.2.10:80
V2='\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a'

@test "a header in single bytes, LOCAL, UNSPEC and UNKNOWN, and records of types that no program knows" {
  local parts
  node a 4001 4 --mode echo
  entrance alone --accept-proxy 127.0.0.1
  mapfile -t parts < <(split 'PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\nhello')
  [ "$(by_hand "${parts[@]}")" = hello ]
  until_ok grep -q 'client=192.0.2.1:4711 .*bytes_in=5 bytes_out=5 .*end=--' "$T/relay.log"
  mapfile -t parts < <(split "$V2"'\x21\x21\x00\x29\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x12\x67\x00\x50\x04\x00\x02\x00\x00hello')
  [ "$(by_hand "${parts[@]}")" = hello ]
  until_ok grep -q 'client=\[2001:db8::7\]:4711 .*bytes_in=5 bytes_out=5 .*end=--' "$T/relay.log"
  [ "$(by_hand 'PROXY UNKNOWN\r\n' one)" = one ]
  [ "$(by_hand "$V2"'\x20\x00\x00\x00' two)" = two ]
  [ "$(by_hand "$V2"'\x21\x00\x00\x03abc' three)" = three ]
  # A checksum, behind another record.
  [ "$(by_hand "$V2"'\x21\x11\x00\x18'"$ENDS"'\x04\x00\x02xx\x03\x00\x04\xb0\xaa\x7b\x89four')" = four ]
  until_ok grep -q 'client=192.0.2.9:4711 .*bytes_in=4 bytes_out=4 .*end=--' "$T/relay.log"
  # These headers name no client: the sender itself counts as the client.
  until_ok eval '[ "$(grep -c "client=127.0.0.1:.*end=--" "$T/relay.log")" = 3 ]'
  farm_is_at_rest
}

@test "what is no header is not served, and its line says so; a header that does not come, too" {
  node a 4001 2 --mode echo
  entrance alone --accept-proxy 127.0.0.1
  for bad in 'GET / HTTP/1.0\r\n' 'PROXY TCP4 192.0.2.1 192.0.2.2 04711 80\r\n' 'PROXY TCP4 192.0.2.1  192.0.2.2 4711 80\r\n' \
    'PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\n' 'PROXY TCP6 192.0.2.1 192.0.2.2 4711 80\r\n' "$V2"'\x31\x11\x00\x0c' \
    "$V2"'\x21\x11\x00\x04abcd' "$V2"'\x21\x41\x00\x0c'"$ENDS"hello "$V2"'\x21\x13\x00\x0c'"$ENDS"hello \
    "$V2"'\x21\x31\x00\x0c'"$ENDS"hello "$V2"'\x21\x11\x00\x0e'"$ENDS"'\x04\x00hello' \
    "$V2"'\x21\x11\x00\x0f'"$ENDS"'\x04\x00\x01hello' "$V2"'\x21\x11\x00\x13'"$ENDS"'\x03\x00\x04\x00\x00\x00\x00hello' \
    "$V2"'\x21\x11\xff\xff'"$ENDS"hello; do
    [[ $(by_hand "$bad") != *hello* ]]
  done
  until_ok eval '[ "$(grep -c "node=<NOSRV> .*end=CQ" "$T/relay.log")" = 14 ]'
  [[ $(by_hand 'PROXY TC') != *PROXY* ]]
  until_ok eval '[ "$(grep -c "node=<NOSRV> .*end=CQ" "$T/relay.log")" = 15 ]'
  # No byte has reached the node.
  [ "$(grep -c "bytes_in=0 bytes_out=0 .*end=CQ" "$T/relay.log")" = 15 ]
  farm_is_at_rest
}

@test "a source that was not named is not believed: its bytes are for the node" {
  node a 4001 1 --mode echo
  entrance alone --accept-proxy 10.0.0.0/8,2001:db8::/32,unix
  [ "$(by_hand 'PROXY UNKNOWN\r\nhello')" = "$(printf 'PROXY UNKNOWN\r\nhello')" ]
  farm_is_at_rest
  for wrong in '' 10.0.0.0/33 nobody 10.0.0.1, 10.0.0.1/ 10.0.0.1/x; do
    run -64 "$BUILD/cbrelay" --accept-proxy "$wrong"
    [[ $output == *'--accept-proxy: "'"$wrong"'": expected addresses'* ]]
  done
}

# held NAME PART...: connects, sends the parts, keeps the connection until word NAME, or as long as the gateway does,
# then ends its side and prints the answer.
held() {
  cat >"$T/$1.held" <<'END'
import os, select, socket, sys, time
s = socket.create_connection((sys.argv[1], 3632))
for part in sys.argv[3:]:
    s.sendall(bytes(part, 'latin-1').decode('unicode_escape').encode('latin-1'))
while not os.path.exists(sys.argv[2]) and not select.select([s], [], [], 0.02)[0]: pass
if os.path.exists(sys.argv[2]):
    s.shutdown(socket.SHUT_WR)
s.settimeout(300)
try:
    print((s.recv(1000) or b'closed').decode(), flush=True)
except ConnectionResetError:
    print('reset', flush=True)
END
  background "$T/$1.out" python3 "$T/$1.held" "$ADDR" "$T/$1.word" "${@:2}"
  printf -v "PID_$1" %s "$PID"
}

header() { echo "PROXY TCP4 $1 192.0.2.200 4711 80\r\n"; }
waiting_clients() { score queue -nr -o CLIENT | tr '\n' ' '; }
waiting_clients_are() { [ "$(waiting_clients)" = "$1" ]; }

# A client that sends nothing, or not all, of its header.
silent_holds_nothing() {
  local lines
  node a 4001 1 --mode echo
  entrance "$1" --accept-proxy 127.0.0.1
  held silent
  held partial 'PROXY TCP4 192.0.2'
  # Others are served on the only slot meanwhile, several times.
  [ "$(by_hand "$(header 192.0.2.1)one")" = one ]
  [ "$(by_hand "$(header 192.0.2.2)two")" = two ]
  until_ok everything_is_free
  # After the five seconds of the manual, not before, each is ended.
  until_ok lines_with_are "$T/relay.log" 'node=<NOSRV> .*bytes_in=0 bytes_out=0 .*end=CQ' 2 || {
    cat "$T/relay.log" "$T/silent.out" "$T/partial.out"
    ss -tn "( sport = 3632 )"
    return 1
  }
  [ "$(sed -n 's/.*node=<NOSRV> .*total_usec=\([0-9]*\) .*/\1/p' "$T/relay.log" | awk '$1 < 5000000' | wc -l)" = 0 ]
  client_wait silent
  client_wait partial
  farm_is_at_rest
}

@test "listener: a client without a whole header holds no slot and no client up, and ends in its time" { silent_holds_nothing listener; }
@test "connection: a client without a whole header holds no slot and no client up, and ends in its time" { silent_holds_nothing connection; }
@test "inetd: a client without a whole header holds no slot and no client up, and ends in its time" { silent_holds_nothing inetd; }
@test "alone: a client without a whole header holds no slot and no client up, and ends in its time" { silent_holds_nothing alone; }

# The queue has the clients themselves, in the order of their headers.
queue_has_clients() {
  local name
  node a 4001 1 --mode line
  entrance "$1" --accept-proxy 127.0.0.1
  held first "$(header 192.0.2.1)$(until_word go)\n"
  until_ok busy_is 1
  [ "$(score slots -nr -o CLIENT)" = 192.0.2.1:4711 ]
  held late "PROXY TCP4 192.0"
  held second "$(header 192.0.2.2)count\n"
  until_ok waiting_clients_are '192.0.2.2:4711 '
  held third "$(header 192.0.2.3)count\n"
  until_ok waiting_clients_are '192.0.2.2:4711 192.0.2.3:4711 '
  # A client that has sent only its header, and leaves: the header does not count as a request.
  held leaves "$(header 192.0.2.4)"
  until_ok waiting_clients_are '192.0.2.2:4711 192.0.2.3:4711 192.0.2.4:4711 '
  kill "$PID_leaves"
  until_ok waiting_clients_are '192.0.2.2:4711 192.0.2.3:4711 '
  until_ok grep -q 'client=192.0.2.4:4711 node=<NOSRV> .*end=CQ' "$T/relay.log"
  word go
  for name in first second third; do
    until_ok test -s "$T/$name.out"
    word "$name"
    client_wait "$name"
  done
  grep -q 'total=2' "$T/second.out"
  grep -q 'total=3' "$T/third.out"
  word late
  farm_is_at_rest
  [ "$(grep -c 'client=192.0.2.[123]:4711 node=.*end=--' "$T/relay.log")" = 3 ]
}

@test "listener: the queue and the slots have the real clients; a client that leaves is gone" { queue_has_clients listener; }
@test "connection: the queue and the slots have the real clients; a client that leaves is gone" { queue_has_clients connection; }
@test "alone: the queue and the slots have the real clients; a client that leaves is gone" { queue_has_clients alone; }

@test "hundreds of clients with headers, at once and in pieces, are each served once, and known" {
  node a 4001 3 --mode echo
  entrance alone --accept-proxy 127.0.0.1 --queue-limit 20
  python3 - "$ADDR" <<'END'
import selectors, socket, sys
n, chosen, sockets = 300, selectors.DefaultSelector(), []
for i in range(n):
    s = socket.create_connection((sys.argv[1], 3632)); sockets.append(s)
    s.sendall(b'PROXY TCP4 ')
for i, s in enumerate(reversed(sockets)):
    s.sendall(b'192.0.2.%d 192.0.2.200 %d 80\r\nx' % (i % 200 + 1, 1000 + i)); s.shutdown(socket.SHUT_WR)
for s in sockets:
    s.settimeout(300)
    assert s.recv(10) == b'x' and s.recv(10) == b''
END
  until_ok lines_with_are "$T/relay.log" 'client=192.0.2.*bytes_in=1 bytes_out=1 .*end=--' 300
  [ "$(grep -oE 'client=[^ ]*' "$T/relay.log" | sort -u | wc -l)" = 300 ]
  farm_is_at_rest
}

# burst NAME: five clients that have sent their headers; each prints which connection of the node it was.
burst() {
  cat >"$T/$1.burst" <<'END'
import os, socket, sys, time
sockets = []
for i in range(5):
    s = socket.create_connection((sys.argv[1], 3632), timeout=300); sockets.append(s)
    s.sendall(b'PROXY TCP4 192.0.2.%d 192.0.2.200 4711 80\r\ncount\n' % (i + 1))
print('connected', flush=True)
for s in sockets:
    print(s.recv(1000).decode().split('total=')[1].split()[0], end=' ', flush=True)
    s.close()
END
  background "$T/$1.out" python3 "$T/$1.burst" "$ADDR"
  printf -v "PID_$1" %s "$PID"
  until_ok grep -q connected "$T/$1.out"
}

connections_of_service_are() { [ "$(ss -Htnp state established "src $GATE" | grep -c "pid=$(service),")" = "$1" ]; }

@test "--queue-limit counts the clients of headers: those beyond it are in the backlog, and a restart loses none" {
  local before
  node a 4001 1 --mode line
  managed "$BUILD/cbrelay" -c "$CONF" --accept-proxy 127.0.0.1 --queue-limit 1
  held holder "$(header 192.0.2.9)$(until_word go)\n"
  until_ok busy_is 1
  until_ok connections_of_service_are 0
  # All five are there when the listener looks.
  before=$(service)
  kill -STOP "$before"
  burst crowd
  kill -CONT "$before"
  until_ok waiting_clients_are '192.0.2.1:4711 '
  connections_of_service_are 1
  kill -USR2 "$MANAGER"
  until_ok restarted "$before"
  until_ok waiting_clients_are '192.0.2.1:4711 '
  # The next listener leaves the others in the former socket, until they are its waiters.
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before" 3
  until_ok waiting_clients_are '192.0.2.1:4711 192.0.2.2:4711 192.0.2.3:4711 192.0.2.4:4711 192.0.2.5:4711 '
  word go
  word holder
  client_wait holder
  client_wait crowd
  grep -F '2 3 4 5 6 ' "$T/crowd.out"
  farm_is_at_rest
}

# The slot is a relay's. A slot that the listener has on the way to a relay would go back while the listener is stopped.
relay_has_slot() { heard score slots -nr -o PID && [ ${#HEARD[@]} = 1 ] && [ "${HEARD[0]}" != "$GATE_PID" ]; }

# unread_are N: so many clients have sent what no process has read yet.
unread_are() { heard ss -Htn state established "src $GATE" && heard_are "[1-9]*" "$1"; }

@test "--queue-limit: a place that comes free by --queue-timeout is the next client's at once" {
  node a 4001 1 --mode line
  entrance alone --accept-proxy 127.0.0.1 --queue-limit 1 --queue-timeout 8s
  held holder "$(header 192.0.2.9)$(until_word go)\n"
  until_ok relay_has_slot
  kill -STOP "$GATE_PID"
  held first "$(header 192.0.2.1)count\n"
  until_ok unread_are 1
  held second "$(header 192.0.2.2)count\n"
  until_ok unread_are 2
  kill -CONT "$GATE_PID"
  until_ok grep -q 'client=192.0.2.1:4711 .*cause=queue-timeout' "$T/relay.log"
  until_ok waiting_clients_are '192.0.2.2:4711 '
  word go
  word holder
  word second
  client_wait holder
  client_wait second
  grep -q total=2 "$T/second.out"
  farm_is_at_rest
}

@test "waiters that pass to the next listener keep their names, and headers that have not come do not hinder it" {
  local before
  node a 4001 1 --mode line
  managed "$BUILD/cbrelay" -c "$CONF" --accept-proxy 127.0.0.1
  held first "$(header 192.0.2.1)$(until_word go)\n"
  until_ok busy_is 1
  held second "$(header 192.0.2.2)count\n"
  until_ok waiting_clients_are '192.0.2.2:4711 '
  before=$(service)
  held late 'PROXY TCP4 192.0.2.3'
  until_ok eval '[ "$(ss -Htnp state established "src $GATE" | grep -c "pid=$before,")" = 2 ]'
  kill -USR1 "$MANAGER"
  next_has_them() { [ "$(service)" != "$before" ] && [ "$(score queue -nr -o PID | sort -u)" = "$(service)" ]; }
  until_ok next_has_them
  [[ $(waiting_clients) == '192.0.2.2:4711 127.0.0.1:'* ]]
  word go
  word second
  client_wait second
  grep -q total=2 "$T/second.out"
  kill "$PID_late"
  farm_is_at_rest
}

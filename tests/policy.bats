#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The policies that look at the client.

load lib/helpers

# ten_nodes [EXCEPT [CORES]]: a list of ten nodes of four cores, without the node of that number. Nothing listens there. The
# names are the same in each run, and so are the figures.
ten_nodes() {
  local i
  for ((i = 0; i < 10; i++)); do [ "$i" = "${1-}" ] || echo "192.0.2.1, 500$i, ${2-4}, 0"; done >"$CONF"
  score load >/dev/null
}

# belongs POLICY N: prints the node of each of the clients 10.1.0.1 to 10.1.0.N. One process asks for all of them.
belongs() {
  local i
  for ((i = 1; i <= $2; i++)); do echo "explain --policy $1 -nr --top 1 -o node 10.1.0.$i"; done | score shell
}

# Three nodes of two cores that answer with their names, and an entrance.
three_nodes() {
  local i
  for i in 1 2 3; do node "n$i" "400$i" 2 --mode line; done
  score load >/dev/null
  entrance alone "$@"
}

# from ADDRESS: a client of that address comes and goes. Prints the name of its node.
from() {
  python3 - "$1" "${GATE%:*}" "${GATE##*:}" <<'END'
import socket, sys
s = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=300, source_address=(sys.argv[1], 0))
s.sendall(b"sleep 0\n")
said = b""
while chunk := s.recv(4096):
    said += chunk
print(said.split()[0].decode())
END
}

sound() { [ "$(score fsck)" = "$SCOREBOARD: sound" ]; }

@test "hash: a node of ten that goes moves its own clients and no others, and has them again when it comes back" {
  local first next i
  ten_nodes
  belongs hash 60 >"$T/ten"
  # Which node comes next is said for this client, too: by fastest it would be the same for all of them.
  for i in 1 2 3 4; do
    { read -r first; read -r next; } < <(score explain --policy hash -nr --top 2 -o node "10.1.0.$i")
    score down "$first" >/dev/null
    [ "$(score explain --policy hash -nr --top 1 -o node "10.1.0.$i")" = "$next" ]
    score up "$first" >/dev/null
  done
  # All nodes have clients, and none has more than three times its share.
  sort "$T/ten" | uniq -c >"$T/shares"
  [ "$(wc -l <"$T/shares")" = 10 ]
  awk '$1 > 18 { exit 1 }' "$T/shares"
  ten_nodes 3
  belongs hash 60 >"$T/nine"
  paste "$T/ten" "$T/nine" | awk -v gone="192.0.2.1:5003" '$1 != $2 && $1 != gone { exit 1 } $2 == gone { exit 1 }'
  # The clients of the node that went are not all with the same other node.
  paste "$T/ten" "$T/nine" | grep "^192.0.2.1:5003" >"$T/moved"
  cat "$T/moved"
  [ "$(sort -u "$T/moved" | wc -l)" -gt 1 ]
  ten_nodes
  belongs hash 60 | cmp - "$T/ten"
  # The order of the list means nothing.
  tac "$CONF" >"$T/turned"
  cp "$T/turned" "$CONF"
  score load >/dev/null
  belongs hash 60 | cmp - "$T/ten"
  sound
}

# ring: prints the position in the list of the node of each part of the ring.
ring() {
  tdbdump "$SCOREBOARD" | grep -a -A1 '"ring/' | python3 -IS -c '
import array, re, sys
records = re.findall(rb"^key\(\d+\) = \"ring/(\d+)\"\ndata\(\d+\) = \"(.*)\"", sys.stdin.buffer.read(), re.M)
pages = {int(page): text for page, text in records}
for number in range(128):
    page = re.sub(rb"\\([0-9A-F]{2})", lambda hex: bytes([int(hex[1], 16)]), pages[number])
    print(*array.array("I", page), sep="\n")'
}

@test "hash: with many cores, of which few points are made, a node that goes moves its own clients and no others, too" {
  ten_nodes none 1500
  belongs hash 1 >/dev/null
  ring >"$T/ten"
  [ "$(wc -l <"$T/ten")" = 65536 ]
  # The nodes behind it move up by a position.
  ten_nodes 3 1500
  ring >"$T/nine"
  paste "$T/ten" "$T/nine" | awk '$1 != 3 && $1 != $2 + ($2 >= 3) { exit 1 } $1 == 3 { moved[$2]++ } END { exit length(moved) != 9 }'
  # A node of the double number of cores has the double number of clients.
  sed -i 's/5000, 1500/5000, 3000/' "$CONF"
  score load >/dev/null
  ring | awk '{ parts[$1]++ } END { for (i = 1; i < 9; i++) if (parts[0] / parts[i] < 1.9 || parts[0] / parts[i] > 2.1) exit 1 }'
  sound
}

@test "hash: in a large farm each node has clients in proportion to its cores" {
  local i
  for ((i = 0; i < 2000; i++)); do echo "192.0.2.1, $((i + 1)), 8, 0"; done >"$CONF"
  score load >/dev/null
  belongs hash 1 >/dev/null
  ring | awk '{ parts[$1]++ } END { for (i = 0; i < 2000; i++) { share = parts[i] * 2000 / 65536; sum += (share - 1) ^ 2 }
    print sqrt(sum / 2000); exit length(parts) != 2000 || sqrt(sum / 2000) > 0.15 }'
}

@test "hash: a client keeps its node while that has room, goes elsewhere at once when it has none, and comes back" {
  three_nodes --policy hash
  local node other port
  node=$(from 127.7.7.7)
  [ "$(from 127.7.7.7)$(from 127.7.7.7)$(from 127.7.7.7)" = "$node$node$node" ]
  port=$(score explain --policy hash -nr --top 1 -o node 127.7.7.7)
  [ "${port##*:}" = "400${node#n}" ]
  score down "$port" >/dev/null
  other=$(from 127.7.7.7)
  [ "$other" != "$node" ]
  [ "$(from 127.7.7.7)" = "$other" ]
  score up "$port" >/dev/null
  [ "$(from 127.7.7.7)" = "$node" ]
  # With its node full, the client does not wait.
  until_ok everything_is_free
  client_start full -n 2 -c 2 --source 127.7.7.7 --line "$(until_word go)"
  until_ok busy_is 2
  [ "$(score slots -nr -o node | sort -u)" = "$port" ]
  [ "$(from 127.7.7.7)" = "$other" ]
  word go
  client_wait full
  farm_is_at_rest
  sound
}

@test "hash: many clients, and some of them wait: no client is kept for a node while another is free" {
  three_nodes --policy hash
  client_start crowd -n 200 -c 40 --source 127.7.1.1/50 --line "sleep 5" --expect line
  client_wait crowd
  farm_is_at_rest
  sound
}

@test "hash: the ring is repaired like everything that follows from the nodes" {
  ten_nodes
  belongs hash 20 >"$T/before"
  tdbtool "$SCOREBOARD" delete ring/5 >/dev/null
  run -1 score fsck
  [[ $output == *"ring/5: the record is not what follows from the others"* ]]
  # A claim repairs it, too.
  belongs hash 20 | cmp - "$T/before"
  belongs hash 50 >/dev/null
  score fsck --repair >/dev/null
  sound
  # A farm's record that is lost takes the ring along, until a connection asks again.
  tdbtool "$SCOREBOARD" delete farm >/dev/null
  belongs hash 20 | cmp - "$T/before"
  sound
}

@test "hash: a listener makes the ring before the first connection; while nodes are changed, no claim makes one" {
  is_made() { tdbtool "$SCOREBOARD" keys | grep -q 'ring/5$'; }
  ring_is() { "$BUILD/tests/cbtest-damage" "$SCOREBOARD" number farm 96 "$1"; }
  node_start a 4001 1 --mode line
  node_line 4001 1
  entrance alone --policy hash
  until_ok is_made
  run -0 score fsck
  # A process has just changed a node, and is not through.
  tdbtool "$SCOREBOARD" delete ring/5 >/dev/null
  ring_is "$(awk '{ print int($1) }' /proc/uptime)"
  client --line "sleep 0" --expect line
  run ! is_made
  # It was killed: a claim makes the ring.
  ring_is 2
  client --line "sleep 0" --expect line
  is_made
  sound
}

# node_of CLIENT: the node that is remembered for a client.
node_of() { score clients -nr -o client,node | awk -v client="$1" '$1 == client { print $2 }'; }
remembered() { score clients -n | grep -c . || true; }

@test "affinity: a client gets the node that it used last, at every entrance, and cbscore shows it" {
  three_nodes --policy affinity
  local node
  node=$(from 127.7.7.7)
  until_ok everything_is_free
  # Other clients fill that node up to its last slot: by fastest, the client would get another.
  score down "$ADDR:4001" "$ADDR:4002" "$ADDR:4003" >/dev/null
  score up "$ADDR:400${node#n}" >/dev/null
  client_start other --source 127.8.8.8 --line "$(until_word go)"
  until_ok busy_is 1
  score up "$ADDR:4001" "$ADDR:4002" "$ADDR:4003" >/dev/null
  [ "$(score explain -nr --top 1 -o node)" != "$ADDR:400${node#n}" ]
  [ "$(score explain --policy affinity -nr --top 1 -o node 127.7.7.7)" = "$ADDR:400${node#n}" ]
  # Each time that slot must be free again.
  [ "$(from 127.7.7.7)" = "$node" ]
  until_ok busy_is 1
  [ "$(from 127.7.7.7)" = "$node" ]
  until_ok busy_is 1
  GATE=$ADDR:3640 entrance connection --policy affinity
  GATE=$ADDR:3640
  [ "$(from 127.7.7.7)" = "$node" ]
  [ "$(score clients -J | jq -r '.clients[] | select(.client == "127.7.7.7") | "\(.node) \(.uses)"')" = "$ADDR:400${node#n} 4" ]
  word go
  client_wait other
  farm_is_at_rest
  sound
}

@test "affinity: a client whose node is full, down or gone gets another node at once, and keeps that" {
  three_nodes --policy affinity
  local first second third
  first=$(from 127.7.7.7)
  until_ok everything_is_free
  client_start full -n 2 -c 2 --source 127.7.7.7 --line "$(until_word go)"
  until_ok busy_is 2
  second=$(from 127.7.7.7)
  [ "$second" != "$first" ]
  word go
  client_wait full
  [ "$(from 127.7.7.7)" = "$second" ]
  score down "$ADDR:400${second#n}" >/dev/null
  third=$(from 127.7.7.7)
  [ "$third" != "$second" ]
  score up "$ADDR:400${second#n}" >/dev/null
  [ "$(from 127.7.7.7)" = "$third" ]
  score remove "$ADDR:400${third#n}" >/dev/null
  until_ok everything_is_free
  [ -z "$(node_of 127.7.7.7)" ]
  [ "$(from 127.7.7.7)" != "$third" ]
  [ -n "$(node_of 127.7.7.7)" ]
  farm_is_at_rest
  sound
}

@test "affinity: the client that has not come for the longest makes room; the largest number of all entrances counts" {
  three_nodes --policy affinity --clients 3
  local i
  for i in 1 2 3 1 4; do from "127.7.7.$i" >/dev/null; done
  [ "$(score clients -nr -o client | sort | tr '\n' ' ')" = "127.7.7.1 127.7.7.3 127.7.7.4 " ]
  GATE=$ADDR:3640 entrance alone --policy affinity --clients 100
  GATE=$ADDR:3640
  for i in 5 6 7; do from "127.7.7.$i" >/dev/null; done
  [ "$(remembered)" = 6 ]
  run -64 "$BUILD/cbrelay" --clients 0
  [[ $output == *'--clients: "0": expected 1 to 1048576'* ]]
  sound
}

@test "affinity: an IPv4 client is the same at a socket of IPv6, and so it is for hash and explain" {
  three_nodes --policy affinity
  local node i
  node=$(from 127.7.7.7)
  GATE=$ADDR:3640
  background "$T/mapped.log" python3 -c "
import os, socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::ffff:$ADDR', 3640))
s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv('$BUILD/cbrelay', ['cbrelay', '-c', '$CONF', '--policy', 'affinity', '--per-client', '2'])"
  until_ok eval 'ss -Hltn "sport = :3640" | grep -qF "$ADDR"'
  [ "$(from 127.7.7.7)" = "$node" ]
  [ "$(score clients -nr -o client,uses)" = "127.7.7.7 2" ]
  # Connections of both entrances count for the client.
  client_start here --source 127.7.7.7 --line "$(until_word go)"
  GATE=$ADDR:3632 client_start there --source 127.7.7.7 --line "$(until_word go)"
  until_ok busy_is 2
  client_start late --source 127.7.7.7 --line "sleep 0"
  until_ok waiting_is 1
  score queue | grep -q 'its client has 2 slots'
  word go
  for i in here there late; do client_wait $i; done
  for i in 1 2 3 4 5 6 7 8; do
    [ "$(score explain --policy hash -nr --top 1 -o node "::ffff:10.1.0.$i")" = "$(score explain --policy hash -nr --top 1 -o node "10.1.0.$i")" ]
  done
  farm_is_at_rest
  sound
}

@test "affinity: while a client's node drains, or has fewer cores, the client gets another, and keeps that when the node is back" {
  three_nodes --policy affinity
  local first second
  first=$(from 127.7.7.7)
  until_ok everything_is_free
  client_start held --source 127.7.7.7 --line "$(until_word go)"
  until_ok busy_is 1
  [ "$(node_of 127.7.7.7)" = "$ADDR:400${first#n}" ]
  cp "$CONF" "$T/all.conf"
  sed -i "/400${first#n}/d" "$CONF"
  score load >/dev/null
  second=$(from 127.7.7.7)
  [ "$second" != "$first" ]
  [ "$(node_of 127.7.7.7)" = "$ADDR:400${second#n}" ]
  cp "$T/all.conf" "$CONF"
  score load >/dev/null
  [ "$(from 127.7.7.7)" = "$second" ]
  # One of two cores is left, and busy.
  until_ok busy_is 1
  client_start more --source 127.7.7.7 --line "$(until_word go)"
  until_ok busy_is 2
  score set "$ADDR:400${second#n}" cores=1 >/dev/null
  [ "$(from 127.7.7.7)" != "$second" ]
  [ "$(node_of 127.7.7.7)" != "$ADDR:400${second#n}" ]
  word go
  client_wait held
  client_wait more
  farm_is_at_rest
  sound
}

@test "affinity: what connections at an entrance with another policy get is not remembered" {
  three_nodes --policy affinity
  local node i
  node=$(from 127.7.7.7)
  GATE=$ADDR:3640 entrance alone --policy roundrobin
  for i in 1 2 3 4; do GATE=$ADDR:3640 from 127.7.7.7; done | sort -u >"$T/nodes"
  [ "$(wc -l <"$T/nodes")" = 3 ]
  uses_are 1
  [ "$(from 127.7.7.7)" = "$node" ]
  uses_are 2
  farm_is_at_rest
  sound
}

# Two clients behind the same proxy are two clients.
behind_a_proxy() {
  node a 4001 8 --mode line
  entrance "$1" --policy affinity --accept-proxy 127.0.0.0/8
  local client
  for client in 192.0.2.7 192.0.2.8; do
    printf 'PROXY TCP4 %s 10.0.0.1 1234 80\r\ncount\n' "$client" | socat -t 300 - "TCP:$GATE" | grep total
  done
  [ "$(score clients -nr -o client | sort | tr '\n' ' ')" = "192.0.2.7 192.0.2.8 " ]
  farm_is_at_rest
}

@test "affinity: the client is that of the PROXY header, at a listener" { behind_a_proxy listener; }
@test "affinity: the client is that of the PROXY header, for a single connection" { behind_a_proxy connection; }

# came_earlier SECONDS: the last connection of the client 127.7.7.7 was so much earlier, or, if that is before the boot, at a
# time that cannot be; or "boot": at the boot. That is the field used_usec of its cell, 32 bytes before the address.
came_earlier() {
  python3 - "$SCOREBOARD" "$1" <<'PYTHON'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    at = f.read().index(b"127.7.7.7\0" + bytes(38)) - 32
    f.seek(at)
    used, = struct.unpack("Q", f.read(8))
    f.seek(at)
    earlier = used - 1 if sys.argv[2] == "boot" else int(sys.argv[2]) * 10**6
    f.write(struct.pack("Q", (used - earlier) % 2**64))
PYTHON
}

uses_are() { [ "$(score clients -nr -o client,uses)" = "127.7.7.7 $1" ]; }

@test "affinity: after an hour a client is forgotten" {
  three_nodes --policy affinity
  from 127.7.7.7 >/dev/null
  [ "$(remembered)" = 1 ]
  came_earlier 3601
  [ "$(remembered)" = 0 ]
  from 127.7.7.7 >/dev/null
  uses_are 1
}

@test "affinity: --forget-after says when a client is forgotten; the entrance of the latest connection counts" {
  three_nodes --policy affinity --forget-after 0
  from 127.7.7.7 >/dev/null
  came_earlier boot
  [ "$(remembered)" = 1 ]
  from 127.7.7.7 >/dev/null
  uses_are 2
  GATE=$ADDR:3640 entrance connection --policy affinity --forget-after 10min
  came_earlier 60
  GATE=$ADDR:3640 from 127.7.7.7 >/dev/null
  uses_are 3
  came_earlier 601
  [ "$(remembered)" = 0 ]
  GATE=$ADDR:3640 from 127.7.7.7 >/dev/null
  uses_are 1
  # It is a matter of affinity: an entrance with another policy changes nothing.
  GATE=$ADDR:3641 entrance alone --forget-after 1s
  came_earlier 60
  GATE=$ADDR:3641 from 127.7.7.7 >/dev/null
  uses_are 1
  # What the farm was told outlives a rebuild.
  tdbtool "$SCOREBOARD" delete index/0/0 >/dev/null
  score list >/dev/null
  uses_are 1
  came_earlier 600
  [ "$(remembered)" = 0 ]
  # Connections at the first entrance: never again.
  from 127.7.7.7 >/dev/null
  came_earlier boot
  [ "$(remembered)" = 1 ]
  run -64 "$BUILD/cbrelay" --forget-after soon
  [[ $output == *'--forget-after: "soon": expected a time, as in 1min 30s; 0 is never'* ]]
  farm_is_at_rest
  sound
}

@test "affinity: a client whose connection waited has the node that it got" {
  three_nodes --policy affinity --forget-after 10min
  local node
  client_start full -n 6 -c 6 --source 127.8.8.8 --line "$(until_word go)"
  until_ok busy_is 6
  client_start late --source 127.7.7.7 --line "sleep 0" --expect line
  until_ok waiting_is 1
  word go
  client_wait full
  client_wait late
  node=$(node_of 127.7.7.7)
  [ -n "$node" ]
  score explain --policy affinity -nr --top 1 -o node 127.7.7.7 | grep -qx "$node"
  farm_is_at_rest
  sound
}

@test "affinity: what was remembered is lost with damage, and nothing else is" {
  three_nodes --policy affinity
  local i page
  for i in 1 2 3; do from "127.7.7.$i" >/dev/null; done
  for ((page = 0; page < 128; page++)); do echo "delete client/$page"; done | tdbtool "$SCOREBOARD" >/dev/null
  [ "$(remembered)" = 0 ]
  from 127.7.7.1 >/dev/null
  run -1 score fsck
  score fsck --repair >/dev/null
  sound
  from 127.7.7.1 >/dev/null
  [ "$(remembered)" = 1 ]
  # A rebuild keeps what can be read.
  tdbtool "$SCOREBOARD" delete index/0/0 >/dev/null
  from 127.7.7.2 >/dev/null
  [ "$(remembered)" = 2 ]
  tdbtool "$SCOREBOARD" delete farm >/dev/null
  from 127.7.7.3 >/dev/null
  from 127.7.7.3 >/dev/null
  [ "$(score clients -nr -o client,uses | grep -c '^127.7.7.3 2$')" = 1 ]
  farm_is_at_rest
  sound
}

@test "after any change of a node the index is as if it were made anew" {
  local nodes
  for nodes in 1 7 33; do
    run -0 "$BUILD/tests/cbtest-index" $nodes 3000 "$RANDOM"
  done
  run -0 "$BUILD/tests/cbtest-index" 1200 200 "$RANDOM"
  [ "$output" = "200 changes of 1200 nodes" ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a client says before its connection to a node is known to be made: the relay has read it by then, and keeps it
# for the node that is reached.

load lib/helpers
load lib/refusing

# The node that is tried first refuses.
bytes_go_to_the_next_node() {
  node_line 4009 4 speed=9
  node a 4001 8 --mode reply
  entrance "$1"
  client -n 8 -c 4 --send "$2" --expect sum
  until_ok grep -q "$ADDR:4009 is down" "$T/relay.log"
  farm_is_at_rest
}

@test "listener: what a client said while a node refused goes to the next node" { bytes_go_to_the_next_node listener 50; }
@test "connection: what a client said while a node refused goes to the next node" { bytes_go_to_the_next_node connection 300000; }
@test "inetd: what a client said while a node refused goes to the next node" { bytes_go_to_the_next_node inetd 50; }
@test "alone: what a client said while a node refused goes to the next node" { bytes_go_to_the_next_node alone 300000; }

@test "what a client said while a node did not answer goes to the next node" {
  full_node 4009
  node_line 4009 1 speed=9
  node a 4001 8 --mode reply
  entrance alone --connect-timeout 300ms
  client -n 4 -c 4 --send 100000 --expect sum
  farm_is_at_rest
}

# A node that is sent a PROXY header gets it first, though the client's bytes were read for a node that is sent none.
@test "a PROXY header goes before what was kept" {
  python_node header <<END
while True:
    c = s.accept()[0]
    data = b''
    while part := c.recv(100000):
        data += part
    head, _, rest = data.partition(b'\r\n')
    say(head[:10].decode(), len(rest), rest == b'q' * len(rest))
    c.close()
END
  node_line 4009 4 speed=9
  node_line 4001 4 proxy=v1
  entrance alone
  run -0 python3 - "$ADDR" <<'PY'
import socket, sys
for size in (5, 70000):
    s = socket.create_connection((sys.argv[1], 3632))
    s.sendall(b'q' * size); s.shutdown(socket.SHUT_WR)
    assert s.recv(10) == b''
PY
  until_ok grep -qx 'PROXY TCP4 70000 True' "$T/header.log"
  grep -qx 'PROXY TCP4 5 True' "$T/header.log"
  farm_is_at_rest
}

# The one node refuses, so the connection waits in the relay that has read its bytes. A half-close is then no departure.
@test "a client that has said all and waits, because its node refused, is served when a node is up" {
  node_line 4001 2
  entrance alone --retry-after 1h
  background "$T/half.out" python3 -c "
import socket
s = socket.create_connection(('$ADDR', 3632))
s.sendall(b'x' * 1000); s.shutdown(socket.SHUT_WR)
s.settimeout(300)
print(s.recv(100).split(b' ')[1], flush=True)"
  until_ok waiting_is 1
  [ "$(score queue -nr -o PID)" != "$GATE_PID" ]
  node_start a 4001 2 --mode reply
  probe
  until_ok grep -q "got=1000" "$T/half.out"
  farm_is_at_rest
}

@test "with --abandon-on-eof a client that has closed its side has left" {
  node_line 4001 2
  entrance alone --retry-after 1h --abandon-on-eof
  client_start half --send 1000 --expect sum
  client_fails half
  until_ok waiting_is 0
  farm_is_at_rest
}

# Whether any of the relays has the text in its memory.
in_memory() {
  python3 - "$1" $(pgrep -P "$GATE_PID") <<'PY'
import re, sys
want = sys.argv[1].encode() * 2
for pid in sys.argv[2:]:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            start, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            start, end = int(start, 16), int(end, 16)
            if not mode.startswith("rw") or end - start > 1 << 30:
                continue
            try:
                mem.seek(start)
                if want in mem.read(end - start):
                    sys.exit(0)
            except OSError:
                pass
sys.exit(1)
PY
}

@test "what a client said is not in a relay's memory when it has left without a node" {
  [ "$(id -u)" = 0 ] || skip "needs root to read a relay's memory"
  node_line 4001 2
  entrance alone --retry-after 200ms
  background "$T/secret.out" python3 -c "
import socket, struct, time
s = socket.create_connection(('$ADDR', 3632))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.sendall(b'XSECRETX' * 300)
time.sleep(600)"
  until_ok in_memory XSECRETX
  kill "$PID"
  until_ok grep -q 'end=C' "$T/relay.log"
  until_ok everything_is_free
  run ! in_memory XSECRETX
  farm_is_at_rest
}

# inetd: by the time that the relay begins, the client has reset the connection.
@test "a client that had reset its connection before anything was read is passed on as a reset" {
  python_node see <<END
while True:
    c = s.accept()[0]
    try:
        say('end', c.recv(10))
    except ConnectionResetError:
        say('reset')
    c.close()
END
  node_line 4001 1
  entrance inetd
  run -0 python3 - "$ADDR" <<'PY'
import socket, struct, sys
for turn in range(5):
    s = socket.create_connection((sys.argv[1], 3632))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
PY
  until_ok eval '[ "$(grep -c " end=C" "$T/relay.log")" = 5 ]'
  run ! grep -q end "$T/see.log"
  farm_is_at_rest
}

@test "what a node said before it reset the connection arrives, though what the client said met the reset first" {
  refusing_farm
  run python3 - "$ADDR" <<'PY'
import socket, sys
s = socket.create_connection((sys.argv[1], 3632))
answer, reset = b'', False
try:
    s.sendall(b'request')  # the reset may have come before
except ConnectionError:
    reset = True
try:
    while part := s.recv(1000):
        answer += part
except ConnectionResetError:
    reset = True
print('reset' if reset else 'end')
assert answer == b'too many', answer
PY
  echo "$output"
  cat "$T/relay.log"
  [ "$output" = reset ]
  until_ok grep 'bytes_out=8 .* end=SD' "$T/relay.log"
  farm_is_at_rest
}

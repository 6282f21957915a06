#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers
load lib/refusing

# Half-closes, resets, large and slow flows pass unchanged, through every entrance.
bytes_are_sacred() {
  node echo 4001 4 --mode echo
  entrance "$1"
  client -n 20 -c 4 --send 100 --half-close --expect echo
  client -n 2 -c 2 --send 20000000 --half-close --expect echo
  client -n 1 -c 1 --send 3000000 --half-close --expect echo --bytes-slow 3000000
  farm_is_at_rest
}

@test "listener: both directions are byte-exact, small, large and slow" { bytes_are_sacred listener; }
@test "connection: both directions are byte-exact, small, large and slow" { bytes_are_sacred connection; }
@test "inetd: both directions are byte-exact, small, large and slow" { bytes_are_sacred inetd; }
@test "alone: both directions are byte-exact, small, large and slow" { bytes_are_sacred alone; }

half_close_passes() {
  node sum 4001 2 --mode reply
  entrance "$1"
  client -n 6 -c 2 --send 150000 --half-close --expect sum
  farm_is_at_rest
}

@test "listener: a half-close reaches the node, and its answer comes back" { half_close_passes listener; }
@test "connection: a half-close reaches the node, and its answer comes back" { half_close_passes connection; }
@test "inetd: a half-close reaches the node, and its answer comes back" { half_close_passes inetd; }
@test "alone: a half-close reaches the node, and its answer comes back" { half_close_passes alone; }

@test "a node that speaks first and ends first is passed on whole" {
  node src 4001 2 --mode source:5000000
  entrance alone
  client -n 4 -c 2 --expect pattern:5000000
  farm_is_at_rest
}

node_reset_passes() {
  node a 4001 2 --mode line
  entrance "$1"
  run client -n 2 -c 1 --line reset --expect line --print
  [ "$status" = 1 ]
  [[ $output == *"result=reset"* ]]
  [[ $output == *"reset=2"* ]]
  farm_is_at_rest
}

@test "listener: a node's reset reaches the client as a reset" { node_reset_passes listener; }
@test "connection: a node's reset reaches the client as a reset" { node_reset_passes connection; }
@test "inetd: a node's reset reaches the client as a reset" { node_reset_passes inetd; }
@test "alone: a node's reset reaches the client as a reset" { node_reset_passes alone; }

@test "a client's reset ends the node's connection at once and frees the slot" {
  node a 4001 1 --mode stall
  entrance alone
  # With so little linger its end is a reset, also when it is killed.
  background "$T/client.out" python3 -c "
import socket, struct
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.connect(('$ADDR', 3632))
s.sendall(bytes(100000000))"
  local client=$PID
  until_ok busy_is 1
  kill "$client"
  farm_is_at_rest
  # The slot is taken before the node has answered the connect.
  until_ok grep 'end=C[CD]' "$T/relay.log"
}

@test "a node that does not read holds its client back; the slot is taken until the node has gone" {
  node a 4001 1 --mode stall
  local stalled=$PID
  entrance alone
  client_start sender --send 100000000 --expect none --close-after 500
  until_ok busy_is 1
  client_wait sender || true
  # The client has closed; the node still gets what it sent, as without a relay.
  busy_is 1
  kill "$stalled"
  farm_is_at_rest
}

@test "silence does not end a connection; --idle-timeout does" {
  node a 4001 2 --mode line
  entrance alone
  client --line "silent 1500" --expect any || true
  [ "$(grep -c 'end=RD' "$T/relay.log")" = 0 ]
  GATE=$ADDR:3699
  background "$T/idle.log" "$BUILD/cbrelay" -c "$CONF" --idle-timeout 200ms "$GATE"
  until_ok is_listening "$GATE"
  run client --line "sleep 3000" --expect line
  [ "$status" = 1 ]
  until_ok grep 'cause=idle-timeout .*end=RD' "$T/idle.log"
  farm_is_at_rest
}

@test "the node is told its client's address by the PROXY protocol, versions 1 and 2" {
  node_start one 4001 1 --mode hold:5 --proxy v1
  node_line 4001 1 proxy=v1
  entrance alone
  run -0 client --expect line --print
  [[ $output == *"src=127.0.0.1:"* ]]
  node_start two 4002 1 --mode hold:5 --proxy v2
  echo "$ADDR, 4002, 1, 0, proxy=v2" >"$CONF"
  score load "$CONF"
  run -0 client --expect line --print
  [[ $output == *"two"*"src=127.0.0.1:"* ]]
  farm_is_at_rest
}

# A job that is too big is refused while it still comes: the node answers, and closes with bytes unread: a reset.
@test "what a node said before it reset the connection arrives, though the client is still sending" {
  python_node refuse <<END
while True:
    c = s.accept()[0]
    c.recv(10); c.sendall(b'too big'); c.close()
END
  node_line 4001 1
  entrance alone
  run -0 python3 - "$ADDR" <<'EOF'
import socket, sys
for turn in range(5):
    s = socket.create_connection((sys.argv[1], 3632))
    try:
        while True:
            s.sendall(b'x' * 65536)
    except ConnectionError:
        pass
    answer = b''
    try:
        while part := s.recv(1000):
            answer += part
    except ConnectionError:
        pass
    assert answer == b'too big', (turn, answer)
EOF
  farm_is_at_rest
  until_ok lines_with_are "$T/relay.log" 'bytes_out=7 .* end=SD' 5
}

@test "what a node said before it reset the connection arrives, though the relay had not asked yet whether it is connected" {
  refusing_farm
  run -0 python3 - "$ADDR" <<'EOF'
import socket, sys
s = socket.create_connection((sys.argv[1], 3632))
answer = b''
try:
    while part := s.recv(1000):
        answer += part
    print('end')
except ConnectionResetError:
    print('reset')
assert answer == b'too many', answer
EOF
  [ "$output" = reset ]
  farm_is_at_rest
  until_ok grep 'bytes_out=8 .* end=SD' "$T/relay.log"
  score list -nr -o DOUBTS | grep -x 0
}

@test "urgent data arrives in its place, in a small flow and in a big one" {
  node a 4001 2 --mode reply
  entrance alone
  for before in 10 8000000; do
    run -0 python3 - "$ADDR" $before <<'EOF'
import socket, sys
s = socket.create_connection((sys.argv[1], 3632))
n = int(sys.argv[2])
s.sendall(b'a' * n)
s.send(b'!', socket.MSG_OOB)
s.sendall(b'tail')
s.shutdown(socket.SHUT_WR)
answer = b''
while True:
    part = s.recv(1000)
    if not part:
        break
    answer += part
print(answer.decode())
assert f'got={n + 5} ' in answer.decode(), answer
EOF
  done
  farm_is_at_rest
}

@test "a node that ends its side and reads on slowly keeps its slot until it has all" {
  python_node slow 65536 <<END
lock, now, most = threading.Lock(), 0, 0
def serve(c):
    global now, most
    with lock:
        say('open: the others have', most - now, 'bytes to read')
        most += 1500000
    c.sendall(b'x\n'); c.shutdown(socket.SHUT_WR)
    while (part := c.recv(65536)):
        with lock:
            now += len(part)
        time.sleep(0.02)
    c.close()
while True:
    c, _ = s.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
END
  node_line 4001 1
  entrance alone
  client -n 2 -c 2 --send 1500000 --half-close --expect any
  until_ok everything_is_free
  [ "$(grep -c '^open' "$T/slow.log")" = 2 ]
  # All bytes of the first connection were on the node's machine when the second came: at most its receive buffer was
  # unread.
  [ "$(sed -n '2s/.*have \([0-9]*\) bytes.*/\1/p' "$T/slow.log")" -lt 300000 ]
}

# A node that ends its side of a connection at once, and does not read the bytes that came until a word is given.
half_read_node() {
  python_node half 65536 <<END
def serve(c, n):
    say('open', n)
    c.sendall(b'x\n'); c.shutdown(socket.SHUT_WR)
    while not os.path.exists('$T/read.word'):
        time.sleep(0.02)
    try:
        while c.recv(65536):
            pass
        say('whole', n)
    except ConnectionResetError:
        say('reset', n)
    c.close()
n = 0
while True:
    c, _ = s.accept(); n += 1
    threading.Thread(target=serve, args=(c, n), daemon=True).start()
END
  node_line 4001 1
}

is_being_delivered() { ss -Htn state last-ack state closing "dst $ADDR and dport = 4001" | grep -q .; }
relay_is() { grep -q "^State:[[:space:]]*$2" "/proc/$1/status"; }

# half_read [cbrelay option]...: brings a connection to that state; the relay is $RELAY.
half_read() {
  half_read_node
  entrance alone "$@"
  client -n 1 --send 1500000 --half-close --expect any
  until_ok is_being_delivered
  RELAY=$(score slots -nr -o PID)
}

@test "a relay that is killed while its node has not all yet ends that connection, too" {
  half_read
  kill -9 "$RELAY"
  until_ok everything_is_free
  word read
  until_ok grep -Eq '^(reset|whole) 1' "$T/half.log"
  grep -q '^reset 1' "$T/half.log"
}

@test "a relay that is told to end while its node has not all yet ends that connection, too" {
  half_read
  kill "$RELAY"
  until_ok everything_is_free
  word read
  until_ok grep -Eq '^(reset|whole) 1' "$T/half.log"
  grep -q '^reset 1' "$T/half.log"
  until_ok grep -q 'end=KD' "$T/relay.log"
}

@test "a relay that is stopped and goes on, or whose listener is killed, waits until its node has all" {
  half_read
  client_start next -n 1 --send 10 --half-close --expect any
  until_ok waiting_is 1
  kill -STOP "$RELAY"
  until_ok relay_is "$RELAY" T
  kill -CONT "$RELAY"
  until_ok relay_is "$RELAY" S
  busy_is 1
  lines_with_are "$T/half.log" '^open 2' 0
  kill -9 "$GATE_PID"
  gone "$GATE_PID"
  [ "$(score slots -nr -o PID)" = "$RELAY" ]
  word read
  until_ok grep -q '^whole 1' "$T/half.log"
  until_ok everything_is_free
}

@test "--idle-timeout: a node that takes no more of what is left for it is silent, too" {
  half_read_node
  entrance alone --idle-timeout 2s
  client -n 1 --send 1500000 --half-close --expect any || true
  until_ok grep -q 'end=RD' "$T/relay.log"
  until_ok everything_is_free
  word read
  until_ok grep -q '^reset 1' "$T/half.log"
}

# A node that has ended its side of a connection; then its machine receives nothing of it until a word is given.
unheard() {
  python_node unheard <<END
c, _ = s.accept()
c.sendall(b'x\\n'); c.shutdown(socket.SHUT_WR)
while c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 5: # FIN_WAIT2
    time.sleep(0.02)
nothing = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0)) # BPF: return 0
c.setsockopt(socket.SOL_SOCKET, 26, struct.pack('HP', 1, ctypes.addressof(nothing))) # SO_ATTACH_FILTER
say('unheard')
while not os.path.exists('$T/hear.word'):
    time.sleep(0.02)
c.setsockopt(socket.SOL_SOCKET, 27, 0) # SO_DETACH_FILTER
n = 0
try:
    while d := c.recv(65536):
        n += len(d)
    say('whole', n)
except ConnectionResetError:
    say('reset', n)
END
  node_line 4001 1
  entrance alone
  background "$T/client.out" python3 -c "
import os, socket, time
c = socket.create_connection(('$ADDR', 3632))
while c.recv(100):
    pass
while not os.path.exists('$T/send.word'):
    time.sleep(0.02)
c.sendall(b'z' * 5000)"
  until_ok grep -q unheard "$T/unheard.log"
  word send
  until_ok is_being_delivered
  RELAY=$(score slots -nr -o PID)
  until_ok relay_is "$RELAY" S
}

# What can no longer be reset is sent again until the node has it: nothing of the connection stays there for ever.
unheard_ends() {
  until_ok everything_is_free
  word hear
  until_ok grep -Eq '^(reset|whole)' "$T/unheard.log"
}

@test "a relay that is killed while the end of its connection is lost on the way: the node learns of it all the same" {
  unheard
  kill -9 "$RELAY"
  unheard_ends
}

@test "a relay that is told to end while the end of its connection is lost on the way: the node learns of it" {
  unheard
  kill "$RELAY"
  unheard_ends
}

@test "inetd: the client is told of the end at once, while its node has not all yet" {
  half_read_node
  entrance inetd
  client -n 1 --send 1500000 --half-close --expect any
  busy_is 1
  word read
  until_ok grep -q '^whole 1' "$T/half.log"
}

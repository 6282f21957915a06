#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a side sent before its end arrives whole, whatever happens to that side
# afterwards: its machine may have forgotten the connection, or reset it.

load lib/helpers

# A node that sends 400,000 bytes at once and closes its socket.
saying_node() {
  python_node say <<END
while True:
    c, _ = s.accept()
    c.sendall(b'n' * 400000); c.close()
END
  node_line 4001 1
}

# A client that reads slowly. It sends a byte when the node's machine has sent everything and remembers only the end of
# the closed socket: that machine answers by a reset.
node_forgets() {
  saying_node
  entrance "$1"
  background "$T/client.out" python3 -c "
import os, socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
s.connect(('$ADDR', 3632)); s.settimeout(300)
while not os.path.exists('$T/closed.word'):
    time.sleep(0.02)
s.sendall(b'x')
n, end = 0, 'reset'
try:
    while part := s.recv(50000):
        n += len(part); time.sleep(0.005)
    end = 'end'
except ConnectionError:
    pass
print(n, end)"
  until_ok eval 'ss -Htn state fin-wait-2 "src $ADDR and sport = 4001" | grep -q .'
  word closed
  until_ok grep -qx '400000 end' "$T/client.out"
  farm_is_at_rest
  until_ok grep 'bytes_in=0 bytes_out=400000 .*end=SD' "$T/relay.log"
}

@test "listener: a node's answer arrives whole and with its end, though its machine resets what comes behind it" { node_forgets listener; }
@test "connection: a node's answer arrives whole and with its end, though its machine resets what comes behind it" { node_forgets connection; }
@test "inetd: a node's answer arrives whole and with its end, though its machine resets what comes behind it" { node_forgets inetd; }
@test "alone: a node's answer arrives whole and with its end, though its machine resets what comes behind it" { node_forgets alone; }

# A client that sends everything and closes its socket; then the node sends a byte, and reads slowly.
client_forgets() {
  python_node read 8192 <<END
c, _ = s.accept()
while not os.path.exists('$T/closed.word'):
    time.sleep(0.02)
c.sendall(b'y')
n, end = 0, 'reset'
try:
    while part := c.recv(50000):
        n += len(part); time.sleep(0.005)
    end = 'end'
except ConnectionError:
    pass
say(n, end)
c.setblocking(True); c.settimeout(300)
try:
    while True:
        c.sendall(b'z'); time.sleep(0.02)
except ConnectionError:
    say('told')
END
  node_line 4001 1
  entrance "$1"
  python3 -c "
import socket
s = socket.create_connection(('$ADDR', 3632)); s.sendall(b'c' * 400000); s.close()"
  # All bytes have left the client's machine, which remembers only the end.
  until_ok eval 'ss -Htn state fin-wait-2 "dst $ADDR and dport = 3632" | grep -q .'
  word closed
  until_ok grep -qx '400000 end' "$T/read.log"
  until_ok grep -qx told "$T/read.log"
  farm_is_at_rest
  until_ok grep 'bytes_in=400000 bytes_out=0 .*end=CD' "$T/relay.log"
}

@test "listener: a client's request arrives whole and with its end, though its machine resets what comes back" { client_forgets listener; }
@test "connection: a client's request arrives whole and with its end, though its machine resets what comes back" { client_forgets connection; }
@test "inetd: a client's request arrives whole and with its end, though its machine resets what comes back" { client_forgets inetd; }
@test "alone: a client's request arrives whole and with its end, though its machine resets what comes back" { client_forgets alone; }

@test "a node that goes on answering a client that has gone is read to the end of the request, and then told" {
  python_node echo <<END
c, _ = s.accept()
while not os.path.exists('$T/closed.word'):
    time.sleep(0.02)
n, end = 0, 'reset'
try:
    while part := c.recv(100):
        n += len(part)
        try:
            c.sendall(part * 200) # stops reading until that is taken
        except ConnectionError:
            pass
    end = 'end'
except ConnectionError:
    pass
say(n, end)
END
  node_line 4001 1
  entrance alone
  python3 -c "
import socket
s = socket.create_connection(('$ADDR', 3632)); s.sendall(b'c' * 100000); s.close()"
  until_ok eval 'ss -Htn state fin-wait-2 "dst $ADDR and dport = 3632" | grep -q .'
  word closed
  until_ok grep -qE '^100000 (end|reset)' "$T/echo.log"
  farm_is_at_rest
}

# A node's reset is no end. But the client first gets what the node's machine sent before, also if it reads late.
@test "what a node said before it reset the connection waits for a client that reads late" {
  python_node reset <<END
c, _ = s.accept()
c.sendall(b'n' * 60000)
while c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[24:28] != b'\\0\\0\\0\\0': # unacknowledged
    pass
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
c.close()
END
  node_line 4001 1
  entrance alone
  run -0 python3 - "$ADDR" <<'END'
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect((sys.argv[1], 3632)); s.settimeout(300)
n, end = 0, 'reset'
try:
    while part := s.recv(1000):
        n += len(part); time.sleep(0.01)
    end = 'end'
except ConnectionError:
    pass
print(n, end)
END
  [ "$output" = "60000 reset" ]
  farm_is_at_rest
  until_ok grep 'bytes_out=60000 .*end=SD' "$T/relay.log"
}

# --idle-timeout counts what moves between the machines, not what the relay still has to copy.
slow_reader_is_not_idle() {
  saying_node
  entrance "$1" --idle-timeout 3s
  run -0 python3 - "$ADDR" <<'END'
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
s.connect((sys.argv[1], 3632)); s.settimeout(300)
n = 0
while part := s.recv(8000):
    n += len(part); time.sleep(0.08)
print(n)
END
  [ "$output" = 400000 ]
  farm_is_at_rest
  until_ok grep 'bytes_out=400000 .*end=--' "$T/relay.log"
}

@test "listener: a client that reads slowly what its node left is not idle" { slow_reader_is_not_idle listener; }
@test "connection: a client that reads slowly what its node left is not idle" { slow_reader_is_not_idle connection; }
@test "inetd: a client that reads slowly what its node left is not idle" { slow_reader_is_not_idle inetd; }
@test "alone: a client that reads slowly what its node left is not idle" { slow_reader_is_not_idle alone; }

@test "a node that reads slowly what its client left is not idle; a node that does not read is idle" {
  python_node read 8192 <<END
c, _ = s.accept(); n = 0
while part := c.recv(8000):
    n += len(part); time.sleep(0.08)
say(n)
c.close()
c, _ = s.accept()
time.sleep(600)
END
  node_line 4001 1
  entrance alone --idle-timeout 3s
  python3 -c "
import socket
s = socket.create_connection(('$ADDR', 3632)); s.sendall(b'c' * 400000); s.close()"
  until_ok grep -qx 400000 "$T/read.log"
  until_ok grep 'bytes_in=400000 .*end=--' "$T/relay.log"
  client_start stalled --send 10000000 --expect none
  until_ok grep 'end=RD' "$T/relay.log"
  farm_is_at_rest
}

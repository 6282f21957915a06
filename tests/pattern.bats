#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Patterns of check=: their cost is bounded, for any pattern and any answer of a node.

load lib/helpers

# talker NAME PORT MODE: a server that answers by MODE.
talker() {
  background "$T/$1.log" "$LIB/talker" "$3" "$ADDR:$2"
  until_ok grep -q ^PORT "$T/$1.log"
}

# says NAME PORT FILE: a server that sends the file on each connection, and keeps the connection open.
says() {
  background "$T/$1.log" python3 -c '
import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=64)
print("PORT", flush=True)
kept = []
while True:
    c = s.accept()[0]
    c.sendall(open(sys.argv[3], "rb").read())
    kept.append(c)' "$ADDR" "$2" "$3"
  until_ok grep -q ^PORT "$T/$1.log"
}

reason_of() { score list -nr -o NODE,REASON | awk -v n="$ADDR:$1" '$1 == n { print $2 }'; }

# The processor time of a command alone, in ms.
cpu_msec() {
  local TIMEFORMAT='%U %S'
  { time "$@" >"$T/cpu.out" 2>&1; } 2>&1 | awk '{ printf "%d\n", ($1 + $2) * 1000 }'
}

COSTLY='(a|b)*a(a|b){14}c'

@test "a pattern and a hostile answer of 8,000 bytes are done in a moment: the node is left as it is, and others are checked" {
  python3 -c 'print("ab" * 3995 + "x" * 9, end="c")' >"$T/hostile"
  says hostile 4001 "$T/hostile"
  talker good 4002 'say:HELLO\r\n'
  printf 'expect "%s"\n' "$COSTLY" >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat"
  node_line 4002 1 'check=banner:^HELLO'
  score load >/dev/null
  msec=$(cpu_msec probe -v)
  cat "$T/cpu.out"
  grep -qF "$ADDR:4001: chat: pattern takes too much work after" "$T/cpu.out"
  grep -qF "check \"chat:$T/chat\": its pattern takes too much work on what nodes answer; such nodes are left as they are" "$T/cpu.out"
  grep -qF "$ADDR:4002: banner: answered" "$T/cpu.out"
  state_is 4001 up
  # Without the bounds it took 15 seconds.
  echo "$msec ms"
  [ "$msec" -lt "$([ -n "${SANITIZE-}" ] && echo 20000 || echo 3000)" ]
}

@test "with {200} as well, and within the memory that a pass has anyhow" {
  python3 -c 'print("ab" * 3995 + "x" * 9, end="c")' >"$T/hostile"
  says hostile 4001 "$T/hostile"
  printf 'expect "%s"\n' '(a|b)*a(a|b){200}c' >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat"
  if [ -z "${SANITIZE-}" ]; then ulimit -v 400000; fi
  run -0 timeout 300 "$BUILD/cbprobe" -c "$CONF" -v
  [[ $output == *"$ADDR:4001: chat: pattern takes too much work after"* ]] || { echo "$output"; return 1; }
  state_is 4001 up
}

@test "a body of 64 kB is bounded as well" {
  mkdir "$T/www"
  python3 -c 'print("ab" * 32000 + "c", end="")' >"$T/www/body"
  background "$T/www.log" python3 -m http.server -b "$ADDR" -d "$T/www" 4001
  until_ok is_listening "$ADDR:4001"
  node_line 4001 1 "check=http://%n/body --body=$COSTLY\$"
  run -0 timeout 300 "$BUILD/cbprobe" -c "$CONF" -v
  [[ $output == *"$ADDR:4001: http: pattern takes too much work after"* ]] || { echo "$output"; return 1; }
  state_is 4001 up
}

# in_pieces <<END: a node at port 4001 that sends what the Python on standard input, indented by 8, sends to its
# connection c.
in_pieces() {
  background "$T/pieces.log" python3 -c "
import socket, time
s = socket.create_server(('$ADDR', 4001), backlog=64)
print('PORT', flush=True)
while True:
    c = s.accept()[0]
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
$(cat)
    except OSError:
        pass"
  until_ok grep -q ^PORT "$T/pieces.log"
}

@test "only what is new is looked at: an answer that comes in 8,000 pieces costs as much as one" {
  # All pieces have one budget: with a new search from the beginning for each, the sum would be far over it.
  in_pieces <<'END'
        for i in range(8000):
            c.sendall(b"y" if i % 80 else b"\n")
            time.sleep(0.0001)
        c.sendall(b"\nthe end of it\n")
END
  printf 'expect "%s"\n' '[a-z]+ end of it$' >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat --timeout=60s"
  run -0 probe -v
  [[ $output == *"$ADDR:4001: chat: answered"* ]] || { echo "$output"; return 1; }
}

@test "a match that begins in one piece and ends in the next is found; \$ waits for the line's end" {
  in_pieces <<'END'
        for piece in (b"HEL", b"LO", b" far", b"m", b"er\r\nHELLO fa", b"rm\r", b"\n"):
            c.sendall(piece)
            time.sleep(0.05)
END
  printf '%s\n' 'expect "^HELLO farm$"' >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat --timeout=60s"
  run -0 probe -v
  [[ $output == *"$ADDR:4001: chat: answered"* ]] || { echo "$output"; return 1; }
  # The first line is different.
  echo "$ADDR, 4001, 1, 0, check=banner:^HELLO farm\$" >"$CONF"
  score load
  probe
  [ "$(reason_of 4001)" = 'wrong\x20banner:\x20HELLO\x20farmer' ]
}

@test "a banner's line has a length: what begins well is up, what does not end is too long" {
  python3 -c 'print("HELLO" + "x" * 3000, end="")' >"$T/long"
  says long 4001 "$T/long"
  node_line 4001 1 'check=banner:^HELLO'
  probe
  state_is 4001 up
  echo "$ADDR, 4001, 1, 0, check=banner:xx\$" >"$CONF"
  score load
  probe
  [ "$(reason_of 4001)" = 'answer\x20too\x20long' ]
}

@test "SIGTERM ends a prober whose nodes keep it at patterns" {
  python3 -c 'print("ab" * 3995 + "x" * 9, end="c")' >"$T/hostile"
  says hostile 4001 "$T/hostile"
  printf 'expect "%s"\n' "$COSTLY" >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat"
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v --interval 10ms
  until_ok grep -q 'takes too much work after' "$T/probe.log"
  kill "$PID"
  gone "$PID"
  wait "$PID"
}

@test "validate refuses what cannot be compiled, and says where it is wrong" {
  node_line 4001 1 'check=banner:(a|b'
  node_line 4002 1 'check=banner:^(a)\1$'
  node_line 4003 1 'check=banner:(?P<x>a)(?P=x)'
  node_line 4004 1 'check=banner:((((a{200}){200}){200}){200})'
  node_line 4005 1 'check=http://%n/ --body=[z-a]'
  node_line 4006 1 'check=banner:(*UTF)a'
  node_line 4007 1 "check=banner:$(printf '(%.0s' {1..60})a$(printf ')%.0s' {1..60})"
  run --separate-stderr -78 score validate "$CONF"
  for word in 'nodes.conf:1: check:*a regular expression: missing closing parenthesis, at byte 5' \
    'nodes.conf:2: check:*a regular expression without references to its groups' \
    'nodes.conf:3: check:*a regular expression without references to its groups' \
    'nodes.conf:4: check:*a regular expression: regular expression is too large' \
    'nodes.conf:5: check:*a regular expression: range out of order in character class' \
    'nodes.conf:6: check:*a regular expression: using UTF is disabled' \
    'nodes.conf:7: check:*a regular expression: parentheses are too deeply nested'; do
    # shellcheck disable=SC2053
    [[ $stderr == *$word* ]] || { echo "$word"; echo "$stderr"; return 1; }
  done
}

@test "a comma and a number sign are \\x2c and \\x23, and classes and \\b are Perl's" {
  talker one 4001 'say:ready, set #1\r\n'
  node_line 4001 1 'check=banner:^\w+\x2c\s[[:lower:]]+ \x23\d\b$'
  run -0 probe -v
  [[ $output == *"$ADDR:4001: banner: answered"* ]] || { echo "$output"; return 1; }
}

@test "a body's and a chat's line ends are LF or CRLF, as a banner's" {
  mkdir "$T/www"
  printf 'first\r\nOK\r\n' >"$T/www/crlf"
  printf 'first\nOK\n' >"$T/www/lf"
  background "$T/www.log" python3 -m http.server -b "$ADDR" -d "$T/www" 4001
  until_ok is_listening "$ADDR:4001"
  talker chat 4002 'say:first\r\nOK\r\n'
  printf '%s\n' 'expect "^OK$"' >"$T/chat"
  for check in 'http://%n/crlf --body=^OK$' 'http://%n/lf --body=^OK$' 'http://%n/crlf --body=^first$'; do
    echo "$ADDR, 4001, 1, 0, check=$check" >"$CONF"
    score load
    probe
    state_is 4001 up || { echo "$check"; score list; return 1; }
  done
  # Between CR and LF there is no empty line.
  echo "$ADDR, 4001, 1, 0, check=http://%n/crlf --body=^\$." >"$CONF"
  score load
  probe
  [ "$(reason_of 4001)" = 'body\x20does\x20not\x20match' ]
  echo "$ADDR, 4002, 1, 0, check=chat:$T/chat" >"$CONF"
  score load
  run -0 probe -v
  [[ $output == *"$ADDR:4002: chat: answered"* ]] || { echo "$output"; return 1; }
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Text of others: what a client, a node, an agent, an administrator or the scoreboard
# can choose is never more than text on a terminal, in a log, on the page, or in the
# environment of a command.

load lib/helpers

# A newline, a title for the terminal, red by ESC and by C1, an override of the direction, an isolate, an invisible
# space, no UTF-8, DEL: for printf %b.
EVIL='MARK\nFORGED\e]0;title\a\e[31m\xc2\x9b31m\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8b\xff\xc3\x7f'
evil() { printf %b "$EVIL"; }

# looks_at FILE...: each file is printable, and the mark has come through to it.
looks_at() {
  local file
  "$LIB/is-printable" "$@"
  for file in "$@"; do
    grep -q MARK "$file" || { echo "$file has no MARK"; cat "$file"; return 1; }
  done
}

talker() {
  background "$T/$1.log" "$LIB/talker" "$2" "$ADDR:$3"
  until_ok grep -q ^PORT "$T/$1.log"
}

# Writes over a text in the scoreboard, at the same size.
put_into_scoreboard() {
  python3 - "$SCOREBOARD" "$1" "$2" <<'END'
import sys
path, old, new = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode().decode("unicode_escape").encode("latin-1")
data = open(path, "rb").read()
assert old in data and len(new) <= len(old), (data.count(old), len(new), len(old))
with open(path, "r+b") as file:
    at = data.find(old)
    while at >= 0:
        file.seek(at)
        file.write(new + b"\0" * (len(old) - len(new)))
        at = data.find(old, at + 1)
END
}

@test "nodes: banners, dialogues, HTTP, agents and commands choose text only" {
  talker banner 'say:MARK\x1b]0;t\x07\xc2\x9b31m\xe2\x80\xae\xff\r\n' 4001
  talker http 'script:HTTP/1.1 500 MARK\x1b]0;t\x07\xc2\x9b31m\xe2\x80\xae\xff\r\n\r\n' 4002
  talker agent 'say:down #MARK\x1b]0;t\x07\xc2\x9b31m\xe2\x80\xae\xff\n' 4003
  talker chat 'say:MARK\x1b]0;t\x07\xc2\x9b31m\xe2\x80\xae\xff\r\n' 4004
  printf 'expect "^220 "\n' >"$T/chat"
  printf '#!/bin/sh\nprintf %%b "%s"\nexit 2\n' "${EVIL//\\/\\\\}" >"$T/plugin"
  chmod 755 "$T/plugin"
  open_to_nobody "$T"
  node_line 4001 1 check=smtp
  node_line 4002 1 "check=http://$ADDR:4002/"
  node_line 4003 1 check=agent:4003
  node_line 4004 1 "check=chat:$T/chat"
  node_line 4005 1 "check=exec:$T/plugin"
  # shellcheck disable=SC2016 # for the shell that runs it
  OUT=$T/told probe -v --timeout 20s --notify 'env | grep ^COREBALANCE_ >>"$OUT"' 2>"$T/probe.err"
  score list -nr -o NODE,STATE,REASON >"$T/states"
  [ "$(grep -c 'down.*MARK' "$T/states")" = 5 ] || { cat "$T/states"; return 1; }
  score list >"$T/list"
  score list -J >"$T/json"
  jq -e '.nodes | length == 5' "$T/json"
  score status >"$T/status"
  score explain >"$T/explain"
  score metrics >"$T/metrics"
  looks_at "$T/states" "$T/list" "$T/json" "$T/status" "$T/explain" "$T/probe.err" "$T/told"
  "$LIB/is-printable" "$T/metrics"
  # Each word of the environment is one line of env(1).
  grep -vq '^COREBALANCE_' "$T/told" && return 1
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
  until_ok is_listening "$ADDR:3680"
  curl -sS "http://$ADDR:3680/" >"$T/page.html"
  curl -sS "http://$ADDR:3680/status.json" >"$T/status.json"
  curl -sS "http://$ADDR:3680/metrics" >"$T/page.metrics"
  looks_at "$T/page.html" "$T/status.json"
  jq -e '.nodes | length == 5' "$T/status.json"
  "$LIB/is-printable" "$T/page.metrics"
}

@test "the page's users: no byte of a request comes back, or reaches a log" {
  node_line 4001 1
  score load
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
  until_ok is_listening "$ADDR:3680"
  python3 - "$ADDR" >"$T/answers" <<'END'
import socket, sys
evil = b"MARK\x1b]0;t\x07\xc2\x9b31m\xe2\x80\xae\xff"
for request in (b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                b"%s / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                b"GET /status.json HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\nX-%s: y\r\nConnection: close\r\n\r\n"):
    s = socket.create_connection((sys.argv[1], 3680))
    s.sendall(request.replace(b"%s", evil))
    s.settimeout(300)
    try:
        while data := s.recv(65536):
            sys.stdout.buffer.write(data.replace(b"\r", b""))
    except OSError:
        pass
END
  grep -q '^HTTP/1.1' "$T/answers"
  if grep -q MARK "$T/answers" "$T/serve.log"; then return 1; fi
  # The page separates groups of digits by a narrow space, which is no mark.
  "$LIB/is-printable" "$T/answers" "$T/serve.log"
}

@test "clients: what they send in the place of a PROXY header is in no line" {
  node a 4001 2
  entrance alone --accept-proxy "$ADDR,127.0.0.0/8"
  python3 - "$ADDR" <<'END'
import socket, sys
evil = b"MARK\nFORGED\x1b]0;t\x07\xc2\x9b31m\xe2\x80\xae\xff"
v2 = b"\r\n\r\n\0\r\nQUIT\n"
tlv = b"\x05" + len(evil).to_bytes(2, "big") + evil
for data in (evil, b"PROXY TCP4 " + evil + b"\r\n", b"PROXY UNKNOWN " + evil.replace(b"\n", b" ") + b"\r\n",
             v2 + b"\x21\x31" + (216).to_bytes(2, "big") + (evil * 8)[:216],
             v2 + b"\x21\x11" + (12 + len(tlv)).to_bytes(2, "big") + bytes([127, 0, 0, 9, 127, 0, 0, 1, 1, 2, 3, 4]) + tlv,
             v2 + b"\x21\x77" + (40).to_bytes(2, "big") + (evil * 2)[:40]):
    s = socket.create_connection((sys.argv[1], 3632))
    s.settimeout(300)
    try: # the end may come as a reset, before all has been sent
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
    except OSError:
        pass
END
  until_ok grep -q 'end=[CR]Q' "$T/relay.log"
  until_ok everything_is_free
  "$LIB/is-printable" "$T/relay.log"
  if grep -q MARK "$T/relay.log"; then return 1; fi
}

@test "administrators: bad words of a command line, bad lines of a list, and reasons" {
  node_line 4001 1
  score load
  score "$(evil)" 2>"$T/verb" || true
  score down "$(evil)" 2>"$T/node" || true
  score list -o "$(evil)" 2>"$T/column" || true
  score list --sort "$(evil)" 2>"$T/sort" || true
  score list "--$(evil)" 2>"$T/option" || true
  score set "$ADDR:4001" "$(evil)" 2>"$T/key" || true
  score set "$ADDR:4001" "cores=$(evil)" 2>"$T/value" || true
  score explain "$(evil)" 2>"$T/client" || true
  score kill "$(evil)" 2>"$T/kill" || true
  score -s "$T/$(evil)" list 2>"$T/scoreboard" || true
  score load "$T/$(evil)" 2>"$T/path" || true
  "$BUILD/cbrelay" -c "$T/$(evil)" --policy "$(evil)" 2>"$T/relay" || true
  "$BUILD/cbprobe" -c "$CONF" --jobs "$(evil)" 2>"$T/jobs" || true
  "$BUILD/cbprobe" -c "$T/$(evil)" 2>"$T/probe" || true
  printf '%b' "MARK\e]0;t\a, 1, 2\n$ADDR, MARK\xc2\x9b, 1, 0\n$ADDR, 4001, 1, 0, MARK\e[31m=3\nMARK\xe2\x80\xae \xff\n" >"$T/bad.conf"
  printf '%s, 4009, 1, 0, check=banner:MARK%b\n' "$ADDR" '\e[31m' >>"$T/bad.conf"
  score validate "$T/bad.conf" 2>"$T/list" && return 1
  score load "$T/bad.conf" 2>"$T/load" && return 1
  "$BUILD/cbprobe" -c "$T/bad.conf" -s "$T/other.tdb" 2>"$T/probe.list" && return 1
  looks_at "$T/verb" "$T/node" "$T/column" "$T/sort" "$T/option" "$T/key" "$T/value" "$T/client" "$T/kill" "$T/scoreboard" \
    "$T/path" "$T/relay" "$T/jobs" "$T/probe" "$T/list" "$T/load" "$T/probe.list"
  # Errors of five lines, and the number of them.
  [ "$(wc -l <"$T/list")" = 6 ]
  for reason in 'a\nb' 'a\e[31m' 'a\xc2\x9b31m' 'a\xe2\x80\xaeb' 'a\xff'; do
    run -2 score down "$ADDR:4001" --reason "$(printf %b "$reason")"
  done
  # Letters of any language are text.
  run -0 score down "$ADDR:4001" --reason "Lüfter defekt: 風扇"
  score list -J | jq -e '.nodes[0].reason == "held by an administrator: Lüfter defekt: 風扇"'
}

@test "a scoreboard's own texts, whatever program wrote them, in every verb, in top and in the prober's lines" {
  command -v tmux >/dev/null || skip "tmux is not installed"
  node a 4001 1 --mode line
  echo "alpha.node.example.org, 4002, 1, 0, check=banner:PATTERNPATTERNPATTERN" >>"$CONF"
  entrance alone
  score load
  # Both clients stay until the end of the test, however long that takes on a busy machine.
  client_start one --source 127.55.66.77 --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start two --source 127.55.66.77 --line "sleep 0" --expect line
  until_ok waiting_is 1
  score down "$ADDR:4001" --reason REASONREASONREASONREASON
  put_into_scoreboard REASONREASONREASONREASON 'MARK\nFORGED\x1b[31m\xc2\x9b\xe2\x80\xae\xff'
  put_into_scoreboard banner:PATTERNPATTERNPATTERN 'banner:MARK\x1b[31m\xc2\x9b\xe2\x80\xae'
  put_into_scoreboard alpha.node.example.org 'MARK\nFORGED\x1b[31m\xc2\x9b'
  put_into_scoreboard 127.55.66.77 'MARK\x1b[31m\xc2\x9b\xe2'
  for verb in list slots queue clients dump explain status metrics check agent fsck diff 'load --dry-run' 'diff -J' 'status -J' 'check -J' 'list -J' 'slots -J' \
    'queue -J' 'list -r' 'slots -r' 'export ipvs --service tcp:192.0.2.1:80' 'down zzz' "up $ADDR:4001" 'kill zzz'; do
    # shellcheck disable=SC2086 # words
    score $verb >"$T/out.${verb// /_}" 2>&1 || true
    "$LIB/is-printable" "$T/out.${verb// /_}"
  done
  # MARK is seen where the verb shows such texts at all.
  looks_at "$T/out.list" "$T/out.slots" "$T/out.queue" "$T/out.dump" "$T/out.explain" "$T/out.status" "$T/out.metrics"
  probe -v 2>"$T/probe.err" || true
  "$LIB/is-printable" "$T/probe.err"
  MUX=(tmux -u -L "cb-$$-$BATS_TEST_NUMBER" -f /dev/null)
  "${MUX[@]}" new-session -d -x 150 -y 20 "script -qc \"'$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' top\" '$T/typed'; exec sleep 600"
  shows() { "${MUX[@]}" capture-pane -p | grep -qF -- "$1"; }
  until_ok shows 'MARK?FORGED'
  "${MUX[@]}" send-keys Enter
  until_ok shows 'SLOT  CLIENT'
  "${MUX[@]}" kill-server
  # The terminal's own sequences are there; the scoreboard's are not.
  if grep -aq $'MARK[^?]\|\xc2\x9b\|\xe2\x80\xae\|\xff' "$T/typed"; then return 1; fi
  word go
  client_wait one
}

@test "what programs print passes through one function" {
  cd "$BATS_TEST_DIRNAME/.." || return 1
  run ! grep -nE '\b(v?printf|puts|fputs|perror|v?fprintf)\(' scoreboard/cbscore/*.c scoreboard/cbscore/top/*.c \
    scoreboard/cbprobe/*.c scoreboard/cbprobe/checks/*.c scoreboard/cbshare/*.c relay/*.c
}

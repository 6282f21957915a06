#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# The farm for browsers, for Prometheus and for HAProxy: cbscore serve, metrics, agent.

load lib/helpers

# serve [option]...: serves the page at $WEB.
serve() {
  WEB=http://$ADDR:3680
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680" "$@"
  SERVE_PID=$PID
  until_ok is_listening "$ADDR:3680"
}

get() { curl -sS --max-time 300 "$@"; }
status_of() { get -o /dev/null -w '%{http_code}' "$@"; }

# A node that is up and busy, a node that is held, a node that is down, and a connection that waits.
farm_in_every_state() {
  node a 4001 2 --mode line
  node b 4002 3 --mode line
  node_line 4003 70 backup
  entrance alone
  score down "$ADDR:4002"
  run -0 probe
  run -0 probe
  client_start crowd -n 3 --line "$(until_word go)" --expect line
  until_ok busy_is 2
  until_ok waiting_is 1
}

@test "/status.json says what the farm is, in the words and numbers of cbscore list" {
  farm_in_every_state
  serve
  get "$WEB/status.json" >"$T/status.json"
  jq -e '.slots == 75 and .busy == 2 and .free == 0 and .waiting == 1 and .nodes_up == 1 and .paused == false' "$T/status.json"
  jq -e '.time - .oldest_since >= 0 and (.nodes | length) == 3' "$T/status.json"
  for key in node cores busy free state speed served failed; do
    diff <(jq -c "[.nodes[].$key]" "$T/status.json") <(score list -J | jq -c "[.nodes[].$key]")
  done
  jq -e '[.nodes[].reason] | .[0] == null and (.[1] | startswith("held by an administrator")) and .[2] == "connection refused"' "$T/status.json"
  jq -e '([.slices[].busy_most] | max) == 2 and ([.slices[].waiting_most] | max) == 1' "$T/status.json"
  word go
  client_wait crowd
  all_are_counted() { get "$WEB/status.json" | jq -e '([.slices[].served] | add) == 3'; }
  until_ok all_are_counted
}

@test "/status.json has the keys that the manual has, and no others" {
  farm_in_every_state
  serve
  get "$WEB/status.json" | jq -r '[.. | objects | keys[]] | unique[]' | sort -u >"$T/keys"
  sed -n '/^is one object:/,/^\.Sh FIGURES/p' "$BATS_TEST_DIRNAME/../man/cbscore.1" |
    grep -E '^\.(It )?Va ' | sed 's/^\.\(It \)\?Va //; s/ Ns / /g' | tr -s ' ,' '\n\n' | grep -x '[a-z_0-9]*' | sort -u >"$T/documented"
  diff "$T/documented" "$T/keys"
}

@test "the page shows nodes, bars and ages without a script, and nothing inline" {
  farm_in_every_state
  serve
  get "$WEB/" >"$T/page.html"
  python3 - "$T/page.html" <<'EOF'
import sys
from html.parser import HTMLParser
void = {"meta", "link", "rect", "line", "polygon", "polyline", "br"}
class Page(HTMLParser):
    def __init__(self):
        super().__init__(); self.open = []; self.text = ""; self.bars = 0
    def handle_starttag(self, tag, attributes):
        names = [name for name, value in attributes]
        assert "style" not in names and not any(n.startswith("on") for n in names), (tag, attributes)
        assert tag != "style" and (tag != "script" or "src" in names), tag
        self.bars += ("class", "bar") in attributes
        if tag not in void: self.open.append(tag)
    def handle_startendtag(self, tag, attributes): pass
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag
    def handle_data(self, data): self.text += data
page = Page(); page.feed(open(sys.argv[1]).read())
assert not page.open, page.open
assert page.bars == 3, page.bars
for words in ("held by an administrator", "connection refused", "Not in service", "backup", "2 of 2"):
    assert words in page.text, words
EOF
  [[ $(get -D - -o /dev/null "$WEB/") == *"Content-Security-Policy: default-src 'none'"* ]]
  for file in page.css page.js icon.svg; do [ "$(status_of "$WEB/$file")" = 200 ]; done
  word go
  client_wait crowd
}

@test "what an administrator or a node says is text on the page, in the JSON and in the figures" {
  node_line 4001 1
  score load
  evil='<script>alert(1)</script>"&'"'"'\'
  score down "$ADDR:4001" --reason "$evil"
  serve
  run ! grep -F '<script>alert' <(get "$WEB/")
  get "$WEB/" | grep -F '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;&#39;\'
  get "$WEB/status.json" | jq -e --arg evil "$evil" '.nodes[0].reason | endswith($evil)'
}

@test "other paths, methods and nonsense are refused, and the page goes on" {
  node_line 4001 1
  score load
  serve
  [ "$(status_of "$WEB/")" = 200 ]
  [ "$(status_of "$WEB/nothing")" = 404 ]
  [ "$(status_of "$WEB/../../etc/passwd" --path-as-is)" = 404 ]
  # A whole URL is a target, too.
  [ "$(status_of --request-target "http://elsewhere.example:80/status.json" "$WEB/")" = 200 ]
  [ "$(get --request-target "HTTP://elsewhere.example/metrics?a=b" "$WEB/" | grep -c '^# TYPE')" -gt 9 ]
  [ "$(status_of --request-target "http://elsewhere.example" "$WEB/")" = 200 ]
  [ "$(status_of --request-target "http://elsewhere.example/nothing" "$WEB/")" = 404 ]
  for method in POST PUT DELETE OPTIONS; do [ "$(status_of -X "$method" -d body "$WEB/")" = 405 ]; done
  [[ $(get -D - -o /dev/null -X POST "$WEB/metrics") == *"Allow: GET, HEAD"* ]]
  [ "$(get -I "$WEB/status.json" | tr -d '\r' | sed -n 's/^Content-Type: //p')" = application/json ]
  # The answer to HEAD is a head alone: the client takes whatever follows for the next answer.
  for path in / /status.json /metrics /page.css /nothing; do
    printf 'HEAD %s HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' "$path" |
      socat -t 300 - "TCP:$ADDR:3680" | tr -d '\r' >"$T/heads"
    head -n 1 "$T/heads" | grep -E '^HTTP/1.1 (200|404) '
    run ! grep -vE '^(HTTP/1\.1 .*|[A-Za-z-]+: .*|)$' "$T/heads"
  done
  [ "$(status_of -H 'Range: bytes=5-2' "$WEB/")" = 200 ]
  # Without Host, which version 1.1 asks for.
  [ "$(printf 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n' | socat -t 300 - "TCP:$ADDR:3680" | head -n 1 | cut -d' ' -f2)" = 400 ]
  printf 'GET\r\n\r\n' | run -0 socat -t 300 - "TCP:$ADDR:3680"
  head -c 100000 /dev/urandom | socat -t 300 - "TCP:$ADDR:3680" >/dev/null 2>&1 || true
  [ "$(status_of -H "X-Long: $(head -c 60000 /dev/zero | tr '\0' x)" "$WEB/")" = 431 ]
  [ "$(status_of "$WEB/")" = 200 ]
}

@test "requests made by chance are answered or refused, and the page goes on, in bounded memory" {
  local before after
  node_line 4001 1
  score load
  serve
  [ "$(status_of "$WEB/")" = 200 ]
  run -0 "$BATS_TEST_DIRNAME/lib/hostile-client" "$ADDR" 3680 "${FUZZ_SEED:-1}" 400
  echo "$output"
  # Many have no answer, or none that the client could read: it may have left, or sent too much.
  [[ $output == *"'400'"* && $output == *"'405'"* ]]
  before=$(awk '/^VmRSS/ { print $2 }' "/proc/$SERVE_PID/status")
  run -0 "$BATS_TEST_DIRNAME/lib/hostile-client" "$ADDR" 3680 $((${FUZZ_SEED:-1} + 1)) 800
  after=$(awk '/^VmRSS/ { print $2 }' "/proc/$SERVE_PID/status")
  # How many connections are open at once, with 32 kB each, is chance. A sanitizer keeps what was freed.
  [ -n "${SANITIZE-}" ] || [ "$after" -lt $((before + 4000)) ] || { echo "from $before to $after kB" && false; }
  [ "$(status_of "$WEB/")" = 200 ]
  [ "$(wc -l <"$T/serve.log")" = 0 ]
  kill "$SERVE_PID"
  wait "$SERVE_PID"
}

@test "clients that say nothing do not keep others from the page" {
  node_line 4001 1
  score load
  serve
  background "$T/silent.log" "$CLIENT" -n 100 --expect none --hold 60000 "$ADDR:3680"
  until_ok bash -c "ss -Htn state established dst $ADDR:3680 | awk 'END { exit NR < 100 }'"
  [ "$(status_of "$WEB/")" = 200 ]
}

@test "more clients that ask nothing than the page has room for are ended, and others are not" {
  printf '10.0.0.1, %s, 16, 0\n' {3001..4500} >"$CONF"
  score load
  serve
  # A client that has asked, and reads slowly, stays.
  background "$T/slow.log" python3 -c "
import socket, os, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.connect(('$ADDR', 3680))
s.sendall(b'GET /metrics HTTP/1.0\r\n\r\n'); print(s.recv(12), flush=True)
while not os.path.exists('$T/read.word'): time.sleep(0.02)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
data = b''.join(iter(lambda: s.recv(65536), b'')); print('whole' if data.endswith(b'\n') and len(data) > 1000000 else data[-99:], flush=True)"
  until_ok grep -q 200 "$T/slow.log"
  # Half of these say nothing. The others send a byte of a request now and then: they would stay for as long as they like.
  background "$T/endless.log" prlimit --nofile=4096 python3 -c "
import socket, time
held = [socket.create_connection(('$ADDR', 3680)) for i in range(1200)]
print('all', flush=True)
said = b'GET / HTTP/1.0\r\nX: '
while True:
    for s in held[::2]:
        try: s.sendall(said)
        except ConnectionError: pass
    said = b'x'; time.sleep(4)"
  until_ok grep -q all "$T/endless.log"
  get -o "$T/page" "$WEB/"
  grep -q "10.0.0.1:4500" "$T/page"
  word read
  until_ok grep -q whole "$T/slow.log"
}

@test "a large farm needs little memory while many clients read slowly, and gives it back when they have gone" {
  local i
  for ((i = 0; i < 3000; i++)); do echo "10.0.$((i / 256)).$((i % 256)), 3632, 16, 0"; done >"$CONF"
  score load
  serve
  private() { awk '/^RssAnon/ { print $2 }' "/proc/$SERVE_PID/status"; }
  private_is_below() { [ "$(private)" -lt "$1" ]; }
  # Thirty clients have asked for 4 MB each, and have read the first bytes of it.
  background "$T/slow.log" python3 -c "
import socket, sys, time
clients = []
for i in range(30):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.connect(('$ADDR', 3680))
    s.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'); clients.append(s)
for s in clients: assert s.recv(12) == b'HTTP/1.1 200'
print('all', flush=True); time.sleep(600)"
  local slow=$PID
  until_ok grep -q all "$T/slow.log"
  # A sanitizer keeps what was freed.
  [ -n "${SANITIZE-}" ] || private_is_below 20000 || { echo "$(private) kB" && false; }
  # Others are served meanwhile.
  [ "$(get "$WEB/status.json" | jq '.nodes | length')" = 3000 ]
  diff <(get "$WEB/metrics" | grep node_slots) <(score metrics | grep node_slots)
  kill "$slow"
  [ -n "${SANITIZE-}" ] || until_ok private_is_below 3000 || { echo "$(private) kB" && false; }
  [ "$(status_of "$WEB/")" = 200 ]
}

@test "while there is no scoreboard the page says so, and comes back by itself" {
  node_line 4001 1
  serve
  [ "$(status_of "$WEB/")" = 503 ]
  [ "$(status_of "$WEB/metrics")" = 503 ]
  get "$WEB/" | grep 'no scoreboard'
  [ ! -e "$SCOREBOARD" ]
  score load
  [ "$(status_of "$WEB/")" = 200 ]
}

@test "serve ends when no client has asked for a while, and at SIGTERM" {
  node_line 4001 1
  score load
  serve --exit-idle 5s
  [ "$(status_of "$WEB/")" = 200 ]
  until_ok gone "$SERVE_PID"
  wait "$SERVE_PID"
  serve
  kill "$SERVE_PID"
  until_ok gone "$SERVE_PID"
  wait "$SERVE_PID"
}

@test "serve ends well at a SIGTERM that comes as it begins to listen" {
  [ -z "${SANITIZE-}" ] || skip "the leak detector does not work beside strace"
  strace -qq -o /dev/null true 2>/dev/null || skip "no process may be traced on this machine"
  node_line 4001 1
  score load
  run -0 timeout 120 strace -qq -o /dev/null -e trace=listen -e inject=listen:signal=SIGTERM \
    "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
}

@test "serve: an --exit-idle of hours is not forgotten: the server sleeps until a time, not until something happens" {
  [ -z "${SANITIZE-}" ] || skip "the leak detector does not work beside strace"
  strace -qq -o /dev/null true 2>/dev/null || skip "no process may be traced on this machine"
  node_line 4001 1
  score load
  background "$T/serve.log" strace -D -qq -o "$T/trace" -e trace=poll,ppoll "$BUILD/cbscore" serve -w "$ADDR:3680" --exit-idle 2h
  until_ok is_listening "$ADDR:3680"
  [ "$(status_of "http://$ADDR:3680/")" = 200 ]
  until_ok grep poll "$T/trace"
  # The first sleep, which the request has ended.
  run ! grep -m 1 -E 'poll\(.*(, -1\)|, NULL, )' "$T/trace"
}

@test "-w PORT alone serves the page of this machine" {
  node_line 4001 1
  score load
  local port=$((20000 + RANDOM % 10000))
  background "$T/serve.log" "$BUILD/cbscore" -w "$port" -c "$CONF"
  until_ok is_listening "127.0.0.1:$port"
  [ "$(status_of "http://127.0.0.1:$port/")" = 200 ]
}

@test "serve: what it cannot listen on is told" {
  run -2 score serve
  [[ $output == *"expected --web [ADDRESS:]PORT, or listening sockets of a service manager"* ]]
  run -2 score serve --web "$ADDR:nonsense"
  [[ $output == *"expected [ADDRESS:]PORT"* ]]
  local where
  for where in 70000 65536 0 -1 +80 ' 80' '' "$ADDR:" "$ADDR:65536"; do
    run -2 timeout 300 "$BUILD/cbscore" serve --web "$where"
    [[ $output == *"--web: \"$where\": expected [ADDRESS:]PORT"* ]]
  done
  run -1 score serve --web 192.0.2.1:3680
  [[ $output == "cbscore: 192.0.2.1:3680: cannot listen: "* ]]
  # One address of several is not enough: a request to another would find no page, or another program.
  background "$T/other.log" socat "TCP-LISTEN:3680,bind=$ADDR" -
  until_ok is_listening "$ADDR:3680"
  run -1 timeout 300 "$BUILD/cbscore" serve --web "*:3680"
  [ "$output" = "cbscore: *:3680: cannot listen: Address already in use" ]
}

@test "only serve needs libmicrohttpd, and says so where it is not installed" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to hide a library"; fi
  score load >/dev/null
  run -0 without_library libmicrohttpd.so.12 "$BUILD/cbscore" -c "$CONF" list
  run -1 without_library libmicrohttpd.so.12 "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
  [ "$output" = "cbscore: cannot serve: libmicrohttpd is not installed" ]
}

@test "the figures are in Prometheus's format, and add up" {
  farm_in_every_state
  score metrics >"$T/metrics"
  run -0 "$LIB/exposition" corebalance_ <"$T/metrics"
  python3 - "$T/metrics" <<'EOF'
import re, sys
samples = {}
for line in open(sys.argv[1]):
    if not line.startswith("#"):
        name, labels, value = re.fullmatch(r'([a-z_]+)\{(.*)\} (\S+)\n', line).groups()
        assert 'farm="scoreboard"' in labels and "client" not in labels, labels
        samples[name, labels] = float(value)
def total(name, part=""): return sum(v for (n, l), v in samples.items() if n == "corebalance_" + name and part in l)
assert total("node_slots_busy") == 2 and total("node_slots") == 75
assert total("node_state") == 3
assert total("queue_length") == 1 and total("queue_oldest_seconds") > 0
assert total("queue_wait_seconds_count") == total("queue_wait_seconds_bucket", 'le="+Inf"') == 2
EOF
  word go
  client_wait crowd
  until_ok everything_is_free
  score metrics --file "$T/corebalance.prom"
  grep -E '^corebalance_slot_hold_seconds_count\{farm="scoreboard"\} 3$' "$T/corebalance.prom"
  [ "$(stat -c %a "$T/corebalance.prom")" = 644 ]
  run -1 score metrics --file "$T/nowhere/corebalance.prom"
  [ "$(find "$T" -name 'corebalance.prom.*' | wc -l)" = 0 ]
}

@test "a writer of the figures that is killed, or has no room or no right, leaves the old file and no other" {
  local i pid
  for ((i = 0; i < 3000; i++)); do echo "10.0.$((i / 256)).$((i % 256)), 3632, 16, 0"; done >"$CONF"
  small_run 24m
  score load
  mkdir "$T/run/figures"
  echo old >"$T/run/figures/a.prom"
  strace -qq -o /dev/null true 2>/dev/null || skip "no process may be traced on this machine"
  # Killed while it writes; the file has no name then, but it has bytes.
  background "$T/writer.log" strace -qq -o /dev/null -e inject=linkat:delay_enter=60000000 -e trace=linkat "$BUILD/cbscore" -c "$CONF" metrics --file "$T/run/figures/a.prom"
  until_ok eval '[ -n "$(pgrep -P "$PID")" ] && ls -l /proc/"$(pgrep -P "$PID")"/fd | grep -q deleted'
  pgrep -P "$PID" | xargs kill -9
  wait "$PID" || true
  [ "$(ls "$T/run/figures")" = a.prom ]
  [ "$(<"$T/run/figures/a.prom")" = old ]
  fill_run
  run -1 score metrics --file "$T/run/figures/a.prom"
  [ "$output" = "cbscore: $T/run/figures/a.prom: No space left on device" ]
  [ "$(ls "$T/run/figures") $(<"$T/run/figures/a.prom")" = 'a.prom old' ]
  rm "$T/run/ballast"
  run -0 score metrics --file "$T/run/figures/a.prom"
  [ "$(ls "$T/run/figures") $(wc -l <"$T/run/figures/a.prom")" = "a.prom $(score metrics | wc -l)" ]
  [ "$(stat -c %a "$T/run/figures/a.prom")" = 644 ]
}

@test "the check of the format finds what is wrong" {
  local change
  node_line 4001 1
  score load
  score metrics >"$T/metrics"
  run -0 "$LIB/exposition" corebalance_ <"$T/metrics"
  [ -z "$output" ]
  for change in '/^# HELP corebalance_paused/d' '/^# TYPE corebalance_paused/d' '/^# HELP corebalance_paused/p' '1,2d' \
    's/^# TYPE corebalance_paused gauge/# TYPE corebalance_paused counter/' 's/connections_total/connections/' \
    's/^corebalance_paused{farm="scoreboard"}/&&/' 's/^\(corebalance_paused.*\) 0$/\1 x/' 's/^\(corebalance_paused.*\) 0$/\1/' \
    's/^corebalance_paused{farm="scoreboard"/&,farm="x"/' 's/^corebalance_paused{farm="scoreboard/&\\x/' \
    's/^corebalance_paused/other/' 's/corebalance_paused/paused/' '/^corebalance_paused/p' '$ { h; d }; 1 { G }' \
    's/wait_seconds_count\(.*\) 0$/wait_seconds_count\1 1/' 's/wait_seconds_bucket\(.*le="0.005".*\) 0$/wait_seconds_bucket\1 1/' \
    's/le="+Inf"/le="1"/' '/wait_seconds_sum/d' 's/le="0.005"/le="0.0001"/' 's/queue_oldest_seconds/queue_oldest_ms/' \
    's/^\(corebalance_node_connections_total.*\) 0$/\1 -1/'; do
    sed "$change" "$T/metrics" >"$T/wrong"
    ! cmp -s "$T/metrics" "$T/wrong"
    run -1 "$LIB/exposition" corebalance_ <"$T/wrong"
    [ -n "$output" ] || { echo "not found: $change" && false; }
  done
  head -c -1 "$T/metrics" | { ! "$LIB/exposition" corebalance_; }
}

@test "the figures that the example's dashboard and alerts name are there" {
  farm_in_every_state
  score metrics | sed -nE 's/^(corebalance_[a-z_]+)\{.*/\1/p' | sort -u >"$T/there"
  for file in corebalance-dashboard.json corebalance-alerts.yml; do
    grep -oE 'corebalance_[a-z_]+' "$BATS_TEST_DIRNAME/../units/$file" | sort -u >"$T/named"
    [ "$(wc -l <"$T/named")" -ge 2 ]
    [ -z "$(comm -13 "$T/there" "$T/named")" ]
  done
  # The labels by which they choose are there, too.
  score metrics | grep -q 'corebalance_node_state{.*state="up"} 1'
  jq -e '[.. | .expr? // empty] | length > 5' "$BATS_TEST_DIRNAME/../units/corebalance-dashboard.json"
  word go
  client_wait crowd
}

@test "HAProxy's agent-check gets the free share of the farm, drain while it is paused, down while no node is up" {
  node a 4001 4 --mode line
  score load
  run -0 score agent
  [ "$output" = "up ready 100% maxconn:4" ]
  entrance alone
  client_start one -n 3 --line "$(until_word go)" --expect line
  until_ok busy_is 3
  run -0 score agent
  [ "$output" = "up ready 25% maxconn:4" ]
  score down "$ADDR:4001"
  run -0 score agent
  [ "$output" = "down #no node is up" ]
  # A gateway without a core: "maxconn:0" would mean that there is no limit.
  score set "$ADDR:4001" cores=1
  score up "$ADDR:4001"
  word go
  client_wait one
  until_ok busy_is 0
  local part answers=()
  for part in 1/2 2/2; do
    score share $part
    answers+=("$(score agent)")
  done
  [ "$(printf '%s\n' "${answers[@]}" | sort)" = "up drain #no core is this gateway's
up ready 100% maxconn:1" ]
}

@test "a real haproxy takes the farm's share, a pause and its end from the agent" {
  command -v haproxy >/dev/null || skip "haproxy is not installed"
  node a 4001 4 --mode line
  score load
  entrance alone
  background "$T/agent.log" socat "TCP-LISTEN:3681,bind=$ADDR,fork,reuseaddr" "EXEC:$BUILD/cbscore -c $CONF agent"
  until_ok is_listening "$ADDR:3681"
  cat >"$T/haproxy.cfg" <<END
global
  stats socket $T/haproxy.sock
defaults
  mode tcp
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  timeout check 20s
listen farm
  bind $ADDR:5000
  server gate $GATE weight 100 agent-check agent-addr $ADDR agent-port 3681 agent-inter 100ms
END
  background "$T/haproxy.log" haproxy -f "$T/haproxy.cfg"
  until_ok is_listening "$ADDR:5000"
  # The columns status, weight and limit of the server. Without a check of haproxy's own, up is "no check".
  haproxy_says() {
    [[ $(echo 'show stat' | socat -t 300 - "UNIX-CONNECT:$T/haproxy.sock" | awk -F, '$2 == "gate" { print $18, $19, $7 }') == $1 ]]
  }
  until_ok haproxy_says 'no check 100 4'
  client_start one -n 3 --line "$(until_word go)" --expect line
  until_ok haproxy_says 'no check 25 4'
  score pause
  until_ok haproxy_says 'DRAIN *'
  score resume
  until_ok haproxy_says 'no check 25 4'
  word go
  client_wait one
  until_ok haproxy_says 'no check 100 4'
}

@test "promtool finds no fault with the figures and the example's alerts" {
  command -v promtool >/dev/null || skip "promtool is not installed"
  farm_in_every_state
  run -0 bash -c "'$BUILD/cbscore' -c '$CONF' metrics | promtool check metrics"
  [ -z "$output" ]
  run -0 promtool check rules "$BATS_TEST_DIRNAME/../units/corebalance-alerts.yml"
  [[ $output == *"SUCCESS: "*" rules found"* ]]
  word go
  client_wait crowd
}

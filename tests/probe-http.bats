#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# check=http:// and https://, against nginx, and against hostile servers.

load lib/helpers

reason_of() { score list -nr -o NODE,REASON | awk -v n="$1" '$1 == n { print $2 }' | sed 's/\\x20/ /g'; }

# web [server line]...: nginx on $ADDR, port 8080, with pages for every test.
web() {
  mkdir -p "$T/www" "$T/tmp"
  echo 'all systems work' >"$T/www/health"
  head -c 1000000 /dev/zero | tr '\0' 'x' >"$T/www/large"
  cat >"$T/nginx.conf" <<EOF
daemon off; pid $T/nginx.pid; error_log $T/nginx.err; $([ "$(id -u)" = 0 ] && echo 'user root;')
worker_processes 1;
events {}
http {
  access_log $T/access.log;
  client_body_temp_path $T/tmp; proxy_temp_path $T/tmp; fastcgi_temp_path $T/tmp; uwsgi_temp_path $T/tmp; scgi_temp_path $T/tmp;
  root $T/www;
  server {
    listen $ADDR:8080;
    location = /moved { return 302 http://$ADDR:8080/missing; }
    location = /locked { return 401; }
    location = /broken { return 500; }
  }
  $*
}
EOF
  background "$T/nginx.log" "$(PATH=$PATH:/usr/sbin command -v nginx)" -e "$T/nginx.err" -p "$T" -c "$T/nginx.conf"
  until_ok is_listening "$ADDR:8080"
}

# certificate NAME SUBJECT-ALT-NAME DAYS: makes a certificate, signed by the CA in $T/ca.pem. The first call makes the CA.
certificate() {
  local new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  [ -e "$T/ca.pem" ] || openssl req -x509 "${new[@]}" -keyout "$T/ca.key" -out "$T/ca.pem" -subj /CN=ca -days 2 2>"$T/openssl.log"
  openssl req "${new[@]}" -keyout "$T/$1.key" -subj "/CN=$1" 2>>"$T/openssl.log" |
    openssl x509 -req -CA "$T/ca.pem" -CAkey "$T/ca.key" -days "$3" -extfile <(echo "subjectAltName=$2") -out "$T/$1.pem" 2>>"$T/openssl.log"
}

tls_server() { # PORT CERTIFICATE
  echo "server { listen $ADDR:$1 ssl; ssl_certificate $T/$2.pem; ssl_certificate_key $T/$2.key; }"
}

# hostile MODE...: starts a server for each mode; its port is in ${port[MODE]}.
hostile() {
  declare -gA port=()
  local mode number
  background "$T/hostile.log" python3 "$LIB/hostile-http" "$@"
  until_ok lines_are "$T/hostile.log" $#
  while read -r mode number; do port[$mode]=$number; done <"$T/hostile.log"
}

lines_are() { [ "$(wc -l <"$1")" = "$2" ]; }

# farm COUNT PORT CHECK: so many nodes, each with an address of its own.
farm() {
  local i prefix=${ADDR%.*.*}
  for i in $(seq 0 $(($1 - 1))); do echo "$prefix.$((100 + i / 250)).$((i % 250 + 1)), $2, 1, 0, check=$3"; done >>"$CONF"
}

@test "a node with the expected status is up, a node with another is down with its number and phrase" {
  web
  cat >"$CONF" <<EOF
$ADDR, 8080, 1, 0, check=http://%n/health
$ADDR, 4001, 1, 0, check=http://%h:8080/missing
$ADDR, 4002, 1, 0, check=http://%h:8080/missing --status=404
$ADDR, 4003, 1, 0, check=http://$ADDR:8080/health --status 201-299 --status 401
$ADDR, 4004, 1, 0, check=http://$ADDR:8080/locked --status 200 --status 401
$ADDR, 4005, 1, 0, check=http://%h:8080/broken
$ADDR, 4006, 1, 0, check=http://%h:8080/%2e/health?a=%41
$ADDR, 4007, 1, 0, check=http://%h:%p/
EOF
  run -0 probe
  state_is 8080 up
  [ "$(reason_of "$ADDR:4001")" = "unexpected HTTP status: 404 Not Found" ]
  state_is 4002 up
  [ "$(reason_of "$ADDR:4003")" = "unexpected HTTP status: 200 OK" ]
  state_is 4004 up
  [ "$(reason_of "$ADDR:4005")" = "unexpected HTTP status: 500 Internal Server Error" ]
  state_is 4006 up
  until_ok grep -qF 'GET /%2e/health?a=%41 ' "$T/access.log"
  [ "$(reason_of "$ADDR:4007")" = "connection refused" ]
}

@test "a redirection is an answer, and is not followed; no proxy of the environment is asked" {
  web
  node_line 8080 1 "check=http://%n/moved"
  http_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9 run -0 probe --fall 1
  [ -z "$output" ]
  state_is 8080 up
  until_ok grep -q 'GET /moved .* 302' "$T/access.log"
  run ! grep -q missing "$T/access.log"
}

@test "a body is searched for a pattern, as far as its first 64 kB" {
  web
  cat >"$CONF" <<EOF
$ADDR, 8080, 1, 0, check=http://%n/health --body="^all [a-z]+ work$"
$ADDR, 4001, 1, 0, check=http://%h:8080/health --body=broken
$ADDR, 4002, 1, 0, check=http://%h:8080/large --body=xxx
$ADDR, 4003, 1, 0, check=http://%h:8080/large --body=y
$ADDR, 4004, 1, 0, check=http://%h:8080/large
EOF
  run -0 probe
  state_is 8080 up
  [ "$(reason_of "$ADDR:4001")" = "body does not match" ]
  state_is 4002 up
  [ "$(reason_of "$ADDR:4003")" = "body does not match: in its first 64 kB" ]
  state_is 4004 up
}

@test "https: a certificate must be of a trusted issuer, of the host, and of today, or --insecure" {
  certificate good "IP:$ADDR" 2
  certificate expired "IP:$ADDR" -1
  certificate other "DNS:other.test" 2
  web "$(tls_server 8443 good)" "$(tls_server 8444 expired)" "$(tls_server 8445 other)"
  cat >"$CONF" <<EOF
$ADDR, 8443, 1, 0, check=https://%n/health --ca $T/ca.pem
$ADDR, 8444, 1, 0, check=https://%n/health --ca $T/ca.pem
$ADDR, 8445, 1, 0, check=https://%n/health --ca $T/ca.pem
$ADDR, 4001, 1, 0, check=https://%h:8443/health
$ADDR, 4002, 1, 0, check=https://%h:8444/health --insecure
$ADDR, 4003, 1, 0, check=https://%h:8443/missing --ca $T/ca.pem
$ADDR, 8080, 1, 0, check=https://%n/health
$ADDR, 4004, 1, 0, check=https://%h:8443/health --ca $T/none.pem
$ADDR, 4005, 1, 0, check=http://%h:8443/health
EOF
  run -0 probe --timeout 60s
  [[ $output == *"$T/none.pem: No such file or directory; its nodes are left as they are"* ]]
  state_is 8443 up
  [ "$(reason_of "$ADDR:8444")" = "certificate not valid: certificate has expired" ]
  [[ $(reason_of "$ADDR:8445") == "certificate not valid: "*subject\ name* ]]
  [[ $(reason_of "$ADDR:4001") == "certificate not valid: "*issuer* ]]
  state_is 4002 up
  [ "$(reason_of "$ADDR:4003")" = "unexpected HTTP status: 404 Not Found" ]
  [[ $(reason_of "$ADDR:8080") == "TLS failed: "* ]]
  state_is 4004 up
  [ "$(reason_of "$ADDR:4005")" = "unexpected HTTP status: 400 Bad Request" ]
}

# The answers of a server that closes its connections without an end of TLS are judged as those with http.
no_end_of_tls() {
  certificate good "IP:$ADDR" 2
  background "$T/tls.log" python3 -c "
import socket, ssl, threading
answers = {
    b'/until-close': b'HTTP/1.0 200 OK\\r\\n\\r\\nall systems work\\n',
    b'/empty': b'HTTP/1.0 200 OK\\r\\n\\r\\n',
    b'/failed': b'HTTP/1.0 500 Broken\\r\\n\\r\\nsorry',
    b'/cut': b'HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nshort',
    b'/chunk': b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nshort',
    b'/header': b'HTTP/1.1 200 OK\\r\\nContent-Le',
    b'/continue': b'HTTP/1.1 100 Continue\\r\\n\\r\\n',
    b'/nothing': b'',
}
def serve(raw):
    try:
        tls = context.wrap_socket(raw, server_side=True)
        request = b''
        while b'\\r\\n\\r\\n' not in request:
            request += tls.recv(4096)
        tls.sendall(answers[request.split()[1]])
        tls.close()  # without tls.unwrap(): the end of TCP, and none of TLS
    except OSError as error:
        print(error, flush=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('$T/good.pem', '$T/good.key')
listener = socket.create_server(('$ADDR', 8443))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()"
  until_ok is_listening "$ADDR:8443"
  local page number=4000
  for page in until-close empty failed cut chunk header continue nothing; do
    node_line $((++number)) 1 "check=https://%h:8443/$page --insecure --timeout 30s"
  done
  node_line 4100 1 "check=https://%h:8443/until-close --insecure --timeout 30s --body=work"
  run -0 "$@" "$BUILD/cbprobe" -c "$CONF"
  score list -o NODE,STATE,REASON
  state_is 4001 up
  state_is 4002 up
  [ "$(reason_of "$ADDR:4003")" = "unexpected HTTP status: 500 Broken" ]
  for number in 4004 4005 4006 4007 4008; do
    state_is $number down
    [[ $(reason_of "$ADDR:$number") == "closed without an answer"* ]]
  done
  state_is 4100 up
}

@test "https: a server that closes without an end of TLS has answered, unless its header says that there is more" { no_end_of_tls; }
@test "https: the same with an OpenSSL to which such an end is an error" {
  preload eof
  no_end_of_tls env LD_PRELOAD="$PRELOAD"
}

@test "https: a --ca that is a pipe, a folder, a device or too large holds up no check; nor do too many of them" {
  local i
  certificate good "IP:$ADDR" 2
  web "$(tls_server 8443 good)"
  mkfifo "$T/pipe"
  truncate -s 2M "$T/large"
  for i in {1..70}; do cp "$T/ca.pem" "$T/ca$i.pem"; done
  {
    echo "$ADDR, 8443, 1, 0, check=https://%n/health --ca $T/ca.pem"
    echo "$ADDR, 4001, 1, 0, check=https://%h:8443/health --ca $T/pipe"
    echo "$ADDR, 4002, 1, 0, check=https://%h:8443/health --ca $T"
    echo "$ADDR, 4003, 1, 0, check=https://%h:8443/health --ca /dev/zero"
    echo "$ADDR, 4004, 1, 0, check=https://%h:8443/health --ca $T/large"
    for i in {1..70}; do echo "$ADDR, $((4100 + i)), 1, 0, check=https://%h:8443/health --ca $T/ca$i.pem"; done
  } >"$CONF"
  run -0 timeout -s KILL 300 "$BUILD/cbprobe" -c "$CONF" -v --timeout 60s
  [ "$(grep -c 'expected a regular file of at most 1 MB; its nodes are left as they are' <<<"$output")" = 4 ]
  [ "$(grep -c 'expected no more than 64 such files; its nodes are left as they are' <<<"$output")" = 7 ]
  [ "$(grep -c ': https: answered' <<<"$output")" = 64 ]
}

@test "the node's own name is not resolved again; a name that is unknown says nothing about the node" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a hosts file of its own"; fi
  web
  echo "node.test, 8080, 1, 0, check=http://%n/health" >"$CONF"
  printf '%s node.test\n' "$ADDR" >"$T/hosts"
  # There is no name server to ask.
  echo "nameserver $ADDR" >"$T/resolv.conf"
  in_hosts() {
    # shellcheck disable=SC2016  # it is for the other shell
    unshare -m bash -c 'mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf && shift && exec "$@"' \
      sh "$T" "$@"
  }
  run -0 in_hosts "$BUILD/cbprobe" -c "$CONF" -v
  [[ $output == *"node.test:8080: http: answered"* ]]
  # If no server answers, the pass uses the addresses that were known before; the check has no others.
  : >"$T/hosts"
  echo "$ADDR, 4001, 1, 0, check=http://nowhere.test:8080/" >>"$CONF"
  score load
  run -0 in_hosts "$BUILD/cbprobe" -c "$CONF" -v
  [[ $output == *"using the addresses known before"* ]]
  [[ $output == *"node.test:8080: http: answered"* ]]
  [[ $output == *"cannot be checked from here ($ADDR:4001: name does not resolve: nowhere.test)"* ]]
  state_is 4001 up
}

@test "the phrase of a status is shown in its own language, and without what is no text" {
  hostile foreign-phrase
  node_line "${port[foreign-phrase]}" 1 "check=http://%n/"
  run -0 probe
  run -0 score list -J -o REASON
  [[ $output == *'"unexpected HTTP status: 500 café '??'[1m"'* ]]
}

@test "each hostile server has its reason" {
  hostile close close-in-header close-in-body reset other-protocol bad-chunk long-header many-headers endless-continue \
    endless-body redirect silent drip
  local mode
  for mode in "${!port[@]}"; do
    # The check waits in vain for only two of them.
    case $mode in silent | drip) node_line "${port[$mode]}" 1 "check=http://%n/ --timeout 2s" ;;
    *) node_line "${port[$mode]}" 1 "check=http://%n/ --timeout 30s" ;; esac
  done
  node_line 4001 1 "check=https://%h:${port[silent]}/ --timeout 1s"
  node_line 4002 1 "check=https://%h:${port[other-protocol]}/ --timeout 30s"
  node_line 4003 1 "check=https://%h:${port[close]}/ --timeout 30s"
  run -0 probe
  is() { # MODE STATE REASON
    state_is "${port[$1]}" "$2" && [[ $(reason_of "$ADDR:${port[$1]}") == $3 ]] || { score list; echo "$1"; return 1; }
  }
  is close down "closed without an answer"
  is close-in-header down "closed without an answer*"
  is close-in-body down "closed without an answer: only a part of one"
  is reset down "connection reset"
  is other-protocol down "HTTP answer not understood*"
  is bad-chunk down "HTTP answer not understood*"
  is long-header down "answer too long: headers"
  is many-headers down "answer too long: headers"
  is endless-continue down "answer too long: headers"
  is endless-body up ""
  is redirect up ""
  is silent down "no answer in time"
  is drip down "no answer in time"
  [ "$(reason_of "$ADDR:4001")" = "no answer in time: TLS" ]
  [[ $(reason_of "$ADDR:4002") == "TLS failed: "* ]]
  [ "$(reason_of "$ADDR:4003")" = "closed without an answer: TLS" ]
}

@test "check-proxy=v1 goes before the request; v2 cannot, and is not left out silently" {
  web "server { listen $ADDR:8081 proxy_protocol; location / { return 200 \$proxy_protocol_addr; } }"
  node_line 8081 1 "check=http://%n/ --body=^127.0.0.1$, check-proxy=v1"
  node_line 4001 1 "check=http://%h:8081/"
  node_line 4002 1 "check=http://%h:8081/, check-proxy=v2"
  run -0 probe
  state_is 8081 up
  [[ $(reason_of "$ADDR:4001") == "closed without an answer"* || $(reason_of "$ADDR:4001") == *"400 Bad Request" ]]
  state_is 4002 up
  [[ $output == *"cannot be checked from here ($ADDR:4002: Protocol not supported: check-proxy=v2)"* ]]
}

@test "a file of --ca without a certificate says nothing about the nodes: it is named, with the first of them" {
  echo junk >"$T/junk.pem"
  node_line 4001 1
  node_line 4002 1 "check=https://%n/ --ca $T/junk.pem"
  node_line 4003 1 "check=https://%n/ --ca $T/junk.pem"
  certificate server "IP:$ADDR" 1
  web "$(tls_server 4002 server)" "$(tls_server 4003 server)"
  run -0 probe --fall 1
  [[ $output == *"2 of 3 nodes cannot be checked from here ($ADDR:4002: TLS failed: --ca $T/junk.pem), their health"* ]]
  state_is 4002 up
}

@test "with few descriptors the checks take turns" {
  web "server { listen 0.0.0.0:8082; }"
  farm 100 8082 "http://%n/health"
  run -0 prlimit --nofile=44 "$BUILD/cbprobe" -c "$CONF" -v --jobs 100
  [ "$(grep -c 'http: answered' <<<"$output")" = 100 ]
}

@test "hundreds of silent and dripping nodes keep no other waiting" {
  web
  hostile silent drip silent2
  farm 150 "${port[silent]}" "http://%n/ --timeout 5min"
  farm 75 "${port[drip]}" "http://%n/ --timeout 5min"
  farm 75 "${port[silent2]}" "https://%n/ --timeout 5min"
  node_line 8080 1 "check=http://%n/health --timeout 5min"
  # The last node of the list is done first.
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v --jobs 1000
  until_ok grep -q 'http: ' "$T/probe.log"
  [[ $(grep -m 1 'http: ' "$T/probe.log") == *"$ADDR:8080: http: answered"* ]]
  kill "$PID"
  gone "$PID"
  : >"$CONF"
  farm 150 "${port[silent]}" "http://%n/ --timeout 5s"
  farm 75 "${port[drip]}" "http://%n/ --timeout 5s"
  farm 75 "${port[silent2]}" "https://%n/ --timeout 5s"
  node_line 8080 1 "check=http://%n/health --timeout 5min"
  score load
  run -0 probe -v --jobs 1000
  [ "$(grep -c 'no answer in time.* after' <<<"$output")" = 600 ] || { # each is tried twice
    sed -E 's/^[^ ]* [^ ]*:[0-9]+: //; s/[0-9.]+m?s/TIME/g' <<<"$output" | sort | uniq -c
    return 1
  }
  run -0 score list -nr -o STATE
  [ "$(grep -c '^down' <<<"$output")" = 300 ]
}

@test "hundreds of nodes that send without end do not make the prober grow" {
  if [ -n "${SANITIZE:-}" ]; then skip "a sanitizer's memory says nothing"; fi
  hostile endless-body long-header many-headers endless-continue
  local mode
  for mode in "${!port[@]}"; do farm 75 "${port[$mode]}" "http://%n/ --body=begin --timeout 20s"; done
  probe_peak() {
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$BUILD/cbprobe" -c "$CONF" "$@"
  }
  run -0 probe_peak --jobs 300
  echo "peak: $output kB"
  [ "$output" -lt 65536 ]
  run -0 score list -nr -o STATE,REASON
  [ "$(grep -c '^up' <<<"$output")" = 75 ]
  [ "$(grep -c 'answer\\x20too\\x20long' <<<"$output")" = 225 ]
}

@test "a bad URL or option is an error of the node list" {
  node_line 4001 1 "check=http:/health"
  node_line 4002 1 "check=http:///health"
  node_line 4003 1 "check=http://%n/ --status=101"
  node_line 4004 1 "check=http://%n/ --status=300-200"
  node_line 4005 1 "check=http://%n/ --body=("
  node_line 4006 1 "check=http://%n/ --insecure"
  node_line 4007 1 "check=https://%n/ --ca=here.pem"
  node_line 4008 1 "check=https://%n/ --colour"
  node_line 4009 1 "check=http://%n/ --status=199-204"
  run -78 score validate "$CONF"
  [ "${#lines[@]}" = 10 ]
  [[ ${lines[0]} == *"expected http://HOST/PATH"* ]]
  [[ ${lines[1]} == *"expected http://HOST/PATH"* ]]
  [[ ${lines[2]} == *"200 to 599"* ]]
  [[ ${lines[3]} == *"200 to 599"* ]]
  [[ ${lines[4]} == *"regular expression"* ]]
  [[ ${lines[5]} == *"no --insecure with http"* ]]
  [[ ${lines[6]} == *"absolute path"* ]]
  [[ ${lines[7]} == *"colour"* ]]
  [[ ${lines[8]} == *"expected a status from 200 to 599 or a range"* ]]
  [ "${lines[9]}" = 'cbscore: 9 errors; nothing is changed' ]
}

@test "only a check that needs libcurl loads it, also with --chroot; without the library those nodes stay as they are" {
  if [ "$(id -u)" != 0 ]; then skip "needs root"; fi
  web
  node a 4001 1
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --interval 50ms
  until_ok state_is 4001 up
  ! grep libcurl "/proc/$PID/maps" || false
  node_line 8080 1 'check=http://%n/health'
  score load
  until_ok state_is 8080 up
  grep -q libcurl "/proc/$PID/maps"
  kill "$PID"
  gone "$PID"
  rm "$T/www/health"
  run -0 --separate-stderr without_library libcurl.so.4 "$BUILD/cbprobe" -c "$CONF"
  [[ $stderr == *'check "http://%n/health": libcurl is not installed; its nodes are left as they are' ]] || { echo "$stderr"; return 1; }
  state_is 8080 up
  mkdir "$T/jail"
  ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 run -0 probe --chroot "$T/jail"
  state_is 8080 down
  state_is 4001 up
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The engine that gateways share, on a real etcd: what is compared and put, what is told, and what becomes of a request when
# a member dies, is stopped, or is none.

load lib/helpers
load lib/etcd

# session NAME [option]... MEMBERS: a cbtest-etcd that obeys `say NAME COMMAND`; its lines are in $T/NAME.out.
session() {
  local name=$1 fd
  shift
  mkfifo "$T/$name.in"
  exec {fd}<>"$T/$name.in"
  printf -v "IN_$name" %s "$fd"
  # shellcheck disable=SC2016
  background "$T/$name.out" bash -c 'exec "${@:2}" <"$1"' - "$T/$name.in" "$BUILD/tests/cbtest-etcd" "$@"
}

say() {
  local fd=IN_$1
  echo "$2" >&"${!fd}"
}

# told NAME REGEX [N]: the session told N lines (1) like it.
told() { [ "$(grep -cE -- "$2" "$T/$1.out")" = "${3:-1}" ]; }

# until_told NAME COMMAND REGEX [N]: says the command again and again: what is asked while members choose their leader may
# be unknown.
until_told() { until_ok say_and_look "$@"; }
say_and_look() {
  local lines
  lines=$(grep -cE '^(read|commit)' "$T/$1.out")
  say "$1" "$2"
  until_ok has_more_lines "$1" "$lines"
  [ "$(grep -cE -- "$3" "$T/$1.out")" -ge "${4:-1}" ]
}
has_more_lines() { [ "$(grep -cE '^(read|commit)' "$T/$1.out")" -gt "$2" ]; }

# An etcd of one member, and ASK for it.
one_member() {
  ETCD_MEMBERS=1
  etcd_start
  ASK=("$(etcd_url 0)")
}

# ask COMMAND...: of a session of its own, which ends.
ask() {
  local command
  for command; do echo "$command"; done | "$BUILD/tests/cbtest-etcd" "${ASK[@]}" 2>&1
}

# server NAME PORT PYTHON: what the server does with a connection c, of which it has read a request.
server() {
  background "$T/$1.log" python3 -c "
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('$ADDR', $2)); s.listen(16)
kept = []
print('listens', flush=True)
while True:
    c = s.accept()[0]; r = b''
    while b'\r\n\r\n' not in r: r += c.recv(65536)
    print('request', flush=True)
    kept.append(c)
    $3"
  until_ok grep -q listens "$T/$1.log"
}

# A server that answers everything by this text and closes.
answers() { server "$1" "$2" "c.sendall(b'HTTP/1.1 ${4:-200 OK}\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' % (len(b'''$3'''), b'''$3''')); c.close()"; }

@test "keys are put if all compares hold, all or none; a read has all of a prefix" {
  one_member
  run -0 ask 'commit /f/a@0 /f/b@0 /f/a=1 /f/b={"c":16,"s":{"gw1":6}} /g=x'
  [[ $output =~ ^commit\ done\ ([0-9]+)$ ]]
  first=${BASH_REMATCH[1]}
  run -0 ask "commit /f/a@0 /f/a=2"
  [ "$output" = 'commit refused' ]
  run -0 ask "commit /f/a@$first /f/b@$((first + 7)) /f/a=2 /f/c=2"
  [ "$output" = 'commit refused' ]
  run -0 ask "read /f/"
  [ "$output" = "has /f/a $first 1
has /f/b $first {\"c\":16,\"s\":{\"gw1\":6}}
read done $first" ]
  run -0 ask "commit /f/a@$first /f/a=2 /f/b- /f/never-"
  [ "$output" = "commit done $((first + 1))" ]
  run -0 ask "read /f/"
  [ "$output" = "has /f/a $((first + 1)) 2
read done $((first + 1))" ]
  run -0 ask "read /none/"
  [ "$output" = "read done $((first + 1))" ]
}

@test "as many keys as the engine takes go into a commit, and a large answer is read whole" {
  one_member
  value=$(printf '%01000d' 7)
  run -0 ask "commit$(for i in {101..220}; do printf ' /f/%d@0 /f/%d=%s' "$i" "$i" "$value"; done)"
  [[ $output =~ ^commit\ done ]]
  run -0 ask 'read /f/'
  [ "$(grep -c "^has /f/[0-9]* [0-9]* $value$" <<<"$output")" = 120 ]
  [ "$(grep -o '^has /f/[0-9]*' <<<"$output" | sort -c 2>&1)" = '' ]
}

@test "the watch tells each change behind a revision once, those of a commit together" {
  one_member
  run -0 ask 'commit /f/a=1'
  first=${output##* }
  run -0 ask 'commit /f/a=2 /f/b=2'
  session watcher "$(etcd_url 0)"
  say watcher "watch /f/ $first"
  until_ok told watcher "^changed /f/a $((first + 1)) 2, changed /f/b $((first + 1)) 2$"
  run -0 ask 'commit /g/a=3' 
  run -0 ask 'commit /f/a=4 /f/b-'
  until_ok told watcher "^changed /f/a $((first + 3)) 4, changed /f/b $((first + 3)) \(deleted\)$"
  # Another watch of the session takes its place.
  say watcher "watch /g/ $((first + 1))"
  until_ok told watcher "^changed /g/a $((first + 2)) 3$"
  run -0 ask 'commit /f/a=5'
  run -0 ask 'commit /g/a=6'
  until_ok told watcher "^changed /g/a $((first + 5)) 6$"
  told watcher '^changed' 4
  ! grep lost "$T/watcher.out"
}

@test "a watch from a revision that etcd has forgotten is lost" {
  one_member
  run -0 ask 'commit /f/a=1'
  first=${output##* }
  run -0 ask 'commit /f/a=2'
  run -0 ask 'commit /f/a=3'
  etcd_ctl --endpoints "$(etcd_url 0)" compaction $((first + 2))
  session watcher "$(etcd_url 0)"
  say watcher "watch /f/ $((first - 1))"
  until_ok told watcher '^lost: http://.*: it ended the watch'
  # A loss is told once, and a new watch works.
  say watcher "watch /f/ $((first + 2))"
  run -0 ask 'commit /f/a=4'
  until_ok told watcher "^changed /f/a $((first + 3)) 4$"
  told watcher '^lost' 1
}

@test "members that are not there are passed over, for commits too" {
  etcd_start
  kill -9 "${ETCD_PID[0]}"
  gone "${ETCD_PID[0]}"
  session s -t 20000 "$(etcd_urls)"
  say s 'watch /f/ 0'
  until_told s 'commit /f/a=1' '^commit done'
  until_ok grep -q '^changed /f/a' "$T/s.out"
  # The member that has the watch dies: the watch is lost; the commit that it had may be unknown, and the next goes on.
  kill -9 "${ETCD_PID[1]}"
  etcd_member 0
  until_ok told s '^lost: '
  until_ok etcd_answers 0
  until_ok etcd_answers 2
  until_told s 'read /f/' '^has /f/a'
  until_told s 'commit /f/a=2' '^commit done' 2
}

@test "without a majority nothing is done, and what was under way is unknown" {
  etcd_start
  ASK=(-t 1500 "$(etcd_urls)")
  kill -9 "${ETCD_PID[0]}" "${ETCD_PID[1]}"
  gone "${ETCD_PID[0]}"
  gone "${ETCD_PID[1]}"
  run -0 ask 'commit /f/a=2'
  [[ $output =~ ^commit\ unknown:\  ]]
  run -0 ask 'read /f/'
  [[ $output =~ ^read\ unknown:\  ]]
  etcd_member 0
  ASK=(-t 30000 "$(etcd_urls)")
  until_ok etcd_answers 2
  session s -t 30000 "$(etcd_urls)"
  until_told s 'commit /f/b=3' '^commit done'
}

@test "a member that is stopped: what it had is unknown, the next member goes on, and the watch is lost" {
  etcd_start
  session s -t 5000 "$(etcd_urls)"
  say s 'watch /f/ 0'
  until_told s 'commit /f/a=1' '^commit done'
  until_ok grep -q '^changed /f/a' "$T/s.out"
  : >"$T/s.out"
  kill -STOP "${ETCD_PID[0]}"
  # Which member has the watch and is asked first is known: the first, unless one of its answers took too long.
  say s 'commit /f/b@0 /f/b=2'
  until_ok grep -qE '^commit (unknown|done)' "$T/s.out"
  until_told s 'read /f/' '^read done'
  # The watch is with the stopped member, which says nothing. A commit of ours that it does not tell ends it.
  until_ok commits_until_lost
  kill -CONT "${ETCD_PID[0]}"
}

commits_until_lost() {
  say s 'commit /f/c=3'
  told s '^lost: .*: it tells nothing$'
}

@test "a commit goes out once, though the server closes without an answer" {
  server silent 2379 'c.close()'
  ETCD_MEMBERS=2
  answers other 2389 '{"header":{"revision":"7"},"succeeded":true}'
  ASK=("$(etcd_urls)")
  run -0 ask 'commit /f/a=1'
  [[ $output =~ ^commit\ unknown:\ http://$ADDR:2379:\  ]]
  lines_with_are "$T/silent.log" request 1
  lines_with_are "$T/other.log" request 0
  # The client asks the next member, and its answer is none for a read.
  run -0 ask 'read /f/'
  lines_with_are "$T/silent.log" request 2
  lines_with_are "$T/other.log" request 1
}

@test "a commit goes out once, though its connection had served others and is closed now" {
  # The server answers the first request of a connection, reads the second, and closes.
  background "$T/server.log" python3 -c "
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('$ADDR', 2379)); s.listen(16)
print('listens', flush=True)
body = b'{\"header\":{\"revision\":\"7\"},\"succeeded\":true}'
def request(c):
    r = b''
    while b'\r\n\r\n' not in r: r += c.recv(65536)
    head, rest = r.split(b'\r\n\r\n', 1)
    size = int([l for l in head.split(b'\r\n') if l.lower().startswith(b'content-length')][0].split(b':')[1])
    while len(rest) < size: rest += c.recv(65536)
    print('request', flush=True)
while True:
    c = s.accept()[0]
    request(c)
    c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body))
    request(c)
    c.close()"
  until_ok grep -q listens "$T/server.log"
  session s "http://$ADDR:2379"
  say s 'commit /f/a=1'
  until_ok told s '^commit done 7$'
  say s 'commit /f/a=2'
  until_ok told s '^commit unknown: '
  lines_with_are "$T/server.log" request 2
}

@test "no etcd, an etcd that never answers, a page of something else, garbage: each is unknown, with the reason" {
  ASK=(-t 1000 "http://$ADDR:2379")
  for command in 'read /f/' 'commit /f/a=1'; do
    run -0 ask "$command"
    [[ $output =~ ^${command%% *}\ unknown:\ http://$ADDR:2379:\ .*connect ]]
  done
  server never 2379 'pass'
  run -0 ask 'commit /f/a=1'
  [[ $output =~ ^commit\ unknown:\ http://$ADDR:2379:\ .*timed\ out ]]
  lines_with_are "$T/never.log" request 1
  ASK=(-t 20000 "http://$ADDR:2389")
  answers page 2389 '<html>Not Found</html>' '404 Not Found'
  run -0 ask 'commit /f/a=1' 
  [ "$output" = "commit unknown: http://$ADDR:2389: its answer is not that of an etcd (HTTP status 404)" ]
  port=2400
  for garbage in '' '{' '[]' '{}' '7' '{"header":{}}' '{"header":{"revision":7}}' '{"header":{"revision":"-7"}}' \
    '{"header":{"revision":"7"},"succeeded":"yes","kvs":[{}]}' \
    '{"header":{"revision":"7"},"succeeded":1,"kvs":[{"key":"*","mod_revision":"7"}]}' \
    '{"header":{"revision":"99999999999999999999"}}' '{"error":{}}' '{"header":{"revision":"7"},"succeeded":{},"kvs":[7]}'; do
    port=$((port + 1))
    answers "garbage$port" $port "$garbage"
    ASK=(-t 20000 "http://$ADDR:$port")
    for command in 'read /f/' 'commit /f/a=1'; do
      run -0 ask "$command"
      [ "$output" = "${command%% *} unknown: http://$ADDR:$port: its answer is not that of an etcd (HTTP status 200)" ]
    done
  done
}

@test "garbage from the watch ends it" {
  server watched 2379 "c.sendall(b'HTTP/1.1 200 OK\r\n\r\n' + b'{\"result\":{\"header\":{\"revision\":\"7\"}}}\n' + b'{\"result\":7}\n')"
  session s -t 20000 "http://$ADDR:2379"
  say s 'watch /f/ 6'
  until_ok told s "^lost: http://$ADDR:2379: what it tells is not that of an etcd$"
}

@test "a user and password: the token is had, and had anew when it counts no more; a wrong password is told" {
  ETCD_MEMBERS=1
  etcd_start --auth-token-ttl 1
  ETCDCTL=(--endpoints "$(etcd_url 0)")
  etcd_ctl user add root:r00t
  etcd_ctl user add gw:secret
  etcd_ctl role add cb
  etcd_ctl role grant-permission --prefix=true cb readwrite /f/
  etcd_ctl user grant-role gw cb
  etcd_ctl auth enable
  ASK=(-u gw -p wrong "$(etcd_url 0)")
  run -0 ask 'read /f/' 'commit /f/a=1'
  [ "$(sort <<<"$output")" = "commit unknown: $(etcd_url 0): etcdserver: authentication failed, invalid user ID or password
read unknown: $(etcd_url 0): etcdserver: authentication failed, invalid user ID or password" ]
  ASK=("$(etcd_url 0)")
  run -0 ask 'read /f/'
  [[ $output =~ ^read\ unknown:\ .*user\ name\ is\ empty ]]
  session s -u gw -p secret "$(etcd_url 0)"
  say s 'watch /f/ 0'
  say s 'commit /f/a=1'
  until_ok told s '^commit done'
  until_ok told s '^changed /f/a'
  say s 'commit /g/a=1'
  until_ok told s '^commit unknown: .*permission denied'
  # The member forgets a token that no client uses, and all tokens when it is started again.
  kill "${ETCD_PID[0]}"
  gone "${ETCD_PID[0]}"
  etcd_member 0 --auth-token-ttl 1
  until_ok etcd_answers 0
  until_ok told s '^lost: '
  until_told s 'commit /f/a=2' '^commit done' 2
}

@test "https: the members' certificate is believed by its authority, and ours is asked for" {
  ETCD_MEMBERS=1 ETCD_SCHEME=https
  certificate() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.csr" 2>/dev/null
    openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 -out "$T/$1.pem" \
      -extfile <(echo "subjectAltName=IP:$ADDR") 2>/dev/null
  }
  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -days 2 -keyout "$T/ca.key" -out "$T/ca.pem" 2>/dev/null
  certificate server
  certificate gateway
  ETCDCTL=(--cacert "$T/ca.pem" --cert "$T/gateway.pem" --key "$T/gateway.key")
  etcd_start --cert-file "$T/server.pem" --key-file "$T/server.key" --client-cert-auth --trusted-ca-file "$T/ca.pem"
  ASK=(-a "$T/ca.pem" -c "$T/gateway.pem" -k "$T/gateway.key" "$(etcd_url 0)")
  run -0 ask 'commit /f/a@0 /f/a=1'
  [[ $output =~ ^commit\ done ]]
  ASK=(-a "$T/ca.pem" "$(etcd_url 0)")
  run -0 ask 'commit /f/a=2'
  [[ $output =~ ^commit\ unknown:\  ]]
  ASK=(-c "$T/gateway.pem" -k "$T/gateway.key" "$(etcd_url 0)")
  run -0 ask 'commit /f/a=3'
  [[ $output =~ ^commit\ unknown:\ .*certificate ]]
  ASK=(-a "$T/ca.pem" -c "$T/gateway.pem" -k "$T/gateway.key" "$(etcd_url 0)")
  run -0 ask 'read /f/'
  [[ ${lines[0]} =~ ^has\ /f/a\ [0-9]+\ 1$ ]]
}

@test "a name server that does not answer holds up nothing: the next member is asked" {
  preload names
  ETCD_MEMBERS=1
  etcd_start
  export NAMES_ANSWER=$T/answer
  LD_PRELOAD=$PRELOAD session s -t 1000 "http://member.slow:2379,$(etcd_url 0)"
  say s 'read /f/'
  until_ok grep -qE '^read (done|unknown)' "$T/s.out"
  until_told s 'read /f/' '^read done'
  [ ! -e "$T/answer" ]
  touch "$T/answer"
}

@test "a malformed list of members is refused" {
  for members in '' 'gw1:2379' 'ftp://gw1' 'http://' 'http://gw1:0' 'http://gw1:70000' 'http://gw1/v3' 'http://u@gw1' \
    'http://gw1,,http://gw2' 'http://gw1 ,http://gw2' "$(printf 'http://gw%d,' {1..17})http://gw"; do
    run -2 "$BUILD/tests/cbtest-etcd" "$members" </dev/null
    [ "$output" = "cbtest-etcd: \"$members\": expected http://HOST[:PORT] or https://HOST[:PORT], up to 16 of them with commas between" ]
  done
  for members in http://gw1 https://gw1:1/ 'http://[::1]:2379,http://127.0.0.1'; do
    run -0 "$BUILD/tests/cbtest-etcd" "$members" </dev/null
  done
}

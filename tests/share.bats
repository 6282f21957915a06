#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Several gateways share a farm: each has a scoreboard of its own and a part of each node's cores. Here a gateway is a
# scoreboard in a folder of its own; its listener has an address of its own. First come the parts that an administrator
# sets; then the engine, on a real etcd; then gateways that lease their parts from it.

load lib/helpers
load lib/etcd
load lib/gateways

teardown() { gateways_teardown; }

# at N COMMAND...: the command at gateway N. Each gateway may have a list of its own.
at() {
  local conf=$T/$1/nodes.conf
  COREBALANCE_SCOREBOARD=$T/$1/scoreboard.tdb "$BUILD/cbscore" -c "$conf" "${@:2}"
}

# gateways N: makes folders for so many, each with the list of the test.
gateways() {
  local i
  GATEWAYS=$1
  for i in $(seq "$1"); do
    mkdir -p "$T/$i"
    cp "$CONF" "$T/$i/nodes.conf"
  done
}

split() {
  local i
  for i in $(seq "$GATEWAYS"); do at "$i" share "$i/$GATEWAYS"; done
}

# Prints the shares of all gateways, a line each: NODE CORES SHARE.
shares() {
  local i
  for i in $(seq "$GATEWAYS"); do at "$i" list -nr -o NODE,CORES,SHARE; done
}

# At each node the shares of all gateways are its cores together, and differ by at most one.
cores_are_dealt() {
  shares | awk '{ cores[$1] = $2; sum[$1] += $3
      if (!($1 in most) || $3 > most[$1]) most[$1] = $3
      if (!($1 in least) || $3 < least[$1]) least[$1] = $3 }
    END { for (n in cores) if (sum[n] != cores[n] || most[n] - least[n] > 1) { print n, cores[n], sum[n], least[n], most[n]; bad = 1 }
      exit bad }'
}

share_at() { at "$1" list -nr -o NODE,SHARE | awk -v n="$ADDR:$2" '$1 == n { print $2 }'; }

@test "the shares of all gateways are exactly the cores of each node, for one core, odd cores, 1/2 and 3/7" {
  local n port cores
  for cores in 1 2 3 4 5 6 7 8 9 13 14 15 64 65535; do node_line $((4000 + cores % 4000)) "$cores"; done
  for n in 1 2 3 7; do
    gateways "$n"
    split
    run -0 cores_are_dealt
    [ -z "$output" ]
  done
  [ "$(share_at 3 4001)" = 0 ] || [ "$(share_at 3 4001)" = 1 ]
  [ "$(share_at 3 4007)" = 1 ]
  [ "$(share_at 3 4014)" = 2 ]
  for port in 4007 4014; do [ "$(at 3 list -nr -o NODE,FREE | awk -v n="$ADDR:$port" '$1 == n { print $2 }')" = "$(share_at 3 "$port")" ]; done
}

@test "single cores do not all fall to the first gateway, nor do what is left of odd cores" {
  local port
  for port in $(seq 4000 4006); do node_line "$port" 1; done
  for port in $(seq 4100 4106); do node_line "$port" 3; done
  gateways 2
  split
  cores_are_dealt
  shares | awk -v a="$ADDR:40" 'index($1, a) == 1 { n++; sum += $3 } n == 7 { print sum; exit }' | grep -E '^[34]$'
  run -0 at 1 share
  [[ $output =~ ^'share 1/2: 1'[34]' of 28 cores of 14 nodes, and none of '[34]' of them'$ ]]
}

@test "one gateway has loaded a changed list and the other has not: no core is used by both" {
  node_line 4001 1
  node_line 4002 3
  node_line 4003 1
  node_line 4004 5
  gateways 2
  split
  shares | sort >"$T/before"
  # The first gateway loses its first node, gets a new one, and has the others in another order.
  { sed 1d "$CONF" | tac; echo "$ADDR, 4009, 1, 0"; } >"$T/1/nodes.conf"
  at 1 load
  run -0 at 1 list -nr -o NODE
  [[ $output == "$ADDR:4004"$'\n'"$ADDR:4003"$'\n'"$ADDR:4002"$'\n'"$ADDR:4009" ]]
  [ "$(shares | grep -v -e ":4001 " -e ":4009 " | sort)" = "$(grep -v ":4001 " "$T/before")" ]
  cp "$T/1/nodes.conf" "$T/2/nodes.conf"
  at 2 load
  cores_are_dealt
  at 1 fsck
  at 2 fsck
}

@test "a split is kept by load, add, remove, set, hold, a repair and a rebuild" {
  local gate what
  node_line 4001 3
  node_line 4002 4
  gateways 2
  split
  for gate in 1 2; do
    at $gate add "$ADDR, 4003, 5, 0"
    at $gate set "$ADDR:4002" cores=9
    at $gate remove "$ADDR:4001"
    at $gate down "$ADDR:4002"
    at $gate up "$ADDR:4002"
  done
  cores_are_dealt
  at 1 list -nr -o NODE | grep -c . | grep -x 2
  for gate in 1 2; do at $gate load; done
  cores_are_dealt
  shares >"$T/before"
  for gate in 1 2; do
    # The index entry with the limit; the way to all records; a node's record, which the list brings back.
    for what in "noise index/0/0" chains "noise node/2"; do
      # shellcheck disable=SC2086  # two words
      "$BUILD/tests/cbtest-damage" "$T/$gate/scoreboard.tdb" $what
      at $gate list >/dev/null
      at $gate load
      run -0 at $gate fsck
      cores_are_dealt
    done
    at $gate share | grep -F "share $gate/2: "
  done
  shares | diff "$T/before" -
}

@test "the record with the split is destroyed: nodes keep their shares, a node that comes gets none until the split is told" {
  node_line 4001 3
  node_line 4002 4
  gateways 2
  split
  "$BUILD/tests/cbtest-damage" "$T/1/scoreboard.tdb" zero farm
  at 1 list >/dev/null
  run -0 at 1 share
  [[ $output == "share unknown: "* ]]
  cores_are_dealt
  at 1 add "$ADDR, 4003, 6, 0"
  [ "$(share_at 1 4003)" = 0 ]
  run -0 at 1 share 1/2
  [[ $output == "share unknown -> 1/2: "* ]]
  [ "$(share_at 1 4003)" = 3 ]
}

# gateway N: its listener, at an address of its own; its log is in its folder.
gateway() {
  GATE=127.$((RANDOM % 254 + 1)).$((RANDOM % 256)).$((RANDOM % 254 + 1)):3632
  SCOREBOARD=$T/$1/scoreboard.tdb COREBALANCE_SCOREBOARD=$T/$1/scoreboard.tdb CONF=$T/$1/nodes.conf SHARE=$1/2 T=$T/$1 entrance "${2:-alone}"
  printf -v "GATE_$1" %s "$GATE"
}

busy_at() { [ "$(at "$1" slots -n | grep -c .)" = "$2" ]; }
waiting_at() { [ "$(at "$1" queue -n | grep -c .)" = "$2" ]; }

@test "two gateways with \$SHARE use all cores of the nodes, and never one too many; each serves its own waiters" {
  local i share
  node a 4001 1 --mode line
  node b 4002 3 --mode line
  node c 4003 5 --mode line
  gateways 2
  for i in 1 2; do
    gateway $i
    client_start "load$i" -n 12 -c 12 --line "$(until_word go)" --expect line
  done
  for i in 1 2; do
    share=$(at $i list -nr -o SHARE | awk '{ sum += $1 } END { print sum }')
    until_ok busy_at $i "$share"
    until_ok waiting_at $i $((12 - share))
    at $i explain -n -o NODE,WHY 10.0.0.1 | grep "its other cores are other gateways'"
  done
  cores_are_dealt
  [ "$(at 1 slots -n | grep -c .)$(at 2 slots -n | grep -c .)" != 90 ]
  [ $(($(at 1 slots -n | grep -c .) + $(at 2 slots -n | grep -c .))) = 9 ]
  word go
  client_wait load1
  client_wait load2
  nodes_never_overfilled
  for i in 1 2; do grep "share $i/2 of each node" "$T/$i/relay.log"; done
}

@test "each connection a process: \$SHARE counts from the first; another value at the next" {
  node a 4001 4 --mode line
  gateways 2
  WRAPPER='env SHARE=2/2'
  SCOREBOARD=$T/1/scoreboard.tdb COREBALANCE_SCOREBOARD=$T/1/scoreboard.tdb CONF=$T/1/nodes.conf entrance inetd
  client_start load -n 3 -c 3 --line "$(until_word go)" --expect line
  until_ok busy_at 1 2
  until_ok waiting_at 1 1
  at 1 share | grep -Fx 'share 2/2: 2 of 4 cores of 1 node'
  # All of it is this gateway's: the waiter is served.
  at 1 share none
  until_ok busy_at 1 3
  word go
  client_wait load
  nodes_never_overfilled
}

@test "a smaller share ends no connection; a larger one serves waiters" {
  node a 4001 4 --mode line
  entrance alone
  client_start load -n 6 -c 6 --line "$(until_word go)" --expect line
  until_ok busy_is 4
  run -0 score share 1/4
  [ "$output" = "share none -> 1/4: 1 of 4 cores of 1 node" ]
  busy_is 4
  [ "$(score list -nr -o BUSY,FREE,SHARE)" = "4 0 1" ]
  client_start more --line "sleep 0" --expect line
  until_ok waiting_is 3
  word go
  client_wait load
  client_wait more
  run -0 score share 1/4
  [ "$output" = "share is 1/4 already: 1 of 4 cores of 1 node" ]
  farm_is_at_rest
}

@test "the split is shown in list, status, JSON, metrics and on the page, where there is one" {
  node_line 4001 4
  score load
  [ "$(score list -nr -o SHARE)" = "" ]
  score list -J -o NODE,SHARE | jq -e '.nodes[0].share == null'
  run -0 score share
  [ "$output" = "share none: 4 of 4 cores of 1 node" ]
  run ! grep share <(score status)
  score status -J | jq -e '.share == null and .nodes[0].share == null'
  score metrics | grep -F 'node_slots_share{' | grep ' 4$'
  score share 2/4
  score list -J -o NODE,SHARE | jq -e '.nodes[0].share == 1'
  score status | grep -Fx "  share 2/4: 1 of 4 cores are this gateway's"
  score status -J | jq -e '.share == "2/4" and .nodes[0].share == 1 and .nodes[0].limit == 1 and .nodes[0].cores == 4'
  score metrics | grep -F 'node_slots_share{' | grep ' 1$'
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
  until_ok is_listening "$ADDR:3680"
  curl -sS --max-time 60 "http://$ADDR:3680/" | grep -F '<dt>Share</dt><dd><b>2/4</b> of each node</dd>'
  # The node list is that of all gateways.
  run ! grep -i share <(score dump)
}

@test "wrong values are told and change nothing" {
  node_line 4001 4
  score share 1/2
  for wrong in 0/2 3/2 1/0 1/1001 1 / 1/ /2 1/2/3 1/2x ' 1/2' -1/2 '' half; do
    run -2 score share -- "$wrong"
    [[ $output == *"\"$wrong\": expected PART/PARTS, as 1/2, of at most 1000, or none"* ]]
    [ -z "$wrong" ] || SHARE=$wrong run -64 "$BUILD/cbrelay" -c "$CONF" "$GATE"
    [ -z "$wrong" ] || [[ $output == "cbrelay: \$SHARE: \"$wrong\": expected PART/PARTS, as 1/2, of at most 1000, or none"* ]]
  done
  [ "$(score share)" = "share 1/2: 2 of 4 cores of 1 node" ]
  score fsck
}

@test "a split that cbscore set outlives a reboot, and so does its end" {
  [ "$(id -u)" = 0 ] || skip "needs root to mount"
  unset COREBALANCE_SCOREBOARD
  export ADDR BUILD
  run -0 unshare --mount bash -euc 'mount -t tmpfs none /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/lib &&
    mkdir /etc/corebalance /run/corebalance /var/lib/corebalance
    echo "$ADDR, 4001, 4, 0" >/etc/corebalance/nodes.conf
    reboot() { rm /run/corebalance/*; }
    "$BUILD/cbscore" share 2/2 >/dev/null
    "$BUILD/cbscore" down $ADDR >/dev/null
    cat /var/lib/corebalance/scoreboard.holds
    reboot
    "$BUILD/cbscore" load >/dev/null
    "$BUILD/cbscore" list -nr -o STATE,SHARE
    "$BUILD/cbscore" share
    "$BUILD/cbscore" share none >/dev/null
    reboot
    "$BUILD/cbscore" load >/dev/null
    "$BUILD/cbscore" share'
  [[ $output == *$'\n'"share 2/2"$'\n'"$ADDR:4001"$'\n'"held 2"$'\n'"share 2/2: 2 of 4 cores of 1 node"$'\n'"share none: 4 of 4 cores of 1 node" ]]
}

@test "shares that a program sets, and a lease: nothing is granted at or after its end, waiters are served by the next" {
  node_line 4001 4
  score load
  "$BUILD/tests/cbtest-share" "$SCOREBOARD"
  score fsck
  scoreboard_is_sound
}

@test "gateways shows what is noted of each gateway; a note that is missing, foreign or half is told" {
  local note=$T/scoreboard.tdb.gateways now
  run -1 score gateways
  [[ $output == "cbscore: $note: not there: no cbshare(8) runs for this farm" ]]
  now=$(date +%s)
  printf '%s\n' "gw1 here 16 9 4 0 0 ${now}000000 same" "gw2 silent 16 7 7 3 $((now - 60))000000 $((now - 30))000000 other" >"$note"
  chmod 0660 "$note"
  run -0 score gateways -nr -o GATEWAY,STATE,SHARE,CORES,BUSY,WAITING,LIST
  [ "$output" = "gw1 here 9 16 4 0 same"$'\n'"gw2 silent 7 16 7 3 other" ]
  run -0 score gateways --json
  jq -e '.gateways | length == 2 and .[0].since == null and .[1].share == 7' <<<"$output"
  [ "$(jq '.gateways[1].spoke - .gateways[1].since' <<<"$output")" = 30000000 ]
  for line in "gw1 here 16 9" "gw1 here 16 9 4 0 0 1 same more" "gw1 away 16 9 4 0 0 1 same" "gw1 here 16 -9 4 0 0 1 same" \
    "gw1 here 16 9 4 0 0 1 alike" " here 16 9 4 0 0 1 same" "$(printf 'g%.0s' {1..64}) here 16 9 4 0 0 1 same"; do
    echo "$line" >"$note"
    run -1 score gateways
    [[ $output == "cbscore: $note: a line that cbshare(8) has not written" ]] || { echo "$line: $output"; return 1; }
  done
  chmod 0666 "$note"
  run -1 score gateways
  [[ $output == "cbscore: $note: "* ]]
  rm "$note"
  ln -s /etc/passwd "$note"
  run -1 score gateways
  [[ $output == "cbscore: $note: "* ]]
}

# ---- the engine: what is compared and put, what is told, and what becomes of a request when a member dies, is stopped,
# ---- or is none

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
  ETCD_MEMBERS=1
  etcd_start
  ASK=("$(etcd_url 0)")
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
  ETCD_MEMBERS=1
  etcd_start
  ASK=("$(etcd_url 0)")
  value=$(printf '%01000d' 7)
  run -0 ask "commit$(for i in {101..220}; do printf ' /f/%d@0 /f/%d=%s' "$i" "$i" "$value"; done)"
  [[ $output =~ ^commit\ done ]]
  run -0 ask 'read /f/'
  [ "$(grep -c "^has /f/[0-9]* [0-9]* $value$" <<<"$output")" = 120 ]
  [ "$(grep -o '^has /f/[0-9]*' <<<"$output" | sort -c 2>&1)" = '' ]
}

@test "the watch tells each change behind a revision once, those of a commit together" {
  ETCD_MEMBERS=1
  etcd_start
  ASK=("$(etcd_url 0)")
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
  ETCD_MEMBERS=1
  etcd_start
  ASK=("$(etcd_url 0)")
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
  until_ok etcd_ctl --endpoints "$(etcd_url 0)" endpoint health
  until_ok etcd_ctl --endpoints "$(etcd_url 2)" endpoint health
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
  until_ok etcd_ctl --endpoints "$(etcd_url 2)" endpoint health
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
  # A read goes on to the next, whose answer is none for a read.
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

@test "no etcd, one that never answers, a page of something else, garbage: each is unknown, with the reason" {
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
  # Tokens that nobody uses are forgotten; so are all when the member is started again.
  kill "${ETCD_PID[0]}"
  gone "${ETCD_PID[0]}"
  etcd_member 0 --auth-token-ttl 1
  until_ok etcd_ctl --user root:r00t endpoint health
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

@test "a list of members that is none is refused" {
  for members in '' 'gw1:2379' 'ftp://gw1' 'http://' 'http://gw1:0' 'http://gw1:70000' 'http://gw1/v3' 'http://u@gw1' \
    'http://gw1,,http://gw2' 'http://gw1 ,http://gw2' "$(printf 'http://gw%d,' {1..17})http://gw"; do
    run -2 "$BUILD/tests/cbtest-etcd" "$members" </dev/null
    [ "$output" = "cbtest-etcd: \"$members\": expected http://HOST[:PORT] or https://HOST[:PORT], up to 16 of them with commas between" ]
  done
  for members in http://gw1 https://gw1:1/ 'http://[::1]:2379,http://127.0.0.1'; do
    run -0 "$BUILD/tests/cbtest-etcd" "$members" </dev/null
  done
}

# ---- gateways that lease their parts: three members of etcd, and two or three gateways, each with an entrance of its own.
# ---- Beside load a lease may end early: jobs are lost then, but a node never has too many.

@test "gateways divide the cores, and a load that moves takes them with it" {
  etcd_start
  node n 4001 6 --mode line --timeout 600
  for g in a b c; do gateway_start $g; done
  crowd_start a 8
  until_ok busy_on_at_least a 4
  crowd_stop a
  crowd_start c 8
  until_ok busy_on_at_least c 4
  crowd_start a 8
  until_ok busy_on_at_least a 2
  nodes_never_overfilled
  on a "$BUILD/cbscore" gateways -nr | awk '{ print $1 }' | sort | diff - <(printf '%s\n' a b c)
}

@test "a gateway that is killed whole, relays and all: its cores are the others' after its lease" {
  etcd_start
  node n 4001 6 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  crowd_start a 8
  until_ok busy_on_at_least a 4
  gateway_kill a
  crowd_stop a
  crowd_start b 8
  until_ok busy_on_at_least b 6
  # Relays that come back before cbshare have no slot: the scoreboard knows that the lease is over.
  relay_start a
  crowd_start a 2
  until_ok waiting_on_is a 2
  busy_on_is a 0
  share_start a
  until_ok busy_on_at_least a 2
  nodes_never_overfilled
}

@test "cbshare is killed: the second process ends what runs, clients that wait go on waiting, and others get the cores" {
  etcd_start
  node n 4001 4 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  for i in 4 5; do job_start a "long$i"; done
  until_ok waiting_on_is a 2
  kill -9 "${SHARE_PID[a]}"
  gone "${SHARE_PID[a]}"
  # Without it these jobs would last for ever, at cores that b gets.
  for i in 1 2 3; do client_fails "long$i"; done
  waiting_on_is a 2
  crowd_start b 6
  until_ok busy_on_at_least b 4
  # The second process has nothing more to do, and a new cbshare has another.
  crowd_stop b
  share_start a
  until_ok busy_on_is a 2
  for i in 4 5; do word "long$i"; done
  for i in 4 5; do client_wait "long$i"; done
  nodes_never_overfilled
}

@test "cbshare and a relay are stopped: the relay is killed before others get its core" {
  etcd_start
  node n 4001 2 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  job_start a long
  until_ok busy_on_is a 1
  relay=$(on a "$BUILD/cbscore" slots -nr -o PID)
  kill -STOP "$relay"
  kill -STOP "${SHARE_PID[a]}"
  client_fails long
  gone "$relay"
  crowd_start b 4
  until_ok busy_on_at_least b 2
  kill -CONT "${SHARE_PID[a]}"
  job_start a after
  until_ok busy_on_is a 1
  word after
  client_wait after
  nodes_never_overfilled
}

@test "the second process is killed: it is replaced" {
  etcd_start
  node n 4001 2 --mode line --timeout 600
  gateway_start a
  until_ok has_hand a
  hand=$(hand_of a)
  kill -9 "$hand"
  until_ok says a 'was started again'
  until_ok has_hand a
  [ "$(hand_of a)" != "$hand" ]
  # What it is for, it does.
  job_start a long
  until_ok busy_on_is a 1
  kill -9 "${SHARE_PID[a]}"
  client_fails long
}

# A way to etcd, for the gateway with that ENGINE_OF, which can be stopped.
way() {
  background "$T/way.log" setsid socat "TCP-LISTEN:5000,bind=$ADDR,fork,reuseaddr" "TCP:$ADDR:2379"
  WAY=$PID
  until_ok is_listening "$ADDR:5000"
}
way_is() { kill "-$1" -- "-$WAY"; }

@test "a gateway is cut off from etcd: it ends its jobs before others get the cores, and joins when etcd is back" {
  etcd_start
  node n 4001 4 --mode line --timeout 600
  way
  ENGINE_OF[a]=http://$ADDR:5000
  for g in a b; do gateway_start $g; done
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  way_is STOP
  for i in 1 2 3; do client_fails "long$i"; done
  crowd_start b 6
  until_ok busy_on_at_least b 4
  # What was under way comes late.
  way_is CONT
  job_start a after
  until_ok busy_on_is a 1
  word after
  client_wait after
  until_ok says a 'the engine answers again'
  nodes_never_overfilled
}

@test "a member of etcd is killed: no job is lost" {
  etcd_start
  LEASE=60s MARGIN=5s
  node n 4001 4 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  job_start a long
  until_ok busy_on_is a 1
  kill -9 "${ETCD_PID[0]}"
  crowd_start b 6
  until_ok busy_on_at_least b 2
  etcd_member 0
  until_ok etcd_ctl --endpoints "$(etcd_url 0)" endpoint health
  word long
  client_wait long
  nodes_never_overfilled
}

@test "two of three members are gone: jobs end with the lease, and all goes on when they are back" {
  etcd_start
  node n 4001 4 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  job_start a long
  until_ok busy_on_is a 1
  kill -9 "${ETCD_PID[0]}" "${ETCD_PID[1]}"
  client_fails long
  job_start a after
  etcd_member 0
  etcd_member 1
  until_ok busy_on_is a 1
  word after
  client_wait after
  nodes_never_overfilled
}

@test "cbshare leaves at SIGTERM: running jobs end as they will, then the others have the cores; nothing is lost" {
  etcd_start
  LEASE=60s MARGIN=5s
  node n 4001 4 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  hand=$(hand_of a)
  kill "${SHARE_PID[a]}"
  job_start a late
  until_ok waiting_on_is a 1
  word long1
  client_wait long1
  crowd_start b 6
  until_ok busy_on_at_least b 2
  busy_on_is a 2
  for i in 2 3; do word "long$i"; done
  for i in 2 3; do client_wait "long$i"; done
  wait "${SHARE_PID[a]}"
  until_ok busy_on_at_least b 4
  says a "left the farm's gateways"
  ! says a 'the lease is over: [0-9]'
  gone "$hand"
  waiting_on_is a 1
  nodes_never_overfilled
}

@test "cbshare is restarted by SIGUSR1: no job is lost" {
  etcd_start
  LEASE=60s MARGIN=5s
  node n 4001 4 --mode line --timeout 600
  for g in a b; do gateway_start $g; done
  job_start a long
  until_ok busy_on_is a 1
  kill -USR1 "${SHARE_PID[a]}"
  wait "${SHARE_PID[a]}"
  busy_on_is a 1
  : >"$T/a/share"
  share_start a
  until_ok says a joined
  busy_on_is a 1
  job_start a next
  until_ok busy_on_is a 2
  for i in long next; do word $i; done
  for i in long next; do client_wait $i; done
  nodes_never_overfilled
}

@test "a fence: the cores of a dead gateway are taken when the command has succeeded, and not before" {
  etcd_start
  node n 4001 2 --mode line --timeout 600
  gateway_start a
  gateway_start b --fence "exec:echo \"\$COREBALANCE_GATEWAY of \$COREBALANCE_FARM\" >>$T/fenced; [ -e $T/may ]"
  job_start a long
  until_ok busy_on_is a 1
  gateway_kill a
  crowd_start b 4
  until_ok says b "gateway a is not fenced: the command's exit status is 1"
  until_ok grep -qx 'a of scoreboard' "$T/fenced"
  ! says b 'set free'
  : >"$T/may"
  until_ok says b 'gateway a is fenced'
  until_ok busy_on_at_least b 2
  says b 'set free, as it is dead, [12] cores* of .*:4001 of gateway a$'
  nodes_never_overfilled
}

@test "a storm: gateways and members are killed, stopped and started again in any order, and no node has too many" {
  etcd_start
  node n 4001 4 --mode line --timeout 600
  node m 4002 3 --mode line --timeout 600
  for g in a b c; do
    gateway_start $g
    crowd_start $g 6 'sleep 400'
  done
  for round in {1..14}; do
    g=$(shuf -n 1 -e a b c)
    n=$((RANDOM % 3))
    fault=$(shuf -n 1 -e share whole stop relays member stop-member hand)
    echo "# $round: $fault $g $n"
    case $fault in
    share) kill -9 "${SHARE_PID[$g]}" ;;
    whole) gateway_kill $g ;;
    stop) kill -STOP "${SHARE_PID[$g]}" ;;
    relays) kill -9 "${RELAY_PID[$g]}" ;;
    member) kill -9 "${ETCD_PID[n]}" ;;
    stop-member) kill -STOP "${ETCD_PID[n]}" ;;
    hand) for pid in $(hand_of $g); do kill -9 "$pid"; done ;;
    esac
    sleep 0.$((RANDOM % 900 + 100))
    # Behind each fault all is put right again, in this order or in that.
    ((RANDOM % 2)) || sleep $((RANDOM % 5))
    kill -CONT "${SHARE_PID[$g]}" "${ETCD_PID[n]}" 2>/dev/null || true
    kill -0 "${ETCD_PID[n]}" 2>/dev/null || etcd_member "$n"
    if ((RANDOM % 2)); then
      is_alive "${RELAY_PID[$g]}" || relay_start $g
      is_alive "${SHARE_PID[$g]}" || share_start $g
    else
      is_alive "${SHARE_PID[$g]}" || share_start $g
      is_alive "${RELAY_PID[$g]}" || relay_start $g
    fi
    nodes_never_overfilled
  done
  # Afterwards all cores are used.
  until_ok all_cores_are_busy
  nodes_never_overfilled
}
is_alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status"; }
all_cores_are_busy() {
  local g
  for g in a b c; do is_alive "${CROWD_PID[$g]}" || crowd_start $g 6 'sleep 400'; done
  [ $(($(busy_on a) + $(busy_on b) + $(busy_on c))) -ge 6 ]
}

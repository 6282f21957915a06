#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

# refused STATUS TEXT COMMAND...: the command ends with the status, and one line on stderr that has the text.
refused() {
  local want=$1 text=$2
  shift 2
  run --separate-stderr "$@"
  echo "status $status, said: $stderr"
  [ "$status" = "$want" ]
  [[ $stderr == *"$text"* ]]
  [ -z "$output" ]
  # One line, not counting the pointer to --help and what cbrelay tells of its start.
  [ "$(grep -vc -e "^Try '" -e ': listening on' -e ': scoreboard /' <<<"$stderr")" = 1 ]
}

relay() { "$BUILD/cbrelay" -c "$CONF" "$@" </dev/null; }

@test "cbrelay: options that are unknown or wrong: exit 64 and one clear line" {
  refused 64 "unrecognized option '--colour'" relay --colour
  refused 64 '--connect-timeout: "soon": expected a time' relay --connect-timeout soon
  refused 64 '--connect-timeout: "0": expected a time' relay --connect-timeout 0
  refused 64 '--idle-timeout: "5 parsecs": expected a time' relay --idle-timeout "5 parsecs"
  refused 64 '--queue-limit: "-1": expected a number' relay --queue-limit=-1
  refused 64 '--policy: "random": expected fastest, order, spread, roundrobin, hash or affinity' relay --policy random
  refused 64 'no socket was given' relay
  refused 64 'LISTEN: "here": expected [ADDR:]PORT' relay here
  refused 64 'LISTEN: "[]:3632": expected [ADDR:]PORT' relay '[]:3632'
  refused 64 'LISTEN: ":3632": expected [ADDR:]PORT' relay :3632
  local place='[ADDR:]PORT, or a path of at most 107 bytes that begins with / or ./' long
  long=/$(printf 'x%.0s' {1..107})
  refused 64 "LISTEN: \"\": expected $place" relay "$GATE,"
  refused 64 "LISTEN: \"$long\": expected $place" relay "$GATE,$long"
  # Two mistakes in one LISTEN are two lines.
  run -64 relay "$GATE,socket,:1"
  [ "${#lines[@]}" = 2 ]
  refused 78 'argument 2: port: "4001x": expected 1 to 65535' relay "$GATE" "$ADDR:4001x"
  # It is told before anything listens, and before there is a scoreboard.
  run -78 "$BUILD/cbrelay" "$GATE" "$ADDR:4001x"
  [ "${#lines[@]}" = 1 ]
  # All mistakes are told at once.
  run -64 "$BUILD/cbrelay" "$ADDR:99999" "$ADDR:0" "$ADDR:4001" "$ADDR:4002/0"
  [ "${lines[0]}" = "cbrelay: LISTEN: \"$ADDR:99999\": expected $place" ]
  [ "${lines[1]}" = 'cbrelay: argument 2: port: "0": expected 1 to 65535' ]
  [ "${lines[2]}" = 'cbrelay: argument 4: cores: "0": expected 1 to 65535' ]
  [ "${#lines[@]}" = 3 ]
  refused 78 'argument 3: cores: "0": expected 1 to 65535' relay "$GATE" "$ADDR:4001" "$ADDR:4002/0"
}

@test "cbrelay: a node list that is missing or bad: exit 78, no scoreboard is made" {
  refused 78 "$T/none.conf: No such file or directory" relay -c "$T/none.conf" "$GATE"
  echo 'a, 1, 0, 0' >"$CONF"
  refused 78 'nodes.conf:1: cores: "0": expected 1 to 65535' relay "$GATE"
  [ ! -e "$SCOREBOARD" ]
}

@test "cbshare: options that are unknown or wrong: exit 64 and one clear line" {
  share() { "$BUILD/cbshare" -c "$CONF" "$@" </dev/null; }
  local engine=etcd:http://gw1:2379 members='expected "etcd:", and http://HOST[:PORT] or https://HOST[:PORT], up to 16 of them with commas between'
  refused 64 "--engine: $members; \$ENGINE does as well" share
  refused 64 "--engine: \"zookeeper:gw1\": $members" share --engine zookeeper:gw1
  refused 64 "--engine: \"etcd:gw1:2379\": $members" share --engine etcd:gw1:2379
  ENGINE=etcd: refused 64 "\$ENGINE: \"etcd:\": $members" share
  refused 64 '--lease: "0.9s": expected a time of 1s to 1h' share --engine $engine --lease 0.9s
  refused 64 '--margin: "0": expected a time above 0, below --lease' share --engine $engine --margin 0
  refused 64 '--margin: 5.0s: expected less than --lease, which is 5.0s' share --engine $engine --lease 5s
  refused 64 '--fence: "exec:": expected wait:TIME, up to 24h, or exec:COMMAND' share --engine $engine --fence exec:
  refused 64 '--fence: "wait:soon": expected wait:TIME, up to 24h, or exec:COMMAND' share --engine $engine --fence wait:soon
  refused 64 '--fence: "wait:25h": expected wait:TIME, up to 24h, or exec:COMMAND' share --engine $engine --fence wait:25h
  refused 64 '--name: "a/b": expected 1 to 63 letters' share --engine $engine --name a/b
  refused 64 '"now": expected options only' share --engine $engine now
  [ ! -e "$SCOREBOARD" ]
}

@test "cbshare: a node list, a login or a farm that is wrong: exit 78, and nothing is done" {
  share() { "$BUILD/cbshare" -c "$CONF" --engine "etcd:http://$ADDR:2379" "$@" </dev/null; }
  refused 78 "$T/none.conf: No such file or directory" share -c "$T/none.conf"
  echo 'a, 1, 0, 0' >"$CONF"
  refused 78 'nodes.conf:1: cores: "0": expected 1 to 65535' share
  [ ! -e "$SCOREBOARD" ]
  echo 'a, 1, 2, 0, check=none' >"$CONF"
  score load
  refused 78 "$T/none: No such file or directory" share --login "$T/none"
  printf '# who\nuser = gw\n\npasswort = x\n' >"$T/login"
  refused 78 "$T/login:4: expected ca, certificate, key, user or password, = and its value" share --login "$T/login"
  echo 'user = gw' >"$T/login"
  refused 78 "$T/login: expected both user and password, or neither" share --login "$T/login"
  printf 'user=gw\npassword=x\n' >"$T/login"
  chmod 644 "$T/login"
  refused 78 "$T/login: it has a password, and every user may read it: expected mode 0640 or less" share --login "$T/login"
  score share 1/2
  refused 78 "$SCOREBOARD: its cores are divided by cbscore share; cbscore share none ends that" share
  [[ $(score share) == 'share 1/2'* ]]
}

@test "a port in use, and a name that does not exist: exit 71 and one clear line" {
  node a 4001 1
  refused 71 "cannot listen on $ADDR:4001: Address already in use" relay "$ADDR:4001"
  # No host has a name in .invalid, RFC 6761.
  refused 71 'cannot listen on none.invalid:3632: name does not resolve' relay none.invalid:3632
}

@test "a file that is no scoreboard, or a foreign one, is refused by all programs, and left as it is" {
  node a 4001 1
  echo "no tdb at all" >"$T/text"
  printf 'create %s\ninsert k v\nquit\n' "$T/foreign" | tdbtool >/dev/null
  for file in text foreign; do
    local before
    before=$(cksum <"$T/$file")
    refused 1 "$T/$file: not a scoreboard" score list -s "$T/$file"
    refused 78 "$T/$file: not a scoreboard" relay -s "$T/$file" "$GATE"
    refused 78 "$T/$file: not a scoreboard" "$BUILD/cbprobe" -c "$CONF" -s "$T/$file"
    refused 78 "$T/$file: not a scoreboard" "$BUILD/cbshare" -c "$CONF" -s "$T/$file" --engine etcd:http://gw1
    [ "$(cksum <"$T/$file")" = "$before" ]
  done
}

@test "a scoreboard of another version is refused politely" {
  node a 4001 1
  score load
  # The record's format number stands behind the magic.
  python3 - "$SCOREBOARD" <<'EOF'
import sys
p = sys.argv[1]
d = bytearray(open(p, 'rb').read())
i = d.index(b'version' + b'corebalance') + len('version') + 16
d[i] = 99
open(p, 'r+b').write(d)
EOF
  refused 1 "$SCOREBOARD: a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)" score list
  refused 78 "$SCOREBOARD: a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)" relay "$GATE"
}

@test "an unreadable scoreboard or node list says so" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to become somebody else"; fi
  node a 4001 1
  score load
  chmod 755 "$T"
  chmod 600 "$SCOREBOARD"
  chmod 600 "$CONF"
  cp "$BUILD/cbscore" "$T/cbscore"
  chmod 755 "$T/cbscore"
  local dir=$T
  while [ "$dir" != / ]; do chmod o+x "$dir"; dir=$(dirname "$dir"); done
  refused 1 "$SCOREBOARD: Permission denied" setpriv --reuid=65534 --regid=65534 --clear-groups "$T/cbscore" list
  refused 1 "$CONF: Permission denied" setpriv --reuid=65534 --regid=65534 --clear-groups "$T/cbscore" validate "$CONF"
}

@test "cbscore: wrong words get the right ones; exit 2, 3 and 1 mean what they say" {
  node a 4001 1
  refused 2 'unknown verb "lits"; did you mean list? Expected list, status, top, slots, queue' score lits
  refused 2 'unknown column "BUZY"; did you mean BUSY? Expected NODE CORES BUSY' score list -o BUZY
  refused 2 'unknown column "CORS"; did you mean CORES? Expected RANK' score explain -o CORS
  refused 2 "unrecognized option '--colour'" score --colour
  refused 2 'usage: cbscore down NODE... [--reason TEXT] [-w] [--timeout TIME] [--kill]' score down
  refused 2 'reap: has no use for --json' score reap --json
  refused 3 'nowhere:1: no such node' score down nowhere:1
  refused 1 "/nonexistent/x.tdb: no such scoreboard; cbscore load makes one" score list -c "$CONF" -s /nonexistent/x.tdb
}

@test "cbscore: a full disk is not a success" {
  node a 4001 1
  score load
  run bash -c '"$0" list -s "$1" >/dev/full' "$BUILD/cbscore" "$SCOREBOARD"
  [ "$status" = 1 ]
  [[ $output == *"standard output: No space left on device"* ]]
}

@test "closed standard descriptors: nothing that is printed gets into the scoreboard or to a client" {
  node a 4001 1 --mode line
  score load
  "$BUILD/cbscore" -c "$CONF" list <&- >&- 2>&- || true
  "$BUILD/cbscore" -c "$CONF" down nowhere:1 <&- 2>&- || true
  "$BUILD/cbprobe" -c "$CONF" -v <&- >&- 2>&- || true
  background "$T/relay.log" bash -c 'exec "$0" -v -c "$1" "$2" <&- >&- 2>&-' "$BUILD/cbrelay" "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  run -0 client --line "sleep 5" --expect line --print
  [[ $output == *"reply=a done"* ]]
  farm_is_at_rest
}

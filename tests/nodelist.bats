#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers
load lib/managed

# validate LINE... : the lines as a node list.
validate() {
  printf '%s\n' "$@" >"$CONF"
  run --separate-stderr score validate --all "$CONF"
}

# The messages on stderr, with nodes.conf in place of the given path.
told() {
  sed "s|^nodes.conf|$CONF|" >"$T/expected"
  diff "$T/expected" <(echo "$stderr")
}

@test "nodes of more cores together than a farm may have are an error of the list, in words" {
  awk 'BEGIN { for (i = 1; i <= 200; i++) printf "10.0.0.%d, 3632, 65535, 0\n", i }' >"$CONF"
  run -78 --separate-stderr "$BUILD/cbscore" validate "$CONF"
  [ "${stderr_lines[0]}" = "$CONF:31: cores: \"65535\": all nodes together have 13107000: expected at most 2000000" ]
  run -78 --separate-stderr score load
  [ ! -e "$SCOREBOARD" ]
  # As many as are allowed.
  awk 'BEGIN { for (i = 1; i <= 2000; i++) printf "10.0.%d.%d, 3632, 1000, 0\n", i / 250, i % 250 + 1 }' >"$CONF"
  "$BUILD/cbscore" validate "$CONF"
  echo "10.1.1.1, 3632, 1, 0" >>"$CONF"
  run -78 "$BUILD/cbscore" validate "$CONF"
}

@test "a node list with everything in it is valid, and dumps as it was meant" {
  validate '# host, port, cores, flags' '' 'fast1.farm, 3632, 16, 0, speed=2.5, check=distcc' \
    '  10.0.0.7,3632,4,0   # a comment' '[2001:db8::7], 3632, 8, 0x80000000' 'spare.farm, 3632, 4, 0, backup' \
    'p.farm, 1, 65535, 0x40000000, proxy=v2, check-proxy=v1'
  [ "$status" = 0 ]
  [ "$output" = "$CONF: 5 nodes, 65567 cores" ]
}

@test "an empty list is a valid list: everyone waits" {
  validate ''
  [ "$status" = 0 ]
  [ "$output" = "$CONF: 0 nodes, 0 cores" ]
  entrance alone
  client_start patient -n 2 -c 2 --expect line
  until_ok waiting_is 2
  node a 4001 1 --mode hold:5
  score load "$CONF"
  client_wait patient
  farm_is_at_rest
}

@test "a regular expression that would take all memory is an error; a long expression that takes little is none" {
  local plus=x
  for _ in {1..60}; do plus="($plus)+"; done
  validate 'a, 1, 1, 0, check=banner:((x{200}){200}){200}' "b, 1, 1, 0, check=banner:$plus" \
    'c, 1, 1, 0, check=banner:a*++' \
    'd, 1, 1, 0, check=banner:^(220|221)[- ]([a-z0-9+{]+\.)+[a-z]{20} (ESMTP|SMTP) [^]+]+ [[:alnum:]+]+ .+ .+ .+ .+ .+ .+ .+ .+$'
  [ "$status" = 78 ]
  [ "$(grep -cE 'expected a regular expression: (regular expression is too large|parentheses are too deeply nested|quantifier does not follow)' <<<"$stderr")" = 3 ]
  [ "$(grep -c . <<<"$stderr")" = 4 ]
  validate 'a, 1, 1, 0, check=banner:(.*)\1x' 'b, 1, 1, 0, check=banner:[\1]\\1' 'c, 1, 1, 0, check=banner:((a)b)+[]x]\2'
  [ "$status" = 78 ]
  [ "$(grep -c 'expected a regular expression without references to its groups$' <<<"$stderr")" = 2 ]
  [ "$(grep -c . <<<"$stderr")" = 3 ]
}

@test "a URL that no node could be asked for is an error of the list" {
  validate 'a, 1, 1, 0, check=http://%n:8080/health' 'b, 1, 1, 0, check=http://127.0.0.1:99999/' \
    'c, 1, 1, 0, check=http://%q/' 'd, 1, 1, 0, check=https://%h:0/' 'e, 1, 1, 0, check=http://%h:80x/' \
    'f, 1, 1, 0, check=http://[::1/' 'g, 1, 1, 0, check=http://2001:db8::7/' 'h, 1, 1, 0, check=http://%n/100%' \
    'i, 1, 1, 0, check=http://user@/' 'j, 1, 1, 0, check=http://a(b/' 'k, 1, 1, 0, check=http:/%n/' \
    'l, 1, 1, 0, check=http://[1:2:3]/'
  [ "$status" = 78 ]
  local expected port='at most one port, 1 to 65535, behind the URL'\''s host (%n has one already)'
  local host='a name or an address as the URL'\''s host, that of IPv6 in brackets'
  local escape='%n, %h, %p, or % and two hexadecimal digits in the URL'
  expected=$(sed "s|^nodes.conf|$CONF|" <<EOF
nodes.conf:1: check: "http://%n:8080/health": expected $port
nodes.conf:2: check: "http://127.0.0.1:99999/": expected $port
nodes.conf:3: check: "http://%q/": expected $escape
nodes.conf:4: check: "https://%h:0/": expected $port
nodes.conf:5: check: "http://%h:80x/": expected $port
nodes.conf:6: check: "http://[::1/": expected $host
nodes.conf:7: check: "http://2001:db8::7/": expected $port
nodes.conf:8: check: "http://%n/100%": expected $escape
nodes.conf:9: check: "http://user@/": expected $host
nodes.conf:10: check: "http://a(b/": expected $host
nodes.conf:11: check: "http:/%n/": expected http://HOST/PATH, where %n is the node's own host:port
nodes.conf:12: check: "http://[1:2:3]/": expected $host
cbscore: 12 errors; nothing is changed
EOF
)
  diff <(echo "$expected") <(echo "$stderr")
}

@test "a URL may have each part that the standard names" {
  validate 'a, 1, 1, 0, check=http://%n' 'b, 1, 1, 0, check=http://%h:8080/a?b=%p#c' 'c, 1, 1, 0, check=https://www.%n/%41%20:99999/' \
    'd, 1, 1, 0, check=http://me:pass@%h:%p/' 'e, 1, 1, 0, check=http://[2001:db8::7]:80/' 'f, 1, 1, 0, check=http://[fe80::1%25eth0]/' \
    'g, 1, 1, 0, check=http://10.0.0.7:65535?x' 'h, 1, 1, 0, check=http://a_b-c.d:/' 'i, 1, 1, 0, check=http://me%40home@%n/'
  echo "$stderr"
  [ "$status" = 0 ]
}

@test "options of a check are written as the manual says, and not as getopt_long(3) has them besides" {
  validate 'a, 1, 1, 0, check=-t 5s ssh -s' 'b, 1, 1, 0, check=-t5s ssh' 'c, 1, 1, 0, check=ssh --timeout 5s --slot' \
    'd, 1, 1, 0, check=ssh --timeout=5s'
  [ "$status" = 0 ]
  validate 'a, 1, 1, 0, check=ssh -st5' 'b, 1, 1, 0, check=ssh --time=5s' 'c, 1, 1, 0, check=-- ssh'
  [ "$status" = 78 ]
  told <<'EOF'
nodes.conf:1: check: "ssh -st5": expected no value of --slot
nodes.conf:2: check: "ssh --time=5s": expected no option "--time"
nodes.conf:3: check: "-- ssh": expected no option "--"
cbscore: 3 errors; nothing is changed
EOF
  grep -q 'Letters cannot be put together' "$BATS_TEST_DIRNAME/../man/corebalance-nodes.5"
}

@test "every mistake is told with its line, field, value and what was expected; exit 78" {
  validate 'a, 1, 0, 0' 'b, 0, 1, 0' 'c, 1, 1, 0x1' 'd, 1' 'e, 1, 1, 0, speed=fast' 'f, 1, 1, 0, colour=red' \
    'g h, 1, 1, 0' '2001:db8::7, 1, 1, 0' 'ok, 1, 1, 0' 'ok, 1, 2, 0' 'i, 1, 1, 0, speed=1, speed=2' \
    'j, 65536, 1, 0' 'k, 1, 65536, 0' 'l, 1, 1, 4294967296' 'm, 1, 1, 0, backup=yes' 'n, 1, 1, 0, proxy=v3' \
    'o, 1, 1, 0, check=magic' 'p, 1, 1, 0, check=tcp --timeout=soon' 'q, 1, 1, 0, check=-t 5s none' \
    'r, 1, 1, 0, check=banner:(' 's, 1, 1, 0, check=ssh --timeout' \
    't, 1, 1, 0, check=agent:70000' 'u, 1, 1, 0, check=tcp -s' 'v, 1, 1, 0, check=distcc:x' 'w, 1, 1, 0, check=distcc -f "a b' \
    'x, 1, 1, 0, check=chat:file' 'y, 1, 1, 0, check=ssh --loud' 'z, 1, 1, 0, check=ssh extra'
  [ "$status" = 78 ]
  [ -z "$output" ]
  local expected keys kinds
  keys=$("$BUILD/cbscore" --help=raw | awk -F'\t' '$1 == "key" && $2 == "set" && $3 !~ /^(cores|flags)$/ {
    print $3 ($4 == "yes|no" ? "" : "=") }' | sed ':all; N; $!b all; s/\n/, /g; s/\(.*\), /\1 or /')
  kinds=$(sed -nE 's/.*KIND\((\w+), ARGUMENT_(\w+),.*/\1:\2/p' "$BATS_TEST_DIRNAME/../scoreboard/list/check_kinds.h" |
    sed -E 's/:NONE//; s/:.+/:/' | paste -sd, | sed 's/,/, /g')
  expected=$(sed "s|^nodes.conf|$CONF|; s|KEYS|$keys|; s|KINDS|$kinds|" <<'EOF'
nodes.conf:1: cores: "0": expected 1 to 65535
nodes.conf:2: port: "0": expected 1 to 65535
nodes.conf:3: flags: "0x1": expected no bits but 0x80000000 (down) and 0x40000000 (hold)
nodes.conf:4: cores: missing: expected host, port, cores, flags
nodes.conf:5: speed: "fast": expected a decimal number from 0.001 to 1000000
nodes.conf:6: key: "colour": expected KEYS
nodes.conf:7: host: "g h": expected letters, digits, dots, hyphens and underscores
nodes.conf:8: host: "2001:db8::7": expected a name, an IPv4 address, or an IPv6 address in brackets
nodes.conf:11: speed: expected once only
nodes.conf:12: port: "65536": expected 1 to 65535
nodes.conf:13: cores: "65536": expected 1 to 65535
nodes.conf:14: flags: "4294967296": expected a decimal or 0x hexadecimal number
nodes.conf:15: backup: expected no value
nodes.conf:16: proxy: "v3": expected v1 or v2
nodes.conf:17: check: "magic": expected one of KINDS
nodes.conf:18: check: "tcp --timeout=soon": expected a time above 0 as the --timeout, such as 5s
nodes.conf:19: check: "-t 5s none": expected no --timeout with none
nodes.conf:20: check: "banner:(": expected a regular expression: missing closing parenthesis, at byte 2
nodes.conf:21: check: "ssh --timeout": expected a value of --timeout
nodes.conf:22: check: "agent:70000": expected a port, 1 to 65535
nodes.conf:23: check: "tcp -s": expected no --slot with tcp
nodes.conf:24: check: "distcc:x": expected no argument behind distcc
nodes.conf:25: check: "distcc -f "a b": expected a second double quote
nodes.conf:26: check: "chat:file": expected the absolute path of a file
nodes.conf:27: check: "ssh --loud": expected no option "--loud"
nodes.conf:28: check: "ssh extra": expected options only behind ssh
nodes.conf:10: host: "ok:1": expected once only, it is in line 9 already
cbscore: 27 errors; nothing is changed
EOF
)
  diff <(echo "$expected") <(echo "$stderr")
}

@test "a bad list changes nothing, whichever program is asked to load it" {
  node a 4001 3 --mode hold:5
  score load
  local before
  before=$(score list -J)
  echo 'a, b, 1, 0' >"$T/bad.conf"
  run --separate-stderr score load "$T/bad.conf"
  [ "$status" = 78 ]
  [ "$stderr" = "$T/bad.conf:1: port: \"b\": expected 1 to 65535
cbscore: 1 error; nothing is changed" ]
  [ "$(score list -J)" = "$before" ]
  run --separate-stderr score load "$T/missing.conf"
  [ "$status" = 1 ]
  [ "$stderr" = "cbscore: $T/missing.conf: No such file or directory" ]
  [ "$(score list -J)" = "$before" ]
}

@test "a load merges: new nodes appear, missing nodes drain and go, the rest keep connections and health" {
  node a 4001 2 --mode line
  node b 4002 1 --mode line
  entrance alone
  for name in one two three; do client_start $name --line "$(until_word go)" --expect line; done
  until_ok busy_is 3
  score down "$ADDR:4002" --reason "for a while"
  : >"$CONF"
  node_line 4002 4
  node_line 4003 5
  run -0 score load "$CONF"
  [ "$output" = "1 added, 1 changed, 1 draining, 0 removed, 0 kept" ]
  state_is 4001 draining
  state_is 4002 held
  state_is 4003 up
  busy_is 3
  word go
  client_wait one
  client_wait two
  client_wait three
  until_ok eval '[ -z "$(state_of 4001)" ]'
  run -0 score load "$CONF"
  [ "$output" = "0 added, 0 changed, 0 draining, 0 removed, 2 kept" ]
  farm_is_at_rest
}

@test "fewer cores than connections: the present ones finish, no new ones come before there is room" {
  node a 4001 4 --mode line
  entrance alone
  for i in 1 2 3 4; do client_start "c$i" --line "$(until_word go$i)" --expect line; done
  until_ok busy_is 4
  : >"$CONF"
  node_line 4001 1
  score load "$CONF"
  client_start next --line "sleep 5" --expect line
  until_ok waiting_is 1
  for i in 1 2 3; do
    word go$i
    client_wait "c$i"
    until_ok busy_is $((4 - i))
    waiting_is 1
  done
  word go4
  client_wait c4
  client_wait next
  farm_is_at_rest
  [ "$(score list -nr -o CORES,FREE)" = "1 1" ]
  run -0 score fsck
}

@test "a name that does not resolve leaves a node that is down with that reason" {
  echo 'no-such-host.invalid, 3632, 4, 0' >"$CONF"
  score load
  run -0 score list -nr -o STATE,REASON
  [ "$output" = 'down name\x20does\x20not\x20resolve' ]
}

@test "10,000 nodes are loaded, listed and used" {
  for i in $(seq 0 9999); do echo "127.$((i / 65536 + 1)).$((i / 256 % 256)).$((i % 256)), 4777, 16, 0"; done >"$CONF" # nothing listens there
  node_start a 4001 1 --mode hold:5
  node_line 4001 1 speed=9
  score load
  run -0 score list -nr -o NODE
  [ "$(wc -l <<<"$output")" = 10001 ]
  entrance alone
  client -n 20 -c 1 --expect line
  farm_is_at_rest
  run -0 score fsck
}

@test "whatever cannot be an address or a host name is an error of the list, with its line" {
  validate '[1:2:3], 1, 1, 0' '[::1%], 1, 1, 0' '[::1%lo], 1, 1, 0' '[fe80::1%an-interface-xxx], 1, 1, 0' '1.2.3, 1, 1, 0' \
    '300.1.1.1, 1, 1, 0' '0x7f000001, 1, 1, 0' '1.2.3.4.5, 1, 1, 0' 'a..b, 1, 1, 0' '-a.b, 1, 1, 0' 'a-, 1, 1, 0' '., 1, 1, 0' \
    "$(printf 'x%.0s' {1..64}).farm, 1, 1, 0" '[], 1, 1, 0' '[10.0.0.1], 1, 1, 0' 'a%b, 1, 1, 0' '010.0.0.1, 1, 1, 0' \
    '[::ffff:1.2.3], 1, 1, 0' '[::ffff:1.2.3.4%1], 1, 1, 0' '[2001:db8::1%99999999999], 1, 1, 0'
  [ "$status" = 78 ]
  for line in {1..20}; do grep -q "^$CONF:$line: host: " <<<"$stderr" || { echo "line $line: $stderr"; return 1; }; done
  [ "$(tail -n 1 <<<"$stderr")" = "cbscore: 20 errors; nothing is changed" ]
  validate '[fe80::1%eth0], 1, 1, 0' '[fe80::1%3], 1, 1, 0' '[ff02::1%eth0], 1, 1, 0' '[::ffff:1.2.3.5], 1, 1, 0' 'a.b., 1, 1, 0' \
    '_x.farm, 1, 1, 0' '7up.example, 1, 1, 0' '1.2.3.4, 1, 1, 0' "$(printf 'x%.0s' {1..63}).farm, 1, 1, 0" 'x, 1, 1, 0'
  echo "$stderr"
  [ "$status" = 0 ]
}

@test "the same node twice is seen however it is written" {
  validate 'localhost, 1, 1, 0' 'LOCALHOST, 1, 1, 0' '[::1], 2, 1, 0' '[0:0:0:0:0:0:0:1], 2, 1, 0' '[FE80::1%eth0], 3, 1, 0' \
    '[fe80:0::1%eth0], 3, 1, 0' '[fe80::1%ETH0], 3, 1, 0' 'Localhost, 2, 1, 0'
  [ "$status" = 78 ]
  told <<'EOF'
nodes.conf:4: host: "[::1]:2": expected once only, it is in line 3 already
nodes.conf:6: host: "[fe80::1%eth0]:3": expected once only, it is in line 5 already
nodes.conf:2: host: "localhost:1": expected once only, it is in line 1 already
cbscore: 3 errors; nothing is changed
EOF
  validate 'a.farm, 1, 1, 0' 'A.Farm., 1, 1, 0' 'localhost., 1, 1, 0' 'localhost, 1, 1, 0' '10.0.0.7, 1, 1, 0' \
    '[::ffff:10.0.0.7], 1, 1, 0' '[::FFFF:a00:7], 1, 1, 0' 'b.farm.., 1, 1, 0' '[fe80::1%2], 1, 1, 0' '[fe80::1%02], 1, 1, 0' \
    '[::1], 1, 1, 0' '[::1%0], 1, 1, 0'
  [ "$status" = 78 ]
  told <<'EOF'
nodes.conf:8: host: "b.farm..": expected a name whose parts between dots have 1 to 63 bytes and no hyphen at an end
nodes.conf:6: host: "10.0.0.7:1": expected once only, it is in line 5 already
nodes.conf:7: host: "10.0.0.7:1": expected once only, it is in line 6 already
nodes.conf:12: host: "[::1]:1": expected once only, it is in line 11 already
nodes.conf:10: host: "[fe80::1%2]:1": expected once only, it is in line 9 already
nodes.conf:2: host: "a.farm:1": expected once only, it is in line 1 already
nodes.conf:4: host: "localhost:1": expected once only, it is in line 3 already
cbscore: 7 errors; nothing is changed
EOF
  echo "LocalHost., 4001, 1, 0" >"$CONF"
  score load
  echo "localhost, 4001, 2, 0" >"$CONF"
  run -0 score load
  [ "$output" = "0 added, 1 changed, 0 draining, 0 removed, 0 kept" ]
  run -0 score down LOCALHOST:4001
}

@test "a byte order mark is skipped; commas that are missing are named; a list comes from standard input, too" {
  printf '\xef\xbb\xbfa, 1, 1, 0\n' >"$CONF"
  run -0 score validate
  validate 'fast1.farm 3632 16 0' 'a, 1 1, 0' 'a; 1; 1; 0' 'a' 'a:3632, 4, 0' '[::1]:3632, 4, 0' '[::1'
  told <<'EOF'
nodes.conf:1: line: "fast1.farm 3632 16 0": expected commas between host, port, cores, flags
nodes.conf:2: line: "a, 1 1, 0": expected commas between host, port, cores, flags
nodes.conf:3: line: "a; 1; 1; 0": expected commas between host, port, cores, flags
nodes.conf:4: port: missing: expected host, port, cores, flags
nodes.conf:5: line: "a:3632, 4, 0": expected commas between host, port, cores, flags
nodes.conf:6: line: "[::1]:3632, 4, 0": expected commas between host, port, cores, flags
nodes.conf:7: line: "[::1": expected commas between host, port, cores, flags
cbscore: 7 errors; nothing is changed
EOF
  validate $'# a list of an old editor\ra, 1, 1, 0\r' $'b, 1, 1, 0\r'
  told <<'EOF'
nodes.conf:1: line: expected line feeds at the ends of lines, found a carriage return within one
cbscore: 1 error; nothing is changed
EOF
  run -0 score validate - <<<'a, 1, 2, 0'
  [ "$output" = "standard input: 1 node, 2 cores" ]
  run -78 --separate-stderr score validate - <<<'a, 1, 0, 0'
  [[ $stderr == 'standard input:1: cores: "0": expected 1 to 65535'* ]]
}

@test "a list without an end is no list" {
  run -1 --separate-stderr timeout 300 "$BUILD/cbscore" validate /dev/zero
  [ "$stderr" = "cbscore: /dev/zero: File too large" ]
}

@test "a named pipe is a list if it has a writer" {
  mkfifo "$T/pipe"
  run -1 --separate-stderr timeout 300 "$BUILD/cbscore" validate "$T/pipe"
  [ "$stderr" = "cbscore: $T/pipe: No data available" ]
  background "$T/validate.log" "$BUILD/cbscore" validate "$T/pipe"
  echo 'a, 1, 2, 0' >"$T/pipe"
  until_ok grep -qx "$T/pipe: 1 node, 2 cores" "$T/validate.log"
  # So it is with a listener that is told to load its list anew.
  node a 4001 1 --mode line
  entrance alone
  client --line "sleep 0" --expect line # from now on the listener waits for SIGHUP
  rm "$CONF"
  mkfifo "$CONF"
  kill -HUP "$GATE_PID"
  until_ok grep -qx "cbrelay: $CONF: No data available; the nodes stay as they were" "$T/relay.log"
  rm "$CONF"
  echo "$ADDR, 4001, no, 0" >"$CONF"
  kill -HUP "$GATE_PID"
  until_ok grep -qx "cbrelay: $CONF: 1 error; the nodes stay as they were" "$T/relay.log"
}

@test "a program that only looks makes no scoreboard" {
  node_line 4001 1
  for verb in list slots queue explain dump fsck reap 'export ipvs --service fwmark:1'; do
    # shellcheck disable=SC2086  # a verb and its arguments
    run --separate-stderr -1 score $verb
    [ "$stderr" = "cbscore: $SCOREBOARD: no such scoreboard; cbscore load makes one" ] || { echo "$verb: $stderr"; return 1; }
  done
  [ ! -e "$SCOREBOARD" ]
}

@test "a farm stays with the node list that it was made from, unless load --adopt says so" {
  local refused
  node_line 4001 1
  score load
  echo "$ADDR, 4002, 1, 0" >"$T/other.conf"
  refused="$SCOREBOARD: made from the node list $CONF, not from $T/other.conf: cbscore load --adopt gives it that one"
  run --separate-stderr -1 score load "$T/other.conf"
  [ "$stderr" = "cbscore: $refused" ] || { echo "$stderr"; return 1; }
  run --separate-stderr -1 "$BUILD/cbscore" -c "$T/other.conf" down "$ADDR:4001"
  [ "$stderr" = "cbscore: $refused" ]
  run --separate-stderr -78 "$BUILD/cbprobe" -c "$T/other.conf"
  [ "$stderr" = "cbprobe: $refused" ]
  run --separate-stderr -78 timeout 300 "$BUILD/cbrelay" -c "$T/other.conf" "$GATE"
  [[ $stderr == *"cbrelay: $refused" ]]
  [ "$(score list -nr -o NODE,STATE)" = "$ADDR:4001 up" ]
  # Another path to the same file is the same list; a program that does not name a list has none.
  ln -s "$CONF" "$T/link.conf"
  run -0 "$BUILD/cbscore" -c "$T/link.conf" load
  run -0 "$BUILD/cbscore" down "$ADDR:4001"
  run -0 score load --adopt "$T/other.conf"
  [ "$output" = "1 added, 0 changed, 0 draining, 1 removed, 0 kept" ]
  run --separate-stderr -1 score load
  run -0 "$BUILD/cbscore" -c "$T/other.conf" load
  # The list's path is known after a rebuild, too.
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" header
  run --separate-stderr -1 score load
  [[ $stderr == *"$SCOREBOARD: made from the node list $T/other.conf, not from $CONF:"* ]] || { echo "$stderr"; return 1; }
}

status_is() { [ "$(sed -n "s/^said {'STATUS': '\(.*\)'} with .*/\1/p" "$T/service.log" | tail -n 1)" = "$1" ]; }

@test "the status of a listener tells an error of the node list only until a list has been loaded" {
  echo "$ADDR, 4001, 0, 0" >"$CONF"
  managed "$BUILD/cbrelay" -c "$CONF"
  until_ok status_is "0 busy, 0 free, 0 waiting; no nodes: $CONF:1: cores: \"0\": expected 1 to 65535"
  node_start a 4001 1 --mode line
  echo "$ADDR, 4001, 1, 0" >"$CONF"
  kill -HUP "$(service)"
  until_ok status_is '0 busy, 1 free, 0 waiting'
  : >"$CONF"
  kill -HUP "$(service)"
  until_ok grep "$CONF: no nodes; connections wait" "$T/relay.log"
  client_start patient --line "sleep 0" --expect line
  until_ok status_is '0 busy, 0 free, 1 waiting; no nodes'
  echo "$ADDR, 4001, 1, 0" >"$CONF"
  kill -HUP "$(service)"
  client_wait patient
  farm_is_at_rest
}

@test "of a list with 20,000 mistakes every program tells 20, and how many more; validate --all tells all" {
  printf 'x\n%.0s' {1..20000} >"$CONF"
  last='and 19980 more; cbscore validate --all shows them'
  # twenty LINES-OF-ERRORS: the first 20 in their order, and the rest as a number.
  twenty() {
    [ "$(grep -c ": port: missing" <<<"$1")" = 20 ]
    grep ": port: missing" <<<"$1" | tail -n 1 | grep -q "$CONF:20: "
    [ "$(grep -c "$last" <<<"$1")" = 1 ]
  }
  for verb in validate load diff 'load --dry-run'; do
    # shellcheck disable=SC2086 # a verb and its option
    run -78 score $verb
    twenty "$output"
    [ "${lines[-1]}" = "cbscore: 20000 errors; nothing is changed" ]
  done
  run -78 probe
  twenty "$output"
  run -78 "$BUILD/cbrelay" -c "$CONF" "$GATE"
  twenty "$output"
  run -78 score validate --all
  [ "$(grep -c ": port: missing" <<<"$output")" = 20000 ]
  [[ $output != *" more; "* ]]
  # 20 are shown without a line that says 0 more.
  printf 'x\n%.0s' {1..20} >"$CONF"
  run -78 score validate
  [ "${#lines[@]}" = 21 ]
}

@test "the caller's locale changes no name: a Turkish small i is not that of BUILD-I" {
  # The C library does not free what it makes of LOCPATH.
  export LOCPATH=$T/locales ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
  mkdir "$LOCPATH"
  localedef -i tr_TR -f UTF-8 "$LOCPATH/tr_TR.UTF-8" || [ -d "$LOCPATH/tr_TR.UTF-8" ]
  localedef -i de_DE -f ISO-8859-1 "$LOCPATH/de_DE" || [ -d "$LOCPATH/de_DE" ]
  echo "BUILD-I.invalid, 4001, 2, 0" >"$CONF"
  score load
  LC_ALL=tr_TR.UTF-8 run -0 score load
  [ "$output" = "0 added, 0 changed, 0 draining, 0 removed, 1 kept" ]
  LC_ALL=tr_TR.UTF-8 run -0 score list -nr -o node,since
  [[ $output == "build-i.invalid:4001 "* ]]
  printf 'b\374ro.invalid, 4001, 2, 0\n' >"$CONF"
  LC_ALL=de_DE run -78 score validate
}

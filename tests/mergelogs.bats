#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore mergelogs: the logs of real nodes behind a real gateway, with the clients in them; and by hand what a log can
# do wrong.

load lib/helpers
load lib/nginx

# nginx_node: a web server that writes three logs: with the client's port, without, and in a form of its own.
nginx_node() {
  nginx_at 4001 4 <<END
  log_format port '\$remote_addr:\$remote_port - \$remote_user [\$time_local] "\$request" \$status \$body_bytes_sent';
  log_format own '\$msec from=\$remote_addr "\$request" port=\$remote_port';
  access_log $T/port.log port; access_log $T/plain.log combined; access_log $T/own.log own;
  server { listen $ADDR:4001; location / { return 200 "hello\n"; } }
END
}

ask() { curl -s -m 300 --interface "$1" "http://$GATE/$2"; } # FROM WHAT

@test "nginx's log with the port, its plain log, and a given pattern: each line has the client that asked" {
  local client
  nginx_node
  entrance alone
  for client in 1 2 3; do
    [ "$(ask "127.9.9.$client" "$client")" = hello ]
  done
  curl -s "http://$ADDR:4001/direct"
  until_ok lines_with_are "$T/relay.log" end=-- 3
  # nginx answers before it writes its lines.
  for name in port own plain; do until_ok lines_with_are "$T/$name.log" GET 4; done
  run --separate-stderr -0 score mergelogs "$T/relay.log" "$T/port.log"
  for client in 1 2 3; do
    grep -E "^127\.9\.9\.$client:[0-9]+ - - \[.*\] \"GET /$client HTTP/1.1\" 200 6$" <<<"$output"
    # The port is the client's own, which the relay has logged.
    grep -qF " client=$(grep -oE "^127\.9\.9\.$client:[0-9]+" <<<"$output") " "$T/relay.log"
  done
  # The gateway is on this machine, too, so the direct line's address may be the gateway's.
  grep -E '^127\.0\.0\.1:[0-9]+ .*GET /direct' <<<"$output"
  [[ $stderr == *"port.log: 4 lines: 3 with their client, 1 not found, 0 unclear, 0 not from the gateway, 0 without a client"* ]]
  [[ $stderr == *"relay.log: 3 connections, 0 of them in no line"* ]]
  run --separate-stderr -0 score mergelogs --time-format %s \
    --pattern '^(?<time>\d+\.\d+) from=(?<address>\S+) .* port=(?<port>\d+)$' "$T/relay.log" "$T/own.log"
  for client in 1 2 3; do
    grep -E " from=127\.9\.9\.$client \"GET /$client HTTP/1.1\" port=[0-9]+$" <<<"$output"
    grep -qF " client=127.9.9.$client:$(grep "GET /$client" <<<"$output" | sed 's/.*port=//') " "$T/relay.log"
  done
  # Without a port, clients of the same second cannot be told apart.
  run --separate-stderr -0 score mergelogs "$T/relay.log" "$T/plain.log"
  diff <(printf '%s\n' "$output") "$T/plain.log"
  [[ $stderr == *"plain.log:1: 127.0.0.1 may be any of several clients"* ]]
}

@test "nginx's plain log: a line has its client if only one client was there then" {
  nginx_node
  entrance alone
  [ "$(ask 127.9.9.7 a)$(ask 127.9.9.7 b)" = hellohello ]
  until_ok lines_with_are "$T/relay.log" end=-- 2
  run --separate-stderr -0 score mergelogs "$T/relay.log" "$ADDR:4001=$T/plain.log"
  diff <(printf '%s\n' "$output") <(sed 's/^127.0.0.1 /127.9.9.7 /' "$T/plain.log")
  [[ $stderr == *"2 lines: 2 with their client"* ]]
  # The log of another node has none of these connections.
  run --separate-stderr -0 score mergelogs "$T/relay.log" "elsewhere:4001=$T/plain.log"
  diff <(printf '%s\n' "$output") "$T/plain.log"
  [[ $stderr == *"2 lines: 0 with their client, 2 not found"* && $stderr == *"2 connections, 2 of them in no line"* ]]
}

distcc_node() {
  command -v distccd >/dev/null || skip "distccd is not installed"
  NODE_TMP=$(mktemp -d)
  FOLDERS+=("$NODE_TMP")
  chmod 1777 "$NODE_TMP"
  type -P gcc "$(gcc -dumpmachine)-gcc" >"$NODE_TMP/compilers"
  chmod 644 "$NODE_TMP/compilers"
  background "$T/distccd.out" env TMPDIR="$NODE_TMP" DISTCC_CMDLIST="$NODE_TMP/compilers" DISTCC_CMDLIST_NUMWORDS=1 \
    distccd --daemon --no-detach --log-file="$NODE_TMP/log" --log-level=info --jobs 3 --listen "$ADDR" --port 4001 \
    --allow 127.0.0.0/8 --user "$([ "$EUID" = 0 ] && echo nobody || id -un)"
  until_ok is_listening "$ADDR:4001"
  node_line 4001 2
}

@test "distccd's log, which has no times: the lines of each job have its client, in their order" {
  local i
  distcc_node
  entrance alone
  mkdir "$T/distcc"
  export DISTCC_HOSTS=$GATE DISTCC_FALLBACK=0 DISTCC_DIR=$T/distcc
  for i in 1 2 3 4; do
    echo "int x$i;" >"$T/x$i.c"
    (cd "$T" && distcc gcc -c "x$i.c" -o "x$i.o")
  done
  until_ok lines_with_are "$T/relay.log" end=-- 4
  until_ok lines_with_are "$NODE_TMP/log" COMPILE_OK 4
  run --separate-stderr -0 score mergelogs "$T/relay.log" "$ADDR:4001=$NODE_TMP/log"
  [ "$(wc -l <<<"$output")" = "$(wc -l <"$NODE_TMP/log")" ]
  grep -oE 'client=[^ ]*' "$T/relay.log" | sed 's/.*=//' >"$T/clients"
  diff "$T/clients" <(sed -nE 's/.*\(dcc_job_summary\) client: (\S+) COMPILE_OK .*/\1/p' <<<"$output")
  diff "$T/clients" <(sed -nE 's/.*connection from (\S+)$/\1/p' <<<"$output")
  # Nothing else has changed.
  diff <(sed -E 's/(client: |connection from )\S+//' <<<"$output") <(sed -E 's/(client: |connection from )\S+//' "$NODE_TMP/log")
  [[ $stderr == *"8 with their client, 0 not found, 0 unclear"* ]]
}

@test "journalctl -o export: the real journal of a relay" {
  if [ "$(id -u)" != 0 ] || ! [ -x /lib/systemd/systemd-journald ]; then skip "needs root and systemd-journald"; fi
  # A journal of the test's own, in a mount namespace.
  background "$T/journald.log" unshare --mount bash -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal /run/log/journal &&
    cat /proc/sys/kernel/random/uuid | tr -d - >/run/machine-id && mount --bind /run/machine-id /etc/machine-id &&
    exec /lib/systemd/systemd-journald'
  JOURNALD=$PID
  in_journal() { nsenter --mount="/proc/$JOURNALD/ns/mnt" "$@"; }
  until_ok in_journal test -S /run/systemd/journal/socket
  nginx_node
  exec 7>"$T/relay.stderr"
  background "$T/relay.log" in_journal bash -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) exec "$@" 2>&7' sh \
    "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  [ "$(ask 127.9.9.5 one)$(ask 127.9.9.6 two)" = hellohello ]
  # Other programs' entries, also with what is no text.
  printf 'MESSAGE=client=x node=y node_local=z\n' | in_journal socat - UNIX-SENDTO:/run/systemd/journal/socket
  printf 'MESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00a\nb\n\x01\nOTHER=1\n' | in_journal socat - UNIX-SENDTO:/run/systemd/journal/socket
  export_is_whole() {
    in_journal journalctl --directory /run/log/journal -o export >"$T/export" 2>"$T/journalctl.err"
    grep -a -c ^COREBALANCE_NODE_LOCAL= "$T/export" | grep -x 2 && grep -aq ^OTHER=1 "$T/export"
  }
  until_ok export_is_whole
  run --separate-stderr -0 score mergelogs - "$T/port.log" <"$T/export"
  grep -E '^127\.9\.9\.5:[0-9]+ .*GET /one' <<<"$output"
  grep -E '^127\.9\.9\.6:[0-9]+ .*GET /two' <<<"$output"
  [[ $stderr == *"2 with their client, 0 not found"* && $stderr == *"-: 2 connections, 0 of them in no line"* ]]
  # A file that breaks off is said to.
  head -c -5 "$T/export" | { ! score mergelogs - "$T/port.log" >"$T/out" 2>"$T/err"; }
  grep -qx 'cbscore: -: breaks off, or is no output of journalctl -o export' "$T/err"
}

# passage CLIENT NODE LOCAL END SECONDS: a relay's line.
passage() {
  echo "cbrelay: client=$1 node=$2 slot=0 node_local=$3 wait_usec=0 connect_usec=9 total_usec=$(($5 * 1000000)) bytes_in=1 bytes_out=1 farm=f id=f-1-1 time=$4 failed_nodes=0 end=--"
}

@test "lines of several logs come in the order of their times, whatever the form and the zone of these" {
  {
    passage 192.0.2.1:5001 a:1 10.0.0.9:4001 2026-03-01T12:00:10.5Z 9
    passage '[2001:db8::1]:5002' b:1 10.0.0.9:4001 2026-03-01T12:00:12.5Z 9
    passage 192.0.2.3:5003 c:1 '[2001:db8::9]:4003' 2026-03-01T12:00:14.5Z 9
  } >"$T/gate"
  cat >"$T/a" <<'END'
10.0.0.9:4001 - - [01/Mar/2026:14:00:02 +0200] "a1"
no client here
10.0.0.9:4001 - - [01/Mar/2026:14:00:10 +0200] "a2"
END
  printf '%s\n' '2026-03-01T12:00:05.125+00:00 b distccd[7]: (dcc_job_summary) client: 10.0.0.9:4001 COMPILE_OK b1' \
    'Mar  1 12:00:12 b distccd[7]: (dcc_job_summary) client: 10.0.0.9:4001 COMPILE_OK b2' >"$T/b"
  printf '%s' '[2001:db8::9]:4003 - - [01/Mar/2026:12:00:11 +0000] "c1"' >"$T/c"
  TZ=UTC run --separate-stderr -0 score mergelogs "$T/gate" "a:1=$T/a" "b:1=$T/b" "c:1=$T/c"
  diff - <(printf '%s\n' "$output") <<'END'
192.0.2.1:5001 - - [01/Mar/2026:14:00:02 +0200] "a1"
no client here
2026-03-01T12:00:05.125+00:00 b distccd[7]: (dcc_job_summary) client: [2001:db8::1]:5002 COMPILE_OK b1
192.0.2.1:5001 - - [01/Mar/2026:14:00:10 +0200] "a2"
192.0.2.3:5003 - - [01/Mar/2026:12:00:11 +0000] "c1"
Mar  1 12:00:12 b distccd[7]: (dcc_job_summary) client: [2001:db8::1]:5002 COMPILE_OK b2
END
  # Without the nodes' names, a1 and b1 may belong to either connection from that port.
  TZ=UTC run --separate-stderr -0 score mergelogs "$T/gate" "$T/a" "$T/b"
  [[ $stderr == *"a:3: 10.0.0.9:4001 may be any of several clients"* ]]
}

@test "a port that was used twice: the line goes to the connection of its time; --skew and --window bound the search" {
  {
    passage 192.0.2.1:5001 a:1 10.0.0.9:4001 2026-03-01T12:00:10Z 2
    passage 192.0.2.2:5001 a:1 10.0.0.9:4001 2026-03-01T12:00:20Z 2
  } >"$T/gate"
  line() { echo "10.0.0.9:4001 - - [01/Mar/2026:$1 +0000] \"x\"" >"$T/a"; score mergelogs "${@:2}" "$T/gate" "$T/a" 2>"$T/err" | cut -d: -f1; }
  [ "$(line 12:00:09)" = 192.0.2.1 ]
  [ "$(line 12:00:19)" = 192.0.2.2 ]
  [ "$(line 12:00:16)" = 192.0.2.2 ]
  [ "$(line 12:00:14)" = 10.0.0.9 ]
  grep -q 'a:1: 10.0.0.9:4001 is not found among the gateway' "$T/err"
  [ "$(line 12:00:14 --skew 4s)" = 192.0.2.2 ]
  [ "$(line 12:00:07 --skew 0)" = 10.0.0.9 ]
  # The connection's own line comes later than the window.
  passage 192.0.2.1:5001 a:1 10.0.0.9:4001 2026-03-01T12:00:10Z 2 >"$T/gate"
  passage 192.0.2.3:5001 a:1 10.0.0.9:4002 2026-03-01T12:20:00Z 1 >>"$T/gate"
  passage 192.0.2.2:5001 a:1 10.0.0.9:4001 2026-03-01T12:30:00Z 1790 >>"$T/gate"
  [ "$(line 12:00:20)" = 10.0.0.9 ]
  [ "$(line 12:00:20 --window 1h)" = 192.0.2.2 ]
}

@test "memory does not grow with the logs: a million connections" {
  awk 'BEGIN { for (i = 0; i < 1000000; i++) { s = i / 100
      t = sprintf("2026-03-01T%02d:%02d:%09.6fZ", s / 3600, s / 60 % 60, s % 60)
      printf "client=192.0.2.%d:%d node=a:1 slot=0 node_local=10.0.0.9:%d total_usec=5000 time=%s end=--\n", i % 200, 1 + i % 60000, 2000 + i % 28000, t } }' >"$T/gate"
  awk 'BEGIN { for (i = 0; i < 1000000; i += 50) { s = i / 100
      printf "10.0.0.9:%d - - [01/Mar/2026:%02d:%02d:%02d +0000] \"%d\"\n", 2000 + i % 28000, s / 3600, s / 60 % 60, s % 60, i } }' >"$T/a"
  [ -n "${SANITIZE-}" ] || ulimit -v 200000
  run --separate-stderr -0 score mergelogs --window 1min "$T/gate" "$T/a"
  [[ $stderr == *"20000 lines: 20000 with their client"* ]]
  awk -F'"' '{ split($1, p, "[.:]"); if (p[4] != $2 % 200 || p[5] + 0 != 1 + $2 % 60000) { print; exit 1 } }' <<<"$output"
}

@test "what cannot be read is said, with the file; a wrong command line, too" {
  run --separate-stderr -1 score mergelogs "$T/none" "$T/none"
  [ "$stderr" = "cbscore: $T/none: No such file or directory" ]
  : >"$T/empty"
  run --separate-stderr -1 score mergelogs "$T/empty" "a:1=$T/none"
  [ "$stderr" = "cbscore: $T/none: No such file or directory" ]
  run --separate-stderr -1 score mergelogs "$T" "$T/empty"
  [ "$stderr" = "cbscore: $T: Is a directory" ]
  run --separate-stderr -1 score mergelogs "$T/empty" "a:1=$T"
  [ "$stderr" = "cbscore: $T: Is a directory" ]
  run --separate-stderr -1 timeout 300 "$BUILD/cbscore" mergelogs /dev/zero "$T/empty"
  [ "$stderr" = "cbscore: /dev/zero: a line is longer than 1 MiB" ]
  run --separate-stderr -1 timeout 300 "$BUILD/cbscore" mergelogs "$T/empty" /dev/zero
  [ "$stderr" = "cbscore: /dev/zero: a line is longer than 1 MiB" ]
  run --separate-stderr -2 score mergelogs - -
  [[ $stderr == *"only one of the files can be standard input"* ]]
  run --separate-stderr -2 score mergelogs --pattern 'from (\d+' "$T/empty" "$T/empty"
  [[ $stderr == *'--pattern: "from (\d+": expected a regular expression: '* ]]
  run --separate-stderr -2 score mergelogs --pattern 'from (\d+)' "$T/empty" "$T/empty"
  [[ $stderr == *'expected a regular expression with a group (?<address>...)'* ]]
  run --separate-stderr -2 score mergelogs --time-format %s "$T/empty" "$T/empty"
  run --separate-stderr -2 score mergelogs --window 0 "$T/empty" "$T/empty"
  # A line of an older relay.
  passage 192.0.2.1:5001 a:1 10.0.0.9:4001 2026-03-01T12:00:10Z 2 | sed 's/ time=[^ ]*//' >"$T/old"
  run --separate-stderr -0 score mergelogs "$T/old" "$T/empty"
  [[ $stderr == *"old: 1 connections were left out: their lines have no time="* ]]
  [[ $stderr != *"is of a connection"* ]]
  # The two logs the wrong way round: the gateway's is a node's.
  echo '192.0.2.1 - - [01/Mar/2026:12:00:10 +0000] "GET / HTTP/1.1" 200 1' >"$T/node"
  run --separate-stderr -0 score mergelogs "$T/node" "$T/old"
  [[ $stderr == *"$T/node: none of its 1 lines is of a connection: expected the log of a gateway"* ]]
  run -1 bash -c "'$BUILD/cbscore' mergelogs '$T/old' '$BATS_TEST_FILENAME' 2>&1 >/dev/full"
  [[ $output == *"No space left on device"* ]]
}

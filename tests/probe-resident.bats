#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbprobe --interval: a prober that stays.

load lib/helpers

# resident [cbprobe option]...: starts it in the background, its pid in $PROBER.
resident() {
  open_to_nobody "$T"
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v "$@"
  PROBER=$PID
}

passes() { grep -c 'checked [0-9]* of' "$T/probe.log" || true; }
passes_are_more_than() { [ "$(passes)" -gt "$1" ]; }
# Anonymous memory in kB, counted page by page: the figures of /proc/PID/status are only near it where each processor
# counts for itself.
rss() { awk '/^Anonymous:/ { print $2 }' "/proc/$PROBER/smaps_rollup"; }
no_process() { ! pgrep -P "$PROBER"; }

@test "a pass every --interval; changes of health and of the farm are seen between them; SIGTERM ends it at once, exit 0" {
  node a 4001 1
  resident --interval 50ms
  until_ok passes_are_more_than 3
  state_is 4001 up
  kill "$PID_a"
  gone "$PID_a"
  until_ok state_is 4001 down
  node_start a 4001 1
  until_ok state_is 4001 up
  # A node that was added meanwhile is in the next pass.
  score add "$ADDR, 4002, 1, 0"
  until_ok state_is 4002 down
  kill -TERM "$PROBER"
  wait "$PROBER"
}

@test "its memory stays the same, pass by pass" {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer keeps what was freed"
  for i in $(seq 200); do echo "127.0.1.$i, 4001, 1, 0" >>"$CONF"; done
  node a 4001 1
  resident --interval 50ms --notify true
  # The first passes find all of them down and tell of it.
  until_ok passes_are_more_than 5
  until_ok no_process
  before=$(rss) passed=$(passes)
  until_ok passes_are_more_than $((passed + 15))
  # And none of the 200 commands was taken for another that had ended.
  run ! grep 'killed by signal' "$T/probe.log"
  after=$(rss)
  echo "$before kB, then $after kB"
  [ "$after" -le $((before + 16)) ]
}

@test "the checks http and exec leave no descriptor, no memory and no process behind, pass by pass" {
  background "$T/web.log" python3 -m http.server --bind "$ADDR" --directory "$T" 8080
  until_ok is_listening "$ADDR:8080"
  cat >"$CONF" <<EOF
$ADDR, 8080, 1, 0, check=http://$ADDR:8080/
$ADDR, 8081, 1, 0, check=exec:/bin/true
$ADDR, 8082, 1, 0, check=exec:/bin/false
$ADDR, 8083, 1, 0, check=http://$ADDR:8083/
EOF
  resident --interval 100ms
  descriptors() { ls "/proc/$PROBER/fd" | wc -l; }
  descriptors_are_at_most() { [ "$(descriptors)" -le "$1" ]; }
  checks_no_node() { [[ $(grep 'checked [0-9]* of' "$T/probe.log" | tail -n 1) = *'checked 0 of 0 '* ]]; }
  # While a pass runs it has descriptors and memory of its own, and a slow machine has no moment between two passes. A
  # prober without nodes has none of these.
  without_nodes() {
    score remove "$ADDR":{8080,8081,8082,8083}
    until_ok checks_no_node
  }
  until_ok passes_are_more_than 8
  without_nodes
  before=$(rss) open=$(for _ in {1..5}; do descriptors; done | sort -n | head -n 1)
  score load -c "$CONF"
  passed=$(passes)
  until_ok passes_are_more_than $((passed + 20))
  state_is 8080 up
  state_is 8081 up
  state_is 8083 down
  without_nodes
  after=$(rss)
  echo "$before kB, then $after kB; $open descriptors, then $(descriptors)"
  until_ok descriptors_are_at_most "$open"
  until_ok no_process
  # A leak of a transfer or a command is some kB a pass.
  [ -n "${SANITIZE-}" ] || [ "$after" -le $((before + 32)) ]
}

@test "SIGTERM while a command of check=exec hangs: it ends at once, and the command with all that it has started" {
  printf '#!/bin/sh\ntrap "" TERM\nsleep 1000 &\necho $! $$ >%s/pids.new\nmv %s/pids.new %s/pids\nwait\n' "$T" "$T" "$T" >"$T/hang"
  chmod +x "$T/hang"
  echo "$ADDR, 4001, 1, 0, check=--slot --timeout 1h exec:$T/hang" >"$CONF"
  resident --interval 100ms
  until_ok test -e "$T/pids"
  read -r -a commands <"$T/pids"
  [ "$(score list -n -r -o busy)" = 1 ]
  kill -TERM "$PROBER"
  wait "$PROBER"
  for pid in "${commands[@]}"; do until_ok gone "$pid"; done
  # The prober's slot is taken back like that of any dead process.
  run -0 score reap
  [ "$(score list -n -r -o busy)" = 0 ]
}

@test "--file is loaded at the start and at SIGHUP; a list with an error changes nothing" {
  node a 4001 1
  score load >/dev/null
  node_line 4002 1
  resident --interval 50ms --file "$CONF"
  until_ok state_is 4002 down
  echo "$ADDR, 4003, 1, 0" >"$CONF"
  kill -HUP "$PROBER"
  until_ok state_is 4003 down
  [ -z "$(state_of 4001)" ]
  echo "$ADDR, 4004, none, 0" >>"$CONF"
  kill -HUP "$PROBER"
  until_ok grep -q 'not loaded, the nodes stay as they are' "$T/probe.log"
  grep -q 'nodes.conf:2: ' "$T/probe.log"
  before=$(passes)
  until_ok passes_are_more_than $((before + 1))
  state_is 4003 down
  [ -z "$(state_of 4004)" ]
}

@test "--file that names the list of another farm is an error that names both, and changes nothing" {
  node_line 4001 1
  score load >/dev/null
  echo "$ADDR, 4002, 1, 0" >"$T/other.conf"
  run -78 "$BUILD/cbprobe" -c "$CONF" --file "$T/other.conf"
  [[ $output == *"made from the node list $CONF, not from $T/other.conf: cbscore load --adopt gives it that one" ]]
  [ "$(score list -nr -o NODE)" = "$ADDR:4001" ]
}

@test "SIGTERM does not wait for a name server that does not answer, while a list is loaded" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a name server of its own"; fi
  background "$T/server.log" python3 -u -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('$ADDR', 53))
print('listens')
while True:
    s.recvfrom(600)
    print('asked')"
  until_ok grep -q listens "$T/server.log"
  printf 'nameserver %s\noptions timeout:5 attempts:5\n' "$ADDR" >"$T/resolv.conf"
  printf 'hosts: files dns\n' >"$T/nsswitch.conf"
  background "$T/probe.log" unshare -m bash -c "mount --bind '$T/resolv.conf' /etc/resolv.conf &&
    mount --bind '$T/nsswitch.conf' /etc/nsswitch.conf && exec '$BUILD/cbprobe' -v --file '$CONF' --interval 50ms"
  PROBER=$PID
  until_ok passes_are_more_than 1
  echo 'slow.test, 4001, 1, 0' >"$CONF"
  kill -HUP "$PROBER"
  until_ok grep -q asked "$T/server.log"
  kill -TERM "$PROBER"
  wait "$PROBER"
  # The prober ended in the middle of the load: the list was not loaded.
  run ! grep -q '1 added' "$T/probe.log"
  [ -z "$(score list -n)" ]
}

@test "SIGHUP without --file does no harm" {
  node a 4001 1
  resident --interval 50ms
  until_ok passes_are_more_than 1
  kill -HUP "$PROBER"
  until_ok grep -q 'SIGHUP: nothing to load' "$T/probe.log"
  before=$(passes)
  until_ok passes_are_more_than $((before + 1))
}

@test "a pass longer than --interval leaves others out, and says so once" {
  node_line 4001 1
  score load >/dev/null
  # A node that is up and fails is tried again a second later, so such a pass takes longer than this pass.
  resident --interval 100ms --fall 1000
  until_ok passes_are_more_than 2
  [ "$(grep -c 'took longer than --interval 100ms' "$T/probe.log")" = 1 ]
}

@test "what keeps nodes from being checked is told once, when it changes, and when it has come back" {
  local line count
  cat >"$CONF" <<EOF
$ADDR, 4001, 1, 0, check=exec:$T/no/such
$ADDR, 4002, 1, 0, check=chat:$T/no/chat
$ADDR, 4003, 1, 0, check=https://%n/ --ca=$T/no/ca
$ADDR, 4004, 1, 0, check=http://%n/, check-proxy=v2
$ADDR, 4005, 1, 0, check=http://%n/, check-proxy=v2
EOF
  node a 4006 1
  resident --interval 50ms --file "$CONF"
  # Each pass prints a sum at its end: so many passes have said everything.
  more_passes() { count=$(passes) && until_ok passes_are_more_than $((count + $1)); }
  said() { lines_with "$T/probe.log" "$1"; }
  more_passes 5
  for line in "exec:$T/no/such" "chat:$T/no/chat\": No such file" "no/ca: No such file" \
    "2 of 3 nodes cannot be checked from here ($ADDR:4004: Protocol not supported: check-proxy=v2)"; do
    [ "$(said "$line")" = 1 ] || { echo "$line"; cat "$T/probe.log"; return 1; }
  done
  # Another error of the same file is another line.
  mkdir "$T/no"
  echo 'say hello' >"$T/no/chat"
  until_ok lines_with_are "$T/probe.log" "$T/no/chat:1: " 1
  more_passes 3
  [ "$(said "$T/no/chat:1: ")" = 1 ]
  # The file is gone for a pass, and comes back.
  printf '#!/bin/sh\n' >"$T/no/such"
  chmod +x "$T/no/such"
  until_ok grep -q "$ADDR:4001: exec: answered" "$T/probe.log"
  rm "$T/no/such"
  until_ok lines_with_are "$T/probe.log" "exec:$T/no/such.*No such file" 2
  more_passes 3
  [ "$(said "exec:$T/no/such.*No such file")" = 2 ]
  # Nor was anything said of the other nodes meanwhile.
  [ "$(said "no/ca: No such file")" = 1 ]
}

@test "a service manager is told: ready after the first pass, status, the watchdog's beat, reloading, stopping" {
  node a 4001 1
  background "$T/manager.log" python3 -u -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('$T/notify')
print('listens')
while True: print(s.recv(1000).decode())"
  until_ok grep -q listens "$T/manager.log"
  NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=200000 resident --interval 100ms --file "$CONF" --notify 'env >"$OUT"'
  until_ok grep -q '^READY=1' "$T/manager.log"
  until_ok passes_are_more_than 0
  until_ok grep -q '^STATUS=1 of 1 nodes up' "$T/manager.log"
  until_ok grep -q '^WATCHDOG=1' "$T/manager.log"
  kill -HUP "$PROBER"
  until_ok grep -q '^MONOTONIC_USEC=' "$T/manager.log"
  kill "$PROBER"
  wait "$PROBER"
  until_ok grep -q '^STOPPING=1' "$T/manager.log"
}

@test "an error ends it, half a second later" {
  echo 'no list' >"$CONF"
  begun=$(date +%s%N)
  run --separate-stderr -78 "$BUILD/cbprobe" -c "$CONF" --interval 1s
  # At least that long, however slow the machine is.
  [ $(($(date +%s%N) - begun)) -ge 500000000 ]
  run --separate-stderr -64 "$BUILD/cbprobe" --interval 1ms
  [[ $stderr == *'"1ms"'* ]]
  run --separate-stderr -64 "$BUILD/cbprobe" --interval 1s --jitter 1s
  [[ $stderr == *'--jitter: expected less than --interval'* ]]
}

@test "a scoreboard that is removed is put back, and what it finds is heard of" {
  node a 4001 1
  resident --interval 50ms
  until_ok passes_are_more_than 1
  rm "$SCOREBOARD"
  until_ok grep -q "scoreboard.tdb: was removed while it was in use; put back with 1 node" "$T/probe.log"
  kill "$PID_a"
  gone "$PID_a"
  until_ok state_is 4001 down
  kill -TERM "$PROBER"
  wait "$PROBER"
}

@test "a scoreboard that root makes with --user in a folder of root's has root as owner and the user's group, which can use it" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to become somebody else"; fi
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "${T%/*}" "$T" 2>/dev/null || true
  node a 4001 1
  rm -f "$SCOREBOARD"
  probe --user nobody
  [ "$(stat -c %U:%G:%a "$SCOREBOARD")" = "root:$(id -gn nobody):660" ]
  entrance alone --user nobody -s "$SCOREBOARD"
  # It listens before it becomes that user.
  until_ok eval '[ "$(stat -c %U "/proc/$GATE_PID")" = nobody ]'
  client --line "sleep 1" --expect line
}

# jail FILE...: puts programs, and the libraries that they need, into the folder that becomes the root directory.
jail() {
  local file
  for file in "$@" $(ldd "$@" 2>/dev/null | grep -o '/[^ :]*' | sort -u); do
    mkdir -p "$T/jail${file%/*}"
    cp -L "$file" "$T/jail$file"
  done
}

@test "with --chroot neither a command that checks nor one of --notify needs /dev/null in the folder" {
  if [ "$(id -u)" != 0 ]; then skip "needs root"; fi
  node_line 4001 1
  sed -i 's|$|, check=exec:/check|' "$CONF"
  jail /bin/sh
  # It reads nothing, what it writes to standard error is lost, and only then it is satisfied.
  printf '%s\n' '#!/bin/sh' 'echo lost >&2 || exit 2' 'read -r line && exit 2' 'echo found' 'exit 1' >"$T/jail/check"
  chmod 755 "$T/jail/check"
  score load >/dev/null
  # A sanitizer that looks for leaks at the end would need /proc there.
  ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  export ASAN_OPTIONS
  run -0 --separate-stderr probe -v --chroot "$T/jail"
  [[ $stderr == *"$ADDR:4001: exec: answered: found"* ]] || { echo "$stderr"; return 1; }
  [ ! -e "$T/jail/dev/null" ]
  printf '%s\n' '#!/bin/sh' 'exit 2' >"$T/jail/check"
  # shellcheck disable=SC2016 # for the shell in the folder
  run -0 probe --chroot "$T/jail" --notify 'read -r line || echo "$COREBALANCE_STATE" >>/told'
  [ "$(cat "$T/jail/told")" = down ]
}

@test "--user and --chroot give up what root may; others are told that only root can" {
  if [ "$(id -u)" != 0 ]; then
    run --separate-stderr -77 "$BUILD/cbprobe" -c "$CONF" --chroot /
    [[ $stderr == *'only root can do that'* ]]
    skip "the rest needs root"
  fi
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "${T%/*}" "$T" 2>/dev/null || true
  node a 4001 1
  mkdir -p "$T/jail/etc"
  cp "$CONF" "$T/jail/etc/farm.conf"
  resident --interval 50ms --user nobody --chroot "$T/jail" --file /etc/farm.conf
  until_ok passes_are_more_than 2
  [ "$(stat -c %U "/proc/$PROBER")" = nobody ]
  [ "$(readlink "/proc/$PROBER/root")" = "$T/jail" ]
  awk '/^(Uid|Gid|Groups):/ { for (i = 2; i <= NF; i++) if ($i == 0) exit 1 }' "/proc/$PROBER/status"
  [ "$(awk '/^CapEff:/ { print $2 }' "/proc/$PROBER/status")" = 0000000000000000 ]
  state_is 4001 up
  kill "$PID_a"
  gone "$PID_a"
  until_ok state_is 4001 down
  # The node list is the file inside of the root, the scoreboard the file outside.
  echo "$ADDR, 4002, 1, 0" >>"$T/jail/etc/farm.conf"
  kill -HUP "$PROBER"
  until_ok state_is 4002 down
  # The prober meets the damage and cannot rebuild the scoreboard. A process outside of its root does.
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" noise farm
  until_ok grep -q 'damaged, and cannot be rebuilt from here' "$T/probe.log"
  run -0 --separate-stderr score list
  [[ $stderr == *"was damaged; rebuilt with"* ]]
  node_start a 4001 1
  until_ok state_is 4001 up
  lines_with_are "$T/probe.log" 'cannot be rebuilt from here' 1
  run --separate-stderr -77 setpriv --reuid nobody --clear-groups "$BUILD/cbprobe" -c "$CONF" -s "$T/none.tdb" --user root
  run --separate-stderr -78 "$BUILD/cbprobe" -c "$CONF" --user nobody-of-that-name
  [[ $stderr == *'"nobody-of-that-name": expected the name of a user'* ]]
  run --separate-stderr -78 "$BUILD/cbprobe" -c "$CONF" --chroot "$T/no-such-folder"
  [[ $stderr == *"--chroot: \"$T/no-such-folder\": No such file or directory"* ]]
  run --separate-stderr -78 "$BUILD/cbprobe" -c "$CONF" --chroot "$CONF"
  [[ $stderr == *"--chroot: \"$CONF\": Not a directory"* ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# check=exec:, with Debian's monitoring plugins, and with hostile commands.

load lib/helpers

setup() {
  farm_setup
  open_to_nobody "$T"
}

teardown() {
  local pid
  for pid in $(marked); do kill -9 "$pid" 2>/dev/null; done
  farm_teardown
}

PLUGINS=/usr/lib/nagios/plugins

reason_of() { score list -nr -o NODE,REASON | awk -v n="$ADDR:$1" '$1 == n { print $2 }' | sed 's/\\x20/ /g'; }

# plugin NAME: makes a bash command in $T from standard input.
plugin() {
  { echo '#!/bin/bash'; cat; } >"$T/$1"
  chmod +x "$T/$1"
}

# The processes of commands, or left by commands: those with a node in their environment.
marked() { grep -lszF "COREBALANCE_NODE=$ADDR:" /proc/[0-9]*/environ | cut -d/ -f3; }
nothing_is_left() { [ -z "$(marked)" ]; }
exists() { [ -e "$1" ]; }

@test "monitoring plugins: check_tcp and check_http find what is there and what is not" {
  background "$T/web.log" python3 -m http.server --bind "$ADDR" --directory "$T" 8080
  until_ok is_listening "$ADDR:8080"
  cat >"$CONF" <<EOF
$ADDR, 8080, 1, 0, check=exec:$PLUGINS/check_tcp -H %a -p %p
$ADDR, 4001, 1, 0, check=exec:$PLUGINS/check_tcp -H %h -p %p
$ADDR, 4002, 1, 0, check=exec:$PLUGINS/check_http -I %a -p 8080 -u "/nodes.conf"
$ADDR, 4003, 1, 0, check=exec:$PLUGINS/check_http -I %a -p 8080 -u /missing
$ADDR, 4004, 1, 0, check=exec:$PLUGINS/check_http -I %a -p 8080 -u /missing -e "HTTP/1.0 404" -N
EOF
  run -0 probe
  state_is 8080 up
  state_is 4001 down
  [[ $(reason_of 4001) == "check command says down: "*refused* ]]
  state_is 4002 up
  [ -z "$(reason_of 4002)" ]
  # A warning, by the plugin's convention for 4xx: the node is up, and the warning is shown.
  state_is 4003 up
  [[ $(reason_of 4003) == "HTTP WARNING: "*"404 File not found"* ]]
  state_is 4004 up
  nothing_is_left
}

@test "0 is up, 1 up with a warning, 2 down, each with the first line; a warning goes when it is over" {
  plugin code <<<'read -r code line <"$1"; printf "%s|a=1\nsecond line\n" "$line"; exit "$code"'
  node_line 4001 1 "check=exec:$T/code $T/says"
  echo '1 DISK WARNING - 91% full' >"$T/says"
  run -0 probe -v
  [[ $output == *"$ADDR:4001: exec: answered: DISK WARNING - 91% full after"* ]]
  [ "$(reason_of 4001)" = "DISK WARNING - 91% full" ]
  echo '2 DISK CRITICAL - full' >"$T/says"
  run -0 probe
  [[ $output == *"$ADDR:4001 is down: check command says down: DISK CRITICAL - full (was up"* ]]
  echo '0 DISK OK' >"$T/says"
  run -0 probe
  state_is 4001 up
  [ -z "$(reason_of 4001)" ]
}

@test "any other end tells nothing, whatever the node's state" {
  plugin end <<<'read -r what <"$1"; eval "$what"'
  node_line 4001 1 "check=exec:$T/end $T/what"
  ends() { # WHAT SAID
    echo "$1" >"$T/what"
    run -0 probe -v --fall 1
    [[ $output == *"$ADDR:4001: exec: check command cannot tell: $2 after"* ]] || { echo "$output"; return 1; }
  }
  for state in up down; do
    ends 'echo hm; exit 3' "hm"
    ends 'echo odd; exit 17' "exit status 17: odd"
    ends 'kill -9 $$' "killed by SIGKILL"
    ends 'kill -SEGV $$' "killed by SIGSEGV"
    state_is 4001 "$state"
    echo 'exit 2' >"$T/what"
    probe --fall 1
  done
}

@test "a command that is missing: its nodes are left as they are, which is said" {
  node_line 4001 1 "check=exec:$T/missing %a"
  node_line 4002 1 "check=exec:$CONF"
  node 4003 4003 1
  run -0 probe
  [ "${#lines[@]}" = 2 ]
  [[ $output == *"$T/missing: No such file or directory; its nodes are left as they are"* ]]
  [[ $output == *"$CONF: Permission denied; its nodes are left as they are"* ]]
  printf 'no program' >"$T/missing"
  chmod +x "$T/missing"
  run -0 probe -v
  [[ $output == *"check command cannot tell: not run: Exec format error"* ]]
  state_is 4001 up
}

@test "words, quotes, placeholders and environment; no shell, no input, no descriptors, default signals" {
  cat >"$T/look" <<'EOF'
#!/usr/bin/python3
import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python itself ignores it
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
fds = sorted(fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd))
with open(sys.argv[0] + ".seen", "w") as seen, open("/proc/self/status") as status:
    print(*sys.argv[1:], sep=":", file=seen)
    names = [name for name in sorted(os.environ) if name.startswith("COREBALANCE_") and not name.endswith("SCOREBOARD")]
    print(*(name + "=" + os.environ[name] for name in names), file=seen)
    print("input:", sys.stdin.read(), "descriptors:", *fds, file=seen)
    print("leader:", os.getpgrp() == os.getpid(), file=seen)
    masks = [int(line.split()[1], 16) for line in status if line.startswith(("SigBlk", "SigIgn"))]
    own = 3 << 31  # signals 32 and 33 are the C library's own: no program can touch them, and make leaves them ignored
    print(*("%x" % (mask & ~own) for mask in masks), file=seen)
print("noise", file=sys.stderr)
EOF
  chmod +x "$T/look"
  cat >"$CONF" <<EOF
$ADDR, 4001, 1, 0, check=exec:$T/look "a  b" 'c "%%d' \$HOME;e %n/%h/%a/%p
EOF
  run -0 env COREBALANCE_PORT=1 --ignore-signal=PIPE "$BUILD/cbprobe" -c "$CONF"
  [ -z "$output" ]
  cat "$T/look.seen"
  readarray -t seen <"$T/look.seen"
  [ "${seen[0]}" = "a  b:c \"%d:\$HOME;e:$ADDR:4001/$ADDR/$ADDR/4001" ]
  [ "${seen[1]}" = "COREBALANCE_ADDRESS=$ADDR COREBALANCE_HOST=$ADDR COREBALANCE_NODE=$ADDR:4001 COREBALANCE_PORT=4001" ]
  [ "${seen[2]}" = "input:  descriptors: 0 1 2" ]
  [ "${seen[3]}" = "leader: True" ]
  [ "${seen[4]}" = "0 0" ]
}

@test "a command that is late is ended with all it has started, and nothing is left" {
  plugin hang <<'EOF'
trap '' TERM
(trap '' TERM; sleep 1000) &
sleep 1000 &
echo begun
while :; do sleep 1000; done
EOF
  node_line 4001 1 "check=--timeout 1s exec:$T/hang"
  node 4002 4002 1
  run -0 probe -v
  # The other node's check was not delayed.
  [[ ${lines[0]} == *"$ADDR:4002: tcp: answered"* ]]
  [[ $output == *"$ADDR:4001: exec: check command cannot tell: not done in time"* ]]
  state_is 4001 up
  nothing_is_left
}

@test "what a command leaves in the background is ended, and its open output holds up no check" {
  plugin leave <<<'sleep 1000 & sleep 1000 & echo gone; exit 2'
  node_line 4001 1 "check=--timeout 1min exec:$T/leave"
  run -0 probe --fall 1
  [[ $output == *"check command says down: gone"* ]]
  nothing_is_left
}

@test "a guard that is killed ends nothing but itself" {
  plugin wait <<'EOF'
touch "$0.begun"
until [ -e "$0.word" ]; do sleep 0.02; done
echo well
exit 1
EOF
  local pid guard
  node_line 4001 1 "check=--timeout 5min exec:$T/wait"
  # SIGPIPE as make or a terminal sets it; systemd ignores it.
  background "$T/probe.log" env --default-signal=PIPE "$BUILD/cbprobe" -v -c "$CONF"
  until_ok exists "$T/wait.begun"
  for pid in $(ps -o pid= --ppid "$PID"); do
    if [ "/proc/$pid/exe" -ef "$BUILD/cbprobe" ]; then guard=$pid; fi
  done
  kill -9 "$guard"
  gone "$guard"
  touch "$T/wait.word"
  wait "$PID"
  grep -q "$ADDR:4001: exec: answered: well" "$T/probe.log"
  state_is 4001 up
}

@test "when cbprobe is ended, by whatever, so is all that it has started" {
  plugin hang <<'EOF'
trap '' TERM HUP INT
touch "$0.$COREBALANCE_PORT"
sleep 1000 &
sleep 1000
EOF
  local signal port
  for port in 4001 4002 4003; do node_line "$port" 1 "check=--timeout 5min exec:$T/hang"; done
  for signal in TERM INT KILL; do
    rm -f "$T"/hang.*
    # A terminal's Ctrl-C does not reach a background process of a shell without job control.
    background "$T/probe.log" env --default-signal=INT "$BUILD/cbprobe" -c "$CONF"
    for port in 4001 4002 4003; do until_ok exists "$T/hang.$port"; done
    run ! nothing_is_left
    kill "-$signal" "$PID"
    until_ok nothing_is_left
  done
}

@test "--slot: the command's work is none on top of the node's cores" {
  plugin wait <<<"until [ -e '$T/seen' ]; do sleep 0.02; done"
  node_line 4001 1 "check=--slot --timeout 60s exec:$T/wait"
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v
  until_ok busy_is 1
  [[ $(score slots -n) == *"$ADDR:4001"*cbprobe* ]]
  : >"$T/seen"
  wait "$PID"
  grep -q "$ADDR:4001: exec: answered" "$T/probe.log"
  busy_is 0
}

@test "with few descriptors the commands take turns" {
  local i
  for i in $(seq 100); do node_line $((4000 + i)) 1 "check=exec:/bin/true"; done
  run -0 prlimit --nofile=44 "$BUILD/cbprobe" -c "$CONF" -v --jobs 100
  [ "$(grep -c 'exec: answered' <<<"$output")" = 100 ]
}

@test "10 MB of output, control characters and a line without end are borne" {
  plugin flood <<<'yes "$(printf "x\033[31m%.0s" {1..200})" | head -c 10000000; exit 2'
  plugin endless <<<'tr "\0" y </dev/zero | head -c 10000000; exit 1'
  node_line 4001 1 "check=--timeout 1min exec:$T/flood"
  node_line 4002 1 "check=--timeout 1min exec:$T/endless"
  run -0 probe --fall 1
  [[ $(reason_of 4001) == "check command says down: x.[31mx.[31m"* ]]
  [[ $(reason_of 4002) == yyyyyyyy* ]]
  [ "$(reason_of 4002 | wc -c)" -le 80 ]
  nothing_is_left
}

@test "a bad command is an error of the node list" {
  node_line 4001 1 'check=exec:check_tcp'
  node_line 4002 1 'check=exec:/bin/echo "open'
  node_line 4003 1 'check=exec:/bin/date +%s'
  node_line 4004 1 'check=exec:'
  node_line 4005 1 'check=exec:/bin/date +%%s \" "a b" %n'
  run -78 score validate "$CONF"
  [ "${#lines[@]}" = 5 ]
  [[ ${lines[0]} == *"expected an absolute path as the command"* ]]
  [[ ${lines[1]} == *"expected an end of what is quoted"* ]]
  [[ ${lines[2]} == *"expected %n, %h, %a, %p or %%"* ]]
  [[ ${lines[3]} == *"expected something behind exec:"* ]]
  [ "${lines[4]}" = 'cbscore: 4 errors; nothing is changed' ]
}

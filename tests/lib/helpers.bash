# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # variables are for the tests
#
# helpers.bash: a farm for each test. Every test has a loopback address of its own,
# so ports are plain numbers and tests may run side by side. A test starts nodes
# and entrances on it, and ends by pid what it started.
#
# "load lib/helpers" gives a file its setup and teardown. A file that needs more
# defines its own, which call farm_setup and farm_teardown.

bats_require_minimum_version 1.5.0
# `run` with a flag asks each time whether the line above stands there. bats 1.8.2 asks in a loop over i: so each `run -0`
# gave a test's own i another value.
bats_warn_minimum_guaranteed_version() { :; }
LIB=${BASH_SOURCE[0]%/*}
: "${BUILD:=$PWD/build}" "${VERSION:=$(sed -n 's/^VERSION *:= *//p' "$LIB/../../GNUmakefile")}"
CLIENT=$BUILD/tests/cbtest-client
NODE=$BUILD/tests/cbtest-node

setup() { farm_setup; }
teardown() { farm_teardown; }

# ---- no test passes because a command is missing ----

# A command that was not found (status 127), or cannot be executed (126), fails the test at its end, also where the
# test expects a failure, or looks only at another command's status.

# missing TEXT: notes it for commands_were_found.
missing() { echo "$1" >>"${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}.missing"; }

# Called by bash in place of a command that PATH does not have; also in bash scripts that a test runs.
command_not_found_handle() {
  echo "$1: command not found" >&2
  missing "$1"
  return 127
}
export -f missing command_not_found_handle

# Called if a command's status, or that of a part of a pipe, is 126 or 127, also behind !, in a pipe, and in a condition.
# `run -127` expects such a status; wait has it for a process that is not its child.
command_earlier='' command_before='' missed=''
look_at_statuses() { # STATUSES
  if [[ $command_before != wait* && ${expected_rc-} != 12[67] && "$1 of $command_before" != "$missed" ]]; then
    missed="$1 of $command_before"
    missing "status $missed"
  fi
}
# Before each command, below; and at the end of a function, where no command follows.
trap 'case ${PIPESTATUS[*]} in *12[67]*) look_at_statuses "${PIPESTATUS[*]}" ;; esac' RETURN

# bats has a function of its own for the moment before each command, which notes the stack of calls for its message when a
# command fails. That costs more than most commands of a test. bash 5.2 knows the stack in the trap of ERR, too: it is noted
# there, once. A test that ends without a failed command, by exit or by a variable that is not set, has no stack then, but
# its last command.
if [[ ${BATS_VERSION-} == 1.8.2 ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 502)); then
  bats_setup_tracing() {
    exec 4<&1
    BATS_ERROR_SUFFIX='' BATS_DEBUG_LAST_STACK_TRACE=()
    trap 'case ${PIPESTATUS[*]} in *12[67]*) look_at_statuses "${PIPESTATUS[*]}" ;; esac
      command_earlier=$command_before command_before=$BASH_COMMAND' DEBUG
    trap bats_error_trap ERR
  }
  # bats has begun with the setup and teardown of a file before it has read this.
  bats_debug_trap() { bats_setup_tracing; }

  stack_of_failure=()
  bats_error_trap() {
    bats_check_status_from_trap
    local i
    [ ${#stack_of_failure[@]} = 0 ] || return 0
    for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
      [[ ${BASH_SOURCE[i]} != "$BATS_ROOT"/libexec/* ]] || break
      stack_of_failure+=("${BASH_LINENO[i - 1]} ${FUNCNAME[i]} ${BASH_SOURCE[i]:-$BATS_TEST_SOURCE}")
      case ${FUNCNAME[i]} in
      "${BATS_TEST_NAME-}" | setup | teardown | setup_file | teardown_file | setup_suite | teardown_suite) break ;;
      source) [[ ${BASH_SOURCE[i + 1]-} != *bats-exec-file ]] || break ;;
      esac
    done
  }
  bats_get_failure_stack_trace() { # ARRAY
    local -n ret=$1
    ret=("${stack_of_failure[@]}")
    if [ ${#ret[@]} -gt 0 ]; then return 0; fi
    if [ -n "${BATS_TEST_COMPLETED-}" ]; then echo "# its teardown failed" >&3; else echo "# its last command: $command_earlier" >&3; fi
  }

  # The clock of bats without a process.
  get_mills_since_epoch() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
elif [[ $(declare -f bats_debug_trap) =~ ^([^{]*\{)(.*)$ && ${BASH_REMATCH[2]} != *look_at_statuses* ]]; then
  eval "${BASH_REMATCH[1]}"'
    [[ ${PIPESTATUS[*]} != *12[67]* ]] || look_at_statuses "${PIPESTATUS[*]}"
    command_before=$BASH_COMMAND
    '"${BASH_REMATCH[2]}"
fi

# SIGINT ends a test at once, but not its teardown. If it comes between two commands, bats would begin the next, which may
# take long.
if [ -n "${BATS_TEST_NAME-}" ]; then
  bats_interrupt_trap() {
    BATS_INTERRUPTED=true
    BATS_ERROR_STATUS=130
    if [ -z "${BATS_TEARDOWN_STARTED-}" ]; then exit 130; fi
  }
fi

# Part of every teardown.
commands_were_found() {
  local file
  for file in "$BATS_TEST_TMPDIR.missing" "$BATS_FILE_TMPDIR.missing"; do
    if [ -e "$file" ]; then
      sed 's/^/not found, or not to be executed: /' "$file"
      return 1
    fi
  done
}

# ---- the farm ----

farm_setup() {
  T=$BATS_TEST_TMPDIR
  ADDR=127.$((RANDOM % 254 + 1)).$((RANDOM % 256)).$((RANDOM % 254 + 1))
  GATE=$ADDR:3632
  CONF=$T/nodes.conf
  SCOREBOARD=$T/scoreboard.tdb
  export COREBALANCE_SCOREBOARD=$SCOREBOARD
  PIDS=() FOLDERS=() BEGAN=()
  : >"$CONF"
}

# hidepid_wrapper [1]: makes $T/hidepid, which runs a command where /proc shows a user only processes that hide nothing;
# with 1, it shows of the others that they are there.
hidepid_wrapper() {
  cat >"$T/hidepid" <<END
#!/bin/bash
exec unshare --mount bash -c 'mount -t proc -o hidepid=${1:-2} proc /proc && exec "\$@"' bash "\$@"
END
  chmod +x "$T/hidepid"
}

# open_to_nobody FOLDER: the user nobody can run programs and write there. A test that runs as root needs this for commands
# of check=exec, which never run as root.
open_to_nobody() {
  local dir=$1
  if [ "$(id -u)" = 0 ]; then
    chmod 1777 "$dir"
    while [ "$dir" != / ]; do
      chmod o+x "$dir"
      dir=$(dirname "$dir")
    done
  fi
}

# Ends the processes that the test started, and removes its folders. It is the last command of a teardown: its status is
# that of commands_were_found.
farm_teardown() {
  local pid
  end_started
  for pid in "${PIDS[@]}"; do
    if ! PATIENCE=5 gone "$pid" && is_running "$pid"; then kill -9 "$pid" 2>/dev/null && gone "$pid"; fi
  done
  # Relays of a listener that was killed have no parent to end them.
  if [ -e "${SCOREBOARD-}" ]; then
    for pid in $(pids_holding "$SCOREBOARD"); do kill -9 "$pid" 2>/dev/null; done
  fi
  if [ -n "${SMALL_RUN-}" ]; then umount "$SMALL_RUN"; fi
  if [ ${#FOLDERS[@]} -gt 0 ]; then rm -rf "${FOLDERS[@]}"; fi
  commands_were_found
}

# small_run [SIZE]: a file system of its own for the scoreboard, with room for little more.
small_run() {
  if [ "$(id -u)" != 0 ]; then skip "needs root to mount a small file system"; fi
  mkdir "$T/run"
  mount -t tmpfs -o size="${1:-4m}" none "$T/run"
  SMALL_RUN=$T/run
  export COREBALANCE_SCOREBOARD=$T/run/scoreboard.tdb
  SCOREBOARD=$COREBALANCE_SCOREBOARD
}

# fill_run: fills that file system, until the test removes $T/run/ballast.
fill_run() { dd if=/dev/zero of="$T/run/ballast" bs=4k 2>/dev/null || true; }

# pids_holding FILE: the pids of the processes that have the file open, a line each, by /proc. A test may have a BUILD of its
# own, without this tool.
HOLDERS=$BUILD/tests/cbtest-holders
pids_holding() { "$HOLDERS" "$1"; }

# nap SECONDS: sleep without a process. NEVER is a pipe in which there is never anything to read.
NEVER=${BATS_RUN_TMPDIR-}/never
[ -p "$NEVER" ] || mkfifo "$NEVER"
nap() { read -rt "$1" <>"$NEVER" || true; }

# until_ok COMMAND...: runs it until it succeeds. After $PATIENCE seconds [120] it fails: a machine that works needs
# less, however busy. The pauses become longer: each look costs time of the processor that others want.
until_ok() {
  local end=$((SECONDS + ${PATIENCE:-120})) msec=20 pause seen
  until if [[ $# == 4 && $1 == grep ]]; then grep_anew "$@"; else "$@"; fi >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then
      echo "gave up waiting for: $*" >&2
      what_there_is >&2
      return 1
    fi
    printf -v pause 0.%03d $msec
    nap "$pause"
    msec=$((msec < 200 ? msec * 3 / 2 : 300))
  done
}

# What the farm of the test looks like, and what its processes have said last.
what_there_is() {
  local log verb
  if [ ! -e "${SCOREBOARD-}" ]; then return; fi
  for verb in list slots queue; do
    echo "-- cbscore $verb"
    timeout 10 "$BUILD/cbscore" -c "$CONF" $verb || true
  done
  for log in "$T"/*.log; do
    if [ -s "$log" ]; then echo "-- $log"; tail -n 20 "$log"; fi
  done
}

# grep_anew grep OPTION PATTERN FILE: for until_ok, whose last look found the text $seen. A file that has not changed needs
# no grep, and a pattern that is plain text, perhaps at the begin of a line, needs none at all. Text ends at a NUL here.
grep_anew() {
  local text=''
  if [ -f "$4" ] && ! IFS= read -rd '' text <"$4"; then
    if [[ $2 == -q && $3 =~ ^\^?[[:alnum:]_][[:alnum:]_\ :,/=-]*$ ]]; then
      [[ $'\n'$text == *"${3/#^/$'\n'}"* ]]
      return
    fi
    if [[ -v seen && $text == "$seen" ]]; then return 1; fi
    seen=$text
  fi
  "$@"
}

# ---- processes ----

# The kernel gives the pid of a process that has ended to another process, on a busy machine within minutes. So a process
# is known by its pid and by when it began: a test waits for no stranger, and ends none.

# look_at PID: STATE is the letter of the process' state, BEGIN when it began, in ticks since the boot (proc(5)). Fails if
# there is no such process.
look_at() {
  local line
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The name before these fields may have spaces in it.
  # shellcheck disable=SC2086 # a list of fields
  set -- ${line##*) }
  STATE=$1 BEGIN=${20}
}

# started PID: the test has started this process. It is ended with the test.
started() {
  PIDS+=("$1")
  if look_at "$1"; then BEGAN[$1]=$BEGIN; else BEGAN[$1]=ended; fi
}

# is_running PID: the process has not ended. A zombie, for which its parent has not waited yet, has ended. A process that
# the test did not start is known from the first look at it.
is_running() { look_at "$1" && [[ $STATE != Z && ${BEGAN[$1]:=$BEGIN} == "$BEGIN" ]]; }

# gone PID: waits until the process has ended.
gone() {
  local end=$((SECONDS + ${PATIENCE:-120}))
  while is_running "$1"; do
    [ $SECONDS -lt $end ] || return 1
    nap 0.02
  done
}

# end_started: asks all processes that the test started to end, those also that are stopped.
end_started() {
  local pid
  for pid in "${PIDS[@]}"; do
    if is_running "$pid"; then kill -CONT "$pid" 2>/dev/null; kill "$pid" 2>/dev/null; fi
  done
  return 0
}

# background LOG COMMAND...: starts the command; its pid is in $PID, and its output in LOG, a file that is there by then.
background() {
  local log=$1
  shift
  {
    "$@" </dev/null 2>&1 3>&- &
  } >"$log"
  PID=$!
  started "$PID"
}

# node NAME PORT CORES [cbtest-node option]...: starts a node and adds its line to the list. A node that gets more than CORES
# connections writes VIOLATION to its log.
node() {
  node_start "$@"
  node_line "$2" "$3"
}

node_start() {
  local name=$1 port=$2 cores=$3
  shift 3
  background "$T/$name.log" "$NODE" --name "$name" --max "$cores" --report "$T/$name.report" "$@" "$ADDR:$port"
  printf -v "PID_$name" %s "$PID"
  until_ok grep -q ^PORT "$T/$name.log"
}

# full_node PORT [ADDRESS]: a node with a full backlog, which answers no connect. The test writes its line in the list.
full_node() {
  background "$T/full.log" python3 -c "
import socket, time
place = ('${2:-$ADDR}', $1)
s = socket.socket(); s.bind(place); s.listen(0)
held = [socket.socket() for _ in range(4)]
for h in held:
    h.setblocking(False); h.connect_ex(place)
print('full', flush=True); time.sleep(600)"
  until_ok grep -q full "$T/full.log"
}

# python_node NAME [RECEIVE-BUFFER] <<END: a node at port 4001 that does what the Python on standard input does with its
# socket s; it writes to $T/NAME.log by say(). The test writes its line in the list.
python_node() {
  background "$T/$1.log" python3 -c "
import ctypes, os, socket, struct, threading, time
def say(*words): print(*words, flush=True)
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if '${2-}': s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int('${2-}'))
s.bind(('$ADDR', 4001)); s.listen(8); say('ready')
$(cat)"
  until_ok grep -q ready "$T/$1.log"
}

node_line() { echo "$ADDR, $1, $2, 0${3:+, $3}" >>"$CONF"; }

# node_report NAME: the node's report. The old file is removed first, so the report is of now.
node_report() {
  local pid=PID_$1
  rm -f "$T/$1.report"
  kill -USR1 "${!pid}"
  until_ok test -e "$T/$1.report"
  cat "$T/$1.report"
}

# No node ever had more connections than cores.
nodes_never_overfilled() {
  heard grep -sH VIOLATION "$T"/*.log
  [ ${#HEARD[@]} = 0 ] || { printf '%s\n' "${HEARD[@]}" && return 1; }
}

# way_in WAY ADDRESS:PORT COMMAND...: COMMAND runs cbrelay. The array WAY_IN is the command that starts it at that place.
#   listener     systemd passes the listening socket
#   connection   systemd passes each connection (Accept=yes)
#   inetd        each connection is standard input
#   alone        from the command line
way_in() {
  local way=$1 place=$2
  local activate=(systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -E UBSAN_OPTIONS -l "$place")
  shift 2
  case $way in
  listener) WAY_IN=("${activate[@]}" "$@") ;;
  connection) WAY_IN=("${activate[@]}" --accept "$@") ;;
  inetd) WAY_IN=("${activate[@]}" --accept --inetd "$@") ;;
  alone) WAY_IN=("$@" "$place") ;;
  esac
}

# entrance WAY [cbrelay option]...: clients find the farm at $GATE. $WRAPPER is a command that runs cbrelay.
entrance() {
  local way=$1
  shift
  # shellcheck disable=SC2086  # WRAPPER is a command
  way_in "$way" "$GATE" ${WRAPPER:-} "$BUILD/cbrelay" -c "$CONF" "$@"
  background "$T/relay.log" "${WAY_IN[@]}"
  GATE_PID=$PID
  until_ok is_listening "$GATE"
  # The listener listens before it makes the scoreboard. A test that reads the scoreboard needs it now.
  [ "$way" != alone ] || PATIENCE=10 until_ok test -e "$SCOREBOARD" || true
}

# without_library NAME COMMAND...: runs the command where that library cannot be loaded. It needs root.
without_library() {
  local library
  library=$(ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }')
  # shellcheck disable=SC2016 # for the shell inside
  unshare --mount bash -c 'mount --bind /dev/null "$0" && exec "$@"' "$(realpath "$library")" "${@:2}"
}

# preload NAME: builds tests/tools/preload-NAME.c as $PRELOAD, for LD_PRELOAD. Skips the test if the programs have
# sanitizers.
preload() {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer wants to be the first library"
  PRELOAD=$T/preload-$1.so
  build_preload "$1" "$PRELOAD"
}
build_preload() { gcc -shared -fPIC -D_GNU_SOURCE -o "$2" "$LIB/../tools/preload-$1.c" -ldl; }

# few_descriptors N [cbrelay option]...: as `entrance alone`, and the listener has N descriptors.
few_descriptors() { WRAPPER="prlimit --nofile=$1:$1" entrance alone "${@:2}"; }

# heard COMMAND...: the lines that it writes are in the array HEARD. What is asked often takes no other process.
heard() {
  local file=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}.heard-$BASHPID
  "$@" >"$file" || true
  mapfile -t HEARD <"$file"
}

# How many clients are connected to $GATE, the backlog included.
connected_are() { heard ss -Htn state established "dst $GATE" && [ ${#HEARD[@]} = "$1" ]; }

# is_listening ADDRESS:PORT: by the kernel's table. To connect would be a connection of the farm. The table of IPv4 has an
# address as a number of the machine, in either order of its bytes. It begins with the sockets that listen, so its first
# 200 lines are enough, unless more than 200 listen.
is_listening() {
  local place text='' size=30000
  if [[ $1 =~ ^([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+):([0-9]+)$ ]]; then
    printf -v place '(%02X%02X%02X%02X|%02X%02X%02X%02X):%04X 00000000:0000 0A' "${BASH_REMATCH[@]:1:4}" \
      "${BASH_REMATCH[4]}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}" "${BASH_REMATCH[5]}"
    while IFS= read -rN $size text </proc/net/tcp && [[ ${text%$'\n'*} =~ ' 00000000:0000 0A '[^$'\n']*$ ]]; do
      size=$((size * 10))
    done
    [[ $text =~ $place ]]
    return
  fi
  heard ss -Hltn "sport = :${1##*:}"
  [[ "${HEARD[*]/%/ }" == *"$1"[[:blank:]]* ]]
}

# client [cbtest-client option]...: against $GATE.
client() { "$CLIENT" "$@" "$GATE"; }

# client_start NAME [option]...: in the background; its output in $T/NAME.out.
client_start() {
  local name=$1
  shift
  background "$T/$name.out" "$CLIENT" "$@" "$GATE"
  printf -v "PID_$name" %s "$PID"
}

# A connection that is held for as long as the test needs it: with --line "$(until_word GO)" a node of the mode line replies
# after `word GO`. The time that a machine takes for the steps between does not matter.
until_word() { echo "until $T/$1.word"; }
word() { : >"$T/$1.word"; }

# resetter NAME: a client of $GATE that sends a line for a node at once, and resets its connection at kill "$PID_NAME".
resetter() {
  background "$T/$1.out" python3 -c "
import socket, struct, time
s = socket.create_connection(('${GATE%:*}', ${GATE##*:}))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.sendall(b'sleep 0\n')
time.sleep(600)"
  printf -v "PID_$1" %s "$PID"
}

# client_fails NAME: the client ends with a failure. `run ! client_wait` would not do: run has a subshell, which cannot wait
# for children of the test.
client_fails() {
  if client_wait "$1"; then
    echo "$1 should have failed" >&2
    return 1
  fi
}

client_wait() {
  local pid=PID_$1
  wait "${!pid}"
}

score() { "$BUILD/cbscore" -c "$CONF" "$@"; }
probe() { "$BUILD/cbprobe" -c "$CONF" "$@"; }

# Numbers of slots taken, of waiters, and of slots in all.
busy() { score slots -n | grep -c . || true; }
waiting() { score queue -n | grep -c . || true; }
# The number of connections that wait with the listener itself, not with one of its relays.
waiting_in_listener() { score queue -nr -o PID | grep -cx "$GATE_PID" || true; }
waiting_in_listener_is() { heard score queue -nr -o PID && heard_are "$GATE_PID" "$1"; }

# heard_are PATTERN N: so many of these lines match.
heard_are() {
  local line n=0
  # shellcheck disable=SC2053 # a pattern
  for line in "${HEARD[@]}"; do
    if [[ $line == $1 ]]; then n=$((n + 1)); fi
  done
  [ $n = "$2" ]
}

busy_is() { heard score slots -n && [ ${#HEARD[@]} = "$1" ]; }
waiting_is() { heard score queue -n && [ ${#HEARD[@]} = "$1" ]; }
state_of() { score list -nr -o NODE,STATE | awk -v n="$ADDR:$1" '$1 == n { print $2 }'; }
state_is() {
  local line state=''
  heard score list -nr -o NODE,STATE
  for line in "${HEARD[@]}"; do
    if [[ $line == "$ADDR:$1 "* ]]; then state+=${line#* }; fi
  done
  [ "$state" = "$2" ]
}
# The node is down, or just being tried again; the two states alternate.
is_not_up() { [[ $(state_of "$1") =~ ^(down|retry)$ ]]; }
# The number of lines of a file that have the text.
lines_with() { grep -c -- "$2" "$1" || true; }
lines_with_are() { [ "$(lines_with "$1" "$2")" = "$3" ]; }

everything_is_free() { busy_is 0 && waiting_is 0; }

scoreboard_is_sound() {
  local said
  said=$(tdbtool "$SCOREBOARD" check)
  [[ $said == *"integrity is OK"* ]] || { echo "$said"; return 1; }
  tdbdump "$SCOREBOARD" >/dev/null
}

# farm_is_at_rest: the checks at the end of every scenario.
farm_is_at_rest() {
  until_ok everything_is_free
  nodes_never_overfilled
  scoreboard_is_sound
}

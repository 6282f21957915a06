# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# lib.bash: the functions that the groups use.
#
# A peer is a file peers/NAME.bash with
#   peer_NAME_command   from LISTEN, NODE, CAP and DIR (a folder of its own) sets the array "command"
#   peer_NAME_missing   optional: prints why the peer cannot be started here at all
#   peer_NAME_cannot    optional: GROUP; prints why the peer cannot do that group's work
# "direct" is no peer but the way around all peers: clients connect to the node itself.
#
# A group is a file groups/NAME.bash with a function group_NAME, which starts peers, lets them work in rounds, and
# writes every measurement with "record". The goals are in goals.tsv; report.awk prints the tables.

B=$BUILD/tests
BASE=haproxy # the peer that ratios compare with
declare -A TARGET=() PEER_PID=() PEER_CAP=() GOT=()
cgroup_prefix=corebalance-bench-$$
NET=127.$((RANDOM % 200 + 20)).$((RANDOM % 240))
n_started=0 NODE_PID='' NODE_TWENTY=()

say() { printf '%s\n' "$*" | tee -a "$OUT/summary.txt"; }
progress() { printf '    %s: %s\n' "$GROUP" "$*" >&2; }
needs_program() { command -v "$1" >/dev/null || echo "not installed ($1)"; }

# ---- processes: start and end ----

# Starts the command in a session of its own, so that all its processes can be found; pid in $started.
start() { # LOG COMMAND...
  local log=$1
  shift
  setsid "$@" </dev/null >"$log" 2>&1 &
  started=$!
}

# A control group for each peer, if root can make it: it also counts what was charged to processes that have ended.
cgroup_begin() { # NAME: sets cgroup_folders; empty if no group can be made
  local mount controller folder
  cgroup_folders=()
  [ "$(id -u)" = 0 ] || return 0
  mount=$(findmnt -nrt cgroup2 -o TARGET | head -n 1)
  if [ -n "$mount" ] && grep -qw memory "$mount/cgroup.subtree_control" 2>/dev/null; then
    cgroup_folders=("$mount/$cgroup_prefix-$1")
  else
    for controller in memory cpuacct; do
      folder=/sys/fs/cgroup/$controller
      if [ -e "$folder/cgroup.procs" ]; then cgroup_folders+=("$folder/$cgroup_prefix-$1"); fi
    done
  fi
  for folder in "${cgroup_folders[@]}"; do mkdir -p "$folder" 2>/dev/null || cgroup_folders=(); done
}

cgroup_end() { # NAME
  local folder
  for folder in /sys/fs/cgroup/{,unified/,memory/,cpuacct/}"$cgroup_prefix-$1"; do
    if [ -d "$folder" ]; then rmdir "$folder"; fi
  done
}

# As start, inside the groups of cgroup_begin.
start_in_cgroups() { # LOG COMMAND...
  local log=$1
  shift
  # shellcheck disable=SC2016 # for the shell inside
  start "$log" bash -c 'n=$1; shift; while ((n-- > 0)); do echo $$ >"$1/cgroup.procs"; shift; done; exec "$@"' \
    bash ${#cgroup_folders[@]} "${cgroup_folders[@]}" "$@"
}

processes_of() { ps -o stat=,pid= -s "$1" | awk '$1 !~ /Z/ { print $2 }'; } # SESSION

# Ends all processes of a session.
end_session() {
  local pid try
  for pid in $(processes_of "$1"); do kill "$pid" 2>/dev/null; done
  for ((try = 0; try < 40; try++)); do
    [ -n "$(processes_of "$1")" ] || break
    sleep 0.05
  done
  for pid in $(processes_of "$1"); do kill -KILL "$pid" 2>/dev/null; done
  wait "$1" 2>/dev/null
}

wait_until() { # COMMAND...: at most ten seconds
  local end=$((SECONDS + 10))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.02
  done
}

no_client_is_left() { ! ss -Htn state connected exclude time-wait "src $1" | grep -q .; }
listens() { ss -Hltn "src $1" | grep -q .; }

from_template() { # TEMPLATE FILE: @NAME@ becomes $NAME
  sed -e "s|@LISTEN@|$LISTEN|; s|@NODE@|$NODE|; s|@CAP@|$CAP|; s|@DIR@|$DIR|" \
    -e "s|@THREADS@|${THREADS-}|; s|@MODULES@|${MODULES-}|; s|@BUFFER@|${BUFFER-}|" "$HERE/peers/$1" >"$2"
}

# One process is the node of all peers: it has an address for each, and twenty for the peers that have twenty servers.
node_begin() {
  local i addresses=()
  for i in {1..30}; do addresses+=("$NET.$((i + 100)):4001"); done
  for i in {1..20}; do NODE_TWENTY+=("$NET.$((i + 140)):4001"); done
  start "$T/node.log" "$B/cbbench-node" "${addresses[@]}" "${NODE_TWENTY[@]}"
  NODE_PID=$started
  wait_until grep -q ready "$T/node.log" || { echo "bench: the node does not start: $(<"$T/node.log")" >&2; exit 1; }
}

# The node's counts since the last call, as node_... in GOT.
node_counts() {
  local before word
  before=$(wc -l <"$T/node.log")
  kill -USR1 "$NODE_PID"
  wait_until node_said_more "$before" || return
  for word in $(tail -n 1 "$T/node.log"); do GOT[node_${word%%=*}]=${word#*=}; done
}
node_said_more() { [ "$(wc -l <"$T/node.log")" -gt "$1" ]; }

# peer_start NAME CAP: 1, with a line that says why, if the peer cannot take part in this group.
peer_start() {
  local name=$1 CAP=$2 LISTEN NODE DIR why='' command=()
  n_started=$((n_started % 30 + 1))
  NODE=$NET.$((n_started + 100)):4001
  if [ "$name" = direct ]; then
    TARGET[$name]=$NODE
    return
  fi
  if declare -F "peer_${name}_missing" >/dev/null; then why=$("peer_${name}_missing"); fi
  if [ -z "$why" ] && declare -F "peer_${name}_cannot" >/dev/null; then why=$("peer_${name}_cannot" "$GROUP"); fi
  if [ -n "$why" ]; then
    say "  $name is left out: $why"
    return 1
  fi
  LISTEN=$NET.$((n_started + 10)):3632
  DIR=$T/$GROUP-$name
  rm -rf "$DIR"
  mkdir "$DIR"
  "peer_${name}_command"
  if [ -n "${COUNTED-}" ]; then
    mkfifo "$DIR/control" "$DIR/answer"
    command=(perf stat -D -1 --control "fifo:$DIR/control,$DIR/answer" -x ';' -o "$DIR/counts"
      -e "${COUNTS// /,}" -- "${command[@]}")
  fi
  cgroup_begin "$name"
  start_in_cgroups "$DIR/log" "${command[@]}"
  PEER_PID[$name]=$started
  TARGET[$name]=$LISTEN PEER_CAP[$name]=$CAP
  if wait_until listens "$LISTEN" && load "$name" --count 3 --timeout 5 && [ "${GOT[failures]}" = 0 ]; then return; fi
  say "  $name is left out: it does not serve: $(tail -n 1 "$DIR/log")"
  peer_stop "$name"
  return 1
}

peer_stop() {
  if [ -n "${PEER_PID[$1]-}" ]; then
    end_session "${PEER_PID[$1]}"
    cgroup_end "$1"
  fi
  unset "PEER_PID[$1]" "TARGET[$1]"
}

# Restarts the peer, so that it has none of the memory that it needed earlier and keeps.
peer_restart() {
  peer_stop "$1"
  peer_start "$1" "${PEER_CAP[$1]}"
}

# Starts the peers that can take part, and puts them into PEERS.
peers_start() { # CAP NAME...
  local cap=$1 name
  shift
  PEERS=()
  if [ -n "${BENCH_OTHER-}" ]; then set -- "$@" other; fi
  for name; do
    if [ -n "${BENCH_PEERS-}" ] && [[ " $BENCH_PEERS " != *" $name "* ]]; then continue; fi
    if peer_start "$name" "$cap"; then PEERS+=("$name"); fi
  done
}

peers_stop() {
  local name
  for name in "${!PEER_PID[@]}"; do peer_stop "$name"; done
  TARGET=() PEERS=()
}

# ---- a systemd of its own ----

BENCH_BOOT=''

inside() { "$HERE/../lib/boot" run "$T/boot" "$@"; }

# Installs into a folder what will be booted: corebalance, clients and node, and a farm of one node. 1: cannot be.
boot_prepare() { # STAGE
  if [ "$(id -u)" != 0 ]; then
    say "  left out: not root"
    return 1
  fi
  progress "installing, and booting a systemd in namespaces of its own"
  rm -rf "$1"
  make -s -C "$HERE/../.." install DESTDIR="$1" PREFIX=/usr BUILD="$BUILD" >"$T/boot.log" 2>&1 || {
    tail "$T/boot.log"
    return 1
  }
  install -D -t "$1/opt/bench" "$B"/cbbench-{load,node}
  mkdir -p "$1/etc/corebalance" "$1/etc/systemd/system"
  echo '127.0.0.1, 4001, 64, 0' >"$1/etc/corebalance/nodes.conf"
}

# Boots it, with the node at 127.0.0.1:4001. 1, with a line that says why, if it cannot be.
boot_begin() { # STAGE
  BENCH_BOOT=$T/boot
  if ! BOOT_LIFE=900 "$HERE/../lib/boot" start "$T/boot" --tree "$1" 2>"$T/boot.log"; then
    say "  left out: $(tail -n 1 "$T/boot.log")"
    return 1
  fi
  inside systemd-run -q --unit=node /opt/bench/cbbench-node 127.0.0.1:4001
}

boot_end() {
  if [ -n "$BENCH_BOOT" ]; then "$HERE/../lib/boot" stop "$BENCH_BOOT"; fi
  BENCH_BOOT=''
}

# ---- rounds ----

# full FULL QUICK: prints FULL, or QUICK in a quick run.
full() { if [ -n "$QUICK" ]; then echo "$2"; else echo "$1"; fi; }

# rounds N FUNCTION: calls FUNCTION with peer and round, in the order A B C, C B A, ...
rounds() {
  local n=$1 function=$2 i round
  [ ${#PEERS[@]} -gt 0 ] || return
  for ((round = 1; round <= n; round++)); do
    progress "round $round of $n: ${PEERS[*]}"
    for ((i = 0; i < ${#PEERS[@]}; i++)); do
      if ((round % 2)); then "$function" "${PEERS[i]}" "$round"; else "$function" "${PEERS[-1 - i]}" "$round"; fi
    done
  done
}

# load PEER [cbbench-load option...]: its result in GOT.
load() {
  local peer=$1 word
  shift
  GOT=([failures]=1)
  for word in $(timeout 120 "$B/cbbench-load" "$@" "${TARGET[$peer]}" 2>"$T/load.err"); do
    GOT[${word%%=*}]=${word#*=}
  done
  if [ -s "$T/load.err" ]; then
    progress "$peer: $(<"$T/load.err")"
    return 1
  fi
}

record() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$GROUP" "$@" >>"$OUT/results.tsv"; } # ROW PEER ROUND VALUE UNIT

# As record, for the last load: its failures are recorded, too, and then its figure alone does not count.
record_load() {
  record "$@"
  record "$1.failures" "$2" "$3" "${GOT[failures]}" connections
  if [ "${GOT[failures]}" != 0 ]; then
    progress "round $3, $1: $2 FAILED ${GOT[failures]} times:$(failures_by_kind)"
  fi
}

failures_by_kind() {
  local kind
  for kind in refused reset short mismatch timeout other; do
    if [ "${GOT[$kind]-0}" != 0 ]; then printf ' %s %s' "${GOT[$kind]}" "$kind"; fi
  done
}

calculate() { awk "BEGIN { printf \"%.6g\", $1 }"; }

# ---- what a connection costs ----

COUNTS='raw_syscalls:sys_enter context-switches page-faults task-clock'
COUNT_ROWS=(calls switches faults cpu)

counts_possible() {
  command -v perf >/dev/null && perf stat -x ";" -o "$T/counts" -e "${COUNTS// /,}" true 2>/dev/null && ! grep -q "<not" "$T/counts"
}

# counts_of_peers [cbbench-load option...]: starts each peer anew, under perf stat, warms it up by the load, and records
# what the load costs it for each connection. To be counted makes a call dearer, so nothing is timed meanwhile.
counts_of_peers() {
  local peer
  if ! counts_possible; then
    say "  calls, switches and faults are not counted: perf (linux-perf) is missing, or may not"
    return
  fi
  for peer in "${PEERS[@]}"; do
    if [ "$peer" = direct ]; then continue; fi
    progress "counting: $peer"
    COUNTED=1 peer_restart "$peer" && counts_of "$peer" "$@"
    peer_stop "$peer"
  done
}

counts_of() { # PEER [cbbench-load option...]
  local peer=$1 dir=$T/$GROUP-$1 control answer i counts unit
  shift
  load "$peer" "$@"
  exec {control}<>"$dir/control" {answer}<>"$dir/answer"
  echo enable >&$control
  read -r -t 10 -u $answer _ || return
  load "$peer" "$@"
  echo disable >&$control
  read -r -t 10 -u $answer _ || return
  exec {control}>&- {answer}>&-
  # perf writes when the peer has ended.
  processes_of "${PEER_PID[$peer]}" | grep -vx "${PEER_PID[$peer]}" | xargs -r kill 2>/dev/null
  wait_until test -s "$dir/counts" || return
  mapfile -t counts < <(awk -F';' '$1 ~ /^[0-9.]+$/ { print $1 * ($2 == "msec" ? 1000 : 1) }' "$dir/counts")
  if [ ${#counts[@]} != ${#COUNT_ROWS[@]} ] || [ "${GOT[failures]}" != 0 ]; then return 1; fi
  for i in "${!COUNT_ROWS[@]}"; do
    unit='a connection'
    [ "${COUNT_ROWS[i]}" != cpu ] || unit='us a connection'
    record "${COUNT_ROWS[i]}" "$peer" 1 "$(calculate "${counts[i]} / ${GOT[ok]}")" "$unit"
  done
}

# ---- processors and memory ----

# Seconds that all processors were busy, interrupts included, since boot.
cpu_busy() { awk -v hz="$(getconf CLK_TCK)" '/^cpu / { print ($2 + $3 + $4 + $7 + $8) / hz; exit }' /proc/stat; }

# Seconds that a peer's processes have used: by its control group; else of its live processes and their ended children.
cpu_of() { # PEER
  local pid file
  for file in /sys/fs/cgroup/{,unified/}"$cgroup_prefix-$1/cpu.stat"; do
    if [ -e "$file" ]; then awk '/^usage_usec/ { print $2 / 1e6 }' "$file" && return; fi
  done
  file=/sys/fs/cgroup/cpuacct/$cgroup_prefix-$1/cpuacct.usage
  if [ -e "$file" ]; then awk '{ print $1 / 1e9 }' "$file" && return; fi
  for pid in $(processes_of "${PEER_PID[$1]}"); do cat "/proc/$pid/stat"; done 2>/dev/null |
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); n += $12 + $13 + $14 + $15 } END { print n / hz }'
}

# The folder in which the kernel says what is charged to a peer; or nothing.
memory_cgroup() { # PEER
  local folder
  for folder in /sys/fs/cgroup/{,unified/,memory/}"$cgroup_prefix-$1"; do
    if [ -e "$folder/memory.stat" ]; then echo "$folder" && return; fi
  done
}

# In GOT, in kB: pss, the proportional memory of a peer's processes; used, that of the whole machine; charged, what is
# charged to the peer (also kernel memory and accepted sockets, not files), or -1.
memory_of() { # PEER
  local word
  for word in $("$B/cbbench-memory" "${PEER_PID[$1]}" "$(memory_cgroup "$1")"); do GOT[${word%%=*}]=${word#*=}; done
}

# Starts to watch the memory; memory_watched puts the highest of each into GOT.
memory_watch() { # PEER
  coproc WATCH { exec "$B/cbbench-memory" "${PEER_PID[$1]}" "$(memory_cgroup "$1")" --watch; }
  # shellcheck disable=SC2153 # coproc sets it
  watch_out=${WATCH[0]} watch_in=${WATCH[1]} watch_pid=$WATCH_PID
}

memory_watched() {
  local line word
  exec {watch_in}>&-
  read -r line <&"$watch_out"
  exec {watch_out}<&-
  wait "$watch_pid"
  for word in $line; do GOT[${word%%=*}]=${word#*=}; done
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # the bench's files share variables
#
# The first of the simulated farms with real processes: nodes, jobs and relays are real, and a job takes a twentieth of
# its time; see farm/batch. Every relay has nodes of its own. The list of nodes begins with another node in each round.

REAL_KINDS=(8\*2 4\*0.5 16\*4 8\*1 4\*1)   # cores and speed
REAL_LOADS=('light 10' 'middle 20' 'heavy 36' 'full 60' 'bursts 20')

# real_nodes ROUND NUMBER: sets "nodes" to the farm's nodes, in the order of that round, at addresses of that number.
real_nodes() {
  local i
  nodes=()
  for i in "${!REAL_KINDS[@]}"; do
    nodes+=("$NET.$((200 + $2)):$((4100 + i))=${REAL_KINDS[(i + $1) % ${#REAL_KINDS[@]}]}")
  done
}

# each_node COMMAND...: calls it with ADDRESS:PORT, cores and speed of each of the nodes.
each_node() {
  local node kind
  for node in "${nodes[@]}"; do
    kind=${node#*=}
    "$@" "${node%=*}" "${kind%\**}" "${kind#*\*}"
  done
}

real_weight() { awk "BEGIN { print int($1 * $2 + 0.5) }"; }

line_corebalance() { printf '%s, %s, %s, 0%s\n' "${1%:*}" "${1##*:}" "$2" "${SPEEDS:+, speed=$3}"; }
line_haproxy() { printf '\tserver node%s %s maxconn %s%s\n' "${1##*:}" "$1" "$2" "${SPEEDS:+ weight $(real_weight "$2" "$3")}"; }
line_nginx() { printf '\t\tserver %s max_conns=%s weight=%s max_fails=0;\n' "$1" "$2" "$(real_weight "$2" "$3")"; }

# real_command PEER: the array "command", from LISTEN, DIR and nodes.
real_command() {
  local SPEEDS='' NODE=127.0.0.1:1 CAP=1
  case $1 in *known | *weighted | nginx) SPEEDS=1 ;; esac
  case $1 in
    corebalance-*)
      each_node line_corebalance >"$DIR/nodes.conf"
      command=("$BUILD/cbrelay" -c "$DIR/nodes.conf" -s "$DIR/scoreboard.tdb" "$LISTEN")
      ;;
    haproxy-*)
      local algorithm=${1#haproxy-}
      haproxy_command haproxy.cfg
      sed -i '/^\tserver node /d' "$DIR/haproxy.cfg"
      { printf '\tbalance %s\n' "${algorithm%-weighted}"; each_node line_haproxy; } >>"$DIR/haproxy.cfg"
      ;;
    nginx)
      peer_nginx_command
      each_node line_nginx >"$DIR/servers"
      sed -i -e 's/zone farm 64k;/&\n\t\tleast_conn;/' -e "/^\t\tserver 127/{ r $DIR/servers
        d }" "$DIR/nginx.conf"
      ;;
  esac
}

real_missing() {
  case $1 in
    haproxy-*) peer_haproxy_missing ;;
    nginx) peer_nginx_missing ;;
  esac
}

# real_batch ROW PEER ROUND PARALLEL KIND: runs a batch, and records how long it took. Without ROW it only warms up.
real_batch() {
  local word
  GOT=([failures]=1)
  for word in $(timeout 120 "$HERE/farm/batch" run "$LISTEN" "$4" "$(full 300 200)" "$3" "$5" "${nodes[@]}"); do
    GOT[${word%%=*}]=${word#*=}
  done
  [ -n "$1" ] || return 0
  if grep -q '^over' "$DIR/nodes.log"; then
    progress "$2: $(grep -c '^over' "$DIR/nodes.log") times a node had more connections than cores"
    GOT[failures]=$((GOT[failures] + 1))
  fi
  record_load "$1" "$2" "$3" "${GOT[seconds]-}" s
  record "$1-cores" "$2" "$3" "${GOT[cores]-}" "s of cores"
  [ "$2" != "${REAL_PEERS[0]}" ] || record "$1" bound "$3" "${GOT[bound]-}" s
}

# real_round PEER ROUND NUMBER
real_round() {
  local LISTEN=$NET.$((200 + $3)):3632 DIR=$T/real-$1 command=() nodes nodes_pid peer_pid load name parallel
  rm -rf "$DIR"
  mkdir "$DIR"
  real_nodes "$2" "$3"
  real_command "$1"
  start "$DIR/nodes.log" "$HERE/farm/batch" nodes "${nodes[@]}"
  nodes_pid=${started:?}
  wait_until grep -q ready "$DIR/nodes.log"
  start "$DIR/log" "${command[@]}"
  peer_pid=$started
  if wait_until listens "$LISTEN"; then
    case $1 in *learned) real_batch '' "$1" $(($2 + 100)) 30 '' ;; esac
    for load in "${REAL_LOADS[@]}"; do
      read -r name parallel <<<"$load"
      # nginx has no queue, and ends what it has no room for.
      if [ "$1" = nginx ] && [ "$name" = full ]; then continue; fi
      real_batch "real-$name" "$1" "$2" "$parallel" "$name"
    done
  else
    say "  $1 is left out: it does not serve: $(tail -n 1 "$DIR/log")"
  fi
  end_session "$peer_pid"
  end_session "$nodes_pid"
}

real_farm() {
  local peer why round i
  REAL_PEERS=()
  for peer in corebalance-known corebalance-learned haproxy-leastconn haproxy-leastconn-weighted haproxy-first \
    haproxy-roundrobin-weighted nginx; do
    why=$(real_missing "$peer")
    if [ -n "$why" ]; then say "  $peer is left out: $why"; else REAL_PEERS+=("$peer"); fi
  done
  for ((round = 1; round <= $(full 3 1); round++)); do
    progress "real processes, round $round of $(full 3 1)"
    for i in "${!REAL_PEERS[@]}"; do
      if ((round % 2 == 0)); then i=$((${#REAL_PEERS[@]} - 1 - i)); fi
      real_round "${REAL_PEERS[i]}" "$round" "$i"
    done
  done
}

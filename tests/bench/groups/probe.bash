# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# One pass of checks, from the start of the program until every node is judged, against haproxy's first check of as
# many servers. "all-at-once" is cbprobe with --jobs of all nodes, as haproxy does; corebalance has its default, 256.
# haproxy is made to check once: fastinter 1ms (first checks are spread over that), then inter 1h. It starts with its
# servers up, like our nodes. It is asked at its stats socket for the last server, then for all; its processor time is
# taken then. start: nothing is checked (haproxy -c, check=none). That is part of the other rows, too: haproxy reads its
# configuration once, when it starts; cbprobe reads in each pass the scoreboard, which was made before. The rows
# less-start are the cost of the checks alone. haproxy's servers are in backends of 100 each, as the time to read a
# backend grows with the square of their number.
# memory: highest RSS less that with one node, for each node. Ours includes the scoreboard's mapped pages, which all
# programs of the farm share. private: the same of what is in no file, and so is shared with no other program.
# Every node must be found up (refused: down); any other verdict is a failure.

PROBE_NODE=''

group_probe() {
  BASE=haproxy
  local name why
  PEERS=()
  for name in haproxy corebalance all-at-once; do
    if [ -n "${BENCH_PEERS-}" ] && [[ " $BENCH_PEERS " != *" $name "* ]]; then continue; fi
    why=''
    if [ "$name" = haproxy ]; then why=$(needs_program haproxy); fi
    if [ -z "$why" ]; then PEERS+=("$name"); else say "  $name is left out: $why"; fi
  done
  probe_node_start || return
  # Memory is compared with that of one node. BENCH_NODES sets other sizes.
  read -ra probe_sizes <<<"${BENCH_NODES-$(full '1000 10000' 1000)}"
  local limit most
  most=$(printf '%s\n' "${probe_sizes[@]}" | sort -n | tail -n 1) limit=$(ulimit -Hn)
  if [ "$limit" != unlimited ] && [ "$limit" -lt $((most + 200)) ]; then
    say "  left out: $most nodes at once need as many descriptors, and no more than $limit are allowed"
    return
  fi
  rounds "$(full 3 1)" probe_round
}

group_probe_end() {
  if [ -n "$PROBE_NODE" ]; then end_session "$PROBE_NODE"; fi
  PROBE_NODE=''
}

# One process listens for all nodes, at several ports, so that no backlog is too short for all at once.
probe_node_start() {
  local try i listeners
  for ((try = 0; try < 10; try++)); do
    probe_port=$((20000 + RANDOM % 10000)) listeners=()
    for i in {0..15}; do listeners+=("0.0.0.0:$((probe_port + i))"); done
    start "$T/probe-node.log" "$B/cbbench-node" --http "${listeners[@]}"
    # shellcheck disable=SC2154 # start sets it
    PROBE_NODE=$started
    if wait_until probe_node_told && grep -q ready "$T/probe-node.log"; then return; fi
    group_probe_end
  done
  say "  left out: the node does not start: $(tail -n 1 "$T/probe-node.log")"
  return 1
}
probe_node_told() { [ -s "$T/probe-node.log" ]; }

# probe_nodes N LINE: LINE for each node, with its number, address and port. The ports of "refused" have no listener.
probe_nodes() {
  local port=$probe_port
  if [ "$KIND" = refused ]; then port=$((port + 16)); fi
  awk -v n="$1" -v line="$2" -v net="${NET%.*}" -v port="$port" 'BEGIN {
    for (i = 0; i < n; i++) {
      text = line
      sub(/@I@/, i + 1, text)
      sub(/@ADDRESS@/, net "." 1 + int(i / 250) "." 1 + i % 250, text)
      sub(/@PORT@/, port + i % 16, text)
      print text
    }
  }'
}

# PEER ROUND
probe_round() {
  local KIND n base private
  local -A start=()
  for KIND in start tcp http refused; do
    probe_pass "$1" 1 || continue
    base=${GOT[rss]-0} private=${GOT[anon]-0}
    for n in "${probe_sizes[@]}"; do
      # "refused" is the same for fewer nodes.
      if [ "$KIND" = refused ] && [ "$n" != "${probe_sizes[-1]}" ]; then continue; fi
      probe_pass "$1" "$n" || continue
      if [ "$KIND" = start ]; then
        start[$n]=${GOT[wall]-0} start[$n-cpu]=${GOT[cpu]-0}
      else
        record_load "$KIND-$n-less-start" "$1" "$2" "$(calculate "${GOT[wall]-0} - ${start[$n]-0}")" s
        record_load "$KIND-$n-less-start-cpu" "$1" "$2" "$(calculate "${GOT[cpu]-0} - ${start[$n-cpu]-0}")" s
      fi
      record_load "$KIND-$n" "$1" "$2" "${GOT[wall]-0}" s
      record_load "$KIND-$n-cpu" "$1" "$2" "${GOT[cpu]-0}" s
      record_load "$KIND-$n-memory" "$1" "$2" \
        "$(calculate "(${GOT[rss]-0} - $base) * 1024 / $((n > 1 ? n - 1 : 1))")" "bytes a node"
      record_load "$KIND-$n-private" "$1" "$2" \
        "$(calculate "(${GOT[anon]-0} - $private) * 1024 / $((n > 1 ? n - 1 : 1))")" "bytes a node"
    done
  done
}

# probe_pass PEER N: wall, cpu (s), rss, anon (kB) and failures in GOT.
probe_pass() {
  GOT=([failures]=1)
  rm -f "$T/probe.result"
  case $1 in
  haproxy) probe_haproxy "$2" ;;
  *) probe_ours "$1" "$2" ;;
  esac
}

probe_result() {
  local word words=()
  if [ -e "$T/probe.result" ]; then read -ra words <"$T/probe.result"; fi
  for word in "${words[@]}"; do GOT[${word%%=*}]=${word#*=}; done
}

# ---- ours ----

probe_ours() { # PEER N
  local check=$KIND state=up options=(-s "$T/probe.tdb" --timeout 3s)
  case $KIND in
  start) check=none ;;
  http) check=http://%n/ ;;
  refused) check=tcp state=down ;;
  esac
  # One failure is enough, as for haproxy.
  if [ "$KIND" = refused ]; then options+=(--fall 1); fi
  if [ "$1" = all-at-once ]; then options+=(--jobs "$2"); fi
  rm -f "$T/probe.tdb"
  probe_nodes "$2" "@ADDRESS@, @PORT@, 1, 0, check=$check" >"$T/probe.nodes"
  "$BUILD/cbscore" -s "$T/probe.tdb" load "$T/probe.nodes" >"$T/probe.log" 2>&1 || {
    progress "$(tail -n 1 "$T/probe.log")"
    return 1
  }
  timeout 120 "$B/cbbench-run" "$T/probe.result" "$BUILD/cbprobe" "${options[@]}" >"$T/probe.log" 2>&1
  probe_result
  GOT[failures]=$(("$2" - $("$BUILD/cbscore" -s "$T/probe.tdb" -n -r -o STATE,RISE,FALL list |
    awk -v kind="$KIND" -v state="$state" '
      $1 == state && (kind == "start" || (state == "up" ? $2 : $3) >= 1) { n++ }
      END { print n + 0 }')))
  if [ "${GOT[status]-1}" != 0 ]; then GOT[failures]=$2; fi
}

# ---- haproxy's ----

probe_haproxy() { # N
  local started_at wall failures pid
  probe_haproxy_file "$1"
  if [ "$KIND" = start ]; then
    "$B/cbbench-run" "$T/probe.result" haproxy -q -c -f "$T/probe.cfg" >"$T/probe.log" 2>&1
    probe_result
    if [ "${GOT[status]-1}" = 0 ]; then GOT[failures]=0; fi
    return
  fi
  started_at=$EPOCHREALTIME
  setsid "$B/cbbench-run" "$T/probe.result" haproxy -db -f "$T/probe.cfg" </dev/null >"$T/probe.log" 2>&1 &
  pid=$!
  PEER_PID["probe"]=$pid # so that it ends with the bench
  probe_judged "$1" "$pid"
  wall=$(calculate "$EPOCHREALTIME - $started_at")
  kill "$pid" 2>/dev/null || progress "haproxy: $(tail -n 1 "$T/probe.log")" # it kills haproxy
  wait "$pid"
  unset "PEER_PID[probe]"
  failures=${GOT[failures]}
  probe_result
  GOT[wall]=$wall GOT[failures]=$failures
}

probe_haproxy_file() { # N
  {
    printf 'global\n\tmaxconn 100\n\tstats socket ipv4@%s.5:4090 level admin\n' "$NET"
    printf 'defaults\n\tmode %s\n\ttimeout connect 3s\n\ttimeout check 3s\n\ttimeout server 1h\n' \
      "$([ "$KIND" = http ] && echo http || echo tcp)"
    if [ "$KIND" = http ]; then printf '\toption httpchk GET /\n'; fi
    printf '\tdefault-server inter 1h fastinter 1ms downinter 1h rise 1 fall 2\n'
    probe_nodes "$1" '\tserver s@I@ @ADDRESS@:@PORT@ check' | awk 'NR % 100 == 1 { print "backend farm" (NR - 1) / 100 } { print }'
  } >"$T/probe.cfg"
}

# haproxy_says COMMAND: prints its answer at its stats socket; 1 if it does not answer yet.
haproxy_says() {
  local status fd
  { exec {fd}<>"/dev/tcp/$NET.5/4090"; } 2>/dev/null || return 1
  printf '%s\n' "$1" >&"$fd" && cat <&"$fd"
  status=$?
  exec {fd}>&-
  return $status
}

# Waits until the last server, and then all, are judged, half a minute at most. A server that is not judged, or judged
# otherwise, is a failure.
probe_judged() { # N PID
  local end=$((SECONDS + 30)) good=0 judged=0
  while [ $SECONDS -lt $end ] && kill -0 "$2" 2>/dev/null; do
    if haproxy_says "show stat farm$((($1 - 1) / 100)) 4 $((($1 - 1) % 100 + 1))" 2>/dev/null |
      awk -F, '$37 ~ /^(L4|L6|L7)/ { n++ } END { exit !n }'; then break; fi
    sleep 0.005
  done
  while [ $SECONDS -lt $end ] && kill -0 "$2" 2>/dev/null; do
    read -r judged good <<<"$(haproxy_says 'show servers state' | awk -v kind="$KIND" '
      $2 !~ /^farm/ || NF < 14 { next }
      $12 >= 2 { judged++ }
      kind == "refused" ? $6 == 0 && $12 == 2 : $6 == 2 && $12 == 3 { good++ }
      END { print judged + 0, good + 0 }')"
    if [ "$judged" = "$1" ]; then break; fi
    sleep 0.005
  done
  GOT[failures]=$(($1 - good))
}

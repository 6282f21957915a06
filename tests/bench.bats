#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make bench measures what it says: it does and compares the work, counts failures, and writes rows. No test here looks
# at a time.

load lib/helpers

setup() {
  farm_setup
  BENCH=$BATS_TEST_DIRNAME/bench
  LOAD=$BUILD/tests/cbbench-load
  export BENCH_OUT=$T/out
}

field() { tr ' ' '\n' <<<"$output" | sed -n "s/^$1=//p"; }

bench_node() {
  background "$T/node.log" "$BUILD/tests/cbbench-node" "$ADDR:4001"
  until_ok grep -q ready "$T/node.log"
}

# The number of rows of results.tsv that match GROUP ROW PEER.
rows() { awk -F'\t' -v g="$1" -v r="$2" -v p="$3" '$1 == g && $2 == r && $3 == p && $5 ~ /^[0-9.]+$/' "$BENCH_OUT/results.tsv" | wc -l; }

# ---- clients and node ----

@test "every way of asking and closing is served, and each byte is counted" {
  local how
  bench_node
  for how in '--count 50 --clients 8' '--count 50 --clients 8 --reset' '--count 20 --op hold --hold 100'; do
    # shellcheck disable=SC2086 # words
    run -0 "$LOAD" $how "$ADDR:4001"
    [ "$(field failures)" = 0 ]
    [ "$(field bytes)" = $(($(field ok) * 64)) ]
  done
  run -0 "$LOAD" --count 6 --clients 2 --op bulk --size 3000001 "$ADDR:4001"
  [ "$(field ok) $(field failures) $(field bytes)" = "6 0 18000006" ]
}

@test "clients beyond the warm-up are measured, those within are not" {
  bench_node
  run -0 "$LOAD" --count 50 --warmup 20 "$ADDR:4001"
  [ "$(field ok)" -lt 31 ]
  [ "$(field ok)" -gt 0 ]
}

@test "refused, reset, short and wrong replies are failures, each by its name" {
  run -0 "$LOAD" --count 5 "$ADDR:4001"
  [ "$(field refused) $(field failures) $(field ok)" = "5 5 0" ]
  node_start early 4002 10 --mode reset
  run -0 "$LOAD" --count 5 "$ADDR:4002"
  [ "$(field failures) $(field ok)" = "5 0" ]
  node_start brief 4003 10 --mode hold:1
  run -0 "$LOAD" --count 5 "$ADDR:4003"
  [ "$(field short) $(field failures) $(field ok)" = "5 5 0" ]
  node_start wrong 4004 10 --mode source:64
  run -0 "$LOAD" --count 5 "$ADDR:4004"
  [ "$(field mismatch) $(field failures) $(field ok)" = "5 5 0" ]
  run -0 "$LOAD" --count 5 --op bulk --size 64 "$ADDR:4004"
  [ "$(field mismatch) $(field failures) $(field ok)" = "5 5 0" ]
}

@test "a reply that never comes is a failure" {
  node_start silent 4001 10 --mode stall
  run -0 "$LOAD" --count 1 --timeout 0.2 "$ADDR:4001"
  [ "$(field timeout) $(field failures) $(field ok)" = "1 1 0" ]
}

@test "claims and releases in the library are counted, and none fails" {
  run -0 "$BUILD/tests/cbbench-claim" "$T/claim.tdb" 10 4 0.05
  [ "$(field failures)" = 0 ]
  [ "$(field ok)" -gt 0 ]
  [ ! -e "$T/claim.tdb" ]
}

# ---- the run ----

@test "a group leaves rows of every peer and round, a summary and no process" {
  BENCH_PEERS='direct corebalance corebalance-twenty' run -0 --separate-stderr "$BENCH/run" --quick rate
  local row peer
  for peer in direct corebalance; do
    for row in fin rst; do
      [ "$(rows rate $row $peer)" = 2 ]
      [ "$(rows rate $row.failures $peer)" = 2 ]
    done
  done
  [ -z "$(awk -F'\t' '$2 ~ /failures/ && $5 != 0' "$BENCH_OUT/results.tsv")" ]
  [ "$(rows rate cold corebalance)" = 1 ]
  [ "$(rows rate twenty corebalance)" = 2 ]
  [[ $output == *'goal: corebalance >= '*' of haproxy-log: not measured'* ]]
  grep -Eq '^A system call costs [0-9]+ ns here, a switch .* [0-9.]+ us, a small process [0-9.]+ us' "$BENCH_OUT/summary.txt"
  if ! grep -q 'are not counted' "$BENCH_OUT/summary.txt"; then
    for row in calls switches faults cpu; do [ "$(rows rate $row corebalance)" = 1 ]; done
  fi
  grep -q '^    corebalance ' "$BENCH_OUT/summary.txt"
  [ -z "$(of_the_bench)" ]
}

# The processes that the bench has started and that still run: all have inherited the test's BENCH_OUT.
of_the_bench() {
  local environ name
  grep -lzxF "BENCH_OUT=$BENCH_OUT" /proc/[0-9]*/environ 2>/dev/null | while read -r environ; do
    if read -r name <"${environ%environ}comm"; then echo "$name"; fi 2>/dev/null
  done | grep -E '^(cb|haproxy|nginx|pen|socat|run$)'
}

@test "waiters, idle connections and handovers leave their rows" {
  BENCH_PEERS=corebalance run -0 "$BENCH/run" --quick handover memory
  [ "$(rows handover p50 corebalance)" = 1 ]
  [ "$(rows handover p99 corebalance)" = 1 ]
  [ "$(rows memory idle corebalance)" = 1 ]
  [ -z "$(awk -F'\t' '$2 ~ /failures/ && $5 != 0' "$BENCH_OUT/results.tsv")" ]
  # One slot is one connection, for any number of waiters.
  [ "$(awk -F'\t' '$2 == "peak" { print $5 }' "$BENCH_OUT/results.tsv")" = 1 ]
}

@test "what it costs to be seen is measured under a real systemd, and nothing fails there" {
  local form
  ((EUID == 0)) || skip "not root"
  run -0 "$BENCH/run" --quick seen
  [[ $output != *'left out: cannot boot here'* ]] || skip "cannot boot here"
  for form in none all sample page stopped; do
    [ "$(rows seen rate $form)" = 1 ]
    [ "$form" = stopped ] || [ "$(rows seen journald $form)" = 1 ]
  done
  [ -z "$(awk -F'\t' '$2 ~ /failures/ && $5 != 0' "$BENCH_OUT/results.tsv")" ]
}

@test "a pass of checks judges every node, and leaves its rows" {
  local row
  BENCH_NODES=50 BENCH_PEERS='haproxy corebalance' run -0 "$BENCH/run" --quick probe
  for row in start tcp http refused; do
    [ "$(rows probe $row-50 corebalance)" = 1 ]
    [ "$(rows probe $row-50-cpu corebalance)" = 1 ]
    [ "$(awk -F'\t' -v row="$row-50-memory" '$2 == row && $3 == "corebalance"' "$BENCH_OUT/results.tsv" | wc -l)" = 1 ]
    if command -v haproxy >/dev/null; then [ "$(rows probe $row-50 haproxy)" = 1 ]; fi
  done
  [ -z "$(awk -F'\t' '$2 ~ /failures/ && $5 != 0' "$BENCH_OUT/results.tsv")" ]
  [ -z "$(of_the_bench)" ]
}

@test "nodes that are not judged as they should be are failures of the pass" {
  # shellcheck disable=SC2034,SC2317 # for lib.bash, by name
  in_the_bench() {
    HERE=$BENCH OUT=$T GROUP=probe QUICK=1 KIND=tcp
    . "$BENCH/lib.bash"
    . "$BENCH/groups/probe.bash"
    probe_port=4001
    NET=${ADDR%.*}
    for peer in corebalance $(type -P haproxy >/dev/null && echo haproxy); do
      probe_pass "$peer" 3
      echo "$peer: ${GOT[failures]}"
    done
  }
  run -0 in_the_bench
  [[ $output == *'corebalance: 3'* ]]
  if command -v haproxy >/dev/null; then [[ $output == *'haproxy: 3'* ]]; fi
}

@test "a group that does not exist is told with those that do" {
  run -64 "$BENCH/run" rates
  [[ $output == *'"rates": no such group'*'groups: rate latency'* ]]
}

@test "a peer that is missing, cannot do the work or does not serve is named with the reason" {
  # shellcheck disable=SC2034,SC2317 # for lib.bash, by name
  in_the_bench() {
    HERE=$BENCH OUT=$T GROUP=rate QUICK=1
    . "$BENCH/lib.bash"
    peer_absent_missing() { echo "not installed (absent)"; }
    peer_absent_command() { command=(false); }
    peer_coward_cannot() { [ "$1" != rate ] || echo "refuses at the cap"; }
    peer_coward_command() { command=(false); }
    peer_dead_command() { command=(bash -c 'echo broken; exit 1'); }
    peers_start 4 absent coward
    wait_until() { "$@"; }
    peers_start 4 dead
    echo "left: ${#PEERS[@]}"
  }
  run -0 in_the_bench
  [[ $output == *'absent is left out: not installed (absent)'* ]]
  [[ $output == *'coward is left out: refuses at the cap'* ]]
  [[ $output == *'dead is left out: it does not serve'* ]]
  [[ $output == *'left: 0' ]]
}

@test "a connection that the kernel knows to be ended does not count as open, though the node has not read that" {
  bench_node
  kill -STOP "$PID"
  run -0 python3 - "$ADDR" <<'PY'
import socket, struct, sys
# Three connections one after the other, each reset before the next; then two at once, of which one half-closes.
for _ in range(3):
    s = socket.create_connection((sys.argv[1], 4001))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
PY
  kill -CONT "$PID"
  python3 -c "
import socket
a = socket.create_connection(('$ADDR', 4001)); b = socket.create_connection(('$ADDR', 4001))
input()" < <(until_ok grep -q open=2 "$T/node.log"; echo) &
  counted_two() { kill -USR1 "$PID"; sleep 0.05; tail -n 1 "$T/node.log" | grep -q 'open=2'; }
  until_ok counted_two
  grep -q 'peak=2 ' "$T/node.log"
  run ! grep -Eq 'peak=[3-9]' "$T/node.log"
  wait $!
}

@test "a goal may be another where a system call is dear" {
  printf 'g\tr\tus\t-\t>=\t2\t1\n' >"$T/goals.tsv"
  printf 'g\tr\tus\t1\t1.5\tn\n' >"$T/results.tsv"
  run -0 awk -v group=g -v slow=0 -v base=them -v data="$T/data" -f "$BENCH/report.awk" "$T/goals.tsv" "$T/results.tsv"
  [[ $output == *'us >= 2 n: 1.5 (1.5 .. 1.5), MISSED'* ]]
  run -0 awk -v group=g -v slow=1 -v base=them -v data="$T/data" -f "$BENCH/report.awk" "$T/goals.tsv" "$T/results.tsv"
  [[ $output == *'us >= 1 n: 1.5 (1.5 .. 1.5), met'* ]]
}

# ---- the report ----

# report BASE: prints the report of rows that are given as "row peer round value".
report() {
  awk -v OFS='\t' '{ print "g", $1, $2, $3, $4, $5 }' >"$T/results.tsv"
  printf 'g\trate\tus\tthem\t>=\t1.5\ng\trate\tus\tother\t<=\t1\ng\tabsent\tus\tthem\t>=\t1\n' >"$T/goals.tsv"
  run -0 awk -v group=g -v base="$1" -v data="$T/data" -f "$BENCH/report.awk" "$T/goals.tsv" "$T/results.tsv"
}

@test "ratios are taken within a round; goals are met or missed, which fails nothing" {
  report them <<<$'rate them 1 100 n/s\nrate us 1 150 n/s\nrate them 2 10 n/s\nrate us 2 20 n/s\nrate us 3 99 n/s\nrate other 1 149 n/s\nrate other 2 19 n/s'
  [[ $output == *'us >= 1.5 of them: 1.75 (1.5 .. 2), met'* ]]
  [[ $output == *'us <= 1 of other: 1.03 (1.01 .. 1.05), MISSED'* ]]
  [[ $output == *'us >= 1 of them: not measured'* ]]
  [ "$(awk -F'\t' '$3 == "us" { print $4, $5, $6 }' "$T/data")" = '99 20 150' ]
}

@test "a peer that failed is marked, and so is a goal over it" {
  report them <<<$'rate them 1 100 n/s\nrate us 1 150 n/s\nrate.failures us 1 3 n\nrate.failures them 1 0 n'
  [[ $output == *'FAILED 3 TIMES'* ]]
  [[ $output == *'us >= 1.5 of them: 1.5 (1.5 .. 1.5), met, but there were failures'* ]]
}

@test "it says where the bench itself may be what is measured" {
  report them <<<$'rate direct 1 120 n/s\nrate them 1 100 n/s\nsize direct 1 120 kB\nsize them 1 100 kB'
  [ "$(grep -c 'note: straight to the node is but 1.20 of them' <<<"$output")" = 1 ]
  report them <<<$'rate direct 1 200 n/s\nrate them 1 100 n/s'
  [[ $output != *note:* ]]
}

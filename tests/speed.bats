#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck disable=SC2016  # expressions of jq
load lib/helpers
load lib/clocks

# Two nodes without a pinned speed, of two cores each, without a listener.
two_nodes() {
  node_line 1001 2
  node_line 1002 2
  score load >/dev/null
}

# serve ROUNDS IN OUT SERVED USEC...: makes connections to nodes 1, 2 and so on.
serve() { "$BUILD/tests/cbtest-speed" "$SCOREBOARD" "$@"; }

# value NODE COLUMN: prints a value of cbscore list.
value() { score list -J -o "node,$2" | jq -r --arg node "$ADDR:$1" ".nodes[] | select(.node == \$node) | .$2"; }

# holds EXPRESSION [NAME VALUE]...: whether an expression of numbers is true, by jq.
holds() {
  local expression=$1 arguments=()
  shift
  while [ $# -gt 0 ]; do
    arguments+=(--argjson "$1" "$2")
    shift 2
  done
  jq -en "${arguments[@]}" "$expression" >/dev/null || { echo "not so: $expression" "${arguments[@]}" >&2; return 1; }
}

chosen() { score explain -J "$@" | jq -r '.explain[] | select(.rank == 1) | .node'; }

sound() { [ "$(score fsck)" = "$SCOREBOARD: sound" ]; }

@test "the arithmetic does what the manual says" {
  local seed
  for seed in 1 2 "$RANDOM"; do
    echo "seed $seed"
    run -0 "$BUILD/tests/cbtest-speed" "$seed"
    [ "${#lines[@]}" -ge 17 ] || { echo "$output"; return 1; }
  done
}

@test "a node whose connections take half as long is rated faster, is chosen, and cbscore shows why" {
  two_nodes
  [ "$(chosen)" = "$ADDR:1001" ] # as good, and first in the list
  [ "$(value 1001 speed) $(value 1002 speed)" = "1 1" ]
  serve 100 200000 30000 1 2000000 1000000
  holds '$slow < 0.85 and $fast > 1.15 and $fast / $slow > 1.7 and $fast / $slow < 2.3' \
    slow "$(value 1001 learned)" fast "$(value 1002 learned)"
  holds '$n > 63 and $n <= 64' n "$(value 1002 holds)"
  holds '$slow < $fast' slow "$(value 1001 speed)" fast "$(value 1002 speed)"
  [ "$(chosen)" = "$ADDR:1002" ]
  score explain -n -r -o node,speed,why | grep -qx "$ADDR:1001 $(value 1001 speed) slower"
  # The formula, with the numbers of list.
  score explain -n -r -o node,from | grep -qF "$ADDR:1002 $(value 1002 learned)\\x20=\\x202^((64*log2($(value 1002 hold))"
  # The speed that counts is the nearest step of a quarter of an octave, give or take a quarter of a step.
  holds '($speed / $learned | log2 | fabs) <= 0.1876 + 0.01' speed "$(value 1002 speed)" learned "$(value 1002 learned)"
  sound
}

@test "explain agrees with list, and with what the next connection gets, by every policy" {
  local policy
  node fast 1001 2
  node slow 1002 2
  node_line 1003 2
  node_line 1004 2
  score load >/dev/null
  score down "$ADDR:1003" --reason "new memory" >/dev/null
  serve 50 200000 30000 1 1000000 2000000 1000000 1000000
  [ "$(score explain -n -r -o node,state,cores,free,speed | sort)" = \
    "$(score list -n -r -o node,state,cores,free,speed | sort)" ]
  score explain -n -r --top 0 -o node,why | grep -qxF "$ADDR:1003 held\\x20by\\x20an\\x20administrator:\\x20new\\x20memory"
  score down "$ADDR:1004" >/dev/null
  for policy in fastest order spread roundrobin hash affinity; do
    entrance alone --policy "$policy"
    local expected
    expected=$(chosen --policy "$policy" 127.0.0.1)
    client_start one --line "sleep 60000"
    until_ok busy_is 1
    [ "$(score slots -n -r -o node)" = "$expected" ] || { echo "$policy: $expected"; score slots; return 1; }
    kill "$PID_one"
    wait "$PID_one" || true
    until_ok busy_is 0
    kill "$GATE_PID"
    wait "$GATE_PID" || true
  done
}

# fill NODE N: takes N slots of a node, by holding connections while the other nodes are held.
fill() {
  local i other
  for other in "${PORTS[@]}"; do [ "$other" = "$1" ] || score down "$ADDR:$other" >/dev/null; done
  for ((i = 0; i < $2; i++)); do client_start "fill$1_$i" --line "sleep 600000"; done
  until_ok busy_is $((FILLED += $2))
  for other in "${PORTS[@]}"; do [ "$other" = "$1" ] || score up "$ADDR:$other" >/dev/null; done
}

@test "speeds within a tenth count as equal: the larger share of free cores decides; beyond it the speed does" {
  PORTS=(1001 1002) FILLED=0
  node fast 1001 4
  node near 1002 4
  sed -i "s/1001, 4, 0/&, speed=2.2/; s/1002, 4, 0/&, speed=2/" "$CONF"
  score load >/dev/null
  entrance alone
  # As much of both is free: the faster.
  [ "$(chosen)" = "$ADDR:1001" ]
  score explain -n -r -o node,why | grep -qxF "$ADDR:1002 as\\x20much\\x20free,\\x20a\\x20little\\x20slower"
  fill 1001 1
  [ "$(chosen)" = "$ADDR:1002" ]
  score explain -n -r -o node,why | grep -qxF "$ADDR:1001 as\\x20fast,\\x20less\\x20of\\x20it\\x20is\\x20free"
  # 2 is less than seven eighths of 2.4.
  score set "$ADDR:1001" speed=2.4 >/dev/null
  [ "$(chosen)" = "$ADDR:1001" ]
  score explain -n -r -o node,why | grep -qxF "$ADDR:1002 slower"
  sound
}

@test "with smt= the second half of a fast node's cores comes after a slower node's cores that are worth more" {
  PORTS=(1001 1002) FILLED=0
  node fast 1001 4
  node slow 1002 3
  sed -i "s/1001, 4, 0/&, speed=2, smt=0.3/; s/1002, 3, 0/&, smt=0.8/" "$CONF"
  score load >/dev/null
  [ "$(score dump | grep -c -e ', smt=0.3$' -e ', smt=0.8$')" = 2 ]
  entrance alone
  fill 1001 1
  [ "$(chosen) $(score explain -n -r -o node,worth | tr '\n' ' ')" = "$ADDR:1001 $ADDR:1001 2 $ADDR:1002 1 " ]
  fill 1001 1
  [ "$(chosen) $(score explain -n -r -o node,worth | tr '\n' ' ')" = "$ADDR:1002 $ADDR:1002 1 $ADDR:1001 0.6 " ]
  score explain -n -r -o node,why | grep -qxF "$ADDR:1001 slower,\\x20as\\x20half\\x20of\\x20its\\x20cores\\x20are\\x20busy"
  # Of three cores the first half is two: the third is worth 0.8, which is still more than 0.6.
  fill 1002 2
  [ "$(chosen) $(score explain -n -r -o node,worth | tr '\n' ' ')" = "$ADDR:1002 $ADDR:1002 0.8 $ADDR:1001 0.6 " ]
  fill 1002 1
  [ "$(chosen)" = "$ADDR:1001" ]
  # The connections get what explain says.
  client_start last --line "sleep 600000"
  until_ok busy_is 6
  [ "$(score slots -n -r -o node | sort | uniq -c | tr -s ' \n' ' ')" = " 3 $ADDR:1001 3 $ADDR:1002 " ]
  run -2 score set "$ADDR:1001" smt=30
  [[ $output == *'smt: "30": expected a decimal number from 0.001 to 1'* ]]
  sound
}

@test "explain says which clients wait, what is full, and what a backup is for" {
  node one 1001 1
  node_start spare 1002 1
  echo "$ADDR, 1002, 1, 0, backup" >>"$CONF"
  score load >/dev/null
  entrance alone
  score explain -n -r -o node,why | grep -qxF "$ADDR:1002 a\\x20backup,\\x20and\\x20another\\x20node\\x20is\\x20up"
  client_start first --line "sleep 60000"
  until_ok busy_is 1
  score explain -n -r -o rank,node,why | grep -qxF " $ADDR:1001 no\\x20free\\x20slot"
  run -0 score explain 10.0.0.1
  [[ $output == *"the same for every client, also 10.0.0.1."* ]]
  [ "${lines[-1]}" = "The next connection waits, and is the first that does." ]
  client_start second --line "sleep 60000"
  until_ok waiting_is 1
  run -0 score explain
  [ "${lines[-1]}" = "The next connection waits, behind 1." ]
  score down "$ADDR:1001" >/dev/null
  # Now the waiting connection uses the backup.
  until_ok busy_is 2
}

@test "explain shows twenty nodes and says so, and all to programs" {
  local port
  for ((port = 1; port <= 50; port++)); do echo "$ADDR, $port, 1, 0"; done >"$CONF"
  score load >/dev/null
  run -0 score explain
  [ "$(grep -c "$ADDR" <<<"$output")" = 22 ] # two of them below the table
  [[ $output == *"(20 of 50 nodes; --top 0 shows all)"* ]]
  [ "$(score explain --top 0 -n | wc -l)" = 50 ]
  [ "$(score explain --top 3 -n | wc -l)" = 3 ]
  [ "$(score explain -J | jq '.explain | length')" = 50 ]
  run -2 score explain --top some
  [[ $output == *'--top: "some": expected 0 to '* ]]
  run -2 score explain --policy best
  [[ $output == *'--policy: "best": expected fastest, order, spread, roundrobin, hash or affinity'* ]]
  run -2 score list --policy fastest
}

@test "speed= pins: what is learned goes on, and does not count" {
  node_line 1001 2
  echo "$ADDR, 1002, 2, 0, speed=0.5" >>"$CONF"
  serve_made() { score load >/dev/null && serve "$@"; }
  serve_made 100 200000 30000 1 4000000 1000000
  [ "$(value 1002 speed)" = 0.5 ]
  [ "$(value 1002 pinned)" = true ]
  # The pinned node is the scale: the other node, four times as slow, has a quarter of its speed.
  holds '$learned > 0.4 and $learned < 0.7' learned "$(value 1002 learned)"
  holds '$speed < 0.35 and $speed >= 0.125' speed "$(value 1001 speed)"
  score explain -n -r -o node,from | grep -qxF "$ADDR:1002 pinned\\x20by\\x20speed="
  # Without the pin the learned speed counts at once.
  score set "$ADDR:1002" speed= >/dev/null
  holds '$speed > 0.4 and $speed < 0.7' speed "$(value 1002 speed)"
  [ "$(value 1002 pinned)" = false ]
  [ "$(chosen)" = "$ADDR:1002" ]
  sound
}

@test "learned speeds survive a load of the node list, and other roles of nodes" {
  two_nodes
  serve 100 200000 30000 1 4000000 1000000
  local before
  before=$(score list -n -r -o node,speed,hold | sort)
  { echo "$ADDR, 1003, 1, 0"; echo "$ADDR, 1002, 4, 0"; echo "$ADDR, 1001, 2, 0"; } >"$CONF"
  score load >/dev/null
  score down "$ADDR:1002" >/dev/null
  score up "$ADDR:1002" >/dev/null
  [ "$(score list -n -r -o node,speed,hold | grep -v :1003 | sort)" = "$before" ]
  [ "$(value 1003 speed)" = 1 ]
  sound
}

@test "failures, and connections to which the node sent nothing, are no samples: a node that fails fast is not fast" {
  two_nodes
  serve 100 200000 0 1 1000000 5000
  serve 100 200000 30000 0 1000000 5000
  [ "$(value 1001 holds) $(value 1002 holds)" = "0 0" ]
  [ "$(value 1001 speed) $(value 1002 speed)" = "1 1" ]
  # Nor is a node that answers with an error, which is shorter than the others' answers.
  for ((i = 0; i < 30; i++)); do
    score down "$ADDR:1002" >/dev/null
    serve 1 200000 30000 1 1000000 5000
    score up "$ADDR:1002" >/dev/null
    score down "$ADDR:1001" >/dev/null
    serve 1 200000 300 1 1000000 5000
    score up "$ADDR:1001" >/dev/null
  done
  holds '$learned < 1.1' learned "$(value 1002 learned)"
  [ "$(value 1002 speed)" = 1 ]
}

@test "what was learned two days ago is forgotten by the next pass of the prober" {
  two_nodes
  serve 100 200000 30000 1 4000000 1000000
  clock_preload
  clocks_ahead 172800 172800
  score() { $OTHER_CLOCKS "$BUILD/cbscore" -c "$CONF" "$@"; }
  probe() { $OTHER_CLOCKS "$BUILD/cbprobe" -c "$CONF" "$@"; }
  holds '$speed > 1.3' speed "$(value 1002 speed)"
  holds '$learned < 1.01 and $learned > 0.99' learned "$(value 1002 learned)"
  probe
  [ "$(value 1001 speed) $(value 1002 speed)" = "1 1" ]
  sound
}

@test "real connections through a relay are learned from" {
  node fast 1001 2
  node slow 1002 2
  entrance alone
  # With all four at once both nodes get two. Jobs of one node alone teach nothing, so a busy machine needs more of them.
  learned() {
    client -n 40 -c 4 --line "sleep 20" --expect line
    until_ok busy_is 0
    holds '$a > 0 and $b > 0' a "$(value 1001 holds)" b "$(value 1002 holds)"
  }
  until_ok learned
  holds '$a + $b >= 40' a "$(value 1001 served)" b "$(value 1002 served)"
  sound
}

@test "a node that is alone stays ordinary, though its first answer took long, until there is another" {
  node one 1001 2 --mode line
  entrance alone
  client -n 1 -c 1 --line "sleep 1000" --expect line
  client -n 40 -c 1 --line "sleep 10" --expect line
  until_ok busy_is 0
  [ "$(value 1001 served)" = 41 ]
  [ "$(value 1001 speed) $(value 1001 learned) $(value 1001 hold) $(value 1001 holds)" = "1 1 1 0" ]
  score explain -n -r -o node,speed,from | grep -qxF "$ADDR:1001 1 nothing\\x20known"
  sound
  # The same class has another node now, and both learn from it.
  node two 1002 2 --mode line
  score load >/dev/null
  both_learn() {
    client -n 40 -c 4 --line "sleep 10" --expect line
    until_ok busy_is 0
    holds '$a > 0 and $b > 0' a "$(value 1001 holds)" b "$(value 1002 holds)"
  }
  until_ok both_learn
  sound
}

@test "fsck finds a speed that is not what was learned, and a lost record of typical times, and repairs both" {
  two_nodes
  serve 100 200000 30000 1 4000000 1000000
  # The field step of node 1, at offset 1020 of a record that begins with the name.
  python3 - "$SCOREBOARD" "$ADDR:1001" <<'PYTHON'
import struct, sys
path, name = sys.argv[1], sys.argv[2].encode()
with open(path, "r+b") as f:
    at = f.read().index(b"node/1" + name + b"\0") + len("node/1")
    f.seek(at + 1020)
    f.write(struct.pack("i", 4))
PYTHON
  run -1 score fsck
  [[ $output == *"$ADDR:1001: speed in thousandths: is "*", should be 2000"* ]]
  score fsck --repair
  sound
  [ "$(value 1001 speed)" = 2 ]
  tdbtool "$SCOREBOARD" delete speed/9 >/dev/null
  run -1 score fsck
  [[ $output == *"speed: row 9 cannot be true"* ]]
  score fsck --repair
  sound
  serve 1 200000 30000 1 4000000 1000000
}

@test "simulated farms: learned speeds do as well as known ones, and better than what knows no speeds" {
  OUT=$T run -0 "$BATS_TEST_DIRNAME/bench/farm/run" 1000 5 mixed
  result() { awk -F'\t' -v load="$1" -v name="$2" '$1 == "TIME" && $2 == load && $5 == name { print $6 }' "$T/farm.tsv"; }
  local load
  for load in light middle; do
    holds '$learned <= $known * 1.05' learned "$(result $load "learned, second batch")" known "$(result $load "known (speed=)")"
    holds '$learned <= $other * 0.8' learned "$(result $load "learned, second batch")" \
      other "$(result $load "haproxy leastconn")"
  done
  holds '$ratio <= 1.05' ratio "$(result light "learned, second batch")"
}

@test "simulated farms: a node that fails every job at once costs a few connections and no job; leastconn loses jobs" {
  OUT=$T run -0 "$BATS_TEST_DIRNAME/bench/farm/run" 1000 1 fails
  # result NAME FIELD: failed connections (11) or jobs given up (12) of 100, at light load.
  result() { awk -F'\t' -v name="$1" -v field="$2" '$1 == "TIME" && $2 == "fails-light" && $5 == name { print $field }' "$T/farm.tsv"; }
  local name
  for name in "learned, cold" "learned, second batch" "known (speed=)" "equal (speed=1)"; do
    holds '$given_up == 0 and $failed < 2' given_up "$(result "$name" 12)" failed "$(result "$name" 11)"
  done
  holds '$given_up > 10' given_up "$(result "haproxy leastconn" 12)"
}

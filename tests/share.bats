#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Several gateways share a farm: each has a scoreboard of its own and a part of each node's cores. Here a gateway is a
# scoreboard in a folder of its own; its listener has an address of its own. These are the parts that an administrator
# sets, and what the scoreboard makes of parts; share-farm.bats has gateways that lease their parts.

load lib/helpers
load lib/clocks

# at N COMMAND...: the command at gateway N. Each gateway may have a list of its own.
at() {
  local conf=$T/$1/nodes.conf
  COREBALANCE_SCOREBOARD=$T/$1/scoreboard.tdb "$BUILD/cbscore" -c "$conf" "${@:2}"
}

# gateways N: makes folders for so many, each with the list of the test.
gateways() {
  local i
  GATEWAYS=$1
  for i in $(seq "$1"); do
    mkdir -p "$T/$i"
    cp "$CONF" "$T/$i/nodes.conf"
  done
}

split() {
  local i
  for i in $(seq "$GATEWAYS"); do at "$i" share "$i/$GATEWAYS"; done
}

# Prints the shares of all gateways, a line each: NODE CORES SHARE.
shares() {
  local i
  for i in $(seq "$GATEWAYS"); do at "$i" list -nr -o NODE,CORES,SHARE; done
}

# At each node the shares of all gateways are its cores together, and differ by at most one.
cores_are_dealt() {
  shares | awk '{ cores[$1] = $2; sum[$1] += $3
      if (!($1 in most) || $3 > most[$1]) most[$1] = $3
      if (!($1 in least) || $3 < least[$1]) least[$1] = $3 }
    END { for (n in cores) if (sum[n] != cores[n] || most[n] - least[n] > 1) { print n, cores[n], sum[n], least[n], most[n]; bad = 1 }
      exit bad }'
}

share_at() { at "$1" list -nr -o NODE,SHARE | awk -v n="$ADDR:$2" '$1 == n { print $2 }'; }

@test "the shares of all gateways are exactly the cores of each node, for one core, odd cores, 1/2 and 3/7" {
  local n port cores
  for cores in 1 2 3 4 5 6 7 8 9 13 14 15 64 65535; do node_line $((4000 + cores % 4000)) "$cores"; done
  for n in 1 2 3 7; do
    gateways "$n"
    split
    run -0 cores_are_dealt
    [ -z "$output" ]
  done
  [ "$(share_at 3 4001)" = 0 ] || [ "$(share_at 3 4001)" = 1 ]
  [ "$(share_at 3 4007)" = 1 ]
  [ "$(share_at 3 4014)" = 2 ]
  for port in 4007 4014; do [ "$(at 3 list -nr -o NODE,FREE | awk -v n="$ADDR:$port" '$1 == n { print $2 }')" = "$(share_at 3 "$port")" ]; done
}

@test "single cores do not all fall to the first gateway, nor do what is left of odd cores" {
  local port
  for port in $(seq 4000 4006); do node_line "$port" 1; done
  for port in $(seq 4100 4106); do node_line "$port" 3; done
  gateways 2
  split
  cores_are_dealt
  shares | awk -v a="$ADDR:40" 'index($1, a) == 1 { n++; sum += $3 } n == 7 { print sum; exit }' | grep -E '^[34]$'
  run -0 at 1 share
  [[ $output =~ ^'share 1/2: 1'[34]' of 28 cores of 14 nodes; of '[34]' nodes none'$ ]]
}

@test "one gateway has loaded a changed list and the other has not: no core is used by both" {
  node_line 4001 1
  node_line 4002 3
  node_line 4003 1
  node_line 4004 5
  gateways 2
  split
  shares | sort >"$T/before"
  # The first gateway loses its first node, gets a new one, and has the others in another order.
  { sed 1d "$CONF" | tac; echo "$ADDR, 4009, 1, 0"; } >"$T/1/nodes.conf"
  at 1 load
  run -0 at 1 list -nr -o NODE
  [[ $output == "$ADDR:4004"$'\n'"$ADDR:4003"$'\n'"$ADDR:4002"$'\n'"$ADDR:4009" ]]
  [ "$(shares | grep -v -e ":4001 " -e ":4009 " | sort)" = "$(grep -v ":4001 " "$T/before")" ]
  cp "$T/1/nodes.conf" "$T/2/nodes.conf"
  at 2 load
  cores_are_dealt
  at 1 fsck
  at 2 fsck
}

@test "a split is kept by load, add, remove, set, hold, a repair and a rebuild" {
  local gate what
  node_line 4001 3
  node_line 4002 4
  gateways 2
  split
  for gate in 1 2; do
    at $gate add "$ADDR, 4003, 5, 0"
    at $gate set "$ADDR:4002" cores=9
    at $gate remove "$ADDR:4001"
    at $gate down "$ADDR:4002"
    at $gate up "$ADDR:4002"
  done
  cores_are_dealt
  at 1 list -nr -o NODE | grep -c . | grep -x 2
  for gate in 1 2; do at $gate load; done
  cores_are_dealt
  shares >"$T/before"
  for gate in 1 2; do
    # The index entry with the limit; the way to all records; a node's record, which the list brings back.
    for what in "noise index/0/0" chains "noise node/2"; do
      # shellcheck disable=SC2086  # two words
      "$BUILD/tests/cbtest-damage" "$T/$gate/scoreboard.tdb" $what
      at $gate list >/dev/null
      at $gate load
      run -0 at $gate fsck
      cores_are_dealt
    done
    at $gate share | grep -F "share $gate/2: "
  done
  shares | diff "$T/before" -
}

@test "the record with the split is destroyed: nodes keep their shares, a node that comes gets none until the split is told" {
  node_line 4001 3
  node_line 4002 4
  gateways 2
  split
  "$BUILD/tests/cbtest-damage" "$T/1/scoreboard.tdb" zero farm
  at 1 list >/dev/null
  run -0 at 1 share
  [[ $output == "share unknown: "* ]]
  cores_are_dealt
  at 1 add "$ADDR, 4003, 6, 0"
  [ "$(share_at 1 4003)" = 0 ]
  run -0 at 1 share 1/2
  [[ $output == "share unknown -> 1/2: "* ]]
  [ "$(share_at 1 4003)" = 3 ]
}

# gateway N: its listener, at an address of its own; its log is in its folder.
gateway() {
  GATE=127.$((RANDOM % 254 + 1)).$((RANDOM % 256)).$((RANDOM % 254 + 1)):3632
  SCOREBOARD=$T/$1/scoreboard.tdb COREBALANCE_SCOREBOARD=$T/$1/scoreboard.tdb CONF=$T/$1/nodes.conf SHARE=$1/2 T=$T/$1 entrance "${2:-alone}"
  printf -v "GATE_$1" %s "$GATE"
}

busy_at() { [ "$(at "$1" slots -n | grep -c .)" = "$2" ]; }
waiting_at() { [ "$(at "$1" queue -n | grep -c .)" = "$2" ]; }

@test "two gateways with \$SHARE use all cores of the nodes, and never one too many; each serves its own waiters" {
  local i share
  node a 4001 1 --mode line
  node b 4002 3 --mode line
  node c 4003 5 --mode line
  gateways 2
  for i in 1 2; do
    gateway $i
    client_start "load$i" -n 12 -c 12 --line "$(until_word go)" --expect line
  done
  for i in 1 2; do
    share=$(at $i list -nr -o SHARE | awk '{ sum += $1 } END { print sum }')
    until_ok busy_at $i "$share"
    until_ok waiting_at $i $((12 - share))
    at $i explain -n -o NODE,WHY 10.0.0.1 | grep "its other cores are other gateways'"
  done
  cores_are_dealt
  [ "$(at 1 slots -n | grep -c .)$(at 2 slots -n | grep -c .)" != 90 ]
  [ $(($(at 1 slots -n | grep -c .) + $(at 2 slots -n | grep -c .))) = 9 ]
  word go
  client_wait load1
  client_wait load2
  nodes_never_overfilled
  for i in 1 2; do grep "share $i/2 of each node" "$T/$i/relay.log"; done
}

@test "each connection a process: \$SHARE counts from the first; another value at the next" {
  node a 4001 4 --mode line
  gateways 2
  WRAPPER='env SHARE=2/2'
  SCOREBOARD=$T/1/scoreboard.tdb COREBALANCE_SCOREBOARD=$T/1/scoreboard.tdb CONF=$T/1/nodes.conf entrance inetd
  client_start load -n 3 -c 3 --line "$(until_word go)" --expect line
  until_ok busy_at 1 2
  until_ok waiting_at 1 1
  at 1 share | grep -Fx 'share 2/2: 2 of 4 cores of 1 node'
  # All of it is this gateway's: the waiter is served.
  at 1 share none
  until_ok busy_at 1 3
  word go
  client_wait load
  nodes_never_overfilled
}

@test "a smaller share ends no connection; a larger one serves waiters" {
  node a 4001 4 --mode line
  entrance alone
  client_start load -n 6 -c 6 --line "$(until_word go)" --expect line
  until_ok busy_is 4
  run -0 score share 1/4
  [ "$output" = "share none -> 1/4: 1 of 4 cores of 1 node" ]
  busy_is 4
  [ "$(score list -nr -o BUSY,FREE,SHARE)" = "4 0 1" ]
  client_start more --line "sleep 0" --expect line
  until_ok waiting_is 3
  word go
  client_wait load
  client_wait more
  run -0 score share 1/4
  [ "$output" = "share is 1/4 already: 1 of 4 cores of 1 node" ]
  farm_is_at_rest
}

@test "the split is shown in list, status, JSON, metrics and on the page, where there is one" {
  node_line 4001 4
  score load
  [ "$(score list -nr -o SHARE)" = "" ]
  score list -J -o NODE,SHARE | jq -e '.nodes[0].share == null'
  run -0 score share
  [ "$output" = "share none: 4 of 4 cores of 1 node" ]
  run ! grep share <(score status)
  score status -J | jq -e '.share == null and .nodes[0].share == null'
  score metrics | grep -F 'node_slots_share{' | grep ' 4$'
  score share 2/4
  score list -J -o NODE,SHARE | jq -e '.nodes[0].share == 1'
  score status | grep -Fx "  share 2/4: 1 of 4 cores are this gateway's"
  score status -J | jq -e '.share == "2/4" and .nodes[0].share == 1 and .nodes[0].limit == 1 and .nodes[0].cores == 4'
  score metrics | grep -F 'node_slots_share{' | grep ' 1$'
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
  until_ok is_listening "$ADDR:3680"
  curl -sS --max-time 300 "http://$ADDR:3680/" | grep -F '<dt>Share</dt><dd><b>2/4</b> of each node</dd>'
  # The node list is that of all gateways.
  run ! grep -i share <(score dump)
}

@test "wrong values are told and change nothing" {
  node_line 4001 4
  score share 1/2
  for wrong in 0/2 3/2 1/0 1/1001 1 / 1/ /2 1/2/3 1/2x ' 1/2' -1/2 '' half; do
    run -2 score share -- "$wrong"
    [[ $output == *"\"$wrong\": expected PART/PARTS, as 1/2, of at most 1000, leased or none"* ]]
    [ -z "$wrong" ] || SHARE=$wrong run -64 "$BUILD/cbrelay" -c "$CONF" "$GATE"
    [ -z "$wrong" ] || [[ $output == "cbrelay: \$SHARE: \"$wrong\": expected PART/PARTS, as 1/2, of at most 1000, leased or none"* ]]
  done
  [ "$(score share)" = "share 1/2: 2 of 4 cores of 1 node" ]
  score fsck
}

@test "a split that cbscore set outlives a reboot, and so does its end" {
  [ "$(id -u)" = 0 ] || skip "needs root to mount"
  unset COREBALANCE_SCOREBOARD
  export ADDR BUILD
  run -0 unshare --mount bash -euc 'mount -t tmpfs none /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/lib &&
    mkdir /etc/corebalance /run/corebalance /var/lib/corebalance
    echo "$ADDR, 4001, 4, 0" >/etc/corebalance/nodes.conf
    reboot() { rm /run/corebalance/*; }
    "$BUILD/cbscore" share 2/2 >/dev/null
    "$BUILD/cbscore" down $ADDR >/dev/null
    cat /var/lib/corebalance/scoreboard.holds
    reboot
    "$BUILD/cbscore" load >/dev/null
    "$BUILD/cbscore" list -nr -o STATE,SHARE
    "$BUILD/cbscore" share
    "$BUILD/cbscore" share leased >/dev/null
    reboot
    "$BUILD/cbscore" load >/dev/null
    "$BUILD/cbscore" share
    "$BUILD/cbscore" slots --free
    "$BUILD/cbscore" share none >/dev/null
    reboot
    "$BUILD/cbscore" load >/dev/null
    "$BUILD/cbscore" share'
  echo "$output"
  [[ $output == *$'\n'"share 2/2"$'\n'"$ADDR:4001"$'\n'"held 2"$'\n'"share 2/2: 2 of 4 cores of 1 node"$'\n'"share leased: the lease is over, and no slot is given out"$'\n'0$'\n'"share none: 4 of 4 cores of 1 node" ]]
}

@test "shares that a program sets, and a lease: nothing is granted at or after its end, waiters are served by the next" {
  node_line 4001 4
  score load
  "$BUILD/tests/cbtest-share" "$SCOREBOARD"
  score fsck
  scoreboard_is_sound
}

@test "a scoreboard outlives a boot: its lease is over, and a node that is down is tried as soon as without it" {
  clock_preload
  clocks_ahead 0 2592000
  # The processes of the old boot had 30 days more.
  node_line 4001 1
  $OTHER_CLOCKS "$BUILD/cbprobe" -c "$CONF"
  state_is 4001 down
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" number farm 148 10000
  run -0 score share
  [[ $output == "share leased: "* && $output != *"the lease is over"* ]]
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" number origin 0 1
  [ "$(score share)" = "share leased: the lease is over, and no slot is given out" ]
  score share none
  node_start a 4001 1 --mode line
  entrance alone
  client --line "sleep 0" --expect line
  farm_is_at_rest
}

# What COUNT claims and releases cost, in instructions: the opening costs the same.
instructions() { # alone|leased COUNT
  ${OTHER_CLOCKS-} valgrind --tool=callgrind --callgrind-out-file=/dev/null "$BUILD/tests/cbtest-share" "$SCOREBOARD" "$@" 2>&1 |
    sed -n 's/.*Collected : //p'
}

@test "a claim and a release cost the same in a farm whose cores are leased, but for 2 %" {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer and valgrind do not go together"
  local alone leased
  node_line 4001 4
  score load
  alone=$(($(instructions alone 1200) - $(instructions alone 200)))
  leased=$(($(instructions leased 1200) - $(instructions leased 200)))
  echo "# a claim and a release: $((alone / 1000)) instructions alone, $((leased / 1000)) leased"
  [ "$alone" -gt 1000000 ]
  [ $((leased * 100)) -le $((alone * 102)) ]
}

@test "a claim and a release cost the same in whichever half minute it is, but for 0.5 %" {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer and valgrind do not go together"
  local seconds now least=999999999 most=0
  node_line 4001 4
  score load
  clock_preload
  # Each half minute of an hour has a record of its own: its name must not displace another's.
  for seconds in {0..3300..300}; do
    clocks_ahead "$seconds"
    now=$(instructions alone 400)
    ((now >= least)) || least=$now
    ((now <= most)) || most=$now
  done
  echo "# 400 claims and releases: $least to $most instructions"
  [ "$least" -gt 1000000 ]
  [ $((most * 1000)) -le $((least * 1005)) ]
}

@test "leased: no core is given out before there is a lease, whichever program starts first; a lease outlives a reboot" {
  node n 4001 4 --mode line
  score load
  run -0 score share leased
  [ "$output" = "share none -> leased: the lease is over, and no slot is given out" ]
  [ "$(score share)" = "share leased: the lease is over, and no slot is given out" ]
  [ "$(score share leased)" = "share is leased already: the lease is over, and no slot is given out" ]
  entrance alone
  client_start one --line hello --expect line
  until_ok waiting_is 1
  # Every verb that tells of the farm tells it.
  [[ $(score list) == *"the farm's lease is over: every new connection waits until cbshare has another"* ]]
  [[ $(score status) == *"the farm's lease is over"*"share leased: 4 of 4 cores"* ]]
  [ "$(score slots --free)" = 0 ]
  [[ $(score agent) == "up drain #the farm's lease is over" ]]
  run -2 score check
  [[ $output == "COREBALANCE CRITICAL - the farm's lease is over, "* ]]
  score status -J | jq -e '.lapsed and .share == "leased" and .paused == false and .free == 0'
  score metrics | grep -E '^corebalance_lapsed\{.*\} 1$'
  # A relay that was told a part does not end it: the others may have the cores by now.
  SHARE=1/2 run -78 timeout 300 "$BUILD/cbrelay" -c "$CONF" "$ADDR:3700"
  [[ $output == *"\$SHARE is 1/2, but the cores of this farm are leased"* ]]
  SHARE=leased timeout 300 "$BUILD/cbrelay" -c "$CONF" "$ADDR:3700" --exit-idle 1ms
  busy_is 0
  score share none
  client_wait one
  # A new scoreboard, as after a reboot: the first process that has the word decides.
  rm "$SCOREBOARD"*
  SHARE=leased timeout 300 "$BUILD/cbrelay" -c "$CONF" "$ADDR:3701" --exit-idle 1ms
  [[ $(score share) == "share leased: "* ]]
  [ "$(score slots --free)" = 0 ]
}

@test "gateways shows what is noted of each gateway; a note that is missing, foreign or half is told" {
  local note=$T/scoreboard.tdb.gateways now
  run -1 score gateways
  [[ $output == "cbscore: $note: not there: no cbshare(8) runs for this farm" ]]
  now=$(date +%s)
  printf '%s\n' "gw1 here 16 9 4 0 0 ${now}000000 same" "gw2 silent 16 7 7 3 $((now - 60))000000 $((now - 30))000000 other" >"$note"
  chmod 0660 "$note"
  run -0 score gateways -nr -o GATEWAY,STATE,SHARE,CORES,BUSY,WAITING,LIST
  [ "$output" = "gw1 here 9 16 4 0 same"$'\n'"gw2 silent 7 16 7 3 other" ]
  run -0 score gateways --json
  jq -e '.gateways | length == 2 and .[0].since == null and .[1].share == 7' <<<"$output"
  [ "$(jq '.gateways[1].spoke - .gateways[1].since' <<<"$output")" = 30000000 ]
  for line in "gw1 here 16 9" "gw1 here 16 9 4 0 0 1 same more" "gw1 away 16 9 4 0 0 1 same" "gw1 here 16 -9 4 0 0 1 same" \
    "gw1 here 16 9 4 0 0 1 alike" " here 16 9 4 0 0 1 same" "$(printf 'g%.0s' {1..64}) here 16 9 4 0 0 1 same"; do
    echo "$line" >"$note"
    run -1 score gateways
    [[ $output == "cbscore: $note: a line that cbshare(8) has not written" ]] || { echo "$line: $output"; return 1; }
  done
  chmod 0666 "$note"
  run -1 score gateways
  [[ $output == "cbscore: $note: "* ]]
  rm "$note"
  ln -s /etc/passwd "$note"
  run -1 score gateways
  [[ $output == "cbscore: $note: "* ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A node with a name that has several addresses, some of which swallow packets.

load lib/helpers

setup() {
  farm_setup
  if [ "$(id -u)" != 0 ]; then skip "needs root to say what a name means"; fi
  DEAD=127.1.${ADDR#127.*.}
  DEAD=${DEAD%.*}.254
}

# Sets the addresses of dual.farm for the relays of entrance().
dual_means() {
  printf '%s dual.farm\n' "$@" >"$T/hosts"
  background "$T/names.log" unshare --mount bash -c "mount --bind '$T/hosts' /etc/hosts && echo ready && exec sleep 600"
  until_ok grep -q ready "$T/names.log"
  NAMES=$PID
}
named() { nsenter --mount="/proc/$NAMES/ns/mnt" "$@"; }

dual_entrance() {
  local way=$1
  shift
  # The list is loaded first, so that every way in finds the same order.
  named "$BUILD/cbscore" -c "$CONF" load
  way_in "$way" "$GATE" "$BUILD/cbrelay" -c "$CONF" "$@"
  background "$T/relay.log" nsenter --mount="/proc/$NAMES/ns/mnt" "${WAY_IN[@]}" # a function would be another process
  until_ok is_listening "$GATE"
}

# Milliseconds of the longest connect, by the relays' log.
slowest_connect() { sed -n 's/.*connect_usec=\([0-9]*\) .*/\1/p' "$T/relay.log" | sort -n | tail -n 1; }

swallowed() {
  dual_means "$DEAD" "$ADDR"
  full_node 4001 "$DEAD"
  node_start a 4001 1 --mode hold:5
  echo "dual.farm, 4001, 1, 0" >"$CONF"
  dual_entrance "$1"
  client -n 1 --expect line
  until_ok grep -q 'end=--' "$T/relay.log"
  # The first connect takes a quarter of a second, not the five seconds of --connect-timeout; then the relays know.
  [ "$(slowest_connect)" -ge 250000 ]
  [ "$(slowest_connect)" -lt 4000000 ]
  [ "$(score list -nr -o ADDRESSES)" = "$ADDR,$DEAD" ]
  [ "$(score list -nr -o UNREACHED)" = "$DEAD" ]
  [ "$(score list -nr -o STATE)" = up ]
  client -n 5 --expect line
  until_ok lines_with_are "$T/relay.log" 'end=--' 6
  # One of the six connections has waited for that address; on a busy machine another may have taken as long.
  late=$(sed -n 's/.*connect_usec=\([0-9]*\) .*/\1/p' "$T/relay.log" | awk '$1 >= 250000' | wc -l)
  [ "$late" -ge 1 ] && [ "$late" -le 2 ]
  lines_with_are "$T/relay.log" "dual.farm:4001: $DEAD:4001 cannot be reached; $ADDR:4001 can, and is tried first from now on" 1
  # A new load of the list, and a pass of the prober, do not change that.
  named "$BUILD/cbscore" -c "$CONF" load
  named "$BUILD/cbprobe" -c "$CONF" || true
  [ "$(score list -nr -o ADDRESSES)" = "$ADDR,$DEAD" ]
  [ "$(score list -nr -o UNREACHED)" = "$DEAD" ]
  farm_is_at_rest
}

@test "listener: an address that swallows packets costs one connection a quarter of a second" { swallowed listener; }
@test "connection: an address that swallows packets costs one connection a quarter of a second" { swallowed connection; }
@test "inetd: an address that swallows packets costs one connection a quarter of a second" { swallowed inetd; }
@test "alone: an address that swallows packets costs one connection a quarter of a second" { swallowed alone; }

@test "a name to listen on: all of its addresses that this machine has, and it must have one" {
  local other=127.3.${ADDR#127.*.}
  node a 4001 1 --mode line
  printf '%s\n' "$ADDR gate.test" "192.0.2.77 gate.test" "$other gate.test" "192.0.2.77 away.test" "$ADDR twice gate.test" >"$T/gate.hosts"
  in_gate_hosts() { unshare --mount bash -c "mount --bind '$T/gate.hosts' /etc/hosts && exec \"\$@\"" sh "$@"; }
  run -71 in_gate_hosts "$BUILD/cbrelay" -c "$CONF" away.test:3632
  [ "$output" = "cbrelay: cannot listen on away.test:3632: Cannot assign requested address" ]
  background "$T/relay.log" unshare --mount bash -c "mount --bind '$T/gate.hosts' /etc/hosts && exec '$BUILD/cbrelay' -c '$CONF' gate.test:3632"
  until_ok is_listening "$ADDR:3632"
  until_ok is_listening "$other:3632"
  run ! grep -q 192.0.2.77 "$T/relay.log"
  client --line "sleep 0" --expect line
}

@test "places to listen at, with commas between them: ports, IPv6 and a unix socket, which is replaced unless it is in use" {
  local socket=$T/socket place log
  nobody_listens() { ! is_listening "$ADDR:3632"; }
  listens_at_all_three() { [ "$(grep -c 'listening on' "$log")" = 3 ]; }
  node_start a 4001 1 --mode hold:1
  for log in "$T/first.log" "$T/second.log"; do
    background "$log" "$BUILD/cbrelay" "$ADDR:3632,[::1]:0,$socket" "$ADDR:4001"
    until_ok listens_at_all_three
    for place in "TCP:$ADDR:3632" "$(sed -n 's/.*listening on \(\[::1\]:.*\)/TCP6:\1/p' "$log")" "UNIX:$socket"; do
      run -0 socat -t 300 - "$place" <<<"line"
      [[ $output == "a "* ]]
    done
    run -71 "$BUILD/cbrelay" "$socket" "$ADDR:4001"
    [ "$output" = "cbrelay: cannot listen on $socket: Address already in use" ]
    kill -KILL "$PID"
    until_ok nobody_listens
  done
  : >"$T/file"
  run -71 "$BUILD/cbrelay" "$T/file" "$ADDR:4001"
  [ -f "$T/file" ]
}

@test "a node of which no address answers is down when --connect-timeout is over for all of them together" {
  dual_means "$DEAD" "${DEAD%.*}.253"
  full_node 4001 "$DEAD"
  echo "dual.farm, 4001, 1, 0" >"$CONF"
  node_start a 4002 1 --mode hold:5
  node_line 4002 1
  dual_entrance alone --connect-timeout 2s --policy order
  # One address refuses at once; the address that swallows packets has all the rest of the time.
  client -n 1 --expect line
  until_ok grep -q 'dual.farm:4001 is down: connect timed out' "$T/relay.log"
  until_ok grep -q 'failed_nodes=1 .*end=--' "$T/relay.log"
}

@test "the address that comes first is lost: the next one is found, and comes first" {
  local other=${DEAD%.*}.253 pid_a pid_b lost left=b
  dual_means "$ADDR" "$other"
  node_start a 4001 1 --mode hold:5
  pid_a=$PID
  background "$T/b.log" "$NODE" --name b --max 1 --mode hold:5 "$other:4001"
  pid_b=$PID
  until_ok grep -q ^PORT "$T/b.log"
  echo "dual.farm, 4001, 1, 0" >"$CONF"
  dual_entrance alone
  # The resolver chooses which address is first.
  run -0 client --expect line --print
  lost=$pid_a
  if [[ $output == *"reply=b "* ]]; then lost=$pid_b left=a; fi
  kill "$lost"
  gone "$lost"
  run -0 client --expect line --print
  [[ $output == *"reply=$left "* ]]
  if [ "$left" = b ]; then
    [ "$(score list -nr -o ADDRESSES,UNREACHED)" = "$other,$ADDR $ADDR" ]
  else
    [ "$(score list -nr -o ADDRESSES,UNREACHED)" = "$ADDR,$other $other" ]
  fi
  lines_with_are "$T/relay.log" 'is down' 0
  farm_is_at_rest
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# How clients find two gateways: the recipes of corebalance(7) as they are printed, in network namespaces: gw1 and gw2, each with
# half of the farm, and lan, which has the node, the clients, and a bridge for all.

load lib/helpers

setup() {
  local name
  farm_setup
  ((EUID == 0)) || skip "needs root for network namespaces"
  declare -gA NS RELAY_OF
  for name in lan gw1 gw2; do
    mkdir "$T/$name"
    background "$T/$name/space" unshare --net --mount --propagation private sleep 900
    NS[$name]=$PID
    until_ok is_apart "$PID"
    at "$name" ip link set lo up
  done
  at lan ip link add lan type bridge
  at lan ip link set lan up
  at lan ip address add 192.0.2.9/24 dev lan
  for name in gw1 gw2; do
    at lan ip link add "to-$name" type veth peer name eth0 netns "${NS[$name]}"
    at lan ip link set "to-$name" master lan up
    at $name ip link set eth0 up
    at $name ip address add "192.0.2.${name#gw}/24" dev eth0
  done
  background "$T/n.log" nsenter -t "${NS[lan]}" -n "$NODE" --name n --max 4 --mode line 192.0.2.9:4001
  until_ok grep -q ^PORT "$T/n.log"
  echo '192.0.2.9, 4001, 4, 0' >"$CONF"
  for name in gw1 gw2; do gateway_begins $name; done
}
teardown() {
  local name pid
  for name in gw1 gw2; do
    if [ -e "$T/$name/scoreboard.tdb" ]; then for pid in $(pids_holding "$T/$name/scoreboard.tdb"); do kill -9 "$pid" 2>/dev/null; done; fi
  done
  farm_teardown
}

at() { nsenter -t "${NS[$1]}" -n -m "${@:2}"; }
is_apart() { [ "$(readlink "/proc/$1/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }

gateway_begins() {
  background "$T/$1/relay" nsenter -t "${NS[$1]}" -n -m env SHARE="${1#gw}/2" COREBALANCE_SCOREBOARD="$T/$1/scoreboard.tdb" \
    "$BUILD/cbrelay" -c "$CONF" 0.0.0.0:3632
  RELAY_OF[$1]=$PID
  until_ok at "$1" bash -c 'ss -Hltn "sport = :3632" | grep -q .'
}

# served NAME N: that gateway has served so many.
served() { [ "$(at "$1" env COREBALANCE_SCOREBOARD="$T/$1/scoreboard.tdb" "$BUILD/cbscore" list -nr -o SERVED)" = "$2" ]; }
has_address() { at "$1" ip -4 -o address show dev eth0 | grep -qF " $2/"; }
ask() { at lan "$CLIENT" --line hello --expect line "$1:3632"; }

# A block of the section SEVERAL GATEWAYS that has these words.
printed() {
  awk -v words="$1" '/^\.S[hs]/ { there = /SEVERAL GATEWAYS/ || /Which gateway/ } there && /^\.Bd/ { lines = 1; text = ""; next }
    /^\.Ed/ { if (lines && index(text, words)) printf "%s", text; lines = 0 } lines { text = text $0 "\n" }' \
    "$BATS_TEST_DIRNAME/../man/corebalance.7"
}

keepalived_starts() { # NAME
  printf '#!/bin/sh\n[ "$*" = "is-active --quiet corebalance.socket" ] && [ -e %s ]\n' "$T/$1/active" >"$T/$1/systemctl"
  chmod 755 "$T/$1/systemctl"
  : >"$T/$1/active"
  at "$1" mount --bind "$T/$1/systemctl" /usr/bin/systemctl
  background "$T/$1/keepalived" nsenter -t "${NS[$1]}" -n -m keepalived --dont-fork --log-console --use-file "$T/$1/keepalived.conf" \
    --pid "$T/$1/pid" --vrrp_pid "$T/$1/vrrp.pid"
}

@test "keepalived: each gateway has an address, and a gateway that stands still leaves its address to the other" {
  command -v keepalived >/dev/null || skip "needs keepalived"
  printed vrrp_instance >"$T/gw1/keepalived.conf"
  # On the other gateway with the states and priorities of the two instances exchanged.
  sed 's/MASTER/master/; s/BACKUP/MASTER/; s/master/BACKUP/; s/150/1o0/; s/100/150/; s/1o0/100/' "$T/gw1/keepalived.conf" >"$T/gw2/keepalived.conf"
  for name in gw1 gw2; do keepalived_starts $name; done
  until_ok has_address gw1 192.0.2.11
  until_ok has_address gw2 192.0.2.12
  ask 192.0.2.11
  until_ok served gw1 1
  ask 192.0.2.12
  until_ok served gw2 1
  rm "$T/gw1/active"
  until_ok has_address gw2 192.0.2.11
  ask 192.0.2.11
  until_ok served gw2 2
  : >"$T/gw1/active"
  until_ok has_address gw1 192.0.2.11
  until_ok ask 192.0.2.11
  until_ok served gw1 2
  run ! grep -iE 'warning|error|unknown keyword' "$T/gw1/keepalived"
  nodes_never_overfilled
}

# A name server for the zone's lines on standard input, which begins with another of them at each question.
name_server() {
  background "$T/dns" nsenter -t "${NS[lan]}" -n python3 -c "
import socket, sys
zone = [line.split() for line in open(sys.argv[1])]
records = [socket.inet_aton(address) for name, _, kind, address in zone if (name, kind) == ('gateway', 'A')]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('192.0.2.9', 53)); print('listens', len(records), flush=True)
while True:
    q, who = s.recvfrom(512)
    end = q.index(b'\0', 12) + 1
    found = records if q[end:end + 2] == b'\0\1' else []
    s.sendto(q[:2] + b'\x85\x80\0\1' + bytes([0, len(found)]) + b'\0\0\0\0' + q[12:end + 4] +
             b''.join(b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4' + r for r in found), who)
    records = records[1:] + records[:1]" "$T/zone"
  until_ok grep -q 'listens 2' "$T/dns"
}

# A client as most are: it tries the addresses of the name one after the other, in the order of getaddrinfo(3).
ask_by_name() {
  at lan python3 -c "
import socket
s = socket.create_connection(('gateway', 3632))
s.sendall(b'hello\n')
assert s.makefile().readline() != ''"
}

@test "two addresses of a name: clients are served by one gateway, and by the other when that is gone" {
  printed 'IN A' >"$T/zone"
  for n in 1 2; do at gw$n ip address add 192.0.2.1$n/24 dev eth0; done
  name_server
  echo 'nameserver 192.0.2.9' >"$T/resolv.conf"
  at lan mount --bind "$T/resolv.conf" /etc/resolv.conf
  ask_by_name
  until_ok served gw1 1
  kill "${RELAY_OF[gw1]}"
  gone "${RELAY_OF[gw1]}"
  ask_by_name
  until_ok served gw2 1
  gateway_begins gw1
  kill "${RELAY_OF[gw2]}"
  gone "${RELAY_OF[gw2]}"
  ask_by_name
  until_ok served gw1 2
  nodes_never_overfilled
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Nodes that cannot be reached, because of the network, of this machine or for no
# known reason: in a network of the test's own, where lo is the only interface,
# with routes as needed.

load lib/helpers

setup() {
  farm_setup
  if [ "$(id -u)" != 0 ]; then skip "needs root for a network of its own"; fi
}

# network COMMAND...: runs it in the test's network, which lives as long as its keeper.
network() { nsenter --net="/proc/$KEEPER/ns/net" "$@"; }
# A process that looks at the farm must be in its network.
score() { if [ -n "${KEEPER:-}" ]; then network "$BUILD/cbscore" -c "$CONF" "$@"; else "$BUILD/cbscore" -c "$CONF" "$@"; fi; }
network_up() {
  background "$T/keeper.log" unshare --net sleep 600
  KEEPER=$PID
  until_ok eval '! [ "/proc/$KEEPER/ns/net" -ef /proc/self/ns/net ] && network true'
  network ip link set lo up
}

reason_of() { score list -nr -o NODE,STATE,REASON | awk -v n="$1" '$1 == n { print $2, $3 }'; }

# A listener at $ADDR:4009 with a full backlog, which answers no more connects.
full_backlog() {
  background "$T/full.log" python3 -c "
import socket, time
s = socket.socket(); s.bind(('$ADDR', 4009)); s.listen(0)
held = [socket.socket() for _ in range(4)]
for h in held:
    h.setblocking(False); h.connect_ex(('$ADDR', 4009))
print('full', flush=True); time.sleep(600)"
  until_ok grep -q full "$T/full.log"
}

@test "a relay tells why it could not connect, by the kernel's own words, and uses the node that it can reach" {
  network_up
  network ip route add unreachable 192.0.2.1
  network ip route add prohibit 192.0.2.2
  network ip route add blackhole 192.0.2.3
  for i in 1 2 3 4; do echo "192.0.2.$i, 1, 1, 0, speed=9" >>"$CONF"; done
  # The network has no IPv6 at all.
  network sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  echo "[2001:db8::1], 1, 1, 0, speed=9" >>"$CONF"
  background "$T/a.log" nsenter --net="/proc/$KEEPER/ns/net" "$NODE" --name a --max 1 --mode hold:5 "$ADDR:4001"
  until_ok grep -q ^PORT "$T/a.log"
  node_line 4001 1 speed=1
  background "$T/relay.log" nsenter --net="/proc/$KEEPER/ns/net" "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok network ss -Hltn "sport = :3632"
  until_ok grep -q 'listening on' "$T/relay.log"
  run -0 network "$CLIENT" --expect line --print "$GATE"
  [[ $output == *"reply=a "* ]]
  [ "$(reason_of 192.0.2.1:1)" = 'down no\x20route\x20to\x20host' ]
  [ "$(reason_of 192.0.2.2:1)" = 'down address\x20not\x20usable\x20here' ]
  [ "$(reason_of 192.0.2.3:1)" = 'down address\x20not\x20usable\x20here' ]
  [ "$(reason_of 192.0.2.4:1)" = 'down no\x20route\x20to\x20host' ]
  [[ $(reason_of '[2001:db8::1]:1') == down* ]]
  [ "$(reason_of "$ADDR:4001")" = "up" ] || [ "$(reason_of "$ADDR:4001")" = "up " ]
  farm_is_at_rest
}

@test "a prober without a way out of its machine blames no node, says so, and exits 1" {
  network_up
  for i in 1 2; do echo "192.0.2.$i, 1, 1, 0" >>"$CONF"; done
  score load
  run -1 network "$BUILD/cbprobe" -c "$CONF" --fall 1
  [[ $output == *"no node can be checked from here (192.0.2."*": Network is unreachable), no node's health was changed"* ]]
  [ "$(score list -nr -o STATE | sort -u)" = up ]
}

@test "neither a command that is content nor a node that is too busy to be asked shows that there is a way out" {
  network_up
  network ip address add 192.0.2.9/32 dev lo
  background "$T/a.log" nsenter --net="/proc/$KEEPER/ns/net" "$NODE" --name a --max 1 --mode line 192.0.2.9:4001
  until_ok grep -q ^PORT "$T/a.log"
  echo "192.0.2.9, 4001, 1, 0, check=-s banner:x" >"$CONF"
  background "$T/relay.log" nsenter --net="/proc/$KEEPER/ns/net" "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok grep -q 'listening on' "$T/relay.log"
  # The node has served one connection, and is full with another; then the network is lost.
  network "$CLIENT" --line true --expect line "$GATE"
  until_ok busy_is 0
  background "$T/client.log" nsenter --net="/proc/$KEEPER/ns/net" "$CLIENT" --line "$(until_word go)" --expect line "$GATE"
  until_ok busy_is 1
  node_has_the_line() { network ss -Htn state established 'sport = :4001' | grep -q .; }
  until_ok node_has_the_line
  network ip address del 192.0.2.9/32 dev lo
  score add "192.0.2.1, 1, 1, 0"
  run -0 network "$BUILD/cbprobe" -v --fall 1
  [[ $output == *"192.0.2.9:4001: banner: busy, and has served since the last pass"* ]]
  [[ $output == *"1 of 2 nodes cannot be checked from here (192.0.2.1:1: Network is unreachable)"* ]]
  # The pass prints one sum, which adds up.
  [[ $output == *"cbprobe: checked 1 of 2 nodes in "*": 1 answered, 0 did not; 1 left as they are"* ]]
  echo "192.0.2.2, 1, 1, 0, check=exec:/bin/true" >>"$CONF"
  score add "192.0.2.2, 1, 1, 0, check=exec:/bin/true"
  run -0 network "$BUILD/cbprobe" -c "$CONF" -v --fall 1
  [[ $output == *"192.0.2.2:1: exec: answered"* ]]
  [ "$(score list -nr -o STATE | sort -u)" = up ]
}

@test "a prober without a way out of its machine judges a node on the machine itself, and names the others" {
  network_up
  echo "192.0.2.1, 1, 1, 0" >>"$CONF"
  node_line 4001 1
  score load
  run -0 network "$BUILD/cbprobe" -c "$CONF" --fall 1
  [[ $output == *"$ADDR:4001 is down: connection refused"* ]]
  [[ $output == *"1 of 2 nodes cannot be checked from here (192.0.2.1:1: Network is unreachable), their health was not changed"* ]]
  [ "$(reason_of 192.0.2.1:1)" = "up" ] || [ "$(reason_of 192.0.2.1:1)" = "up " ]
}

@test "addresses of the machine's own interfaces prove no way out, whatever they answer" {
  local address
  network_up
  # A network without any other host. From the second IPv4 address no connection comes by itself.
  network ip link add lan type veth peer name other
  network ip link set lan up
  network ip link set other up
  network ip addr add 198.51.100.1/24 dev lan
  network ip addr add 198.51.100.2/24 dev lan
  network ip addr add 2001:db8::1/64 dev lan nodad
  for address in 198.51.100.1 198.51.100.2 '[2001:db8::1]'; do
    printf '%s\n' "192.0.2.1, 1, 1, 0" "$address, 1, 1, 0" >"$CONF"
    score load
    for any in 0 1; do
      network sysctl -qw net.ipv4.ip_nonlocal_bind=$any net.ipv6.ip_nonlocal_bind=$any
      run -0 network "$BUILD/cbprobe" -c "$CONF" --fall 1
      [[ $output == *"1 of 2 nodes cannot be checked from here (192.0.2.1:1: Network is unreachable)"* ]]
      [ "$(reason_of "$address:1")" = 'down connection\x20refused' ]
      [[ $(reason_of 192.0.2.1:1) == up* ]]
    done
  done
}

@test "a node that answers from beyond this machine proves the way out: those without a route are down" {
  local beyond address
  network_up
  background "$T/beyond.log" nsenter --net="/proc/$KEEPER/ns/net" unshare --net sleep 600
  beyond=$PID
  until_ok eval '! [ "/proc/$beyond/ns/net" -ef /proc/self/ns/net ] && ! [ "/proc/$beyond/ns/net" -ef "/proc/$KEEPER/ns/net" ]'
  network ip link add lan type veth peer name lan netns "$beyond"
  for address in 198.51.100.2/24 2001:db8::2/64; do network ip addr add "$address" dev lan nodad; done
  network ip link set lan up
  for address in 198.51.100.1/24 2001:db8::1/64; do
    nsenter --net="/proc/$beyond/ns/net" ip addr add "$address" dev lan nodad
  done
  nsenter --net="/proc/$beyond/ns/net" ip link set lan up
  for address in 198.51.100.1 '[2001:db8::1]'; do
    printf '%s\n' "192.0.2.1, 1, 1, 0" "$address, 1, 1, 0" >"$CONF"
    for any in 0 1; do
      network sysctl -qw net.ipv4.ip_nonlocal_bind=$any net.ipv6.ip_nonlocal_bind=$any
      rm -f "$SCOREBOARD"
      run -0 network "$BUILD/cbprobe" -c "$CONF" --fall 1
      [ "$(reason_of "$address:1")" = 'down connection\x20refused' ]
      [ "$(reason_of 192.0.2.1:1)" = 'down no\x20route\x20to\x20host' ]
    done
  done
}

@test "a prober that others took the descriptors from checks as many at once as it can, and all of them" {
  for i in $(seq 40); do node_line $((1000 + i)) 1; done
  score load
  # 100 descriptors, of which the relay keeps 64 for other things; but 80 are open already.
  run -0 python3 -c "
import os, resource
for i in range(85): os.dup2(0, 10 + i)
resource.setrlimit(resource.RLIMIT_NOFILE, (104, 104))
os.execv('$BUILD/cbprobe', ['cbprobe', '-c', '$CONF', '--fall', '1'])"
  [ "$(score list -nr -o STATE | grep -c down)" = 40 ]
}

@test "a connect that is not answered ends by --timeout" {
  full_backlog
  node_line 4009 1
  run -0 probe --timeout 300ms --fall 1
  [[ $output == *"$ADDR:4009 is down: connect timed out"* ]]
}

@test "what is said to a journal has its priority before it; a service manager that is not there is told of once" {
  node_line 4001 1
  exec 7>"$T/journal"
  JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) "$BUILD/cbprobe" -c "$CONF" -v 2>&7 </dev/null
  exec 7>&-
  grep -qE "^<7>$ADDR:4001: tcp: connection refused after" "$T/journal"
  background "$T/probe.log" env NOTIFY_SOCKET=vsock:1 "$BUILD/cbprobe" -c "$CONF" --interval 50ms
  until_ok grep -q 'NOTIFY_SOCKET: .*, ignoring it' "$T/probe.log"
  until_ok state_is 4001 down
  run -64 --separate-stderr probe 127.0.0.1:1
  [[ $stderr == *'"127.0.0.1:1": expected options only'* ]]
}

@test "SIGHUP ends a pass as it ends any command" {
  full_backlog
  node_line 4009 1
  # The caller of the tests may ignore this signal.
  background "$T/probe.log" env --default-signal=HUP "$BUILD/cbprobe" -c "$CONF" --timeout 60s
  local pid=$PID status=0
  # Once it connects, its handler is set.
  until_ok eval '[ -n "$(ss -Htn state syn-sent "dst $ADDR:4009" | sed 4q)" ] && grep -q cbprobe /proc/$pid/comm'
  until_ok eval 'ls -l /proc/$pid/fd | grep -q socket:'
  kill -HUP "$pid"
  gone "$pid"
  wait "$pid" || status=$?
  [ "$status" = $((128 + 1)) ]
}

@test "no port left towards a node is this machine's want, not the node's: the connection waits for one" {
  network_up
  network bash -c 'echo 30000 30003 >/proc/sys/net/ipv4/ip_local_port_range; echo 0 >/proc/sys/net/ipv4/tcp_tw_reuse'
  background "$T/node.log" nsenter --net="/proc/$KEEPER/ns/net" "$NODE" --name a --max 8 --mode echo "$ADDR:4001"
  until_ok grep -q ^PORT "$T/node.log"
  node_line 4001 8
  # Other processes of this machine have the ports, until they are told to end.
  background "$T/others.log" nsenter --net="/proc/$KEEPER/ns/net" python3 -c "
import os, socket, struct, time
held = [socket.create_connection(('$ADDR', 4001)) for _ in range(4)]
print('held', flush=True)
while not os.path.exists('$T/end.word'):
    time.sleep(0.02)
for s in held:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
time.sleep(600)"
  until_ok grep -q held "$T/others.log"
  background "$T/relay.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -E UBSAN_OPTIONS \
    -l "$T/gate" nsenter --net="/proc/$KEEPER/ns/net" "$BUILD/cbrelay" -c "$CONF"
  until_ok test -S "$T/gate"
  background "$T/client.out" bash -c "echo hello | socat -t 300 - 'UNIX-CONNECT:$T/gate'"
  until_ok grep -q 'cannot connect for .*: Cannot assign requested address; trying again' "$T/relay.log"
  state_is 4001 up
  word end
  until_ok grep -q 'failed_nodes=0 end=--' "$T/relay.log"
  until_ok grep -q hello "$T/client.out"
  lines_with_are "$T/relay.log" 'is down' 0
}

@test "a connect that comes back to its own socket, as no process has the node's port, has reached no node" {
  network_up
  # The only port that the kernel can give a socket that connects is the port of the node that is down.
  network bash -c 'echo 30001 30001 >/proc/sys/net/ipv4/ip_local_port_range'
  background "$T/node.log" nsenter --net="/proc/$KEEPER/ns/net" "$NODE" --name alive --max 8 --mode line 127.0.0.1:4001
  until_ok grep -q ^PORT "$T/node.log"
  printf '127.0.0.1, %s\n' '30001, 1, 0, speed=9' '4001, 1, 0' >"$CONF"
  background "$T/relay.log" systemd-socket-activate -E COREBALANCE_SCOREBOARD -E ASAN_OPTIONS -E UBSAN_OPTIONS \
    -l "$T/gate" nsenter --net="/proc/$KEEPER/ns/net" "$BUILD/cbrelay" -c "$CONF"
  until_ok test -S "$T/gate"
  run -0 bash -c "echo 'sleep 0' | socat -t 300 - 'UNIX-CONNECT:$T/gate'"
  [[ $output == *alive* ]]
  [ "$(reason_of 127.0.0.1:30001)" = "down connection\x20refused" ]
  until_ok grep -q 'node=127.0.0.1:4001 .*node_local=127.0.0.1:30001 .*failed_nodes=1 end=--' "$T/relay.log"
}

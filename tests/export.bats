#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cbscore export ipvs, and the hook that keeps a kernel's table in step with the farm.

load lib/helpers

setup() {
  farm_setup
  cat >"$CONF" <<'CONF'
192.0.2.1, 3632, 4, 0
192.0.2.2, 3632, 8, 0, speed=1.25
192.0.2.3, 3632, 4, 0x80000000
192.0.2.4, 3632, 4, 0x40000000
192.0.2.5, 3632, 4, 0, backup
[2001:db8::1], 3632, 2, 0
192.0.2.6, 4000, 1, 0, speed=0.001
CONF
  SERVICE=tcp:10.0.0.1:3632
}

export_() { [ -e "$SCOREBOARD" ] || score load >/dev/null; score export ipvs --service "$@"; }

@test "allow: the address of each node once, as a drop-in for units, also of nodes that are not up" {
  echo '192.0.2.1, 3633, 1, 0' >>"$CONF"
  score load >/dev/null
  run --separate-stderr -0 score export allow
  diff - <(echo "$output") <<'EOT'
# cbscore export allow: the nodes, and no other address
[Service]
IPAddressDeny=any
IPAddressAllow=
IPAddressAllow=192.0.2.1
IPAddressAllow=192.0.2.2
IPAddressAllow=192.0.2.3
IPAddressAllow=192.0.2.4
IPAddressAllow=192.0.2.5
IPAddressAllow=2001:db8::1
IPAddressAllow=192.0.2.6
EOT
  run -2 score export deny
}

@test "available nodes have their speed times cores as weight, the others 0" {
  run --separate-stderr -0 export_ $SERVICE
  diff - <(echo "$output") <<'EOT'
-A -t 10.0.0.1:3632 -s wlc
-a -t 10.0.0.1:3632 -r 192.0.2.1:3632 -m -w 400
-a -t 10.0.0.1:3632 -r 192.0.2.2:3632 -m -w 1000
-a -t 10.0.0.1:3632 -r 192.0.2.3:3632 -m -w 0
-a -t 10.0.0.1:3632 -r 192.0.2.4:3632 -m -w 0
-a -t 10.0.0.1:3632 -r 192.0.2.5:3632 -m -w 0
-a -t 10.0.0.1:3632 -r 192.0.2.6:4000 -m -w 1
EOT
  [ "$stderr" = 'cbscore: [2001:db8::1]:3632: left out: it has no IPv4 address' ]
}

@test "a backup has its weight while no other node is up" {
  for node in 192.0.2.1 192.0.2.2 2001:db8::1 192.0.2.6; do score down "$node"; done
  run --separate-stderr -0 export_ $SERVICE
  [[ $output == *'-r 192.0.2.5:3632 -m -w 400'* ]]
  [[ $output == *'-r 192.0.2.1:3632 -m -w 0'* ]]
}

@test "IPv6, marks, schedulers and ways of forwarding; only masquerading can change the port" {
  run --separate-stderr -0 export_ 'tcp:[2001:db8::99]:3632' --scheduler wrr --forward ipip
  [ "$output" = '-A -t [2001:db8::99]:3632 -s wrr
-a -t [2001:db8::99]:3632 -r [2001:db8::1]:3632 -i -w 200' ]
  run --separate-stderr -0 export_ fwmark:7 --forward gatewaying
  [[ ${lines[0]} == '-A -f 7 -s wlc' ]]
  [[ $output == *'-a -f 7 -r 192.0.2.6:4000 -g -w 1'* ]]
  run --separate-stderr -0 export_ $SERVICE --forward gatewaying
  [[ $stderr == *'192.0.2.6:4000: left out: its port is not that of the service'* ]]
  [[ $output != *192.0.2.6* ]]
}

@test "the largest weight is what the kernel can hold; an address is written once" {
  printf '%s\n' '192.0.2.1, 3632, 1000, 0, speed=100' '192.0.2.2, 3632, 10, 0' >"$CONF"
  if [ "$(id -u)" = 0 ]; then echo 'localhost, 4001, 1, 0' >>"$CONF" && echo '127.0.0.1, 4001, 1, 0' >>"$CONF"; fi
  run --separate-stderr -0 export_ $SERVICE
  [[ ${lines[1]} == *' -w 65535' ]]
  [[ ${lines[2]} == *' -w 7' ]]
  if [ "$(id -u)" = 0 ]; then [ "$(grep -c 127.0.0.1:4001 <<<"$output")" = 1 ]; fi
}

@test "ipvsadm itself reads every line as it was meant" {
  command -v ipvsadm >/dev/null || skip "no ipvsadm"
  [ "$(id -u)" = 0 ] || skip "ipvsadm needs root for a raw socket"
  build_preload ipvs "$T/preload-ipvs.so"
  export IPVS_LOG=$T/log
  export_ $SERVICE --forward masq >"$T/table" 2>"$T/left-out"
  LD_PRELOAD=$T/preload-ipvs.so ipvsadm -R <"$T/table"
  export_ fwmark:7 --forward gatewaying --scheduler sh 2>/dev/null | head -n 2 >"$T/table"
  LD_PRELOAD=$T/preload-ipvs.so ipvsadm -R <"$T/table"
  diff - "$T/log" <<'EOT'
service 6 10.0.0.1:3632 wlc
server 10.0.0.1:3632 192.0.2.1:3632 forward=0 weight=400
server 10.0.0.1:3632 192.0.2.2:3632 forward=0 weight=1000
server 10.0.0.1:3632 192.0.2.3:3632 forward=0 weight=0
server 10.0.0.1:3632 192.0.2.4:3632 forward=0 weight=0
server 10.0.0.1:3632 192.0.2.5:3632 forward=0 weight=0
server 10.0.0.1:3632 192.0.2.6:4000 forward=0 weight=1
service 6 fwmark7 sh
server fwmark7 192.0.2.1:3632 forward=3 weight=400
EOT
}

# An ipvsadm that keeps its table in a file, and refuses like the real ipvsadm.
fake_ipvsadm() {
  mkdir -p "$T/bin"
  ln -s "$BUILD/cbscore" "$T/bin/cbscore"
  cat >"$T/bin/ipvsadm" <<'FAKE'
#!/bin/bash
touch "$TABLE"
what=$1 && shift
line="$*"
key=${line%% -m*} && key=${key%% -s*}
case $what in
-S) cat "$TABLE" ;;
-A) grep -q -- "^-A $key " "$TABLE" && exit 1; echo "-A $line" >>"$TABLE" ;;
-E) grep -q -- "^-A $key " "$TABLE" || exit 1; sed -i "s|^-A $key .*|-A $line|" "$TABLE" ;;
-a) grep -q -- "^-a $key " "$TABLE" && exit 1; echo "-a $line" >>"$TABLE" ;;
-e) grep -q -- "^-a $key " "$TABLE" || exit 1; sed -i "s|^-a $key .*|-a $line|" "$TABLE" ;;
-d) grep -q -- "^-a $key " "$TABLE" || exit 1; sed -i "\|^-a $key |d" "$TABLE" ;;
esac
FAKE
  chmod +x "$T/bin/ipvsadm"
}

@test "the hook keeps a table in step: at each change of a node, and when a node leaves the farm" {
  fake_ipvsadm
  export TABLE=$T/table RUNTIME_DIRECTORY=$T PATH=$T/bin:$PATH
  echo '-a -t 10.0.0.9:80 -r 192.0.2.9:80 -m -w 1' >"$TABLE"
  : >"$CONF"
  node a 4001 2
  node b 4002 1
  hook="$BATS_TEST_DIRNAME/../units/notify-ipvs $SERVICE"
  in_table() { grep -q -- "-a -t 10.0.0.1:3632 -r $ADDR:$1 -m -w $2\$" "$TABLE"; }
  kill "$PID_b"
  gone "$PID_b"
  run -0 probe --fall 1 --notify "$hook"
  [[ $output != *exit* ]]
  in_table 4001 200
  in_table 4002 0
  node_start b 4002 1
  probe --notify "$hook"
  in_table 4002 100
  score remove "$ADDR:4001"
  kill "$PID_b"
  gone "$PID_b"
  probe --fall 1 --notify "$hook"
  in_table 4002 0
  run ! grep -q 4001 "$TABLE"
  # The hook does not touch other services.
  grep -qx -- '-a -t 10.0.0.9:80 -r 192.0.2.9:80 -m -w 1' "$TABLE"
  [ "$(grep -c -- '^-A' "$TABLE")" = 1 ]
}

@test "what is wrong is said in one line: exit 2" {
  run --separate-stderr -2 score export haproxy
  [[ $stderr == *'"haproxy": expected ipvs'* ]]
  run --separate-stderr -2 score export ipvs
  [[ $stderr == *'expected --service'* ]]
  for wrong in 10.0.0.1:3632 tcp:10.0.0.1 tcp:host:3632 tcp:10.0.0.1:0 'tcp:[10.0.0.1]:1' fwmark:x fwmark:0 tcp: 'tcp:[]:1'; do
    run --separate-stderr -2 export_ "$wrong"
    [[ $stderr == *"\"$wrong\": expected tcp:ADDRESS:PORT"* ]]
  done
  run --separate-stderr -2 export_ $SERVICE --forward nat
  [[ $stderr == *'"nat": expected masq, gatewaying or ipip'* ]]
  run --separate-stderr -2 export_ $SERVICE --scheduler 'w lc'
  run --separate-stderr -2 score list --service $SERVICE
  [[ $stderr == *'list: has no use for --service'* ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The congestion control of a connection's two sockets, as the kernel tells it.

load lib/helpers

own() { cat /proc/sys/net/ipv4/tcp_congestion_control; }

# A congestion control that is not the system's own, and that auto does not take.
another() {
  local name
  for name in $(cat /proc/sys/net/ipv4/tcp_available_congestion_control); do
    if [ "$name" != "$(own)" ] && [ "$name" != reno ]; then
      echo "$name"
      return
    fi
  done
  return 1
}

of_auto() { if [[ $(own) == bbr* ]]; then echo reno; else own; fi; }

# The relay's own socket towards the client, and towards the node.
to_client() { ss -Htin state established "src $ADDR and sport = :3632"; }
to_node() { ss -Htin state established "dst $ADDR and dport = :4001"; }
carried_by() { to_client | grep -qw "$1" && to_node | grep -qw "$1"; } # NAME
is_connected() { to_client | grep -q cwnd && to_node | grep -q cwnd; }

# connected WAY [OPTION...]: makes a connection that stays.
connected() {
  entrance "$@"
  client_start one --line "sleep 60000" --expect line
  until_ok busy_is 1
  until_ok is_connected
}
disconnected() {
  kill "$PID_one" "$GATE_PID"
  gone "$GATE_PID"
  until_ok everything_is_free
}

@test "--congestion-control NAME: towards the client and towards the node, whatever way in" {
  local name way
  name=$(another) || skip "this kernel has no other congestion control"
  node a 4001 1 --mode line --eof-ends
  for way in alone listener connection; do
    connected $way --congestion-control "$name"
    carried_by "$name" || { echo "$way: $(to_client) $(to_node)"; return 1; }
    disconnected
  done
  connected alone --congestion-control system
  carried_by "$(own)"
  disconnected
}

@test "auto: what does not pace for two ends on this machine, else the system's own" {
  node a 4001 1 --mode line --eof-ends
  for way in alone listener; do
    connected $way
    carried_by "$(of_auto)" || { echo "$way: $(to_client) $(to_node)"; return 1; }
    disconnected
  done
}

@test "a congestion control that there is not is refused" {
  local value
  for value in none-such '' a-name-that-is-longer-than-any; do
    run "$BUILD/cbrelay" --congestion-control "$value" "$GATE"
    [ "$status" = 64 ]
    [[ $output == "cbrelay: --congestion-control: \"$value\": expected auto, system, or a name of "* ]]
  done
}

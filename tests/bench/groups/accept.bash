# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# Accept=yes under a real systemd: the cost of a connection (wall time of many, four at once, until the last unit has
# ended), against the same unit with true(1) in place of cbrelay. "busy" is processor time of the whole machine.

group_accept() {
  BASE=true
  accept_boot || return
  PEERS=(true corebalance)
  rounds "$(full 6 1)" accept_round
}

group_accept_end() { boot_end; }

accept_boot() {
  local stage=$T/stage units=$T/stage/etc/systemd/system
  boot_prepare "$stage" || return
  mkdir -p "$units/corebalance.socket.d"
  cp "$stage/usr/share/corebalance/per-connection.conf" "$units/corebalance.socket.d"
  # The same socket and the same unit, but for the port and the program.
  sed 's/^ListenStream=.*/ListenStream=3640/' "$stage/usr/lib/systemd/system/corebalance.socket" >"$units/true.socket"
  mkdir "$units/true.socket.d"
  cp "$stage/usr/share/corebalance/per-connection.conf" "$units/true.socket.d"
  sed 's,^ExecStart=.*,ExecStart=/usr/bin/true,' "$stage/usr/lib/systemd/system/corebalance@.service" >"$units/true@.service"
  boot_begin "$stage" || return
  inside systemctl start corebalance.socket true.socket || { say "  left out: the sockets do not start" && return 1; }
}

accept_round() { # PEER ROUND
  local name=$1 port=3632 op=echo count word busy
  count=$(full 120 20)
  if [ "$1" = true ]; then port=3640 op=nothing; fi
  GOT=([failures]=1)
  busy=$(cpu_busy)
  # shellcheck disable=SC2016 # for the shell inside
  for word in $(inside bash -c 'start=$(date +%s%N)
    /opt/bench/cbbench-load --clients 4 --count "$1" --op "$2" --timeout 30 "127.0.0.1:$3"
    while [ -n "$(systemctl list-units -q --plain --no-legend "$4@*.service")" ]; do :; done
    echo "wall=$(($(date +%s%N) - start))"
    journalctl --sync
    echo "broken=$(journalctl -q --no-pager -u "$4@*" -g "Failed with result" | wc -l)"' bash "$count" "$op" "$port" "$name"); do
    GOT[${word%%=*}]=${word#*=}
  done
  busy=$(calculate "$(cpu_busy) - $busy")
  # A unit that failed also ends its connection, and quickly.
  GOT[failures]=$((GOT[failures] + ${GOT[broken]-1}))
  record_load cost "$1" "$2" "$(calculate "${GOT[wall]-0} / 1e6 / $count")" "ms a connection"
  record busy "$1" "$2" "$(calculate "$busy * 1000 / $count")" "ms a connection"
}

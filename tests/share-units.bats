#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A gateway that leases its parts, under a real systemd (see lib/boot): set up by the lines of cbshare(8) as they are
# printed, on a machine that has all their addresses. The other two members of etcd run beside.

load lib/helpers
load lib/holders
load lib/booted

setup_file() { boot_farm; }
teardown_file() { end_farm; }
setup() { farm_inside; }
teardown() {
  local pid
  if [[ -z $BATS_TEST_COMPLETED && -z $CANNOT ]]; then show_inside; fi
  end_started
  commands_were_found
}

# The lines that SETTING IT UP has for a terminal.
printed() {
  awk '/^\.Sh/ { there = /SETTING IT UP/ } there && /^\.Ed/ { lines = 0 } lines { sub(/^# /, ""); gsub(/\\e/, "\\"); print }
    there && /^\.Bd -literal/ { lines = 1 }' "$BATS_TEST_DIRNAME/../man/cbshare.8"
}

# other_member NAME ADDRESS: the first lines on another of the three machines.
other_member() {
  local setting settings=()
  while read -r setting; do settings+=(-E "$setting"); done < <(printed | sed -n "/^ETCD_INITIAL_CLUSTER=/p
    /^ETCD_INITIAL_CLUSTER=/!s/192\.0\.2\.11/$2/; /^ETCD_NAME=/s/=.*/=$1/; /^ETCD_INITIAL_CLUSTER=/!{/^ETCD_/p}")
  inside systemd-run -q --unit "etcd-$1" -E "ETCD_DATA_DIR=/run/etcd-$1" "${settings[@]}" etcd
}

has_lease() { [ "$(inside cbscore gateways -nr -o STATE)" = here ] && inside cbscore slots --free | grep -qx 2; }
restarts_are_at_least() { [ "$(inside systemctl show -P NRestarts corebalance-share.service)" -ge "$1" ]; }

@test "set up as printed, a gateway has its cores; when both processes are stopped the watchdog brings another" {
  local pids
  inside sh -c 'command -v etcd >/dev/null && [ -e /lib/systemd/system/etcd.service ]' || skip "needs etcd-server"
  for address in 11 12 17; do inside ip address add 192.0.2.$address/32 dev lo; done
  inside sh -c 'printf "%s\n" "192.0.2.11 gw1" "192.0.2.12 gw2" "192.0.2.17 n7" >>/etc/hosts'
  node a 4001 2 --mode echo
  use listener
  # The package has started it, alone, as soon as it was installed.
  inside systemctl start etcd.service
  other_member gw2 192.0.2.12
  other_member n7 192.0.2.17
  # What installs a package is there already.
  { echo 'apt-get() { [ "$*" = "install etcd-server" ]; }; systemctl() { command systemctl --no-pager "$@"; }'; printed; } >"$T/lines"
  [ "$(grep -c . "$T/lines")" -ge 12 ]
  inside bash -euxs <"$T/lines"
  inside curl -sS -d '{}' http://gw1:2379/v3/cluster/member/list | jq -e '.members | length == 3'
  until_ok has_lease
  unit_is corebalance-share.service active
  client --send 1000 --half-close --expect echo
  client_start long "${ENDLESS[@]}"
  until_ok busy_is 1
  pids=$(inside pgrep -x 'cbshare|cbshare-hand')
  [ "$(wc -w <<<"$pids")" = 2 ]
  # shellcheck disable=SC2086 # two
  inside kill -STOP $pids
  until_ok restarts_are_at_least 1
  [ -n "$(journal -u corebalance-share.service --grep='Watchdog timeout')" ]
  # Whether the lease was over by then or not: a second process is there again, and what is given out is under a lease.
  until_ok has_hand_inside
  client --send 1000 --half-close --expect echo
  [ -z "$(journal --grep=VIOLATION)" ]
}
has_hand_inside() { inside pgrep -x -P "$(main_pid corebalance-share.service)" cbshare-hand; }

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A machine that is switched off does not wait for clients: neither for those that are served, silent or slow, nor for
# those that wait. Each test boots a machine of its own. How long it took is shown, and is no condition.

load lib/helpers
load lib/booted

setup() {
  boot_farm
  farm_inside
}

teardown() {
  if [[ -z $CANNOT && -z $BATS_TEST_COMPLETED ]]; then show_inside; fi
  end_farm
  commands_were_found
}

# Nodes and clients are like those of other machines: systemd does not stop them with its other units.
UNIT_OPTIONS=(-p DefaultDependencies=no)

# stranger NAME [cbtest-client option]...
stranger() {
  inside systemd-run -q --collect "${UNIT_OPTIONS[@]}" --unit="client-$1" /opt/cbtest/cbtest-client "${@:2}" "$GATE"
}

boot_is_over() { ! is_running "$BOOT_PID"; }

ends_in_spite_of_clients() {
  local begin
  node a 4001 3 --mode echo
  use "$1"
  inside systemctl start corebalance-probe.timer corebalance-status.socket
  stranger silent -n 2 --send 0 --expect any
  stranger slow "${ENDLESS[@]}"
  until_ok busy_is 3
  stranger waiters -n 20 --send 0 --expect any
  until_ok waiting_is 20
  BOOT_PID=$(<"$BOOT/pid")
  run ! boot_is_over
  begin=${EPOCHREALTIME/[.,]/}
  inside systemctl poweroff 2>/dev/null || true # the connection to systemd ends with it
  until_ok boot_is_over
  echo "# switched off in $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms" >&3
}

@test "listener: poweroff ends while clients are served and wait" { ends_in_spite_of_clients listener; }
@test "connection: poweroff ends while clients are served and wait" { ends_in_spite_of_clients connection; }

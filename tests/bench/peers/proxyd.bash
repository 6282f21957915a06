# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# systemd-socket-proxyd, started as systemd starts it.

PROXYD=/lib/systemd/systemd-socket-proxyd

peer_proxyd_missing() {
  needs_program systemd-socket-activate
  [ -x $PROXYD ] || echo "not installed ($PROXYD)"
}

peer_proxyd_cannot() {
  case $1 in queue | handover) echo "refuses clients at the cap" ;; esac
}

peer_proxyd_command() {
  command=(systemd-socket-activate -l "$LISTEN" "$PROXYD" --connections-max="$CAP" "$NODE")
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# socat: a process for each connection, made when it comes.

peer_socat_missing() { needs_program socat; }

peer_socat_command() {
  command=(socat -t 5 "TCP4-LISTEN:${LISTEN##*:},bind=${LISTEN%:*},fork,reuseaddr,backlog=4096,max-children=$CAP" "TCP4:$NODE")
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# haproxy as shipped.

peer_haproxy_missing() { needs_program haproxy; }

peer_haproxy_command() {
  from_template haproxy.cfg "$DIR/haproxy.cfg"
  command=(haproxy -q -db -f "$DIR/haproxy.cfg")
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# haproxy as shipped; haproxy-log writes a line for each connection to a file, as cbrelay does.

peer_haproxy_missing() { needs_program haproxy; }
peer_haproxy-log_missing() { needs_program haproxy; }

# haproxy_command TEMPLATE
haproxy_command() {
  from_template "$1" "$DIR/haproxy.cfg"
  command=(haproxy -q -db -f "$DIR/haproxy.cfg")
}

peer_haproxy_command() { haproxy_command haproxy.cfg; }

peer_haproxy-log_command() {
  haproxy_command haproxy.cfg
  sed -i 's/^defaults$/&\n\tlog stdout format raw local0\n\toption tcplog/' "$DIR/haproxy.cfg"
}

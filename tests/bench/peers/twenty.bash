# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# The same peers with twenty servers, on each of which a twentieth of the cap may be open.

peer_haproxy-twenty_missing() { needs_program haproxy; }
peer_haproxy-log-twenty_missing() { needs_program haproxy; }

# twenty_servers: sets "servers" to HOST:PORT of each.
twenty_servers() { servers=("${NODE_TWENTY[@]}"); }

haproxy_twenty() { # NAME of the peer with one server
  local servers server n=0
  twenty_servers
  "peer_$1_command"
  sed -i '/^\tserver node /d' "$DIR/haproxy.cfg"
  for server in "${servers[@]}"; do
    n=$((n + 1))
    printf '\tserver node%d %s maxconn %d\n' $n "$server" $(((CAP + 19) / 20))
  done >>"$DIR/haproxy.cfg"
}

peer_haproxy-twenty_command() { haproxy_twenty haproxy; }
peer_haproxy-log-twenty_command() { haproxy_twenty haproxy-log; }

peer_corebalance-twenty_command() {
  local servers
  twenty_servers
  command=("$BUILD/cbrelay" -s "$DIR/scoreboard.tdb" "$LISTEN" "${servers[@]/%//$(((CAP + 19) / 20))}")
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# One process for each connection, against its own kind, socat and xinetd, which fork when the connection is there, and
# against haproxy, which forks none. Rows as in the group rate.

group_strict() {
  local peer
  peers_start 64 direct haproxy socat xinetd strict
  if [ -z "${TARGET[strict]-}" ]; then return; fi
  for peer in "${PEERS[@]}"; do load "$peer" --clients 16 --count "$(full 500 100)"; done
  rounds "$(full 6 2)" strict_round
  counts_of_peers --clients 16 --count "$(full 500 100)"
}

strict_round() { rate_round "$@"; }

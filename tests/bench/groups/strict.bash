# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# One process for each connection, against haproxy.

group_strict() {
  peers_start 64 direct haproxy socat strict
  if [ -z "${TARGET[strict]-}" ]; then return; fi
  rounds "$(full 6 2)" strict_round
}

strict_round() { rate_round "$@"; }

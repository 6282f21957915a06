# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# The peers under SCHED_BATCH, which cbrelay asks for by itself.

peer_haproxy-batch_missing() { peer_haproxy_missing; }
peer_haproxy-batch_command() { in_batch haproxy; }

peer_nginx-batch_missing() { peer_nginx_missing; }
peer_nginx-batch_cannot() { peer_nginx_cannot "$@"; }
peer_nginx-batch_command() { in_batch nginx; }

peer_pen-batch_missing() { peer_pen_missing; }
peer_pen-batch_command() { in_batch pen; }

in_batch() { # NAME
  "peer_$1_command"
  command=(chrt -b 0 "${command[@]}")
}

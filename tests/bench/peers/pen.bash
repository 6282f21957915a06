# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# pen. At its cap it stops accepting, so the kernel's backlog is its queue.

peer_pen_missing() { needs_program pen; }

peer_pen_command() {
  command=(pen -f -r -c 9000 -x "$CAP" "$LISTEN" "$NODE:$CAP")
}

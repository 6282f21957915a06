# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# cbrelay with a scoreboard of its own on tmpfs. Its log, a line for each connection, goes to a file there.

peer_corebalance_command() {
  command=("$BUILD/cbrelay" -s "$DIR/scoreboard.tdb" "$LISTEN" "$NODE/$CAP")
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# cbrelay with one connection for each process.

peer_strict_missing() {
  "$BUILD/cbrelay" --help | grep -q -e --connections-per-relay || echo "this cbrelay has no --connections-per-relay"
}

peer_strict_command() {
  command=("$BUILD/cbrelay" -s "$DIR/scoreboard.tdb" --connections-per-relay 1 "$LISTEN" "$NODE/$CAP")
}

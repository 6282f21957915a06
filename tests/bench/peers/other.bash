# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# Another cbrelay, or the same with other options, in the same rounds: BENCH_OTHER="/path/to/cbrelay --policy order".

peer_other_command() {
  read -r -a command <<<"$BENCH_OTHER"
  command+=(-s "$DIR/scoreboard.tdb" "$LISTEN" "$NODE/$CAP")
}

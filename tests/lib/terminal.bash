# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# terminal.bash: programs on a terminal of tmux. A teardown calls terminal_end.

SERVERS=0

# on_terminal WIDTH HEIGHT COMMAND: starts the command on a terminal of that size, with a new server: the server before
# may take a moment to end.
on_terminal() {
  SERVERS=$((SERVERS + 1))
  MUX=(tmux -L "cb-$$-$BATS_TEST_NUMBER-$SERVERS" -f /dev/null)
  "${MUX[@]}" new-session -d -x "$1" -y "$2" "$3; echo ended \$?; exec sleep 600"
}
keys() { "${MUX[@]}" send-keys "$@"; }
screen() { "${MUX[@]}" capture-pane -p; }
shows() { screen | grep -qF -- "$1"; }
terminal_end() { [ "$SERVERS" = 0 ] || "${MUX[@]}" kill-server 2>/dev/null || true; }

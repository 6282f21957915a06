#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Tables and sentences on terminals of any width: no name is folded, and no word is divided.

load lib/helpers

LONG=a-long-name.of-a-machine.in-a-department.of-a-large-company.example.invalid
WORDS='neuer Lüfter am Dienstag, 日本語のテキスト'

setup() {
  farm_setup
  node_line 4001 16 speed=2.5
  echo "$LONG, 3632, 4, 0" >>"$CONF"
  echo "2001:db8:1234:5678:9abc:def0:1234:5678, 3632, 4, 0, backup" | sed 's/^\([^,]*\)/[\1]/' >>"$CONF"
  score load
  score down "$ADDR:4001" --reason "$WORDS"
  SERVERS=0
}

teardown() {
  [ "$SERVERS" = 0 ] || "${MUX[@]}" kill-server 2>/dev/null || true
  farm_teardown
}

shows() { "${MUX[@]}" capture-pane -p | grep -qF -- "$1"; }

# on_screen WIDTH VERB...: what the verb shows on a terminal of that width, in $T/screen.
on_screen() {
  SERVERS=$((SERVERS + 1))
  MUX=(tmux -L "cb-$$-$BATS_TEST_NUMBER-$SERVERS" -f /dev/null)
  "${MUX[@]}" new-session -d -x "$1" -y 40 "LC_ALL=C.UTF-8 '$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' ${*:2}; echo '<end>'; exec sleep 600"
  until_ok shows '<end>'
  "${MUX[@]}" capture-pane -p | sed '/^<end>/,$d' >"$T/screen"
  "${MUX[@]}" kill-server
}

@test "a table has a line for each node at every width; names keep their beginning and their port" {
  local width
  for width in 40 80 200; do
    for verb in list explain; do
      on_screen $width $verb
      cat "$T/screen"
      [ "$(grep -cE '(:4001|:3632) ' "$T/screen")" = 3 ]
      grep -qE 'a-long.*:3632 ' "$T/screen"
      grep -qE '^ *[1 ]* *\[2001:db8.*678\]:3632 ' "$T/screen"
    done
  done
  on_screen 80 list
  grep -qE "^$ADDR:4001 .* held .* held by an" "$T/screen"
  # In a pipe nothing is shortened.
  score list -o node,state | grep -q "^$LONG:3632 "
}

@test "--sort sorts by the whole name, also where names are shortened" {
  on_screen 40 list --sort node
  [ "$(awk 'NR > 1 && NF { print substr($1, 1, 3) }' "$T/screen" | paste -sd' ')" = "${ADDR:0:3} [20 a-l" ]
}

@test "sentences go on below, and are divided between words" {
  local width
  for width in 40 80; do
    on_screen $width status
    cat "$T/screen"
    # All words of the reason are there, in their order, and none is divided.
    tr -s ' \n' '  ' <"$T/screen" | grep -qF "held by an administrator: $WORDS"
    on_screen $width explain
    tr -s ' \n' '  ' <"$T/screen" | grep -qF "largest share of free cores; then the order of the list."
  done
  [ "$(score status | grep -c "administrator: $WORDS\$")" = 1 ]
}

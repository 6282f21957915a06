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

# on_pty WIDTH VERB...: the same without a screen: all lines that the verb writes to a terminal of that width, in $T/screen.
on_pty() {
  script -qec "stty cols $1 rows 24; '$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' ${*:2}" /dev/null </dev/null 3>&- |
    tr -d '\r' >"$T/screen"
}

@test "slots and queue with 2,000 rows: a line for each that fits the terminal, and no pager; whole in a pipe" {
  local width verb
  rm "$SCOREBOARD"
  node_line 4002 1000
  node_line 4003 1000
  score load
  score down $LONG "$ADDR:4001" 2001:db8:1234:5678:9abc:def0:1234:5678
  background "$T/fill.out" "$BUILD/tests/cbtest-fill" "$SCOREBOARD" 2000 2000
  until_ok grep -q full "$T/fill.out"
  for verb in slots queue; do
    for width in 40 80 200; do
      on_pty $width $verb
      [ "$(wc -l <"$T/screen")" = 2001 ]
      [ "$(awk 'length > most { most = length } END { print most }' "$T/screen")" -le $width ]
    done
    [ "$(score $verb | wc -l)" = 2001 ]
    [ "$(score $verb -J | jq ".$verb | length")" = 2000 ]
    # A reader that has seen enough ends the verb.  The verb cannot have written all of it into the pipe (64 KiB) by then.
    [ "$(score $verb -J --sort pid | wc -c)" -gt 131072 ]
    run -141 bash -c 'set -o pipefail; "$@" | head -n 1' sh "$BUILD/cbscore" -c "$CONF" $verb -J --sort pid
    [ "${#lines[@]}" = 1 ]
  done
  # The first and the last of them, in their order.
  [ "$(score queue -nr -o CLIENT | sed -n '1p;$p' | paste -sd' ')" = "10.0.7.209:40000 10.0.15.160:40999" ]
}

@test "list of 10,000 nodes takes less than 0.2 seconds of a processor" {
  [ -z "${SANITIZE:-}" ] || skip "sanitizers and valgrind exclude each other"
  for i in $(seq 0 9999); do echo "127.$((i / 65536 + 1)).$((i / 256 % 256)).$((i % 256)), 4001, 16, 0"; done >"$CONF"
  rm "$SCOREBOARD"
  score load
  # Instructions, as a busy machine has no time: 700 million are 0.2 seconds of a processor that does 3.5 in a nanosecond.
  script -qec "stty cols 80 rows 24; valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file='$T/callgrind' \
    '$BUILD/cbscore' -c '$CONF' list" /dev/null </dev/null >"$T/screen" 3>&-
  [ "$(wc -l <"$T/screen")" = 10001 ]
  cat "$T/callgrind"
  [ "$(sed -n 's/.*refs: *//p' "$T/callgrind" | tr -d ,)" -lt 700000000 ]
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
  # So are messages.
  on_screen 40 lits
  cat "$T/screen"
  tr -s ' \n' '  ' <"$T/screen" | grep -qF 'did you mean list? Expected list, status, top, slots, queue, clients, gateways, explain, load, diff, edit,'
  run -2 score lits
  [ "${#lines[@]}" = 2 ]
}

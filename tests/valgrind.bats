#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=computes

load lib/helpers

setup() {
  farm_setup
  [ -z "${SANITIZE:-}" ] || skip "sanitizers and valgrind exclude each other"
  VALGRIND=(valgrind -q --error-exitcode=77 --leak-check=full --errors-for-leak-kinds=definite)
}

@test "valgrind finds nothing in a listener, its relays, the tools and the prober" {
  node a 4001 3 --mode echo
  background "$T/relay.log" "${VALGRIND[@]}" "$BUILD/cbrelay" -c "$CONF" --exit-idle 10s "$GATE"
  local relay=$PID
  until_ok is_listening "$GATE"
  client -n 20 -c 6 --send 200000 --half-close --expect echo
  for words in list "slots -J" queue "list -r -o +FLAGS,ADDRESSES" fsck load reap dump "set $ADDR:4001 cores=2" \
    "down $ADDR:4001 --reason test" "up $ADDR:4001" "remove $ADDR:4001" "add $ADDR, 4001, 3, 0" validate; do
    # shellcheck disable=SC2086  # words
    run -0 "${VALGRIND[@]}" "$BUILD/cbscore" -c "$CONF" $words
  done
  run -0 "${VALGRIND[@]}" "$BUILD/cbprobe" -c "$CONF"
  wait "$relay"
  run ! grep -E '== (Invalid|Conditional|Use of|.*definitely lost)' "$T/relay.log"
  farm_is_at_rest
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The process that forks the relays, and what a relay costs that it has forked.

load lib/helpers
load lib/holders

nursery() { pgrep -P "$GATE_PID" -x cbrelay-nursery; }
nursery_is_another() { [ "$(nursery)" != "$1" ]; }
relay_pids() { pgrep -P "$GATE_PID" -x cbrelay || true; }

# serve_by_new_relays N: the listener has no relay any more that would serve them.
serve_by_new_relays() {
  relay_pids | xargs -r kill -9
  client -n "$1" -c "$1" --line "sleep 0" --expect line
}

@test "the nursery is killed: the next relay has another, and is told of" {
  local before
  node a 4001 4 --mode line
  entrance alone
  client --line "sleep 0" --expect line
  before=$(nursery)
  kill -9 "$before"
  until_ok grep -F "the process that forks relays ($before) has ended; another takes its place" "$T/relay.log"
  serve_by_new_relays 4
  until_ok nursery_is_another "$before"
  farm_is_at_rest
}

@test "the nursery is stopped: the listener waits no longer than a moment for it" {
  local before
  node a 4001 4 --mode line
  entrance alone --connections-per-relay 1
  client --line "sleep 0" --expect line
  before=$(nursery)
  kill -STOP "$before"
  serve_by_new_relays 8
  until_ok gone "$before"
  farm_is_at_rest
}

# Relays that have ended and have not been waited for.
zombies() { ps -o stat= --ppid "$GATE_PID" | grep -c ^Z || true; }
zombies_are() { [ "$(zombies)" = "$1" ]; }

# killed_when_it_has_made FILE: what preload-unborn.c looks for.
killed_when_it_has_made() {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer wants to be the first library"
  local round different
  preload unborn
  node a 4001 4 --mode line
  export UNBORN=$T/unborn
  LD_PRELOAD=$PRELOAD entrance alone --connections-per-relay 1
  for round in 1 2 3; do
    : >"$T/$1"
    client -n 40 -c 8 --line "sleep 0" --expect line
    until_ok test ! -e "$T/$1"
    until_ok lines_with_are "$T/relay.log" 'end=' $((40 * round))
    until_ok zombies_are 0
  done
  different=$(grep -o 'id=[^ ]*' "$T/relay.log" | sort -u | wc -l)
  [ "$different" = 120 ]
  # A relay that the listener did not know would count as busy for ever.
  kill "$GATE_PID"
  until_ok gone "$GATE_PID"
  farm_is_at_rest
}

@test "the nursery is killed when it has made relays and has not said which: nothing is lost, and nothing is left" {
  killed_when_it_has_made unborn
}

@test "the nursery is killed when it has made some relays of an order: nothing is lost, and nothing is left" {
  killed_when_it_has_made unborn.midway
}

@test "the nursery ends with its listener, however that ends, and not by itself" {
  local before signal
  node a 4001 4 --mode line
  for signal in TERM KILL; do
    entrance alone
    client --line "sleep 0" --expect line
    before=$(nursery)
    kill -TERM "$before" && kill -INT "$before"
    serve_by_new_relays 2
    [ "$(nursery)" = "$before" ]
    kill -$signal "$GATE_PID"
    until_ok gone "$before"
    until_ok gone "$GATE_PID"
  done
}

@test "relays that come after the scoreboard was replaced share the new one, and the nursery lets go of the old" {
  local before
  node a 4001 4 --mode line
  score load
  entrance listener
  client --line "sleep 0" --expect line
  before=$(nursery)
  "$BUILD/cbscore" -s "$T/fresh.tdb" -c "$CONF" load
  mv "$T/fresh.tdb" "$SCOREBOARD"
  until_ok nursery_is_another "$before"
  serve_by_new_relays 4
  run ! bash -c 'ls -l /proc/*/fd 2>/dev/null | grep -F "$1 (deleted)"' bash "$SCOREBOARD"
  farm_is_at_rest
}

# The name of the port by which a process is woken: "cb", its pid in digits of six bits each, and the farm's name.
port_of() { # PID
  local digits=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_ left=$1 name=
  for _ in {1..6}; do name=${digits:left&63:1}$name left=$((left >> 6)); done
  ss -Hxa | grep -oE "@cb$name[0-9A-Za-z_-]+"
}
has_read_all() { ss -Hxa | awk -v port="$1" '$5 == port { exit $3 != 0 }'; } # PORT
is_in_poll() { grep -q poll "/proc/$1/wchan"; }

@test "the nursery, which is killed when the scoreboard becomes another file, leaves a damaged one to others" {
  local nursery port pids
  node a 4001 4 --mode line
  entrance listener
  client --line "sleep 0" --expect line
  nursery=$(nursery)
  port=$(port_of "$nursery")
  mapfile -t pids < <(pids_holding "$SCOREBOARD" | grep -vx "$nursery")
  kill -STOP "${pids[@]}"
  "$BUILD/tests/cbtest-damage" "$SCOREBOARD" chains
  printf '?' | socat -u - "ABSTRACT-SENDTO:${port#@}"
  until_ok has_read_all "$port"
  until_ok is_in_poll "$nursery"
  [ "$(nursery)" = "$nursery" ]
  run ! score fsck
  kill -CONT "${pids[@]}"
  client --line "sleep 0" --expect line
  until_ok grep -F 'was damaged; rebuilt with 1 node' "$T/relay.log"
  compgen -G "$T/scoreboard.tdb.damaged-*"
  farm_is_at_rest
  run -0 score fsck
}

process_state() { ps -o stat= -p "$1" | cut -c1; }
process_is() { [ "$(process_state "$1")" = "$2" ]; }

@test "a relay stops at SIGTSTP, though it may signal no process by its pid, and goes on" {
  local relay
  node a 4001 4 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  relay=$(holders)
  kill -TSTP "$relay"
  until_ok process_is "$relay" T
  kill -CONT "$relay"
  word go
  client_wait one
  farm_is_at_rest
}

# The mean of what the relays have for themselves, in kB: pages that no other process has.
own_memory() {
  for pid in $(relay_pids); do cat "/proc/$pid/smaps_rollup"; done 2>/dev/null |
    awk '/^Private_(Dirty|Clean)/ { kb += $2 } /^Rss/ { n++ } END { print n ? int(kb / n) : 9999 }'
}
own_memory_at_most() {
  own_memory >"$T/own"
  [ "$(<"$T/own")" -le "$1" ]
}

@test "an idle connection costs 56 kB of memory that no other process shares, at most" {
  [ -z "${SANITIZE-}" ] || skip "a sanitizer has memory of its own"
  node a 4001 60 --mode line
  entrance alone
  client_start idle -n 50 -c 50 --line "$(until_word go)" --expect line
  until_ok busy_is 50
  # A second after its beginning a connection gives back what it does not need meanwhile.
  until_ok own_memory_at_most 56 || { echo "$(<"$T/own") kB" && false; }
  echo "# $(<"$T/own") kB" >&3
  word go
  client_wait idle
  farm_is_at_rest
}

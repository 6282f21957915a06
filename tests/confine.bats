#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# confine.bats: an attacker inside a relay or a listener cannot leave its
# confinement, and each entrance serves from within it.

load lib/helpers
load lib/holders

bound() { # PID: by seccomp, and without a way to new rights
  grep -q '^Seccomp:[[:space:]]*2' "/proc/$1/status" && grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$1/status"
}

# tries REFUSED DONE [listener|forked]: so many attempts are refused, and so many things that it needs are done.
tries() {
  if [ -n "${SANITIZE:-}" ]; then skip "built with sanitizers, which need more, a process binds itself to nothing"; fi
  mkdir "$T/folder"
  : >"$T/folder/file"
  # Root with all its capabilities passes some of the kernel's own checks.
  local plain=()
  if [ "$(id -u)" = 0 ]; then plain=(setpriv --bounding-set=-all --inh-caps=-all); fi
  background "$T/other.log" "${plain[@]}" sleep 300
  run -0 "${plain[@]}" "$BUILD/tests/cbtest-confine" "$T/folder" "$PID" "${@:3}"
  echo "$output"
  [ "$(sed '/^--$/,$d' <<<"$output" | grep -cv ': refused$')" = 0 ]
  [ "$(sed '/^--$/,$d' <<<"$output" | grep -c .)" = "$1" ]
  [ "$(sed '1,/^--$/d' <<<"$output" | grep -cv ': done$')" = 0 ]
  [ "$(sed '1,/^--$/d' <<<"$output" | grep -c .)" = "$2" ]
}

@test "what a relay that was taken over would try is refused, what it needs is not" {
  tries 28 12
  kill -0 "$PID"
}

@test "a relay that a nursery has forked is bound by the rules that it inherits: it makes no process, as the nursery does" {
  tries 28 12 forked
  kill -0 "$PID"
}

@test "what a listener that was taken over would try is refused, what it needs is not" { tries 13 5 listener; }

serves_bound() { # WAY [OPTION...]
  if [ -n "${SANITIZE:-}" ]; then skip "built with sanitizers, which need more, a process binds itself to nothing"; fi
  node a 4001 2 --mode line
  entrance "$@"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  bound "$(holders)"
  case $1 in listener | alone) bound "$(ps -o ppid= "$(holders)" | tr -d ' ')" ;; esac
  client -n 20 -c 4 --line "sleep 0" --expect line
  word go
  client_wait one
  farm_is_at_rest
}

@test "listener: its relays serve bound" { serves_bound listener; }
@test "no process of the listener's user looks into the listener or its relays" {
  if [ -n "${SANITIZE:-}" ]; then skip "built with sanitizers, which need more, a process binds itself to nothing"; fi
  if [ "$(id -u)" != 0 ]; then skip "needs root to be another user"; fi
  local user=(setpriv --reuid=54321 --regid=54321 --clear-groups --) pid file
  open_to_nobody "$T"
  cp "$BUILD/cbrelay" "$T/cbrelay"
  mkdir "$T/run"
  chown 54321 "$T/run"
  SCOREBOARD=$T/run/scoreboard.tdb
  node a 4001 1 --mode line
  background "$T/relay.log" env COREBALANCE_SCOREBOARD="$SCOREBOARD" "${user[@]}" "$T/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  client --line "sleep 0" --expect line
  for pid in "$PID" $(pgrep -P "$PID"); do
    for file in environ mem maps; do run ! "${user[@]}" dd if="/proc/$pid/$file" count=0 status=none; done
    run ! "${user[@]}" readlink "/proc/$pid/fd/0"
  done
}

@test "Accept=yes: a relay serves bound" { serves_bound connection; }
@test "inetd: a relay serves bound" { serves_bound inetd; }
@test "alone: relays serve bound" { serves_bound alone; }
@test "one connection a process: relays serve bound" { serves_bound alone --connections-per-relay 1; }

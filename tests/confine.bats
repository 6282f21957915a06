#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# confine.bats: an attacker inside a relay cannot leave the relay's confinement,
# and each entrance serves from within it.

load lib/helpers

setup() { farm_setup; }
teardown() { farm_teardown; }

bound() { # PID: by seccomp, and without a way to new rights
  grep -q '^Seccomp:[[:space:]]*2' "/proc/$1/status" && grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$1/status"
}

@test "what a relay that was taken over would try is refused, what it needs is not" {
  if [ -n "${SANITIZE:-}" ]; then skip "built with sanitizers, which need more, a process binds itself to nothing"; fi
  mkdir "$T/folder"
  : >"$T/folder/file"
  # Root with all its capabilities passes some of the kernel's own checks.
  local plain=()
  if [ "$(id -u)" = 0 ]; then plain=(setpriv --bounding-set=-all --inh-caps=-all); fi
  background "$T/other.log" "${plain[@]}" sleep 300
  run -0 "${plain[@]}" "$BUILD/tests/cbtest-confine" "$T/folder" "$PID"
  echo "$output"
  kill -0 "$PID"
  [ "$(sed '/^--$/,$d' <<<"$output" | grep -cv ': refused$')" = 0 ]
  [ "$(sed '/^--$/,$d' <<<"$output" | grep -c .)" = 23 ]
  [ "$(sed '1,/^--$/d' <<<"$output" | grep -cv ': done$')" = 0 ]
  [ "$(sed '1,/^--$/d' <<<"$output" | grep -c .)" = 12 ]
}

serves_bound() { # WAY [OPTION...]
  if [ -n "${SANITIZE:-}" ]; then skip "built with sanitizers, which need more, a process binds itself to nothing"; fi
  node a 4001 2 --mode line
  entrance "$@"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  bound "$(score slots -nr -o PID)"
  client -n 20 -c 4 --line "sleep 0" --expect line
  word go
  client_wait one
  farm_is_at_rest
}

@test "listener: its relays serve bound" { serves_bound listener; }
@test "Accept=yes: a relay serves bound" { serves_bound connection; }
@test "inetd: a relay serves bound" { serves_bound inetd; }
@test "alone: relays serve bound" { serves_bound alone; }
@test "one connection a process: relays serve bound" { serves_bound alone --connections-per-relay 1; }

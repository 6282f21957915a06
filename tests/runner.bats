#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# tests/run counts every test that a file has, and no test passes because a command is missing.

load lib/helpers

# The files that run here do not see the environment that bats has set for this file.
runner() {
  local name unset=()
  for name in "${!BATS_@}"; do unset+=(-u "$name"); done
  env "${unset[@]}" -u BUILD BUILD="$BUILD" "$BATS_TEST_DIRNAME/run" "$@" 3>&-
}

# file NAME: makes a file of tests from standard input, where %test stands for @test, so that it is no test of this file.
file() {
  {
    echo "load $LIB/helpers"
    sed 's/^%test/@test/'
  } >"$T/$1.bats"
}

# failed NAME: whether the test of that name failed.
failed() { grep -qE "^not ok [0-9]+ .*: \"?$1( in |\" # was not executed)" <<<"$output"; }
passed() { grep -qE "^ok [0-9]+ .*: $1 in " <<<"$output"; }

@test "the last line counts passed, failed and skipped tests, and the status says if one failed" {
  file good <<'END'
%test "one" { true; }
%test "two" { skip "as it is"; }
END
  file bad <<'END'
%test "three" { echo a word; false; }
END
  run -0 runner "$T/good.bats"
  [ "${lines[-1]}" = "1 passed, 0 failed, 1 skipped" ]
  run -1 runner "$T/good.bats" "$T/bad.bats"
  [ "${lines[-1]}" = "1 passed, 1 failed, 1 skipped" ]
  [[ $output == *"# a word"* ]]
}

@test "each test of a file whose setup fails has failed" {
  file good <<'END'
%test "one" { true; }
END
  file bad <<'END'
setup_file() { echo why not; false; }
%test "two" { true; }
%test "three" { true; }
END
  run -1 runner "$T/good.bats" "$T/bad.bats"
  [ "${lines[-1]}" = "1 passed, 2 failed, 0 skipped" ]
  failed two
  failed three
  [[ $output == *"why not"* ]]
}

# time_is_over: what a test in a file of this file calls to end the time of its file.
time_is_over() {
  local pid=$$
  until [ "$(<"/proc/$pid/comm")" = timeout ]; do pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status"); done
  kill -ALRM "$pid"
}

@test "a file that cannot be read as one, or comes to no end, has failed" {
  export -f time_is_over
  file broken <<'END'
%test "one" { if; }
END
  file endless <<'END'
%test "two" { true; }
%test "three" { time_is_over; sleep 1000; }
%test "four" { true; }
END
  run -1 runner "$T/broken.bats" "$T/endless.bats"
  [ "${lines[-1]}" = "1 passed, 3 failed, 0 skipped" ]
  passed two
  for name in one three four; do failed $name; done
  file endless <<'END'
%test "three" { sleep 1000; }
END
  FILE_TIMEOUT=5 run -1 runner "$T/endless.bats"
  [ "${lines[-1]}" = "0 passed, 1 failed, 0 skipped" ]
}

@test "a command that is not found fails the test, wherever it stands" {
  file bad <<'END'
%test "after not" { ! no-such-command; true; }
%test "in a pipe" { no-such-command | cat; true; }
%test "in a condition" { if no-such-command; then false; fi; }
%test "by its path" { ! /no/such/command; true; }
%test "not to be executed" { /etc/passwd || true; }
%test "in a function" { f() { no-such-command || return 0; }; f; }
%test "in run not" { run ! no-such-command; }
%test "in run not, by its path" { run ! /no/such/command; }
%test "in run, deeper" { f() { no-such-command | cat; }; run -0 f; }
%test "in a script" { run -0 bash -c 'no-such-command; true'; }
%test "the last of all" { : | /no/such/command || true; }
%test "after not, the last of all" { ! timeout 9 /no/such/command; }
%test "after not, the last of a function" { f() { ! timeout 9 /no/such/command; }; f; }
END
  file good <<'END'
%test "expected" { run -127 bash -c 'exit 127'; }
%test "not our child" { wait 1 || true; }
END
  run -1 runner "$T/bad.bats"
  echo "$output"
  [ "${lines[-1]}" = "0 passed, 13 failed, 0 skipped" ]
  run -0 runner "$T/good.bats"
  [ "${lines[-1]}" = "2 passed, 0 failed, 0 skipped" ]
}

@test "no test runs its commands by a shell that knows nothing of that" {
  # Within a booted system there is no bash function of this test; there commands are chained by &&.
  run grep -rnE '(^|[^/"[:alnum:]])(da)?sh -c' "$BATS_TEST_DIRNAME" --include='*.bats' --include='*.bash' \
    --exclude-dir=bench --exclude=runner.bats
  [ -z "$(grep -vE '(inside|on [^ ]+) sh -c' <<<"$output")" ]
}

@test "a file that takes long begins first" {
  file a <<<'%test "a" { true; }'
  file b <<END
# bats file_tags=long
%test "b" { true; }
END
  JOBS=1 run -0 runner "$T"/{a,b}.bats
  [ "$(sed -nE 's/^# [0-9:]+ ([ab])\.bats begins$/\1/p' <<<"$output")" = $'b\na' ]
}

# While e is left to begin, that is until a or b ends.
@test "files run side by side; those that only compute run beside them, one after the other" {
  for name in a b; do
    file $name <<END
%test "$name" { echo >"$T/$name.came"; until_ok test -e "$T/a.came"; until_ok test -e "$T/b.came"; until_ok test -e "$T/d.came"; }
END
  done
  for name in c d; do
    file $name <<END
# bats file_tags=computes
%test "$name" { until_ok test -e "$T/a.came"; until_ok test -e "$T/b.came"; : >"$T/$name.came"; }
END
  done
  file e <<<'%test "e" { true; }'
  JOBS=2 run -0 runner "$T"/{c,d,a,b,e}.bats
  [ "${lines[-1]}" = "5 passed, 0 failed, 0 skipped" ]
  [ "$(sed -nE 's/^# [0-9:]+ ([cd])\.bats (begins|took).*/\1 \2/p' <<<"$output" | head -n 3)" = $'c begins\nc took\nd begins' ]
}

@test "files that only compute run side by side when no other is left to begin" {
  [ "$(nproc)" -gt 1 ] || skip "needs two processors"
  for name in a b; do
    file $name <<END
# bats file_tags=computes
%test "$name" { : >"$T/$name.came"; until_ok test -e "$T/a.came"; until_ok test -e "$T/b.came"; }
END
  done
  run -0 runner "$T"/{a,b}.bats
  [ "${lines[-1]}" = "2 passed, 0 failed, 0 skipped" ]
}

# In a namespace of pids the test says which pid comes next, as root may.
@test "a process that has the pid of a process that has ended is neither ended with the test nor waited for" {
  [ "$(id -u)" = 0 ] || skip "needs root for a namespace of pids"
  cat >"$T/inner" <<'END'
set -eu
bats_require_minimum_version() { :; }
source "$1/helpers.bash"
T=$2 PIDS=() FOLDERS=() BEGAN=()
background /dev/null true
old=$PID
wait "$old"
if is_running "$old"; then exit 2; fi
# Processes that begin in the same hundredth of a second are one to the helpers.
tick=$(cut -d' ' -f1 /proc/uptime)
until [ "$(cut -d' ' -f1 /proc/uptime)" != "$tick" ]; do :; done
echo $((old - 1)) >/proc/sys/kernel/ns_last_pid
sleep 600 &
stranger=$!
[ "$stranger" = "$old" ] || exit 3
gone "$old" || exit 4
background /dev/null sleep 600
own=$PID
end_started
gone "$own" || exit 5
kill -0 "$stranger" || exit 6
END
  run -0 unshare --pid --fork --kill-child --mount-proc bash "$T/inner" "$LIB" "$T"
}

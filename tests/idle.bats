#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A process that waits sleeps. The tests read how often the kernel woke it: on a
# busy machine the time that something took says little.

load lib/helpers

GUARD_CS=75    # the guard of the queue looks once in so many hundredths of a second: SCORE_GUARD_USEC
LOOK_CS=300    # how long we count

# The time since the boot, in hundredths of a second, is in $NOW.
uptime_cs() { read -r NOW _ </proc/uptime && NOW=${NOW/./}; }

# switches PID...: "PID N", how often each has gone to sleep so far. Switches that the kernel forced, for others to run,
# do not count.
switches() {
  local files=("${@/#//proc/}")
  awk '/^voluntary_ctxt_switches/ { split(FILENAME, part, "/"); print part[3], $2 }' "${files[@]/%//status}"
}

# woken PID...: lets a while pass, and prints "PID N" of the processes that ran meanwhile. The length of the while, in
# hundredths of a second, is in $T/while.
woken() {
  local start NOW
  uptime_cs
  start=$NOW
  switches "$@" | sort >"$T/before"
  while uptime_cs && [ $((NOW - start)) -lt $LOOK_CS ]; do nap 0.1; done
  switches "$@" | sort >"$T/after"
  uptime_cs
  echo $((NOW - start)) >"$T/while"
  [ "$(wc -l <"$T/before")" = $# ] && [ "$(wc -l <"$T/after")" = $# ] || return 1
  join "$T/before" "$T/after" | awk '$3 > $2 { print $1, $3 - $2 }'
}

# The most sleeps of one guard in that time: the number of its looks, times the sleeps in each: by its timer, and
# perhaps by a lock and a page that is not in memory.
at_most() { echo $(((($(<"$T/while") + GUARD_CS - 1) / GUARD_CS + 1) * 4)); }

# guard_alone PID...: only one of these processes ran, and no more than the guard has to; its pid is in $GUARD.
guard_alone() {
  local all
  all=$(woken "$@") || return 1
  echo "in $(<"$T/while") hundredths of a second, of $#, at most $(at_most): $all" >>"$T/idle.log"
  [ "$(wc -l <<<"$all")" = 1 ] && [ "${all#* }" -le "$(at_most)" ] && [ "${all#* }" -ge 2 ] && GUARD=${all% *}
}

@test "4,000 waiters of a listener: it looks after them as seldom as after a single waiter, and its relays sleep" {
  local n=4000 room
  # The listener keeps some descriptors for other things; the client also needs one for each connection.
  room=$(($(ulimit -Hn) - 200))
  if [ "$room" -lt $n ]; then
    n=$room
    echo "# only $n waiters: no more descriptors here" >&3
  fi
  ulimit -n "$(ulimit -Hn)"
  node a 4001 1 --mode line
  entrance alone
  client_start holder --line "sleep 600000" --expect line
  until_ok busy_is 1
  client_start crowd -n "$n" -c "$n" --line "sleep 0" --expect line
  until_ok waiting_is "$n"
  mapfile -t pids < <(pgrep -P "$GATE_PID")
  [ ${#pids[@]} -ge 1 ]
  # The last client may have come a moment ago; then the listener looks once more.
  until_ok guard_alone "$GATE_PID" "${pids[@]}"
  cat "$T/idle.log"
  [ "$GUARD" = "$GATE_PID" ]
  waiting_is "$n"
}

# few_look HOLDER PID...: of these waiters, the oldest first, the youngest looks after the queue, and no more often than the
# guard has to. The others look whether it does, the older the more seldom: some 30 times a second in all, and those of
# the older half not more often than every six seconds. The holder is not woken.
few_look() {
  local holder=$1 all
  shift
  all=$(woken "$@" "$holder") || return 1
  echo "in $(<"$T/while") hundredths of a second, of $#, at most $(at_most): $all" >>"$T/idle.log"
  awk -v holder="$holder" -v cs="$(<"$T/while")" -v most="$(at_most)" -v order="$*" '
    BEGIN { n = split(order, pids); for (i = 1; i <= n; i++) place[pids[i]] = i }
    $1 == holder { exit bad = 1 }
    place[$1] == n { guard = $2; next }
    { others += $2 }
    place[$1] <= n / 2 && $2 > 4 * (cs / 625 + 1) { exit bad = 1 }
    END { exit bad || guard < 2 || guard > most || others > 4 * 32 * (cs / 100 + 1) }' <<<"$all"
}

# 100 processes that wait, a process for each connection; options are cbrelay's.
one_guard_for_all() {
  local n=100 holder
  node a 4001 1 --mode line
  entrance connection "$@"
  client_start holder --line "sleep 600000" --expect line
  until_ok busy_is 1
  holder=$(score slots -nr -o PID)
  client_start crowd -n $n -c $n --line "sleep 0" --expect line
  until_ok waiting_is $n
  mapfile -t pids < <(score queue -nr -o PID)
  [ ${#pids[@]} = $n ]
  until_ok few_look "$holder" "${pids[@]}"
  # If the guard is killed, another process has the duty: the youngest then.
  kill -9 "${pids[-1]}"
  until_ok waiting_is $((n - 1))
  unset 'pids[-1]'
  until_ok few_look "$holder" "${pids[@]}"
  cat "$T/idle.log"
  waiting_is $((n - 1))
}

@test "100 waiting processes: one keeps the guard, the others look for it seldom; if it is killed, the next one does" {
  one_guard_for_all
}

@test "limits that are far away wake no process before they could be over" {
  one_guard_for_all --queue-timeout 1h --down-timeout 30min
}

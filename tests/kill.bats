#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers
load lib/holders

relay_pids() { score slots -nr -o PID; }

# The slot of a killed relay is free within one second while a client waits.
killed_relay_frees_its_slot() {
  node a 4001 1 --mode line
  entrance "$1"
  client_start victim --line "sleep 30000" --expect line
  until_ok busy_is 1
  client_start next --line "sleep 10" --expect line --print
  until_ok waiting_is 1
  kill -9 "$(holders)"
  local start=${EPOCHREALTIME/./}
  client_wait next
  echo "# next was served after $((${EPOCHREALTIME/./} - start)) us"
  client_fails victim
  grep -q 'reset=1' "$T/victim.out"
  farm_is_at_rest
}

@test "listener: a killed relay frees its slot for the waiter" { killed_relay_frees_its_slot listener; }
@test "connection: a killed relay frees its slot for the waiter" { killed_relay_frees_its_slot connection; }
@test "inetd: a killed relay frees its slot for the waiter" { killed_relay_frees_its_slot inetd; }
@test "alone: a killed relay frees its slot for the waiter" { killed_relay_frees_its_slot alone; }

@test "without waiters the next connection finds a killed relay's slot" {
  node a 4001 1 --mode line
  entrance connection
  client_start victim --line "sleep 30000" --expect line
  until_ok busy_is 1
  kill -9 "$(relay_pids)"
  client --line "sleep 10" --expect line
  farm_is_at_rest
}

@test "cbscore reap and the prober find a killed relay's slot" {
  node a 4001 2 --mode line
  entrance connection
  client_start v1 --line "sleep 30000" --expect line
  client_start v2 --line "sleep 30000" --expect line
  until_ok busy_is 2
  kill -9 "$(relay_pids | head -n 1)"
  until_ok eval 'score reap; busy_is 1'
  kill -9 "$(relay_pids)"
  until_ok eval 'probe; busy_is 0'
  farm_is_at_rest
}

@test "waiters that are killed are passed over, the guard among them" {
  node a 4001 1 --mode line
  entrance connection
  client_start holder --line "sleep 60000" --expect line
  until_ok busy_is 1
  for i in 1 2 3 4 5 6; do
    client_start "w$i" --line "sleep 5" --expect line
    until_ok waiting_is "$i"
  done
  # The oldest waiter, the youngest (the guard) and a waiter in between.
  local pids
  mapfile -t pids < <(score queue -nr -o PID)
  kill -9 "${pids[0]}" "${pids[3]}" "${pids[5]}"
  # And the holder: only a guard can find that.
  kill -9 "$(relay_pids)"
  client_wait w2
  client_wait w3
  client_wait w5
  farm_is_at_rest
}

@test "a listener that is killed leaves its relays serving, and the next listener a sound farm" {
  node a 4001 2 --mode line
  entrance alone
  client_start served --line "$(until_word go)" --expect line
  until_ok busy_is 1
  kill -9 "$GATE_PID"
  gone "$GATE_PID" || true
  until_ok eval '! is_listening "$GATE"'
  entrance alone
  client -n 4 -c 4 --line "sleep 5" --expect line
  word go
  client_wait served
  farm_is_at_rest
}

@test "storm: relays killed at random, every client is served or reset, and all is free at the end" {
  node a 4001 3 --mode echo
  node b 4002 2 --mode echo
  entrance "${WAY:-listener}"
  client_start crowd -n 300 -c 30 --send 20000 --half-close --expect echo
  for _ in $(seq 40); do
    local pid
    pid=$(relay_pids | shuf -n 1)
    # Not the listener itself, which holds slots that it has not handed to a relay yet.
    if [ -n "$pid" ] && [ "$pid" != "$GATE_PID" ]; then kill -9 "$pid" 2>/dev/null || true; fi
    sleep 0.01
  done
  client_wait crowd || true
  tail -n 1 "$T/crowd.out"
  grep 'refused=0 .*mismatch=0 timeout=0' "$T/crowd.out"
  farm_is_at_rest
}

@test "a waiter is guarded though the waiter behind it, in a process that lives on, has left" {
  node a 4001 1 --mode line
  entrance connection
  local first=$GATE
  GATE=$ADDR:3633
  background "$T/relay2.log" "$BUILD/cbrelay" -c "$CONF" "$GATE"
  until_ok is_listening "$GATE"
  local second=$GATE
  GATE=$first
  client_start victim --line "sleep 60000" --expect line
  until_ok busy_is 1
  client_start patient --line "sleep 5" --expect line
  until_ok waiting_is 1
  # A client joins behind it in the listener, long enough to be the guard, and leaves; the listener stays.
  GATE=$second
  client_start leaver --send 0 --expect none
  until_ok waiting_is 2
  waited() { [ $(($(date +%s%6N) - $(score queue -nr -o SINCE | tail -n 1))) -gt 2000000 ]; }
  until_ok waited
  kill "$PID_leaver"
  until_ok waiting_is 1
  kill -9 "$(relay_pids)"
  client_wait patient
  farm_is_at_rest
}

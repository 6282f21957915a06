#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# --patience: a slow slot that is free is kept from the connection that is next, if a fast slot is expected to serve it
# sooner; for a bounded time, and nothing overtakes.

load lib/helpers
load lib/clients
load lib/managed

setup() {
  farm_setup
  node_start fast 4001 1 --mode line
  node_start slow 4002 2 --mode line
  node_line 4001 1 speed=4
  node_line 4002 2
}
teardown() {
  [ -z "${MUX-}" ] || "${MUX[@]}" kill-server 2>/dev/null || true
  farm_teardown
}

on_is() { heard score slots -nr -o NODE && heard_are "*:$1" "$2"; }
# What an administrator is told while N free cores are kept. It does not depend on a time: this is at most a minute.
kept_words() {
  local cores="$1 free cores are"
  [ "$1" != 1 ] || cores="1 free core is"
  echo "$cores kept for up to [0-9]\{1,2\}[sm] (--patience), as faster cores are expected to serve those that wait sooner"
}
kept() { score status | grep -q "^  $(kept_words 2)$"; }
# comes NAME [option]...: a connection until the word NAME.
comes() {
  client_start "$1" "${@:2}" --line "$(until_word "$1")" --expect line
}

# The farm knows how much work a connection is, and how fast its nodes are: one holds the fast node for a fifth of a
# second, or for $WORK milliseconds, which is nothing that a slow slot would do in time. Then a connection has the fast
# slot until the word first.
begin() {
  if [ "$1" = managed ]; then managed "$BUILD/cbrelay" -c "$CONF" "${@:2}"; else entrance "$@"; fi
  client --line "sleep ${WORK:-200}" --expect line
  until_ok busy_is 0
  score reap
  comes first
  until_ok on_is 4001 1
}
# has_come N: so many connections wait or have a slow slot.
has_come() {
  local line n
  heard score queue -n
  n=${#HEARD[@]}
  heard score slots -nr -o NODE
  for line in "${HEARD[@]}"; do if [[ $line == *:4002 ]]; then n=$((n + 1)); fi; done
  [ $n -ge "$1" ]
}
ends() {
  word "$1"
  client_wait "$1"
}
done_with() {
  farm_is_at_rest
  score fsck
}

# The second has waited for the fast slot, and gets it when the first ends.
second_has_the_fast_slot_next() {
  ends first
  until_ok on_is 4001 1
  ends second
  done_with
}

gets_the_fast_slot() {
  begin "$1" --patience 1min
  comes second
  until_ok waiting_is 1
  on_is 4002 0
  kept
  score fsck
  ends first
  until_ok on_is 4001 1
  waiting_is 0
  run ! kept
  ends second
  done_with
}

@test "listener: a connection waits for the fast slot that is about to be free" { gets_the_fast_slot listener; }
@test "a unit for each connection: the same" { gets_the_fast_slot connection; }
@test "inetd: the same" { gets_the_fast_slot inetd; }
@test "stand-alone: the same" { gets_the_fast_slot alone; }

is_bounded() {
  local begun
  begin "$1" --patience 3s
  begun=$EPOCHREALTIME
  comes second
  until_ok on_is 4002 1
  # It cannot have got the slow slot before: the fast slot is taken all the time.
  python3 -c "import sys; sys.exit(not float(sys.argv[2]) - float(sys.argv[1]) > 2.5)" "$begun" "$EPOCHREALTIME"
  on_is 4001 1
  ends second
  ends first
  done_with
}

@test "listener: if the fast slot does not become free in time, the slow slot is given" { is_bounded listener; }
@test "a unit for each connection: the slow slot is given in the end" { is_bounded connection; }
@test "stand-alone: the slow slot is given in the end" { is_bounded alone; }

@test "without the option no slot is kept" {
  begin alone
  comes second
  until_ok on_is 4002 1
  waiting_is 0
  ends second
  ends first
  done_with
}

@test "nothing overtakes the connection that waits for the fast slot, not even through an entrance without the option" {
  begin alone --patience 1min
  comes second
  until_ok waiting_is 1
  GATE=$ADDR:3633 entrance alone --policy order
  GATE=$ADDR:3633 comes third
  until_ok waiting_is 2
  on_is 4002 0
  score queue -nr -o TICKET >"$T/order"
  ends first
  until_ok on_is 4001 1
  # The third is next, has no patience, and gets what is free.
  until_ok on_is 4002 1
  waiting_is 0
  ends second
  ends third
  done_with
}

@test "a connection through an entrance without the option gets the slot that is free, if none waits" {
  begin alone --patience 1min
  GATE=$ADDR:3633 entrance alone
  GATE=$ADDR:3633 comes second
  until_ok on_is 4002 1
  ends second
  ends first
  done_with
}

@test "a slot that is given back while connections wait is kept, too, and is given when the time is over" {
  begin alone --patience 3s
  # No patience: they take the slow slots.
  GATE=$ADDR:3633 entrance alone
  GATE=$ADDR:3633 comes slow1
  GATE=$ADDR:3633 comes slow2
  until_ok on_is 4002 2
  comes next
  until_ok waiting_is 1
  ends slow1
  until_ok waiting_is 0
  on_is 4002 2
  ends slow2
  ends next
  ends first
  done_with
}

@test "entrances with different times do not renew each other's: the slow slot is given in the end" {
  local i
  sed -i 's/speed=4/speed=100/' "$CONF"
  WORK=20 begin alone --patience 2s
  GATE=$ADDR:3633 entrance alone --patience 3s
  # Connections come through both all the time. All of them could be served by the fast node sooner.
  for ((i = 0; i < 60; i++)); do
    GATE=$ADDR:$((3632 + i % 2)) comes "c$i"
    until_ok has_come $((i + 1))
    on_is 4002 0 || break
    nap 0.1
  done
  if on_is 4002 0; then return 1; fi
  word first
  for ((; i >= 0; i--)); do word "c$i"; done
  ends first
  until_ok busy_is 0
  done_with
}

@test "a client that passes to the next listener keeps its patience" {
  local before
  begin managed --patience 1min
  comes second
  until_ok waiting_is 1
  before=$(service)
  kill -USR1 "$MANAGER"
  until_ok restarted "$before"
  until_ok waiters_of_service_are 1
  score reap
  kept
  on_is 4002 0
  second_has_the_fast_slot_next
}

@test "a client whose node refused it keeps its patience" {
  node_line 4003 1 speed=4
  begin alone --patience 1min
  score down "$ADDR:4003"
  # No patience: they take the slow slots.
  GATE=$ADDR:3633 entrance alone
  GATE=$ADDR:3633 comes slow1
  GATE=$ADDR:3633 comes slow2
  until_ok on_is 4002 2
  score up "$ADDR:4003"
  comes second
  until_ok waiting_is 1
  score list -nr -o STATE | grep -q down
  ends slow1
  until_ok on_is 4002 1
  kept_one() { score status | grep -q "^  $(kept_words 1)$"; }
  until_ok kept_one
  waiting_is 1
  ends first
  until_ok on_is 4001 1
  ends second
  ends slow2
  done_with
}

@test "the time passes only while a client waits: what is left of it when the client leaves keeps a core for the next" {
  local until
  begin alone --patience 10s --abandon-on-eof
  comes second
  until_ok waiting_is 1
  until=$(score status -J | jq -e '.kept_until')
  # shellcheck disable=SC2154 # client_start sets it
  kill "$PID_second"
  until_ok waiting_is 0
  is_past() { jq -en "now > $1"; }
  until_ok is_past "$until"
  comes third
  until_ok waiting_is 1
  on_is 4002 0
  ends first
  until_ok on_is 4001 1
  ends third
  done_with
}

# Everything that shows the farm. Each is given a file to write to.
shown_by_status() { score status; }
shown_by_list() { score list; }
shown_by_explain() { score explain; }
shown_by_check() { score check; }
shown_by_page() { curl -sS --max-time 300 "http://$ADDR:3680/"; }

@test "status, list, explain, check, the page and top say the same of cores that are kept, and nothing when none is" {
  local what
  begin alone --patience 1min
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" serve --web "$ADDR:3680"
  until_ok is_listening "$ADDR:3680"
  MUX=(tmux -L "cb-$$-$BATS_TEST_NUMBER" -f /dev/null)
  "${MUX[@]}" new-session -d -x 200 -y 24 "'$BUILD/cbscore' -c '$CONF' -s '$SCOREBOARD' top; exec sleep 600"
  shown_by_top() { "${MUX[@]}" capture-pane -p; }
  says() { "shown_by_$1" | grep -q "$(kept_words "$2")"; }
  is_silent() { "shown_by_$1" >"$T/shown" && [ -s "$T/shown" ] && ! grep -q -- --patience "$T/shown"; }
  for what in status list explain check page top; do until_ok is_silent "$what"; done
  comes second
  until_ok waiting_is 1
  for what in status list explain check page top; do until_ok says "$what" 2; done
  # Also where the list has one line left.
  "${MUX[@]}" resize-window -x 80 -y 6
  shown_by_small_top() { shown_by_top | grep '^2 free cores are kept for up to [0-9]*[sm] (--patience), as faster' && shown_by_top | grep '^q quit'; }
  until_ok shown_by_small_top
  score explain | grep -q "^1 wait: $(kept_words 2). Then the oldest gets $ADDR:4002.$"
  score status -J | jq -e '.free == 0 and .kept == 2 and .kept_until > .time and .kept_until <= .time + 61'
  score metrics | grep -q '^corebalance_slots_kept{farm="scoreboard"} 2$'
  ends first
  until_ok on_is 4001 1
  for what in status list explain check page top; do until_ok is_silent "$what"; done
  score status -J | jq -e '.free == 2 and .kept == 0 and .kept_until == null'
  score metrics | grep -q '^corebalance_slots_kept{farm="scoreboard"} 0$'
  ends second
  done_with
}

@test "a listener tells the service manager how many cores are kept" {
  background "$T/told" python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('$T/notify'); print('bound', flush=True)
while True: print(s.recv(4096).decode(), flush=True)"
  until_ok grep -q bound "$T/told"
  NOTIFY_SOCKET=$T/notify begin alone --patience 1min
  comes second
  until_ok grep -q 'STATUS=1 busy, 0 free, 1 waiting; 2 free kept (--patience)$' "$T/told"
  ends first
  ends second
  until_ok grep -q 'STATUS=0 busy, 3 free, 0 waiting$' "$T/told"
  done_with
}


@test "the waiter that is next is stopped: the one behind it is served all the same" {
  local pid
  begin connection --patience 10s
  comes second
  until_ok waiting_is 1
  pid=$(score queue -nr -o PID)
  kill -STOP "$pid"
  comes third
  # The fast slot is taken all the time.
  ends third
  kill -CONT "$pid"
  ends second
  ends first
  done_with
}

@test "the waiter that is next is killed: the one behind it gets the fast slot" {
  begin connection --patience 1min
  comes second
  until_ok waiting_is 1
  comes third
  until_ok waiting_is 2
  kill -KILL "$(score queue -nr -o PID | head -1)"
  client_fails second
  until_ok waiting_is 1
  on_is 4002 0
  ends first
  until_ok on_is 4001 1
  ends third
  done_with
}

@test "the fast node is taken out: the slow slot is given at the next look" {
  begin alone --patience 1min
  comes second
  until_ok waiting_is 1
  score down "$ADDR:4001"
  until_ok on_is 4002 1
  score up "$ADDR:4001"
  ends second
  ends first
  done_with
}

@test "with --fair, --per-client, --queue-timeout and --queue-limit" {
  begin alone --patience 1min --fair --per-client 2 --queue-timeout 10s --queue-limit 1
  comes second --source "$OTHER"
  until_ok waiting_is 1
  on_is 4002 0
  client_fails second
  until_ok waiting_is 0
  comes third --source "$THIRD"
  until_ok waiting_is 1
  ends first
  until_ok on_is 4001 1
  ends third
  done_with
}

@test "the option goes with the policy fastest, and is at most a minute" {
  run -64 "$BUILD/cbrelay" --patience 1s --policy order
  [[ $output == *"--patience: expected the policy fastest, and not order"* ]]
  run -64 "$BUILD/cbrelay" --patience 61s
  [[ $output == *"up to 1min"* ]]
}

# given_at_once COMMAND...: after the command the slow slot is given in the same step, and not at a later look: the
# listener, which looks, is stopped. Then the fast slot is free, and no client waits.
given_at_once() {
  begin alone --patience 1min
  comes second
  until_ok waiting_is 1
  kept
  on_is 4002 0
  kill -STOP "$GATE_PID"
  "$@"
  on_is 4002 1
  run ! kept
  kill -CONT "$GATE_PID"
  ends second
  ends first
  until_ok busy_is 0
  nodes_never_overfilled
  score fsck
}

# leave_to_another: the fast node's only core is another gateway's. Which of two has it follows from the node's address.
leave_to_another() {
  score share 1/2
  score status -J | jq -e '.nodes[0].share == 0' || score share 2/2
}

# not_in_the_list: the list is loaded without the fast node.
not_in_the_list() {
  sed -i '/, 4001,/d' "$CONF"
  score load
}

@test "the fast node is held: the slow slot is given at once" { given_at_once score down "$ADDR:4001"; }
@test "the fast node becomes a backup: the same" { given_at_once score set "$ADDR:4001" backup=yes; }
@test "the fast node becomes a slow one: the same" { given_at_once score set "$ADDR:4001" speed=1; }
@test "the fast node is removed: the same" { given_at_once score remove "$ADDR:4001"; }
@test "the fast node is not in the list any more: the same" { given_at_once not_in_the_list; }
@test "the fast node is another gateway's: the same" { given_at_once leave_to_another; }

@test "the fast node dies: the slow slot is given, and not kept for it" {
  begin alone --patience 1min
  comes second
  until_ok waiting_is 1
  # shellcheck disable=SC2154 # node_start sets it
  kill -KILL "$PID_fast"
  client_fails first
  until_ok on_is 4002 1
  ends second
  until_ok busy_is 0
  score list -nr -o NODE,STATE | grep -q ':4001 *down'
  score fsck
}

@test "of two fast nodes one goes: the slow slot is kept for the other, and given when that goes, too" {
  node_start fast2 4003 1 --mode line
  node_line 4003 1 speed=4
  begin alone --patience 1min
  comes another
  until_ok on_is 4003 1
  comes second
  until_ok waiting_is 1
  score down "$ADDR:4003"
  score reap
  kept
  on_is 4002 0
  score down "$ADDR:4001"
  until_ok on_is 4002 1
  for name in first another second; do ends $name; done
  until_ok busy_is 0
  score fsck
}

@test "the farm is paused: nothing is kept, and after that the slot is kept for the rest of the time" {
  begin alone --patience 1min
  comes second
  until_ok waiting_is 1
  kept
  score pause
  run ! kept
  score resume
  kept
  on_is 4002 0
  second_has_the_fast_slot_next
}

@test "the lease of the farm is over: nothing is kept; with another, the slot is" {
  begin alone --patience 1min
  comes second
  until_ok waiting_is 1
  kept
  score share leased
  run ! kept
  score reap
  on_is 4002 0
  score share none
  until_ok kept
  on_is 4002 0
  second_has_the_fast_slot_next
}

@test "a client without the option looks after the queue: the slow slot is given in time, and the process sleeps until then" {
  local listener
  [ -z "${SANITIZE-}" ] || skip "the leak detector does not work beside strace"
  strace -f -qq -o "$T/probe" true 2>/dev/null || skip "this machine lets nobody trace a process"
  begin alone --patience 10s
  listener=$GATE_PID
  comes second
  until_ok waiting_is 1
  GATE=$ADDR:3633 WRAPPER="strace -D -f -qq -e trace=poll,ppoll -o $T/trace" entrance connection
  GATE=$ADDR:3633 comes third
  until_ok waiting_is 2
  # Now only the third client's process can deal the slots when the time is over.
  kill -STOP "$listener"
  ends third
  kill -CONT "$listener"
  [ "$(wc -l <"$T/trace")" -lt 200 ]
  ends second
  ends first
  done_with
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The rules by which results become a verdict, beyond --rise and --fall.

load lib/helpers

column() { score list -nr -o "$1"; }
a_is_gone() { kill "$PID_a" && gone "$PID_a"; }

@test "--flap: a node that goes down too often is kept down until it was quiet, over passes" {
  node a 4001 1
  probe --flap 2/1h
  a_is_gone
  probe --flap 2/1h
  state_is 4001 down
  [ "$(column REASON)" = 'connection\x20refused' ]
  node_start a 4001 1
  run -0 probe --flap 2/1h
  state_is 4001 up
  a_is_gone
  run -0 probe --flap 2/1h
  [[ $output == *"$ADDR:4001 is down: flapping: connection refused (was up"* ]]
  [ "$(column REASON)" = 'flapping:\x20connection\x20refused' ]
  # The node answers, and is not believed; nor does a connection try it.
  node_start a 4001 1
  run -0 probe --flap 2/1h
  [ -z "$output" ]
  state_is 4001 down
  [ "$(column RISE)" = 1 ]
  # Also without the option: the decision stands.
  probe
  state_is 4001 down
  run -0 score fsck
}

@test "--flap: the quiet time counts from the last failure, and then the node is up" {
  node a 4001 1
  probe --flap 1/2s
  a_is_gone
  probe --flap 1/2s
  [[ $(column REASON) == flapping* ]]
  local before
  before=$(date +%s%N)
  probe --flap 1/2s
  node_start a 4001 1
  up_again() { probe --flap 1/2s && state_is 4001 up; }
  until_ok up_again
  # Not before the time is over; on a slow machine the first of these passes may take so long.
  [ $(($(date +%s%N) - before)) -ge 2000000000 ]
  [ "$(column REASON)" = '' ]
}

@test "--flap: downs that relays found count as well" {
  node a 4001 1
  probe --flap 2/1h
  entrance alone --retry-after 1h
  a_is_gone
  client_start one --expect line
  until_ok state_is 4001 down
  node_start a 4001 1 --mode hold:1
  probe --flap 2/1h
  state_is 4001 up
  client_wait one
  a_is_gone
  client_start two --expect line
  until_ok state_is 4001 down
  [ "$(column REASON)" = 'connection\x20refused' ]
  node_start a 4001 1 --mode hold:1
  probe --flap 2/1h
  [ "$(column REASON)" = 'flapping:\x20connection\x20refused' ]
  until_ok waiting_is 1
}

@test "--flap: a trial that is under way, and then fails or is left, does not end the quiet time" {
  node_line 4001 1
  score load
  "$BUILD/tests/cbtest-trial" "$SCOREBOARD"
  scoreboard_is_sound
}

@test "--down-after: no success for so long is down, whatever --fall says" {
  node a 4001 1
  probe --fall 1000 --down-after 1h
  a_is_gone
  probe --fall 1000 --down-after 1h
  state_is 4001 up
  gave_up() { probe --fall 1000 --down-after 300ms && state_is 4001 down; }
  until_ok gave_up
  [ "$(column FALL)" -lt 1000 ]
  [ "$(column REASON)" = 'connection\x20refused' ]
}

@test "--jitter: all are checked nevertheless, in one pass" {
  for i in 1 2 3 4 5 6 7 8; do node_line "400$i" 1; done
  node a 4009 1
  run -0 probe -v --jitter 200ms
  [[ $output == *'checked 9 of 9 nodes'* ]]
  state_is 4009 up
  [ "$(column STATE | grep -c down)" = 8 ]
}

@test "counters stop at their maximum, and go on from there as they should" {
  node a 4001 1
  probe
  a_is_gone
  # fall, at its offset in node/1, to one below the maximum.
  raw() { tdbdump -k node/1 "$SCOREBOARD"; }
  python3 - "$SCOREBOARD" <<'PYTHON'
import struct, sys, mmap
with open(sys.argv[1], 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0)
    at = m.find(b'node/1') + len(b'node/1')
    assert m.find(b'node/1', at) < 0
    struct.pack_into('<I', m, at + 904, 0xfffffffe)
PYTHON
  [ "$(column FALL)" = 4294967294 ]
  # The node is up as before, but past any --fall: the next failures take it down, and the count stops at its maximum.
  probe
  state_is 4001 down
  [ "$(column FALL)" = 4294967295 ]
  probe
  [ "$(column FALL)" = 4294967295 ]
  node_start a 4001 1
  probe
  state_is 4001 up
  [ "$(column FALL)" = 0 ]
}

@test "a wrong --flap: exit 64 and one clear line" {
  for wrong in 3 3/ /1h 0/1h 9/1h 3/0 x/1h; do
    run --separate-stderr -64 probe --flap "$wrong"
    [[ $stderr == *"--flap: \"$wrong\": expected 1 to 8, a slash, and a time"* ]]
  done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

setup() { farm_setup; }
teardown() { farm_teardown; }

@test "one pass takes a dead node down with its reason, and the next one up again" {
  node_line 4001 2
  node b 4002 2
  run -0 probe
  [[ $output == *"$ADDR:4001 is down: connection refused"* ]]
  state_is 4001 down
  state_is 4002 up
  [ "$(score list -nr -o NODE,REASON | awk -v n="$ADDR:4001" '$1 == n { print $2 }')" = 'connection\x20refused' ]
  node_start a 4001 2
  run -0 probe
  [[ $output == *"$ADDR:4001 is up"* ]]
  state_is 4001 up
  # Nothing changed: nothing is said.
  run -0 probe
  [ -z "$output" ]
}

@test "--fall and --rise add up over passes" {
  node a 4001 2
  probe --fall 1
  kill "$PID_a"
  gone "$PID_a"
  # A failure is tried again within the pass, so that --fall 2 needs one pass; --fall 9 needs more.
  probe --fall 9
  state_is 4001 up
  run -0 score list -nr -o FALL
  [ "$output" = 2 ]
  for _ in 1 2 3 4 5 6 7; do probe --fall 9; done
  state_is 4001 down
  node_start a 4001 2
  probe --rise 2
  state_is 4001 down
  probe --rise 2
  state_is 4001 up
}

@test "a probe is not counted as a connection of the farm for longer than a moment, and held nodes stay held" {
  node a 4001 1
  score down "$ADDR:4001" mine
  probe
  state_is 4001 held
  kill "$PID_a"
  gone "$PID_a"
  probe
  state_is 4001 held
  score up "$ADDR:4001"
  state_is 4001 down
}

@test "the pass reaps what dead holders left, and names are resolved anew" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a hosts file of its own"; fi
  node_start a 4001 1 --mode hold:5
  echo 'moving.test, 4001, 1, 0' >"$CONF"
  printf '127.0.0.1 localhost\n' >"$T/hosts"
  in_hosts() { unshare -m sh -c "mount --bind '$T/hosts' /etc/hosts && exec \"\$@\"" sh "$@"; }
  in_hosts "$BUILD/cbscore" -c "$CONF" list
  [ "$(score list -nr -o STATE,REASON)" = 'down name\x20does\x20not\x20resolve' ]
  printf '127.0.0.1 localhost\n%s moving.test\n' "$ADDR" >"$T/hosts"
  in_hosts "$BUILD/cbprobe" -c "$CONF"
  [ "$(score list -nr -o STATE,ADDRESSES)" = "up $ADDR" ]
}

@test "10,000 nodes in one pass" {
  for i in $(seq 0 9999); do echo "127.$((i / 65536 + 1)).$((i / 256 % 256)).$((i % 256)), 4001, 1, 0"; done >"$CONF"
  node_start a 4001 1
  node_line 4001 1
  run -0 probe --jobs 2000
  run -0 score list -nr -o STATE
  [ "$(grep -c '^down' <<<"$output")" = 10000 ]
  [ "$(grep -c '^up' <<<"$output")" = 1 ]
  run -0 score fsck
}

@test "options that are unknown or wrong: exit 64 and one clear line" {
  run --separate-stderr -64 "$BUILD/cbprobe" --colour
  [[ $stderr == *"unrecognized option"* ]]
  run --separate-stderr -64 "$BUILD/cbprobe" --timeout soon
  [[ $stderr == *soon* ]]
  run --separate-stderr -64 "$BUILD/cbprobe" --fall 0
  [[ $stderr == *'"0"'* ]]
}

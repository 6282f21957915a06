#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

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
  # Nothing changed, so nothing is told.
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
  score down "$ADDR:4001" --reason mine
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
  in_hosts() { unshare -m bash -c "mount --bind '$T/hosts' /etc/hosts && exec \"\$@\"" sh "$@"; }
  in_hosts "$BUILD/cbscore" -c "$CONF" load
  [ "$(score list -nr -o STATE,REASON)" = 'down name\x20does\x20not\x20resolve' ]
  printf '127.0.0.1 localhost\n%s moving.test\n' "$ADDR" >"$T/hosts"
  in_hosts "$BUILD/cbprobe" -c "$CONF"
  [ "$(score list -nr -o STATE,ADDRESSES)" = "up $ADDR" ]
}

@test "a node that gets its first address from a pass is tried by connections, too, if the check does not put it up" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a hosts file of its own"; fi
  in_hosts() { unshare -m bash -c "mount --bind '$T/hosts' /etc/hosts && exec \"\$@\"" sh "$@"; }
  printf '%s\n' 'refused.test, 4001, 1, 0' 'unknown.test, 4002, 1, 0, check=exec:/bin/sh -c "exit 3"' >"$CONF"
  printf '127.0.0.1 localhost\n' >"$T/hosts"
  in_hosts "$BUILD/cbscore" -c "$CONF" load
  # Without an address there is nothing to try.
  [ -z "$(score list -nr -o RETRY | tr -d '[:space:]')" ]
  printf '127.0.0.1 localhost\n%s refused.test unknown.test\n' "$ADDR" >"$T/hosts"
  in_hosts "$BUILD/cbprobe" -c "$CONF"
  [ "$(score list -nr -o STATE,REASON)" = 'down connection\x20refused
down name\x20does\x20not\x20resolve' ]
  [ "$(score list -nr -o RETRY | grep -c '[0-9]')" = 2 ] || { score list -o +RETRY; return 1; }
  run -0 score fsck
}

@test "10,000 nodes in one pass" {
  for i in $(seq 0 9999); do echo "127.$((i / 65536 + 1)).$((i / 256 % 256)).$((i % 256)), 4777, 1, 0"; done >"$CONF" # nothing listens there
  node_start a 4001 1
  node_line 4001 1
  run -0 probe --jobs 2000
  run -0 score list -nr -o STATE
  [ "$(grep -c '^down' <<<"$output")" = 10000 ]
  [ "$(grep -c '^up' <<<"$output")" = 1 ]
  run -0 score fsck
}

@test "what --verbose says is what the manual shows" {
  node_start a 4001 1
  printf '%s, 4001, 1, 0\n%s, 4002, 1, 0\n' "$ADDR" "$ADDR" >"$CONF"
  run -0 probe -v
  # All but nodes and times.
  alike() { sed -E 's/[^ ]+:[0-9]+(:? )/NODE\1/; s/[0-9.]+(ms|us|s|min|h)( [0-9.]+(ms|s|min))?/TIME/g'; }
  diff <(alike <<<"$output" | sort) <(sed -n '/^# cbprobe -v$/,/^\.Ed/p' "$BATS_TEST_DIRNAME/../man/cbprobe.8" | grep ^cbprobe: | alike | sort)
}

@test "options that are unknown or wrong: exit 64 and one clear line" {
  run --separate-stderr -64 "$BUILD/cbprobe" --colour
  [[ $stderr == *"unrecognized option"* ]]
  run --separate-stderr -64 "$BUILD/cbprobe" --timeout soon
  [[ $stderr == *soon* ]]
  run --separate-stderr -64 "$BUILD/cbprobe" --fall 0
  [[ $stderr == *'"0"'* ]]
}

@test "a name server that never answers holds up only the nodes with names that it is asked for" {
  if [ "$(id -u)" != 0 ]; then skip "needs root for a name server of its own"; fi
  node_start a 4001 1
  node_start b 4002 1
  # The name server answers nothing until there is a file, which the test makes once the other nodes have been checked.
  background "$T/server.log" python3 -u -c "
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('$ADDR', 53))
print('listens')
while True:
    q, who = s.recvfrom(600)
    if os.path.exists('$T/answer'):
        s.sendto(q[:2] + b'\x81\x83' + q[4:6] + b'\0\0\0\0\0\0' + q[12:].split(b'\0\0\x29')[0], who)"
  until_ok grep -q listens "$T/server.log"
  printf 'nameserver %s\noptions timeout:2 attempts:5\n' "$ADDR" >"$T/resolv.conf"
  printf 'hosts: files dns\n' >"$T/nsswitch.conf"
  printf '%s known.test\n' "$ADDR" >"$T/hosts"
  : >"$T/empty"
  in_hosts() { # HOSTS COMMAND...
    unshare -m bash -c "mount --bind '$T/resolv.conf' /etc/resolv.conf && mount --bind '$T/nsswitch.conf' /etc/nsswitch.conf &&
      mount --bind '$1' /etc/hosts && shift && exec \"\$@\"" sh "$@"
  }
  printf '%s, 4001, 1, 0\nknown.test, 4002, 1, 0\n' "$ADDR" >"$CONF"
  in_hosts "$T/hosts" "$BUILD/cbscore" -c "$CONF" load
  background "$T/probe.log" in_hosts "$T/empty" "$BUILD/cbprobe" -v -c "$CONF"
  until_ok grep -q "^cbprobe: $ADDR:4001: tcp: answered" "$T/probe.log"
  # A node with a known name is checked at its known address.
  until_ok grep -q '^cbprobe: known.test:4002: tcp: answered' "$T/probe.log"
  run ! grep -q checked "$T/probe.log"
  # At last the name server says that there is no such name, which is the node's failure.
  : >"$T/answer"
  until_ok grep -q 'known.test:4002 is down: name does not resolve' "$T/probe.log"
  wait "$PID"
  grep -q 'checked 2 of 2 nodes' "$T/probe.log"
}

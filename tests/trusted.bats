#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The group of a scoreboard may change it; no such change runs a command as another user.

load lib/helpers

setup() {
  farm_setup
  D=$(mktemp -d /tmp/cbtrusted.XXXXXX)
  chmod 755 "$D"
  open_to_nobody "$D"
  CONF=$D/nodes.conf
  SCOREBOARD=$D/scoreboard.tdb
  export COREBALANCE_SCOREBOARD=$SCOREBOARD
  : >"$CONF"
}

teardown() {
  farm_teardown
  rm -rf "$D"
}

reason_of() { score list -nr -o NODE,REASON | awk -v n="$ADDR:$1" '$1 == n { print $2 }'; }
says_who() { echo "exec:/bin/sh -c \"id -u > $D/ran.$1; exit 2\""; }

@test "a command that was set in the scoreboard is not run, and that is told; in the node list it is" {
  node_line 4001 1
  score load
  score set "$ADDR:4001" "check=$(says_who one)"
  run -0 probe
  [[ $output == *"check \"$(says_who one)\": $CONF does not have this command; its nodes are left as they are"* ]] ||
    { echo "$output"; return 1; }
  [ ! -e "$D/ran.one" ]
  state_is 4001 up
  echo "$ADDR, 4001, 1, 0, check=$(says_who one)" >"$CONF"
  run -0 probe
  [ -e "$D/ran.one" ]
  state_is 4001 down
}

@test "a list that others can write has no commands; a prober that stays sees when that changes" {
  echo "$ADDR, 4001, 1, 0, check=$(says_who one)" >"$CONF"
  chmod 664 "$CONF"
  score load
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --interval 100ms -v
  until_ok grep -qF "$CONF can be written by others than its owner; its nodes are left as they are" "$T/probe.log"
  [ ! -e "$D/ran.one" ]
  chmod 644 "$CONF"
  until_ok test -e "$D/ran.one"
  kill "$PID"
  wait "$PID" || true
}

@test "a stranger's list has none either" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to give the list to a stranger"; fi
  echo "$ADDR, 4001, 1, 0, check=$(says_who one)" >"$CONF"
  score load
  chown 12345 "$CONF"
  run -0 probe
  [[ $output == *"$CONF belongs to neither root nor the prober's user; its nodes are left as they are"* ]]
  [ ! -e "$D/ran.one" ]
}

@test "root's prober runs no command as root, also where the scoreboard is root's" {
  if [ "$(id -u)" != 0 ]; then skip "needs root"; fi
  echo "$ADDR, 4001, 1, 0, check=exec:/bin/sh -c \"id -u >$D/ran.one; id -G >>$D/ran.one; cat $CONF.secret; exit 2\"" >"$CONF"
  echo secret >"$CONF.secret"
  chmod 600 "$CONF.secret"
  score load
  run -0 probe -v
  [ "$(cat "$D/ran.one")" = "$(printf '65534\n65534')" ] || { cat "$D/ran.one"; echo "$output"; return 1; }
  state_is 4001 down
  [[ $output != *secret* ]]
  # By --user it is that user.
  rm "$D/ran.one"
  run -0 probe --user daemon
  [ "$(head -n 1 "$D/ran.one")" = "$(id -u daemon)" ] || { cat "$D/ran.one"; echo "$output"; return 1; }
}

# A command with the prober's terminal could type there, and root's shell would read it.
@test "neither a command nor a hook has the terminal at which cbprobe runs" {
  local try="sh -c ': </dev/tty' 2>/dev/null && echo tty"
  printf '#!/bin/sh\n(%s; echo ran) >"$1"; exit 2\n' "$try" >"$D/intruder"
  chmod 755 "$D/intruder"
  echo "$ADDR, 4001, 1, 0, check=exec:$D/intruder $D/ran.one" >"$CONF"
  score load
  script -qec ": </dev/tty && $BUILD/cbprobe -c $CONF --notify '$D/intruder $D/ran.two'" /dev/null </dev/null
  [ "$(cat "$D/ran.one")" = ran ]
  [ "$(cat "$D/ran.two")" = ran ]
}

@test "a prober of another user, a member of the group, checks, and runs commands as itself" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to be several users"; fi
  local member=54322 group=54320 dir
  cp "$BUILD/cbprobe" "$D"
  chown 54321:$group "$D"
  chmod 2770 "$D"
  echo "$ADDR, 4001, 1, 0, check=exec:/bin/sh -c \"id -u > $D/ran.one; exit 2\"" >"$CONF"
  chmod 644 "$CONF"
  score load
  run -0 setpriv --reuid=$member --regid=$member --groups=$group "$D/cbprobe" -c "$CONF" -v
  [ "$(cat "$D/ran.one")" = $member ] || { echo "$output"; return 1; }
  state_is 4001 down
}

@test "root's prober becomes the scoreboard's owner before it runs a command" {
  if [ "$(id -u)" != 0 ]; then skip "needs root to be more than the owner"; fi
  echo "$ADDR, 4001, 1, 0, check=$(says_who one)" >"$CONF"
  score load
  chown -R nobody "$D"
  chown root "$CONF"
  run -0 "$BUILD/cbprobe" -c "$CONF" -v
  [ "$(cat "$D/ran.one")" = "$(id -u nobody)" ] || { echo "$output"; return 1; }
  state_is 4001 down
}

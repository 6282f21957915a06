#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A real xinetd: nowait (a relay for each connection) and wait (xinetd passes the listening socket, and cbrelay is the
# forking listener), with the shipped example file, changed only where a test must.

load lib/helpers

setup() {
  command -v xinetd >/dev/null || skip 'no xinetd (apt-get install xinetd)'
  farm_setup
  # xinetd listens on all addresses unless it is bound to the test's own; any user may run it.
  SERVICE=$T/xinetd.d/corebalance
  mkdir "$T/xinetd.d"
}

# xinetd_start no|yes [cbrelay option]...
xinetd_start() {
  local wait=$1
  shift
  sed -e "s|^\(\t*user *=\).*|\1 $(id -un)|" -e "s|^\(\t*group *=\).*|\1 $(id -gn)|" \
    -e "s|^\(\t*wait *=\).*|\1 $wait|" \
    -e "s|^\(\t*server *=\).*|\1 $BUILD/cbrelay|" \
    -e "s|^\(\t*server_args *=\).*|\1 -s $SCOREBOARD -c $CONF $*|" \
    -e "s|^}|\tbind = $ADDR\n\tpassenv = ASAN_OPTIONS UBSAN_OPTIONS\n}|" \
    "$BATS_TEST_DIRNAME/../units/corebalance.xinetd" >"$SERVICE"
  printf 'defaults\n{\n}\nincludedir %s\n' "$T/xinetd.d" >"$T/xinetd.conf"
  background "$T/xinetd.log" xinetd -dontfork -f "$T/xinetd.conf" -pidfile "$T/xinetd.pid" -filelog "$T/xinetd.messages"
  GATE_PID=$PID
  until_ok is_listening "$GATE"
}

serves() {
  node a 4001 2 --mode echo
  xinetd_start "$1"
  client -n 20 -c 2 --send 100000 --half-close --expect echo
  farm_is_at_rest
}

@test "xinetd nowait: both directions are byte-exact, and nothing of ours is mixed in" { serves no; }
@test "xinetd wait: both directions are byte-exact" { serves yes; }

# Also more than the 50 in a second that xinetd takes by default.
all_are_served() {
  node a 4001 3 --mode hold:10
  node b 4002 2 --mode hold:10
  xinetd_start "$1"
  client -n 100 --expect line
  farm_is_at_rest
  [ "$(score list -nr -o SERVED | awk '{ n += $1 } END { print n }')" = 100 ]
}

@test "xinetd nowait: 100 clients at once on 5 cores wait, and all are served" { all_are_served no; }
@test "xinetd wait: 100 clients at once on 5 cores wait, and all are served" { all_are_served yes; }

@test "xinetd nowait: a relay that is killed leaves no slot taken" {
  node a 4001 1 --mode echo
  xinetd_start no
  client_start killed --send 60000000 --bytes-slow 100000 --half-close --expect echo
  until_ok busy_is 1
  client_start waiter --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  kill -KILL "$(score slots -nr -o PID)"
  client_wait waiter
  ! client_wait killed || false
  farm_is_at_rest
}

@test "xinetd wait: the listener that has gone idle ends, and the next connection starts one" {
  node a 4001 1 --mode echo
  xinetd_start yes --exit-idle 100ms
  client --send 1000 --half-close --expect echo
  until_ok no_listener
  client --send 1000 --half-close --expect echo
  farm_is_at_rest
}

no_listener() { ! pgrep -P "$GATE_PID" >/dev/null; }

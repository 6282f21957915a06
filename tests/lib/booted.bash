# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2016,SC2034,SC2153,SC2154  # variables are those of the tests and of helpers.bash, or inside
#
# booted.bash: a farm in a booted systemd (see boot), for tests that have loaded helpers.bash before. Nodes and clients
# run inside; the network there is a loopback of its own. A file calls boot_farm in its setup_file, end_farm in its
# teardown_file, and farm_inside in its setup.

# shellcheck source=enter.bash
source "${BASH_SOURCE[0]%/*}/enter.bash"

# Boots the installed programs, with the arguments of `boot start` besides. Where this machine cannot boot, CANNOT says why.
boot_farm() {
  local status=0
  export BOOT=$BATS_FILE_TMPDIR/boot STAGE=$BATS_FILE_TMPDIR/stage CANNOT=''
  if ((EUID != 0)); then
    CANNOT='not root'
    return
  fi
  make -s -C "$BATS_TEST_DIRNAME/.." install DESTDIR="$STAGE" PREFIX=/usr SANITIZE="${SANITIZE-}" \
    >"$BATS_FILE_TMPDIR/install.log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/install.log" && return 1; }
  install -D -t "$STAGE/opt/cbtest" "$BUILD"/tests/cbtest-{node,client} "$BATS_TEST_DIRNAME/lib/in-order"
  "$BATS_TEST_DIRNAME/lib/boot" start "$BOOT" --tree "$STAGE" "$@" 2>"$BATS_FILE_TMPDIR/boot.log" 3>&- ||
    status=$?
  ((status != 77)) || CANNOT=$(<"$BATS_FILE_TMPDIR/boot.log")
  ((status == 0 || status == 77)) || { cat "$BATS_FILE_TMPDIR/boot.log" && return 1; }
}

end_farm() {
  ((EUID != 0)) || "$BATS_TEST_DIRNAME/lib/boot" stop "$BOOT"
}

# An empty farm; CURSOR is where the test begins in the journal.
farm_inside() {
  [[ -z $CANNOT ]] || skip "$CANNOT"
  T=$BATS_TEST_TMPDIR
  PIDS=() BEGAN=()
  ADDR=127.0.0.1 GATE=127.0.0.1:3632
  # An entry that no filter finds: --cursor with a filter begins at this entry or at the next that matches.
  CURSOR=$(inside sh -ec 'rm -rf /run/corebalance/* /var/lib/corebalance/* /run/test; mkdir /run/test
    systemd-cat -t bats echo "$0"; journalctl --sync; journalctl -q -t bats -n 1 -o cat --show-cursor' "$BATS_TEST_DESCRIPTION")
  CURSOR=${CURSOR##*-- cursor: }
}

# What a test that failed shows.
show_inside() {
  inside journalctl -q --no-pager -o short-monotonic --cursor="$CURSOR" | tail -n 60
  inside cbscore list || true
}

inside() { boot_run "$BOOT" "$@"; }

# Options of systemd-run for nodes.
UNIT_OPTIONS=()

# node NAME PORT CORES [cbtest-node option]...: a node inside, as a unit, and its line in the list.
node() { NODE_LINE="127.0.0.1, $2, $3, 0" node_up "$@"; }

# As node, but its line is in the list already.
node_up() {
  local name=$1 port=$2 cores=$3
  shift 3
  inside sh -ec '[ -z "$0" ] || { echo "$0" >>/run/test/nodes.conf; cat /run/test/nodes.conf >/etc/corebalance/nodes.conf; }
    exec systemd-run -q --collect "$@"' "${NODE_LINE-}" "${UNIT_OPTIONS[@]}" --unit="node-$name" \
    /opt/cbtest/cbtest-node --name "$name" --max "$cores" "$@" "127.0.0.1:$port"
  until_ok is_listening "127.0.0.1:$port"
}

# By the tables of the network inside, which are read from outside: that takes no process.
is_listening() {
  local pid port tcp='' tcp6=''
  booted "$BOOT" || return
  printf -v port %04X "${1##*:}"
  { IFS= read -rd '' tcp <"/proc/$pid/net/tcp" || IFS= read -rd '' tcp6 <"/proc/$pid/net/tcp6"; } || true
  [[ $tcp$tcp6 =~ :$port\ 0+:0000\ 0A ]]
}

node_down() { inside systemctl stop "node-$1"; }

# use listener|connection: enables and starts the socket in that form.
use() {
  # What is enabled is read anew, drop-ins included, before it is started.
  [ "$(inside sh -ec 'mkdir -p /run/systemd/system/corebalance.socket.d
    [ "$0" = listener ] || ln -s /usr/share/corebalance/per-connection.conf /run/systemd/system/corebalance.socket.d/
    systemctl -q enable --now corebalance.socket; systemctl is-active corebalance.socket' "$1")" = active ]
}

# Changes a unit's setting for this test.
setting() {
  inside sh -c "mkdir -p /run/systemd/system/$1.d && printf '%s\n' '$2' '$3' '$4' >/run/systemd/system/$1.d/test.conf &&
    systemctl daemon-reload"
}

client() { inside /opt/cbtest/cbtest-client "$@" "$GATE"; }

# client_start NAME [option]...: starts a client in the background; client_wait waits for its end.
client_start() {
  local name=$1
  shift
  # shellcheck disable=SC2016 # for the shell inside
  background "$T/$name.out" enter_boot "$BOOT" bash -c 'echo $$ >"$0"; exec "$@"' \
    "/run/test/$name.pid" /opt/cbtest/cbtest-client "$@" "$GATE"
  # shellcheck disable=SC2153 # set by background
  printf -v "PID_$name" %s "$PID"
}

client_wait() {
  wait "$(eval echo "\$PID_$1")" || {
    cat "$T/$1.out"
    return 1
  }
}

# A flow that is read so slowly that it lasts until client_hurry. What the client has not read fills several buffers on the
# way back, but not those on the way there: where both ways are full, the kernel (Linux 6.18) may drop every
# acknowledgement of the client as beyond the relay's closed window, until the relay takes its machine for vanished.
ENDLESS=(--send 60000000 --ahead 8000000 --bytes-slow 100000 --half-close --expect echo)

client_hurry() { inside sh -c "read -r pid </run/test/$1.pid && kill -USR1 \$pid"; }

# As in helpers.bash, but inside.
score() { inside cbscore "$@"; }

unit_is() { [ "$(inside systemctl is-active "$1")" = "$2" ]; }
main_pid() { inside systemctl show -P MainPID "$1"; }
instances() { inside systemctl list-units -q --plain --no-legend 'corebalance@*.service' | awk '{ print $1 }'; }
instances_are() { [ "$(instances | grep -c .)" = "$1" ]; }
unit_of() { inside ps -o unit= -p "$1"; }

# The journal since the test began, a JSON object on each line, with all entries that were sent by now.
journal() { inside sh -c 'journalctl --sync && exec journalctl -q -o json --cursor="$0" "$@"' "$CURSOR" "$@"; }

at_rest() {
  until_ok everything_is_free
  until_ok instances_are 0
  [ -z "$(journal --grep=VIOLATION)" ]
  [[ $(inside tdbtool /run/corebalance/scoreboard.tdb check) == *'integrity is OK'* ]]
  unit_is corebalance.socket active
}

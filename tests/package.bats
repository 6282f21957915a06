#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# The Debian package: it is built from what is committed, and lives a life in a booted systemd: installed, enabled, used,
# upgraded while it is used, removed, purged.

load lib/helpers
load lib/enter

setup_file() {
  local status=0 top=$BATS_TEST_DIRNAME/..
  export BOOT=$BATS_FILE_TMPDIR/boot CANNOT=''
  if ((EUID != 0)); then CANNOT='not root'; return; fi
  git -C "$top" rev-parse HEAD >/dev/null 2>&1 || { CANNOT='not a git checkout'; return; }
  # It is built from a clone, so that the checkout's build folder is left alone.
  git clone -q "$top" "$BATS_FILE_TMPDIR/source" 2>/dev/null
  mkdir -p "$BATS_FILE_TMPDIR/tree/opt/cbtest"
  # It is not optimized, and nothing is kept for debuggers: most of the time would be the compiler's.
  DEB_BUILD_OPTIONS=noautodbgsym DEB_CFLAGS_APPEND='-O0 -g0 -pipe -Wno-cpp' DEB_CPPFLAGS_APPEND=-DSCORE_FORMAT=99 \
    logged make -s -C "$BATS_FILE_TMPDIR/source" deb VERSION=0.9
  cp "$BATS_FILE_TMPDIR"/source/build/corebalance_0.9_*.deb "$BATS_FILE_TMPDIR/tree/opt/cbtest"
  logged earlier_version
  install -D -t "$BATS_FILE_TMPDIR/tree/opt/cbtest" "$BUILD"/tests/cbtest-{node,client}
  "$BATS_TEST_DIRNAME/lib/boot" start "$BOOT" --tree "$BATS_FILE_TMPDIR/tree" 2>"$BATS_FILE_TMPDIR/boot.log" 3>&- ||
    status=$?
  ((status != 77)) || CANNOT=$(<"$BATS_FILE_TMPDIR/boot.log")
  ((status == 0 || status == 77)) || { cat "$BATS_FILE_TMPDIR/boot.log" && return 1; }
}

# logged COMMAND...: what it says is shown if it fails.
logged() {
  "$@" >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/log" && return 1; }
}

# An earlier version, 0.8, with an earlier format of the scoreboard. It is there to be replaced, so it is the same package
# with other programs: those of the checkout, in which only what shows the version is built anew.
earlier_version() {
  local build=$BATS_FILE_TMPDIR/build root=$BATS_FILE_TMPDIR/earlier
  mkdir "$build" && cp -a "$BUILD"/{relay,scoreboard,libscoreboard.a,version,cbrelay,cbprobe,cbshare,cbscore} "$build" &&
    make -s -C "$BATS_TEST_DIRNAME/.." BUILD="$build" VERSION=0.8 CFLAGS='-O0 -pipe' CPPFLAGS=-Wno-cpp &&
    dpkg-deb -R "$BATS_FILE_TMPDIR"/tree/opt/cbtest/corebalance_0.9_*.deb "$root" &&
    install -s -m 755 -t "$root/usr/sbin" "$build"/{cbrelay,cbprobe,cbshare} && install -s -m 755 -t "$root/usr/bin" "$build/cbscore" &&
    rm "$root/DEBIAN/md5sums" && sed -i 's/^Version: .*/Version: 0.8/' "$root/DEBIAN/control" &&
    dpkg-deb --root-owner-group -Znone -b "$root" "$BATS_FILE_TMPDIR/tree/opt/cbtest/corebalance_0.8_test.deb"
}

teardown_file() { ((EUID != 0)) || "$BATS_TEST_DIRNAME/lib/boot" stop "$BOOT"; }
setup() { [[ -z $CANNOT ]] || skip "$CANNOT"; }
teardown() { :; }

inside() { boot_run "$BOOT" "$@"; }
client_inside() { inside /opt/cbtest/cbtest-client "$@" 127.0.0.1:3632; }
dpkg_inside() { inside env DEBIAN_FRONTEND=noninteractive dpkg "$@"; }

@test "lintian finds nothing in the package" {
  run -0 lintian --allow-root --display-level '>=warning' --fail-on error,warning \
    "$BATS_FILE_TMPDIR"/tree/opt/cbtest/corebalance_0.9_*.deb
  echo "$output"
}

@test "the package is installed, and nothing listens before an administrator enables it" {
  inside sh -c 'dpkg -i /opt/cbtest/corebalance_0.8_*.deb'
  inside id corebalance
  [ "$(inside stat -c '%a %U %G' /run/corebalance)" = '770 corebalance corebalance' ]
  [ "$(inside systemctl is-active corebalance.socket)" != active ]
  [[ $(inside cbscore --version) == *'0.8' ]]
  inside journalctl --list-catalog | grep corebalance
}

@test "the main job, and an upgrade under load: every connection is served, also those that are under way" {
  inside sh -c 'for port in 4001 4002; do
    systemd-run -q --unit node-$port /opt/cbtest/cbtest-node --name n$port --max 2 --mode line 127.0.0.1:$port; done
    printf "127.0.0.1, 4001, 2, 0\n127.0.0.1, 4002, 2, 0\n" >/etc/corebalance/nodes.conf
    systemctl enable --now corebalance.socket corebalance-probe.timer'
  run -0 client_inside -n 8 --line "sleep 300" --expect line
  client_inside -n 120 -c 12 --line "sleep 300" --expect line >"$BATS_TEST_TMPDIR/load" 2>&1 3>&- &
  load=$!
  served() { [ "$(inside cbscore list -nr -o SERVED | awk '{ n += $1 } END { print n }')" -ge "$1" ]; }
  until_ok served 20
  inside sh -c 'dpkg -i /opt/cbtest/corebalance_0.9_*.deb'
  [[ $(inside cbscore --version) == *'0.9' ]]
  wait "$load" || { cat "$BATS_TEST_TMPDIR/load"; false; }
  grep 'ok=120 failed=0' "$BATS_TEST_TMPDIR/load"
  run -0 client_inside -n 8 --line "sleep 300" --expect line
  is_new() { [[ $(inside sh -c 'readlink /proc/$(systemctl show -P MainPID corebalance.service)/exe') == /usr/sbin/cbrelay ]]; }
  until_ok is_new
  nothing_failed
  no_node_was_overfilled
}

# A probe may meet the other version's scoreboard between unpacking and restart.
no_probe_failed() { [ -z "$(inside journalctl -q -u 'corebalance*probe*.service' --grep='Failed with result')" ]; }
nothing_is_failed() { no_probe_failed && [ -z "$(inside systemctl list-units -q --state=failed 'corebalance*')" ]; }
nothing_failed() {
  until_ok nothing_is_failed && return
  inside systemctl list-units -q --state=failed
  inside journalctl -q --no-pager -n 60 -u 'corebalance*'
  return 1
}

no_node_was_overfilled() { [ -z "$(inside journalctl -q --grep=VIOLATION)" ]; }
count_is() { [ "$(inside cbscore "$1" -n | grep -c .)" = "$2" ]; }

# four_and_waiters FILE: four connections that last until the file exists, and three that wait; their pid is in LONG.
four_and_waiters() {
  client_inside -n 7 -c 7 --line "until $1" --expect line >"$BATS_TEST_TMPDIR/long" 2>&1 3>&- &
  LONG=$!
  until_ok count_is slots 4
  until_ok count_is queue 3
}

# The four that have a slot end; the three that wait are served. $1 is the version that is installed, $2 the former one.
only_slots_are_ended() {
  run -0 inside sh -c "dpkg -i /opt/cbtest/corebalance_$1_*.deb"
  echo "$output"
  [[ $output == *"/run/corebalance/scoreboard.tdb is of version $2, which this version does not read: the connections that have a slot are ended"* ]]
  [[ $(inside cbscore --version) == *"$1" ]]
  inside touch /run/go
  ! wait "$LONG" || false
  grep 'ok=3 failed=4' "$BATS_TEST_TMPDIR/long"
  inside rm /run/go
  run -0 client_inside -n 8 --line "sleep 10" --expect line
  nothing_failed
  no_node_was_overfilled
}

@test "the way back: the earlier version says which connections it ends, and serves the waiters" {
  four_and_waiters /run/go
  only_slots_are_ended 0.8 0.9
}

@test "an upgrade from a version that is too old says which connections it ends, and serves the waiters" {
  four_and_waiters /run/go
  # The format number stands behind the magic.
  inside python3 -c '
data = bytearray(open("/run/corebalance/scoreboard.tdb", "rb").read())
data[data.index(b"versioncorebalance") + len("version") + 16] = 1
open("/run/corebalance/scoreboard.tdb", "r+b").write(data)'
  only_slots_are_ended 0.9 0.8
  run -0 inside sh -c 'dpkg -i /opt/cbtest/corebalance_0.8_*.deb'
}

@test "an upgrade while connections last and wait: no connection is cut, no place is lost" {
  four_and_waiters /run/go
  inside cbscore queue -nr -o TICKET >"$BATS_TEST_TMPDIR/tickets"
  inside sh -c 'dpkg -i /opt/cbtest/corebalance_0.9_*.deb'
  [[ $(inside cbscore --version) == *'0.9' ]]
  until_ok count_is queue 3
  inside cbscore queue -nr -o TICKET | diff "$BATS_TEST_TMPDIR/tickets" -
  count_is slots 4
  inside touch /run/go
  wait "$LONG" || { cat "$BATS_TEST_TMPDIR/long"; false; }
  grep 'ok=7 failed=0' "$BATS_TEST_TMPDIR/long"
  nothing_failed
  no_node_was_overfilled
}

@test "removed, nothing is left but the node list; purged, nothing at all but the user" {
  dpkg_inside --remove corebalance
  inside test -e /etc/corebalance/nodes.conf
  nothing_runs() { ! inside pgrep -x 'cbrelay|cbprobe'; }
  until_ok nothing_runs
  # What was enabled is remembered until the purge, as by every Debian package.
  nothing_listed() { [ -z "$(inside systemctl list-units -q --type=service,socket,timer "$@" 'corebalance*')" ]; }
  until_ok nothing_listed || { inside systemctl list-units 'corebalance*'; false; }
  dpkg_inside --purge corebalance
  until_ok nothing_listed --all || { inside systemctl list-units --all 'corebalance*'; false; }
  run -0 inside sh -c 'find /etc /usr /lib /var/lib /run -xdev -name "*corebalance*" -not -path "/var/lib/systemd/*" -not -path "/usr/src/*" 2>/dev/null'
  [ -z "$(grep -v '^/run/systemd/' <<<"$output")" ]
}

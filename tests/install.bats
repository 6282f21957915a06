#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

TOP=$BATS_TEST_DIRNAME/..

# What `make install` puts into an empty folder; tests read it.
setup_file() {
  export INSTALLED=$BATS_FILE_TMPDIR/root
  install_to "$INSTALLED" PREFIX=/usr 3>&-
}

install_to() { make -s -C "$TOP" install BUILD="$BUILD" DESTDIR="$1" "${@:2}" >/dev/null; }

@test "make install puts everything where Debian and Fedora expect it" {
  (cd "$INSTALLED" && find . -type f | sort) >"$T/files"
  diff - "$T/files" <<'EOF'
./etc/corebalance/nodes.conf
./usr/bin/cbscore
./usr/lib/systemd/catalog/corebalance.catalog
./usr/lib/systemd/system/corebalance-.service.d/10-sandbox.conf
./usr/lib/systemd/system/corebalance-agent.socket
./usr/lib/systemd/system/corebalance-agent@.service
./usr/lib/systemd/system/corebalance-allow.service
./usr/lib/systemd/system/corebalance-allow.timer
./usr/lib/systemd/system/corebalance-farm-allow@.service
./usr/lib/systemd/system/corebalance-farm-allow@.timer
./usr/lib/systemd/system/corebalance-farm-probe@.service
./usr/lib/systemd/system/corebalance-farm-probe@.timer
./usr/lib/systemd/system/corebalance-farm-scoreboard@.service
./usr/lib/systemd/system/corebalance-farm-share@.service
./usr/lib/systemd/system/corebalance-farm-status@.service
./usr/lib/systemd/system/corebalance-farm-status@.socket
./usr/lib/systemd/system/corebalance-farm@.service
./usr/lib/systemd/system/corebalance-farm@.socket
./usr/lib/systemd/system/corebalance-probe.service
./usr/lib/systemd/system/corebalance-probe.timer
./usr/lib/systemd/system/corebalance-probed.service
./usr/lib/systemd/system/corebalance-scoreboard.service
./usr/lib/systemd/system/corebalance-share.service
./usr/lib/systemd/system/corebalance-status.service
./usr/lib/systemd/system/corebalance-status.socket
./usr/lib/systemd/system/corebalance.service
./usr/lib/systemd/system/corebalance.service.d/10-sandbox.conf
./usr/lib/systemd/system/corebalance.socket
./usr/lib/systemd/system/corebalance@.service
./usr/lib/systemd/system/corebalance@.service.d/10-sandbox.conf
./usr/lib/sysusers.d/corebalance.conf
./usr/lib/tmpfiles.d/corebalance.conf
./usr/sbin/cbprobe
./usr/sbin/cbrelay
./usr/sbin/cbshare
./usr/share/bash-completion/completions/cbprobe
./usr/share/bash-completion/completions/cbrelay
./usr/share/bash-completion/completions/cbscore
./usr/share/bash-completion/completions/cbshare
./usr/share/corebalance/per-connection.conf
./usr/share/doc/corebalance/COPYING
./usr/share/doc/corebalance/README
./usr/share/doc/corebalance/examples/corebalance-alerts.yml
./usr/share/doc/corebalance/examples/corebalance-dashboard.json
./usr/share/doc/corebalance/examples/corebalance.xinetd
./usr/share/doc/corebalance/examples/inetd.conf
./usr/share/doc/corebalance/examples/nodes.conf
./usr/share/doc/corebalance/examples/notify-ipvs
./usr/share/man/man1/cbscore.1
./usr/share/man/man5/corebalance-nodes.5
./usr/share/man/man5/corebalance-scoreboard.5
./usr/share/man/man7/corebalance.7
./usr/share/man/man8/cbprobe.8
./usr/share/man/man8/cbrelay.8
./usr/share/man/man8/cbshare.8
EOF
}

@test "another PREFIX is followed, units included; a node list that is there is kept" {
  mkdir -p "$T/root/etc/corebalance"
  echo mine >"$T/root/etc/corebalance/nodes.conf"
  install_to "$T/root" PREFIX=/opt/cb
  [ "$(cat "$T/root/etc/corebalance/nodes.conf")" = mine ]
  grep -q '^ExecStart=/opt/cb/sbin/cbrelay' "$T/root/opt/cb/lib/systemd/system/corebalance.service"
  run ! grep -r '/usr/sbin/cb' "$T/root/opt/cb/lib/systemd/system"
  # Also the examples that are meant to be copied.
  run ! grep -r -e '/usr/sbin/cb' -e '/usr/share/cor' "$T/root/opt/cb/share/corebalance" "$T/root/opt/cb/share/doc/corebalance/examples"
  grep -q 'server .*= /opt/cb/sbin/cbrelay$' "$T/root/opt/cb/share/doc/corebalance/examples/corebalance.xinetd"
}

@test "make uninstall takes all of it away, but the node list" {
  install_to "$T/root"
  echo other >"$T/root/usr/bin/other"
  make -s -C "$TOP" uninstall DESTDIR="$T/root"
  (cd "$T/root" && find . -type f | sort) | diff - <(printf '%s\n' ./etc/corebalance/nodes.conf ./usr/bin/other)
  [ ! -e "$T/root/usr/share/corebalance" ]
  # A second uninstall, and an uninstall where nothing was ever installed, have nothing to do.
  make -s -C "$TOP" uninstall DESTDIR="$T/root"
  make -s -C "$TOP" uninstall DESTDIR="$T/empty"
}

@test "another version is built into what shows it, and into nothing else" {
  cp -a "$BUILD" "$T/build"
  again() { make -C "$TOP" BUILD="$T/build" VERSION=9.8 "$@" 2>&1 | grep -oE '(CC|LINK|AR) .*' | sort; }
  run again
  [[ $output == *CC* ]]
  [ "$(grep -c CC <<<"$output")" = "$(cd "$TOP" && grep -lwr --include='*.c' VERSION relay scoreboard | wc -l)" ]
  for program in cbrelay cbscore cbprobe cbshare; do
    [ "$("$T/build/$program" --version)" = "$program (corebalance) 9.8" ]
  done
  run again
  [ -z "$output" ]
}

@test "make dist makes the same bytes for every user" {
  git -C "$TOP" rev-parse --git-dir >/dev/null 2>&1 || skip "not a checkout of git"
  git clone -q "$TOP" "$T/one"
  (umask 077 && git clone -q "$TOP" "$T/two")
  git -C "$T/two" config tar.umask 0077
  git -C "$T/two" config core.autocrlf true
  make -s -C "$T/one" dist
  local second=$EPOCHSECONDS
  until_ok eval '((EPOCHSECONDS > second))'
  (umask 077 && TZ=Asia/Tokyo make -s -C "$T/two" dist)
  cmp "$T"/*/build/corebalance-"$VERSION".tar.gz
  # The archive is complete, and the build works from it.
  tar -C "$T" -xzf "$T/one/build/corebalance-$VERSION.tar.gz"
  diff <(cd "$T/one" && git ls-files) <(cd "$T/corebalance-$VERSION" && find . -type f | sed 's,^\./,,' | LC_ALL=C sort)
  make -n -C "$T/corebalance-$VERSION" >/dev/null
}

@test "the example node list is a valid one" {
  run -0 score validate "$TOP/units/nodes.conf"
}

# units_of ROOT [TYPE]: sets UNITS to the units that are installed there, of a template an instance.
units_of() {
  local unit
  UNITS=()
  for unit in "$1"/usr/lib/systemd/system/corebalance*"${2-}"; do
    case $unit in *.d) continue ;; *@.*) unit=${unit%@.*}@1.${unit##*.} ;; esac
    UNITS+=("${unit##*/}")
  done
  [ ${#UNITS[@]} -gt 0 ]
}

@test "systemd-analyze verify finds nothing in the units" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  cp -a "$INSTALLED" "$T/root"
  mkdir -p "$T/root/usr/lib/systemd/system" "$T/root/bin"
  cp /bin/kill /bin/sh "$T/root/bin/"
  cp /lib/systemd/system/{sysinit,basic,sockets,timers,multi-user,shutdown,network,network-online}.target \
    "$T/root/usr/lib/systemd/system/" 2>/dev/null || true
  units_of "$T/root"
  run systemd-analyze --root="$T/root" --man=no verify "${UNITS[@]}"
  run ! grep -i corebalance <<<"$output"
}

@test "every service is hardened: systemd-analyze security at most 1.5" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  units_of "$INSTALLED" .service
  # It fails if it fails for any of them.
  run -0 systemd-analyze security --root="$INSTALLED" --offline=true --threshold=15 --no-pager "${UNITS[@]}"
  [ "$(grep -c 'Overall exposure' <<<"$output")" = ${#UNITS[@]} ]
}

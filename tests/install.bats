#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

TOP=$BATS_TEST_DIRNAME/..

install_to() { make -s -C "$TOP" install BUILD="$BUILD" DESTDIR="$1" "${@:2}" >/dev/null; }

@test "make install puts everything where Debian and Fedora expect it" {
  install_to "$T/root" PREFIX=/usr
  (cd "$T/root" && find . -type f | sort) >"$T/files"
  diff - "$T/files" <<'EOF'
./etc/corebalance/nodes.conf
./usr/bin/cbscore
./usr/lib/systemd/catalog/corebalance.catalog
./usr/lib/systemd/system/corebalance-probe.service
./usr/lib/systemd/system/corebalance-probe.timer
./usr/lib/systemd/system/corebalance-prober.service
./usr/lib/systemd/system/corebalance.service
./usr/lib/systemd/system/corebalance.socket
./usr/lib/systemd/system/corebalance@.service
./usr/lib/sysusers.d/corebalance.conf
./usr/lib/tmpfiles.d/corebalance.conf
./usr/sbin/cbprobe
./usr/sbin/cbrelay
./usr/share/bash-completion/completions/cbprobe
./usr/share/bash-completion/completions/cbrelay
./usr/share/bash-completion/completions/cbscore
./usr/share/corebalance/per-connection.conf
./usr/share/doc/corebalance/COPYING
./usr/share/doc/corebalance/README
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
EOF
}

@test "another PREFIX is followed, units included; a node list that is there is kept" {
  mkdir -p "$T/root/etc/corebalance"
  echo mine >"$T/root/etc/corebalance/nodes.conf"
  install_to "$T/root" PREFIX=/opt/cb
  [ "$(cat "$T/root/etc/corebalance/nodes.conf")" = mine ]
  grep -q '^ExecStart=/opt/cb/sbin/cbrelay' "$T/root/opt/cb/lib/systemd/system/corebalance.service"
  run ! grep -r '/usr/sbin/cb' "$T/root/opt/cb/lib/systemd/system"
  # What is to be copied from the examples, too.
  run ! grep -r -e '/usr/sbin/cb' -e '/usr/share/cor' "$T/root/opt/cb/share/corebalance" "$T/root/opt/cb/share/doc/corebalance/examples"
  grep -q 'server .*= /opt/cb/sbin/cbrelay$' "$T/root/opt/cb/share/doc/corebalance/examples/corebalance.xinetd"
}

@test "the example node list is a valid one" {
  run -0 score validate "$TOP/units/nodes.conf"
}

@test "systemd-analyze verify finds nothing in the units" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  install_to "$T/root" PREFIX=/usr
  mkdir -p "$T/root/usr/lib/systemd/system" "$T/root/bin"
  cp /bin/kill "$T/root/bin/"
  cp /lib/systemd/system/{sysinit,basic,sockets,timers,multi-user,shutdown,network,network-online}.target \
    "$T/root/usr/lib/systemd/system/" 2>/dev/null || true
  for unit in "$T"/root/usr/lib/systemd/system/corebalance*; do
    case $unit in *@.service) unit=${unit%@.service}@1.service ;; esac
    run systemd-analyze --root="$T/root" --man=no verify "${unit##*/}"
    grep -i corebalance <<<"$output" && return 1
  done
  true
}

@test "every service is hardened: systemd-analyze security at most 1.5" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  for unit in "$TOP"/units/*.service; do
    run systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
    tail -n 1 <<<"$output"
    [ "$status" = 0 ]
  done
}

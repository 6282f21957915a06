#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# What the README and the EXAMPLES of the manual pages tell people to type runs as it is printed, in a booted systemd
# (see lib/boot), beside a farm of machines with the names used there. tests/fresh runs the README's first lines.

load lib/helpers
load lib/enter

TOP=$BATS_TEST_DIRNAME/..

setup_file() {
  local status=0 name n=20 stage=$BATS_FILE_TMPDIR/stage
  export BOOT=$BATS_FILE_TMPDIR/boot CANNOT=''
  if ((EUID != 0)); then
    CANNOT='not root'
    return
  fi
  # All machines that are named anywhere. 10.0.0.1 is this machine, the gateway; the others are beyond a link.
  mkdir -p "$stage/etc" "$stage/usr/local/bin"
  printf '127.0.0.1 localhost\n::1 localhost\n10.0.0.1 gateway gateway.farm\n' >"$stage/etc/hosts"
  for name in $(cat "$TOP/README" "$TOP"/man/* | grep -ohE '\b[a-z]+[0-9]*\.farm\b|\brunner[0-9]+\b' | grep -v '^gateway' | sort -u); do
    printf '10.0.0.%d %s\n' $((n++)) "$name" >>"$stage/etc/hosts"
  done
  printf '#!/bin/sh\necho "on $*"\n' >"$stage/usr/local/bin/ssh"
  chmod 755 "$stage/usr/local/bin/ssh"
  "$BATS_TEST_DIRNAME/lib/boot" start "$BOOT" --tree "$stage" 2>"$BATS_FILE_TMPDIR/boot.log" 3>&- || status=$?
  ((status != 77)) || CANNOT=$(<"$BATS_FILE_TMPDIR/boot.log")
  ((status == 0 || status == 77)) || { cat "$BATS_FILE_TMPDIR/boot.log" && return 1; }
  [[ -z $CANNOT ]] || return 0
  farm_begin
}

teardown_file() {
  ((EUID != 0)) || "$BATS_TEST_DIRNAME/lib/boot" stop "$BOOT"
}

setup() {
  [[ -z $CANNOT ]] || skip "$CANNOT"
  T=$BATS_TEST_TMPDIR PIDS=() FOLDERS=() BEGAN=()
  in_service
}

teardown() {
  [[ -n $CANNOT ]] || inside systemctl stop example 2>/dev/null || true
  if [[ -z $CANNOT && -z $BATS_TEST_COMPLETED ]]; then
    inside journalctl -q --no-pager -n 10
  fi
  commands_were_found
}

inside() { boot_run "$BOOT" "$@"; }

# The machines of the farm: one distccd answers for all of them, in a network of its own at the other end of a link.
farm_begin() {
  # shellcheck disable=SC2016 # for the shell inside
  inside bash -ec '
    systemd-run -q --unit=farm unshare --net sleep infinity
    until [ "$(systemctl show -P MainPID farm)" != 0 ]; do sleep 0.02; done
    pid=$(systemctl show -P MainPID farm)
    until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
    ip link add gate type veth peer name gate netns "$pid"
    ip address add 10.0.0.1/24 dev gate
    ip address add 2001:db8::1/64 dev gate nodad
    ip link set gate up
    beyond() { nsenter --net=/proc/$pid/ns/net "$@"; }
    for last in 7 $(sed -n "s/^10\.0\.0\.\([2-9][0-9]\) .*/\1/p" /etc/hosts); do
      beyond ip address add "10.0.0.$last/24" dev gate
    done
    beyond ip address add 2001:db8::7/64 dev gate nodad
    beyond ip link set gate up
    beyond ip link set lo up
    type -P gcc "$(gcc -dumpmachine)-gcc" >/etc/compilers || true
    systemd-run -q --unit=farm-distccd -p NetworkNamespacePath=/proc/$pid/ns/net \
      -E DISTCC_CMDLIST=/etc/compilers -E DISTCC_CMDLIST_NUMWORDS=1 \
      distccd --daemon --no-detach --log-stderr --jobs 100 --allow 10.0.0.0/24
    until nsenter --net=/proc/$pid/ns/net ss -Hltn "sport = :3632" | grep -q .; do sleep 0.02; done
  ' 3>&-
}

# ---- what is printed ----

# The paragraphs of the README's section that a reader types: the indented ones, and the paragraph with a here-document,
# which is not indented. paragraph WORDS: the paragraph that begins so.
readme_paragraphs() {
  sed -n '/^Put a farm into service/,/^What is where/p' "$TOP/README" |
    awk 'BEGIN { RS = ""; ORS = "\n\n" } /^(    |make install)/'
}
paragraph() { readme_paragraphs | awk -v words="$1" 'BEGIN { RS = "" } index($0, words) == 1' | sed 's/^    //'; }

# blocks PAGE FOLDER: the blocks apart from prose in the EXAMPLES of a page, a file each, as a reader sees them.
blocks() {
  mandoc -T ascii -O width=300 "$1" | col -bx | sed -n '/^EXAMPLES/,/^[A-Z]/p' |
    awk -v folder="$2" '
      /^           / { sub(/^           /, ""); while (empty > 0) { print "" >file; empty-- } if (!open) { open = 1; file = sprintf("%s/%02d", folder, ++n) } print >file; next }
      /^ *$/ { if (open) empty++; next }
      { open = 0; empty = 0 }'
}

# typed FILE: makes a script of a transcript. Text behind a prompt is a command; lines behind `systemctl edit` are typed
# into the editor, other lines are answers of a command. A block without a prompt is already a script.
typed() {
  if ! grep -qE '^[#$] [a-z./]+ ' "$1" || grep -q '^cat >' "$1"; then
    cat "$1"
    return
  fi
  awk '
    function end_text() { if (editing) print "END_OF_TEXT\nscript -qec \"" editing "\" /dev/null"; editing = "" }
    continues { print; continues = /\\$/; next }
    /^[#$] / {
      end_text()
      sub(/^[#$] /, "")
      if (/^systemctl edit /) { editing = $0; print "cat >/root/example/text <<\"END_OF_TEXT\"" } else { print; continues = /\\$/ }
      next
    }
    editing { print }
    END { end_text() }' "$1"
}

# run_script FILE: runs it as root types it, in a folder with the files that it names, and with the PATH of a login on Debian:
# that of the tests may be another, and find a real ssh. Every command must succeed; only a grep may find nothing.
run_script() {
  {
    # shellcheck disable=SC2016 # for the shell inside
    echo 'set -o pipefail; trap '\''[[ $? = 1 && $(sed -n "${LINENO}p" script) == *"| grep "* ]] || exit 1'\'' ERR'
    cat "$1"
    echo :
  } | inside sh -c 'cd /root/example && cat >script &&
    exec env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin timeout 300 bash script'
}

# stays FILE: its command runs until it is stopped. It has begun when it says something, or has the scoreboard open.
stays() {
  inside sh -c 'cat >/root/example/script' <"$1"
  inside systemd-run -q --collect --unit=example --working-directory=/root/example -p StandardOutput=truncate:/root/example/said bash -e script
  # shellcheck disable=SC2016 # for the shell inside
  has_begun() {
    inside sh -c '[ -s /root/example/said ] || for pid in $(cat /sys/fs/cgroup/system.slice/example.service/cgroup.procs); do
      ls -l "/proc/$pid/fd"; done | grep -q "scoreboard\.tdb"'
  }
  until_ok has_begun
  inside systemctl stop example
}

# serves_at FILE PORT: a relay that stays, on a machine where nothing else has the port.
serves_at() {
  inside systemctl stop corebalance.socket corebalance.service
  inside sh -c 'cat >/root/example/script' <"$1"
  inside systemd-run -q --collect --unit=example --working-directory=/root/example bash -e script
  port=$2
  port_is_open() { inside ss -Hltn "sport = :$port" | grep -q .; }
  until_ok port_is_open
  compiles "localhost:$2"
  inside systemctl stop example
  inside systemctl start corebalance.socket
}

# A file is compiled through a port of the gateway, and not here.
compiles() {
  inside env DISTCC_HOSTS="$1/20" DISTCC_FALLBACK=0 DISTCC_DIR=/root/example/.distcc bash -ec 'cd /root/example && rm -rf .distcc && mkdir .distcc && distcc gcc -c one.c'
}

# in_service: brings the machine to the state in which the README leaves it.
in_service() {
  # shellcheck disable=SC2016 # for the shell inside
  inside bash -ec '
    rm -rf /root/example /etc/systemd/system/corebalance*.d
    mkdir -p /root/example/.distcc
    cd /root/example
    echo "int one(void) { return 1; }" >one.c
    printf "all:\n\t\$(CC) -c one.c\n" >Makefile
    echo "10.0.0.1 - - [28/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5" >access.log.1
    printf "#!/bin/sh\ncat /root/example/text >\"\$1\"\n" >/usr/local/bin/editor
    chmod 755 /usr/local/bin/editor
    [ -e /usr/bin/cbscore ] || exit 0
    systemctl daemon-reload
    systemctl stop corebalance.socket corebalance.service corebalance-probe.timer
    printf "fast1.farm, 3632, 16, 0, speed=2.5\nold1.farm, 3632, 4, 0\n" >/etc/corebalance/nodes.conf
    cp /etc/corebalance/nodes.conf .
    rm -f /run/corebalance/*
    systemctl start corebalance.socket corebalance-probe.timer
    DISTCC_DIR=/root/example/.distcc DISTCC_HOSTS=localhost:3632/20 DISTCC_FALLBACK=0 distcc gcc -c one.c
    cbscore up fast1.farm >/dev/null || true
    install -D -t /usr/local/sbin /usr/share/doc/corebalance/examples/notify-ipvs'
}

# example FILE: tests a block of a page, according to its kind.
example() {
  local first user program wait accept
  read -r first <"$1"
  typed "$1" >"$T/script"
  case $first in
  '# host'* | *[a-z0-9]', '*[0-9]','*[0-9]','*[0-9]*) # lines of a node list
    inside mkdir -p /etc/ssl
    inside cp -n /etc/ssl/openssl.cnf /etc/ssl/farm.pem
    inside sh -c 'cat >/root/example/list && cbscore validate /root/example/list' <"$1"
    ;;
  'expect "'* | 'send "'*) # a chat
    inside sh -c 'cat >/root/example/chat && echo "fast1.farm, 3632, 1, 0, check=chat:/root/example/chat" >/root/example/list &&
      cbscore validate /root/example/list' <"$1"
    ;;
  '* * * '*) # a line of /etc/crontab
    read -r _ _ _ _ _ user first <<<"$first"
    inside setpriv --reuid="$user" --regid="$user" --init-groups bash -c "$first"
    ;;
  'distcc stream tcp '*) # a line of inetd.conf
    inside systemctl stop corebalance.socket corebalance.service
    read -r _ _ _ wait user program _ first <<<"$first"
    accept=(--accept)
    [[ $wait != wait ]] || accept=()
    # shellcheck disable=SC2086 # words
    inside systemd-run -q --collect --unit=example --uid="$user" systemd-socket-activate "${accept[@]}" --inetd -l 3632 "$program" $first
    port=3632
    port_is_open() { inside ss -Hltn "sport = :$port" | grep -q .; }
    until_ok port_is_open
    compiles localhost:3632
    inside systemctl stop example
    ;;
  'cbrelay '*)
    serves_at "$T/script" "$(grep -oE '\b[0-9]{4}\b' <<<"$first" | head -n 1)"
    ;;
  *)
    if grep -qE '^(cbprobe --interval|cbscore (serve|top|(list|slots|queue) .*-w )|journalctl -f)' "$T/script"; then
      stays "$T/script"
    else
      run_script "$T/script"
    fi
    ;;
  esac
}

examples_of() {
  local file
  mkdir "$T/blocks"
  blocks "$TOP/man/$1" "$T/blocks"
  [ -e "$T/blocks/01" ]
  for file in "$T"/blocks/*; do
    echo "== ${file##*/}: $(head -n 1 "$file")"
    in_service
    example "$file"
  done
}

# ---- the README ----

@test "README: a farm is put into service by the lines as they are printed" {
  local status
  { printf 'cd %q\n' "$(realpath "$TOP")"; [ -z "${SANITIZE-}" ] || echo "export SANITIZE=$SANITIZE"; paragraph "make install"; } >"$T/script"
  grep -q '^EOF$' "$T/script"
  run -0 run_script "$T/script"
  echo "$output"
  [[ $output == *fast1.farm:3632* && $output == *old1.farm:3632* ]]
  inside cbscore list -n -r -o NODE,CORES,SPEED | sort | diff - <(printf '%s\n' 'fast1.farm:3632 16 2.5' 'old1.farm:3632 4 1')
  inside journalctl --dump-catalog "$(grep -m 1 -oE '[0-9a-f]{32}' "$TOP/units/corebalance.catalog")" | grep -q 'Defined-By: corebalance'
  compiles gateway:3632
}

@test "README: a gateway that is a node, too, has the farm at another port" {
  paragraph "    systemctl stop corebalance.service corebalance.socket
    mkdir" >"$T/script"
  [ -s "$T/script" ]
  run -0 run_script "$T/script"
  compiles gateway:3633
  inside systemctl stop corebalance.service corebalance.socket
  inside rm /etc/systemd/system/corebalance.socket.d/port.conf
  inside systemctl daemon-reload
  inside systemctl start corebalance.socket
}

@test "README: each connection becomes a unit of its own" {
  paragraph "    mkdir -p /etc/systemd/system/corebalance.socket.d" >"$T/script"
  [ -s "$T/script" ]
  run -0 run_script "$T/script"
  [ "$(inside systemctl show -P Accept corebalance.socket)" = yes ]
  # A first connection may still reach the listener, which empties its socket before it ends.
  has_unit() { compiles gateway:3632 && [ "$(inside systemctl show -P NAccepted corebalance.socket)" -ge 1 ]; }
  until_ok has_unit
  inside rm -r /etc/systemd/system/corebalance.socket.d
  inside systemctl daemon-reload
  inside systemctl stop corebalance.socket
  inside systemctl start corebalance.socket
}

@test "README: a farm without systemd, and there is nothing else to type" {
  paragraph "    cbrelay 3632" >"$T/script"
  serves_at "$T/script" 3632
  readme_paragraphs | awk 'BEGIN { RS = "" } { print substr($0, 1, 20) }' | grep -E '^( {4}[^ ]|make)' | sort |
    diff - <(printf '    %s\n' 'cbrelay 3632 fas' 'mkdir -p /etc/sy' 'systemctl stop c' && echo 'make install        ')
}

# ---- the manual pages ----

@test "corebalance(7): the examples" { examples_of corebalance.7; }
@test "cbscore(1): the examples" { examples_of cbscore.1; }
@test "cbrelay(8): the examples" { examples_of cbrelay.8; }
@test "cbprobe(8): the examples" { examples_of cbprobe.8; }
@test "corebalance-nodes(5): the examples" { examples_of corebalance-nodes.5; }
@test "corebalance-scoreboard(5): the examples" { examples_of corebalance-scoreboard.5; }

@test "no page with examples was forgotten" {
  diff <(cd "$TOP/man" && grep -l '^\.Sh EXAMPLES' ./*.[1-8] | sed 's,^\./,,' | sort) \
    <(sed -n 's/.*{ examples_of \([^ ]*\); }$/\1/p' "$BATS_TEST_FILENAME" | sort)
}

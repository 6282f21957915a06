#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# The RECIPES of corebalance(7), run as they are printed. Three machines are booted (see lib/boot): the gateway, 10.0.0.1;
# the client, 10.0.0.2; and one that has the addresses of all nodes. A bridge connects them. The first line of a block
# says on which machine it runs. A test plays the blocks of its recipe, all of them and in order, and then looks whether
# the farm does what the recipe says.

load lib/helpers
load lib/enter

TOP=$BATS_TEST_DIRNAME/..

setup_file() {
  local machine name n=20 status=0 stage=$BATS_FILE_TMPDIR/stage
  export CANNOT=''
  if ((EUID != 0)); then
    CANNOT='not root'
    return
  fi
  make -s -C "$TOP" install DESTDIR="$stage" PREFIX=/usr SANITIZE="${SANITIZE-}" >"$BATS_FILE_TMPDIR/install.log" 2>&1 3>&- ||
    { cat "$BATS_FILE_TMPDIR/install.log" && return 1; }
  install -D -t "$stage/opt/cbtest" "$BUILD"/tests/cbtest-{node,client}
  install -D "$BATS_TEST_DIRNAME/lib/llama-server" "$stage/usr/local/bin/llama-server"
  install -D -m 644 <(echo 'u developer - - /home/developer /bin/bash') "$stage/usr/lib/sysusers.d/developer.conf"
  # gateway2 is a machine on which nothing runs.
  printf '%s\n' '127.0.0.1 localhost' '10.0.0.1 gateway.farm' '10.0.0.3 gateway2.farm' >"$stage/etc/hosts"
  for name in $(recipe_blocks | grep -ohE '\b[a-z]+[0-9]*\.farm\b' | grep -v '^gateway' | sort -u); do
    printf '10.0.0.%d %s\n' $((n++)) "$name" >>"$stage/etc/hosts"
  done
  for machine in gateway client node; do
    "$BATS_TEST_DIRNAME/lib/boot" start "$BATS_FILE_TMPDIR/$machine" --tree "$stage" 2>"$BATS_FILE_TMPDIR/boot.log" 3>&- || status=$?
    ((status != 77)) || CANNOT=$(<"$BATS_FILE_TMPDIR/boot.log")
    ((status == 0 || status == 77)) || { cat "$BATS_FILE_TMPDIR/boot.log" && return 1; }
    [[ -z $CANNOT ]] || return 0
  done
  connect_machines 3>&-
}

teardown_file() {
  local machine
  ((EUID == 0)) || return 0
  for machine in gateway client node; do
    "$BATS_TEST_DIRNAME/lib/boot" stop "$BATS_FILE_TMPDIR/$machine"
  done
}

on() { boot_run "$BATS_FILE_TMPDIR/$1" "${@:2}"; }

connect_machines() {
  local machine pid address
  pid=$(<"$BATS_FILE_TMPDIR/gateway/pid")
  on gateway bash -ec 'ip link add farm type bridge; ip address add 10.0.0.1/24 dev farm; ip link set farm up'
  for machine in client node; do
    # Outside of the machines a process has one number for all of them.
    nsenter --net="/proc/$pid/ns/net" ip link add "to-$machine" type veth peer name uplink netns "$(<"$BATS_FILE_TMPDIR/$machine/pid")"
    on gateway ip link set "to-$machine" master farm up
    on "$machine" ip link set uplink up
  done
  on client ip address add 10.0.0.2/24 dev uplink
  for address in $(on node sed -n 's/^\(10\.0\.0\.[2-9][0-9]\) .*/\1/p' /etc/hosts); do
    on node ip address add "$address/24" dev uplink
  done
  on node update-distcc-symlinks
  for machine in client node; do
    # shellcheck disable=SC2016 # for the shell inside
    on "$machine" bash -ec 'install -d -o developer -g developer /home/developer{,/.ssh}
      printf "SOURCES := one two three four five six\nall: \$(SOURCES:%%=%%.o)\ntest:\n\t@echo tested on the runner\n" >/home/developer/Makefile
      for name in one two three four five six; do echo "int $name(void) { return 1; }" >/home/developer/$name.c; done
      usermod -p "*" developer # not locked
      [ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key'
  done
  on client setpriv --reuid=developer --regid=developer --clear-groups ssh-keygen -q -t ed25519 -N '' -f /home/developer/.ssh/id_ed25519
  on client cat /home/developer/.ssh/id_ed25519.pub | on node sh -c 'cat >/home/developer/.ssh/authorized_keys'
}

setup() {
  [[ -z $CANNOT ]] || skip "$CANNOT"
  T=$BATS_TEST_TMPDIR
  PIDS=() BEGAN=()
}

teardown() {
  local machine
  [[ -z $CANNOT ]] || return 0
  for machine in gateway client node; do
    if [[ -z $BATS_TEST_COMPLETED ]]; then
      echo "== $machine"
      on "$machine" journalctl -q --no-pager -b -n 15
    fi
    # shellcheck disable=SC2016 # for the shell inside
    on "$machine" bash -c 'systemctl stop "corebalance*.socket" "corebalance*.timer" "recipe-*" haproxy stunnel@farm
      systemctl kill -s KILL "corebalance*.service"; systemctl stop "corebalance*.service"; systemctl reset-failed
      systemctl disable $(systemctl list-unit-files -q --state=enabled "corebalance*" | cut -d" " -f1)
      rm -rf /etc/systemd/system/corebalance*.d /run/systemd/system/corebalance* /etc/corebalance/* /run/corebalance/* /var/lib/corebalance/*
      systemctl daemon-reload; nft flush ruleset; rm -f /run/go' >/dev/null 2>&1
  done
  end_started
  commands_were_found
}

# ---- what is printed ----

# The section as a reader sees it: a title is indented by 3, a line of a block by 11.
recipe_blocks() {
  mandoc -T ascii -O width=300 "$TOP/man/corebalance.7" | col -bx | sed -n '/^RECIPES/,/^[A-Z]/p'
}

titles() { recipe_blocks | sed -n 's/^   \([^ ].*\)/\1/p'; }

# recipe TITLE: cuts its blocks out, a file each: $T/1 and so on. BLOCKS is how many, PLAYED how many have run.
recipe() {
  recipe_blocks | awk -v title="   $1" -v folder="$T" '
    /^   [^ ]/ { inside = $0 == title; next }
    inside && /^           / { sub(/^           /, ""); if (!open) { open = 1; n++ } print >(folder "/" n); next }
    { open = 0 }
    END { print n + 0 }' >"$T/blocks"
  BLOCKS=$(<"$T/blocks")
  PLAYED=0
  ((BLOCKS > 0))
}

# Takes the next block: sets SCRIPT, MACHINE, and USER_ARGUMENTS by its first line.
next_block() {
  local line
  ((PLAYED < BLOCKS))
  PLAYED=$((PLAYED + 1))
  SCRIPT=$T/$PLAYED
  read -r line <"$SCRIPT"
  case $line in
  '# on the gateway'* | '# on each gateway'*) MACHINE=gateway ;;
  '# on each node'*) MACHINE=node ;;
  '# on a client'* | '# on the machine of haproxy'*) MACHINE=client ;;
  *)
    echo "$line: on which machine?"
    return 1
    ;;
  esac
  AS=()
  [[ $line != *', as a user' ]] || AS=(setpriv --reuid=developer --regid=developer --clear-groups env HOME=/home/developer DISTCC_FALLBACK=0)
}

# Runs the next block: every command must succeed. What it says is in $T/said.
play() {
  next_block
  echo "-- on $MACHINE: $SCRIPT"
  on "$MACHINE" "${AS[@]}" bash -ec 'cd ~ && exec timeout 300 bash -e -o pipefail -s' <"$SCRIPT" >"$T/said" 2>&1 || {
    cat "$T/said"
    return 1
  }
}

# Starts the next block, with a program that stays, as the unit recipe-NAME.
play_and_stay() {
  next_block
  echo "-- on $MACHINE: $SCRIPT"
  on "$MACHINE" sh -c "cat >/run/recipe-$1" <"$SCRIPT"
  on "$MACHINE" systemd-run -q --unit="recipe-$1" -p RemainAfterExit=yes bash -e "/run/recipe-$1"
}

all_was_played() { [ "$PLAYED" = "$BLOCKS" ]; }

# ---- the farm ----

score() { on gateway cbscore "$@"; }
listens() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }
served() { score "${@:2}" list -nr -o SERVED | awk -v least="$1" '{ n += $1 } END { exit !(n >= least) }'; }
counts() { [ "$(score "${@:3}" "$1" -n | grep -c .)" = "$2" ]; }
# Nodes that are made for the test have no checks of their own.
nodes_on() { # PORT CORES [cbtest-node option]...
  on node systemd-run -q --unit=recipe-node /opt/cbtest/cbtest-node --name n --max "$2" "${@:3}" "0.0.0.0:$1"
  until_ok listens node "$1"
}
standard_farm() { # CORES
  nodes_on 3632 "$1" --mode line
  on gateway sh -c "echo 'fast1.farm, 3632, $1, 0' >/etc/corebalance/nodes.conf"
}
client() { on client /opt/cbtest/cbtest-client "$@"; }

@test "recipe: a distcc farm" {
  recipe 'A distcc farm'
  play_and_stay distccd
  until_ok listens node 3632
  play
  play
  grep 'distcc gcc' "$T/said"
  all_was_played
  until_ok served 6
  on gateway systemctl start corebalance-probe.service
  [ "$(score list -nr -o STATE | sort -u)" = up ]
}

@test "recipe: servers of language models, of which one takes so many requests at a time" {
  recipe 'Servers of language models'
  play_and_stay llama
  until_ok listens node 8080
  play
  on gateway systemctl start corebalance-farm-probe@llm.service
  [ "$(score -f llm list -nr -o STATE | sort -u)" = down ]
  next_block
  background "$T/asked" enter_boot "$BATS_FILE_TMPDIR/client" bash -ec "$(<"$SCRIPT")"
  until_ok counts queue 1 -f llm || { cat "$T/asked"; false; }
  on node touch /run/go
  on gateway systemctl start corebalance-farm-probe@llm.service
  wait "$PID"
  grep '"content":"Once upon a time"' "$T/asked"
  all_was_played
  # The servers refuse what they cannot answer: nothing is.
  on client bash -c 'for i in {1..30}; do
    curl -sS -f -H "Connection: close" -d "{\"prompt\": \"$i\"}" http://gateway.farm:8080/completion >/dev/null & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid" || exit; done'
  served 31 -f llm
}

@test "recipe: runners of a CI" {
  recipe 'Runners of a CI'
  on node mkdir -p /run/sshd
  on node systemd-run -q --unit=recipe-sshd /usr/sbin/sshd -D -e -o UsePAM=no -o StrictModes=no
  until_ok listens node 22
  play
  on gateway systemctl start corebalance-farm-probe@ci.service
  [ "$(score -f ci list -nr -o STATE | sort -u)" = up ]
  play
  grep 'tested on the runner' "$T/said"
  play
  all_was_played
  until_ok served 1 -f ci
}

@test "recipe: seats of a licence" {
  recipe 'Seats of a licence'
  nodes_on 27000 10 --mode line
  play
  background "$T/users" enter_boot "$BATS_FILE_TMPDIR/client" \
    /opt/cbtest/cbtest-client -n 15 -c 15 --line 'until /run/go' --expect line gateway.farm:27000
  until_ok counts slots 10 -f licence
  until_ok counts queue 5 -f licence
  play
  [ "$(grep -c '10\.0\.0\.2:' "$T/said")" = 15 ]
  all_was_played
  on node touch /run/go
  wait "$PID"
  grep 'ok=15 failed=0' "$T/users"
  run ! on node journalctl -q -u recipe-node --grep=VIOLATION
}

@test "recipe: several gateways behind haproxy" {
  recipe 'Several gateways behind haproxy'
  standard_farm 4
  play
  play
  all_was_played
  until_ok listens client 3632
  # One of the two gateways is no more.
  client -n 40 -c 8 --line 'sleep 10' --expect line 127.0.0.1:3632
  by_name() { [ "$(on gateway journalctl -q -o cat COREBALANCE_CLIENT_ADDRESS="$1" | wc -l)" -ge "$2" ]; }
  until_ok by_name 127.0.0.1 40
}

@test "recipe: TLS" {
  recipe TLS
  standard_farm 4
  play
  on gateway cat /etc/stunnel/farm.pem | on client sh -c 'cat >/etc/stunnel/farm.pem'
  play
  all_was_played
  until_ok listens gateway 3643
  until_ok listens client 3632
  client -n 10 -c 5 --line 'sleep 10' --expect line 127.0.0.1:3632
  by_name() { [ "$(on gateway journalctl -q -o cat COREBALANCE_CLIENT_ADDRESS=10.0.0.2 | wc -l)" -ge 10 ]; }
  until_ok by_name
  # Another key than the client has been given: nothing is sent.
  on gateway sh -c 'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=gateway.farm -keyout /etc/stunnel/farm.key \
    -out /etc/stunnel/farm.pem 2>/dev/null && systemctl restart stunnel@farm'
  until_ok listens gateway 3643
  run ! client --line 'sleep 10' --expect line 127.0.0.1:3632
}

@test "recipe: a firewall" {
  on node nft list ruleset >/dev/null || skip 'the kernel has no nf_tables'
  recipe 'A firewall'
  standard_farm 200
  on gateway systemctl start corebalance.socket corebalance-agent.socket
  client --line 'sleep 10' --expect line fast1.farm:3632
  client --line 'sleep 10' --expect line gateway.farm:3632
  on client socat -t 300 - TCP:gateway.farm:3681
  play
  play
  all_was_played
  run ! client --line 'sleep 10' --expect line fast1.farm:3632
  run ! on client socat -t 300 - TCP:gateway.farm:3681
  on gateway socat -t 300 - TCP:127.0.0.1:3681
  client --line 'sleep 10' --expect line gateway.farm:3632
  on client python3 -c '
import socket
address = ("gateway.farm", 3632)
clients = [socket.create_connection(address, timeout=300) for _ in range(64)]
try:
    socket.create_connection(address, timeout=300)
except ConnectionRefusedError:
    raise SystemExit
raise SystemExit("the 65th is let in")'
  until_ok on gateway test -e /run/systemd/system/corebalance.service.d/allow.conf
}

@test "recipes: how many cores are enough, and builds that are slow" {
  standard_farm 2
  on gateway systemctl start corebalance.socket
  client -n 20 -c 10 --line 'sleep 50' --expect line gateway.farm:3632
  until_ok served 20
  recipe 'How many cores are enough'
  play
  grep '20 served' "$T/said"
  play
  # 20 times 50 ms in an hour, and not much more.
  awk '{ print } $1 < 1 / 3600 || $1 >= 1 { exit 1 }' "$T/said"
  all_was_played
  recipe 'Builds are slow'
  play
  cat "$T/said"
  [[ $(tail -n 1 "$T/said") =~ ^[0-9]+$'\t'[0-9]+$'\t'10\.0\.0\.2:[0-9]+$'\t'[a-z0-9.]+:[0-9]+$ ]]
  all_was_played
}

@test "no recipe was forgotten" {
  diff <(titles | sort) <(sed -n "s/^  recipe '*\([^']*\)'*$/\1/p" "$BATS_TEST_FILENAME" | sort)
}

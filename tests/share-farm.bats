#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# Gateways that lease their parts: three members of etcd, and two or three gateways, each with an entrance of its own.
# Beside load a lease may end early: jobs are lost then, but a node never has too many.

load lib/helpers
load lib/etcd
load lib/gateways

teardown() { gateways_teardown; }

# shared_farm CORES GATEWAY...: an etcd, a node with so many cores, and these gateways.
shared_farm() {
  local cores=$1 g
  shift
  etcd_start
  node n 4001 "$cores" --mode line
  for g; do gateway_start "$g"; done
}

@test "gateways divide the cores, and a load that moves takes them with it" {
  shared_farm 6 a b c
  crowd_start a 8
  until_ok busy_on_at_least a 4
  crowd_stop a
  crowd_start c 8
  until_ok busy_on_at_least c 4
  crowd_start a 8
  until_ok busy_on_at_least a 2
  nodes_never_overfilled
  on a "$BUILD/cbscore" gateways -nr | awk '{ print $1 }' | sort | diff - <(printf '%s\n' a b c)
}

# busy_at GATEWAY PORT: how many connections the gateway has at that node.
busy_at() { on "$1" "$BUILD/cbscore" list -nr -o NODE,BUSY | awk -v n="$ADDR:$2" '$1 == n { print $2 }'; }
busy_at_is() { [ "$(busy_at "$1" "$2")" = "$3" ]; }
busy_at_least() { [ "$(busy_at "$1" "$2")" -ge "$3" ]; }
# So many of the node's cores are the gateway's.
share_at_is() { on "$1" "$BUILD/cbscore" list -nr -o NODE,SHARE | grep -qx "$ADDR:$2 $3"; }

@test "a node that one gateway holds, or does not list, serves the other with all its cores, and then both again" {
  shared_farm 4 a b
  node m 4002 4 --mode line
  for g in a b; do on $g "$BUILD/cbscore" -c "$CONF" load; done
  for g in a b; do crowd_start $g 12; done
  # Each has half of the cores: of either node, or all of one node.
  for g in a b; do until_ok busy_on_at_least $g 3; done
  on a "$BUILD/cbscore" down "$ADDR:4001"
  until_ok busy_at_is b 4001 4
  # It has what b leaves of the other node, and no core of this one comes to it.
  until_ok busy_at_least a 4002 3
  share_at_is a 4001 0
  on a "$BUILD/cbscore" up "$ADDR:4001"
  crowd_stop b
  until_ok busy_at_least a 4001 3
  crowd_start b 12
  cp "$CONF" "$T/both.conf"
  sed -i '/, 4002,/d' "$CONF"
  on b "$BUILD/cbscore" -c "$CONF" load
  until_ok busy_at_is a 4002 4
  crowd_stop a
  cp "$T/both.conf" "$CONF"
  on b "$BUILD/cbscore" -c "$CONF" load
  until_ok busy_at_least b 4002 3
  nodes_never_overfilled
}

@test "a gateway that is killed whole, relays and all: its cores are the others' after its lease" {
  shared_farm 6 a b
  crowd_start a 8
  until_ok busy_on_at_least a 4
  gateway_kill a
  crowd_stop a
  crowd_start b 8
  until_ok busy_on_at_least b 6
  # Relays that come back before cbshare have no slot: the scoreboard knows that the lease is over.
  relay_start a
  crowd_start a 2
  until_ok waiting_on_is a 2
  busy_on_is a 0
  share_start a
  until_ok busy_on_at_least a 2
  nodes_never_overfilled
}

@test "cbshare is killed: the second process ends what runs, clients that wait go on waiting, and others get the cores" {
  shared_farm 4 a b
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  # The core that b has kept comes to the fourth when that has waited for a while.
  for i in 4 5 6; do job_start a "long$i"; done
  until_ok waiting_on_at_least a 2
  kill -9 "${SHARE_PID[a]}"
  gone "${SHARE_PID[a]}"
  # Without it these jobs would last for ever, at cores that b gets.
  for i in 1 2 3; do client_fails "long$i"; done
  waiting_on_at_least a 2
  crowd_start b 6
  until_ok busy_on_at_least b 4
  # The second process has nothing more to do, and a new cbshare has another.
  crowd_stop b
  share_start a
  until_ok busy_on_at_least a 2
  for i in 4 5 6; do word "long$i"; done
  for i in 5 6; do client_wait "long$i"; done
  nodes_never_overfilled
}

@test "a check that holds a slot ends with the lease, and tells nothing" {
  shared_farm 2 a b
  background "$T/mute.log" "$LIB/talker" mute "$ADDR:4002"
  until_ok grep -q ^PORT "$T/mute.log"
  echo "$ADDR, 4002, 2, 0, check=-s -t 600s banner:x" >>"$CONF"
  for g in a b; do on $g "$BUILD/cbscore" -c "$CONF" load; done
  crowd_start a 4
  until_ok busy_on_at_least a 3
  crowd_stop a
  until_ok busy_on_is a 0
  on a background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" -v
  prober=$PID
  until_ok busy_on_is a 1
  kill -9 "${SHARE_PID[a]}"
  until_ok busy_on_is a 0
  wait "$prober"
  grep -q "$ADDR:4002: banner: unknown: the farm's lease is over" "$T/probe.log"
  [[ $(on a "$BUILD/cbscore" list -nr -o NODE,STATE) == *"$ADDR:4002 up"* ]]
}

@test "cbshare and a relay are stopped: the relay is killed before others get its core" {
  shared_farm 2 a b
  job_start a long
  until_ok busy_on_is a 1
  relay=$(on a "$BUILD/cbscore" slots -nr -o PID)
  kill -STOP "$relay"
  kill -STOP "${SHARE_PID[a]}"
  client_fails long
  gone "$relay"
  crowd_start b 4
  until_ok busy_on_at_least b 2
  kill -CONT "${SHARE_PID[a]}"
  job_start a after
  until_ok busy_on_is a 1
  word after
  client_wait after
  nodes_never_overfilled
}

@test "the second process is killed: it is replaced" {
  shared_farm 2 a
  until_ok has_hand a
  hand=$(hand_of a)
  kill -9 "$hand"
  until_ok says a 'was started again'
  until_ok has_hand a
  [ "$(hand_of a)" != "$hand" ]
  # What it is for, it does.
  job_start a long
  until_ok busy_on_is a 1
  kill -9 "${SHARE_PID[a]}"
  client_fails long
}

# The first process has not enough descriptors for all relays at once, and the second is stopped.
@test "more connections than cbshare has descriptors for: all of them are ended with the lease" {
  etcd_start
  node n 4001 60 --mode line
  mkdir "$T/a"
  share_start a
  until_ok says a joined
  prlimit --pid "${SHARE_PID[a]}" --nofile=30:30
  relay_start a
  crowd_start a 60 'sleep 600000'
  until_ok busy_on_is a 60
  kill -STOP "$(hand_of a)"
  kill -9 "${ETCD_PID[0]}" "${ETCD_PID[1]}"
  until_ok busy_on_is a 0
  kill -CONT "$(hand_of a)"
}

@test "the second process cannot be replaced at once: it is as soon as it can" {
  cat >"$T/fork.c" <<-'END'
	#include <dlfcn.h>
	#include <errno.h>
	#include <stdlib.h>
	#include <unistd.h>
	pid_t fork(void)
	{
		const char *path = getenv("NO_FORK");
		if (path && access(path, F_OK) == 0) {
			errno = EAGAIN;
			return -1;
		}
		return ((pid_t (*)(void))dlsym(RTLD_NEXT, "fork"))();
	}
	END
  [ -z "${SANITIZE-}" ] || skip "a sanitizer wants to be the first library"
  gcc -shared -fPIC -D_GNU_SOURCE -o "$T/fork.so" "$T/fork.c" -ldl
  export NO_FORK=$T/no-fork
  LD_PRELOAD=$T/fork.so shared_farm 2 a
  until_ok has_hand a
  touch "$NO_FORK"
  kill -9 "$(hand_of a)"
  until_ok says a 'has ended, and no other can be started: Resource temporarily unavailable'
  renoted a 2
  rm "$NO_FORK"
  until_ok says a 'was started again'
  has_hand a
  lines_with_are "$T/a/share" 'no other can be started' 1
}

# A way to etcd, for the gateway with that ENGINE_OF, which can be stopped.
way() {
  background "$T/way.log" setsid socat "TCP-LISTEN:5000,bind=$ADDR,fork,reuseaddr" "TCP:$ADDR:2379"
  WAY=$PID
  until_ok is_listening "$ADDR:5000"
}
way_is() { kill "-$1" -- "-$WAY"; }

@test "a gateway is cut off from etcd: it ends its jobs before others get the cores, and joins when etcd is back" {
  way
  ENGINE_OF[a]=http://$ADDR:5000
  shared_farm 4 a b
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  way_is STOP
  for i in 1 2 3; do client_fails "long$i"; done
  crowd_start b 6
  until_ok busy_on_at_least b 4
  # What was under way comes late.
  way_is CONT
  job_start a after
  until_ok busy_on_is a 1
  word after
  client_wait after
  until_ok says a 'the engine answers again'
  nodes_never_overfilled
}

@test "a member of etcd is killed: no job is lost" {
  LEASE=60s MARGIN=5s
  shared_farm 4 a b
  job_start a long
  until_ok busy_on_is a 1
  kill -9 "${ETCD_PID[0]}"
  crowd_start b 6
  until_ok busy_on_at_least b 2
  etcd_member 0
  until_ok etcd_answers 0
  word long
  client_wait long
  nodes_never_overfilled
}

@test "two of three members are gone: jobs end with the lease, and all goes on when they are back" {
  shared_farm 4 a b
  job_start a long
  until_ok busy_on_is a 1
  kill -9 "${ETCD_PID[0]}" "${ETCD_PID[1]}"
  client_fails long
  job_start a after
  etcd_member 0
  etcd_member 1
  until_ok busy_on_is a 1
  word after
  client_wait after
  nodes_never_overfilled
}

@test "etcd has lost its data: no core is used until all leases are over, then gateways begin anew" {
  shared_farm 4 a b
  job_start a long
  until_ok busy_on_is a 1
  for n in 0 1 2; do
    kill -9 "${ETCD_PID[n]}"
    gone "${ETCD_PID[n]}"
    rm -rf "$T/etcd$n"
  done
  etcd_start
  for g in a b; do until_ok says $g 'the engine has lost changes'; done
  client_fails long
  for g in a b; do crowd_start $g 4; done
  until_ok busy_on_at_least a 2
  until_ok busy_on_at_least b 2
  nodes_never_overfilled
}

@test "cbshare leaves at SIGTERM: running jobs end as they will, then the others have the cores; nothing is lost" {
  LEASE=60s MARGIN=5s
  shared_farm 4 a b
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  hand=$(hand_of a)
  kill "${SHARE_PID[a]}"
  job_start a late
  until_ok waiting_on_is a 1
  word long1
  client_wait long1
  crowd_start b 6
  until_ok busy_on_at_least b 2
  busy_on_is a 2
  for i in 2 3; do word "long$i"; done
  for i in 2 3; do client_wait "long$i"; done
  wait "${SHARE_PID[a]}"
  until_ok busy_on_at_least b 4
  says a "left the farm's gateways"
  run ! says a 'the lease is over: [0-9]'
  gone "$hand"
  waiting_on_is a 1
  nodes_never_overfilled
}

share_of_is() { [ "$(share_of "$1" "$2")" = "$3" ]; }
share_of() { on "$1" "$BUILD/cbscore" list -nr -o NODE,SHARE | awk -v n="$ADDR:$2" '$1 == n { print $2 }'; }

@test "cores of a backup that is not used are nobody's; those of the nodes that are used go where they are needed" {
  node m 4002 6 --mode line
  sed -i "/:*4002,/s/\$/, backup/" "$CONF"
  shared_farm 6 a b
  crowd_start a 8
  until_ok busy_on_at_least a 5
  [ "$(share_of a 4002)" = 0 ]
  # Once no other node is up they are divided as others are.
  for g in a b; do on $g "$BUILD/cbscore" down "$ADDR:4001"; done
  until_ok busy_on_node_at_least a 4002 5
  # And are nobody's again as soon as one is up, but at a gateway that has none.
  on a "$BUILD/cbscore" up "$ADDR:4001"
  until_ok share_of_is a 4002 0
  crowd_start b 8
  until_ok busy_on_node_at_least b 4002 6
  nodes_never_overfilled
}
busy_on_node_at_least() { [ "$(on "$1" "$BUILD/cbscore" slots -nr -o NODE | grep -cx "$ADDR:$2")" -ge "$3" ]; }

# The cores of a gateway, as another gateway has them.
cores_of() { on "$2" "$BUILD/cbscore" gateways -nr -o GATEWAY,SHARE | awk -v g="$1" '$1 == g { print $2 }'; }
waiters_of() { on "$1" "$BUILD/cbscore" gateways -nr -o GATEWAY,WAITING | awk -v g="$1" '$1 == g { print $2 }'; }
# renoted GATEWAY N: its cbshare notes the gateways N times.
renoted() {
  local before i
  for ((i = 0; i < $2; i++)); do
    exec {before}<"$T/$1/scoreboard.tdb.gateways"
    until_ok is_noted_anew "$1" "$before"
    exec {before}<&-
  done
}
# The file is another one each time. While the earlier one is open, none has its number.
is_noted_anew() { [ ! "$T/$1/scoreboard.tdb.gateways" -ef "/dev/fd/$2" ]; }

@test "a gateway whose waiters no core would serve, as it is paused or its nodes are held, takes no cores from others" {
  shared_farm 6 a b
  crowd_start a 8
  until_ok busy_on_at_least a 4
  on b "$BUILD/cbscore" pause
  job_start b early
  until_ok waiting_on_is b 1
  renoted a 6
  [ "$(waiters_of b)" = 0 ]
  [ "$(cores_of a a)" -ge 4 ]
  on b "$BUILD/cbscore" down "$ADDR:4001"
  on b "$BUILD/cbscore" resume
  renoted a 6
  [ "$(waiters_of b)" = 0 ]
  [ "$(cores_of a a)" -ge 4 ]
  # What it can serve it gets.
  on b "$BUILD/cbscore" up "$ADDR:4001"
  until_ok busy_on_is b 1
  word early
  client_wait early
  nodes_never_overfilled
}

@test "clients that may have no more cores take one from another gateway at most" {
  shared_farm 6 a
  mkdir "$T/b"
  share_start b
  until_ok says b joined
  PORT[b]=3799
  on b background "$T/b/relay" "$BUILD/cbrelay" -c "$CONF" --per-client 1 "$ADDR:${PORT[b]}"
  until_ok is_listening "$ADDR:${PORT[b]}"
  crowd_start a 8
  until_ok busy_on_at_least a 3
  for i in 1 2 3; do job_start b "long$i"; done
  until_ok busy_on_is b 1
  until_ok waiting_on_is b 2
  renoted a 6
  [ "$(cores_of b a)" -le 3 ]
  for i in 1 2 3; do word "long$i"; done
  for i in 1 2 3; do client_wait "long$i"; done
  nodes_never_overfilled
}

@test "cbshare is restarted by SIGUSR1: no job is lost" {
  LEASE=60s MARGIN=5s
  shared_farm 4 a b
  job_start a long
  until_ok busy_on_is a 1
  kill -USR1 "${SHARE_PID[a]}"
  wait "${SHARE_PID[a]}"
  busy_on_is a 1
  : >"$T/a/share"
  share_start a
  until_ok says a joined
  busy_on_is a 1
  job_start a next
  until_ok busy_on_is a 2
  for i in long next; do word $i; done
  for i in long next; do client_wait $i; done
  nodes_never_overfilled
}

@test "a gateway gets another name: what runs with the shares of the first ends, before others get those" {
  shared_farm 4 a b
  for i in 1 2 3; do job_start a "long$i"; done
  until_ok busy_on_is a 3
  kill -USR1 "${SHARE_PID[a]}"
  wait "${SHARE_PID[a]}"
  # Whichever is there when the lease is over ends them: the second process of the first, or the next.
  mv "$T/a/share" "$T/a/first"
  share_start a --name z
  until_ok grep -qs 'the lease is over: 3 connections ended' "$T"/a/first "$T/a/share"
  for i in 1 2 3; do client_fails "long$i"; done
  crowd_start b 8
  until_ok busy_on_at_least b 3
  nodes_never_overfilled
}

@test "another machine has the name of a gateway: it waits until that is dead, and the gateway goes on" {
  shared_farm 2 a
  mkdir "$T/z"
  share_start z --name a
  until_ok says z "gateway a is another machine's already: --name must differ"
  job_start a long
  until_ok busy_on_is a 1
  run ! says z joined
  # At SIGTERM it waits no longer.
  mkdir "$T/y"
  share_start y --name a
  until_ok says y '--name must differ'
  kill "${SHARE_PID[y]}"
  wait "${SHARE_PID[y]}"
  word long
  client_wait long
  gateway_kill a
  until_ok says z joined
  relay_start z
  job_start z after
  until_ok busy_on_is z 1
  word after
  client_wait after
  nodes_never_overfilled
}

@test "cbshare begins at a gateway that had no cbshare: what runs there ends, as no share is its own" {
  etcd_start
  node n 4001 2 --mode line
  mkdir "$T/a"
  relay_start a
  job_start a long
  until_ok busy_on_is a 1
  share_start a
  client_fails long
  job_start a after
  until_ok busy_on_is a 1
  word after
  client_wait after
}

@test "a second cbshare for the same scoreboard ends at once, and the first goes on" {
  shared_farm 2 a
  # Also when there is another page with the mutex meanwhile.
  rm "$T/a/scoreboard.tdb.lock"
  share_start a
  gone "${SHARE_PID[a]}"
  status=0
  wait "${SHARE_PID[a]}" || status=$?
  [ "$status" = 75 ]
  says a "$T/a/scoreboard.tdb: another cbshare runs for it"
  job_start a after
  until_ok busy_on_is a 1
  word after
  client_wait after
}

@test "cbshare is run by root once: its files are those of the folder's owner, for whom it runs then" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  etcd_start
  node_line 4001 2
  mkdir "$T/a"
  open_to_nobody "$T/a"
  chown nobody "$T/a"
  share_start a
  until_ok says a joined
  [ "$(stat -c %U "$T/a/scoreboard.tdb.cbshare")" = nobody ]
  kill "${SHARE_PID[a]}"
  wait "${SHARE_PID[a]}"
  on a background "$T/a.share" setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$BUILD/cbshare" \
    -c "$CONF" --name a --engine "etcd:$(etcd_urls)"
  SHARE_PID[a]=$PID
  until_ok grep -q joined "$T/a.share"
}

@test "a heartbeat that cannot be read is told once, however often it comes" {
  # A gateway that is silent for a lease is forgotten. On a busy machine this test is slow to say the next word.
  local LEASE=100s
  shared_farm 2 a
  until_ok put_is_told x 1
  for n in 1 2 3; do
    etcd_ctl --endpoints "$(etcd_urls)" put /corebalance/scoreboard/g/x "$n"
    until_ok put_is_told "y$n" 7
  done
  lines_with_are "$T/a/share" "the engine's key /corebalance/scoreboard/g/x has a value that cannot be read" 1
}
put_is_told() {
  etcd_ctl --endpoints "$(etcd_urls)" put "/corebalance/scoreboard/g/$1" "$2"
  says a "the engine's key /corebalance/scoreboard/g/$1 has a value that cannot be read"
}

@test "a fence: the cores of a dead gateway are taken when the command has succeeded, and not before" {
  shared_farm 2 a
  # The command finds the gateway's farm, which has no name, as the standard farm has none.
  gateway_start b --fence \
    "exec:echo \"\$COREBALANCE_GATEWAY of \${COREBALANCE_FARM-none} at \$COREBALANCE_SCOREBOARD\" >>$T/fenced; [ -e $T/may ]"
  job_start a long
  until_ok busy_on_is a 1
  gateway_kill a
  crowd_start b 4
  until_ok says b "gateway a is not fenced: the command's exit status is 1"
  until_ok grep -qx "a of none at $T/b/scoreboard.tdb" "$T/fenced"
  run ! says b 'set free'
  : >"$T/may"
  until_ok says b 'gateway a is fenced'
  until_ok busy_on_at_least b 2
  says b 'set free, as it is dead, [12] cores* of .*:4001 of gateway a$'
  nodes_never_overfilled
}

@test "a fence ends when the gateway says something again, and begins anew with its next silence" {
  shared_farm 2 a
  gateway_start b --fence "exec:echo \$\$ >>$T/fenced; exec sleep 600"
  for n in 1 2; do
    kill -STOP "${SHARE_PID[a]}"
    until_ok lines_with_are "$T/fenced" '^[0-9]' "$n"
    kill -CONT "${SHARE_PID[a]}"
    until_ok gone "$(tail -n 1 "$T/fenced")"
  done
  until_ok lines_with_are "$T/b/share" 'gateway a says something again' 2
  run ! says b 'is fenced'
}

@test "a storm: gateways and members are killed, stopped and started again in any order, and no node has too many" {
  node m 4002 3 --mode line
  shared_farm 4 a b c
  for g in a b c; do crowd_start $g 6 'sleep 400'; done
  for round in {1..14}; do
    g=$(shuf -n 1 -e a b c)
    n=$((RANDOM % 3))
    fault=$(shuf -n 1 -e share whole stop relays member stop-member hand)
    echo "# $round: $fault $g $n"
    case $fault in
    share) kill -9 "${SHARE_PID[$g]}" ;;
    whole) gateway_kill $g ;;
    stop) kill -STOP "${SHARE_PID[$g]}" ;;
    relays) kill -9 "${RELAY_PID[$g]}" ;;
    member) kill -9 "${ETCD_PID[n]}" ;;
    stop-member) kill -STOP "${ETCD_PID[n]}" ;;
    hand) for pid in $(hand_of $g); do kill -9 "$pid"; done ;;
    esac
    sleep 0.$((RANDOM % 900 + 100))
    # Behind each fault all is put right again, in this order or in that.
    ((RANDOM % 2)) || sleep $((RANDOM % 5))
    kill -CONT "${SHARE_PID[$g]}" "${ETCD_PID[n]}" 2>/dev/null || true
    is_running "${ETCD_PID[n]}" || etcd_member "$n"
    if ((RANDOM % 2)); then
      is_running "${RELAY_PID[$g]}" || relay_start $g
      is_running "${SHARE_PID[$g]}" || share_start $g
    else
      is_running "${SHARE_PID[$g]}" || share_start $g
      is_running "${RELAY_PID[$g]}" || relay_start $g
    fi
    nodes_never_overfilled
  done
  # Afterwards all cores are used.
  until_ok all_cores_are_busy
  nodes_never_overfilled
}
all_cores_are_busy() {
  local g
  for g in a b c; do is_running "${CROWD_PID[$g]}" || crowd_start $g 6 'sleep 400'; done
  [ $(($(busy_on a) + $(busy_on b) + $(busy_on c))) -ge 6 ]
}

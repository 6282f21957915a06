#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# check=distcc against real distccds, sound and faulty, and against servers that only pretend to be a distccd.

load lib/helpers

setup() {
  local program
  for program in distccd gcc clang; do
    command -v "$program" >/dev/null || skip "no $program (apt-get install distcc gcc clang)"
  done
  farm_setup
  # For the files of distccd, which runs as its own user and cannot reach the test's folder.
  NODE_TMP=$(mktemp -d)
  FOLDERS+=("$NODE_TMP")
  chmod 1777 "$NODE_TMP"
}

teardown() {
  if [ -n "${T-}" ] && [ -z "$BATS_TEST_COMPLETED" ]; then tail -n 20 "$T"/*.log; fi
  farm_teardown
}

node_user() {
  if [ "$(id -u)" = 0 ] && id distccd >/dev/null 2>&1; then echo distccd; else id -un; fi
}

# compiler NAME SCRIPT: makes a gcc of the test's own; prints its path.
compiler() {
  mkdir -m 755 "$NODE_TMP/$1"
  printf '#!/bin/sh\n%s\n' "$2" >"$NODE_TMP/$1/gcc"
  chmod 755 "$NODE_TMP/$1/gcc"
  echo "$NODE_TMP/$1/gcc"
}

# distccd_start NAME PORT COMPILER [ALLOW]: the list of allowed compilers replaces links in /usr/lib/distcc; COMPILER ""
# means the machine's own links.
distccd_start() {
  local list=()
  if [ -n "$3" ]; then
    echo "$3" >"$NODE_TMP/$1.compilers"
    chmod 644 "$NODE_TMP/$1.compilers"
    list=(DISTCC_CMDLIST="$NODE_TMP/$1.compilers" DISTCC_CMDLIST_NUMWORDS=1)
  fi
  background "$T/$1.log" env TMPDIR="$NODE_TMP" "${list[@]}" \
    distccd --daemon --no-detach --log-stderr --log-level=info --jobs 2 \
    --listen "$ADDR" --port "$2" --allow "${4:-127.0.0.0/8}" --user "$(node_user)"
  printf -v "PID_$1" %s "$PID"
  until_ok is_listening "$ADDR:$2"
}

talker() {
  background "$T/$1.log" "$LIB/talker" "$3" "$ADDR:$2"
  until_ok grep -q ^PORT "$T/$1.log"
}

reason_of() { score list -nr -o NODE,REASON | awk -v n="$ADDR:$1" '$1 == n { print $2 }' | sed 's/\\x20/ /g'; }
reason_is() { [ "$(reason_of "$1")" = "$2" ] || { score list; return 1; }; }
fingerprint_of() { score list -nr -o NODE,FINGERPRINT | awk -v n="$ADDR:$1" '$1 == n { print $2 }' | sed 's/\\x20/ /g'; }

# Sanitizers and a loaded machine make a compile slow; faulty servers answer at once.
TIME='distcc --timeout=20s'

@test "a distccd that compiles is up, and its machine and compiler are its fingerprint" {
  distccd_start good 4001 "$(type -P gcc)"
  node_line 4001 2 "check=$TIME"
  run -0 probe -v
  [[ $output == *"$ADDR:4001: distcc: answered"* ]]
  state_is 4001 up
  echo 'int a;' | gcc -x c -c -o "$T/here.o" -
  [ "$(fingerprint_of 4001)" = "$(uname -m | tr _ -) $(readelf -p .comment "$T/here.o" | sed -n 's/^ *\[ *[0-9a-f]*\]  *//p')" ]
  everything_is_free
}

@test "a broken compiler takes its node down with how it ended and what it said" {
  distccd_start broken 4001 "$(compiler broken 'echo "cannot execute cc1" >&2; exit 3')"
  node_line 4001 2 "check=$TIME"
  probe
  reason_is 4001 'compile failed: exit 3: cannot execute cc1'
  distccd_start empty 4002 "$(compiler empty 'exit 0')"
  distccd_start text 4003 "$(compiler text 'while [ $# -gt 1 ]; do shift; done; echo "no object, whatever you think" >"$1"')"
  node_line 4002 2 "check=$TIME"
  node_line 4003 2 "check=$TIME"
  score load
  probe
  state_is 4002 down
  reason_is 4003 'compile failed: 30 bytes that are no ELF object'
}

@test "a client outside --allow, and a compiler that is not masqueraded: one phrase that names both" {
  distccd_start closed 4001 "$(type -P gcc)" 10.255.255.0/24
  distccd_start other 4002 ""
  node_line 4001 2 "check=$TIME"
  node_line 4002 2 "check=$TIME --compiler=armcc"
  probe
  reason_is 4001 'closed without a byte: client not allowed, or compiler not masqueraded'
  reason_is 4002 'closed without a byte: client not allowed, or compiler not masqueraded'
}

@test "another compiler is told once; where a fingerprint is pinned it is a mismatch" {
  distccd_start first 4001 "$(type -P gcc)"
  node_line 4001 2 "check=$TIME"
  run -0 probe
  [ -z "$output" ]
  kill "$PID_first"
  gone "$PID_first"
  distccd_start second 4001 "$(compiler second 'exec clang "$@"')"
  run -0 probe
  [[ $output == *"$ADDR:4001: its compiler is another: "*clang*" (was "*GCC* ]]
  state_is 4001 up
  run -0 probe
  [ -z "$output" ]
  # Pinned to its earlier fingerprint.
  echo "$ADDR, 4001, 2, 0, check=$TIME --fingerprint=\"GCC: (\"" >"$CONF"
  score load
  run -0 probe
  [[ $output == *"$ADDR:4001 is down: compiler mismatch: "*clang* ]]
  [[ $(fingerprint_of 4001) == *clang* ]]
  echo "$ADDR, 4001, 2, 0, check=$TIME -f clang" >"$CONF"
  score load
  probe
  state_is 4001 up
}

@test "every worker stuck: the connect succeeds and the node is down all the same" {
  distccd_start stuck 4001 "$(compiler stuck 'sleep 30')"
  node_line 4001 2 'check=distcc --timeout=300ms'
  probe
  reason_is 4001 'no answer in time'
  everything_is_free
}

@test "any other order of packets fails, each with its words" {
  local done=DONE00000001 stat=STAT00000000 serr=SERR00000000 sout=SOUT00000000
  talker a 4001 'script:HTTP/1.1 400 Bad Request\r\n\r\n'
  talker b 4002 "script:${done}STAT0000000x"
  talker c 4003 "script:DONE00000002$stat$serr$sout"
  talker d 4004 "script:$done$serr$stat"
  talker e 4005 "script:$done$stat${serr}SOUT7fffffff"
  talker f 4006 "script:$done$stat$serr${sout}DOTO00000004abcdTAIL"
  talker g 4007 "script:$done$stat$serr${sout}DOTO00000040abcd"
  talker h 4008 "script:$done$stat$serr${sout}DOTO00000004abcd"
  talker i 4009 "script:${done}STAT00000100SERRffffffff"
  for port in 4001 4002 4003 4004 4005 4006 4007 4008 4009; do node_line $port 2 check=distcc; done
  probe
  reason_is 4001 'invalid protocol: HTTP/1.1 400 instead of DONE'
  reason_is 4002 'invalid protocol: STAT0000000x instead of STAT'
  reason_is 4003 'invalid protocol: version 2'
  reason_is 4004 'invalid protocol: SERR00000000 instead of STAT'
  reason_is 4005 'answer too long: SOUT of 2147483647 bytes'
  reason_is 4006 'invalid protocol: 4 bytes behind the object'
  reason_is 4007 'invalid protocol: closed without an answer after 64 bytes'
  reason_is 4008 'compile failed: 4 bytes that are no ELF object'
  reason_is 4009 'compile failed: with 4294967295 bytes of messages'
}

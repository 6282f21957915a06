#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A real distcc client builds a small project with make -j through one gateway, on two real distccd nodes. The objects
# equal those of a local build, byte for byte, and nothing is compiled locally.

load lib/helpers

SOURCES=10

setup() {
  local program
  for program in distcc distccd gcc make; do
    command -v "$program" >/dev/null || skip "no $program (apt-get install distcc gcc make)"
  done
  farm_setup
  export DISTCC_DIR=$T/distcc DISTCC_FALLBACK=0 DISTCC_LOG=$T/client.log
  mkdir -p "$DISTCC_DIR" "$T/here" "$T/farm"
  # For the files of distccd, which runs as its own user and cannot reach the test's folder.
  NODE_TMP=$(mktemp -d)
  FOLDERS+=("$NODE_TMP")
  chmod 1777 "$NODE_TMP"
  generate_project "$T/project"
}

teardown() {
  if [ -n "${T-}" ] && [ -z "$BATS_TEST_COMPLETED" ]; then tail -n 20 "$T"/*.log; fi
  farm_teardown
}

generate_project() {
  local i
  mkdir "$1"
  for ((i = 0; i < SOURCES; i++)); do
    {
      printf '#include <stdio.h>\n#include <string.h>\n#include "project.h"\n'
      printf 'int part_%d(const char *text) { char copy[%d]; strncpy(copy, text, sizeof copy - 1); ' "$i" $((i + 100))
      printf 'return printf("%%d %%.20s\\n", %d, copy) + OFFSET; }\n' "$i"
    } >"$1/part_$i.c"
  done
  printf '#define OFFSET 7\n' >"$1/project.h"
  # shellcheck disable=SC2016 # for make
  printf '%s\n' 'all: $(patsubst %.c,$(OUT)/%.o,$(wildcard *.c))' '$(OUT)/%.o: %.c project.h' \
    '	$(CC) -O2 -Wall -c -o $@ $<' >"$1/Makefile"
}

# compile_node NAME PORT CORES: a distccd with one worker more than the farm may use, so that a use of it is seen.
compile_node() {
  # The list of allowed compilers replaces links in /usr/lib/distcc, which belong to the machine.
  # The client asks for the compiler by its full name if there is such a name.
  # distccd reads the list as its own user, which cannot read $T.
  type -P gcc "$(gcc -dumpmachine)-gcc" >"$NODE_TMP/compilers" || [ -s "$NODE_TMP/compilers" ]
  chmod 644 "$NODE_TMP/compilers"
  background "$T/$1.log" env -u DISTCC_LOG TMPDIR="$NODE_TMP" DISTCC_CMDLIST="$NODE_TMP/compilers" DISTCC_CMDLIST_NUMWORDS=1 \
    distccd --daemon --no-detach --log-stderr --log-level=info --jobs $(($3 + 1)) \
    --listen "$ADDR" --port "$2" --allow 127.0.0.0/8 --user "$(node_user)"
  until_ok is_listening "$ADDR:$2"
  node_line "$2" "$3"
}

node_user() {
  ((EUID == 0)) || { id -un && return; }
  id -un distccd 2>/dev/null || echo nobody
}

# A node answers before it writes its line.
all_jobs_are_logged() { [ "$(cat "$T"/[ab].log | grep -c COMPILE_OK)" = "$SOURCES" ]; }
# Compile jobs that a node finished well.
jobs_done() { grep -c 'COMPILE_OK' "$T/$1.log" || true; }

build_here() { make -s -C "$T/project" OUT="$T/here" CC=gcc; }
build_by_farm() { make -s -j 8 -C "$T/project" OUT="$T/farm" CC='distcc gcc'; }

builds_through() {
  local a b
  compile_node a 4001 2
  compile_node b 4002 2
  entrance "$1"
  export DISTCC_HOSTS="$GATE/8"
  build_by_farm
  build_here
  diff -r "$T/here" "$T/farm"

  # No file was compiled locally, both nodes had work, and each job was one connection.
  until_ok all_jobs_are_logged
  a=$(jobs_done a) b=$(jobs_done b)
  echo "jobs: $a on a, $b on b"
  ((a + b == SOURCES && a > 0 && b > 0))
  [ "$(grep -c "compile part_.* on $GATE/8 completed ok" "$T/client.log")" = "$SOURCES" ]
  if grep -i 'compile .* on localhost\|error\|warning' "$T/client.log"; then return 1; fi
  farm_is_at_rest
  [ "$(score list -nr -o SERVED | awk '{ n += $1 } END { print n }')" = "$SOURCES" ]
  [ "$(score list -nr -o FAILED | awk '{ n += $1 } END { print n }')" = 0 ]
}

@test "alone: a project built by distcc through the gateway is that of a local build" { builds_through alone; }
@test "listener: a project built by distcc through the gateway is that of a local build" { builds_through listener; }
@test "connection: a project built by distcc through the gateway is that of a local build" { builds_through connection; }
@test "inetd: a project built by distcc through the gateway is that of a local build" { builds_through inetd; }

@test "a node that died before the build is not noticed by distcc" {
  compile_node a 4001 2
  node_line 4002 8 'speed=2'
  entrance alone
  export DISTCC_HOSTS="$GATE/8"
  build_by_farm
  build_here
  diff -r "$T/here" "$T/farm"
  until_ok all_jobs_are_logged
  [ "$(state_of 4002)" != up ]
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# A real C project (this one: its programs, library and test tools) built by make -j with distcc on three distccd
# nodes: through the gateway, and with the three nodes in DISTCC_HOSTS. Objects are compared with a local build's.

DISTCC_SESSIONS=()

group_distcc() {
  BASE=hosts
  local program
  for program in distcc distccd gcc make; do
    if ! command -v "$program" >/dev/null; then
      say "  left out: no $program"
      return
    fi
  done
  distcc_nodes
  distcc_project
  progress "building once here, to compare with: $(find "$T/project" -name '*.c' | wc -l) files"
  distcc_make local '' || return
  PEERS=(hosts corebalance)
  rounds "$(full 6 1)" distcc_round
}

group_distcc_end() {
  local session
  for session in "${DISTCC_SESSIONS[@]}"; do end_session "$session"; done
  DISTCC_SESSIONS=()
}

# Three nodes with two slots each, and the gateway to them.
distcc_nodes() {
  local i LISTEN=$NET.10:3632 user compilers=$T/compilers
  distcc_hosts='' distcc_gateway=$LISTEN/6
  local nodes=()
  user=$(id -un distccd 2>/dev/null || echo nobody)
  mkdir -p "$T/distcc-tmp"
  chmod 1777 "$T/distcc-tmp"
  type -P gcc "$(gcc -dumpmachine)-gcc" >"$compilers"
  for i in 1 2 3; do
    start "$T/distccd-$i.log" env TMPDIR="$T/distcc-tmp" DISTCC_CMDLIST="$compilers" DISTCC_CMDLIST_NUMWORDS=1 \
      distccd --daemon --no-detach --log-stderr --log-level=error --jobs 3 --listen "$NET.$i" --port 3632 \
      --allow 127.0.0.0/8 --user "$user"
    DISTCC_SESSIONS+=("$started")
    nodes+=("$NET.$i:3632/2")
    distcc_hosts+="$NET.$i:3632/2 "
  done
  for i in 1 2 3; do wait_until listens "$NET.$i:3632" || say "  a distccd does not start: $(tail -n 1 "$T/distccd-$i.log")"; done
  start "$T/distcc-gateway.log" "$BUILD/cbrelay" -s "$T/distcc.tdb" "$LISTEN" "${nodes[@]}"
  DISTCC_SESSIONS+=("$started")
  wait_until listens "$LISTEN"
}

distcc_project() {
  local top
  top=$(realpath "$HERE/../..")
  mkdir -p "$T/project"
  cp -r "$top"/relay "$top"/scoreboard "$top"/tests/lib "$T/project"
  # shellcheck disable=SC2016 # for make
  printf '%s\n' 'SOURCES := $(shell find . -name "*.c")' 'all: $(SOURCES:./%.c=$(OUT)/%.o)' '$(OUT)/%.o: %.c' \
    '	@mkdir -p $(@D)' '	$(CC) -std=c17 -D_GNU_SOURCE -DVERSION=\"bench\" -O2 -Iscoreboard -c -o $@ $<' >"$T/project/Makefile"
}

distcc_make() { # NAME COMPILER: into $T/NAME
  rm -rf "${T:?}/$1"
  make -s -j 6 -C "$T/project" OUT="$T/$1" CC="$2 gcc" >"$T/distcc-make.log" 2>&1 || {
    say "  the build failed: $(tail -n 1 "$T/distcc-make.log")"
    return 1
  }
}

distcc_round() { # PEER ROUND
  local hosts=$distcc_hosts start end
  if [ "$1" = corebalance ]; then hosts=$distcc_gateway; fi
  mkdir -p "$T/distcc-dir"
  start=$(date +%s%N)
  DISTCC_DIR=$T/distcc-dir DISTCC_HOSTS=$hosts DISTCC_FALLBACK=0 distcc_make farm distcc
  GOT=([failures]=$?)
  end=$(date +%s%N)
  if ! diff -r "$T/local" "$T/farm" >/dev/null; then GOT[failures]=1; fi
  record_load build "$1" "$2" "$(calculate "($end - $start) / 1e9")" s
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=computes

load lib/helpers

cd_top() { cd "$BATS_TEST_DIRNAME/.." || return 1; }

@test "cppcheck finds nothing" {
  cd_top
  run -0 cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    -D_GNU_SOURCE -DVERSION='""' -Iscoreboard --suppress=missingIncludeSystem relay scoreboard tests
  echo "$output"
  [ -z "$output" ]
}

@test "clang-tidy finds nothing" {
  cd_top
  local log
  log=$(find relay scoreboard tests -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 40 bash -c \
    'clang-tidy --quiet --warnings-as-errors="*" "$@" -- -std=c17 -D_GNU_SOURCE -DVERSION=\"\" -Iscoreboard 2>/dev/null' sh) || {
    echo "$log"
    return 1
  }
}

@test "shellcheck finds nothing" {
  cd_top
  run -0 shellcheck -x -P SCRIPTDIR .ci/run tests/run tests/fresh tests/demo tests/lib/storm tests/fuzz/build tests/fuzz/run \
    tests/lib/boot tests/lib/*.bash tests/bench/farm/run
  run -0 shellcheck -s bash units/completion
  run -0 shellcheck -x -P SCRIPTDIR tests/packages tests/bench/run tests/bench/plot tests/bench/lib.bash \
    tests/bench/groups/*.bash tests/bench/peers/*.bash
  run -0 shellcheck units/notify-ipvs
}

# The rooms from the ground up, as the README names them; command stands beside repair.
@test "no room of the library needs a room above it, or what programs call" {
  cd_top
  local below=() room wrong
  for room in system list store records farm repair command; do
    below+=(-e "\"$room/")
    wrong=$(find "scoreboard/$room" -name '*.[ch]' -exec grep -HE '^#include "(system|list|store|records|farm|repair|command|cb[a-z]+)/' {} + |
      grep -v "${below[@]}" || true)
    [ -z "$wrong" ] || { echo "$wrong"; return 1; }
  done
  run ! grep -l '^#include "scoreboard.h"' scoreboard/{system,list,store,records,farm}/*.[ch] scoreboard/farm/policy/*.[ch]
}

@test "every source says its licence, and the tree has nothing that is not on its card" {
  cd_top
  [ -z "$(grep -L 'SPDX-License-Identifier: GPL-3.0-or-later' relay/*.[ch] scoreboard/*.[ch] scoreboard/*/*.[ch] scoreboard/*/*/*.[ch] \
    tests/*.bats tests/lib/* tests/cluster/* tests/tools/* tests/bench/*.* tests/bench/{run,plot} tests/bench/*/* \
    tests/{run,fresh,packages,demo,GNUmakefile} man/* units/GNUmakefile GNUmakefile)" ]
  run git ls-tree --name-only HEAD
  if [ "$status" = 0 ]; then
    run ! grep -v -x -E 'relay|scoreboard|units|man|tests|GNUmakefile|README|COPYING|\..*' <<<"$output"
  fi
}

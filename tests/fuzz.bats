#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=computes

# FUZZ_SEED and FUZZ_RUNS (per cent) give another run; `make fuzz` has no end.

load lib/helpers

setup_file() {
  export FUZZ=$BUILD/fuzz FUZZ_SEED=${FUZZ_SEED:-1} FUZZ_REFUSED=
  local status=0
  "$BATS_TEST_DIRNAME/fuzz/build" "$FUZZ" >"$BATS_FILE_TMPDIR/build.log" 2>&1 || status=$?
  case $status in
  0) ;;
  77) FUZZ_REFUSED=$(tail -n 1 "$BATS_FILE_TMPDIR/build.log") ;;
  *) cat "$BATS_FILE_TMPDIR/build.log" >&2; return 1 ;;
  esac
}

# fuzz TARGET RUNS: tries the seeds, and so many inputs made from them.
fuzz() {
  local target=$1 runs=$(($2 * ${FUZZ_RUNS:-100} / 100)) log=$BATS_TEST_TMPDIR/log
  [ -z "$FUZZ_REFUSED" ] || skip "$FUZZ_REFUSED"
  mkdir "$BATS_TEST_TMPDIR/corpus"
  if ! timeout 300 "$BATS_TEST_DIRNAME/fuzz/run" "$FUZZ/$target" "$BATS_TEST_TMPDIR/corpus" \
    -artifact_prefix="$BATS_TEST_TMPDIR/" -seed="$FUZZ_SEED" -runs="$runs" -max_total_time=60 >"$log" 2>&1; then
    grep -v -E '^#[0-9]' "$log" | tail -n 60
    for input in "$BATS_TEST_TMPDIR"/{crash,timeout,oom,leak}-*; do
      if [ -e "$input" ]; then echo "the input: $(base64 -w 0 "$input")"; fi
    done
    return 1
  fi
  echo "# $target: $(sed -n 's/^Done \([0-9]* runs in [0-9]* second(s)\)$/\1/p' "$log"), seed $FUZZ_SEED" >&3
  grep -q '^Done [1-9]' "$log"
}

@test "fuzzing: any bytes as a node list" {
  fuzz nodelist 25000
}

@test "fuzzing: any bytes as a scoreboard" {
  fuzz scoreboard 600
}

@test "fuzzing: any bytes as the value of an option" {
  fuzz values 100000
}

@test "fuzzing: any bytes as an object that was compiled" {
  fuzz object 20000
}

@test "fuzzing: any bytes as a pattern of a check, and as what a node answers" {
  fuzz pattern 2000
}

@test "fuzzing: any bytes as a PROXY header" {
  fuzz proxy 150000
}

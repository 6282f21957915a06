# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# verbs.bash: an administrator that runs verbs of cbscore at random, for tests/verbs.bats.

# verb STATUSES ARGUMENT...: runs a verb; a line in $wrong if it ends with a status that is not among STATUSES, or late.
verb() {
  local expected=$1 status=0
  shift
  timeout 300 "$BUILD/cbscore" -c "$CONF" "$@" </dev/null >"$own.out" 2>"$own.err" || status=$?
  [[ " $expected " == *" $status "* ]] || echo "$* ended with $status, not $expected: $(tail -n 1 "$own.err")" >>"$wrong"
}

# The same for a verb that writes JSON.
json_verb() {
  verb "$@"
  jq -e . "$own.out" >/dev/null 2>&1 || echo "$* wrote no JSON: $(head -c 200 "$own.out")" >>"$wrong"
}

random_verb() {
  local node=$ADDR:$((4001 + RANDOM % 3)) tables=(list slots queue explain) table
  table=${tables[RANDOM % 4]}
  case $((RANDOM % 36)) in
  0) verb 0 "$table" ;;
  1) json_verb 0 "$table" -J ;;
  2) verb 0 "$table" -nr ;;
  3) verb 0 status ;;
  4) json_verb 0 status -J ;;
  5) verb '0 1 2' check -w free=2:,waiting=5 ;;
  6) json_verb '0 1 2' check -J ;;
  7) verb '0 1' diff ;;
  8) json_verb '0 1' diff -J ;;
  9) verb 0 load ;;
  10) json_verb 0 load --dry-run -J ;;
  11) verb 0 validate ;;
  12) verb 0 dump ;;
  13) verb 2 add "$node, 4, 0" ;; # a line with too few fields
  14) verb '0 1' add "$ADDR, ${node##*:}, 4, 0" ;;
  15) verb '0 3' remove "$node" ;;
  16 | 17) verb '0 3' set "$node" cores=$((RANDOM % 4 + 1)) ;;
  18) verb '0 3' set "$node" speed=$((RANDOM % 4 + 1)) backup=no ;;
  19) verb '2' set "$node" coers=3 ;;
  20) verb '0 3' down "$node" --reason "storm $RANDOM" ;;
  21) verb '0 1 3' down "$node" --wait --timeout 100ms ;;
  22 | 23 | 24) verb '0 3' up "$node" ;;
  25) verb '0 1' kill "$node/$((RANDOM % 4))" ;;
  26)
    verb 0 pause
    verb 0 resume
    ;;
  27) verb 0 export ipvs --service "tcp:$ADDR:1" ;;
  28) verb 0 metrics ;;
  29) verb 0 agent ;;
  30) verb 0 reap ;;
  31) verb 0 fsck ;;
  32) verb 0 verbosity $((RANDOM % 3)) ;;
  33) EDITOR=true verb '0 1' edit ;; # another administrator may edit the list
  34) verb 2 "verb$RANDOM" ;;
  35) verb 3 up "nowhere$RANDOM" ;;
  esac
}

# administrator NAME SEED N: runs so many verbs.
administrator() {
  local own=$T/$1 wrong=$T/$1.wrong
  RANDOM=$2
  : >"$wrong"
  for ((i = 0; i < $3; i++)); do random_verb; done
}

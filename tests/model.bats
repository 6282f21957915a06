#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=computes
#
# model.bats: spin(1) goes through every state of the models of tests/model, in
# several small farms; and finds an error if a rule is broken. MODEL names the
# model, queue if it is not set.

load lib/helpers

# shellcheck disable=SC2034  # they are used by eval
ONE_SLOT="-DNODES=2 -DONE_SLOT"
# shellcheck disable=SC2034
COMES_UP="-DCLIENTS=2 -DFLAPS=1"

setup() {
  command -v spin >/dev/null || skip "spin is not installed"
  models=$PWD/tests/model
  cd "$BATS_TEST_TMPDIR" || return 1
}

# search LOG states|circles DEFINE...: searches all states, or all endless circles; pan's output goes to LOG.
# Most searches end within a second, so tcc(1) compiles them: it needs 0.1 s for what gcc compiles in a second. States are
# stored as they are (NOCOMP): to make them smaller takes a fifth of a search, and only a search for endless circles needs
# it. Nor does pan fill 180 MB before it begins: a table of 2^22 entries (-w) and a path of 20,000 steps (-m) are enough.
# The C library asks for large pages, as a search touches its memory everywhere. With BACKWARDS the last process and its
# last choice are tried first: the states are the same, but an error among them may be found sooner.
search() {
  local log=$1 compiler=gcc kind=(-DSAFETY -DNOCOMP) option=() run
  [ "$2" = states ] || { kind=(-DNP) option=(-l); }
  ! command -v tcc >/dev/null || compiler=tcc
  shift 2
  run=$(mktemp -d "$BATS_TEST_TMPDIR/XXXXXX")
  cp "$models/${MODEL:-queue}.pml" "$run/model.pml"
  (
    cd "$run" || exit 1
    spin -a "$@" model.pml &&
      "$compiler" ${BACKWARDS:+-DREVERSE -DT_REVERSE} -w "${kind[@]}" -DNOREDUCE \
        -DMEMLIM=3000 -o pan pan.c &&
      GLIBC_TUNABLES=glibc.malloc.hugetlb=1 ./pan "${option[@]}" -w22 -m20000
  ) >"$log" 2>&1 || return 1
  # A search that did not end proves nothing.
  ! grep -E 'max search depth too small|out of memory|memory limit' "$log"
}

# holds states|circles "DEFINE..."
# shellcheck disable=SC2086  # a list of words
holds() {
  local log
  log=$(mktemp "$BATS_TEST_TMPDIR/XXXXXX")
  if search "$log" "$1" $2 && grep -q 'errors: 0$' "$log"; then
    echo "# states: $(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' "$log") (${MODEL:-queue}, $1, $2)" >&3
  else
    echo "fails: $1, $2" && cat "$log" && return 1
  fi
}

# breaks states|circles "DEFINE..." MUTATION PATTERN: the error that is found must match the pattern.
# shellcheck disable=SC2086  # a list of words
breaks() {
  local log
  log=$(mktemp "$BATS_TEST_TMPDIR/XXXXXX")
  if search "$log" "$1" $2 "-DMUTATE_$3" && grep -q 'errors: 1$' "$log" &&
    grep -q "^pan:1: .*$4" "$log"; then
    echo "# found: MUTATE_$3 (${MODEL:-queue}) after $(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' "$log") states" >&3
  else
    echo "not found: MUTATE_$3" && cat "$log" && return 1
  fi
}

# Runs the commands of its input, as many at once as there are processors, but not more than four: a search takes up to
# 800 MB. Fails if a command failed.
side_by_side() {
  local line most running=0 failed=0
  most=$(nproc)
  [ "$most" -le 4 ] || most=4
  while read -r line; do
    if [ $running -eq "$most" ]; then
      wait -n || failed=1
      running=$((running - 1))
    fi
    eval "$line" &
    running=$((running + 1))
  done
  for (( ; running > 0; running--)); do wait -n || failed=1; done
  return $failed
}

@test "model: cap, order, one holder, wake-up and no leak, whichever process is killed, fails to connect, or leaves" {
  side_by_side <<-'END'
	holds states "-DNODES=2 -DFAILS=1 -DREAPS=0"
	holds states "$ONE_SLOT -DKILLS=2"
	holds states "$ONE_SLOT -DLEAVES=1 -DREAPS=0"
	holds states "$ONE_SLOT -DLEAVES=1 -DLISTENER"
	holds states "$COMES_UP -DKILLS=2"
	holds states "-DKILLS=2"
	END
}

@test "model: no process goes round in circles" {
  side_by_side <<-'END'
	holds circles "$ONE_SLOT"
	holds circles "$COMES_UP"
	holds circles "-DKILLS=1"
	END
}

# The cap, at once, the order (two), one holder (two), and the wake-up.
@test "model: every rule that is broken is found out" {
  side_by_side <<-'END'
	breaks states "-DKILLS=1" RELEASE_BEFORE_CLOSE 'n<=(2/1)'
	breaks states "$ONE_SLOT" RELEASE_NO_DISPATCH '(o==255)||(f==255)'
	breaks states "$COMES_UP" OVERTAKE 'ticket\[i\]>ticket\[p\]'
	breaks states "-DNODES=2 -DFAILS=1" FAILED_LOSES_PLACE 'came\[i\]>came'
	breaks states "$ONE_SLOT" REAP_THE_LIVING 'assertion violated'
	breaks states "$ONE_SLOT" BURY_BLIND 'assertion violated'
	breaks circles "$ONE_SLOT" GUARD_TELLS_NONE 'non-progress cycle'
	breaks circles "$ONE_SLOT" REAP_NO_DISPATCH 'non-progress cycle'
	BACKWARDS=1 breaks states "$ONE_SLOT -DKILLS=2" WATCH_UNSEEN 'wanted'
	breaks states "$COMES_UP" TAKE_TELLS_NONE 'gone\[i\]||'
	BACKWARDS=1 breaks states "$ONE_SLOT -DLEAVES=1 -DLISTENER" LEAVE_TELLS_NONE 'wanted'
	END
}

@test "model: the gate loses no connection, no order and no slot, whichever process is killed, retires, or is let go; and stops" {
  side_by_side <<-'END'
	MODEL=gate holds states "-DCONNECTIONS=1 -DKILLS=1"
	MODEL=gate holds states "-DCONNECTIONS=1 -DKILLS=1 -DMANY"
	MODEL=gate holds states "-DCONNECTIONS=1 -DTRIMS=1"
	MODEL=gate holds states "-DCONNECTIONS=1 -DSTOPS=1"
	MODEL=gate holds states "-DCONNECTIONS=1 -DSTOPS=1 -DOWNED"
	MODEL=gate holds states "-DCONNECTIONS=1 -DTERMS=1"
	MODEL=gate holds states "-DCONNECTIONS=2"
	MODEL=gate holds states "-DCONNECTIONS=2 -DLIMIT=1"
	MODEL=gate holds states "-DCONNECTIONS=2 -DPER_RELAY=1 -DMANY"
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=1 -DKILLS=1" DROP_UNSEEN 'arrived>accepted'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=2 -DPER_RELAY=1 -DMANY" RETIRE_ORDERED 'arrived>accepted'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=1 -DKILLS=1" LOOK_AT_NOTHING 'arrived>accepted'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=1 -DTRIMS=1" LOOK_AT_NOTHING 'arrived>accepted'
	MODEL=gate breaks states "-DCONNECTIONS=1 -DSTOPS=1" SLEEP_AT_ONCE 'stopping)||ended'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=2 -DSTART=1" NOT_ASKED 'arrived>accepted'
	MODEL=gate breaks states "-DCONNECTIONS=2" TAKE_ANYWAY 'assertion violated'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=2 -DSLOTS=2" ACCEPT_FIRST 'came==tickets'
	MODEL=gate breaks states "-DCONNECTIONS=2" OVERTAKE 'waiting==0'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=2" FULL_UNTOLD 'arrived>accepted'
	MODEL=gate holds states "-DCONNECTIONS=1 -DREVOKES=1"
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=2 -DREVOKES=1" REVOKE_TAKING 'assertion violated'
	BACKWARDS=1 MODEL=gate breaks states "-DCONNECTIONS=2 -DKILLS=1" CLOSE_EARLY 'accepted=='
	MODEL=gate breaks states "-DCONNECTIONS=2" COPY_UNTIMED 'given'
	MODEL=gate breaks states "-DCONNECTIONS=1 -DSTOPS=1 -DOWNED" FORGET_TO_SETTLE 'accepted=='
	MODEL=gate breaks states "-DCONNECTIONS=2 -DTERMS=1" END_ANYWAY 'assertion violated'
	END
}

@test "model: one process at a time is in a section, whichever is killed, and whatever is done to the page of the lock" {
  side_by_side <<-'END'
	MODEL=lock holds states ""
	MODEL=lock holds states "-DN=2 -DKILLS=2 -DPAGES=3"
	MODEL=lock breaks states "" WITHOUT_WORD 'inside==255'
	MODEL=lock breaks states "" LOOKS_THEN_WRITES 'inside==255'
	MODEL=lock breaks states "" ROBS_THE_LIVING 'inside==255'
	BACKWARDS=1 MODEL=lock breaks states "" DOES_NOT_TELL 'half'
	MODEL=lock breaks states "" CLEARS_BLINDLY 'over'
	MODEL=lock breaks states "" KEEPS_THE_WORD 'invalid end state'
	END
}

@test "model: a node that is down is tried by one process at a time, and is not closed for ever by a process that was killed" {
  side_by_side <<-'END'
	MODEL=trial holds states "-DLEAVES=1 -DKILLS=2"
	MODEL=trial holds states "-DPROBES=1 -DLEAVES=1"
	MODEL=trial breaks states "-DPROBES=1" UP_FORGETS_TRIAL 'trial\['
	MODEL=trial breaks states "-DPROBES=1" OPEN_WHILE_RUNS 'trial\['
	MODEL=trial breaks states "-DLEAVES=1" FREE_KEEPS_CLOSED 'gone\[i\]'
	MODEL=trial breaks states "-DLEAVES=1" NOT_DUE_AGAIN 'gone\[i\]'
	MODEL=trial breaks states "" UP_TELLS_NONE 'assertion violated'
	END
}

@test "model: a slot on its way from the listener to a relay has one holder, and is not lost with either" {
  side_by_side <<-'END'
	MODEL=handover holds states ""
	MODEL=handover holds states "-DORDERS=4 -DKILLS=3"
	MODEL=handover breaks states "" TAKE_KEEPS_OWNER 'assertion violated'
	MODEL=handover breaks states "" NOT_NOTED 'holder==2'
	MODEL=handover breaks states "" LEAVE_ANY 'assertion violated'
	END
}

@test "model: a process that finds the queue too small loses neither place nor number while the queue grows" {
  side_by_side <<-'END'
	MODEL=growth holds states "-DKILLS=2"
	MODEL=growth breaks states "" GROW_BLIND 'free_cells+length'
	MODEL=growth breaks states "" NUMBER_BEFORE_ROOM 'number\['
	MODEL=growth breaks states "" FREE_BEFORE_ROOM 'came\['
	END
}

@test "model: by fairness the client that holds the fewest is next, and waits for a single job's end" {
  side_by_side <<-'END'
	MODEL=fair holds states "-DCLIENTS=4"
	MODEL=fair holds states "-DCLIENTS=4 -DSLOTS=2 -DPARTIES=3"
	MODEL=fair breaks states "-DCLIENTS=4" KEEPS_TURN 'overtaken\['
	MODEL=fair breaks states "-DCLIENTS=4" OLDEST_OF_ALL 'overtaken\['
	MODEL=fair breaks states "-DCLIENTS=4" COUNTS_WHEN_TAKEN 'held\['
	MODEL=fair breaks states "-DCLIENTS=4" COUNTS_LATER 'held\['
	MODEL=fair breaks states "-DCLIENTS=4" LEAVES_WITH_COUNT 'held\['
	MODEL=fair breaks states "-DCLIENTS=4" REAPS_WITHOUT_COUNT 'held\['
	MODEL=fair holds states "-DCLIENTS=4 -DSLOTS=2 -DLIMIT=1"
	MODEL=fair breaks states "-DCLIENTS=4 -DSLOTS=2 -DLIMIT=1" LOOKS_AT_FIRST 'n==2'
	MODEL=fair breaks states "-DCLIENTS=4 -DSLOTS=2 -DLIMIT=1" LIMITS_NONE 'o%2'
	END
}

@test "model: a slot is kept for a bounded time, and nothing overtakes, whichever process is stopped or killed" {
  side_by_side <<-'END'
	MODEL=patience holds states ""
	MODEL=patience breaks states "" UNTIL_IGNORED 'until>now'
	MODEL=patience breaks states "" UNTIL_MOVES 'until<='
	MODEL=patience breaks states "" SERVES_BEHIND 'ticket\['
	MODEL=patience breaks states "" NEVER_ENDS 'until<now'
	MODEL=patience breaks states "" NONE_DEALS 'prompt'
	MODEL=patience breaks states "" NONE_LOOKS 'over<2'
	END
}

@test "model: one file at a time is the scoreboard, while it is rebuilt, or removed, whichever process is killed" {
  side_by_side <<-'END'
	MODEL=replace holds states "-DDAMAGES=2 -DKILLS=2"
	MODEL=replace holds states "-DREMOVES=1"
	MODEL=replace breaks states "" NOT_RETIRED 'assertion violated'
	MODEL=replace breaks states "-DPROCESSES=3" DEATH_UNSEEN 'assertion violated'
	BACKWARDS=1 MODEL=replace breaks states "-DPROCESSES=3" DEATH_FORGOTTEN 'assertion violated'
	MODEL=replace breaks states "-DDAMAGES=2" NAME_FIRST 'whole\['
	MODEL=replace breaks states "-DDAMAGES=2" REBUILD_ANYWAY 'assertion violated'
	MODEL=replace breaks states "-DDAMAGES=2" NO_LOCK 'assertion violated'
	MODEL=replace breaks states "-DREMOVES=1" FRESH_ANYWAY 'assertion violated'
	MODEL=replace breaks states "-DREMOVES=1" ANY_REMOVED 'assertion violated'
	END
}

# The epoch, and the wait for the end of connections, were found to be needed by this search.
@test "model: no node has more connections than cores while gateways lease its shares, whatever is late, lost, or lapses" {
  side_by_side <<-'END'
	MODEL=share holds states "-DCOMMITS=4 -DSETTLES=2"
	MODEL=share holds states "-DCOMMITS=4 -DLAPSES=2"
	MODEL=share breaks states "" NO_EPOCH 'busy'
	MODEL=share breaks states "" GIVE_EARLY 'busy'
	MODEL=share breaks states "" RAISE_UNSURE 'busy'
	MODEL=share breaks states "" RENEW_BLIND 'busy'
	MODEL=share breaks states "" RECLAIM_BLIND 'busy'
	END
}

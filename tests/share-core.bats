#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The core of cbshare in a simulated world: gateways, nodes and an engine in one process, with delays, losses, cuts, deaths,
# stops and clocks that differ; what must hold is checked after each step, see tests/tools/cbtest-gateways.c. The same
# seed is the same world. More steps, or other worlds: STEPS=100000000 SEED=7 bats tests/share-core.bats.

bats_require_minimum_version 1.5.0

@test "cap, shares, limits and leases hold after each of millions of steps, and all is well again after each world" {
  run -0 "$BUILD/tests/cbtest-gateways" "${STEPS:-2500000}" "${SEED:-1}"
  # Each kind of thing has happened.
  for word in joined took gave got shed lost reclaimed came went silent speaks lapsed renewed unsettled name-held went-back left; do
    [[ $'\n'$output =~ $'\n'$word' '[0-9]+ ]] || { echo "never: $word"; echo "$output"; return 1; }
  done
}

# The world does something wrong: the test must notice. In most worlds an error comes to light soon, but what an epoch is for
# happens in one world of a hundred: the search begins shortly before such a world.
@test "each rule that is broken is found out" {
  local fault seed found
  while read -r fault seed found; do
    run -1 "$BUILD/tests/cbtest-gateways" 2500000 "$seed" "$fault"
    [[ ${lines[-1]} =~ ^'seed '[0-9]+', step '[0-9]+', '[0-9.]+' s: '($found)': ' ]] ||
      { echo "$fault: ${lines[-1]}"; return 1; }
  done <<-'END'
	no-epoch 160 give|limit|cap
	give-early 1 give|cap
	no-heartbeat 1 limit|reclaim|cap
	no-compare 1 sum|limit|reclaim|cap
	refusal-unseen 1 limit|cap|give
	no-rest 1 cap
	no-lease 1 lease
	no-fence 1 lease|reclaim
	clocks 1 reclaim|limit|cap
	END
}

# The time is that of the simulated world, where a message takes 0.5 to 5 ms: it is the same on each machine.
@test "a load that comes to one gateway has all cores that others can spare within 50 ms" {
  run -0 "$BUILD/tests/cbtest-gateways" moves
  echo "# $output"
  [[ $output =~ ^200\ moves:\ p50\ ([0-9]+)\ us,\ p90\ ([0-9]+)\ us,\ most\ ([0-9]+)\ us$ ]]
  [ "${BASH_REMATCH[1]}" -lt 30000 ]
  [ "${BASH_REMATCH[2]}" -lt 50000 ]
}

@test "of two gateways with one name, on another machine or on a copy of the machine, one at a time has the shares" {
  run -0 "$BUILD/tests/cbtest-gateways" names "${SEED:-1}"
  echo "# $output"
  [[ $output =~ ^50\ worlds:\ the\ place\ was\ taken\ [0-9]{3,}\ times,\ name-taken\ [0-9]{2,},\ name-held\ [0-9]{2,}$ ]]
}

@test "a gateway that is started again with a shorter lease, and is cut off then, uses nothing when others take its cores" {
  run -0 "$BUILD/tests/cbtest-gateways" shorter "${SEED:-1}"
  echo "# $output"
  [[ $output =~ ^50\ worlds:\ lapsed\ [0-9]{3,},\ reclaimed\ [0-9]{2,}$ ]]
}

@test "a fence is for the dead only: after an outage of the engine, or of the own machine, no gateway that is well is fenced" {
  run -0 "$BUILD/tests/cbtest-gateways" outages "${SEED:-1}"
  echo "# $output"
  [[ $output =~ ^50\ worlds:\ silent\ [0-9]{3,},\ reclaimed\ [0-9]{2,}$ ]]
}

@test "a gateway that stands still for less than its lease fences no gateway that is well" {
  run -0 "$BUILD/tests/cbtest-gateways" pauses "${SEED:-1}"
  echo "# $output"
}

# Where gateways do not say of which nodes they have no use, 58 % are used: cores go to such gateways, and stay there.
@test "a node that is down, held or not listed at some gateways serves the others with its cores" {
  run -0 "$BUILD/tests/cbtest-gateways" useless "${SEED:-1}"
  echo "# $output"
  [[ $output =~ ^100\ worlds:\ ([0-9]+)\ %\ of\ the\ cores ]]
  [ "${BASH_REMATCH[1]}" -ge 95 ]
}

@test "a node that became smaller in every list has no more connections, also where the lists differ in another node" {
  "$BUILD/tests/cbtest-gateways" shrunk "${SEED:-1}"
}

@test "a gateway keeps a core of a node that is down beyond its connections, so that another connection can try the node" {
  "$BUILD/tests/cbtest-gateways" trial "${SEED:-1}"
}

@test "nodes that are held at one gateway are another's, whole, and the first has those that both can use" {
  "$BUILD/tests/cbtest-gateways" held "${SEED:-1}"
}

@test "a gateway that can reach no node gets no core, and leaves what it has of small nodes to the others" {
  "$BUILD/tests/cbtest-gateways" unreachable "${SEED:-1}"
  "$BUILD/tests/cbtest-gateways" down "${SEED:-1}"
}

@test "targets are in proportion to demand, add up, and are the same everywhere; the oldest waiter counts" {
  "$BUILD/tests/cbtest-targets"
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# Farms of unequal nodes: the time of a batch under light to full load, simulated (a round is a seed; see farm/farm.c);
# and, as rows real-..., the first of these farms with real processes (see farm/real.bash).

# shellcheck source=../farm/real.bash
. "$HERE/farm/real.bash"

group_farm() {
  local load policy seed seconds failed lost
  BASE=bound
  OUT=$OUT "$HERE/farm/run" "$(full 4000 1000)" "$(full 15 3)" >/dev/null || { progress "the simulation failed"; return; }
  while IFS=$'\t' read -r _ load policy seed seconds; do
    record "$load" "$policy" "$seed" "$seconds" s
  done < <(grep '^RUN' "$OUT/farm.tsv")
  # A node that fails all jobs: what clients gave up is not the same work.
  while IFS=$'\t' read -r _ load policy seed failed lost; do
    record "$load.failures" "$policy" "$seed" "$lost" jobs
    record "$load-failed" "$policy" "$seed" "$failed" "connections in 100 jobs"
  done < <(grep '^FAILED' "$OUT/farm.tsv")
  real_farm
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * policies.h: the policies to choose a node, a row each. A new policy is a row here
 * and a file in farm/policy/ with its struct policy, policy_NAME.
 */

#define POLICIES(POLICY) \
	POLICY(FASTEST, fastest) \
	POLICY(ORDER, order) \
	POLICY(SPREAD, spread) \
	POLICY(ROUNDROBIN, roundrobin) \
	POLICY(HASH, hash) \
	POLICY(AFFINITY, affinity)

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * check.h: what a kind of check is. Each has a file of its own with one struct
 * check, and check.c has a line for it.
 *
 * A check is driven by pass.c and never waits itself. It says what it wants to
 * be called for by leaving it in the probe: fd and events, and deadline_usec.
 * It ends with any outcome but OUTCOME_PENDING, its descriptor closed.
 */

#include "probe.h"

enum outcome {
	OUTCOME_PENDING,
	OUTCOME_UP,
	OUTCOME_DOWN,      /* probe->error says why */
	OUTCOME_UNREACHED, /* no way out of this machine: the node's fault only if others answered */
	OUTCOME_UNKNOWN,   /* a trouble of this machine's, which says nothing about the node */
	OUTCOME_LATER,     /* out of descriptors or memory: to be begun again when other checks have ended */
};

struct check {
	const char *name; /* in check=NAME or check=NAME:ARGUMENT */

	/* Whether what stands behind the colon (NULL: no colon) is well-formed. 0 or -EINVAL. */
	int (*parse)(const char *argument);

	/* Begins a try. deadline_usec, here and below, is for a stage that the call begins. NULL: such nodes
	 * are never probed. */
	enum outcome (*start)(struct probe *probe, uint64_t deadline_usec);

	/* What was waited for on probe->fd has come. */
	enum outcome (*ready)(struct probe *probe, uint64_t deadline_usec);

	/* probe->deadline_usec has passed. */
	enum outcome (*expired)(struct probe *probe, uint64_t deadline_usec);
};

extern const struct check check_tcp;
extern const struct check check_none;

/* The check that a check= text names; an empty one is tcp. NULL if this version does not know it. */
const struct check *check_find(const char *text);

/* For struct check: takes no argument. */
int check_parse_nothing(const char *argument);

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "drain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "act.h"
#include "age.h"
#include "ending.h"
#include "keep_holds.h"
#include "system/printable.h"
#include "system/timespan.h"

#define LOOK_USEC (200 * USEC_PER_MSEC)
#define KILL_USEC (10 * USEC_PER_SEC)  /* the longest time until an ended connection is gone */

static bool arg_wait, arg_kill;
static uint64_t arg_timeout_usec;      /* 0: none */

OPTION_FLAG(set_wait, arg_wait)

static int set_timeout(void *settings, const char *value)
{
	int r = timespan_parse(value, &arg_timeout_usec);

	(void)settings;
	return r < 0 ? r : arg_timeout_usec > 0 ? 0 : -EINVAL;
}

OPTION_FLAG(set_kill, arg_kill)

static const struct option_row rows[] = {
	{ "wait", 'w', NULL, "wait until they have no connection left", NULL, NULL, set_wait, NULL },
	{ "timeout", 0, "TIME", "with --wait or --kill: no longer than this", "off", "a time above 0, as in 1min 30s",
	  set_timeout, NULL },
	{ "kill", 0, NULL, "end the connections, at once or when --timeout is over", NULL, NULL, set_kill, NULL },
};

const struct option_set drain_options = OPTION_SET(rows);

int drain_read(const struct context *context)
{
	(void)context;
	if (arg_timeout_usec > 0 && !arg_wait && !arg_kill)
		return complain_usage("--timeout: expected also --wait or --kill");
	return STATUS_OK;
}

/* The nodes that must become empty. */
struct drained {
	const struct score_node *nodes;
	size_t n;
};

static bool is_on(const struct score_slot_info *slot, const void *arg)
{
	const struct drained *drained = arg;

	for (size_t i = 0; i < drained->n; i++)
		if (strcmp(drained->nodes[i].config.name, slot->node) == 0)
			return true;
	return false;
}

static void tell_left(const struct held_slots *left)
{
	const struct held_slot *oldest = &left->slots[0];
	char age[AGE_MAX];

	for (size_t i = 1; i < left->n; i++)
		if (left->slots[i].since_usec < oldest->since_usec)
			oldest = &left->slots[i];
	print(stdout, "%zu connection%s left, the oldest %s, of %s\n", left->n, left->n == 1 ? "" : "s",
		     age_format(age_of(oldest->since_usec), age), oldest->client);
	(void)fflush(stdout);
}

/* Ends the connections that are left. STATUS_OK; or another status, and the error was told. */
static int end_left(struct score *score, const struct held_slots *left)
{
	int status = STATUS_OK;

	for (size_t i = 0; i < left->n; i++) {
		int r = held_slot_end(score, &left->slots[i]);

		if (r == 0)
			held_slot_note_end(&left->slots[i]);
		/* A slot that no relay holds becomes free by itself, and soon. */
		if (r < 0 && r != -EINVAL) {
			complain("%s/%" PRIu32 " of %s: %s", left->slots[i].node, left->slots[i].slot, left->slots[i].client,
				 held_slot_strerror(r));
			status = STATUS_FAILED;
		}
	}
	return status;
}

void drain_tell_busy(uint32_t busy)
{
	if (busy > 0)
		print(stdout, "; %" PRIu32 " connection%s of it go%s on", busy, busy == 1 ? "" : "s", busy == 1 ? "es" : "");
}

int drain_wait(const struct context *context, struct score *score, const struct score_node *nodes, size_t n)
{
	const struct timespec pause = { .tv_nsec = LOOK_USEC * 1000 };
	const struct drained drained = { .nodes = nodes, .n = n };
	uint64_t begin_usec = now_boottime(), end_usec = arg_timeout_usec > 0 ? begin_usec + arg_timeout_usec : UINT64_MAX;
	bool wait = arg_wait || arg_kill, kill = arg_kill;
	int status = STATUS_OK;
	size_t told = 0;

	if (kill && arg_timeout_usec == 0)
		end_usec = begin_usec;
	/* The wait may take hours, and a signal may end it. */
	if (wait && act_any_new())
		keep_holds(context, score);
	while (wait && status == STATUS_OK) {
		struct held_slots left;
		int r = held_slots_find(score, is_on, &drained, &left);

		if (r < 0)
			return r;
		wait = left.n > 0;
		if (wait && left.n != told)
			tell_left(&left);
		told = left.n;
		if (wait && now_boottime() >= end_usec) {
			if (kill) {
				status = end_left(score, &left);
				end_usec = now_boottime() + KILL_USEC;
				kill = false;
			} else {
				complain("%zu connection%s left when the time was over", left.n, left.n == 1 ? "" : "s");
				status = STATUS_FAILED;
			}
		}
		free(left.slots);
		if (wait && status == STATUS_OK)
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	if (status == STATUS_OK && (arg_wait || arg_kill))
		print(stdout, "no connection left\n");
	return status;
}

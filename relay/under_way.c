/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "under_way.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "system/printable.h"
#include "system/timespan.h"

struct copy {
	uint64_t accepted_usec;
	struct record record;
};

struct under_way_note {
	_Atomic uint32_t valid;  /* copy 1 or 2; 0: none */
	struct copy copies[2];
};

struct under_way {
	size_t n;
	struct under_way_note *notes;
};

int under_way_new(size_t n, struct under_way **ret)
{
	struct under_way *all = malloc(sizeof(*all));

	if (!all)
		return -ENOMEM;
	/* Most numbers are never used, and cost nothing. */
	*all = (struct under_way){ .n = n };
	all->notes = mmap(NULL, n * sizeof(*all->notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);
	if (all->notes == MAP_FAILED) {
		int r = -errno;

		free(all);
		return r;
	}
	*ret = all;
	return 0;
}

struct under_way *under_way_free(struct under_way *all)
{
	if (all)
		(void)munmap(all->notes, all->n * sizeof(*all->notes));
	free(all);
	return NULL;
}

struct under_way_note *under_way_of(struct under_way *all, size_t i)
{
	return &all->notes[i];
}

void under_way_set(struct under_way_note *note, const struct record *record, uint64_t accepted_usec)
{
	uint32_t other;

	if (!note)
		return;
	other = atomic_load_explicit(&note->valid, memory_order_relaxed) == 1 ? 2 : 1;
	note->copies[other - 1] = (struct copy){ .accepted_usec = accepted_usec, .record = *record };
	atomic_store_explicit(&note->valid, other, memory_order_release);
}

void under_way_count(struct under_way_note *note, uint64_t in, uint64_t out)
{
	uint32_t valid;

	if (!note)
		return;
	valid = atomic_load_explicit(&note->valid, memory_order_relaxed);
	if (valid < 1 || valid > 2)
		return;
	note->copies[valid - 1].record.in = in;
	note->copies[valid - 1].record.out = out;
}

void under_way_end(struct under_way_note *note)
{
	if (note)
		atomic_store_explicit(&note->valid, 0, memory_order_release);
}

/* Whatever is in a text of that size: makes it a text that can be shown. */
static void tame(char *text, size_t size)
{
	text[size - 1] = '\0';
	printable(text, '?');
}

bool under_way_take(struct under_way_note *note, struct record *ret)
{
	uint32_t valid = atomic_exchange(&note->valid, 0);
	struct copy copy;

	if (valid < 1 || valid > 2)
		return false;
	copy = note->copies[valid - 1];
	*ret = copy.record;
	tame(ret->client, sizeof(ret->client));
	tame(ret->id, sizeof(ret->id));
	tame(ret->node, sizeof(ret->node));
	tame(ret->node_local, sizeof(ret->node_local));
	ret->total_usec = now_boottime() - copy.accepted_usec;
	if (ret->wait_usec == UINT64_MAX || !*ret->node)
		ret->wait_usec = ret->total_usec;
	ret->ended_by = END_RESOURCES;
	ret->end_phase = !*ret->node ? PHASE_QUEUE : ret->connect_usec == UINT64_MAX ? PHASE_CONNECT : PHASE_DATA;
	ret->end_cause = CAUSE_KILLED;
	return true;
}

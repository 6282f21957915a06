/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * timers.c: the heap. Each probe knows its place in the heap, so that a probe is
 * taken out without a search when its answer comes, as nearly all answers do.
 */

#include "timers.h"

#include <errno.h>
#include <stdlib.h>

int timers_init(struct timers *timers, size_t n)
{
	*timers = (struct timers){ .heap = reallocarray(NULL, n + 1, sizeof(struct probe *)) };
	return timers->heap ? 0 : -ENOMEM;
}

void timers_clear(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}

static void put(struct timers *timers, size_t at, struct probe *probe)
{
	timers->heap[at] = probe;
	probe->timer = at;
}

/* Finds the place of a probe that may be too near to the leaves. */
static void sift_up(struct timers *timers, struct probe *probe)
{
	size_t at = probe->timer;

	for (; at > 1 && timers->heap[at / 2]->deadline_usec > probe->deadline_usec; at /= 2)
		put(timers, at, timers->heap[at / 2]);
	put(timers, at, probe);
}

/* Finds the place of a probe that may be too near to the root. */
static void sift_down(struct timers *timers, struct probe *probe)
{
	size_t at = probe->timer, child;

	for (; (child = at * 2) <= timers->n; at = child) {
		if (child < timers->n && timers->heap[child + 1]->deadline_usec < timers->heap[child]->deadline_usec)
			child++;
		if (timers->heap[child]->deadline_usec >= probe->deadline_usec)
			break;
		put(timers, at, timers->heap[child]);
	}
	put(timers, at, probe);
}

void timers_set(struct timers *timers, struct probe *probe)
{
	if (probe->timer == 0)
		put(timers, ++timers->n, probe);
	sift_up(timers, probe);
	sift_down(timers, probe);
}

void timers_remove(struct timers *timers, struct probe *probe)
{
	struct probe *last;

	if (probe->timer == 0)
		return;
	last = timers->heap[timers->n--];
	if (last != probe) {
		put(timers, probe->timer, last);
		sift_up(timers, last);
		sift_down(timers, last);
	}
	probe->timer = 0;
}

struct probe *timers_first(const struct timers *timers)
{
	return timers->n > 0 ? timers->heap[1] : NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * child.c: a listener may have thousands of waiters' sockets. So the ranges
 * between the few descriptors to be kept are closed as wholes.
 */

#include "child.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sigterm.h"

#define KEPT_MAX 128 /* more than any caller keeps */

/* Sorts a few numbers in a process that was just forked: qsort(3) would copy more pages than it saves steps. */
static void sort(int *numbers, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		int number = numbers[i];
		size_t at = i;

		for (; at > 0 && numbers[at - 1] > number; at--)
			numbers[at] = numbers[at - 1];
		numbers[at] = number;
	}
}

/* Closes all descriptors except 0 to 2 and the n in keep, which it sorts. */
static void close_others(int *keep, size_t n)
{
	int next = STDERR_FILENO + 1;

	sort(keep, n);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < next)
			continue;
		if (keep[i] > next)
			(void)close_range((unsigned)next, (unsigned)keep[i] - 1, 0);
		next = keep[i] + 1;
	}
	(void)close_range((unsigned)next, ~0u, 0);
}

int child_close_others(const struct score *score, const int *keep, size_t n)
{
	int all[KEPT_MAX + SCORE_FDS_MAX];

	if (n > KEPT_MAX)
		return -E2BIG;
	(void)memcpy(all, keep, n * sizeof(*all));
	n += score_fds(score, all + n);
	close_others(all, n);
	return 0;
}

int child_begin(struct score *score, const int *keep, size_t n)
{
	int r = child_close_others(score, keep, n);

	if (r == 0)
		r = sigterm_inherit();
	if (r == 0)
		score_after_fork(score);
	return r;
}

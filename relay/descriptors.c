/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * descriptors.c: a listener may have thousands of waiters' sockets; so the
 * gaps between the few that are to be kept are closed as ranges.
 */

#include "descriptors.h"

#include <unistd.h>

/* A few numbers, in a process that has just been forked: qsort(3) would cost more pages than steps. */
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

void descriptors_keep(int *keep, size_t n)
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

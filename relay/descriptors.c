/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * descriptors.c: a listener may have thousands of waiters' sockets. So the
 * ranges between the few descriptors to be kept are closed as wholes.
 */

#include "descriptors.h"

#include <unistd.h>

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

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * descriptors.c: a listener may have thousands of waiters' sockets; so the
 * gaps between the few that are to be kept are closed as ranges.
 */

#include "descriptors.h"

#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

void descriptors_keep(int *keep, size_t n)
{
	int next = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(*keep), compare);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < next)
			continue;
		if (keep[i] > next)
			(void)close_range((unsigned)next, (unsigned)keep[i] - 1, 0);
		next = keep[i] + 1;
	}
	(void)close_range((unsigned)next, ~0u, 0);
}

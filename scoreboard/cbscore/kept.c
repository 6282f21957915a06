/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "kept.h"

#include <inttypes.h>
#include <stdio.h>

#include "age.h"
#include "system/timespan.h"

const char *kept_format(uint64_t kept, uint64_t until_usec, char text[static KEPT_MAX])
{
	uint64_t now_usec = now_boottime(), rest_usec = until_usec > now_usec ? until_usec - now_usec : 0;
	char age[AGE_MAX];

	/* Rounded up: a core that is kept for half a second more is not kept for "0s". */
	(void)snprintf(text, KEPT_MAX, "%" PRIu64 " free core%s kept for up to %s (--patience), as faster cores are expected to serve "
		       "those that wait sooner", kept, kept == 1 ? " is" : "s are",
		       age_format(rest_usec / USEC_PER_SEC * USEC_PER_SEC + USEC_PER_SEC, age));
	return text;
}

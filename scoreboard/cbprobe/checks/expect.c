/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * expect.c: a search that goes over its bounds says something about the pattern
 * and what was sent, not about the node's health. So a hostile node can neither
 * take itself down by such a search nor hold up other nodes, and a sound node is not
 * taken down.
 */

#include "expect.h"

#include <errno.h>
#include <string.h>

#include "cbprobe/news.h"
#include "checkup.h"

enum outcome expect_pattern(struct probe *probe, const struct pattern *pattern, const char *subject, size_t size,
			    bool complete, struct pattern_search *search, size_t *ret_end)
{
	int r = pattern_search(pattern, subject, size, complete, search, ret_end);

	if (r >= 0)
		return r > 0 ? OUTCOME_UP : OUTCOME_PENDING;
	if (r == -ENOMEM) {
		probe->error = ENOMEM;
		return OUTCOME_LATER;
	}
	news_say(LOG_WARNING, "check \"%s\": its pattern takes too much work on what nodes answer; such nodes are left as they are",
		 probe->checkup->text);
	return probe_cannot_tell(probe, REASON_PATTERN, "%s", "");
}

int expect_prepare(const struct check_syntax *syntax, const char *pattern, bool lines, struct pattern **ret)
{
	char why[EXPECTED_MAX];
	int r = pattern_compile(pattern, strlen(pattern), lines, ret, why);

	if (r == -EINVAL)
		news_say(LOG_WARNING, "check \"%s\": \"%s\": expected %s; its nodes are left as they are", syntax->name,
			 pattern, why);
	return r;
}

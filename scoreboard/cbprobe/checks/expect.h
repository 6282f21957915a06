/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * expect.h: a check's pattern in what a node has answered.
 */

#include "check.h"
#include "list/pattern.h"

/*
 * Looks for the pattern as pattern_search() does. OUTCOME_UP: found, *ret_end is
 * the offset behind the match. OUTCOME_PENDING: not found. Any other result is the
 * outcome of the check: OUTCOME_UNKNOWN if the search went over its bounds, with a
 * message once a pass; OUTCOME_LATER without memory.
 */
enum outcome expect_pattern(struct probe *probe, const struct pattern *pattern, const char *subject, size_t size,
			    bool complete, struct pattern_search *search, size_t *ret_end);

/*
 * Compiles the pattern of a check, for its prepare(). lines: ^ and $ match at each
 * line, see pattern_compile(). 0: the caller ends *ret with pattern_free(). -EINVAL
 * after a message, or -ENOMEM, as prepare() returns them.
 */
int expect_prepare(const struct check_syntax *syntax, const char *pattern, bool lines, struct pattern **ret);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * pattern.h: the regular expressions of check=, compiled and matched by PCRE2
 * within bounds on memory and work that no pattern and no subject exceeds. The
 * reader of node lists and cbprobe compile by the same call, so both refuse the
 * same patterns.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expected.h"

#define PATTERN_SIZE_MAX 4096u /* bytes of a pattern's text */

struct pattern;

/*
 * Loads libpcre2-8, which otherwise happens at the first pattern. A process that
 * is about to lose sight of the library's file calls this first. 0; or -ENOSYS:
 * there is no such library.
 */
int pattern_load(void);

/*
 * Compiles size bytes of text. With lines, ^ and $ match at the ends of each
 * line of a subject; CR, LF and CRLF each end a line. 0: the caller ends *ret
 * with pattern_free(). -EINVAL: expected holds the phrase. -ENOMEM.
 */
int pattern_compile(const char *text, size_t size, bool lines, struct pattern **ret, char expected[static EXPECTED_MAX]);

/* Frees a pattern; NULL is fine. */
void pattern_free(struct pattern *pattern);

/*
 * A search in a subject that grows, as an answer of a node does. All zero: a new
 * search. Each call of pattern_search() looks only at the bytes that the calls
 * before could not decide. All calls together have one bound on their work.
 */
struct pattern_search {
	size_t begin;  /* no match begins before this byte */
	uint64_t work; /* done so far, see pattern.c */
};

/*
 * Looks for the pattern in size bytes of subject. Without complete, more bytes
 * may follow: $ does not match behind the last of them. 1: found, and *ret_end
 * is the offset behind the match. 0: not found. -E2BIG: the pattern takes more
 * work or memory for this subject than is allowed. -ENOMEM.
 */
int pattern_search(const struct pattern *pattern, const char *subject, size_t size, bool complete,
		   struct pattern_search *search, size_t *ret_end);

#define PATTERN_GROUPS_MAX 7u

/* The number of a named group, (?<name>...), from 1 on; 0: there is none, or its number is above PATTERN_GROUPS_MAX. */
unsigned pattern_group(const struct pattern *pattern, const char *name);

/* Where a group matched; begin and end are the same if it did not. */
struct pattern_part {
	size_t begin, end;
};

/* Looks for the pattern in a whole subject, within the same bound on work. 1: found, and *ret has the match itself and
 * its groups, by their numbers. 0: not found. Errors as of pattern_search(). */
int pattern_match(const struct pattern *pattern, const char *subject, size_t size,
		  struct pattern_part ret[static PATTERN_GROUPS_MAX + 1]);

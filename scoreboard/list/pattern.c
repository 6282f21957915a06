/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * pattern.c: PCRE2 backtracks, so a short pattern and a hostile subject can keep
 * it busy for ever. These bounds hold for every pattern and every subject:
 *
 *   compiling   PCRE2's own 64 kB for a compiled pattern; groups nest 50 deep;
 *               no back references, as a comparison of theirs has no bound.
 *   memory      4 MB for the alternatives still to be tried; a process has one
 *               such buffer.
 *   work        PCRE2's match limit begins anew at each byte of the subject
 *               where a match may begin, so that limit alone allows 65,536
 *               times as much. A callout before each item of the pattern adds
 *               up the work from all these places: a unit for the item, and a
 *               unit for each byte that the item before it passed over. Each
 *               repetition and each step back goes through the callout. The
 *               work that is not counted is at most the subject's size for
 *               each unit.
 *
 * The library is loaded when the first pattern is compiled: few relays ever read
 * a node list.
 */

#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "system/library.h"

#define LIBRARY "libpcre2-8.so.0"

#define NEST_MAX 50u            /* groups within groups */
#define WORK_MAX 5000000u       /* of one search: some 0.1 s */
#define MATCH_MAX 1000000u      /* PCRE2's match limit, from one byte of the subject */
#define DEPTH_MAX 100000u       /* and its limit of alternatives to be tried later */
#define HEAP_MAX_KB 4096u       /* memory for that */

struct pattern {
	pcre2_code *code;
};

/* The functions that are used of the library, by their names there. */
#define FUNCTIONS(X) \
	X(compile_context_create) X(set_newline) X(set_parens_nest_limit) X(set_max_pattern_length) \
	X(compile) X(code_free) X(pattern_info) X(get_error_message) \
	X(match_context_create) X(set_match_limit) X(set_depth_limit) X(set_heap_limit) X(set_callout) \
	X(match_data_create) X(get_ovector_pointer) X(match) X(substring_number_from_name)

#define NAME(f) pcre2_##f##_8
#define DECLARE(f) __typeof__(&NAME(f)) f;

static struct {
	FUNCTIONS(DECLARE)
	pcre2_compile_context *compiling;
	pcre2_match_context *matching;
	pcre2_match_data *data; /* keeps the buffer of HEAP_MAX_KB from one match to the next */
	bool loaded;
} pcre;

/* What the callout adds up. */
struct meter {
	uint64_t work;
	size_t at; /* where in the subject the previous callout was */
};

static int count(pcre2_callout_block *block, void *arg)
{
	struct meter *meter = arg;
	size_t at = block->current_position;

	meter->work += 1 + (at > meter->at ? at - meter->at : 0);
	meter->at = at;
	return meter->work > WORK_MAX ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static int make_contexts(void)
{
	pcre.compiling = pcre.compile_context_create(NULL);
	pcre.matching = pcre.match_context_create(NULL);
	pcre.data = pcre.match_data_create(PATTERN_GROUPS_MAX + 1, NULL);
	if (!pcre.compiling || !pcre.matching || !pcre.data)
		return -ENOMEM;
	(void)pcre.set_newline(pcre.compiling, PCRE2_NEWLINE_ANYCRLF);
	(void)pcre.set_parens_nest_limit(pcre.compiling, NEST_MAX);
	(void)pcre.set_max_pattern_length(pcre.compiling, PATTERN_SIZE_MAX);
	(void)pcre.set_match_limit(pcre.matching, MATCH_MAX);
	(void)pcre.set_depth_limit(pcre.matching, DEPTH_MAX);
	(void)pcre.set_heap_limit(pcre.matching, HEAP_MAX_KB);
	return 0;
}

int pattern_load(void)
{
	static const struct library_function functions[] = {
#define FIND(f) { &pcre.f, "pcre2_" #f "_8" },
		FUNCTIONS(FIND)
	};
	int r;

	if (pcre.loaded)
		return 0;
	r = library_load(LIBRARY, functions, sizeof(functions) / sizeof(functions[0])) ?: make_contexts();
	pcre.loaded = r == 0;
	return r;
}

/* PCRE2's words for an error in the text. */
static int refuse_text(char expected[static EXPECTED_MAX], int error, size_t offset)
{
	char words[160] = "";

	if (error == PCRE2_ERROR_BAD_SUBPATTERN_REFERENCE)
		return refuse_value(expected, "a regular expression without references to its groups");
	if (pcre.get_error_message(error, (PCRE2_UCHAR *)words, sizeof(words)) < 0)
		(void)snprintf(words, sizeof(words), "error %d", error);
	return refuse_value(expected, "a regular expression: %s, at byte %zu", words, offset + 1);
}

int pattern_compile(const char *text, size_t size, bool lines, struct pattern **ret, char expected[static EXPECTED_MAX])
{
	/* A node's bytes may be in any encoding. */
	uint32_t options = PCRE2_NO_AUTO_CAPTURE | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
			   PCRE2_NEVER_BACKSLASH_C | (lines ? PCRE2_MULTILINE : 0);
	uint32_t references = 0;
	struct pattern *pattern;
	PCRE2_SIZE offset = 0;
	int error = 0, r = pattern_load();

	if (r == -ENOSYS)
		return refuse_value(expected, "a regular expression, for which " LIBRARY " is needed");
	pattern = r == 0 ? calloc(1, sizeof(*pattern)) : NULL;
	if (!pattern)
		return -ENOMEM;
	pattern->code = pcre.compile((PCRE2_SPTR)text, size, options, &error, &offset, pcre.compiling);
	if (!pattern->code)
		r = error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : refuse_text(expected, error, offset);
	else if (pcre.pattern_info(pattern->code, PCRE2_INFO_BACKREFMAX, &references) < 0 || references > 0)
		r = refuse_value(expected, "a regular expression without references to its groups");
	if (r < 0)
		pattern_free(pattern);
	else
		*ret = pattern;
	return r;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	if (pattern->code)
		pcre.code_free(pattern->code);
	free(pattern);
}

/* Returns PCRE2's result, see pcre2_match(3). */
static int match(const struct pattern *pattern, const char *subject, size_t size, uint32_t options,
		 struct pattern_search *search)
{
	struct meter meter = { search->work, search->begin };
	int r;

	(void)pcre.set_callout(pcre.matching, count, &meter);
	r = pcre.match(pattern->code, (PCRE2_SPTR)subject, size, search->begin, options, pcre.data, pcre.matching);
	search->work = meter.work;
	return r;
}

static int errno_from(int error)
{
	return error == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -E2BIG; /* all others are limits */
}

/*
 * Finds the first byte at which a match may begin that later bytes complete.
 * The match is a hard partial match: it ends as soon as any attempt reaches the
 * subject's end, whatever it found there. For all bytes before that place the
 * attempt is over, and none of these attempts depended on the end.
 */
static int skip_decided(const struct pattern *pattern, const char *subject, size_t size, struct pattern_search *search)
{
	int r = match(pattern, subject, size, PCRE2_PARTIAL_HARD, search);

	if (r == PCRE2_ERROR_PARTIAL)
		search->begin = pcre.get_ovector_pointer(pcre.data)[0];
	else if (r == PCRE2_ERROR_NOMATCH)
		search->begin = size;
	return r == PCRE2_ERROR_PARTIAL || r == PCRE2_ERROR_NOMATCH || r >= 0 ? 0 : errno_from(r);
}

int pattern_search(const struct pattern *pattern, const char *subject, size_t size, bool complete,
		   struct pattern_search *search, size_t *ret_end)
{
	int r = match(pattern, subject, size, complete ? 0 : PCRE2_NOTEOL, search);

	if (r >= 0) {
		*ret_end = pcre.get_ovector_pointer(pcre.data)[1];
		return 1;
	}
	if (r != PCRE2_ERROR_NOMATCH)
		return errno_from(r);
	return complete ? 0 : skip_decided(pattern, subject, size, search);
}

unsigned pattern_group(const struct pattern *pattern, const char *name)
{
	int number = pcre.substring_number_from_name(pattern->code, (PCRE2_SPTR)name);

	return number > 0 && (unsigned)number <= PATTERN_GROUPS_MAX ? (unsigned)number : 0;
}

int pattern_match(const struct pattern *pattern, const char *subject, size_t size,
		  struct pattern_part ret[static PATTERN_GROUPS_MAX + 1])
{
	struct pattern_search search = { 0 };
	int r = match(pattern, subject, size, 0, &search);
	const size_t *pairs;

	if (r < 0)
		return r == PCRE2_ERROR_NOMATCH ? 0 : errno_from(r);
	/* r is one more than the highest group that matched; 0: there are more groups than fit. */
	pairs = pcre.get_ovector_pointer(pcre.data);
	for (unsigned i = 0; i <= PATTERN_GROUPS_MAX; i++) {
		bool matched = (r == 0 || i < (unsigned)r) && pairs[2 * i] != PCRE2_UNSET;

		ret[i] = matched ? (struct pattern_part){ pairs[2 * i], pairs[2 * i + 1] } : (struct pattern_part){ 0, 0 };
	}
	return 1;
}

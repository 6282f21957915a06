/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * pattern.c: any bytes as a pattern, and as a node's answer, in one piece and in
 * several. The pattern ends at the first newline; the byte behind that is the
 * size of a piece. A match that is found in one piece is also found in several,
 * and by pattern_match(), with groups that lie in the subject.
 */

#include <errno.h>
#include <string.h>

#include "fuzz.h"

#include "list/pattern.h"

/* As pattern_search(), for a subject that comes piece by piece. */
static int search_in_pieces(const struct pattern *pattern, const char *subject, size_t size, size_t piece)
{
	struct pattern_search search = { 0 };
	size_t end = 0, come = 0;
	int r;

	do {
		size_t begun = search.begin;

		come = size - come > piece ? come + piece : size;
		r = pattern_search(pattern, subject, come, come == size, &search, &end);
		MUST(r == 0 || r == 1 || r == -E2BIG || r == -ENOMEM);
		MUST(search.begin >= begun && search.begin <= come);
		MUST(r <= 0 || end <= come);
	} while (r == 0 && come < size);
	return r;
}

/* result and end: what pattern_search() said of the same subject. */
static void try_groups(const struct pattern *pattern, const char *subject, size_t size, int result, size_t end)
{
	static const char *const names[] = { "address", "port", "time", "n", "", "a name that is longer than PCRE2 allows any to be" };
	struct pattern_part parts[PATTERN_GROUPS_MAX + 1];
	int r;

	(void)memset(parts, 0xee, sizeof(parts));
	r = pattern_match(pattern, subject, size, parts);
	MUST(r == result);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		MUST(pattern_group(pattern, names[i]) <= PATTERN_GROUPS_MAX);
	for (unsigned i = 0; r == 1 && i <= PATTERN_GROUPS_MAX; i++)
		MUST(parts[i].begin <= parts[i].end && parts[i].end <= size);
	MUST(r != 1 || parts[0].end == end);
}

static void try_pattern(const char *text, size_t text_size, const char *subject, size_t size, size_t piece, bool lines)
{
	struct pattern_search search = { 0 };
	struct pattern *pattern = NULL;
	char why[EXPECTED_MAX];
	size_t end = 0;
	int r, in_pieces;

	(void)memset(why, 'x', sizeof(why));
	r = pattern_compile(text, text_size, lines, &pattern, why);
	MUST(r == 0 || r == -EINVAL);
	if (r < 0) {
		MUST(strnlen(why, sizeof(why)) < sizeof(why));
		return;
	}
	r = pattern_search(pattern, subject, size, true, &search, &end);
	try_groups(pattern, subject, size, r, end);
	in_pieces = search_in_pieces(pattern, subject, size, piece);
	/* Verbs such as (*SKIP) may make the result depend on where the search began. */
	if (r == 1 && in_pieces == 0)
		MUST(memmem(text, text_size, "(*", 2));
	pattern_free(pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = memchr(data, '\n', size);
	size_t text_size = newline ? (size_t)(newline - data) : 0, rest;
	char *text, *subject;

	if (!newline || newline + 1 == data + size)
		return 0;
	rest = size - text_size - 2;
	text = malloc(text_size + 1); /* of exactly these sizes, so that a read beyond them is found */
	subject = malloc(rest > 0 ? rest : 1);
	MUST(text && subject);
	(void)memcpy(text, data, text_size);
	text[text_size] = '\0';
	(void)memcpy(subject, newline + 2, rest);
	try_pattern(text, text_size, subject, rest, newline[1] % 16 + 1, newline[1] & 16);
	free(text);
	free(subject);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

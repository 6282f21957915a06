/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * values.c: any bytes as the value of an option (a length of time, a policy), as
 * a check, and as the line of a node's agent. timespan_parse() reads what
 * timespan_format() writes, as exactly as it was written. The first eight bytes
 * are also a length of time in binary.
 */

#include <errno.h>
#include <string.h>

#include "list/check_syntax.h"
#include "fuzz.h"
#include "scoreboard.h"
#include "system/timespan.h"

/* The greatest error of a time that is written with two units. */
static uint64_t precision(uint64_t usec)
{
	if (usec >= 86400 * USEC_PER_SEC)
		return 3600 * USEC_PER_SEC;
	if (usec >= 3600 * USEC_PER_SEC)
		return 60 * USEC_PER_SEC;
	if (usec >= 60 * USEC_PER_SEC)
		return USEC_PER_SEC;
	return usec >= USEC_PER_SEC ? 50 * USEC_PER_MSEC + 1 : 51;
}

static void check_format(uint64_t usec)
{
	char buffer[64], small[4];
	uint64_t again, off;

	MUST(timespan_format(usec, buffer, sizeof(buffer)) == buffer);
	MUST(strlen(buffer) < sizeof(buffer) - 1);
	MUST(timespan_parse(buffer, &again) == 0);
	off = again > usec ? again - usec : usec - again;
	MUST(off <= precision(usec));
	(void)timespan_format(usec, small, sizeof(small));
	MUST(memcmp(small, buffer, 3) == 0 && small[3] == '\0');
}

static void check_parse(const char *text)
{
	uint64_t usec = 42, spaced = 43;
	char *wide;
	int r = timespan_parse(text, &usec);

	MUST(r == 0 || ((r == -EINVAL || r == -ERANGE) && usec == 42));
	MUST(asprintf(&wide, " %s\t", text) > 0);
	MUST(timespan_parse(wide, &spaced) == r);
	MUST(r < 0 || spaced == usec);
	free(wide);
	if (r == 0)
		check_format(usec);
}

static void check_policy(const char *text)
{
	enum score_policy policy = policy_from_string(text);

	MUST(policy == POLICY_INVALID_ || strcmp(policy_to_string(policy), text) == 0);
	for (policy = 0; policy < POLICY_MAX_; policy++)
		MUST(policy_from_string(policy_to_string(policy)) == policy);
	MUST(!policy_to_string(POLICY_MAX_) && !policy_to_string(POLICY_INVALID_));
}

static void check_check(const char *text)
{
	char expected[EXPECTED_MAX];
	struct check_syntax syntax;

	(void)memset(expected, 'x', sizeof(expected));
	if (check_syntax_parse(text, &syntax, expected) < 0)
		MUST(strnlen(expected, sizeof(expected)) < sizeof(expected));
	else
		MUST(*syntax.name && strnlen(syntax.argument, sizeof(syntax.argument)) < sizeof(syntax.argument));
}

/* Whatever the words, the numbers stay within what the index can hold. */
static void check_agent(const char *text)
{
	struct agent before = { .words = AGENT_DRAIN | AGENT_LIMIT, .limit = 3 };
	struct agent_line line, again;
	char said[AGENT_TEXT_MAX + 1];

	agent_read(text, &before, &line);
	MUST(agent_speed(&line.agent, 2500) >= 1 && agent_speed(&line.agent, 1000000000) <= 1000000000);
	MUST(agent_limit(&line.agent, 8) >= 1 && agent_limit(&line.agent, 8) <= 8);
	agent_format(&line.agent, said);
	agent_read(said, &(struct agent){ 0 }, &again);
	MUST(agent_reason(&again.agent) == agent_reason(&line.agent) && !*again.unknown);
	MUST(agent_speed(&again.agent, 2500) == agent_speed(&line.agent, 2500));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	uint64_t usec;

	MUST(text);
	check_parse(text);
	check_policy(text);
	check_check(text);
	check_agent(text);
	free(text);
	if (size >= sizeof(usec)) {
		(void)memcpy(&usec, data, sizeof(usec));
		check_format(usec);
		check_format(usec >> (usec & 63)); /* short times as often as long ones */
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * banner.c: check=banner:REGEX and its short forms. In protocols in which the
 * server speaks first, the first line tells what kind of server is there.
 *
 * The line is matched as it comes, without its end while that is missing, so
 * that a banner without a newline can match. Only a complete line is known not to
 * match. Only the check for ssh looks at more lines than the first: a server may
 * send other lines before its version (RFC 4253, 4.2). A line that is longer than
 * any sound line must match by its first bytes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "list/check_syntax.h"
#include "checkup.h"
#include "connect.h"
#include "conversation.h"
#include "expect.h"
#include "talk.h"

#define LINE_MAX_LOOKED_AT 1024u /* bytes; SMTP's may have 512, SSH's 255 */

struct banner {
	struct pattern *pattern;
	bool any_line;
};

static const struct short_form {
	const char *name, *pattern;
	bool any_line;
} short_forms[] = {
	{ "ssh", "^SSH-(2\\.0|1\\.99)-", true },
	{ "smtp", "^220[ -]", false },
	{ "pop3", "^\\+OK", false },
	{ "imap", "^\\* (OK|PREAUTH)", false },
	{ "ftp", "^220[ -]", false },
};

static int banner_prepare(const struct check_syntax *syntax, void **ret)
{
	struct short_form form = { .pattern = syntax->argument };
	struct banner *banner = calloc(1, sizeof(*banner));
	int r;

	if (!banner)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(short_forms) / sizeof(short_forms[0]); i++)
		if (strcmp(short_forms[i].name, syntax->name) == 0)
			form = short_forms[i];
	banner->any_line = form.any_line;
	r = expect_prepare(syntax, form.pattern, false, &banner->pattern);
	if (r < 0)
		free(banner);
	else
		*ret = banner;
	return r;
}

static void banner_forget(void *prepared)
{
	struct banner *banner = prepared;

	pattern_free(banner->pattern);
	free(banner);
}

/* Goes to the line behind a line that does not match: the work of the search so far still counts, its position does
 * not. */
static void next_line(struct conversation *talk, size_t length)
{
	talk->step += (uint32_t)length;
	talk->search.begin = 0;
}

static enum outcome banner_heard(struct probe *probe, uint64_t deadline_usec)
{
	const struct banner *banner = probe->checkup->prepared;
	struct conversation *talk = probe->talk;
	enum outcome outcome;

	(void)deadline_usec;
	/* step: where the present line begins */
	while (talk->step < talk->received) {
		const char *line = (const char *)talk->data + talk->step;
		size_t room = talk->received - talk->step, end;
		const char *newline = memchr(line, '\n', room);
		size_t length = newline ? (size_t)(newline - line) : room;
		bool complete = newline || talk->ended, too_long = length > LINE_MAX_LOOKED_AT;

		if (newline && length > 0 && line[length - 1] == '\r')
			length--;
		if (too_long)
			length = LINE_MAX_LOOKED_AT;
		outcome = expect_pattern(probe, banner->pattern, line, length, complete && !too_long, &talk->search, &end);
		if (outcome != OUTCOME_PENDING)
			return outcome;
		if (too_long)
			return probe_fail(probe, REASON_TOO_LONG, "%s", "");
		if (complete && (!banner->any_line || talk->ended))
			return probe_fail_said(probe, REASON_WRONG_BANNER, "", line, length);
		if (!newline)
			break;
		next_line(talk, (size_t)(newline - line) + 1);
	}
	if (talk->ended && talk->received > 0) { /* all lines were passed over, and no other comes */
		size_t length;
		const char *last = conversation_last_line(talk, &length);

		return probe_fail_said(probe, REASON_WRONG_BANNER, "", last, length);
	}
	return OUTCOME_PENDING;
}

#define BANNER(name_) { \
		.name = name_, .talks = true, .prepare = banner_prepare, .forget = banner_forget, \
		.start = connect_start, .ready = talk_ready, .expired = talk_expired, \
		.opened = talk_listen, .heard = banner_heard, \
	}

const struct check check_banner = BANNER("banner");
const struct check check_ssh = BANNER("ssh");
const struct check check_smtp = BANNER("smtp");
const struct check check_pop3 = BANNER("pop3");
const struct check check_imap = BANNER("imap");
const struct check check_ftp = BANNER("ftp");

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "node_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "moment.h"

/* An address, with a port or not, where only an address has brackets: in the three alternatives the group is the same. */
#define ADDRESS "(?|(?<address>[0-9.]+)|\\[(?<address>[0-9A-Fa-f:.]+)\\]|(?<address>[0-9A-Fa-f:.]+))"
#define DISTCCD "\\bdistccd\\[\\d+\\]:? .*?(?:client: |connection from )" \
		"(?|\\[(?<address>[0-9A-Fa-f:.]+)\\]|(?<address>[0-9A-Fa-f:.]+)):(?<port>\\d{1,5})(?!\\S)"

static struct form {
	const char *expression;
	const char *time_format;
	struct pattern *pattern;              /* NULL: not compiled yet */
	unsigned address, port, time;         /* numbers of the groups; 0: there is none */
} known[] = {
	/* The common log format, and what begins with it. */
	{ "^" ADDRESS "(?::(?<port>\\d{1,5}))? .*?\\[(?<time>\\d\\d/\\w{3}/\\d{4}:\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)? [-+]\\d{4})\\]",
	  "%d/%b/%Y:%H:%M:%S %z", NULL, 0, 0, 0 },
	/* distccd: by journalctl -o short-iso, by syslog, and by its own --log-file, which has no times. */
	{ "^(?<time>\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d+)?(?:Z|[-+]\\d\\d:?\\d\\d)) .*?" DISTCCD,
	  "%Y-%m-%dT%H:%M:%S%z", NULL, 0, 0, 0 },
	{ "^(?<time>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d(?:[.,]\\d+)?) .*?" DISTCCD, "%b %e %H:%M:%S", NULL, 0, 0, 0 },
	{ "^" DISTCCD, NULL, NULL, 0, 0, 0 },
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static struct form own;
static struct form *forms = known;
static size_t n_forms = N_KNOWN;

static int prepare(struct form *form, char why[static EXPECTED_MAX])
{
	int r = form->pattern ? 0 : pattern_compile(form->expression, strlen(form->expression), false, &form->pattern, why);

	if (r < 0)
		return r;
	form->address = pattern_group(form->pattern, "address");
	form->port = pattern_group(form->pattern, "port");
	form->time = form->time_format ? pattern_group(form->pattern, "time") : 0;
	return 0;
}

int node_format_use(const char *expression, const char *time_format, char why[static EXPECTED_MAX])
{
	int r;

	own = (struct form){ .expression = expression, .time_format = time_format };
	forms = &own;
	n_forms = 1;
	r = prepare(&own, why);
	if (r < 0)
		return r;
	if (own.address != 0 && (!time_format || own.time != 0))
		return 0;
	return refuse_value(why, "%s", own.address == 0 ? "a regular expression with a group (?<address>...)" :
						    "a regular expression with a group (?<time>...) for --time-format");
}

static bool is_there(const struct pattern_part *part)
{
	return part->end > part->begin;
}

/* Reads a line by a form. As node_format_read(). */
static int read_by(const struct form *form, const char *line, size_t size, uint64_t near_usec, struct node_line *ret)
{
	static const struct pattern_part nothing;
	struct pattern_part parts[PATTERN_GROUPS_MAX + 1];
	int r = pattern_match(form->pattern, line, size, parts);
	const struct pattern_part *address = &parts[form->address], *port = form->port ? &parts[form->port] : &nothing;
	const struct pattern_part *time = form->time ? &parts[form->time] : &nothing;

	if (r <= 0)
		return r;
	*ret = (struct node_line){ .address_begin = address->begin, .address_end = address->end };
	if (endpoint_read(line + address->begin, address->end - address->begin, line + port->begin, port->end - port->begin,
			  &ret->peer) < 0)
		return 0;
	if (address->begin > 0 && line[address->begin - 1] == '[' && address->end < size && line[address->end] == ']') {
		ret->address_begin--;
		ret->address_end++;
	}
	if (port->begin > ret->address_end) {
		ret->port_begin = port->begin;
		ret->port_end = port->end;
	}
	if (is_there(time) && moment_parse(line + time->begin, time->end - time->begin, form->time_format, near_usec, &ret->usec,
					   &ret->unit_usec) < 0)
		return 0;
	return 1;
}

int node_format_read(const char *line, size_t size, uint64_t near_usec, struct node_line *ret)
{
	char why[EXPECTED_MAX];
	int r = 0;

	for (size_t i = 0; i < n_forms && r == 0; i++)
		r = prepare(&forms[i], why) ?: read_by(&forms[i], line, size, near_usec, ret);
	return r;
}

void node_format_clear(void)
{
	for (size_t i = 0; i < n_forms; i++) {
		pattern_free(forms[i].pattern);
		forms[i].pattern = NULL;
	}
}

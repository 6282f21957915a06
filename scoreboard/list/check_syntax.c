/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * check_syntax.c: reads check= by two tables: the kinds of checks, with their
 * rows in check_kinds.h, and their options.
 *
 * An option is written as -t 5s, -t5s, --timeout 5s or --timeout=5s. The other
 * forms of getopt_long(3) are refused: each option is a word of its own, and a
 * long name is complete. Options may stand before and behind the check. An
 * argument that is free text goes to the end of the text, blanks included, so
 * its options stand before the check.
 */

#include "check_syntax.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check_kinds.h"
#include "pattern.h"
#include "system/number.h"
#include "system/timespan.h"
#include "url_syntax.h"
#include "words.h"

#define BLANKS " \t"

/* Options that a check takes, as bits. */
enum {
	TAKES_TIMEOUT = 1 << 0,
	TAKES_SLOT = 1 << 1,
	TAKES_COMPILER = 1 << 2,
	TAKES_FINGERPRINT = 1 << 3,
	TAKES_STATUS = 1 << 8,
	TAKES_BODY = 1 << 9,
	TAKES_CA = 1 << 10,
	TAKES_INSECURE = 1 << 11,
	TAKES_HTTP = TAKES_TIMEOUT | TAKES_SLOT | TAKES_STATUS | TAKES_BODY,
};

enum argument {
	ARGUMENT_NONE, /* no colon */
	ARGUMENT_WORD, /* ends at a blank */
	ARGUMENT_REST, /* everything that follows */
};

/* Each parser: 0, or -EINVAL and the phrase. */
typedef int parser(const char *value, struct check_syntax *syntax, char *expected);

static int parse_regex(const char *value, struct check_syntax *syntax, char *expected)
{
	struct pattern *pattern = NULL;
	int r = pattern_compile(value, strlen(value), false, &pattern, expected);

	(void)syntax;
	pattern_free(pattern);
	/* Without memory the text cannot be judged; the program that compiles it for use finds its faults. */
	return r == -EINVAL ? r : 0;
}

static int parse_path(const char *value, struct check_syntax *syntax, char *expected)
{
	(void)syntax;
	return *value == '/' ? 0 : refuse_value(expected, "the absolute path of a file");
}

static int parse_port(const char *value, struct check_syntax *syntax, char *expected)
{
	uint64_t port;

	if (number_parse(value, 1, UINT16_MAX, &port) < 0)
		return refuse_value(expected, "a port, 1 to 65535");
	syntax->port = (uint16_t)port;
	return 0;
}

static int parse_url(const char *value, struct check_syntax *syntax, char *expected)
{
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p > '~')
			return refuse_value(expected, "a URL of ASCII characters without blanks");
	if (strncmp(value, "//", 2) != 0 || strcspn(value + 2, "/?:") == 0)
		return refuse_value(expected, "%s://HOST/PATH, where %%n is the node's own host:port", syntax->name);
	return url_syntax_check(value, expected);
}

static int parse_command(const char *value, struct check_syntax *syntax, char *expected)
{
	char text[NODE_CHECK_MAX + 1], *words[CHECK_WORDS_MAX + 1];
	int n;

	(void)syntax;
	(void)strcpy(text, value);
	n = words_split(text, words, CHECK_WORDS_MAX + 1);
	if (n < 0)
		return refuse_value(expected, "an end of what is quoted in the command");
	if (n == 0 || *words[0] != '/')
		return refuse_value(expected, "an absolute path as the command");
	for (int i = 0; i < n; i++)
		for (const char *p = words[i]; (p = strchr(p, '%')); p += 2)
			if (!p[1] || !strchr("%nhap", p[1]))
				return refuse_value(expected, "%%n, %%h, %%a, %%p or %%%% in the command");
	return 0;
}

static const struct name {
	const char *name;
	enum argument argument;
	unsigned takes;
	parser *parse; /* of the argument, or NULL */
} names[] = {
#define NAME_ROW(kind, argument, takes, parser) { #kind, argument, takes, parser },
	CHECK_KINDS(NAME_ROW)
};

static int parse_timeout(const char *value, struct check_syntax *syntax, char *expected)
{
	if (timespan_parse(value, &syntax->timeout_usec) < 0 || syntax->timeout_usec == 0)
		return refuse_value(expected, "a time above 0 as the --timeout, such as 5s");
	return 0;
}

static int parse_compiler(const char *value, struct check_syntax *syntax, char *expected)
{
	if (!*value)
		return refuse_value(expected, "a command as the --compiler");
	(void)strcpy(syntax->compiler, value);
	return 0;
}

static int parse_fingerprint(const char *value, struct check_syntax *syntax, char *expected)
{
	if (!*value || strlen(value) > NODE_FINGERPRINT_MAX)
		return refuse_value(expected, "a --fingerprint of 1 to %d bytes", NODE_FINGERPRINT_MAX);
	(void)strcpy(syntax->fingerprint, value);
	return 0;
}

/* The number that three digits at text make; -1 if fewer digits stand there. */
static int status_from(const char *text)
{
	return isdigit((unsigned char)text[0]) && isdigit((unsigned char)text[1]) && isdigit((unsigned char)text[2])
		       ? (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0') : -1;
}

static int parse_status(const char *value, struct check_syntax *syntax, char *expected)
{
	size_t length = strlen(value);
	int first = length == 3 || (length == 7 && value[3] == '-') ? status_from(value) : -1;
	int last = length == 7 ? status_from(value + 4) : first;

	/* A status of 1xx precedes the answer and is no answer itself. */
	if (first < 200 || last < first || last > 599)
		return refuse_value(expected, "a status from 200 to 599 or a range, such as 200-299, as the --status");
	if (syntax->n_statuses == CHECK_STATUSES_MAX)
		return refuse_value(expected, "--status at most %d times", CHECK_STATUSES_MAX);
	syntax->statuses[syntax->n_statuses++] = (struct check_status_range){ (uint16_t)first, (uint16_t)last };
	return 0;
}

static int parse_body(const char *value, struct check_syntax *syntax, char *expected)
{
	int r = *value ? parse_regex(value, syntax, expected) : refuse_value(expected, "a regular expression as the --body");

	if (r == 0)
		(void)strcpy(syntax->body, value);
	return r;
}

static int parse_ca(const char *value, struct check_syntax *syntax, char *expected)
{
	if (*value != '/')
		return refuse_value(expected, "the absolute path of a file as the --ca");
	(void)strcpy(syntax->ca, value);
	return 0;
}

static const struct option {
	const char *name;
	char letter;
	unsigned bit;
	parser *parse; /* NULL: a switch; its bool is at offset */
	size_t offset;
} options[] = {
	{ "timeout", 't', TAKES_TIMEOUT, parse_timeout, 0 },
	{ "slot", 's', TAKES_SLOT, NULL, offsetof(struct check_syntax, slot) },
	{ "compiler", 'c', TAKES_COMPILER, parse_compiler, 0 },
	{ "fingerprint", 'f', TAKES_FINGERPRINT, parse_fingerprint, 0 },
	{ "status", 'S', TAKES_STATUS, parse_status, 0 },
	{ "body", 'b', TAKES_BODY, parse_body, 0 },
	{ "ca", 'C', TAKES_CA, parse_ca, 0 },
	{ "insecure", 'k', TAKES_INSECURE, NULL, offsetof(struct check_syntax, insecure) },
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/*
 * Takes the next word off *rest and drops the blanks before it. Within double
 * quotes a blank is part of the word. 1; 0 if there is no word; or -EINVAL.
 */
static int take_word(const char **rest, char word[static NODE_CHECK_MAX + 1], char *expected)
{
	const char *p = *rest + strspn(*rest, BLANKS);
	bool quoted = false;
	size_t n = 0;

	if (!*p)
		return 0;
	for (; *p && (quoted || !strchr(BLANKS, *p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		else
			word[n++] = *p;
	}
	if (quoted)
		return refuse_value(expected, "a second double quote");
	word[n] = '\0';
	*rest = p;
	return 1;
}

/* The option that the word names. *ret_value: the value, if it stands in the same word, else NULL. */
static const struct option *find_option(char *word, char **ret_value)
{
	bool is_long = word[1] == '-';
	char *equals = is_long ? strchr(word, '=') : NULL;

	if (equals)
		*equals = '\0';
	*ret_value = equals ? equals + 1 : !is_long && word[1] && word[2] ? word + 2 : NULL;
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (is_long ? strcmp(options[i].name, word + 2) == 0 : options[i].letter == word[1])
			return &options[i];
	return NULL;
}

/* Reads an option; its value may be the next word. *seen collects the options' bits. */
static int parse_option(char *word, const char **rest, unsigned *seen, struct check_syntax *syntax, char *expected)
{
	char *value, next[NODE_CHECK_MAX + 1];
	const struct option *option = find_option(word, &value);

	if (!option)
		return refuse_value(expected, "no option \"%s\"", word);
	*seen |= option->bit;
	if (!option->parse) {
		if (value)
			return refuse_value(expected, "no value of --%s", option->name);
		*(bool *)((char *)syntax + option->offset) = true;
		return 0;
	}
	if (!value) {
		int r = take_word(rest, next, expected);

		if (r < 0)
			return r;
		if (r == 0)
			return refuse_value(expected, "a value of --%s", option->name);
		value = next;
	}
	return option->parse(value, syntax, expected);
}

static int parse_options(const char **rest, unsigned *seen, struct check_syntax *syntax, char *expected)
{
	while (*(*rest += strspn(*rest, BLANKS)) == '-') {
		char word[NODE_CHECK_MAX + 1];
		int r = take_word(rest, word, expected);

		if (r > 0)
			r = parse_option(word, rest, seen, syntax, expected);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct name *find_name(const char *text, size_t length)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (strlen(names[i].name) == length && strncmp(names[i].name, text, length) == 0)
			return &names[i];
	return NULL;
}

static int fail_name(char *expected)
{
	size_t n = (size_t)snprintf(expected, EXPECTED_MAX, "one of");

	for (size_t i = 0; i < N_NAMES; i++)
		n += (size_t)snprintf(expected + n, EXPECTED_MAX - n, "%s %s%s", i > 0 ? "," : "", names[i].name,
				      names[i].argument == ARGUMENT_NONE ? "" : ":");
	return -EINVAL;
}

/* Reads the check's name and its argument, and moves *rest behind them. */
static int parse_name(const char **rest, const struct name **ret, struct check_syntax *syntax, char *expected)
{
	size_t length = strcspn(*rest, ":" BLANKS);
	const struct name *name = find_name(*rest, length);

	if (!name)
		return fail_name(expected);
	(void)strcpy(syntax->name, name->name);
	*ret = name;
	*rest += length;
	if ((**rest == ':') != (name->argument != ARGUMENT_NONE))
		return refuse_value(expected, name->argument == ARGUMENT_NONE ? "no argument behind %s" : "%s:ARGUMENT",
			    name->name);
	if (**rest == ':')
		++*rest;
	if (name->argument != ARGUMENT_NONE) {
		length = name->argument == ARGUMENT_REST ? strlen(*rest) : strcspn(*rest, BLANKS);
		if (length == 0)
			return refuse_value(expected, "something behind %s:", name->name);
		(void)memcpy(syntax->argument, *rest, length);
		*rest += length;
	}
	return name->parse ? name->parse(syntax->argument, syntax, expected) : 0;
}

/* Complains, by name, about an option that the check does not take. */
static int refuse_options(const struct name *name, unsigned seen, char *expected)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (seen & ~name->takes & options[i].bit)
			return refuse_value(expected, "no --%s with %s", options[i].name, name->name);
	return 0;
}

int check_syntax_parse(const char *text, struct check_syntax *ret, char expected[static EXPECTED_MAX])
{
	const char *rest = *text ? text : "tcp";
	const struct name *name;
	unsigned seen = 0;
	int r;

	(void)memset(ret, 0, sizeof(*ret));
	if (strlen(text) > NODE_CHECK_MAX)
		return refuse_value(expected, "at most %d bytes", NODE_CHECK_MAX);
	r = parse_options(&rest, &seen, ret, expected) ?:
	    parse_name(&rest, &name, ret, expected) ?:
	    parse_options(&rest, &seen, ret, expected);
	if (r == 0 && *rest)
		r = refuse_value(expected, "options only behind %s", ret->name);
	if (r == 0)
		r = refuse_options(name, seen, expected);
	/* The phrase may quote bytes of the text. */
	for (char *p = expected; r < 0 && *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fields.c: the table of a node's fields, and a parser and a writer for each
 * kind of value.
 */

#include "fields.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check_syntax.h"
#include "host_syntax.h"
#include "nearest.h"
#include "system/number.h"
#include "system/printable.h"

#define SMT_MIN 0.001
#define SPEED_MIN 0.001
#define SPEED_MAX 1000000.0

/* ---- the values ---- */

static int parse_host(const char *value, void *member, char *expected)
{
	return host_parse(value, member, expected);
}

static void format_host(const void *member, char *text)
{
	bool v6 = strchr(member, ':') != NULL;

	(void)snprintf(text, FIELD_TEXT_MAX, "%s%s%s", v6 ? "[" : "", (const char *)member, v6 ? "]" : "");
}

static int parse_port(const char *value, void *member, char *expected)
{
	uint64_t port;

	if (number_parse(value, 1, 65535, &port) < 0)
		return refuse_value(expected, "1 to 65535");
	*(uint16_t *)member = (uint16_t)port;
	return 0;
}

static void format_port(const void *member, char *text)
{
	(void)snprintf(text, FIELD_TEXT_MAX, "%u", *(const uint16_t *)member);
}

static int parse_cores(const char *value, void *member, char *expected)
{
	uint64_t cores;

	if (number_parse(value, 1, NODE_CORES_MAX, &cores) < 0)
		return refuse_value(expected, "1 to %u", NODE_CORES_MAX);
	*(uint32_t *)member = (uint32_t)cores;
	return 0;
}

static void format_cores(const void *member, char *text)
{
	(void)snprintf(text, FIELD_TEXT_MAX, "%u", *(const uint32_t *)member);
}

static int parse_flags(const char *value, void *member, char *expected)
{
	uint64_t flags;

	if (number_parse_hex(value, 0, UINT32_MAX, &flags) < 0)
		return refuse_value(expected, "a decimal or 0x hexadecimal number");
	if (flags & ~(uint64_t)(BN_DOWN | BN_HOLD))
		return refuse_value(expected, "no bits but 0x80000000 (down) and 0x40000000 (hold)");
	*(uint32_t *)member = (uint32_t)flags;
	return 0;
}

static void format_flags(const void *member, char *text)
{
	uint32_t flags = *(const uint32_t *)member;

	(void)snprintf(text, FIELD_TEXT_MAX, flags ? "0x%08x" : "%u", flags);
}

static int parse_speed(const char *value, void *member, char *expected)
{
	if (number_parse_decimal(value, SPEED_MIN, SPEED_MAX, member) < 0)
		return refuse_value(expected, "a decimal number from 0.001 to 1000000");
	return 0;
}

static void format_speed(const void *member, char *text)
{
	double speed = *(const double *)member;

	*text = '\0';
	if (speed > 0)
		(void)snprintf(text, FIELD_TEXT_MAX, "%.15g", speed);
}

static int parse_smt(const char *value, void *member, char *expected)
{
	double part;

	if (number_parse_decimal(value, SMT_MIN, 1, &part) < 0)
		return refuse_value(expected, "a decimal number from 0.001 to 1");
	*(uint16_t *)member = (uint16_t)(part * 1000 + 0.5);
	return 0;
}

static void format_smt(const void *member, char *text)
{
	uint16_t part = *(const uint16_t *)member;

	*text = '\0';
	if (part > 0)
		(void)snprintf(text, FIELD_TEXT_MAX, "%.15g", part / 1000.0);
}

static int parse_yes_no(const char *value, void *member, char *expected)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return refuse_value(expected, "yes or no");
	*(bool *)member = yes;
	return 0;
}

static void format_yes_no(const void *member, char *text)
{
	(void)strcpy(text, *(const bool *)member ? "yes" : "");
}

/* Whether a text can be shown as it is. */
static bool is_shown_as_is(const char *value)
{
	char shown[NODE_CHECK_MAX + 1];

	(void)snprintf(shown, sizeof(shown), "%s", value);
	printable_line(shown);
	return strcmp(shown, value) == 0;
}

static int parse_check(const char *value, void *member, char *expected)
{
	struct check_syntax syntax;

	if (!*value || strlen(value) > NODE_CHECK_MAX)
		return refuse_value(expected, "1 to %d bytes", NODE_CHECK_MAX);
	if (!is_shown_as_is(value))
		return refuse_value(expected, "UTF-8 without control characters; a pattern has \\xHH for other bytes");
	if (check_syntax_parse(value, &syntax, expected) < 0)
		return -EINVAL;
	(void)memset(member, 0, NODE_CHECK_MAX + 1);
	(void)strcpy(member, value);
	return 0;
}

static void format_check(const void *member, char *text)
{
	(void)snprintf(text, FIELD_TEXT_MAX, "%s", (const char *)member);
}

static int parse_proxy(const char *value, void *member, char *expected)
{
	enum proxy_version *proxy = member;

	if (strcmp(value, "v1") == 0)
		*proxy = PROXY_V1;
	else if (strcmp(value, "v2") == 0)
		*proxy = PROXY_V2;
	else
		return refuse_value(expected, "v1 or v2");
	return 0;
}

static void format_proxy(const void *member, char *text)
{
	enum proxy_version proxy = *(const enum proxy_version *)member;

	(void)strcpy(text, proxy == PROXY_V1 ? "v1" : proxy == PROXY_V2 ? "v2" : "");
}

/* ---- the table ---- */

#define MEMBER(name) offsetof(struct node_config, name), sizeof(((struct node_config *)NULL)->name)

const struct field node_fields[] = {
	{ "host", FIELD_PLACED, true, "HOST", "a name, or an address, IPv6 in brackets", MEMBER(host),
	  parse_host, format_host },
	{ "port", FIELD_PLACED, true, "PORT", "1 to 65535", MEMBER(port), parse_port, format_port },
	{ "cores", FIELD_PLACED, false, "N", "connections at once, 1 to 65535", MEMBER(cores), parse_cores, format_cores },
	{ "flags", FIELD_PLACED, false, "BITS", "0x80000000 down, 0x40000000 held by an administrator", MEMBER(flags),
	  parse_flags, format_flags },
	{ "speed", FIELD_KEY, false, "FACTOR", "pins the speed; 1 is ordinary", MEMBER(speed), parse_speed, format_speed },
	{ "smt", FIELD_KEY, false, "PART", "what a core adds once half of them are busy", MEMBER(smt), parse_smt, format_smt },
	{ "backup", FIELD_WORD, false, "yes|no", "used only while no other node is up", MEMBER(backup),
	  parse_yes_no, format_yes_no },
	{ "silent", FIELD_WORD, false, "yes|no", "may end connections without an answer", MEMBER(silent),
	  parse_yes_no, format_yes_no },
	{ "check", FIELD_KEY, false, "CHECK", "how cbprobe checks the node", MEMBER(check), parse_check, format_check },
	{ "proxy", FIELD_KEY, false, "v1|v2", "send the client's address in a PROXY header", MEMBER(proxy),
	  parse_proxy, format_proxy },
	{ "check-proxy", FIELD_KEY, false, "v1|v2", "send a PROXY header with checks, too", MEMBER(check_proxy),
	  parse_proxy, format_proxy },
};

const size_t n_node_fields = sizeof(node_fields) / sizeof(node_fields[0]);

_Static_assert(sizeof(node_fields) / sizeof(node_fields[0]) <= 32, "a set of fields has 32 bits");

const struct field *field_find(const char *name, size_t length)
{
	for (size_t i = 0; i < n_node_fields; i++)
		if (strlen(node_fields[i].name) == length && strncmp(node_fields[i].name, name, length) == 0)
			return &node_fields[i];
	return NULL;
}

uint32_t field_bit(const struct field *field)
{
	return UINT32_C(1) << (field - node_fields);
}

static void *member_of(const struct field *field, struct node_config *node)
{
	return (char *)node + field->offset;
}

/* ---- reading and writing ---- */

const char *field_shown(const char *value, char buffer[static 64])
{
	size_t i;

	for (i = 0; i < 60 && value[i]; i++)
		buffer[i] = isprint((unsigned char)value[i]) ? value[i] : '?';
	(void)memcpy(buffer + i, value[i] ? "..." : "", value[i] ? 4 : 1);
	return buffer;
}

int field_parse(const struct field *field, const char *value, struct node_config *node, char message[static FIELD_MESSAGE_MAX])
{
	char expected[EXPECTED_MAX], shown[64];
	int r = field->parse(value, member_of(field, node), expected);

	if (r < 0)
		(void)snprintf(message, FIELD_MESSAGE_MAX, "%s: \"%s\": expected %s", field->name, field_shown(value, shown),
			       expected);
	return r;
}

void field_format(const struct field *field, const struct node_config *node, char text[static FIELD_TEXT_MAX])
{
	field->format((const char *)node + field->offset, text);
}

/* Lists the names of the fields for which wanted() holds, with "or" before the last. */
static void list_names(char *text, size_t size, bool (*wanted)(const struct field *field), bool with_words)
{
	size_t left = 0, used = 0;

	for (size_t i = 0; i < n_node_fields; i++)
		left += wanted(&node_fields[i]);
	*text = '\0';
	for (size_t i = 0; i < n_node_fields && used < size; i++) {
		if (!wanted(&node_fields[i]))
			continue;
		left--;
		used += (size_t)snprintf(text + used, size - used, "%s%s%s", node_fields[i].name,
					 node_fields[i].form == FIELD_WORD && !with_words ? "" : "=",
					 left > 1 ? ", " : left == 1 ? " or " : "");
	}
}

static bool is_key(const struct field *field)
{
	return field->form != FIELD_PLACED;
}

static bool is_settable(const struct field *field)
{
	return !field->is_fixed;
}

/* The fields among which nearest() looks: those for which wanted() holds. */
struct choice {
	bool (*wanted)(const struct field *field);
};

static const char *choice_name(const void *words, size_t wanted)
{
	const struct choice *choice = words;

	for (size_t i = 0; i < n_node_fields; i++)
		if (choice->wanted(&node_fields[i]) && wanted-- == 0)
			return node_fields[i].name;
	return NULL;
}

/* Writes a complaint about a name: shown, as it was written; the most similar name, and all names. */
static void complain_unknown(const char *name, const char *shown, bool (*wanted)(const struct field *field), bool with_words,
			     char message[static FIELD_MESSAGE_MAX])
{
	const struct choice choice = { .wanted = wanted };
	const char *meant = nearest(name, choice_name, &choice);
	const struct field *field = meant ? field_find(meant, strlen(meant)) : NULL;
	char all[EXPECTED_MAX], buffer[64];

	list_names(all, sizeof(all), wanted, with_words);
	if (field)
		(void)snprintf(message, FIELD_MESSAGE_MAX, "\"%s\"; did you mean %s%s? Expected %s", field_shown(shown, buffer),
			       meant, field->form == FIELD_WORD && !with_words ? "" : "=", all);
	else
		(void)snprintf(message, FIELD_MESSAGE_MAX, "\"%s\": expected %s", field_shown(shown, buffer), all);
}

void fields_unknown_key(const char *name, char message[static FIELD_MESSAGE_MAX])
{
	complain_unknown(name, name, is_key, false, message);
}

int field_assign(const char *assignment, struct node_config *node, uint32_t *set, char message[static FIELD_MESSAGE_MAX])
{
	const char *equals = strchr(assignment, '='), *value = equals ? equals + 1 : "";
	const struct field *field = equals ? field_find(assignment, (size_t)(equals - assignment)) : NULL;
	char shown[64], name[64];

	if (!field || field->is_fixed) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(equals ? equals - assignment : (ptrdiff_t)strlen(assignment)),
			       assignment);
		complain_unknown(name, assignment, is_settable, true, message);
		return -EINVAL;
	}
	/* A node list has no way to write such a value. */
	if (strpbrk(value, ",#\n") || strlen(value) > NODE_CHECK_MAX) {
		(void)snprintf(message, FIELD_MESSAGE_MAX, "%s: \"%s\": expected one line of at most %d bytes, without a comma "
			       "or #", field->name, field_shown(value, shown), NODE_CHECK_MAX);
		return -EINVAL;
	}
	*set |= field_bit(field);
	if (!*value && field->form == FIELD_KEY) {
		(void)memset(member_of(field, node), 0, field->size);
		return 0;
	}
	return field_parse(field, value, node, message);
}

void fields_copy(struct node_config *to, const struct node_config *from, uint32_t set)
{
	for (size_t i = 0; i < n_node_fields; i++)
		if (set & field_bit(&node_fields[i]))
			(void)memcpy((char *)to + node_fields[i].offset, (const char *)from + node_fields[i].offset, node_fields[i].size);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nodelist.c: reads corebalance-nodes(5). A line is split at commas into
 * fields; each field has one parser, and each parser's complaint has the same
 * form: place, field, the value as written, what was expected.
 */

#include "nodelist.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_syntax.h"

#define LINE_FIELDS_MAX 16

/* Where a complaint points: file and line, or an argument. */
struct place {
	struct nodelist *list;
	char text[PATH_MAX + 32];
	bool refused;
};

static int complain(struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int complain(struct place *place, const char *format, ...)
{
	char message[1024], *line;
	char **errors;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);

	place->refused = true;
	if (asprintf(&line, "%s: %s", place->text, message) < 0)
		return -ENOMEM;
	errors = reallocarray(place->list->errors, place->list->n_errors + 1, sizeof(*errors));
	if (!errors) {
		free(line);
		return -ENOMEM;
	}
	place->list->errors = errors;
	errors[place->list->n_errors++] = line;
	return 0;
}

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

/* A value as a message shows it: short, and without bytes that would upset a terminal. */
static const char *shown(const char *value, char buffer[static 64])
{
	size_t i;

	for (i = 0; i < 60 && value[i]; i++)
		buffer[i] = isprint((unsigned char)value[i]) ? value[i] : '?';
	(void)memcpy(buffer + i, value[i] ? "..." : "", value[i] ? 4 : 1);
	return buffer;
}

/* Digits only: no sign, no blanks. 0 or -EINVAL. */
static int parse_unsigned(const char *s, int base, unsigned long min, unsigned long max, unsigned long *ret)
{
	unsigned long value;
	char *end;

	if (!isxdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	value = strtoul(s, &end, base);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int field_host(struct place *place, char *value, struct node_config *node)
{
	char buffer[64];
	size_t length = strlen(value);
	const char *p;

	if (length > 1 && value[0] == '[' && value[length - 1] == ']') {
		value[length - 1] = '\0';
		value++;
		if (!strchr(value, ':'))
			return complain(place, "host: \"[%s]\": expected an IPv6 address in the brackets",
					shown(value, buffer));
	} else if (strchr(value, ':')) {
		return complain(place, "host: \"%s\": expected a name, an IPv4 address, or an IPv6 address in brackets",
				shown(value, buffer));
	}
	if (!*value || strlen(value) > NODE_HOST_MAX)
		return complain(place, "host: \"%s\": expected a name or address of 1 to %d bytes",
				shown(value, buffer), NODE_HOST_MAX);
	for (p = value; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_:%", *p))
			return complain(place, "host: \"%s\": expected letters, digits, dots and hyphens",
					shown(value, buffer));
	(void)strcpy(node->host, value);
	return 0;
}

static int field_port(struct place *place, const char *value, struct node_config *node)
{
	char buffer[64];
	unsigned long port;

	if (parse_unsigned(value, 10, 1, 65535, &port) < 0)
		return complain(place, "port: \"%s\": expected 1 to 65535", shown(value, buffer));
	node->port = (uint16_t)port;
	return 0;
}

static int field_cores(struct place *place, const char *value, struct node_config *node)
{
	char buffer[64];
	unsigned long cores;

	if (parse_unsigned(value, 10, 1, NODE_CORES_MAX, &cores) < 0)
		return complain(place, "cores: \"%s\": expected 1 to %u", shown(value, buffer), NODE_CORES_MAX);
	node->cores = (uint32_t)cores;
	return 0;
}

static int field_flags(struct place *place, const char *value, struct node_config *node)
{
	bool hex = value[0] == '0' && (value[1] == 'x' || value[1] == 'X');
	char buffer[64];
	unsigned long flags;

	if (parse_unsigned(hex ? value + 2 : value, hex ? 16 : 10, 0, UINT32_MAX, &flags) < 0)
		return complain(place, "flags: \"%s\": expected a decimal or 0x hexadecimal number",
				shown(value, buffer));
	if (flags & ~(unsigned long)(BN_DOWN | BN_HOLD))
		return complain(place, "flags: \"%s\": expected no bits but 0x80000000 (down) and 0x40000000 (hold)",
				shown(value, buffer));
	node->flags = (uint32_t)flags;
	return 0;
}

static int key_speed(struct place *place, const char *value, struct node_config *node)
{
	char buffer[64], *end;
	double speed;

	/* Only plain decimals: strtod() alone would take "inf", "nan" and hexadecimal. */
	if (!*value || strspn(value, "0123456789.") != strlen(value))
		goto bad;
	speed = strtod(value, &end);
	if (*end || end == value || !isfinite(speed) || speed < 0.001 || speed > 1000000)
		goto bad;
	node->speed = speed;
	return 0;
bad:
	return complain(place, "speed: \"%s\": expected a decimal number from 0.001 to 1000000",
			shown(value, buffer));
}

static int key_check(struct place *place, const char *value, struct node_config *node)
{
	char buffer[64], expected[CHECK_EXPECTED_MAX];
	struct check_syntax syntax;

	if (!*value || strlen(value) > NODE_CHECK_MAX)
		return complain(place, "check: \"%s\": expected 1 to %d bytes", shown(value, buffer), NODE_CHECK_MAX);
	if (check_syntax_parse(value, &syntax, expected) < 0)
		return complain(place, "check: \"%s\": expected %s", shown(value, buffer), expected);
	(void)strcpy(node->check, value);
	return 0;
}

static int proxy_version(struct place *place, const char *key, const char *value, enum node_proxy *ret)
{
	char buffer[64];

	if (strcmp(value, "v1") == 0)
		*ret = NODE_PROXY_V1;
	else if (strcmp(value, "v2") == 0)
		*ret = NODE_PROXY_V2;
	else
		return complain(place, "%s: \"%s\": expected v1 or v2", key, shown(value, buffer));
	return 0;
}

static int key_proxy(struct place *place, const char *value, struct node_config *node)
{
	return proxy_version(place, "proxy", value, &node->proxy);
}

static int key_check_proxy(struct place *place, const char *value, struct node_config *node)
{
	return proxy_version(place, "check-proxy", value, &node->check_proxy);
}

static int key_backup(struct place *place, const char *value, struct node_config *node)
{
	(void)place;
	(void)value;
	node->backup = true;
	return 0;
}

static const struct key {
	const char *name;
	bool has_value;
	int (*parse)(struct place *place, const char *value, struct node_config *node);
} keys[] = {
	{ "speed", true, key_speed },
	{ "check", true, key_check },
	{ "backup", false, key_backup },
	{ "proxy", true, key_proxy },
	{ "check-proxy", true, key_check_proxy },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static int field_key(struct place *place, char *field, struct node_config *node, unsigned *seen)
{
	char buffer[64];
	char *equals = strchr(field, '='), *name, *value = NULL;

	if (equals) {
		*equals = '\0';
		value = trim(equals + 1);
	}
	name = trim(field);

	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (keys[i].has_value != (value != NULL))
			return complain(place, "%s: expected %s", name,
					keys[i].has_value ? "a value, as in key=value" : "no value");
		if (*seen & 1u << i)
			return complain(place, "%s: expected once only", name);
		*seen |= 1u << i;
		return keys[i].parse(place, value, node);
	}
	return complain(place, "key: \"%s\": expected speed=, check=, backup, proxy= or check-proxy=",
			shown(name, buffer));
}

static int list_append(struct nodelist *list, const struct node_config *node)
{
	/* Grows by doubling: n_nodes is its own capacity's witness at powers of two. */
	if ((list->n_nodes & (list->n_nodes - 1)) == 0) {
		size_t room = list->n_nodes ? list->n_nodes * 2 : 1;
		struct node_config *nodes = reallocarray(list->nodes, room, sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		list->nodes = nodes;
	}
	list->nodes[list->n_nodes++] = *node;
	return 0;
}

/* Splits at commas, in place. */
static size_t split_fields(char *line, char *fields[static LINE_FIELDS_MAX])
{
	size_t n = 0;

	while (line && n < LINE_FIELDS_MAX) {
		char *comma = strchr(line, ',');

		if (comma)
			*comma = '\0';
		fields[n++] = trim(line);
		line = comma ? comma + 1 : NULL;
	}
	return n;
}

static int parse_line(struct place *place, char *line, struct nodelist *list)
{
	static int (*const numeric[])(struct place *, const char *, struct node_config *) = {
		field_port, field_cores, field_flags,
	};
	static const char *const names[] = { "host", "port", "cores", "flags" };
	char *fields[LINE_FIELDS_MAX], *comment = strchr(line, '#');
	struct node_config node = { 0 };
	unsigned seen = 0;
	size_t n;
	int r;

	if (comment)
		*comment = '\0';
	line = trim(line);
	if (!*line)
		return 0;

	n = split_fields(line, fields);
	if (n < 4)
		return complain(place, "%s: missing: expected host, port, cores, flags", names[n]);

	r = field_host(place, fields[0], &node);
	for (size_t i = 0; r >= 0 && i < 3; i++)
		r = numeric[i](place, fields[i + 1], &node);
	for (size_t i = 4; r >= 0 && i < n; i++)
		r = field_key(place, fields[i], &node, &seen);
	if (r < 0 || place->refused)
		return r;

	node_name(node.host, node.port, node.name);
	return list_append(list, &node);
}

/* The list's nodes sorted by name, so that equal ones are neighbours; ties in list order. */
static int compare_names(const void *a, const void *b)
{
	const struct node_config *const *x = a, *const *y = b;
	int r = strcmp((*x)->name, (*y)->name);

	return r ? r : (*x > *y) - (*x < *y);
}

/* lines[i] is the line of nodes[i]. */
static int refuse_duplicates(struct place *place, const char *name, const struct nodelist *list, const size_t *lines)
{
	const struct node_config **sorted;
	int r = 0;

	if (list->n_nodes < 2)
		return 0;
	sorted = reallocarray(NULL, list->n_nodes, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_nodes; i++)
		sorted[i] = &list->nodes[i];
	qsort(sorted, list->n_nodes, sizeof(*sorted), compare_names);
	for (size_t i = 1; r >= 0 && i < list->n_nodes; i++) {
		size_t first = (size_t)(sorted[i - 1] - list->nodes), again = (size_t)(sorted[i] - list->nodes);

		if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0)
			continue;
		(void)snprintf(place->text, sizeof(place->text), "%s:%zu", name, lines[again]);
		r = complain(place, "host: \"%s\": expected once only, it is in line %zu already",
			     sorted[i]->name, lines[first]);
	}
	free(sorted);
	return r;
}

int nodelist_parse(const char *name, const char *text, size_t size, struct nodelist *ret)
{
	struct place place = { .list = ret };
	size_t *lines = NULL, n_lines = 0, number = 0;
	const char *base = strrchr(name, '/'), *p = text, *end = text + size;
	int r = 0;

	*ret = (struct nodelist){ 0 };
	base = base ? base + 1 : name;

	while (r >= 0 && p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((newline ? newline : end) - p), before = ret->n_nodes;
		char *line = strndup(p, length);

		if (!line) {
			r = -ENOMEM;
			break;
		}
		number++;
		place.refused = false;
		(void)snprintf(place.text, sizeof(place.text), "%s:%zu", base, number);
		if (strlen(line) != length)
			r = complain(&place, "line: expected text, found a NUL byte");
		else
			r = parse_line(&place, line, ret);
		free(line);
		p += length + 1;

		if (ret->n_nodes == before)
			continue;
		if ((n_lines & (n_lines - 1)) == 0) {
			size_t *more = reallocarray(lines, n_lines ? n_lines * 2 : 1, sizeof(*lines));

			if (!more) {
				r = -ENOMEM;
				break;
			}
			lines = more;
		}
		lines[n_lines++] = number;
	}
	if (r >= 0)
		r = refuse_duplicates(&place, base, ret, lines);
	free(lines);
	if (r < 0)
		nodelist_clear(ret);
	return r < 0 ? r : 0;
}

int nodelist_read(const char *path, struct nodelist *ret)
{
	char *text = NULL;
	size_t size = 0, room = 0;
	FILE *file;
	int r;

	*ret = (struct nodelist){ 0 };
	file = fopen(path, "re");
	if (!file)
		return -errno;
	for (;;) {
		if (size == room) {
			char *more = realloc(text, room = room ? room * 2 : 65536);

			if (!more) {
				r = -ENOMEM;
				goto out;
			}
			text = more;
		}
		errno = 0;
		size += fread(text + size, 1, room - size, file);
		if (ferror(file)) {
			r = errno ? -errno : -EIO;
			goto out;
		}
		if (feof(file))
			break;
	}
	r = nodelist_parse(path, text, size, ret);
out:
	free(text);
	(void)fclose(file);
	return r;
}

int nodelist_add(struct nodelist *list, const char *where, const char *host, const char *port, const char *cores)
{
	struct place place = { .list = list };
	struct node_config node = { 0 };
	char *copy = strdup(host);
	int r;

	if (!copy)
		return -ENOMEM;
	(void)snprintf(place.text, sizeof(place.text), "%s", where);
	r = field_host(&place, copy, &node);
	free(copy);
	if (r >= 0)
		r = field_port(&place, port, &node);
	if (r >= 0)
		r = field_cores(&place, cores, &node);
	if (r >= 0 && !place.refused) {
		node_name(node.host, node.port, node.name);
		for (size_t i = 0; r >= 0 && i < list->n_nodes; i++)
			if (strcmp(list->nodes[i].name, node.name) == 0)
				r = complain(&place, "host: \"%s\": expected once only", node.name);
	}
	if (r >= 0 && !place.refused)
		r = list_append(list, &node);
	return r < 0 ? r : place.refused;
}

void nodelist_clear(struct nodelist *list)
{
	for (size_t i = 0; i < list->n_errors; i++)
		free(list->errors[i]);
	free(list->errors);
	free(list->nodes);
	*list = (struct nodelist){ 0 };
}

void node_name(const char *host, uint16_t port, char ret[static NODE_NAME_MAX + 1])
{
	(void)snprintf(ret, NODE_NAME_MAX + 1, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static const char *proxy_to_string(enum node_proxy proxy)
{
	return proxy == NODE_PROXY_V1 ? "v1" : "v2";
}

int node_config_format(const struct node_config *config, char *buffer, size_t size)
{
	bool v6 = strchr(config->host, ':') != NULL;
	char speed[48] = "", check[NODE_CHECK_MAX + 16] = "", proxy[16] = "", check_proxy[32] = "";

	if (config->speed > 0)
		(void)snprintf(speed, sizeof(speed), ", speed=%.15g", config->speed);
	if (*config->check)
		(void)snprintf(check, sizeof(check), ", check=%s", config->check);
	if (config->proxy)
		(void)snprintf(proxy, sizeof(proxy), ", proxy=%s", proxy_to_string(config->proxy));
	if (config->check_proxy)
		(void)snprintf(check_proxy, sizeof(check_proxy), ", check-proxy=%s",
			       proxy_to_string(config->check_proxy));
	return snprintf(buffer, size, config->flags ? "%s%s%s, %u, %u, 0x%08x%s%s%s%s%s" : "%s%s%s, %u, %u, %u%s%s%s%s%s",
			v6 ? "[" : "", config->host, v6 ? "]" : "", config->port, config->cores, config->flags,
			speed, config->backup ? ", backup" : "", check, proxy, check_proxy);
}

bool node_config_equal(const struct node_config *a, const struct node_config *b)
{
	char x[1024], y[1024];

	(void)node_config_format(a, x, sizeof(x));
	(void)node_config_format(b, y, sizeof(y));
	return strcmp(x, y) == 0;
}

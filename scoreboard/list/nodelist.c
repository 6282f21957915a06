/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nodelist.c: reads corebalance-nodes(5). A line is split at commas into the
 * fields that fields.c has rows for. Every complaint has the same form: place,
 * field, the value as written, what was expected.
 */

#include "nodelist.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fields.h"
#include "system/grow.h"

#define LINE_FIELDS_MAX 16
#define BYTES_MAX (64u << 20)          /* of a file: some hundred for each of a hundred thousand nodes */
#define WRITER_MSEC 5000               /* to wait for the first byte of a named pipe */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

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
	struct nodelist *list = place->list;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);

	place->refused = true;
	if (asprintf(&line, "%s: %s", place->text, message) < 0)
		return -ENOMEM;
	if (GROW(list->errors, list->n_errors, list->room_errors) < 0) {
		free(line);
		return -ENOMEM;
	}
	list->errors[list->n_errors++] = line;
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

static int read_field(struct place *place, const struct field *field, const char *value, struct node_config *node)
{
	char message[FIELD_MESSAGE_MAX];

	return field_parse(field, value, node, message) < 0 ? complain(place, "%s", message) : 0;
}

/* Reads a field behind those that have a fixed place: NAME=VALUE, or NAME alone. *seen collects the fields of the line so far. */
static int read_key(struct place *place, char *text, struct node_config *node, uint32_t *seen)
{
	char *equals = strchr(text, '='), *name, *value = NULL, message[FIELD_MESSAGE_MAX];
	const struct field *field;

	if (equals) {
		*equals = '\0';
		value = trim(equals + 1);
	}
	name = trim(text);
	field = field_find(name, strlen(name));
	if (!field || field->form == FIELD_PLACED) {
		fields_unknown_key(name, message);
		return complain(place, "key: %s", message);
	}
	if ((field->form == FIELD_KEY) != (value != NULL))
		return complain(place, "%s: expected %s", name, value ? "no value" : "a value, as in key=value");
	if (*seen & field_bit(field))
		return complain(place, "%s: expected once only", name);
	*seen |= field_bit(field);
	return read_field(place, field, value ? value : "yes", node);
}

static int list_append(struct nodelist *list, const struct node_config *node)
{
	int r = GROW(list->nodes, list->n_nodes, list->room_nodes);

	if (r == 0)
		list->nodes[list->n_nodes++] = *node;
	return r;
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

/* Whether anything stands where commas may have been meant: a byte that no host and no number has. */
static bool has_joints(char *texts[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *address = *texts[i] == '[' ? strchr(texts[i], ']') : NULL;

		for (const char *rest = address ? address + 1 : texts[i]; *rest; rest++)
			if (!isalnum((unsigned char)*rest) && !strchr(".-_", *rest))
				return true;
	}
	return false;
}

static int parse_line(struct place *place, char *line, struct nodelist *list)
{
	char *texts[LINE_FIELDS_MAX], *comment = strchr(line, '#');
	struct node_config node = { 0 };
	uint32_t seen = 0;
	char shown[64];
	size_t n;
	int r = 0;

	if (comment)
		*comment = '\0';
	line = trim(line);
	if (!*line)
		return 0;

	(void)field_shown(line, shown);
	n = split_fields(line, texts);
	if (n < FIELDS_PLACED && has_joints(texts, n))
		return complain(place, "line: \"%s\": expected commas between host, port, cores, flags", shown);
	if (n < FIELDS_PLACED)
		return complain(place, "%s: missing: expected host, port, cores, flags", node_fields[n].name);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = i < FIELDS_PLACED ? read_field(place, &node_fields[i], texts[i], &node)
				      : read_key(place, texts[i], &node, &seen);
	if (r < 0 || place->refused)
		return r;

	node_name(node.host, node.port, node.name);
	return list_append(list, &node);
}

/* Sorts the list's nodes by name, so that equal names are neighbours; equal names keep the list's order. */
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

/* Complains if the nodes together have too many cores. lines[i] is the line of nodes[i], and the complaint is about the node
 * with which they are too many. With lines NULL it is about the last node, at the present place. */
static int refuse_cores(struct place *place, const struct nodelist *list, const char *name, const size_t *lines)
{
	uint64_t sum = 0;
	size_t passed = 0;

	for (size_t i = 0; i < list->n_nodes; i++) {
		if (sum <= LIST_CORES_MAX)
			passed = i;
		sum += list->nodes[i].cores;
	}
	if (sum <= LIST_CORES_MAX)
		return 0;
	if (lines)
		(void)snprintf(place->text, sizeof(place->text), "%s:%zu", name, lines[passed]);
	else
		passed = list->n_nodes - 1;
	return complain(place, "cores: \"%" PRIu32 "\": all nodes together have %" PRIu64 ": expected at most %u",
			list->nodes[passed].cores, sum, LIST_CORES_MAX);
}

int nodelist_parse(const char *name, const char *text, size_t size, struct nodelist *ret)
{
	struct place place = { .list = ret };
	size_t *lines = NULL, n_lines = 0, room_lines = 0, number = 0;
	const char *p = text, *end = text + size;
	int r = 0;

	*ret = (struct nodelist){ 0 };
	/* Some editors put a byte order mark before UTF-8. */
	if (size >= strlen(BYTE_ORDER_MARK) && memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		p += strlen(BYTE_ORDER_MARK);

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
		(void)snprintf(place.text, sizeof(place.text), "%s:%zu", name, number);
		if (strlen(line) != length)
			r = complain(&place, "line: expected text, found a NUL byte");
		else if (strcspn(line, "\r") + 1 < length)
			r = complain(&place, "line: expected line feeds at the ends of lines, found a carriage return within one");
		else
			r = parse_line(&place, line, ret);
		free(line);
		p += length + 1;

		if (ret->n_nodes == before)
			continue;
		r = GROW(lines, n_lines, room_lines);
		if (r == 0)
			lines[n_lines++] = number;
	}
	if (r >= 0)
		r = refuse_duplicates(&place, name, ret, lines);
	if (r >= 0)
		r = refuse_cores(&place, ret, name, lines);
	free(lines);
	if (r < 0)
		nodelist_clear(ret);
	return r < 0 ? r : 0;
}

int nodelist_read_stream(FILE *file, const char *name, struct nodelist *ret)
{
	char *text = NULL;
	size_t size = 0, room = 0;
	int r;

	*ret = (struct nodelist){ 0 };
	for (;;) {
		r = GROW(text, size, room);
		if (r < 0)
			goto out;
		errno = 0;
		size += fread(text + size, 1, room - size, file);
		if (ferror(file)) {
			r = errno ? -errno : -EIO;
			goto out;
		}
		if (feof(file))
			break;
		if (size > BYTES_MAX) {
			r = -EFBIG;
			goto out;
		}
	}
	r = nodelist_parse(name, text, size, ret);
out:
	free(text);
	return r;
}

/* Waits for the writer of a named pipe. An open(2) that waits for a writer may never return. */
static int await_writer(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode) && fs.f_type != PIPEFS_MAGIC && poll(&pollfd, 1, WRITER_MSEC) == 0)
		return -ENODATA;
	return fcntl(fd, F_SETFL, 0) < 0 ? -errno : 0;
}

static int open_list(const char *path, FILE **ret)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = await_writer(fd);
	if (r == 0) {
		*ret = fdopen(fd, "r");
		r = *ret ? 0 : -errno;
	}
	if (r < 0)
		(void)close(fd);
	return r;
}

int nodelist_read(const char *path, struct nodelist *ret)
{
	FILE *file = NULL;
	int r = open_list(path, &file);

	*ret = (struct nodelist){ 0 };
	if (r < 0)
		return r;
	r = nodelist_read_stream(file, path, ret);
	if (r == 0)
		ret->path = realpath(path, NULL); /* NULL for a pipe: no other process can read it again */
	(void)fclose(file);
	return r;
}

int nodelist_add(struct nodelist *list, const char *where, const char *host, const char *port, const char *cores)
{
	const char *const texts[] = { host, port, cores };
	struct place place = { .list = list };
	struct node_config node = { 0 };
	int r = 0;

	(void)snprintf(place.text, sizeof(place.text), "%s", where);
	for (size_t i = 0; r >= 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		r = read_field(&place, &node_fields[i], texts[i], &node);
	if (r >= 0 && !place.refused) {
		node_name(node.host, node.port, node.name);
		for (size_t i = 0; r >= 0 && i < list->n_nodes; i++)
			if (strcmp(list->nodes[i].name, node.name) == 0)
				r = complain(&place, "host: \"%s\": expected once only", node.name);
	}
	if (r >= 0 && !place.refused)
		r = list_append(list, &node);
	if (r >= 0 && !place.refused)
		r = refuse_cores(&place, list, NULL, NULL);
	return r < 0 ? r : place.refused;
}

void nodelist_tell_errors(const struct nodelist *list, size_t most, void (*tell)(const char *line))
{
	char more[96];

	for (size_t i = 0; i < list->n_errors && i < most; i++)
		tell(list->errors[i]);
	if (list->n_errors <= most)
		return;
	(void)snprintf(more, sizeof(more), "and %zu more; cbscore validate --all shows them", list->n_errors - most);
	tell(more);
}

void nodelist_clear(struct nodelist *list)
{
	for (size_t i = 0; i < list->n_errors; i++)
		free(list->errors[i]);
	free(list->errors);
	free(list->nodes);
	free(list->path);
	*list = (struct nodelist){ 0 };
}

void node_name(const char *host, uint16_t port, char ret[static NODE_NAME_MAX + 1])
{
	(void)snprintf(ret, NODE_NAME_MAX + 1, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

int node_config_format(const struct node_config *config, char *buffer, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n_node_fields; i++) {
		const struct field *field = &node_fields[i];
		char text[FIELD_TEXT_MAX];
		int n;

		field_format(field, config, text);
		if (!*text)
			continue;
		n = snprintf(used < size ? buffer + used : NULL, used < size ? size - used : 0, "%s%s%s%s", i > 0 ? ", " : "",
			     field->form == FIELD_PLACED ? "" : field->name, field->form == FIELD_KEY ? "=" : "",
			     field->form == FIELD_WORD ? "" : text);
		if (n < 0)
			return n;
		used += (size_t)n;
	}
	return (int)used;
}

bool node_config_equal(const struct node_config *a, const struct node_config *b)
{
	char x[FIELD_TEXT_MAX], y[FIELD_TEXT_MAX];

	for (size_t i = 0; i < n_node_fields; i++) {
		field_format(&node_fields[i], a, x);
		field_format(&node_fields[i], b, y);
		if (strcmp(x, y) != 0)
			return false;
	}
	return true;
}

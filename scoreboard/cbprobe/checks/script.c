/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "script.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cbprobe/news.h"
#include "plain_file.h"

/* A line that is being read. */
struct reading {
	const char *path;
	unsigned line;
	struct script script;
};

static int complain(const struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int complain(const struct reading *reading, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	news_say(LOG_ERR, "%s:%u: %s", reading->path, reading->line, text);
	return -EINVAL;
}

void script_clear(struct script *script)
{
	for (size_t i = 0; i < script->n; i++) {
		pattern_free(script->steps[i].pattern);
		free(script->steps[i].text);
	}
	free(script->steps);
	*script = (struct script){ 0 };
}

/* The character that an escape at *p stands for, where *p is behind the backslash; moves *p behind the escape. -1: the
 * escape is not known. */
static int unescape(const char **p)
{
	const char *digits = *p + 1;
	unsigned value;

	switch (**p) {
	case 'r':
		++*p;
		return '\r';
	case 'n':
		++*p;
		return '\n';
	case 't':
		++*p;
		return '\t';
	case '"':
		++*p;
		return '"';
	case 'x':
		if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]) ||
		    sscanf(digits, "%2x", &value) != 1)
			return -1;
		*p += 3;
		return (int)value;
	default:
		return -1;
	}
}

/*
 * Reads the text between double quotes, which is all that is left of the line, into
 * ret. In a pattern, all backslashes but that of \" are the pattern's own.
 */
static int read_text(const struct reading *reading, const char *p, bool is_pattern, char *ret, size_t *ret_size)
{
	size_t n = 0;

	if (*p++ != '"')
		return complain(reading, "\"%s\": expected a text in double quotes", p - 1);
	while (*p != '"') {
		int c = (unsigned char)*p++;

		if (c == '\0')
			return complain(reading, "expected a double quote at the end of the text");
		if (is_pattern) {
			if (c == '\\' && *p == '"')
				c = (unsigned char)*p++;
			else if (c == '\\' && *p) {
				ret[n++] = '\\';
				c = (unsigned char)*p++;
			}
		} else if (c == '\\' && *p == '\\') {
			p++;
		} else if (c == '\\') {
			c = unescape(&p);
		}
		if (c < 0)
			return complain(reading, "\"\\%c\": expected \\r, \\n, \\t, \\\", \\\\ or \\xHH", *p ? *p : ' ');
		ret[n++] = (char)c;
	}
	p++;
	p += strspn(p, " \t\r");
	if (*p && *p != '#')
		return complain(reading, "\"%s\": expected nothing behind the text", p);
	ret[n] = '\0';
	*ret_size = n;
	return 0;
}

static void complain_file(const char *path, const char *why)
{
	news_say(LOG_ERR, "check \"chat:%s\": %s; its nodes are left as they are", path, why);
}

static int read_step(struct reading *reading, bool is_send, const char *rest)
{
	struct script_step *step;
	char *text = malloc(strlen(rest) + 1);
	size_t size = 0;
	int r;

	if (!text)
		return -ENOMEM;
	r = read_text(reading, rest, !is_send, text, &size);
	if (r == 0 && reading->script.n == SCRIPT_STEPS_MAX)
		r = complain(reading, "expected at most %u steps", SCRIPT_STEPS_MAX);
	if (r == 0 && size == 0)
		r = complain(reading, "expected a text that is not empty");
	if (r < 0) {
		free(text);
		return r;
	}
	step = &reading->script.steps[reading->script.n];
	*step = (struct script_step){ .line = reading->line, .text = text, .size = size };
	if (!is_send) {
		char why[EXPECTED_MAX];

		r = pattern_compile(text, size, true, &step->pattern, why);
		free(text);
		step->text = NULL;
		if (r < 0)
			return r == -EINVAL ? complain(reading, "expected %s", why) : r;
	}
	reading->script.n++;
	return 0;
}

static int read_line(struct reading *reading, const char *line)
{
	size_t length;

	line += strspn(line, " \t\r");
	if (!*line || *line == '#')
		return 0;
	length = strcspn(line, " \t\"");
	if (length == 4 && strncmp(line, "send", length) == 0)
		return read_step(reading, true, line + length + strspn(line + length, " \t"));
	if (length == 6 && strncmp(line, "expect", length) == 0)
		return read_step(reading, false, line + length + strspn(line + length, " \t"));
	return complain(reading, "\"%.*s\": expected send or expect", (int)length, line);
}

/* Reads all lines of the file, with a message for each wrong line. */
static int read_lines(struct reading *reading, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int r = 0;

	while (r != -ENOMEM && (errno = 0, length = getline(&line, &room, file)) >= 0) {
		int one;

		reading->line++;
		if (length > 0 && line[length - 1] == '\n')
			line[--length] = '\0';
		one = strlen(line) == (size_t)length ? read_line(reading, line)
						     : complain(reading, "expected text, found a NUL byte");
		r = one < 0 ? one : r;
	}
	if (r == 0 && ferror(file)) {
		complain_file(reading->path, strerror(errno));
		r = -EINVAL;
	}
	free(line);
	return r;
}

/* Opens a script. NULL after a message. */
static FILE *open_file(const char *path)
{
	const char *why;
	int fd = plain_file_open(path, &why);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		complain_file(path, fd < 0 ? why : strerror(errno));
	if (!file && fd >= 0)
		(void)close(fd);
	return file;
}

int script_read(const char *path, struct script *ret)
{
	struct reading reading = { .path = path };
	FILE *file = open_file(path);
	int r;

	if (!file)
		return -EINVAL;
	reading.script.steps = calloc(SCRIPT_STEPS_MAX, sizeof(*reading.script.steps));
	r = reading.script.steps ? read_lines(&reading, file) : -ENOMEM;
	(void)fclose(file);
	if (r == 0 && reading.script.n == 0) {
		news_say(LOG_ERR, "%s: expected at least one step, as in expect \"REGEX\"", path);
		r = -EINVAL;
	}
	if (r < 0)
		script_clear(&reading.script);
	else
		*ret = reading.script;
	return r;
}

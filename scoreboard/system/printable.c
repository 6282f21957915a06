/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "printable.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The length of the UTF-8 sequence that begins with this byte; 0: no sequence begins with it. */
static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The code point at p; *ret_size is the number of its bytes. 0: the byte at p begins no code point; *ret_size is 1. */
static uint32_t decode(const unsigned char *p, size_t *ret_size)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = length_of(*p);
	uint32_t code = size < 2 ? *p : *p & (0x7fu >> size);

	*ret_size = 1;
	if (size == 0)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80) /* so is the NUL at the end of the text */
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_size = size;
	return code;
}

static bool is_shown(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} steering[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
		if (code >= steering[i].first && code <= steering[i].last)
			return false;
	return true;
}

/* Makes n bytes printable. The bytes behind them are still text, or its end. */
static void clean(unsigned char *p, size_t n, char instead, bool keep_tabs)
{
	size_t size;

	for (const unsigned char *end = p + n; p < end; p += size) {
		size = 1;
		if ((*p >= ' ' && *p < 0x7f) || (*p == '\t' && keep_tabs))
			continue;
		if (!is_shown(decode(p, &size)))
			(void)memset(p, instead, size);
	}
}

void printable(char *text, char instead)
{
	clean((unsigned char *)text, strlen(text), instead, false);
}

void printable_cut(char *text)
{
	size_t size = strlen(text), back = 1;

	while (back < size && back < 4 && ((unsigned char)text[size - back] & 0xc0) == 0x80)
		back++;
	if (back <= size && length_of((unsigned char)text[size - back]) > back)
		text[size - back] = '\0';
}

void printable_line(char *text)
{
	clean((unsigned char *)text, strlen(text), '?', true);
}

bool is_printable(const char *text)
{
	size_t size;

	for (const unsigned char *p = (const unsigned char *)text; *p; p += size)
		if (!is_shown(decode(p, &size)))
			return false;
	return true;
}

/* Cleans all but the newlines with which the format begins and ends. */
static void clean_lines(const char *format, char *text, size_t n)
{
	size_t first = strspn(format, "\n"), last = strlen(format), kept = 0;

	while (last > first && format[last - 1] == '\n') {
		last--;
		kept++;
	}
	if (first + kept < n)
		clean((unsigned char *)text + first, n - first - kept, '?', true);
}

void print(FILE *out, const char *format, ...)
{
	char room[2048], *text = room;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(room, sizeof(room), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(room)) {
		va_start(ap, format);
		n = vasprintf(&text, format, ap);
		va_end(ap);
		if (n < 0) { /* without memory for it the text is cut short */
			text = room;
			n = (int)strlen(room);
		}
	}
	if (n > 0) {
		clean_lines(format, text, (size_t)n);
		(void)fwrite(text, 1, (size_t)n, out);
	}
	if (text != room)
		free(text);
}

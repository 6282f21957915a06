/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "key.h"

#include <string.h>

#define NAME(text) { text, sizeof(text) - 1 }

static const struct name {
	const char *text;
	size_t length;
} names[STORE_KIND_MAX_] = {
	[STORE_VERSION] = NAME("version"), [STORE_FARM] = NAME("farm"),   [STORE_NODE] = NAME("node"),
	[STORE_SLOTS] = NAME("slots"),     [STORE_QUEUE] = NAME("queue"), [STORE_INDEX] = NAME("index"),
	[STORE_SPEED] = NAME("speed"),     [STORE_LOST] = NAME("lost"),
	[STORE_ORIGIN] = NAME("origin"),   [STORE_RING] = NAME("ring"),   [STORE_CLIENT] = NAME("client"),
	[STORE_HISTORY] = NAME("history"), [STORE_SLICE] = NAME("slice"), [STORE_PARTY] = NAME("party"),
	[STORE_PASSED] = NAME("passed"),
};

/* How many numbers follow the name of a kind. */
static const unsigned char numbers[STORE_KIND_MAX_] = {
	[STORE_NODE] = 1, [STORE_SLOTS] = 2, [STORE_QUEUE] = 1, [STORE_INDEX] = 2, [STORE_SPEED] = 1, [STORE_SLICE] = 1,
	[STORE_LOST] = 1,  [STORE_RING] = 1,  [STORE_CLIENT] = 1, [STORE_PARTY] = 2,
};

static char *write_number(char *p, uint32_t n)
{
	char digits[10];
	unsigned i = 0;

	*p++ = '/';
	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		*p++ = digits[--i];
	return p;
}

/* Every claim calls this several times, hence no printf. */
size_t key_write(char buffer[static KEY_MAX], enum store_kind kind, uint32_t a, uint32_t b)
{
	size_t length = names[kind].length;
	char *p;

	(void)memcpy(buffer, names[kind].text, length);
	p = buffer + length;
	if (numbers[kind] > 0)
		p = write_number(p, a);
	if (numbers[kind] > 1)
		p = write_number(p, b);
	return (size_t)(p - buffer);
}

/* Reads a number up to the next slash or the end. */
static bool read_number(const char **p, const char *end, uint32_t *ret)
{
	uint64_t number = 0;

	if (*p == end || **p != '/' || ++*p == end)
		return false;
	for (; *p < end && **p != '/'; ++*p) {
		if (**p < '0' || **p > '9')
			return false;
		number = number * 10 + (unsigned)(**p - '0');
		if (number > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)number;
	return true;
}

bool key_read(const char *key, size_t length, enum store_kind *ret_kind, uint32_t *ret_a, uint32_t *ret_b)
{
	const char *end = key + length;

	for (uint32_t kind = 0; kind < STORE_KIND_MAX_; kind++) {
		size_t size = names[kind].length;
		const char *p = key + size;

		if (length < size || memcmp(key, names[kind].text, size) != 0)
			continue;
		*ret_kind = (enum store_kind)kind;
		*ret_a = *ret_b = 0;
		return (numbers[kind] == 0 || read_number(&p, end, ret_a)) &&
		       (numbers[kind] < 2 || read_number(&p, end, ret_b)) && p == end;
	}
	return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "key.h"

#include <string.h>

#define KIND(text, numbers) { text, sizeof(text) - 1, numbers }

static const struct kind {
	const char *name;
	size_t length;
	unsigned numbers; /* how many follow the name */
} kinds[STORE_KIND_MAX_] = {
	[STORE_VERSION] = KIND("version", 0), [STORE_FARM] = KIND("farm", 0),       [STORE_NODE] = KIND("node", 1),
	[STORE_SLOTS] = KIND("slots", 2),     [STORE_QUEUE] = KIND("queue", 1),     [STORE_INDEX] = KIND("index", 2),
	[STORE_SPEED] = KIND("speed", 1),     [STORE_LOST] = KIND("lost", 1),       [STORE_HISTORY] = KIND("history", 0),
	[STORE_SLICE] = KIND("slice", 1),     [STORE_ORIGIN] = KIND("origin", 0),   [STORE_RING] = KIND("ring", 1),
	[STORE_CLIENT] = KIND("client", 1),   [STORE_PARTY] = KIND("party", 2),     [STORE_PASSED] = KIND("passed", 0),
	[STORE_PATIENCE] = KIND("patience", 0),
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
	char *p = mempcpy(buffer, kinds[kind].name, kinds[kind].length);

	if (kinds[kind].numbers > 0)
		p = write_number(p, a);
	if (kinds[kind].numbers > 1)
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

	for (uint32_t i = 0; i < STORE_KIND_MAX_; i++) {
		const struct kind *kind = &kinds[i];
		const char *p = key + kind->length;

		if (length < kind->length || memcmp(key, kind->name, kind->length) != 0)
			continue;
		*ret_kind = (enum store_kind)i;
		*ret_a = *ret_b = 0;
		return (kind->numbers == 0 || read_number(&p, end, ret_a)) &&
		       (kind->numbers < 2 || read_number(&p, end, ret_b)) && p == end;
	}
	return false;
}

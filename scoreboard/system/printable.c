/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "printable.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

void printable(char *text, char instead)
{
	unsigned char *p = (unsigned char *)text;

	for (size_t size; *p; p += size)
		if (!is_shown(decode(p, &size)))
			(void)memset(p, instead, size);
}

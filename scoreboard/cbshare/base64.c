/* SPDX-License-Identifier: GPL-3.0-or-later */

/* base64.c: the work is done by the C library, which has base64 for its resolver. */

#include "base64.h"

#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

char *base64_encode(const char *text)
{
	size_t length = strlen(text), room = (length + 2) / 3 * 4 + 1;
	char *base64 = malloc(room);

	if (base64 && b64_ntop((const unsigned char *)text, length, base64, room) < 0) {
		free(base64);
		base64 = NULL;
	}
	return base64;
}

char *base64_decode(const char *base64)
{
	size_t room = strlen(base64) / 4 * 3 + 4;
	char *text = calloc(1, room);
	int length;

	if (!text)
		return NULL;
	length = b64_pton(base64, (unsigned char *)text, room - 1);
	if (length < 0 || strlen(text) != (size_t)length) {
		free(text);
		text = NULL;
	}
	return text;
}

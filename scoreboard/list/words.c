/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * words.c: a word without its quotes is never longer than with them, so one
 * buffer serves for both: to writes where from has been.
 */

#include "words.h"

#include <errno.h>
#include <string.h>

static const char blanks[] = " \t\r\n\v\f";

/* Takes one word from *from on and writes it to *to with its NUL. 0 or -EINVAL. */
static int take_word(const char **from, char **to)
{
	const char *in = *from;
	char *out = *to, quote = '\0';

	for (; *in && (quote || !strchr(blanks, *in)); in++) {
		if (*in == quote) {
			quote = '\0';
		} else if (!quote && (*in == '\'' || *in == '"')) {
			quote = *in;
		} else if (*in == '\\' && quote != '\'') {
			if (!*++in)
				return -EINVAL;
			*out++ = *in;
		} else {
			*out++ = *in;
		}
	}
	if (quote)
		return -EINVAL;
	*from = *in ? in + 1 : in; /* the NUL may overwrite the blank */
	*out++ = '\0';
	*to = out;
	return 0;
}

int words_split(char *text, char *words[], size_t room)
{
	const char *from = text;
	char *to = text;
	size_t n = 0;

	for (;;) {
		from += strspn(from, blanks);
		if (!*from)
			break;
		if (n + 1 >= room)
			return -E2BIG;
		words[n++] = to;
		if (take_word(&from, &to) < 0)
			return -EINVAL;
	}
	if (n >= room)
		return -E2BIG;
	words[n] = NULL;
	return (int)n;
}

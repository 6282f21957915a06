/* SPDX-License-Identifier: GPL-3.0-or-later */

/* members.c: a URL is scheme, host and port; all else in it is a mistake. */

#include "members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list/host_syntax.h"
#include "system/number.h"

#define PORT 2379u

/* The number of a URL's scheme's bytes, with the slashes; 0: it is neither http nor https. */
static size_t scheme_length(const char *url)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < 2; i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

/* Divides HOST:PORT, which it changes, in two. */
static int read_place(char *text, char host[static NODE_HOST_MAX + 1], uint64_t *ret_port)
{
	char *bracket = strrchr(text, ']'), *colon = strrchr(bracket ?: text, ':');
	char expected[EXPECTED_MAX];

	*ret_port = PORT;
	if (colon) {
		*colon = '\0';
		if (number_parse(colon + 1, 1, UINT16_MAX, ret_port) < 0)
			return -EINVAL;
	}
	return host_parse(text, host, expected);
}

/* Reads a URL, which it changes. */
static int read_url(char *text, char **ret)
{
	size_t scheme = scheme_length(text), length = strlen(text);
	char host[NODE_HOST_MAX + 1];
	uint64_t port;
	bool is_v6;

	if (scheme == 0)
		return -EINVAL;
	if (text[length - 1] == '/' && length > scheme)
		text[length - 1] = '\0';
	if (read_place(text + scheme, host, &port) < 0)
		return -EINVAL;
	is_v6 = strchr(host, ':') != NULL;
	if (asprintf(ret, "%.*s%s%s%s:%" PRIu64, (int)scheme, text, is_v6 ? "[" : "", host, is_v6 ? "]" : "", port) <
	    0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

int members_read(const char *text, struct members *ret)
{
	char *copy = strdup(text), *rest = copy, *url;
	int r = copy ? 0 : -ENOMEM;

	*ret = (struct members){ .n = 0 };
	while (r == 0 && (url = strsep(&rest, ","))) {
		r = ret->n < ETCD_MEMBERS_MAX ? read_url(url, &ret->urls[ret->n]) : -EINVAL;
		if (r == 0)
			ret->n++;
	}
	free(copy);
	return r;
}

void members_clear(struct members *members)
{
	for (size_t i = 0; i < members->n; i++)
		free(members->urls[i]);
	members->n = 0;
}

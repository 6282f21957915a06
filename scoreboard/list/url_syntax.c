/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * url_syntax.c: replaces the placeholders by a sample node, and takes the result
 * apart:
 *
 *     //[USER@]HOST[:PORT][/PATH][?QUERY][#FRAGMENT]
 *
 * Path, query and fragment may be anything. A host is refused where libcurl
 * refuses it.
 */

#include "url_syntax.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "system/number.h"

#define NO_HOST " \"#$&'()*+,/:;<=>?@[\\]^`{}!" /* never part of a name */
#define PORT_MAX 65535u

/* The sample node's text for %LETTER. NULL: there is no such placeholder. */
static const char *sample(char letter)
{
	switch (letter) {
	case 'n':
		return "h:1";
	case 'h':
		return "h";
	case 'p':
		return "1";
	default:
		return NULL;
	}
}

static bool is_byte(const char *escape)
{
	return isxdigit((unsigned char)escape[1]) && isxdigit((unsigned char)escape[2]);
}

static bool has_unknown_escape(const char *url)
{
	for (const char *p = url; (p = strchr(p, '%')); p++)
		if (!is_byte(p) && !sample(p[1]))
			return true;
	return false;
}

/* Copies the bytes and replaces the placeholders: two bytes become three at most. */
static void fill_in(const char *from, const char *end, char *to)
{
	while (from < end) {
		const char *text = *from == '%' && !is_byte(from) ? sample(from[1]) : NULL;

		if (text)
			to = stpcpy(to, text);
		else
			*to++ = *from;
		from += text ? 2 : 1;
	}
	*to = '\0';
}

/* Whether text is empty, a colon alone, or a colon with a port. */
static bool is_port(const char *text)
{
	uint64_t port;

	if (!*text || strcmp(text, ":") == 0)
		return true;
	return *text == ':' && number_parse(text + 1, 1, PORT_MAX, &port) == 0;
}

/* The length of the IPv6 address that begins the text, with its brackets and perhaps a scope; 0: there is none. */
static size_t ipv6_length(const char *text)
{
	size_t length = strcspn(text, "]"), address = strcspn(text + 1, "%]");
	char bytes[sizeof(struct in6_addr)], copy[INET6_ADDRSTRLEN];

	if (!text[length] || address >= sizeof(copy))
		return 0;
	*(char *)mempcpy(copy, text + 1, address) = '\0';
	return inet_pton(AF_INET6, copy, bytes) == 1 ? length + 1 : 0;
}

/* The length of the host that begins the text; 0: there is none. */
static size_t host_length(const char *text)
{
	size_t length = strcspn(text, ":");

	if (*text == '[')
		return ipv6_length(text);
	return strcspn(text, NO_HOST) < length ? 0 : length;
}

int url_syntax_check(const char *url, char expected[static EXPECTED_MAX])
{
	char place[URL_SYNTAX_MAX * 3 / 2 + 2];
	const char *host;
	size_t length;

	if (has_unknown_escape(url))
		return refuse_value(expected, "%%n, %%h, %%p, or %% and two hexadecimal digits in the URL");
	url += 2;
	fill_in(url, url + strcspn(url, "/?#"), place);
	host = strchr(place, '@');
	host = host ? host + 1 : place;
	length = host_length(host);
	if (length == 0)
		return refuse_value(expected, "a name or an address as the URL's host, that of IPv6 in brackets");
	if (!is_port(host + length))
		return refuse_value(expected, "at most one port, 1 to 65535, behind the URL's host (%%n has one already)");
	return 0;
}

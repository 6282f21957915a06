/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * host_syntax.c: what can be an address or a host name. getaddrinfo(3) takes
 * more: "1.2.3" and "0x7f000001" are IPv4 addresses to it, though the author of
 * the list may have meant something else. A text that ends in a label which is
 * a number is no host name (RFC 1123, 2.1): it must be an address of four
 * numbers.
 */

#include "host_syntax.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "system/number.h"

#define LABEL_MAX 63u

/*
 * Reads the scope of an address: the text behind the %. *ret gets it in one
 * form, with its %; the number 0 is no scope, and leaves *ret empty.
 */
static int parse_scope(const char *text, const struct in6_addr *address, char ret[static IF_NAMESIZE + 1])
{
	/* Only a link-local address belongs to an interface by name; any address may have a number. */
	bool by_name = IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_MC_LINKLOCAL(address);
	size_t length = strlen(text);
	uint64_t number;

	if (length == 0 || length >= IF_NAMESIZE || IN6_IS_ADDR_V4MAPPED(address))
		return -EINVAL;
	if (text[strspn(text, "0123456789")] == '\0') {
		if (number_parse(text, 0, UINT32_MAX, &number) < 0)
			return -EINVAL;
		text += strspn(text, "0");
	} else if (!by_name) {
		return -EINVAL;
	}
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_:@", *p))
			return -EINVAL;
	(void)snprintf(ret, IF_NAMESIZE + 1, "%s%s", *text ? "%" : "", text);
	return 0;
}

/* Reads the text between the brackets. */
static int parse_ipv6(char *text, char *ret, char *expected)
{
	char *scope = strchr(text, '%'), canonical[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";
	struct in6_addr address;

	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, text, &address) != 1)
		return refuse_value(expected, "an IPv6 address in the brackets");
	if (scope && parse_scope(scope, &address, zone) < 0)
		return refuse_value(expected, "the name of an interface behind the %% of a link-local address");
	/* An IPv4 address in the form of IPv6: a connection goes to the IPv4 address. */
	if (IN6_IS_ADDR_V4MAPPED(&address)) {
		(void)inet_ntop(AF_INET, &address.s6_addr[12], ret, NODE_HOST_MAX + 1);
		return 0;
	}
	(void)inet_ntop(AF_INET6, &address, canonical, sizeof(canonical));
	(void)snprintf(ret, NODE_HOST_MAX + 1, "%s%s", canonical, zone);
	return 0;
}

/* Whether the label is a number, decimal or hexadecimal. */
static bool is_number(const char *label, size_t length)
{
	if (length > 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return strspn(label + 2, "0123456789abcdefABCDEF") >= length - 2;
	return length > 0 && strspn(label, "0123456789") >= length;
}

static int parse_name(const char *text, char *ret, char *expected)
{
	const char *label = text;
	size_t length;

	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_", *p))
			return refuse_value(expected, "letters, digits, dots, hyphens and underscores");
	for (;;) {
		length = strcspn(label, ".");
		if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-')
			return refuse_value(expected, "a name whose parts between dots have 1 to 63 bytes and no hyphen at an end");
		/* One dot may end a name. */
		if (label[length] == '\0' || label[length + 1] == '\0')
			break;
		label += length + 1;
	}
	if (is_number(label, length)) {
		struct in_addr address;

		if (inet_pton(AF_INET, text, &address) != 1)
			return refuse_value(expected, "four numbers from 0 to 255 in an IPv4 address");
	}
	for (size_t i = 0; i <= strlen(text); i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	if (label[length] == '.')
		ret[strlen(text) - 1] = '\0'; /* the same host without the dot */
	return 0;
}

int host_parse(const char *text, char ret[static NODE_HOST_MAX + 1], char expected[static EXPECTED_MAX])
{
	size_t length = strlen(text);
	char inside[NODE_HOST_MAX + 1];
	bool bracketed = length > 1 && text[0] == '[' && text[length - 1] == ']';

	if (bracketed)
		length -= 2;
	if (length == 0 || length > NODE_HOST_MAX)
		return refuse_value(expected, "a name or address of 1 to %d bytes", NODE_HOST_MAX);
	if (bracketed) {
		(void)memcpy(inside, text + 1, length);
		inside[length] = '\0';
		return parse_ipv6(inside, ret, expected);
	}
	if (strchr(text, ':'))
		return refuse_value(expected, "a name, an IPv4 address, or an IPv6 address in brackets");
	return parse_name(text, ret, expected);
}

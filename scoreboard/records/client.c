/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "ring.h"

#define PREFIX_BYTES 8u /* of an IPv6 address: a /64 */

/* How many bytes of an IPv6 address say which client it is. All machines of a link have link-local addresses of the same /64, and
 * all machines of IPv4 that come through a translator have addresses of 64:ff9b::/96. */
static size_t client_bytes(const struct in6_addr *address)
{
	static const unsigned char translated[12] = { 0x00, 0x64, 0xff, 0x9b };
	bool whole = IN6_IS_ADDR_LINKLOCAL(address) || memcmp(address, translated, sizeof(translated)) == 0;

	return whole ? sizeof(*address) : PREFIX_BYTES;
}

/* Reads "[ADDRESS]:PORT". */
static bool read_v6(const char *name, struct in6_addr *ret)
{
	char text[SCORE_CLIENT_MAX + 1];
	const char *end = strchr(name, ']');

	if (*name != '[' || !end)
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)(end - name - 1), name + 1);
	text[strcspn(text, "%")] = '\0'; /* a scope */
	return inet_pton(AF_INET6, text, ret) == 1;
}

bool client_is_same(const char *a, const char *b)
{
	const char *colon = strchr(a, ':');
	struct in6_addr x, y;

	if (*a != *b)
		return false;
	if (*a == '[')
		return read_v6(a, &x) && read_v6(b, &y) && memcmp(&x, &y, client_bytes(&x)) == 0;
	return *a >= '0' && *a <= '9' && colon && strncmp(a, b, (size_t)(colon - a) + 1) == 0;
}

uint32_t client_hash(const char *name)
{
	struct in6_addr address;

	if (*name == '[' && read_v6(name, &address))
		return (uint32_t)ring_hash((const char *)address.s6_addr, client_bytes(&address));
	return (uint32_t)ring_hash(name, strcspn(name, ":"));
}

void client_party(const char *client, char ret[static SCORE_CLIENT_MAX + 1])
{
	size_t length = strnlen(client, SCORE_CLIENT_MAX);
	struct in6_addr address;

	(void)memset(ret, 0, SCORE_CLIENT_MAX + 1);
	if (*client >= '0' && *client <= '9') {
		(void)memcpy(ret, client, strcspn(client, ":") < length ? strcspn(client, ":") : length);
		return;
	}
	(void)memcpy(ret, client, length);
	if (*client != '[')
		return;
	ret[strcspn(ret, "%]")] = '\0'; /* a scope is left out */
	if (inet_pton(AF_INET6, ret + 1, &address) == 1) {
		const unsigned char *b = address.s6_addr;

		(void)memset(ret, 0, SCORE_CLIENT_MAX + 1);
		if (client_bytes(&address) == sizeof(address))
			(void)inet_ntop(AF_INET6, &address, ret, SCORE_CLIENT_MAX + 1);
		else
			(void)snprintf(ret, SCORE_CLIENT_MAX + 1, "%x:%x:%x:%x::/64", b[0] << 8 | b[1], b[2] << 8 | b[3],
				       b[4] << 8 | b[5], b[6] << 8 | b[7]);
	} else {
		(void)memcpy(ret, client, length);
	}
}

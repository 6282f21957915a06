/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define TYPE_CRC32C 0x03
#define TYPE_UNIQUE_ID 0x05
#define V1_MAX 107           /* with the end of the line */

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Both ends in one form. family 0: a pair that a header cannot name. */
struct pair {
	sa_family_t family;
	uint8_t source[16], destination[16];
	in_port_t source_port, destination_port; /* network order */
};

static sa_family_t take(const struct sockaddr *address, uint8_t bytes[static 16], in_port_t *port)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		(void)memcpy(bytes, &in->sin_addr, 4);
		*port = in->sin_port;
		return AF_INET;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

		*port = in6->sin6_port;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			(void)memcpy(bytes, in6->sin6_addr.s6_addr + 12, 4);
			return AF_INET;
		}
		(void)memcpy(bytes, &in6->sin6_addr, 16);
		return AF_INET6;
	}
	return 0;
}

static struct pair make_pair(const struct sockaddr *peer, const struct sockaddr *local)
{
	struct pair pair = { 0 };

	pair.family = take(peer, pair.source, &pair.source_port);
	if (take(local, pair.destination, &pair.destination_port) != pair.family)
		pair.family = 0;
	return pair;
}

static size_t write_v1(const struct pair *pair, unsigned char *ret)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	int n;

	if (pair->family == 0) {
		n = snprintf((char *)ret, PROXY_HEADER_MAX, "PROXY UNKNOWN\r\n");
	} else {
		(void)inet_ntop(pair->family, pair->source, source, sizeof(source));
		(void)inet_ntop(pair->family, pair->destination, destination, sizeof(destination));
		n = snprintf((char *)ret, PROXY_HEADER_MAX, "PROXY TCP%c %s %s %u %u\r\n",
			     pair->family == AF_INET ? '4' : '6', source, destination,
			     ntohs(pair->source_port), ntohs(pair->destination_port));
	}
	return (size_t)n;
}

static size_t write_v2(const struct pair *pair, const char *id, unsigned char *ret)
{
	size_t address = pair->family == AF_INET ? 4 : 16, n = 16, id_size = id ? strnlen(id, PROXY_ID_MAX) : 0;
	uint16_t length;

	(void)memcpy(ret, signature, sizeof(signature));
	if (pair->family == 0) {
		(void)memcpy(ret + 12, "\x20\0\0\0", 4); /* LOCAL, nothing follows */
		return n;
	}
	ret[12] = 0x21;
	ret[13] = pair->family == AF_INET ? 0x11 : 0x21;
	length = htons((uint16_t)(2 * address + 4 + (id_size ? 3 + id_size : 0)));
	(void)memcpy(ret + 14, &length, 2);
	(void)memcpy(ret + n, pair->source, address);
	(void)memcpy(ret + n + address, pair->destination, address);
	n += 2 * address;
	(void)memcpy(ret + n, &pair->source_port, 2);
	(void)memcpy(ret + n + 2, &pair->destination_port, 2);
	n += 4;
	if (id_size == 0)
		return n;
	ret[n] = TYPE_UNIQUE_ID;
	ret[n + 1] = 0;
	ret[n + 2] = (unsigned char)id_size;
	(void)memcpy(ret + n + 3, id, id_size);
	return n + 3 + id_size;
}

size_t proxy_header_write(enum proxy_version version, const struct sockaddr *peer, const struct sockaddr *local,
			  const char *id, unsigned char ret[static PROXY_HEADER_MAX])
{
	struct pair pair = make_pair(peer, local);

	switch (version) {
	case PROXY_V1:
		return write_v1(&pair, ret);
	case PROXY_V2:
		return write_v2(&pair, id, ret);
	default:
		return 0;
	}
}

/* ---- reading ---- */

static void put(struct sockaddr_storage *ret, socklen_t *ret_size, sa_family_t family, const void *bytes, in_port_t port)
{
	(void)memset(ret, 0, sizeof(*ret));
	ret->ss_family = family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		(void)memcpy(&in->sin_addr, bytes, 4);
		in->sin_port = port;
		*ret_size = sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		(void)memcpy(&in6->sin6_addr, bytes, 16);
		in6->sin6_port = port;
		*ret_size = sizeof(*in6);
	}
}

/* Takes the next word off a line and the space behind it. NULL: there is no word, or more than one space. */
static char *word(char **line)
{
	char *begin = *line, *space = begin ? strchr(begin, ' ') : NULL;

	if (!begin || *begin == '\0' || begin == space)
		return NULL;
	if (space)
		*space = '\0';
	*line = space ? space + 1 : NULL;
	return begin;
}

/* A port as the protocol writes it: no sign, no zero before it. */
static int parse_port(const char *text, in_port_t *ret)
{
	uint64_t port;

	if (!text || (text[0] == '0' && text[1]) || number_parse(text, 0, UINT16_MAX, &port) < 0)
		return -EBADMSG;
	*ret = htons((uint16_t)port);
	return 0;
}

/* "TCP4 192.0.2.1 198.51.100.1 4711 80", or "UNKNOWN" and whatever follows. */
static int parse_v1_line(char *line, struct proxy_pair *ret)
{
	const char *protocol, *texts[2], *ports[2];
	unsigned char bytes[2][16];
	in_port_t numbers[2];
	sa_family_t family;

	if (strncmp(line, "UNKNOWN", 7) == 0 && (line[7] == '\0' || line[7] == ' '))
		return 0;
	protocol = word(&line);
	texts[0] = word(&line);
	texts[1] = word(&line);
	ports[0] = word(&line);
	ports[1] = word(&line);
	if (!protocol || !texts[0] || !texts[1] || line)
		return -EBADMSG;
	family = strcmp(protocol, "TCP4") == 0 ? AF_INET : strcmp(protocol, "TCP6") == 0 ? AF_INET6 : AF_UNSPEC;
	for (unsigned i = 0; i < 2; i++)
		if (family == AF_UNSPEC || inet_pton(family, texts[i], bytes[i]) != 1 || parse_port(ports[i], &numbers[i]) < 0)
			return -EBADMSG;
	put(&ret->client, &ret->client_size, family, bytes[0], numbers[0]);
	put(&ret->gate, &ret->gate_size, family, bytes[1], numbers[1]);
	return 0;
}

static int parse_v1(const unsigned char *bytes, size_t n, struct proxy_pair *ret)
{
	const unsigned char *end = memchr(bytes, '\n', n < V1_MAX ? n : V1_MAX);
	size_t size = end ? (size_t)(end - bytes) + 1 : 0;
	char line[V1_MAX + 1];

	if (!end)
		return n < V1_MAX ? 0 : -EBADMSG;
	if (size < 8 || bytes[size - 2] != '\r' || memchr(bytes, '\0', size))
		return -EBADMSG;
	(void)memcpy(line, bytes + 6, size - 8);
	line[size - 8] = '\0';
	return parse_v1_line(line, ret) < 0 ? -EBADMSG : (int)size;
}

/* The CRC32c of the header, in which its own four bytes count as zeros. */
static uint32_t crc32c(const unsigned char *bytes, size_t n, size_t own)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= i >= own && i < own + 4 ? 0u : bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* Whether the records behind the addresses fill the header, and its checksum, if it has one, is right. Other records
 * are for other receivers. */
static bool records_are_right(const unsigned char *bytes, size_t size, size_t at)
{
	while (at < size) {
		size_t length;
		uint32_t crc;

		if (size - at < 3)
			return false;
		length = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
		if (length > size - at - 3)
			return false;
		if (bytes[at] == TYPE_CRC32C) {
			if (length != sizeof(crc))
				return false;
			(void)memcpy(&crc, bytes + at + 3, sizeof(crc));
			if (ntohl(crc) != crc32c(bytes, size, at + 3))
				return false;
		}
		at += 3 + length;
	}
	return true;
}

/* The size of both addresses of a family and a transport protocol, as version 2 has them; -EBADMSG: there are no such. */
static int addresses_size(unsigned char family)
{
	switch (family) {
	case 0x11: /* TCP over IPv4 */
	case 0x12:
		return 12;
	case 0x21: /* TCP over IPv6 */
	case 0x22:
		return 36;
	case 0x31: /* AF_UNIX */
	case 0x32:
		return 216;
	default:
		return -EBADMSG;
	}
}

static int parse_v2(const unsigned char *bytes, size_t n, struct proxy_pair *ret)
{
	int addresses;
	size_t size, address;
	in_port_t ports[2];

	if (n < 16)
		return n > 12 && (bytes[12] & 0xfe) != 0x20 ? -EBADMSG : 0;
	size = 16 + ((size_t)bytes[14] << 8 | bytes[15]);
	if ((bytes[12] & 0xfe) != 0x20 || size > PROXY_READ_MAX)
		return -EBADMSG;
	if (n < size)
		return 0;
	if (bytes[12] == 0x20 || bytes[13] == 0x00)
		return (int)size; /* LOCAL or UNSPEC: the socket's own ends, and the rest counts for nothing */
	addresses = addresses_size(bytes[13]);
	if (addresses < 0 || size < 16 + (size_t)addresses || !records_are_right(bytes, size, 16 + (size_t)addresses))
		return -EBADMSG;
	if (bytes[13] != 0x11 && bytes[13] != 0x21)
		return (int)size; /* no client of TCP: the socket's own ends */
	address = bytes[13] == 0x11 ? 4 : 16;
	(void)memcpy(ports, bytes + 16 + 2 * address, 4);
	put(&ret->client, &ret->client_size, address == 4 ? AF_INET : AF_INET6, bytes + 16, ports[0]);
	put(&ret->gate, &ret->gate_size, address == 4 ? AF_INET : AF_INET6, bytes + 16 + address, ports[1]);
	return (int)size;
}

int proxy_header_parse(const unsigned char *bytes, size_t n, struct proxy_pair *ret)
{
	*ret = (struct proxy_pair){ .client.ss_family = AF_UNSPEC, .gate.ss_family = AF_UNSPEC };
	if (n == 0)
		return 0;
	if (memcmp(bytes, signature, n < sizeof(signature) ? n : sizeof(signature)) == 0)
		return parse_v2(bytes, n, ret);
	if (memcmp(bytes, "PROXY ", n < 6 ? n : 6) == 0)
		return parse_v1(bytes, n, ret);
	return -EBADMSG;
}

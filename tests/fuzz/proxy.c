/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * proxy.c: any bytes as the beginning of a connection from another proxy. A
 * header is complete at its last byte and not before. Bytes behind it change
 * nothing. A header with the same contents, written anew, reads the same. A header
 * with a checksum is tried as it is, and with the right checksum.
 */

#include "system/proxy_header.c" // NOLINT(bugprone-suspicious-include): the checksum is a static function

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_again(enum proxy_version version, const struct proxy_pair *pair, const char *id)
{
	unsigned char header[PROXY_HEADER_MAX];
	struct proxy_pair again;
	size_t n = proxy_header_write(version, (const struct sockaddr *)&pair->client, (const struct sockaddr *)&pair->gate,
				      id, header);

	MUST(n > 0 && n <= sizeof(header));
	MUST(proxy_header_parse(header, n, &again) == (int)n);
	MUST(again.client_size == pair->client_size && memcmp(&again.client, &pair->client, pair->client_size) == 0);
	MUST(again.gate_size == pair->gate_size && memcmp(&again.gate, &pair->gate, pair->gate_size) == 0);
}

/* The place of the checksum in a header of version 2 that has one; else 0. */
static size_t checksum_at(const uint8_t *bytes, size_t size)
{
	size_t end = size < 16 ? 0 : 16 + ((size_t)bytes[14] << 8 | bytes[15]), at = 16;
	int addresses = size < 16 ? 0 : addresses_size(bytes[13]);

	if (end > size || addresses <= 0 || memcmp(bytes, signature, sizeof(signature)) != 0)
		return 0;
	for (at += (size_t)addresses; at + 7 <= end; at += 3 + ((size_t)bytes[at + 1] << 8 | bytes[at + 2]))
		if (bytes[at] == TYPE_CRC32C && bytes[at + 1] == 0 && bytes[at + 2] == 4)
			return at + 3;
	return 0;
}

static void put_right(uint8_t *bytes, size_t at)
{
	uint32_t crc = htonl(crc32c(bytes, 16 + ((size_t)bytes[14] << 8 | bytes[15]), at));

	(void)memcpy(bytes + at, &crc, sizeof(crc));
}

static int is_mapped(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* Writes headers of the pair, whatever the pair is. */
static void check_written(const struct proxy_pair *pair, const uint8_t *data, size_t size)
{
	char id[PROXY_ID_MAX + 2];

	(void)memset(id, 'i', sizeof(id) - 1);
	id[size % sizeof(id)] = '\0';
	id[sizeof(id) - 1] = '\0';
	/* An IPv4-mapped pair is written as IPv4, and a pair of both families as none. */
	if (pair->client.ss_family != AF_UNSPEC && !is_mapped(&pair->client) && !is_mapped(&pair->gate)) {
		check_again(PROXY_V1, pair, id);
		check_again(PROXY_V2, pair, data[0] % 2 ? id : NULL);
	} else {
		unsigned char header[PROXY_HEADER_MAX];
		struct proxy_pair again;

		for (enum proxy_version version = PROXY_V1; version <= PROXY_V2; version++) {
			size_t n = proxy_header_write(version, (const struct sockaddr *)&pair->client,
						      (const struct sockaddr *)&pair->gate, id, header);

			MUST(n > 0 && n <= sizeof(header) && proxy_header_parse(header, n, &again) == (int)n);
			MUST(again.client.ss_family != AF_INET6);
		}
	}
}

static int read_header(const uint8_t *bytes, size_t size)
{
	struct proxy_pair pair, other;
	int n = proxy_header_parse(bytes, size, &pair);

	MUST(n == -EBADMSG || (n >= 0 && (size_t)n <= size && n <= PROXY_READ_MAX));
	for (size_t i = 0; n > 0 && i < (size_t)n; i++)
		MUST(proxy_header_parse(bytes, i, &other) == 0);
	if (n > 0) {
		MUST(proxy_header_parse(bytes, (size_t)n, &other) == n);
		check_written(&pair, bytes, size);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that a read beyond it is found. */
	uint8_t *copy = malloc(size ? size : 1);
	size_t at;

	MUST(copy);
	(void)memcpy(copy, data, size);
	(void)read_header(copy, size);
	at = checksum_at(copy, size);
	if (at > 0) {
		put_right(copy, at);
		(void)read_header(copy, size);
	}
	free(copy);
	return 0;
}

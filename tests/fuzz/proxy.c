/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * proxy.c: any bytes as the beginning of a connection from another proxy. A
 * header is complete at its last byte and not before. Bytes behind it change
 * nothing. A header with the same contents, written anew, reads the same.
 */

#include "system/proxy_header.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_again(enum node_proxy version, const struct proxy_pair *pair, const char *id)
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

static int is_mapped(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that a read beyond it is found. */
	uint8_t *copy = malloc(size ? size : 1);
	struct proxy_pair pair, other;
	char id[PROXY_ID_MAX + 1];
	int n;

	MUST(copy);
	(void)memcpy(copy, data, size);
	n = proxy_header_parse(copy, size, &pair);
	MUST(n == -EBADMSG || (n >= 0 && (size_t)n <= size && n <= PROXY_READ_MAX));
	for (size_t i = 0; n > 0 && i < (size_t)n; i++)
		MUST(proxy_header_parse(copy, i, &other) == 0);
	if (n > 0)
		MUST(proxy_header_parse(copy, (size_t)n, &other) == n);
	free(copy);
	/* An IPv4-mapped pair is written as IPv4. */
	if (n > 0 && pair.client.ss_family != AF_UNSPEC && !is_mapped(&pair.client) && !is_mapped(&pair.gate)) {
		(void)memset(id, 'i', sizeof(id) - 1);
		id[size % sizeof(id)] = '\0';
		id[PROXY_ID_MAX] = '\0';
		check_again(NODE_PROXY_V1, &pair, id);
		check_again(NODE_PROXY_V2, &pair, size % 2 ? id : NULL);
	}
	return 0;
}

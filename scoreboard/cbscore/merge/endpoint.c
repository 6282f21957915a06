/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "system/number.h"

#define TEXT_MAX 63 /* of an address */

static int read_address(const char *text, size_t size, unsigned char ret[static 16])
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char copy[TEXT_MAX + 1], *scope;

	if (size == 0 || size > TEXT_MAX)
		return -EINVAL;
	(void)memcpy(copy, text, size);
	copy[size] = '\0';
	scope = strchr(copy, '%');
	if (scope)
		*scope = '\0';
	if (inet_pton(AF_INET6, copy, ret) == 1)
		return 0;
	(void)memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, copy, ret + sizeof(mapped)) == 1 ? 0 : -EINVAL;
}

static int read_port(const char *text, size_t size, uint16_t *ret)
{
	char copy[8];
	uint64_t number;

	*ret = 0;
	if (size == 0)
		return 0;
	if (size >= sizeof(copy))
		return -EINVAL;
	(void)memcpy(copy, text, size);
	copy[size] = '\0';
	if (number_parse(copy, 1, 65535, &number) < 0)
		return -EINVAL;
	*ret = (uint16_t)number;
	return 0;
}

int endpoint_read(const char *address, size_t address_size, const char *port, size_t port_size, struct endpoint *ret)
{
	int r = read_address(address, address_size, ret->address);

	return r < 0 ? r : read_port(port, port_size, &ret->port);
}

int endpoint_parse(const char *text, struct endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : 0;
	bool bracketed = size > 2 && text[0] == '[' && text[size - 1] == ']';

	if (!colon || colon[1] == '\0')
		return -EINVAL;
	return endpoint_read(text + bracketed, size - (bracketed ? 2 : 0), colon + 1, strlen(colon + 1), ret);
}

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

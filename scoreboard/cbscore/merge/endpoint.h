/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * endpoint.h: an address and a port as logs write them, in a form that compares:
 * 10.0.0.7 is the same as ::ffff:10.0.0.7.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint {
	unsigned char address[16];
	uint16_t port;   /* 0: none was written */
};

/* Reads an address without brackets, and a port (size 0: none). 0; -EINVAL: the texts are no address and port. */
int endpoint_read(const char *address, size_t address_size, const char *port, size_t port_size, struct endpoint *ret);

/* Reads "10.0.0.7:4711" or "[2001:db8::7]:4711". 0 or -EINVAL. */
int endpoint_parse(const char *text, struct endpoint *ret);

/* Whether the addresses are the same; the ports may differ. */
bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b);

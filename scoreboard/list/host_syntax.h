/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * host_syntax.h: the host of a node, as text alone: a host name, an IPv4
 * address, or an IPv6 address in brackets.
 */

#include <stddef.h>

#include "expected.h"
#include "nodelist.h"

/*
 * Reads a host. *ret gets it without brackets and in one form for all ways to
 * write it: names in lower case, addresses as inet_ntop(3) has them. So a node
 * that is listed twice is found. 0; or -EINVAL: then expected holds
 * the phrase.
 */
int host_parse(const char *text, char ret[static NODE_HOST_MAX + 1], char expected[static EXPECTED_MAX]);

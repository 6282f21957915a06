/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * listen.h: what people write for a place to listen at: "[ADDR:]PORT", or the path
 * of a unix socket, which begins with / or ./.
 */

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_SYNTAX "[ADDR:]PORT, or a path of at most 107 bytes that begins with / or ./"

/* Whether a text is such a place; ADDR may be a name that does not resolve. */
bool listen_is_place(const char *text);

/*
 * Listens at every address that the text stands for and that the machine has: a
 * port alone is all of the machine's addresses, a name all of its own. A unix
 * socket that no process listens at any more makes room. *ret gets up to max
 * non-blocking, close-on-exec descriptors, the caller's. Returns how many, or
 * -errno: -EINVAL is a text that is no place, -ENXIO a name that does not resolve,
 * -EADDRNOTAVAIL that the machine has none of the addresses, -E2BIG that they are
 * more than max.
 */
int listen_at(const char *text, int *ret, size_t max);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * shown.h: a snapshot that several answers show at the same time, and the answers
 * themselves, which libmicrohttpd asks for part by part, as fast as their clients
 * read. An answer holds its snapshot, so that the parts agree with each other, and
 * the text of one part.
 */

#include <stdint.h>

#include "mhd.h"

#include "form.h"
#include "snapshot.h"

struct shown {
	struct snapshot snapshot;
	unsigned users;
};

/* Copies the farm. 0 and *ret with one user, the caller; or -errno. */
int shown_take(struct score *score, const char *farm, struct shown **ret);

/* One user less; the last frees it. shown may be NULL. Returns NULL. */
struct shown *shown_leave(struct shown *shown);

/* The number of nodes in all snapshots that have a user. */
size_t shown_nodes(void);

/* Makes a response that writes the snapshot in a form, and is a user of it until it is destroyed. NULL: no memory. */
struct MHD_Response *shown_response(struct shown *shown, const struct form *form);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * assets.h: the files of the page that are the same for every farm. They are part
 * of the program, which so reads no file of the machine to serve them.
 */

#include <stddef.h>

struct asset {
	const char *path, *type; /* the path of its URL, and its media type */
	const char *begin, *end; /* its bytes */
};

/* The asset of that path, or NULL. */
const struct asset *asset_find(const char *path);

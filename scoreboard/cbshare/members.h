/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * members.h: the members of an etcd: their URLs, and which of them is asked first.
 */

#include <stddef.h>

#include "etcd.h"

struct members {
	char *urls[ETCD_MEMBERS_MAX]; /* "http://10.0.0.1:2379" */
	size_t n;
	size_t first; /* the member that answered last */
};

/* Reads a list of URLs. 0; -EINVAL: the text is no such list; or -ENOMEM. *ret is to be cleared whatever is returned. */
int members_read(const char *text, struct members *ret);

/* Frees what the list holds. */
void members_clear(struct members *members);

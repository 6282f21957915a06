/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sources.h: the sources of news that the checks of a pass share.
 */

#include "cbprobe/checks/check.h"
#include "roster.h"

#define SOURCES_MAX 4 /* as many as check.c's checks have, or more */

struct sources {
	const struct source *all[SOURCES_MAX];
	size_t n;
};

/* Opens the sources of the roster's nodes, and has epoll watch them. 0 or -errno; ended by sources_close() either way.
 * */
int sources_open(struct sources *sources, const struct roster *roster, int epoll_fd);

/* Closes them. */
void sources_close(struct sources *sources);

/* The source that an epoll event is about, or NULL: the event is about a probe. */
const struct source *sources_find(const struct sources *sources, const void *about);

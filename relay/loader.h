/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * loader.h: how a listener loads its node list again. A load resolves names,
 * which may take long: a child process does it, and the listener goes on serving.
 */

#include <stdbool.h>

#include <systemd/sd-event.h>

#include "mirror.h"
#include "scoreboard.h"

struct loader;

/* What a loader is made of; all of it stays the caller's and outlives the loader. */
struct loader_setup {
	sd_event *event;
	struct score *score;
	const char *nodes;                     /* the list's path; NULL: the nodes came from elsewhere */
	const struct entrances *entrances;     /* a node of the list that is one of them is told of */
	int journal_fd;                        /* see log_fd() */
	void (*on_change)(void *arg);          /* called when a load has ended */
	void *arg;
};

/* Makes a loader without a load. 0 or -ENOMEM. *ret is the caller's, to be ended by loader_free(). */
int loader_new(const struct loader_setup *setup, struct loader **ret);

/* Frees the loader; a load that is under way ends by itself. NULL is fine. Returns NULL. */
struct loader *loader_free(struct loader *loader);

/* Begins a load. If a load is under way, another follows it. The result is told to systemd and in the log. */
void loader_load(struct loader *loader);

/* Whether a load is under way. */
bool loader_is_busy(const struct loader *loader);

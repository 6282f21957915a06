/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * timers.h: the probes that wait for a time, the earliest first. A binary heap
 * over their deadline_usec, in memory that is allocated once.
 */

#include <stddef.h>

#include "cbprobe/checks/probe.h"

struct timers {
	struct probe **heap; /* from 1; a probe's place is in its timer field, 0 if it has none */
	size_t n;
};

/* Makes room for n probes. 0 or -ENOMEM. */
int timers_init(struct timers *timers, size_t n);

/* Frees the room. */
void timers_clear(struct timers *timers);

/* Puts a probe in, or moves it, after its deadline was set. */
void timers_set(struct timers *timers, struct probe *probe);

/* Takes a probe out; harmless if it is not in. */
void timers_remove(struct timers *timers, struct probe *probe);

/* The probe with the earliest deadline, or NULL. */
struct probe *timers_first(const struct timers *timers);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * confine.h: what a process that serves connections may still do when a client or
 * a node has taken control of it. The process that forks relays makes the rules
 * once. They cost a relay three system calls, and a connection none.
 */

#include <stddef.h>

struct confinement;

/*
 * Makes the rules: system calls by seccomp(2), files by landlock(7) where the
 * kernel has it. folder_fd is the scoreboard's folder, in which a relay may open,
 * make and replace files, as a damaged scoreboard has to be rebuilt; it stays the
 * caller's. 0 and *ret, to be ended by confinement_free(); or -errno.
 */
int confinement_new(int folder_fd, struct confinement **ret);

/* The descriptor that confine() needs, for a process that closes all others; -1: none. It stays the confinement's. */
int confinement_fd(const struct confinement *confinement);

/*
 * Binds the calling process to the rules, for good; fork(2) inherits them. Other
 * processes of the same user can no longer look into the calling process. 0, or
 * -errno: then not all of the rules bind it.
 */
int confine(const struct confinement *confinement);

/*
 * Binds the calling process, a listener, to the rules of listeners, for good. Other
 * processes of the same user can no longer look into it. What it forks is bound, too,
 * and may bind itself further by confine(). 0, or -errno: then it is not bound.
 */
int confine_listener(void);

/* Frees the rules; processes that are bound by them stay so. NULL is fine. Returns NULL. */
struct confinement *confinement_free(struct confinement *confinement);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * confine.h: what a process that serves connections may still do when a client or
 * a node has taken control of it. The listener makes the rules once.
 * They cost a relay that was forked one system call, and a connection none.
 */

#include <stddef.h>
#include <stdint.h>

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
 * Binds the calling process, a nursery, and all that it forks, to the system calls of relays, for good. It may fork only
 * by clone(2) with *ret_pass as the fifth argument, which has no other use; that number must be erased in what is forked.
 * 0, or -errno: then not all of the rules bind it.
 */
int confine_nursery(const struct confinement *confinement, uint64_t *ret_pass);

/* The rest of the rules, for a process that a nursery has forked. 0, or -errno: then not all of the rules bind it. */
int confine_forked(const struct confinement *confinement);

/*
 * Binds the calling process, a listener, to the rules of listeners, for good. Other
 * processes of the same user can no longer look into it. What it forks is bound, too,
 * and may bind itself further by confine(). 0, or -errno: then it is not bound.
 */
int confine_listener(void);

/* Frees the rules; processes that are bound by them stay so. NULL is fine. Returns NULL. */
struct confinement *confinement_free(struct confinement *confinement);

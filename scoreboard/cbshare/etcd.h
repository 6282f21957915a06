/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * etcd.h: the engine that is etcd: three members or more, of version 3.4 or later, by
 * their JSON interface.
 *
 * A request that fails at a member goes to the next member, if it certainly was not
 * sent, or only reads. A commit of which a member may have had anything is never
 * sent again: it is ENGINE_UNKNOWN.
 */

#include <poll.h>
#include <stddef.h>

#include "engine.h"

#define ETCD_MEMBERS_MAX 16u
#define ETCD_MEMBERS_SYNTAX "http://HOST[:PORT] or https://HOST[:PORT], up to 16 of them with commas between"

/* How this program proves its name to the members, and which members it believes. All may be NULL. The texts must stay. */
struct etcd_login {
	const char *ca;              /* file of certificates that are trusted; NULL: those of the system */
	const char *certificate;     /* this program's, a file */
	const char *key;             /* its key, a file */
	const char *user, *password; /* for a token; both or neither */
};

/*
 * members: their URLs, as ETCD_MEMBERS_SYNTAX says; port 2379 if none is named.
 * timeout_msec: each request is answered within it, be it as ENGINE_UNKNOWN.
 * Nothing is sent yet. 0 and *ret; -EINVAL: that is no such list; or -ENOMEM.
 */
int etcd_open(const char *members, const struct etcd_login *login, int timeout_msec, struct engine **ret);

/* The engine's turn: waits until an answer comes, one of the descriptors is readable (revents say which) or the time is
 * over, and calls back. Up to 8 descriptors. 0 or -errno. */
int etcd_turn(struct engine *engine, struct pollfd *fds, unsigned n, int timeout_msec);

/* Why the last request failed, for people: "http://10.0.0.1:2379: Connection refused". NULL: it did not. Valid until
 * the next turn. */
const char *etcd_trouble(const struct engine *engine);

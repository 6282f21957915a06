/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * store.h: an engine (engine.h) in this process, and the way to it, on which requests and answers are late, lost, or
 * overtake each other.
 */

#include <stdbool.h>

#include "cbshare/engine.h"

/* What store and way do wrong, by intention: a test that does not notice is no test. */
enum store_fault {
	STORE_NO_EPOCH = 1,          /* commits do not compare epochs */
	STORE_NO_HEARTBEAT = 2,      /* nor heartbeats */
	STORE_NO_NODES = 4,          /* nor nodes */
	STORE_LIES = 8,              /* a refused commit is told as done */
};

/* How a client of the store is served. */
struct way {
	bool cut;                    /* nothing goes through: what is under way arrives after the cut or never */
	uint64_t rough;              /* once in so many requests something is lost or very late; 0: never */
};

struct client {
	struct engine engine;        /* the first member */
	unsigned gateway;
	bool closed;
	struct way *way;
	/* Whether the client's process can run now: its callbacks wait while it does not. */
	bool (*runs)(unsigned gateway);
	void (*ran)(unsigned gateway); /* called after each callback */
	/* its watch */
	bool watching;
	uint64_t watch_number;       /* of this client: changes for an earlier watch are not told */
	uint64_t watch_from;         /* changes before this place of the log have been sent, or are not wanted */
	uint64_t news_sent, news_told; /* they are told in the order in which they were sent */
	uint64_t watch_usec;         /* when the latest arrives: later changes arrive later */
	engine_changed *changed;
	engine_lost *lost;
	void *context;
	unsigned users;              /* events that know this client, and itself */
};

/* An empty store. applied is called after each commit that is applied; author: the gateway that sent it. */
void store_begin(unsigned faults, void (*applied)(unsigned author));

/* Frees the store. */
void store_end(void);

/* Keeps a copy of all keys, as a backup. */
void store_keep(void);

/* All members of the store fail: what is under way is lost, and watches end. */
void store_fail(void);

/* They are there again; back: as the copy has them. */
void store_return(bool back);

/* Whether the members are away: after store_fail(), and before store_return(). */
bool store_has_failed(void);

/* A client of the store; close it as engines are closed. */
struct client *store_client(unsigned gateway, struct way *way, bool (*runs)(unsigned gateway), void (*ran)(unsigned gateway));

/* The value of a key now; NULL: the key does not exist. */
const char *store_value(const char *key);

/* The value of a key before its latest change; NULL: the key did not exist. */
const char *store_before(const char *key);

/* The store's present revision. */
uint64_t store_revision(void);

/* The revision of a key's latest change; 0: the key does not exist. */
uint64_t store_key_revision(const char *key);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * request.h: what was asked of the engine and is not dealt with yet. The engine's callback takes in what the answer says of
 * keys, and notes the answer; the gateway's next turn deals with it.
 */

#include "known.h"

enum request_kind {
	REQUEST_READ,                /* all keys */
	REQUEST_SETTLE,              /* the epoch and the heartbeat, whatever else is under way */
	REQUEST_RENEW,               /* the heartbeat */
	REQUEST_MOVE,                /* shares */
	REQUEST_GOODBYE,             /* the heartbeat goes */
};

#define REQUEST_KEYS_MAX 62u

struct request {
	struct request *next;
	struct known *known;
	enum request_kind kind;
	uint64_t life, newest;       /* as known had them when this was asked */
	uint64_t round;              /* struct gateway's round when this was asked */
	uint64_t sent_usec;
	bool answered;
	enum engine_outcome outcome;
	uint64_t revision;           /* of the read or the commit, where it is done */
	/* A commit. Keys and values are the request's. */
	size_t n_compares, n_puts;
	struct engine_compare compares[REQUEST_KEYS_MAX];
	struct engine_put puts[REQUEST_KEYS_MAX];
	char *texts[3 * REQUEST_KEYS_MAX];
	size_t n_texts;
	bool complete;               /* there was memory for all of it */
	/* What is to be told of it if it is done. */
	struct gateway_event event;
	char peer[GATEWAY_NAME_MAX + 1];
	int64_t gains[REQUEST_KEYS_MAX]; /* of this gateway, by put */
};

/* A request with nothing in it yet. NULL: no memory. */
struct request *request_new(struct known *k, enum request_kind kind);

/* Adds a compare: the commit is made only if the key has that revision; 0: only if it does not exist. The request takes
 * over the key, which known_key() made; NULL: there was no memory, and the request is not complete. */
void request_compare(struct request *request, char *key, uint64_t revision);

/* Adds a put; value NULL: the key is deleted. The request takes over key and value. */
void request_put(struct request *request, char *key, char *value);

/* Sends a read of all keys. 0; or -errno: it was not sent, and the caller frees the request. */
int request_read(struct request *request, struct engine *engine);

/* Sends a commit. 0; or -errno, as above. */
int request_commit(struct request *request, struct engine *engine);

/* Frees the request and what it holds. */
void request_free(struct request *request);

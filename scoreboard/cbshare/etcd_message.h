/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * etcd_message.h: the messages of etcd's JSON interface, as text: what is asked, and
 * what an answer says. Keys and values are base64 in them, and revisions are
 * strings. Whatever an answer holds, it is either understood whole or refused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

/* The text of a request that reads all keys with the prefix. The caller frees it, as those below. NULL: no memory. */
char *message_range(const char *prefix);

/* The text of a request that puts all keys if all compares hold. */
char *message_txn(const struct engine_compare *compares, size_t n_compares, const struct engine_put *puts,
		  size_t n_puts);

/* The text of a request that watches all keys with the prefix, for changes after that revision. */
char *message_watch(const char *prefix, uint64_t after);

/* The text of a request for a token. */
char *message_login(const char *user, const char *password);

/* What an answer says. Begins as all zeros, and is cleared by answer_clear(). */
struct answer {
	uint64_t revision;           /* the store's, when the answer was made; 0: it is not said */
	struct engine_value *values; /* keys and values are the answer's */
	size_t n, room;
	bool succeeded; /* of a transaction: its compares held */
	bool ended;     /* of a watch: nothing more comes */
	char *token;    /* of a login */
	char *error;    /* the server's words for why not; NULL: there was no error */
	int code;       /* with error: its gRPC code */
};

/* Whether the answer's gRPC code says that the request changed nothing, and never will. */
bool answer_is_refusal(const struct answer *answer);

/* Whether the answer's gRPC code says that the token counts no more. */
bool answer_wants_login(const struct answer *answer);

/* Reads the answer to a read of keys. An error that the server tells is an answer, too. 0; -EBADMSG: the text is no such
 * answer; or -ENOMEM. The same holds for the functions below. */
int answer_range(const char *text, struct answer *ret);

/* Reads the answer to a transaction. */
int answer_txn(const char *text, struct answer *ret);

/* Reads a line of the answer to a watch. */
int answer_watch(const char *text, struct answer *ret);

/* Reads the answer to a login. */
int answer_login(const char *text, struct answer *ret);

/* Frees what an answer holds. */
void answer_clear(struct answer *answer);

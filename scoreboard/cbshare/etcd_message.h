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

/* The texts of requests; NULL: no memory. The caller frees them. */
char *message_range(const char *prefix);
char *message_txn(const struct engine_compare *compares, size_t n_compares, const struct engine_put *puts,
		  size_t n_puts);
char *message_watch(const char *prefix, uint64_t after);
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

/* The gRPC codes that say that the request changed nothing, whatever follows; and those of a token that counts no more. */
bool answer_is_refusal(const struct answer *answer);
bool answer_wants_login(const struct answer *answer);

/* Reads an answer to each kind of request; of a watch: one line. An error that the server tells is an answer, too.
 * 0; -EBADMSG: it is no such answer; or -ENOMEM. */
int answer_range(const char *text, struct answer *ret);
int answer_txn(const char *text, struct answer *ret);
int answer_watch(const char *text, struct answer *ret);
int answer_login(const char *text, struct answer *ret);

/* Frees what an answer holds. */
void answer_clear(struct answer *answer);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * engine.h: what the gateways of a farm share: a store of keys with values, that
 * changes several keys at once if none of some keys has changed (compare-and-swap,
 * linearizable), and tells of changes. Each kind of store is a file of its own.
 *
 * Every change of the store has a revision, a number greater than that of each
 * change before it. All keys that a commit puts have the commit's revision.
 *
 * A call starts something and returns. Its answer is a callback, later, from the
 * turn of the engine's own event loop and never from within a call. A request has
 * exactly one answer, unless the engine is closed first. Requests under way at the
 * same time are applied, and answered, in any order. A callback may start the next
 * request; it must not close the engine.
 *
 * Texts and arrays that a caller passes are copied by the call. Texts and arrays
 * that a callback gets are the engine's and are valid until the callback returns.
 */

#include <stddef.h>
#include <stdint.h>

enum engine_outcome {
	ENGINE_DONE,                 /* applied */
	ENGINE_REFUSED,              /* a compare did not hold; nothing was changed, nor will be */
	ENGINE_UNKNOWN,              /* no answer came: a commit may have been applied, or may be later, or never */
};

/* A key at a revision. */
struct engine_value {
	const char *key;
	const char *value;           /* NULL: the key was deleted */
	uint64_t revision;           /* of its last change; where it was deleted: of that */
};

/* Holds if the key's last change has this revision. 0: if there is no such key. */
struct engine_compare {
	const char *key;
	uint64_t revision;
};

struct engine_put {
	const char *key;
	const char *value;           /* NULL: the key is deleted, if there is one */
};

#define ENGINE_PUTS_MAX 120u     /* compares, and puts, of one commit: below the 128 operations that etcd takes as shipped */

/* The answer to a read: all keys with the prefix as they were at the revision, ordered by key; a deleted key is not among
 * them. Linearizable: it has each change that was answered before the read was started. outcome: DONE, or UNKNOWN with
 * no values. */
typedef void engine_read_done(void *context, enum engine_outcome outcome, const struct engine_value *values, size_t n,
			      uint64_t revision);

/* The answer to a commit. revision: with DONE that of the commit, else 0. */
typedef void engine_commit_done(void *context, enum engine_outcome outcome, uint64_t revision);

/* Keys that have changed, in the order of their revisions. All changes of one commit come in one call. A change may be
 * told before or after its commit is answered. */
typedef void engine_changed(void *context, const struct engine_value *values, size_t n);

/* The watch has ended: changes may have been missed. The caller reads and watches anew. reason: for a log line. */
typedef void engine_lost(void *context, const char *reason);

struct engine;

struct engine_calls {
	/* Asks for all keys that begin with the prefix. 0; or -errno: nothing was asked, and no answer comes. */
	int (*read)(struct engine *engine, const char *prefix, engine_read_done *done, void *context);

	/* Puts all of it if all compares hold, else nothing. Both arrays may be empty; no key is put twice. 0; or -errno:
	 * nothing was sent, and no answer comes. */
	int (*commit)(struct engine *engine, const struct engine_compare *compares, size_t n_compares,
		      const struct engine_put *puts, size_t n_puts, engine_commit_done *done, void *context);

	/* Tells of each change with a revision above after of a key that begins with the prefix, until lost is called.
	 * A watch that was there ends, and its lost is not called. 0; or -errno: there is no watch. */
	int (*watch)(struct engine *engine, const char *prefix, uint64_t after, engine_changed *changed, engine_lost *lost,
		     void *context);

	/* Frees the engine. No callback comes after it. Commits under way may still be applied. */
	void (*close)(struct engine *engine);
};

/* The first member of each kind's own struct. */
struct engine {
	const struct engine_calls *calls;
};

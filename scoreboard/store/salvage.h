/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * salvage.h: the bytes of a damaged scoreboard: what can still be read in them,
 * and how a whole one gets into their place.
 *
 * The file stays the same file: every process that has it mapped goes on with
 * what is put there. While a wreck is open all others wait for its locks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store.h"

struct salvage;

/* Which time of its life a file is in, as far as it can be read without waiting for anybody: 0 if it cannot. */
uint16_t salvage_peek(const char *path);

/* As salvage_check(), without waiting for anybody. */
int salvage_is_ours(const char *path);

/* Takes all locks of a file, as soon as nobody has any, and reads it. 0 and *ret; or -errno. */
int salvage_open(const char *path, struct salvage **ret);

/* Gives the locks up. Returns NULL. */
struct salvage *salvage_close(struct salvage *wreck);

/* Whether this was a scoreboard of this version: 0; -EBADMSG: it looks like something else; -EPROTO. */
int salvage_check(const struct salvage *wreck);

/* As salvage_peek(). */
uint16_t salvage_generation(const struct salvage *wreck);

/* The file itself. */
const struct stat *salvage_stat(const struct salvage *wreck);

/* A record of that size which can be believed to be where it belongs, or NULL; valid until the close. */
const void *salvage_get(const struct salvage *wreck, enum store_kind kind, uint32_t a, uint32_t b, size_t size);

/* Calls back for each record of a kind, in the order of its numbers; doubtful ones too where doubtful is true. */
int salvage_each(const struct salvage *wreck, enum store_kind kind, bool doubtful,
	       int (*fn)(uint32_t a, uint32_t b, const void *data, size_t size, void *arg), void *arg);

/* Copies the file, as it was found, to a new one beside it: *ret is its name in the folder, the caller's to free. 0 or
 * -errno. */
int salvage_keep(const struct salvage *wreck, char **ret);

/*
 * Puts the whole scoreboard made, a new store of the same folder without a name,
 * into the wreck's place. Whoever is killed in the middle leaves one that nobody can use
 * until somebody calls salvage_resume(). 0 or -errno.
 */
int salvage_replace(struct salvage *wreck, struct store *made);

/* Finishes a salvage_replace() of one who was killed in it. 0 if there was one, 1 if not, or -errno. */
int salvage_resume(struct salvage *wreck);

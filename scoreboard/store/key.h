/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * key.h: the names of the scoreboard's records: a kind, and up to two numbers,
 * as in "slots/7/0". They are text, so that tdbdump and tdbtool show them. All
 * are listed in corebalance-scoreboard(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a record is about. */
enum store_kind {
	STORE_VERSION,
	STORE_FARM,
	STORE_NODE,      /* a: node id */
	STORE_SLOTS,     /* a: node id, b: page */
	STORE_QUEUE,     /* a: page */
	STORE_INDEX,     /* a: level, b: page */
	STORE_SPEED,     /* a: row */
	STORE_LOST,      /* a: page */
	STORE_HISTORY,
	STORE_SLICE,     /* a: place in the ring */
	STORE_ORIGIN,
	STORE_RING,      /* a: page */
	STORE_CLIENT,    /* a: page */
	STORE_PARTY,     /* a: level, b: page */
	STORE_PASSED,
	STORE_PATIENCE,
	STORE_KIND_MAX_,
};

#define KEY_MAX 32 /* bytes, more than the longest has */

/* Writes a record's name, without an end of its own. Numbers that its kind does not have are ignored. Returns its
 * length in bytes. */
size_t key_write(char buffer[static KEY_MAX], enum store_kind kind, uint32_t a, uint32_t b);

/* The other way round. False: this is no record's name. Numbers that its kind does not have become 0. */
bool key_read(const char *key, size_t length, enum store_kind *ret_kind, uint32_t *ret_a, uint32_t *ret_b);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * bytes.h: tdb's file without tdb: a header, the heads of the free list and of
 * the hash chains, and then one record behind the other. A record is its head,
 * its key, its data and perhaps some room; offset 0 ends a chain. Numbers are in
 * the byte order of the machine that made the file.
 */

#include <stdint.h>

#include "file.h"

#define RECORD_MAGIC UINT32_C(0x26011999)
#define FREE_MAGIC (~RECORD_MAGIC)
#define DEAD_MAGIC UINT32_C(0xfee1dead)
#define RECOVERY_MAGIC UINT32_C(0xf53bc0e7)
#define TRANSACTION_LOCK 8       /* tdb's header; one of its bytes that are locks */
#define HASH_SIZE_AT 36u         /* how many chains there are */
#define RECOVERY_AT 44u          /* where the record is from which a transaction is undone; 0: there is none */
#define LOCKS_OF_ALL 168u        /* tdb's header; its bytes are locks, too */
#define HEADS_AT (LOCKS_OF_ALL + 4u)
#define RECORDS_AT (HEADS_AT + 4u * STORE_HASH_SIZE)

/* A record's head. length is that of all that follows it. */
struct head {
	uint32_t next, length, key_length, data_length, hash, magic;
};

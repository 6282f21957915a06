/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * place.c: tdb_store() looks for the record anew, reads its head, and copies all
 * of it: two fifths of the instructions of a claim and a release. But a section
 * that changes a record has had it shown, and knows which of its bytes have
 * changed. tdb_parse_record() asks for locks at each step of a chain, and copies
 * what it compares: another third of what is left.
 */

#include "place.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "bytes.h"

#define CHAIN_MAX 1000u /* far longer than any: this is a ring */

struct seen {
	struct tdb_context *tdb;
	TDB_DATA key;
	const unsigned char *outer, *inner;
};

static int look_again(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct seen *seen = arg;

	(void)key;
	seen->inner = value.dptr;
	return 0;
}

static int look(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct seen *seen = arg;

	(void)key;
	seen->outer = value.dptr;
	return tdb_parse_record(seen->tdb, seen->key, look_again, seen);
}

/* tdb does not tell where it has mapped the file, nor whether. So it is asked to show one record twice at the same time: at
 * one address it shows the mapped file, at two it shows copies. A second mapping of the file tells where in the file the
 * record is. */
struct map place_map(struct tdb_context *tdb, const char *key)
{
	struct seen seen = { .tdb = tdb, .key = { .dptr = (unsigned char *)(uintptr_t)key, .dsize = strlen(key) } };
	struct map other = { .size = tdb_map_size(tdb) }, map = other;
	TDB_DATA record;
	void *bytes;

	if (tdb_parse_record(tdb, seen.key, look, &seen) != 0 || !seen.outer || seen.outer != seen.inner)
		return map;
	bytes = mmap(NULL, other.size, PROT_READ, MAP_SHARED, tdb_fd(tdb), 0);
	if (bytes == MAP_FAILED)
		return map;
	other.bytes = bytes;
	if (place_find(&other, seen.key, tdb_jenkins_hash(&seen.key), &record))
		map.bytes = (unsigned char *)(uintptr_t)seen.outer - (record.dptr - other.bytes);
	map.known = seen.outer;
	(void)munmap(bytes, other.size);
	return map;
}

bool place_find(const struct map *map, TDB_DATA key, uint32_t hash, TDB_DATA *ret)
{
	uint32_t offset;

	if (!map->bytes || map->size < RECORDS_AT)
		return false;
	(void)memcpy(&offset, map->bytes + HEADS_AT + 4 * (hash % STORE_HASH_SIZE), sizeof(offset));
	for (unsigned i = 0; i < CHAIN_MAX && offset >= RECORDS_AT; i++) {
		struct head head;
		unsigned char *body;

		if (offset > map->size - sizeof(head))
			return false;
		(void)memcpy(&head, map->bytes + offset, sizeof(head));
		body = map->bytes + offset + sizeof(head);
		offset = head.next;
		if (head.hash != hash || head.key_length != key.dsize)
			continue;
		if (head.magic != RECORD_MAGIC || head.length > map->size - (size_t)(body - map->bytes) ||
		    head.key_length > head.length || head.data_length > head.length - head.key_length)
			return false;
		if (memcmp(body, key.dptr, key.dsize) != 0)
			continue;
		*ret = (TDB_DATA){ .dptr = body + key.dsize, .dsize = head.data_length };
		return true;
	}
	return false;
}

/* In a source file of its own, so that no compiler sees what the bytes are for, and changes the order. */
void place_write(void *place, const void *bytes, size_t size)
{
	(void)memcpy(place, bytes, size);
	atomic_signal_fence(memory_order_seq_cst);
}

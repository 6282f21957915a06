/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * journal_export.c: an entry may have any fields, of any size, from any program.
 * Names and values are read into buffers of fixed size; what does not fit there
 * is of no use here and is skipped.
 */

#include "journal_export.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_ 64 /* of the journal */

static const struct field {
	const char *name;
	size_t offset, size;
} fields[] = {
#define FIELD(name, member) { name, offsetof(struct journal_entry, member), sizeof(((struct journal_entry *)0)->member) }
	FIELD("__REALTIME_TIMESTAMP", realtime),
	FIELD("MESSAGE_ID", message_id),
	FIELD("MESSAGE", message),
	FIELD("COREBALANCE_CLIENT", client),
	FIELD("COREBALANCE_NODE", node),
	FIELD("COREBALANCE_NODE_LOCAL", node_local),
	FIELD("COREBALANCE_TOTAL_USEC", total_usec),
};

static int end_of(FILE *file)
{
	return ferror(file) ? -EIO : -EBADMSG;
}

/* Where the value of a field goes; NULL: nowhere. */
static char *place_of(struct journal_entry *entry, const char *name, size_t *ret_size)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].name, name) == 0) {
			*ret_size = fields[i].size;
			return (char *)entry + fields[i].offset;
		}
	*ret_size = 0;
	return NULL;
}

static void keep(char *place, size_t size, size_t at, int c)
{
	if (place && at + 1 < size) {
		place[at] = (char)c;
		place[at + 1] = '\0';
	}
}

static int read_text(FILE *file, char *place, size_t size)
{
	int c;

	for (size_t n = 0; (c = getc_unlocked(file)) != '\n'; n++) {
		if (c == EOF)
			return end_of(file);
		keep(place, size, n, c);
	}
	return 0;
}

static int read_binary(FILE *file, char *place, size_t size)
{
	uint64_t length = 0;
	int c;

	for (unsigned i = 0; i < 8; i++) {
		c = getc_unlocked(file);
		if (c == EOF)
			return end_of(file);
		length |= (uint64_t)c << (8 * i);
	}
	for (uint64_t n = 0; n < length; n++) {
		c = getc_unlocked(file);
		if (c == EOF)
			return end_of(file);
		keep(place, size, (size_t)n, c);
	}
	return getc_unlocked(file) == '\n' ? 0 : end_of(file);
}

/* Reads the name of a field, and what ends it: '=' or '\n'. Returns that; 0: the file is at its end; or -errno. */
static int read_name(FILE *file, char name[static NAME_MAX_ + 1])
{
	size_t n = 0;
	int c;

	name[0] = '\0';
	while ((c = getc_unlocked(file)) != '=' && c != '\n') {
		if (c == EOF)
			return n == 0 && !ferror(file) ? 0 : end_of(file);
		if (n == NAME_MAX_)
			return -EBADMSG;
		keep(name, NAME_MAX_ + 1, n++, c);
	}
	return c;
}

int journal_export_read(FILE *file, struct journal_entry *ret)
{
	char name[NAME_MAX_ + 1], *place;
	bool any = false;
	size_t size;
	int r;

	(void)memset(ret, 0, sizeof(*ret));
	for (;;) {
		r = read_name(file, name);
		if (r < 0)
			return r;
		if (r == 0)
			return any ? 1 : 0;
		if (r == '\n' && name[0] == '\0') {
			if (any)
				return 1;
			continue;
		}
		if (name[0] == '\0')
			return -EBADMSG;
		place = place_of(ret, name, &size);
		r = r == '=' ? read_text(file, place, size) : read_binary(file, place, size);
		if (r < 0)
			return r;
		any = true;
	}
}

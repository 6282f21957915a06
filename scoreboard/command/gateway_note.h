/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gateway_note.h: what cbshare(8) notes of the gateways of its farm, for programs
 * that show it: a file beside the scoreboard, SCOREBOARD.gateways, a line a gateway.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATEWAY_NOTE_NAME_MAX 63u /* longest name of a gateway, without its NUL */
#define GATEWAY_NOTES_MAX 32u

enum gateway_note_state {
	GATEWAY_NOTE_HERE,           /* this gateway, with a lease */
	GATEWAY_NOTE_LAPSED,         /* this gateway, without a lease */
	GATEWAY_NOTE_THERE,          /* another gateway, which says that it is there */
	GATEWAY_NOTE_SILENT,         /* another gateway, which has said nothing for the time of its lease */
	GATEWAY_NOTE_LEAVING,        /* any, as its connections end */
	GATEWAY_NOTE_STATES_,
};

struct gateway_note {
	char name[GATEWAY_NOTE_NAME_MAX + 1];
	enum gateway_note_state state;
	uint64_t cores;              /* of all nodes together */
	uint64_t shares;             /* of these, so many are the gateway's */
	uint64_t busy, waiting;
	uint64_t waiting_usec;       /* CLOCK_REALTIME of this machine: since when its oldest waiter has waited; 0: none waits */
	uint64_t said_usec;          /* the same: when it spoke last; 0: never */
	bool same_list;              /* as this gateway's */
};

/* The state as a word. Never NULL. */
const char *gateway_note_word(enum gateway_note_state state);

/* Replaces the file of the scoreboard of that path, in one step. 0 or -errno. */
int gateway_note_write(const char *scoreboard, const struct gateway_note *notes, size_t n);

/* Removes it. A file that is not there is fine. */
void gateway_note_remove(const char *scoreboard);

/* Calls fn for each gateway in the file until that returns other than 0. 0; what fn returned; -ENOENT: there is no such file;
 * -EBADMSG: a line of it cannot be read, and fn was called for those before it; or -errno. */
int gateway_note_each(const char *scoreboard, int (*fn)(const struct gateway_note *note, void *arg), void *arg);

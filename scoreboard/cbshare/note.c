/* SPDX-License-Identifier: GPL-3.0-or-later */

/* note.c: the gateways' status as command/gateway_note.h has it. */

#include <string.h>

#include "command/gateway_note.h"
#include "note.h"
#include "system/timespan.h"

_Static_assert(GATEWAY_NOTE_NAME_MAX == GATEWAY_NAME_MAX && GATEWAY_NOTES_MAX == GATEWAYS_MAX, "one size");

static enum gateway_note_state state_of(const struct gateway_peer *peer, bool lapsed)
{
	if (peer->self && lapsed)
		return GATEWAY_NOTE_LAPSED;
	if (!peer->self && peer->silent)
		return GATEWAY_NOTE_SILENT;
	if (peer->leaving)
		return GATEWAY_NOTE_LEAVING;
	return peer->self ? GATEWAY_NOTE_HERE : GATEWAY_NOTE_THERE;
}

int note_gateways(const char *scoreboard, const struct gateway_status *status, uint64_t now_usec)
{
	struct gateway_note notes[GATEWAYS_MAX];
	uint64_t boot_usec = now_realtime() - now_usec;
	size_t i;

	for (i = 0; i < status->n_peers; i++) {
		const struct gateway_peer *peer = &status->peers[i];
		struct gateway_note *note = &notes[i];

		*note = (struct gateway_note){ .state = state_of(peer, status->lease_usec <= now_usec), .cores = status->cores,
					       .shares = peer->shares, .busy = peer->busy, .waiting = peer->waiting,
					       .same_list = peer->same_list };
		(void)strncpy(note->name, peer->name, GATEWAY_NOTE_NAME_MAX);
		if (peer->said_usec > 0)
			note->said_usec = boot_usec + peer->said_usec;
		/* Its age is of the moment in which it spoke; this gateway's of now. */
		if (peer->waiting > 0)
			note->waiting_usec = (peer->self ? boot_usec + now_usec : note->said_usec) - peer->age_usec;
	}
	return gateway_note_write(scoreboard, notes, status->n_peers);
}

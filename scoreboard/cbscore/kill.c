/* SPDX-License-Identifier: GPL-3.0-or-later */

/* kill.c: the verb kill: ends connections, by slot or by client. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "age.h"
#include "ending.h"
#include "system/number.h"
#include "system/printable.h"
#include "verbs.h"

/* Whether word is the client's address with its port, or without. */
static bool is_client(const char *client, const char *word)
{
	size_t length = strlen(word);
	const char *port = strrchr(client, ':');

	if (strcmp(client, word) == 0)
		return true;
	if (!port)
		return false;
	if (strlen(word) == (size_t)(port - client) && strncmp(client, word, length) == 0)
		return true;
	/* The word may be an IPv6 address without its brackets. */
	return client[0] == '[' && strncmp(client + 1, word, length) == 0 && client[1 + length] == ']' &&
	       client + 2 + length == port;
}

/* Whether the word is NODE/SLOT or the client of the slot. */
static bool is_meant(const struct score_slot_info *slot, const void *arg)
{
	const char *word = arg, *slash = strrchr(word, '/');
	uint64_t number;

	if (slash && strlen(slot->node) == (size_t)(slash - word) && strncmp(slot->node, word, (size_t)(slash - word)) == 0)
		return number_parse(slash + 1, 0, UINT32_MAX, &number) == 0 && number == slot->slot;
	return is_client(slot->client, word);
}

static int end_one(struct score *score, const struct held_slot *held)
{
	int r = held_slot_end(score, held);
	char age[AGE_MAX];

	if (r == 0)
		held_slot_note_end(held);
	if (r < 0) {
		complain("%s/%" PRIu32 ": %s", held->node, held->slot, held_slot_strerror(r));
	} else {
		print(stdout, "%s/%" PRIu32 ": the connection of %s, %s old, %s\n", held->node, held->slot, held->client,
			     age_format(age_of(held->since_usec), age), r > 0 ? "had ended already" : "is ended");
	}
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

/* Ends the connections that a word names. A status, or -errno. */
static int end_all(struct score *score, const char *word)
{
	struct held_slots found;
	int status = STATUS_OK, r = held_slots_find(score, is_meant, word, &found);

	if (r < 0)
		return r;
	if (found.n == 0) {
		complain("%s: no slot is held by that name; cbscore slots shows NODE/SLOT and CLIENT", word);
		status = STATUS_FAILED;
	}
	for (size_t i = 0; i < found.n; i++)
		if (end_one(score, &found.slots[i]) != STATUS_OK)
			status = STATUS_FAILED;
	free(found.slots);
	return status;
}

static int kill_connections(const struct context *context, struct score *score)
{
	int status = STATUS_OK;

	for (int i = 0; i < context->n_arguments && status >= 0; i++) {
		int one = end_all(score, context->arguments[i]);

		if (one != STATUS_OK)
			status = one;
	}
	return status;
}

const struct action verb_kill = {
	.verb = {
		.name = "kill", .arguments = "NODE/SLOT|CLIENT...", .also = "end disconnect", .min = 1, .max = -1,
		.help = "end the connection of a slot, or those of a client",
	},
	.change = kill_connections,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "shown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE (32u * 1024) /* as much as libmicrohttpd asks for at once */

struct answer {
	struct shown *shown;
	const struct form *form;
	size_t next;             /* part */
	char *text;              /* of the part before, of which the first bytes are sent */
	size_t size, sent;
};

static size_t nodes_shown;

int shown_take(struct score *score, const char *farm, struct shown **ret)
{
	struct shown *shown = calloc(1, sizeof(*shown));
	int r = shown ? snapshot_take(score, farm, &shown->snapshot) : -ENOMEM;

	if (r < 0) {
		free(shown);
		return r;
	}
	shown->users = 1;
	nodes_shown += shown->snapshot.n_nodes;
	*ret = shown;
	return 0;
}

struct shown *shown_leave(struct shown *shown)
{
	if (!shown || --shown->users > 0)
		return NULL;
	nodes_shown -= shown->snapshot.n_nodes;
	snapshot_clear(&shown->snapshot);
	free(shown);
	return NULL;
}

size_t shown_nodes(void)
{
	return nodes_shown;
}

/* ---- answers ---- */

static void forget_text(struct answer *answer)
{
	free(answer->text);
	answer->text = NULL;
	answer->size = answer->sent = 0;
}

/* Writes the next part. 1; 0 if there is none; or -ENOMEM. */
static int write_part(struct answer *answer)
{
	FILE *out;
	bool any;

	forget_text(answer);
	out = open_memstream(&answer->text, &answer->size);
	if (!out)
		return -ENOMEM;
	any = answer->form->write(out, &answer->shown->snapshot, answer->next++);
	if (fclose(out) != 0)
		return -ENOMEM;
	return any;
}

/* libmicrohttpd calls this when the client has room for up to max bytes. */
static ssize_t on_room(void *arg, uint64_t at, char *buffer, size_t max)
{
	struct answer *answer = arg;
	int r = 1;

	(void)at;
	while (answer->sent == answer->size && r > 0)
		r = write_part(answer);
	if (r <= 0)
		return r == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
	if (max > answer->size - answer->sent)
		max = answer->size - answer->sent;
	(void)memcpy(buffer, answer->text + answer->sent, max);
	answer->sent += max;
	return (ssize_t)max;
}

static void on_end(void *arg)
{
	struct answer *answer = arg;

	forget_text(answer);
	(void)shown_leave(answer->shown);
	free(answer);
}

struct MHD_Response *shown_response(struct shown *shown, const struct form *form)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	struct MHD_Response *response;

	if (!answer)
		return NULL;
	*answer = (struct answer){ .shown = shown, .form = form };
	shown->users++;
	response = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, on_room, answer, on_end);
	if (!response)
		on_end(answer);
	return response;
}

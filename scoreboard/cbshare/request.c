/* SPDX-License-Identifier: GPL-3.0-or-later */

/* request.c: requests to the engine, from the asking to the answer. */

#include <errno.h>
#include <stdlib.h>

#include "request.h"

struct request *request_new(struct known *k, enum request_kind kind)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->known = k;
	request->life = k->life;
	request->newest = k->newest;
	request->kind = kind;
	request->complete = true;
	return request;
}

void request_free(struct request *request)
{
	size_t i;

	for (i = 0; i < request->n_texts; i++)
		free(request->texts[i]);
	free(request);
}

static void keep(struct request *request, char *text)
{
	request->texts[request->n_texts++] = text;
	request->complete = request->complete && text;
}

void request_compare(struct request *request, char *key, uint64_t revision)
{
	keep(request, key);
	request->compares[request->n_compares++] = (struct engine_compare){ .key = key, .revision = revision };
}

void request_put(struct request *request, char *key, char *value)
{
	keep(request, key);
	if (value)
		request->texts[request->n_texts++] = value;
	request->puts[request->n_puts++] = (struct engine_put){ .key = key, .value = value };
}

/* Takes in the outcome. Returns whether what the answer says of keys counts. */
static bool take_outcome(struct request *request, enum engine_outcome outcome, uint64_t revision)
{
	struct known *k = request->known;

	request->answered = true;
	request->outcome = request->life == k->life ? outcome : ENGINE_UNKNOWN;
	request->revision = revision;
	if (request->outcome != ENGINE_DONE)
		return false;
	known_at(k, revision, request->newest);
	return !k->went_back;
}

static void read_done(void *context, enum engine_outcome outcome, const struct engine_value *values, size_t n, uint64_t revision)
{
	struct request *request = context;

	if (take_outcome(request, outcome, revision))
		known_read(request->known, values, n, revision);
}

static void commit_done(void *context, enum engine_outcome outcome, uint64_t revision)
{
	struct request *request = context;
	size_t i;

	if (!take_outcome(request, outcome, revision))
		return;
	for (i = 0; i < request->n_puts; i++) {
		struct engine_value value = { .key = request->puts[i].key, .value = request->puts[i].value,
					      .revision = revision };

		known_change(request->known, &value, 1);
	}
}

int request_read(struct request *request, struct engine *engine)
{
	return engine->calls->read(engine, request->known->prefix, read_done, request);
}

int request_commit(struct request *request, struct engine *engine)
{
	if (!request->complete)
		return -ENOMEM;
	return engine->calls->commit(engine, request->compares, request->n_compares, request->puts, request->n_puts,
				     commit_done, request);
}

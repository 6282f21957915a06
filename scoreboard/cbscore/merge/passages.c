/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * passages.c: a ring in the order of the ends. Connections are numbered as they
 * come; number n is at n modulo the ring's size. Connections from the same
 * address and port are chained, the youngest first, by their numbers, so that
 * forgetting is only a change of the oldest number: a chain ends where it falls
 * below that.
 */

#include "passages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536u
#define ROOM_FIRST 1024u
#define NONE UINT64_MAX

struct item {
	uint64_t begin_usec, end_usec;
	uint64_t older;               /* the next of the chain, or NONE */
	struct endpoint local;
	uint32_t node;                /* in names */
	bool has_line;
	char client[SCORE_CLIENT_MAX + 1];
};

struct passages {
	struct item *ring;
	uint64_t room;                /* of the ring, a power of two */
	uint64_t first, next;         /* numbers */
	uint64_t longest_usec;        /* of all connections so far */
	uint64_t lineless;            /* of those that were forgotten */
	uint64_t youngest[BUCKETS];
	char **names;                 /* of nodes */
	uint32_t n_names;
	struct endpoint *gateways;    /* every address of the gateway that was seen */
	size_t n_gateways;
};

static struct item *item_of(const struct passages *passages, uint64_t number)
{
	return &passages->ring[number & (passages->room - 1)];
}

int passages_new(struct passages **ret)
{
	struct passages *passages = calloc(1, sizeof(*passages));

	if (!passages)
		return -ENOMEM;
	passages->ring = calloc(ROOM_FIRST, sizeof(*passages->ring));
	if (!passages->ring) {
		free(passages);
		return -ENOMEM;
	}
	passages->room = ROOM_FIRST;
	for (size_t i = 0; i < BUCKETS; i++)
		passages->youngest[i] = NONE;
	*ret = passages;
	return 0;
}

struct passages *passages_free(struct passages *passages)
{
	if (!passages)
		return NULL;
	for (uint32_t i = 0; i < passages->n_names; i++)
		free(passages->names[i]);
	free(passages->names);
	free(passages->gateways);
	free(passages->ring);
	free(passages);
	return NULL;
}

static size_t bucket_of(const struct endpoint *local)
{
	uint32_t hash = local->port;

	for (size_t i = 0; i < sizeof(local->address); i++)
		hash = hash * 31 + local->address[i];
	return hash % BUCKETS;
}

/* Makes room for another connection. */
static int grow(struct passages *passages)
{
	uint64_t room = passages->room * 2;
	struct item *ring;

	if (passages->next - passages->first < passages->room)
		return 0;
	ring = calloc((size_t)room, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint64_t i = passages->first; i < passages->next; i++)
		ring[i & (room - 1)] = *item_of(passages, i);
	free(passages->ring);
	passages->ring = ring;
	passages->room = room;
	return 0;
}

/* The number of a node's name. */
static int name_of(struct passages *passages, const char *node, uint32_t *ret)
{
	char **names;
	uint32_t i;

	for (i = 0; i < passages->n_names; i++)
		if (strcmp(passages->names[i], node) == 0)
			break;
	*ret = i;
	if (i < passages->n_names)
		return 0;
	names = realloc(passages->names, (i + 1) * sizeof(*names));
	if (!names)
		return -ENOMEM;
	passages->names = names;
	names[i] = strdup(node);
	if (!names[i])
		return -ENOMEM;
	passages->n_names++;
	return 0;
}

static bool is_gateway(const struct passages *passages, const struct endpoint *address)
{
	for (size_t i = 0; i < passages->n_gateways; i++)
		if (endpoint_same_address(&passages->gateways[i], address))
			return true;
	return false;
}

static int note_gateway(struct passages *passages, const struct endpoint *address)
{
	struct endpoint *gateways;

	if (is_gateway(passages, address))
		return 0;
	gateways = realloc(passages->gateways, (passages->n_gateways + 1) * sizeof(*gateways));
	if (!gateways)
		return -ENOMEM;
	passages->gateways = gateways;
	gateways[passages->n_gateways++] = *address;
	return 0;
}

int passages_add(struct passages *passages, const struct passage *passage)
{
	uint64_t *youngest = &passages->youngest[bucket_of(&passage->local)];
	struct item item = {
		.begin_usec = passage->begin_usec, .end_usec = passage->end_usec, .older = *youngest, .local = passage->local,
	};
	int r = name_of(passages, passage->node, &item.node) ?:
		note_gateway(passages, &passage->local) ?:
		grow(passages);

	if (r < 0)
		return r;
	(void)memcpy(item.client, passage->client, sizeof(item.client));
	if (item.end_usec - item.begin_usec > passages->longest_usec)
		passages->longest_usec = item.end_usec - item.begin_usec;
	*item_of(passages, passages->next) = item;
	*youngest = passages->next++;
	return 0;
}

void passages_forget(struct passages *passages, uint64_t end_usec)
{
	for (; passages->first < passages->next && item_of(passages, passages->first)->end_usec < end_usec; passages->first++)
		passages->lineless += !item_of(passages, passages->first)->has_line;
}

/* ---- finding ---- */

size_t passages_address_size(const char *client)
{
	const char *colon = strncmp(client, "unix:", 5) == 0 ? NULL : strrchr(client, ':');

	return colon ? (size_t)(colon - client) : strlen(client);
}

static bool is_same_client(const struct item *a, const struct item *b, bool with_port)
{
	size_t size = passages_address_size(a->client);

	if (with_port)
		return strcmp(a->client, b->client) == 0;
	return size == passages_address_size(b->client) && memcmp(a->client, b->client, size) == 0;
}

/* How far the line is from the time in which the connection was open; 0 if it is within. */
static uint64_t gap(const struct question *question, const struct item *item)
{
	uint64_t last_usec = question->usec + question->unit_usec - 1;

	if (question->unit_usec == 0)
		return question->usec > item->end_usec ? question->usec - item->end_usec : 0;
	if (last_usec < item->begin_usec)
		return item->begin_usec - last_usec;
	return question->usec > item->end_usec ? question->usec - item->end_usec : 0;
}

static bool may_be(const struct passages *passages, const struct question *question, const struct item *item)
{
	return endpoint_same_address(&question->peer, &item->local) &&
	       (question->peer.port == 0 || question->peer.port == item->local.port) &&
	       (!question->node || strcmp(question->node, passages->names[item->node]) == 0) &&
	       gap(question, item) <= question->skew_usec;
}

/* Whether a is to be taken rather than b. */
static bool is_nearer(const struct question *question, const struct item *a, const struct item *b)
{
	if (question->unit_usec == 0)
		return a->begin_usec < b->begin_usec;
	return gap(question, a) < gap(question, b);
}

static bool is_as_near(const struct question *question, const struct item *a, const struct item *b)
{
	return !is_nearer(question, a, b) && !is_nearer(question, b, a);
}

/* With a port: of the connections from there, the one that was open at that time, or nearest to it. */
static enum found find_by_port(struct passages *passages, const struct question *question, struct item **ret)
{
	enum found found = FOUND_NONE;

	for (uint64_t i = passages->youngest[bucket_of(&question->peer)]; i != NONE && i >= passages->first;
	     i = item_of(passages, i)->older) {
		struct item *item = item_of(passages, i);

		if (!may_be(passages, question, item))
			continue;
		if (found == FOUND_NONE || is_nearer(question, item, *ret)) {
			found = FOUND;
			*ret = item;
		} else if (is_as_near(question, item, *ret) && !is_same_client(item, *ret, true)) {
			found = FOUND_SEVERAL;
		}
	}
	return found;
}

/* The first connection that ended at usec or later. */
static uint64_t first_that_ended(const struct passages *passages, uint64_t usec)
{
	uint64_t low = passages->first, high = passages->next;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (item_of(passages, middle)->end_usec < usec)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Without a port: all connections that may have been open must agree. Those that ended before, and those that ended so
 * late that none of them can have begun in time, need no look. */
static enum found find_by_address(struct passages *passages, const struct question *question, struct item **ret)
{
	uint64_t from_usec = question->usec > question->skew_usec ? question->usec - question->skew_usec : 0;
	uint64_t to_usec = question->unit_usec == 0 ? UINT64_MAX :
			   question->usec + question->unit_usec + question->skew_usec + passages->longest_usec;
	enum found found = FOUND_NONE;

	for (uint64_t i = first_that_ended(passages, from_usec); i < passages->next && found != FOUND_SEVERAL; i++) {
		struct item *item = item_of(passages, i);

		if (item->end_usec > to_usec)
			break;
		if (!may_be(passages, question, item))
			continue;
		item->has_line = true; /* it may be this line */
		if (found == FOUND && !is_same_client(item, *ret, false))
			found = FOUND_SEVERAL;
		else
			found = FOUND;
		*ret = item;
	}
	return found;
}

enum found passages_find(struct passages *passages, const struct question *question, const char **ret_client,
			 uint64_t *ret_begin_usec)
{
	struct item *item = NULL;
	enum found found;

	if (!is_gateway(passages, &question->peer))
		return FOUND_STRANGER;
	found = question->peer.port ? find_by_port(passages, question, &item) : find_by_address(passages, question, &item);
	if (found == FOUND) {
		item->has_line = true;
		*ret_client = item->client;
		*ret_begin_usec = item->begin_usec;
	}
	return found;
}

uint64_t passages_count(const struct passages *passages)
{
	return passages->next;
}

uint64_t passages_count_lineless(const struct passages *passages)
{
	uint64_t n = passages->lineless;

	for (uint64_t i = passages->first; i < passages->next; i++)
		n += !item_of(passages, i)->has_line;
	return n;
}

uint64_t passages_last_usec(const struct passages *passages)
{
	return passages->next > passages->first ? item_of(passages, passages->next - 1)->end_usec : 0;
}

uint64_t passages_first_after(const struct passages *passages, uint64_t usec)
{
	for (uint64_t i = passages->first; i < passages->next; i++)
		if (item_of(passages, i)->begin_usec > usec)
			return item_of(passages, i)->begin_usec;
	return 0;
}

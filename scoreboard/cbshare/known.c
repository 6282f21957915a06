/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * known.c: the engine's keys as this gateway knows them.
 *
 * Keys that were deleted are kept with the revision of that: the answer to a read
 * that was applied before, and comes after, does not bring them back.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"

int known_init(struct known *k, const char *prefix, const char *name)
{
	*k = (struct known){ .prefix = strdup(prefix), .complete = true };
	(void)snprintf(k->peers[0].name, sizeof(k->peers[0].name), "%s", name);
	return k->prefix ? 0 : -ENOMEM;
}

static void node_free(struct known_node *node)
{
	free(node->name);
	free(node);
}

void known_clear(struct known *k)
{
	size_t i;

	for (i = 0; i < k->n_nodes; i++)
		node_free(k->nodes[i]);
	free(k->nodes);
	free(k->listed);
	free(k->prefix);
	free(k->bad);
	*k = (struct known){ .nodes = NULL };
}

char *known_key(const struct known *k, char kind, const char *name)
{
	char *key;

	return asprintf(&key, "%s%c/%s", k->prefix, kind, name) < 0 ? NULL : key;
}

/* ---- nodes ---- */

/* Where the node of that name is, or belongs. */
static size_t node_place(const struct known *k, const char *name)
{
	size_t low = 0, high = k->n_nodes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(k->nodes[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool make_room(struct known *k)
{
	size_t room = k->room > 0 ? 2 * k->room : 16;
	struct known_node **nodes;

	if (k->n_nodes < k->room)
		return true;
	nodes = reallocarray(k->nodes, room, sizeof(struct known_node *));
	if (!nodes)
		return false;
	k->nodes = nodes;
	k->room = room;
	return true;
}

static struct known_node *node_new(const char *name)
{
	struct known_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->name = strdup(name);
	node->local.limit = node->local.level = NO_LIMIT;
	if (node->name)
		return node;
	free(node);
	return NULL;
}

struct known_node *known_node(struct known *k, const char *name)
{
	size_t place = node_place(k, name);
	struct known_node *node;

	if (place < k->n_nodes && strcmp(k->nodes[place]->name, name) == 0)
		return k->nodes[place];
	node = make_room(k) ? node_new(name) : NULL;
	if (!node)
		return NULL;
	memmove(&k->nodes[place + 1], &k->nodes[place], (k->n_nodes - place) * sizeof(struct known_node *));
	k->nodes[place] = node;
	k->n_nodes++;
	return node;
}

struct known_node *known_listed(struct known *k, size_t place, const char *name)
{
	struct known_node *node;

	if (place < k->n_listed && strcmp(k->listed[place]->name, name) == 0)
		return k->listed[place];
	node = known_node(k, name);
	if (!node || place > k->n_listed)
		return node;
	if (place == k->listed_room) {
		size_t room = place > 0 ? 2 * place : 16;
		struct known_node **listed = reallocarray(k->listed, room, sizeof(struct known_node *));

		if (!listed)
			return node;
		k->listed = listed;
		k->listed_room = room;
	}
	k->listed[place] = node;
	if (place == k->n_listed)
		k->n_listed++;
	return node;
}

void known_purge(struct known *k)
{
	size_t i, kept = 0;

	k->n_listed = 0;
	for (i = 0; i < k->n_nodes; i++) {
		if (k->nodes[i]->present || k->nodes[i]->local.here)
			k->nodes[kept++] = k->nodes[i];
		else
			node_free(k->nodes[i]);
	}
	k->n_nodes = kept;
}

uint64_t known_sum(const struct known_node *node)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		sum += node->shares[i];
	return sum;
}

uint32_t known_rest(const struct known_node *node)
{
	uint64_t sum = known_sum(node);

	return node->present && node->readable && sum < node->cores ? node->cores - (uint32_t)sum : 0;
}

/* ---- peers ---- */

static bool has_shares(const struct known *k, size_t peer)
{
	size_t i;

	for (i = 0; i < k->n_nodes; i++)
		if (k->nodes[i]->shares[peer] > 0)
			return true;
	return false;
}

/* A place for another peer: free, or that of a peer that has gone. 0: there is none. */
static size_t free_place(const struct known *k)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (k->peers[i].name[0] == '\0')
			return i;
	for (i = 1; i < GATEWAYS_MAX; i++)
		if (!k->peers[i].present && !has_shares(k, i))
			return i;
	return 0;
}

/* What the peer that had the place said of nodes is not of the peer that gets it. */
static void forget_useless(struct known *k, size_t peer)
{
	size_t i;

	for (i = 0; i < k->n_nodes; i++)
		k->nodes[i]->useless &= ~peer_bit(peer);
}

/* The peer of that name, which is made if need be. 0 and *ret; -EINVAL: it is not the name of a gateway; -ENOSPC. */
static int find_peer(struct known *k, const char *name, size_t *ret)
{
	size_t i, length = strlen(name);

	if (length == 0 || length > GATEWAY_NAME_MAX)
		return -EINVAL;
	for (i = 0; i < GATEWAYS_MAX; i++) {
		if (strcmp(k->peers[i].name, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	i = free_place(k);
	if (i == 0)
		return -ENOSPC;
	forget_useless(k, i);
	k->peers[i] = (struct peer){ .present = false };
	memcpy(k->peers[i].name, name, length + 1);
	*ret = i;
	return 0;
}

/* ---- values ---- */

static void note_bad(struct known *k, const char *key)
{
	if (!k->bad)
		k->bad = strdup(key);
}

struct reading {
	struct known *k;
	uint32_t shares[GATEWAYS_MAX];
	uint32_t useless;
};

static int read_share(void *context, const char *gateway, uint32_t share)
{
	struct reading *reading = context;
	size_t peer;
	int r = find_peer(reading->k, gateway, &peer);

	if (r == 0)
		reading->shares[peer] = share;
	return r;
}

/* A gateway says it of itself, and is known by its heartbeat before. */
static void read_useless(void *context, const char *gateway)
{
	struct reading *reading = context;
	size_t i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		if (gateway[0] != '\0' && strcmp(reading->k->peers[i].name, gateway) == 0)
			reading->useless |= peer_bit(i);
}

/* This gateway's share rose, and a peer's fell: that peer. 0: no peer's fell, or those of several. */
static unsigned giver(const struct known_node *node, const uint32_t *shares)
{
	unsigned i, found = 0;

	for (i = 1; i < GATEWAYS_MAX; i++) {
		if (shares[i] >= node->shares[i])
			continue;
		if (found > 0)
			return 0;
		found = i;
	}
	return found;
}

static void set_node(struct known *k, const char *name, const char *key, const struct engine_value *value)
{
	struct known_node *node = known_node(k, name);
	struct reading reading = { .k = k };
	uint32_t cores = 0;

	if (!node) {
		k->complete = false;
		return;
	}
	if (value->revision <= node->revision)
		return;
	node->present = value->value != NULL;
	node->readable = !node->present || shares_parse(value->value, &cores, read_share, read_useless, &reading) == 0;
	if (!node->readable) {
		memset(reading.shares, 0, sizeof(reading.shares));
		reading.useless = 0;
		note_bad(k, key);
	}
	if (reading.shares[0] > node->shares[0])
		node->from = giver(node, reading.shares);
	node->revision = value->revision;
	node->cores = cores;
	memcpy(node->shares, reading.shares, sizeof(node->shares));
	node->useless = reading.useless;
	node->changed = true;
}

static void set_heartbeat(struct known *k, struct peer *peer, const char *key, const struct engine_value *value)
{
	if (value->revision <= peer->revision)
		return;
	peer->present = value->value != NULL;
	peer->readable = peer->present && heartbeat_parse(value->value, &peer->said) == 0;
	if (!peer->present || peer->readable) {
		peer->bad = false;
	} else if (!peer->bad && !k->bad) {
		note_bad(k, key);
		peer->bad = true;
	}
	peer->revision = value->revision;
	peer->spoke = true;
}

static void set_peer(struct known *k, char kind, const char *name, const char *key, const struct engine_value *value)
{
	size_t i;

	if (find_peer(k, name, &i) < 0)
		note_bad(k, key);
	else if (kind == 'g')
		set_heartbeat(k, &k->peers[i], key, value);
	else if (value->revision > k->peers[i].epoch)
		k->peers[i].epoch = value->revision;
}

/* The kind of a key, 'n', 'g' or 'e', and the name in it; 0: it is none of ours. */
static char key_kind(const struct known *k, const char *key, const char **ret_name)
{
	size_t length = strlen(k->prefix);

	if (strncmp(key, k->prefix, length) != 0 || key[length] == '\0' || key[length + 1] != '/')
		return 0;
	*ret_name = key + length + 2;
	return key[length];
}

static void set_value(struct known *k, const struct engine_value *value)
{
	const char *name;
	char kind = key_kind(k, value->key, &name);

	if (value->revision > k->newest)
		k->newest = value->revision;
	if (kind == 'n')
		set_node(k, name, value->key, value);
	else if (kind == 'g' || kind == 'e')
		set_peer(k, kind, name, value->key, value);
}

void known_change(struct known *k, const struct engine_value *values, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		set_value(k, &values[i]);
}

/* ---- a read: what it does not have was deleted ---- */

/* Whether the read has the key of that kind and name. Its values are ordered by key. */
static bool has_key(const struct known *k, const struct engine_value *values, size_t n, char kind, const char *name)
{
	size_t low = 0, high = n;
	const char *there;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		char its_kind = key_kind(k, values[middle].key, &there);
		int order = its_kind != kind ? (its_kind < kind ? -1 : 1) : strcmp(there, name);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* A read has the latest change of each key up to its revision. Whether it has an older change of the node than is known, or
 * another change of the same revision. */
static bool has_lost_node(struct known *k, const char *name, const struct engine_value *value, uint64_t revision)
{
	size_t place = node_place(k, name);
	const struct known_node *node = place < k->n_nodes ? k->nodes[place] : NULL;
	struct reading reading = { .k = k };
	uint32_t cores;

	if (!node || strcmp(node->name, name) != 0 || node->revision > revision || node->revision < value->revision)
		return false;
	return node->revision > value->revision || !node->present ||
	       (node->readable && (shares_parse(value->value, &cores, read_share, NULL, &reading) != 0 || cores != node->cores ||
				   memcmp(reading.shares, node->shares, sizeof(reading.shares)) != 0));
}

static bool has_lost_word(const struct peer *peer, char kind, const struct engine_value *value, uint64_t revision)
{
	uint64_t before = kind == 'g' ? peer->revision : peer->epoch;
	struct heartbeat said;

	if (before > revision || before < value->revision)
		return false;
	return before > value->revision ||
	       (kind == 'g' && (!peer->present || (peer->readable && (heartbeat_parse(value->value, &said) != 0 ||
								       said.sequence != peer->said.sequence))));
}

static bool has_lost(struct known *k, const struct engine_value *values, size_t n, uint64_t revision)
{
	const char *name;
	size_t i, j;

	for (i = 0; i < n; i++) {
		char kind = key_kind(k, values[i].key, &name);

		if (kind == 'n' && has_lost_node(k, name, &values[i], revision))
			return true;
		for (j = 0; j < GATEWAYS_MAX && (kind == 'g' || kind == 'e'); j++)
			if (strcmp(k->peers[j].name, name) == 0 && has_lost_word(&k->peers[j], kind, &values[i], revision))
				return true;
	}
	return false;
}

static void forget_node(struct known_node *node, uint64_t revision)
{
	node->present = false;
	node->revision = revision;
	node->cores = node->useless = 0;
	memset(node->shares, 0, sizeof(node->shares));
	node->changed = true;
}

void known_at(struct known *k, uint64_t revision, uint64_t newest_then)
{
	if (revision < newest_then)
		k->went_back = true;
	else if (revision > k->newest)
		k->newest = revision;
}

void known_forget(struct known *k)
{
	size_t i;

	for (i = 0; i < k->n_nodes; i++) {
		forget_node(k->nodes[i], 0);
		k->nodes[i]->readable = false;
		k->nodes[i]->local.accounted = 0;
	}
	for (i = 1; i < GATEWAYS_MAX; i++)
		k->peers[i] = (struct peer){ .present = false };
	k->peers[0].present = k->peers[0].readable = false;
	k->peers[0].revision = k->peers[0].epoch = 0;
	k->newest = 0;
	k->went_back = false;
	k->life++;
}

void known_read(struct known *k, const struct engine_value *values, size_t n, uint64_t revision)
{
	size_t i;

	if (has_lost(k, values, n, revision)) {
		k->went_back = true;
		return;
	}
	k->complete = true;
	known_change(k, values, n);
	for (i = 0; i < k->n_nodes; i++) {
		struct known_node *node = k->nodes[i];

		if (node->present && node->revision <= revision && !has_key(k, values, n, 'n', node->name))
			forget_node(node, revision);
	}
	for (i = 0; i < GATEWAYS_MAX; i++) {
		struct peer *peer = &k->peers[i];

		if (peer->present && peer->revision <= revision && !has_key(k, values, n, 'g', peer->name)) {
			peer->present = false;
			peer->revision = revision;
			peer->spoke = true;
		}
	}
}

void known_stamp(struct known *k, uint64_t now_usec)
{
	size_t i;

	for (i = 0; i < k->n_nodes; i++) {
		if (k->nodes[i]->changed)
			k->nodes[i]->seen_usec = now_usec;
		k->nodes[i]->changed = false;
	}
	for (i = 0; i < GATEWAYS_MAX; i++) {
		if (k->peers[i].spoke)
			k->peers[i].heard_usec = now_usec;
		k->peers[i].spoke = false;
	}
}

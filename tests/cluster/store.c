/* SPDX-License-Identifier: GPL-3.0-or-later */

/* store.c: keys, a log of all changes, and messages on their way. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "world.h"

#define KEYS_MAX 160u
#define TIMEOUT_USEC 600000u
#define RETRY_USEC 10000u        /* how often it is seen whether a stopped process runs again */
#define PARTS_MAX 160u

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- the store ---- */

struct key {
	char *name, *value, *before;
	uint64_t revision;
};

struct change {
	char *name, *value;
	uint64_t revision;
};

static struct key keys[KEYS_MAX];
static size_t n_keys;
static struct change *changes;
static size_t n_changes, changes_room;
static uint64_t revision;
static struct key kept[KEYS_MAX];    /* the backup */
static size_t n_kept;
static uint64_t kept_revision;
static bool failed;
static uint64_t failures;
static unsigned faults;
static void (*applied)(unsigned author);
static struct client *clients[64];
static size_t n_clients;

static char *copy(const char *text)
{
	return text ? must(strdup(text)) : NULL;
}

void store_begin(unsigned faults_, void (*applied_)(unsigned author))
{
	faults = faults_;
	applied = applied_;
	revision = 1;
}

static void client_put(struct client *client)
{
	size_t i;

	if (--client->users > 0)
		return;
	for (i = 0; i < n_clients && clients[i] != client; i++)
		;
	if (i < n_clients)
		clients[i] = clients[--n_clients];
	free(client);
}

static void free_keys(struct key *these, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free(these[i].name);
		free(these[i].value);
		free(these[i].before);
	}
	*n = 0;
}

static void copy_keys(struct key *to, size_t *n_to, const struct key *from, size_t n)
{
	free_keys(to, n_to);
	for (size_t i = 0; i < n; i++)
		to[i] = (struct key){ copy(from[i].name), copy(from[i].value), copy(from[i].before), from[i].revision };
	*n_to = n;
}

void store_keep(void)
{
	copy_keys(kept, &n_kept, keys, n_keys);
	kept_revision = revision;
}

void store_end(void)
{
	size_t i;

	free_keys(keys, &n_keys);
	free_keys(kept, &n_kept);
	for (i = 0; i < n_changes; i++) {
		free(changes[i].name);
		free(changes[i].value);
	}
	free(changes);
	changes = NULL;
	n_changes = changes_room = 0;
	failed = false;
	n_clients = 0;
}

static struct key *find(const char *name)
{
	size_t i;

	for (i = 0; i < n_keys; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static struct key *find_or_make(const char *name)
{
	struct key *key = find(name);
	size_t i;

	if (key)
		return key;
	if (n_keys == KEYS_MAX)
		abort();
	for (i = n_keys++; i > 0 && strcmp(keys[i - 1].name, name) > 0; i--)
		keys[i] = keys[i - 1];
	keys[i] = (struct key){ .name = must(strdup(name)) };
	return &keys[i];
}

const char *store_value(const char *name)
{
	const struct key *key = find(name);

	return key ? key->value : NULL;
}

const char *store_before(const char *name)
{
	const struct key *key = find(name);

	return key ? key->before : NULL;
}

uint64_t store_revision(void)
{
	return revision;
}

uint64_t store_key_revision(const char *name)
{
	const struct key *key = find(name);

	return key && key->value ? key->revision : 0;
}

static void log_change(const char *name, const char *value)
{
	if (n_changes == changes_room) {
		changes_room = changes_room > 0 ? 2 * changes_room : 256;
		changes = must(reallocarray(changes, changes_room, sizeof(*changes)));
	}
	changes[n_changes++] = (struct change){ .name = copy(name), .value = copy(value), .revision = revision };
}

/* ---- messages ---- */

struct message {
	struct client *client;
	bool answered, is_read;
	size_t n_compares, n_puts, n_values;
	struct engine_compare compares[PARTS_MAX];
	struct engine_put puts[PARTS_MAX];
	struct engine_value values[PARTS_MAX];
	char *texts[4 * PARTS_MAX];
	size_t n_texts;
	char *prefix;
	enum engine_outcome outcome;
	uint64_t revision;
	engine_read_done *read_done;
	engine_commit_done *commit_done;
	void *context;
	uint64_t failures;           /* of the store, when this was sent: the next loses it */
	unsigned users;
};

static const char *hold(struct message *m, const char *text)
{
	char *held = copy(text);

	if (held)
		m->texts[m->n_texts++] = held;
	return held;
}

static void message_put(struct message *m)
{
	size_t i;

	if (--m->users > 0)
		return;
	for (i = 0; i < m->n_texts; i++)
		free(m->texts[i]);
	free(m->prefix);
	client_put(m->client);
	free(m);
}

static void message_at(uint64_t usec, struct message *m, void (*happen)(void *context, uint64_t word))
{
	m->users++;
	world_at(usec, happen, m, 0);
}

/* How long a message is on its way; 0: it is lost. */
static uint64_t delay(const struct way *way)
{
	if (way->rough > 0 && once_in(way->rough)) {
		switch (chance(4)) {
		case 0:
			return 0;
		case 1:
			return 1 + chance(6000000);
		default:
			return 1 + chance(400000);
		}
	}
	return 500 + chance(4500);
}

static void call_back(struct message *m)
{
	m->answered = true;
	if (m->is_read)
		m->read_done(m->context, m->outcome, m->values, m->n_values, m->revision);
	else
		m->commit_done(m->context, m->outcome, m->revision);
	m->client->ran(m->client->gateway);
}

/* The answer, or the time-out, reaches the client; while its process does not run, later. */
static void answer(void *context, uint64_t word)
{
	struct message *m = context;
	struct client *client = m->client;

	(void)word;
	if (!client->closed && !m->answered && !client->runs(client->gateway))
		message_at(world_now() + RETRY_USEC, m, answer);
	else if (!client->closed && !m->answered)
		call_back(m);
	message_put(m);
}

static void time_out(void *context, uint64_t word)
{
	struct message *m = context;
	struct client *client = m->client;

	(void)word;
	if (!client->closed && !m->answered && !client->runs(client->gateway)) {
		message_at(world_now() + RETRY_USEC, m, time_out);
	} else if (!client->closed && !m->answered) {
		m->outcome = ENGINE_UNKNOWN;
		m->revision = 0;
		m->n_values = 0;
		call_back(m);
	}
	message_put(m);
}

static bool is_void(const char *key)
{
	size_t length = strlen(key);
	const char *slash = memrchr(key, '/', length);
	char kind = slash && slash > key ? slash[-1] : 0;

	return (kind == 'e' && (faults & STORE_NO_EPOCH)) || (kind == 'g' && (faults & STORE_NO_HEARTBEAT)) ||
	       (kind == 'n' && (faults & STORE_NO_NODES));
}

static bool all_hold(const struct message *m)
{
	size_t i;

	for (i = 0; i < m->n_compares; i++)
		if (!is_void(m->compares[i].key) && store_key_revision(m->compares[i].key) != m->compares[i].revision)
			return false;
	return true;
}

static void tell_watches(void);

static void apply_commit(struct message *m)
{
	size_t i;

	if (!all_hold(m)) {
		m->outcome = (faults & STORE_LIES) ? ENGINE_DONE : ENGINE_REFUSED;
		m->revision = (faults & STORE_LIES) ? revision : 0;
		return;
	}
	m->outcome = ENGINE_DONE;
	m->revision = ++revision;
	for (i = 0; i < m->n_puts; i++) {
		struct key *key = find_or_make(m->puts[i].key);

		free(key->before);
		key->before = key->value;
		key->value = copy(m->puts[i].value);
		key->revision = revision;
		log_change(m->puts[i].key, m->puts[i].value);
	}
	applied(m->client->gateway);
	tell_watches();
}

static void apply_read(struct message *m)
{
	size_t i, length = strlen(m->prefix);

	m->outcome = ENGINE_DONE;
	m->revision = revision;
	for (i = 0; i < n_keys; i++)
		if (keys[i].value && strncmp(keys[i].name, m->prefix, length) == 0)
			m->values[m->n_values++] = (struct engine_value){ .key = hold(m, keys[i].name),
									  .value = hold(m, keys[i].value),
									  .revision = keys[i].revision };
}

/* The request reaches the store; after a cut, if the way was cut meanwhile. */
static void arrive(void *context, uint64_t word)
{
	struct message *m = context;
	uint64_t back;

	(void)word;
	if (m->failures != failures || failed) {
		message_put(m);
		return;
	}
	if (m->client->way->cut) {
		if (!once_in(3))
			message_at(world_now() + 50000 + chance(1000000), m, arrive);
		message_put(m);
		return;
	}
	if (m->is_read)
		apply_read(m);
	else
		apply_commit(m);
	back = delay(m->client->way);
	if (back > 0 && !m->answered)
		message_at(world_now() + back, m, answer);
	message_put(m);
}

static int send_message(struct message *m)
{
	uint64_t there = delay(m->client->way);

	m->users++;
	m->failures = failures;
	m->client->users++;
	if (there > 0)
		message_at(world_now() + there, m, arrive);
	message_at(world_now() + TIMEOUT_USEC, m, time_out);
	message_put(m);
	return 0;
}

static int client_read(struct engine *engine, const char *prefix, engine_read_done *done, void *context)
{
	struct message *m = must(calloc(1, sizeof(*m)));

	*m = (struct message){ .client = (struct client *)engine, .is_read = true, .prefix = copy(prefix), .read_done = done,
			       .context = context };
	return send_message(m);
}

static int client_commit(struct engine *engine, const struct engine_compare *compares, size_t n_compares,
			 const struct engine_put *puts, size_t n_puts, engine_commit_done *done, void *context)
{
	struct message *m = must(calloc(1, sizeof(*m)));
	size_t i;

	if (n_compares > ENGINE_PUTS_MAX || n_puts > ENGINE_PUTS_MAX)
		broken("a commit with %zu compares and %zu puts", n_compares, n_puts);
	m->client = (struct client *)engine;
	m->commit_done = done;
	m->context = context;
	for (i = 0; i < n_compares; i++)
		m->compares[m->n_compares++] = (struct engine_compare){ .key = hold(m, compares[i].key),
									.revision = compares[i].revision };
	for (i = 0; i < n_puts; i++)
		m->puts[m->n_puts++] = (struct engine_put){ .key = hold(m, puts[i].key), .value = hold(m, puts[i].value) };
	return send_message(m);
}

/* ---- watches ---- */

struct news {
	struct client *client;
	uint64_t watch_number, number;
	size_t first, n;             /* in the log; n 0: the watch is lost */
};

static void call_watch(const struct news *news)
{
	struct client *client = news->client;
	struct engine_value values[PARTS_MAX];
	size_t i;

	for (i = 0; i < news->n; i++)
		values[i] = (struct engine_value){ .key = changes[news->first + i].name,
						   .value = changes[news->first + i].value,
						   .revision = changes[news->first + i].revision };
	if (news->n > 0) {
		client->changed(client->context, values, news->n);
	} else {
		client->watching = false;
		client->lost(client->context, "lost");
	}
	client->ran(client->gateway);
}

static void tell_news(void *context, uint64_t word)
{
	struct news *news = context;
	struct client *client = news->client;

	(void)word;
	if (!client->closed && (client->news_told != news->number || !client->runs(client->gateway))) {
		world_at(world_now() + RETRY_USEC, tell_news, news, 0);
		return;
	}
	client->news_told++;
	if (!client->closed && client->watching && client->watch_number == news->watch_number)
		call_watch(news);
	client_put(client);
	free(news);
}

static void news_at(uint64_t usec, struct client *client, size_t first, size_t n)
{
	struct news *news = must(calloc(1, sizeof(*news)));

	*news = (struct news){ .client = client, .watch_number = client->watch_number, .number = client->news_sent++,
			       .first = first, .n = n };
	client->users++;
	if (usec <= client->watch_usec)
		usec = client->watch_usec + 1;
	client->watch_usec = usec;
	world_at(usec, tell_news, news, 0);
}

/* Sends the client what it has not been sent yet. On a rough way the watch may end instead, or changes are late. */
static void send_news(struct client *client)
{
	while (client->watching && client->watch_from < n_changes) {
		size_t first = client->watch_from, n = 1;
		uint64_t on_its_way = client->way->cut ? 0 : delay(client->way);

		while (first + n < n_changes && changes[first + n].revision == changes[first].revision)
			n++;
		client->watch_from = first + n;
		if (on_its_way == 0) {
			client->watch_from = UINT64_MAX;
			news_at(world_now() + 1000 + chance(3000000), client, 0, 0);
			return;
		}
		news_at(world_now() + on_its_way, client, first, n);
	}
}

static void tell_watches(void)
{
	size_t i;

	for (i = 0; i < n_clients; i++)
		if (!clients[i]->closed)
			send_news(clients[i]);
}

/* Its watch ends, and what is on its way with it. */
static void end_watch(struct client *client)
{
	client->watch_number++;
	client->watch_from = UINT64_MAX;
	news_at(world_now() + 1 + chance(100000), client, 0, 0);
}

void store_fail(void)
{
	size_t i;

	failed = true;
	failures++;
	for (i = 0; i < n_clients; i++)
		if (!clients[i]->closed && clients[i]->watching)
			end_watch(clients[i]);
}

void store_return(bool back)
{
	failed = false;
	if (!back)
		return;
	copy_keys(keys, &n_keys, kept, n_kept);
	revision = kept_revision;
	for (; n_changes > 0 && changes[n_changes - 1].revision > revision; n_changes--) {
		free(changes[n_changes - 1].name);
		free(changes[n_changes - 1].value);
	}
}

bool store_has_failed(void)
{
	return failed;
}

static int client_watch(struct engine *engine, const char *prefix, uint64_t after, engine_changed *changed, engine_lost *lost,
			void *context)
{
	struct client *client = (struct client *)engine;
	size_t i = n_changes;

	(void)prefix;
	client->watching = true;
	client->watch_number++;
	client->changed = changed;
	client->lost = lost;
	client->context = context;
	while (i > 0 && changes[i - 1].revision > after)
		i--;
	client->watch_from = i;
	client->watch_usec = world_now();
	if (failed)
		end_watch(client);
	else
		send_news(client);
	return 0;
}

static void client_close(struct engine *engine)
{
	struct client *client = (struct client *)engine;

	client->closed = true;
	client_put(client);
}

struct client *store_client(unsigned gateway, struct way *way, bool (*runs)(unsigned gateway), void (*ran)(unsigned gateway))
{
	static const struct engine_calls calls = { .read = client_read, .commit = client_commit, .watch = client_watch,
						   .close = client_close };
	struct client *client = must(calloc(1, sizeof(*client)));

	*client = (struct client){ .engine = { &calls }, .gateway = gateway, .way = way, .runs = runs, .ran = ran, .users = 1 };
	if (n_clients == sizeof(clients) / sizeof(clients[0]))
		abort();
	clients[n_clients++] = client;
	return client;
}

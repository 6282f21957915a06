/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-fair.c: the order of a fair farm, against a plain list of its tickets.
 *
 *     cbtest-fair SCOREBOARD SLOTS CLIENTS LIMITS CHANGES SEED
 *
 * makes a scoreboard with a node of so many slots. At random, connections of so
 * many clients come, each with one of the limits ("0,2,3", as of --per-client; 0
 * is none), give up their places, and end. After each change the tickets that have
 * got slots must be those that the rule names: of the tickets with a client that
 * holds fewer slots than the ticket's limit, the oldest of the client that holds
 * the fewest, and that of such clients has held so few for the longest. Now and then the
 * records are compared with what follows from each other.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scoreboard.h"

#define TICKETS_MAX 64u
#define CLIENTS_MAX 32u
#define LIMITS_MAX 16u

enum state {
	ABSENT,
	WAITS,
	HOLDS,
};

struct connection {
	enum state state;
	unsigned client;
	uint32_t limit;
	struct score_ticket ticket;
	struct score_slot slot;
};

static struct connection connections[TICKETS_MAX];
static struct {
	unsigned held, waits;
	unsigned long turn;
} clients[CLIENTS_MAX];
static unsigned n_free, n_clients, n_limits, n_grants;
static uint32_t limits[LIMITS_MAX];
static unsigned long turn;

static unsigned random_below(unsigned n)
{
	return (unsigned)rand() % n;
}

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "cbtest-fair: %s: %s\n", what, score_strerror(r));
	exit(1);
}

/* ---- what must be ---- */

static void hold(unsigned client, int more)
{
	clients[client].held += (unsigned)more;
	if (clients[client].waits > 0)
		clients[client].turn = ++turn;
}

static bool is_before(const struct connection *a, const struct connection *b)
{
	if (clients[a->client].held != clients[b->client].held)
		return clients[a->client].held < clients[b->client].held;
	if (a->client != b->client)
		return clients[a->client].turn < clients[b->client].turn;
	return a->ticket.number < b->ticket.number;
}

static struct connection *next(void)
{
	struct connection *first = NULL;

	for (unsigned i = 0; i < TICKETS_MAX; i++) {
		struct connection *c = &connections[i];

		if (c->state != WAITS || (c->limit && clients[c->client].held >= c->limit))
			continue;
		if (!first || is_before(c, first))
			first = c;
	}
	return first;
}

/* Gives out what is free, by the rule, and takes it. */
static void deal(struct score *s)
{
	for (struct connection *c; n_free > 0 && (c = next()); n_free--, n_grants++) {
		struct score_target target;
		int r = score_take(s, &c->ticket, &c->slot, &target);

		check(r, "take");
		if (r != 0) {
			(void)fprintf(stderr, "cbtest-fair: ticket %lu of client %u with limit %u is next, and has no slot\n",
				      (unsigned long)c->ticket.number, c->client, c->limit);
			exit(1);
		}
		c->state = HOLDS;
		clients[c->client].waits--;
		hold(c->client, 1);
	}
}

/* No other ticket has a slot. */
static void others_wait(struct score *s)
{
	uint64_t number;
	int r = score_next_granted(s, 0, &number);

	check(r, "next granted");
	if (r == 0)
		return;
	(void)fprintf(stderr, "cbtest-fair: ticket %lu has a slot, and another is next\n", (unsigned long)number);
	exit(1);
}

/* ---- what happens ---- */

static void come(struct score *s, struct connection *c)
{
	char name[32];
	struct score_arrival arrival = { .policy = POLICY_ORDER, .client = name, .fair = true };

	c->client = random_below(n_clients);
	c->limit = arrival.per_client = limits[random_below(n_limits)];
	/* Every third client is of IPv6, and its connections of several addresses. */
	if (c->client % 3 == 2)
		(void)snprintf(name, sizeof(name), "[2001:db8:0:%x::%x]:%u", c->client, random_below(3) + 1, random_below(60000));
	else
		(void)snprintf(name, sizeof(name), "10.0.0.%u:%u", c->client, random_below(60000));
	check(score_join(s, &arrival, &c->ticket), "join");
	c->state = WAITS;
	if (clients[c->client].waits++ == 0)
		clients[c->client].turn = ++turn;
}

static void go(struct score *s, struct connection *c)
{
	if (c->state == WAITS) {
		check(score_leave(s, &c->ticket), "leave");
		clients[c->client].waits--;
	} else {
		check(score_release(s, &c->slot, 0, 0, true), "release");
		hold(c->client, -1);
		n_free++;
	}
	c->state = ABSENT;
}

static void tell(const char *finding, void *arg)
{
	(void)arg;
	(void)fprintf(stderr, "cbtest-fair: %s\n", finding);
}

static void change(struct score *s)
{
	struct connection *c = &connections[random_below(TICKETS_MAX)];

	/* As long as few wait, connections seldom give up. */
	if (c->state == ABSENT)
		come(s, c);
	else if (c->state == HOLDS || random_below(16) == 0)
		go(s, c);
	deal(s);
	others_wait(s);
}

static void read_limits(char *text)
{
	for (char *word = strtok(text, ","); word && n_limits < LIMITS_MAX; word = strtok(NULL, ","))
		limits[n_limits++] = (uint32_t)strtoul(word, NULL, 10);
}

int main(int argc, char **argv)
{
	struct nodelist list = { 0 };
	unsigned changes, findings;
	struct score *s;

	if (argc != 7) {
		(void)fprintf(stderr, "usage: cbtest-fair SCOREBOARD SLOTS CLIENTS LIMITS CHANGES SEED\n");
		return 64;
	}
	n_free = (unsigned)strtoul(argv[2], NULL, 10);
	n_clients = (unsigned)strtoul(argv[3], NULL, 10);
	read_limits(argv[4]);
	changes = (unsigned)strtoul(argv[5], NULL, 10);
	srand((unsigned)strtoul(argv[6], NULL, 10));
	if (n_clients == 0 || n_clients > CLIENTS_MAX || n_limits == 0 || nodelist_add(&list, "node", "127.0.0.1", "1", argv[2]) != 0) {
		(void)fprintf(stderr, "cbtest-fair: a number is too small or too large\n");
		return 64;
	}
	check(score_open(argv[1], &list, &s), argv[1]);
	for (unsigned i = 1; i <= changes; i++) {
		change(s);
		if (i % 256 != 0 && i != changes)
			continue;
		check(score_fsck(s, false, tell, NULL, &findings), "fsck");
		if (findings > 0)
			return 1;
	}
	(void)score_close(s);
	nodelist_clear(&list);
	(void)printf("%u changes, %u slots given\n", changes, n_grants);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * greetings.c: the header is looked at, and stays in the socket: the listener
 * takes no byte of a connection, and the relay that serves it, or the next
 * listener, finds the header again. Each socket is watched edge-triggered, as a
 * part of a header keeps it readable.
 */

#include "greetings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "connection.h"
#include "proxy.h"
#include "system/timespan.h"
#include "timer.h"

struct greeting {
	struct greetings *all;
	struct greeting *next, *prev;
	struct arrival arrival;
	size_t head;                   /* size of the header, once the client is known */
	bool known;
	sd_event_source *io;           /* NULL: the client is known, or the machine was short of something */
};

struct greetings {
	struct greetings_setup setup;
	struct greeting *first, *last; /* in the order in which they came */
	size_t n, n_known;
	struct timer time;
};

int greetings_new(const struct greetings_setup *setup, struct greetings **ret)
{
	struct greetings *greetings = calloc(1, sizeof(*greetings));

	if (!greetings)
		return -ENOMEM;
	greetings->setup = *setup;
	*ret = greetings;
	return 0;
}

size_t greetings_count(const struct greetings *greetings)
{
	return greetings ? greetings->n : 0;
}

size_t greetings_count_known(const struct greetings *greetings)
{
	return greetings ? greetings->n_known : 0;
}

static void give_away(struct greeting *greeting)
{
	struct greetings *greetings = greeting->all;

	*(greeting->prev ? &greeting->prev->next : &greetings->first) = greeting->next;
	*(greeting->next ? &greeting->next->prev : &greetings->last) = greeting->prev;
	greetings->n--;
	greetings->n_known -= greeting->known;
	/* Before close(2): another process may have the same socket, and epoll would go on watching it. */
	sd_event_source_disable_unref(greeting->io);
	free(greeting);
}

static void end(struct greeting *greeting, enum ended_by by, enum end_cause cause)
{
	int fd = greeting->arrival.fd;

	connection_report_unserved(&greeting->arrival, greeting->all->setup.score, by, cause);
	give_away(greeting);
	(void)close(fd);
}

static void learn(struct greeting *greeting, const struct proxy_pair *pair, size_t head)
{
	greeting->known = true;
	greeting->all->n_known++;
	greeting->head = head;
	greeting->arrival.is_uncounted = pair->client.ss_family == AF_UNSPEC;
	if (pair->client.ss_family)
		(void)address_format((const struct sockaddr *)&pair->client, pair->client_size, greeting->arrival.client);
	greeting->io = sd_event_source_disable_unref(greeting->io);
}

/* Looks at what has come. hung_up: nothing more will come. false: the connection has ended. */
static bool look_at(struct greeting *greeting, bool hung_up)
{
	struct proxy_pair pair;
	size_t size;

	switch (proxy_peek(greeting->arrival.fd, &pair, &size)) {
	case PROXY_DONE:
		learn(greeting, &pair, size);
		return true;
	case PROXY_NONE:
		end(greeting, END_CLIENT, CAUSE_BAD_HEADER);
		return false;
	case PROXY_INCOMPLETE:
		if (!hung_up)
			return true;
		break;
	default:
		break;
	}
	end(greeting, END_CLIENT, CAUSE_PLAIN);
	return false;
}

static int on_bytes(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct greeting *greeting = arg;
	struct greetings *greetings = greeting->all;

	(void)source;
	(void)fd;
	(void)look_at(greeting, revents & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
	greetings->setup.on_change(greetings->setup.arg);
	return 0;
}

static void watch(struct greeting *greeting)
{
	if (!greeting->known && !greeting->io)
		(void)sd_event_add_io(greeting->all->setup.event, &greeting->io, greeting->arrival.fd,
				      EPOLLIN | EPOLLRDHUP | EPOLLET, on_bytes, greeting);
}

static void add(struct greetings *greetings, struct greeting *greeting)
{
	greeting->prev = greetings->last;
	*(greetings->last ? &greetings->last->next : &greetings->first) = greeting;
	greetings->last = greeting;
	greetings->n++;
}

int greetings_admit(struct greetings *greetings, int listening_fd)
{
	struct greeting *greeting = calloc(1, sizeof(*greeting));
	const char *client;
	int r;

	if (!greeting)
		return -ENOMEM;
	*greeting = (struct greeting){ .all = greetings, .arrival = { .listening_fd = listening_fd, .fd = -1 } };
	r = arrival_accept(&client, &greeting->arrival);
	if (r != 0) {
		if (r < 0 && arrival_is_over(greeting->arrival.error))
			r = 1;
		free(greeting);
		return r;
	}
	add(greetings, greeting);
	greeting->arrival.is_uncounted = proxy_is_expected(greeting->arrival.fd); /* until its client is known */
	greeting->known = !greeting->arrival.is_uncounted;
	greetings->n_known += greeting->known;
	if (greeting->known || look_at(greeting, false))
		watch(greeting);
	return 0;
}

void greetings_pass(struct greetings *greetings, bool all, int (*take)(const struct arrival *arrival, size_t head, void *arg),
		    void *arg)
{
	for (struct greeting *greeting = greetings->first, *next; greeting; greeting = next) {
		next = greeting->next;
		if (!greeting->known && !all)
			continue;
		if (take(&greeting->arrival, greeting->head, arg) != 0)
			return;
		give_away(greeting);
	}
}

/* ---- their time ---- */

void greetings_look(struct greetings *greetings)
{
	uint64_t now_usec = now_boottime(), end_usec;
	struct greeting *oldest = NULL;

	for (struct greeting *greeting = greetings->first, *next; greeting; greeting = next) {
		next = greeting->next;
		if (greeting->known)
			continue;
		if (!greeting->io && !look_at(greeting, false)) /* could not be watched when it came */
			continue;
		watch(greeting);
		if (greeting->known)
			continue;
		if (now_usec - greeting->arrival.accepted_usec >= PROXY_WAIT_USEC)
			end(greeting, END_CLIENT, CAUSE_NO_HEADER);
		else if (!oldest)
			oldest = greeting;
	}
	if (!oldest || timer_is_set(&greetings->time))
		return;
	end_usec = oldest->arrival.accepted_usec + PROXY_WAIT_USEC;
	(void)timer_set(&greetings->time, greetings->setup.event, CLOCK_BOOTTIME,
			end_usec > now_usec ? end_usec - now_usec : 0, 1000, greetings->setup.on_change, greetings->setup.arg);
}

void greetings_end(struct greetings *greetings, enum ended_by by)
{
	while (greetings->first)
		end(greetings->first, by, CAUSE_PLAIN);
}

struct greetings *greetings_free(struct greetings *greetings)
{
	if (!greetings)
		return NULL;
	greetings_end(greetings, END_RESOURCES);
	timer_clear(&greetings->time);
	free(greetings);
	return NULL;
}

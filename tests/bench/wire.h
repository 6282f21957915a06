/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * wire.h: the protocol between the bench's client and node.
 *
 * A connection is one request of 64 bytes, and its reply. The request carries all
 * that the node has to know, so one node serves every row. It also carries a
 * number of its own, from which every byte of the reply follows. So a reply that
 * is cut short, doubled or meant for another client is noticed.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIRE_MAGIC UINT64_C(0x31304843424e4542)
#define WIRE_REPLY UINT64_C(0x594c504552484342)

/* The bytes of large replies repeat after this many; it is no multiple of a page, so that a lost page is noticed. */
#define PATTERN_SIZE ((size_t)8 * 131101)

enum wire_op {
	OP_ECHO = 1, /* reply: the request, with WIRE_REPLY as its magic; the client closes */
	OP_BULK,     /* reply: size bytes of the pattern; the client closes */
	OP_HOLD,     /* as OP_ECHO after hold_usec, and the node closes: the job is done */
};

struct wire_request {
	uint64_t magic, op, number, size, hold_usec, spare[3];
};

_Static_assert(sizeof(struct wire_request) == 64, "a request is 64 bytes");

/* Fills PATTERN_SIZE bytes. */
static inline void pattern_fill(unsigned char *pattern)
{
	uint64_t x = 1;

	for (size_t i = 0; i < PATTERN_SIZE; i += sizeof(x)) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		memcpy(pattern + i, &x, sizeof(x));
	}
}

/* The offset in the pattern at which the reply to this request begins. */
static inline size_t pattern_start(uint64_t number)
{
	return (size_t)(number * 4099 % PATTERN_SIZE);
}

/* Now, in nanoseconds of the monotonic clock. */
static inline uint64_t now_nsec(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Times in nanoseconds, in a growing array. */
struct times {
	uint64_t *at;
	size_t n, room;
};

/* Adds a time. Without memory the program is aborted. */
static inline void times_add(struct times *t, uint64_t nsec)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 4096;
		t->at = realloc(t->at, t->room * sizeof(*t->at));
		if (!t->at)
			abort();
	}
	t->at[t->n++] = nsec;
}

/* Compares two times, for qsort(3). */
static inline int times_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts the times, the shortest first. */
static inline void times_sort(struct times *t)
{
	if (t->n)
		qsort(t->at, t->n, sizeof(*t->at), times_compare);
}

/* A percentile of sorted times, in microseconds; 0 if there are none. */
static inline double times_percentile(const struct times *t, double percent)
{
	return t->n ? (double)t->at[(size_t)((double)(t->n - 1) * percent / 100)] / 1000 : 0;
}

/* CPU time of this process, in seconds. */
static inline double cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Reads "A.B.C.D:PORT" into ret; ends the program if the text is no such address. */
static inline void wire_address(const char *program, const char *text, struct sockaddr_in *ret)
{
	char host[INET_ADDRSTRLEN];
	unsigned port;

	*ret = (struct sockaddr_in) { .sin_family = AF_INET };
	if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 || port > 65535 || inet_pton(AF_INET, host, &ret->sin_addr) != 1) {
		(void)fprintf(stderr, "%s: \"%s\": expected ADDRESS:PORT, as in 127.0.0.1:3632\n", program, text);
		exit(64);
	}
	ret->sin_port = htons((uint16_t)port);
}

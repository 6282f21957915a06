/* SPDX-License-Identifier: GPL-3.0-or-later */

/* world.c: a heap of events, a generator of numbers, and the latest notes. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

#define NOTES 60u

struct event {
	uint64_t usec, number;
	void (*happen)(void *context, uint64_t word);
	void *context;
	uint64_t word;
};

static struct event *heap;
static size_t n_events, room;
static uint64_t now, steps, numbers, seed, state;
static void (*check)(void);
static char notes[NOTES][160];
static uint64_t n_notes;

void world_begin(uint64_t seed_, void (*check_)(void))
{
	seed = seed_;
	state = seed_ * UINT64_C(0x9E3779B97F4A7C15) + 1;
	check = check_;
	now = steps = numbers = n_notes = 0;
	n_events = 0;
}

void world_end(void)
{
	free(heap);
	heap = NULL;
	n_events = room = 0;
}

uint64_t world_now(void)
{
	return now;
}

uint64_t world_steps(void)
{
	return steps;
}

/* splitmix64 */
static uint64_t draw(void)
{
	uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

uint64_t chance(uint64_t n)
{
	return draw() % n;
}

bool once_in(uint64_t n)
{
	return chance(n) == 0;
}

static bool is_before(const struct event *a, const struct event *b)
{
	return a->usec != b->usec ? a->usec < b->usec : a->number < b->number;
}

static void swap(size_t i, size_t j)
{
	struct event event = heap[i];

	heap[i] = heap[j];
	heap[j] = event;
}

static void rise(size_t i)
{
	for (; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static void sink(size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;

		if (child < n_events && is_before(&heap[child], &heap[least]))
			least = child;
		if (child + 1 < n_events && is_before(&heap[child + 1], &heap[least]))
			least = child + 1;
		if (least == i)
			return;
		swap(i, least);
		i = least;
	}
}

void world_at(uint64_t usec, void (*happen)(void *context, uint64_t word), void *context, uint64_t word)
{
	if (n_events == room) {
		room = room > 0 ? 2 * room : 256;
		heap = reallocarray(heap, room, sizeof(*heap));
		if (!heap)
			abort();
	}
	heap[n_events] = (struct event){ .usec = usec < now ? now : usec, .number = numbers++, .happen = happen,
					 .context = context, .word = word };
	rise(n_events++);
}

void world_run(uint64_t until_usec)
{
	while (n_events > 0 && heap[0].usec <= until_usec) {
		struct event event = heap[0];

		heap[0] = heap[--n_events];
		sink(0);
		now = event.usec;
		steps++;
		event.happen(event.context, event.word);
		check();
	}
	if (now < until_usec)
		now = until_usec;
}

void note(const char *format, ...)
{
	char *text = notes[n_notes++ % NOTES];
	va_list arguments;
	int length = snprintf(text, sizeof(notes[0]), "%10.6f ", (double)now / 1e6);

	va_start(arguments, format);
	(void)vsnprintf(text + length, sizeof(notes[0]) - (size_t)length, format, arguments);
	va_end(arguments);
}

void broken(const char *format, ...)
{
	va_list arguments;
	uint64_t i;

	for (i = n_notes > NOTES ? n_notes - NOTES : 0; i < n_notes; i++)
		printf("%s\n", notes[i % NOTES]);
	printf("seed %" PRIu64 ", step %" PRIu64 ", %.6f s: ", seed, steps, (double)now / 1e6);
	va_start(arguments, format);
	(void)vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

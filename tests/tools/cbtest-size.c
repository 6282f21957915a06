/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-size.c: the rule of relay/size.h. Prints a line for each statement that
 * holds.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../relay/size.h"
#include "must.h"

static void says(const char *statement)
{
	MUST(puts(statement) != EOF);
}

static size_t look(struct size *size, size_t pending, size_t idle, uint64_t accepted)
{
	return size_grow(size, &(struct size_view){ .pending = pending, .idle = idle, .accepted = accepted });
}

/* Long connections: no relay accepts but the relays that were just made. */
static void stuck(void)
{
	static const size_t steps[] = { 2, 4, 8, 16, 32, 32 };
	struct size size;
	uint64_t fresh = 0;

	size_init(&size);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		size_t n = look(&size, 500, 0, fresh);

		MUST(n == steps[i]);
		MUST(size.look_usec == SIZE_LOOK_USEC);
		size_grown(&size, n);
		fresh = n;
	}
	says("while no relay accepts again, each look makes twice as many, up to a limit");
	MUST(look(&size, 0, 0, fresh) == 0);
	MUST(look(&size, 1, 0, 0) == 2);
	says("when nothing is pending any more, the steps begin anew");
}

/* Short connections: the present relays accept again and again. */
static void moving(void)
{
	struct size size;

	size_init(&size);
	for (int i = 0; i < 1000; i++)
		MUST(look(&size, 16, 0, 80) == 0);
	says("no relay is made while the present relays take what is pending until the next look");
	MUST(size.look_usec == SIZE_LOOK_MAX_USEC);
	MUST(look(&size, 81, 0, 80) == 1);
	MUST(look(&size, SIZE_UNKNOWN, 0, 80) == 1);
	says("if more is pending than the present relays take, or an unknown number, a look makes one relay");
	MUST(look(&size, 2, 0, 0) == 2);
	MUST(size.look_usec == SIZE_LOOK_USEC);
	says("the looks become quick again when the relays stop accepting");
}

static void crowded(void)
{
	struct size size;

	size_init(&size);
	for (int i = 0; i < 100; i++)
		MUST(size_grow(&size, &(struct size_view){ .pending = 16, .running = 5, .processors = 4 }) == 1);
	MUST(size.look_usec == SIZE_LOOK_MAX_USEC);
	MUST(size_grow(&size, &(struct size_view){ .pending = 16, .running = 4, .processors = 4 }) == 2);
	says("while more processes run than there are processors, a look makes one relay, after a longer time");
}

static void at_rest(void)
{
	struct size size;

	size_init(&size);
	MUST(look(&size, 1000, 1, 0) == 0);
	says("no relay is made while a relay is idle");
	MUST(look(&size, 0, 0, 0) == 0);
	says("no relay is made while nothing is pending");
	MUST(size_ahead(false) > 0 && size_ahead(false) <= SIZE_KEPT && size_ahead(true) <= SIZE_KEPT);
	says("the relays that are made ahead are kept");
}

static void is_low(void)
{
	MUST(size_is_low(false, size_ahead(false) - 1) && !size_is_low(false, size_ahead(false)));
	says("relays that serve on are made when there are fewer than are made ahead");
	MUST(size_is_low(true, size_ahead(true) - 4) && !size_is_low(true, size_ahead(true) - 3));
	says("relays of a single connection are made when four are missing that wait for work");
}

/* From any number, the relays come down to those that are kept, some at a time. */
static void shrinks(void)
{
	for (size_t from = 0; from < 5000; from++) {
		size_t idle = from, rounds = 0;

		while (size_keep(idle) < idle) {
			MUST(size_keep(idle) >= idle - (idle + 3) / 4);
			idle = size_keep(idle);
			rounds++;
		}
		MUST(idle == (from < SIZE_KEPT ? from : SIZE_KEPT));
		MUST(rounds <= 32);
	}
	says("at most a quarter of the idle relays is let go at a time, until those are left that are kept");
}

int main(void)
{
	stuck();
	moving();
	crowded();
	at_rest();
	is_low();
	shrinks();
	return 0;
}

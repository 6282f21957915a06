/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patience.c: the two rules.
 *
 * A connection ends sooner later if all that wait could get faster slots, and end
 * there, in less time than a connection takes on the slow slot:
 *
 *   waiting * work / speed + work / fastest < work / slow
 *
 * speed is what all nodes that are faster do together: no slot of theirs is free, as
 * the slow slot is the best that is. The work of a connection is on both sides, so
 * the rule needs no more than speeds.
 *
 * That is right for the connection, and wrong for the whole if others follow: the
 * time of a slot that is kept empty is lost, and no gateway knows whether others
 * follow. So the farm has a credit of time. While a slot is kept the credit goes
 * down as time passes, else it rises by a tenth of the time, up to what --patience
 * says. A slot is kept only while there is credit; and it begins to be kept only if
 * the credit is enough for all that wait. For that the work of a connection must be
 * known: a mean of the latest, by how long they had their slots and how fast their
 * nodes are.
 *
 * While a slot is kept until_usec stays as it is, whatever happens: so the time is
 * bounded, and any process that deals slots after it finds none that is kept. Once
 * no connection waits, or no slot is free, patience_end() stops the time: what is
 * left of it is credit for the next burst.
 */

#include "patience.h"

#include <stddef.h>
#include <string.h>

#include "speed.h"

#define CLASS_STEPS 4u    /* steps of worth in a class */
#define CLASS_FIRST 262u  /* the first step of the first class: a thousandth of an ordinary core */
#define CREDIT_RATE 10u   /* the credit rises by one part in so many of the time */
#define WORK_RATE 32      /* a connection moves the mean by one part in so many of the difference */
#define WORK_MAX_USEC (INT64_C(1) << 50)

int patience_format(struct store *store)
{
	const struct patience none = { 0 };

	return store_put(store, STORE_PATIENCE, 0, 0, &none, sizeof(none));
}

int patience_copy(struct store *from, struct store *to)
{
	struct patience patience;

	if (store_read(from, STORE_PATIENCE, 0, 0, &patience, sizeof(patience)) < 0)
		return patience_format(to);
	return store_put(to, STORE_PATIENCE, 0, 0, &patience, sizeof(patience));
}

struct patience *patience_get(struct store *store)
{
	struct patience *record;

	return STORE_FIND(store, STORE_PATIENCE, 0, 0, &record) == 0 ? record : NULL;
}

void patience_ask(struct store *store, uint64_t most_usec, uint64_t now_usec)
{
	struct patience *patience = patience_get(store);

	if (!patience || patience->most_usec == most_usec)
		return;
	if (patience->most_usec == 0) {
		patience->credit_usec = most_usec;
		patience->counted_usec = now_usec;
	}
	patience->most_usec = most_usec;
	store_touch(store, patience, offsetof(struct patience, work_usec));
}

/* What each core of a node does when all of them are busy, in thousandths. */
static uint64_t speed_of(const struct index_entry *entry)
{
	return ((uint64_t)entry->speed + index_worth_speed(entry->worth_late)) / 2;
}

static uint32_t class_of(uint32_t worth)
{
	uint32_t class = worth > CLASS_FIRST ? (worth - CLASS_FIRST) / CLASS_STEPS : 0;

	return class < PATIENCE_CLASSES ? class : PATIENCE_CLASSES - 1;
}

static struct patience_class *class_for(struct patience_class classes[static PATIENCE_CLASSES], const struct index_entry *entry)
{
	return &classes[class_of(index_worth_steps(speed_of(entry) * 1000))];
}

/* Takes a node out of its class. Its speed may have changed since it was counted: then the next look for the dead counts
 * the classes anew. */
static void drop(struct patience_class *class, const struct index_entry *entry)
{
	uint64_t speed = entry->limit * speed_of(entry);

	class->cores -= entry->limit < class->cores ? entry->limit : class->cores;
	class->speed -= class->cores > 0 && speed < class->speed ? speed : class->speed;
}

static void add(struct patience_class *class, const struct index_entry *entry)
{
	class->speed += entry->limit * speed_of(entry);
	class->cores += entry->limit;
}

void patience_add(struct patience_class classes[static PATIENCE_CLASSES], const struct index_entry *entry)
{
	add(class_for(classes, entry), entry);
}

void patience_changed(struct store *store, const struct index_entry *before, const struct index_entry *now)
{
	bool was_up = index_is_primary_up(before->flags), is_up = index_is_primary_up(now->flags);
	struct patience *patience;
	struct patience_class *class;

	if (was_up == is_up && before->limit == now->limit && speed_of(before) == speed_of(now))
		return;
	patience = patience_get(store);
	if (!patience || patience->most_usec == 0)
		return;
	/* Only what has changed is touched: all classes would leave the section no room for other changes. */
	class = class_for(patience->classes, before);
	if (was_up) {
		drop(class, before);
		store_touch(store, class, sizeof(*class));
	}
	class = class_for(patience->classes, now);
	if (is_up) {
		add(class, now);
		store_touch(store, class, sizeof(*class));
	}
}

static int64_t bounded(uint64_t usec)
{
	return usec < (uint64_t)WORK_MAX_USEC ? (int64_t)usec : WORK_MAX_USEC;
}

void patience_learn(struct store *store, const struct index_entry *entry, uint64_t usec)
{
	struct patience *patience = patience_get(store);
	int64_t work, mean;

	if (!patience || patience->most_usec == 0)
		return;
	work = bounded((uint64_t)((double)bounded(usec) / 1000 * (double)speed_of(entry)));
	mean = bounded(patience->work_usec);
	patience->work_usec = (uint64_t)(mean == 0 ? work : mean + (work - mean) / WORK_RATE);
	store_touch(store, &patience->work_usec, sizeof(patience->work_usec));
}

static bool is_better_later(const struct patience *patience, uint32_t worth, uint64_t waiting)
{
	double slow = index_worth_speed(worth), speed = 0, fastest = 0, wait;

	for (uint32_t i = class_of(worth) + 1; i < PATIENCE_CLASSES; i++) {
		const struct patience_class *class = &patience->classes[i];

		if (class->cores == 0)
			continue;
		speed += (double)class->speed;
		fastest = (double)class->speed / (double)class->cores;
	}
	if (speed <= 0 || fastest <= slow)
		return false;
	wait = (double)waiting / speed;
	if (wait + 1 / fastest >= 1 / slow)
		return false;
	/* Speeds are in thousandths. */
	return patience->until_usec > 0 || wait * 1000 * (double)patience->work_usec < (double)patience->credit_usec;
}

uint64_t patience_until(const struct patience *patience, uint64_t now_usec)
{
	/* A time further off than that was never said. */
	return patience->most_usec <= SCORE_PATIENCE_MAX_USEC && patience->until_usec > now_usec &&
	       patience->until_usec - now_usec <= patience->most_usec ? patience->until_usec : 0;
}

static void count_credit(struct patience *patience, uint64_t now_usec)
{
	uint64_t until_usec = patience_until(patience, now_usec);

	if (until_usec > 0)
		patience->credit_usec = until_usec - now_usec;
	else if (patience->until_usec > 0)
		patience->credit_usec = 0;
	else if (now_usec > patience->counted_usec)
		patience->credit_usec += (now_usec - patience->counted_usec) / CREDIT_RATE;
	if (patience->credit_usec > patience->most_usec)
		patience->credit_usec = patience->most_usec;
	patience->counted_usec = now_usec;
	patience->until_usec = until_usec;
}

bool patience_keeps(struct patience *patience, uint32_t worth, uint64_t waiting, uint64_t now_usec)
{
	bool keeps;

	if (patience->most_usec > SCORE_PATIENCE_MAX_USEC)
		return false;
	count_credit(patience, now_usec);
	keeps = patience->credit_usec > 0 && patience->work_usec > 0 && is_better_later(patience, worth, waiting);
	patience->until_usec = keeps ? now_usec + patience->credit_usec : 0;
	return keeps;
}

void patience_end(struct patience *patience, uint64_t now_usec)
{
	count_credit(patience, now_usec);
	patience->until_usec = 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * reap.c: frees what dead processes held.
 *
 * This takes three steps, so that the lock is never held while /proc is read:
 * note which process holds what; look whether each process lives; free what dead
 * processes still hold.
 *
 * The guard. A process that is killed tells no other process, so a process must look
 * once in a while. That process is the guard: the youngest waiter. The youngest waiter
 * will wait the longest, so the guard changes seldom, and every other waiter
 * sleeps without a timer. A waiter that was the guard learns at its next look that
 * there is a younger waiter, and from then on only watches that process by a
 * pidfd. So, from the oldest to the youngest, each waiter that matters is watched
 * by another. Whichever is killed, the kernel wakes the waiter before it, which
 * becomes the guard or finds the next process to watch. (The oldest waiter as the
 * guard would change with every grant, and each grant would have to wake two
 * processes.)
 *
 * The guard may be stopped, which no pidfd tells. So every waiter also looks at
 * the time of the last look for the dead, and does the guard's work when that is
 * too long ago. The waiter before the guard's tickets does it when no process has
 * looked for nearly a second; a waiter with n tickets behind its own n/8 seconds after
 * that, at most half a minute. Each sleeps until then: 3,000 waiters make some 60 looks
 * in a second, each a section that reads three records.
 *
 * While no connection waits and other slots are free, no connection needs what a dead
 * process holds. But the slot shows as taken, and its node is used less. A process
 * that stays, the listener, looks once a second, see score_watch(). Where no process
 * stays, a claim looks when it is time.
 *
 * A stopped waiter does not take the slot that it is granted. After
 * SCORE_GRANT_USEC the slot goes to the next waiter, and all tickets of the stopped
 * process leave the queue: the next of them would hold up the next slot. Their
 * process is woken. When it looks at a ticket it puts the ticket back at its place,
 * as a ticket that was lost with a damaged queue.
 *
 * A process that was held up with the lock keeps all others from their slots, and
 * none of them is late by that: a grant's time begins anew when such a hold ends.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "load.h"
#include "reap.h"
#include "attempt.h"
#include "records/passed.h"
#include "records/history.h"
#include "records/patience.h"
#include "store/file.h"
#include "store/store.h"
#include "system/grow.h"
#include "system/timespan.h"
#include "walk.h"

#define HOLDER_USEC 1000u /* how long a look is good for with each slot that is taken: it costs some 20 us to look at a holder */
#define SLEEP_MIN_USEC 250000 /* a shorter one makes no grant late; between two clocks a process may be preempted */
#define GRANT_PATIENCE_USEC 300000u /* a holder that has not taken its granted slot for so long is woken again */

struct suspect {
	struct holder holder;
	uint64_t ticket;
	uint32_t node, slot;   /* the slot it holds, or */
	uint32_t cell;         /* the cell in which it waits, when node is NONE */
	bool dead;
	bool late;             /* the slot was granted to it, and it does not take the slot; or its process takes no other slot */
};

struct suspects {
	struct suspect *items;
	size_t n, room;
	uint64_t now_usec;     /* CLOCK_BOOTTIME of the look */
	bool is_fresh;         /* the lock was held for long, or the machine was suspended, a moment ago: no process is late */
	bool patient;          /* slots may be kept from waiters, see patience.h */
	struct patience_class classes[PATIENCE_CLASSES]; /* of the nodes that are up */
	bool drained;          /* a node was seen that can be removed */
	bool lost;             /* there are lost slots, or processes that may hold such */
};

static int suspects_add(struct suspects *suspects, const struct suspect *suspect)
{
	if (GROW(suspects->items, suspects->n, suspects->room) < 0)
		return -ENOMEM;
	suspects->items[suspects->n++] = *suspect;
	return 0;
}

/* Notes the holder of a slot. Wakes a holder again that has not taken its granted slot for a while. */
static int collect_slot(struct score *s, struct farm *farm, const struct node_record *record, uint32_t id, uint32_t number,
			const struct slot *slot, void *arg)
{
	struct suspects *suspects = arg;
	struct cell cell;

	(void)record;
	if (!slot_is_sane(slot))
		return -EUCLEAN;
	if (slot->state == SLOT_FREE)
		return 0;
	if (slot->state == SLOT_LOST) {
		suspects->lost = true; /* see lost_reap() */
		return 0;
	}
	if (slot->state == SLOT_GRANTED && slot->since_usec + GRANT_PATIENCE_USEC < suspects->now_usec &&
	    queue_read(s->store, farm, slot->cell, &cell) == 0)
		(void)wake_list_add(&s->wakes, cell.wake);
	return suspects_add(suspects, &(struct suspect){
		.holder = slot->holder, .ticket = slot->ticket, .node = id, .slot = number,
		.late = slot->state == SLOT_GRANTED && !suspects->is_fresh &&
			slot->since_usec + SCORE_GRANT_USEC < suspects->now_usec });
}

static int collect_cell(struct score *s, struct farm *farm, uint32_t number, const struct cell *cell, void *arg)
{
	(void)s;
	(void)farm;
	if (!cell_is_sane(cell))
		return -EUCLEAN; /* the cell's owner cannot be read */
	if (cell->state != CELL_WAITING)
		return 0;
	return suspects_add(arg, &(struct suspect){
		.holder = cell->owner, .ticket = cell->number, .node = NONE, .cell = number });
}

static void forget_classes(void *arg)
{
	(void)memset(((struct suspects *)arg)->classes, 0, sizeof(((struct suspects *)arg)->classes));
}

/* Notes how fast nodes are now, for the decision whether slots are kept; and decides anew. 0 or -errno. */
static int note_classes(struct score *s, const struct suspects *suspects)
{
	struct patience *patience;
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	patience = patience_get(s->store);
	if (patience && memcmp(patience->classes, suspects->classes, sizeof(patience->classes)) != 0) {
		(void)memcpy(patience->classes, suspects->classes, sizeof(patience->classes));
		store_touch(s->store, patience->classes, sizeof(patience->classes));
		r = store_commit(s->store) ?: claim_dispatch(s, farm);
	}
	farm_leave(s);
	return r;
}

/* A next trial that is further off than the node's pause is of another boot, which the scoreboard has outlived. It is due now.
 * 0 or -errno. */
static int look_at_trial(struct score *s, struct farm *farm, struct index_entry *entry)
{
	uint64_t now_usec = now_boottime(), retry_usec = entry->key.retry_usec;
	struct node_record *record;
	int r;

	if (retry_usec == UINT64_MAX || retry_usec <= now_usec)
		return 0;
	r = node_get(s->store, entry->id, &record);
	if (r < 0 || node_is_flapping(record) || retry_usec - now_usec <= record->pause_usec)
		return r;
	entry->key.retry_usec = now_usec;
	return index_update(s->store, farm, record->position) ?: store_commit(s->store);
}

static int look_at_node(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct suspects *suspects = arg;

	if (suspects->patient && index_is_primary_up(entry->flags))
		patience_add(suspects->classes, entry);
	suspects->drained |= entry->busy == 0 && entry->flags & ENTRY_DRAINING;
	return look_at_trial(s, farm, entry);
}

/* Whether the lock was held for long, as far as this section can tell, within the time for which a grant may be untaken. */
static bool was_held_lately(struct score *s)
{
	uint64_t until_usec = file_held_until(store_file(s->store)), now_usec = now_coarse();

	return until_usec <= now_usec && now_usec - until_usec < SCORE_GRANT_USEC; /* else it is of another boot */
}

/* Whether the machine was suspended since this process looked last: CLOCK_BOOTTIME went on, and no process did. */
static bool was_asleep(struct score *s)
{
	uint64_t awake_usec = now_monotonic();
	int64_t asleep_usec = (int64_t)(now_boottime() - awake_usec), before_usec = s->asleep_usec;

	s->asleep_usec = asleep_usec;
	return asleep_usec - before_usec > SLEEP_MIN_USEC;
}

/* Notes that this process looks, so that others need not. Also opens nodes that are due for their next trial, and grants
 * slots that are free because a process was killed after it freed them, before it granted them. */
static int begin_looking(struct score *s, struct suspects *suspects)
{
	const struct patience *patience;
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	suspects->lost = farm->lost > 0;
	passed_forget(s->store); /* a process may have been killed after it freed a slot, before it looked for a waiter */
	suspects->is_fresh = was_asleep(s) || was_held_lately(s);
	patience = patience_get(s->store);
	suspects->patient = patience && patience->most_usec > 0;
	s->is_patient |= suspects->patient;
	farm->reaped_usec = s->reaped_usec = now_boottime();
	store_touch(s->store, &farm->reaped_usec, sizeof(farm->reaped_usec));
	r = claim_open_due(s, farm); /* commits, as does */
	if (r == 0)
		r = claim_dispatch(s, farm);
	farm_leave(s);
	return r;
}

static int collect(struct score *s, struct suspects *suspects)
{
	int r;

	file_look(store_file(s->store));
	r = begin_looking(s, suspects);
	suspects->now_usec = now_boottime();
	if (r == 0)
		r = walk_slots(s, collect_slot, suspects) ?:
		    walk_nodes(s, look_at_node, forget_classes, suspects);
	if (r == 0 && suspects->patient)
		r = note_classes(s, suspects);
	if (r == 0)
		r = walk_cells(s, collect_cell, suspects);
	return r;
}

/* Whether a process that waits does not take a slot that it was granted. This process does: it looks for the dead as a
 * part of its work. */
static bool is_late(const struct score *s, const struct suspects *suspects, const struct holder *waiter)
{
	if (holder_equal(waiter, &s->self))
		return false;
	for (size_t i = 0; i < suspects->n && suspects->items[i].node != NONE; i++)
		if (suspects->items[i].late && holder_equal(&suspects->items[i].holder, waiter))
			return true;
	return false;
}

/* Finds the dead and the late among the suspects, and returns whether there is any. A process may hold thousands of
 * tickets in a row: it is looked up once for them. */
static bool judge(struct score *s, struct suspects *suspects)
{
	const struct suspect *before = NULL;
	bool any = false;

	for (size_t i = 0; i < suspects->n; i++) {
		struct suspect *suspect = &suspects->items[i];
		bool same = before && holder_equal(&before->holder, &suspect->holder);

		if (same)
			suspect->dead = before->dead;
		else
			suspect->dead = !holder_equal(&suspect->holder, &s->self) &&
					!holder_alive(&suspect->holder);
		if (suspect->node == NONE)
			suspect->late = same && before->node == NONE ? before->late : is_late(s, suspects, &suspect->holder);
		any |= suspect->dead || suspect->late;
		before = suspect;
	}
	return any;
}

/* Finds the slot of a suspect. 1, and what it found; 0: the slot is not that process's any more; or -errno. */
static int find_slot(struct score *s, struct farm *farm, const struct suspect *suspect, struct node_record **ret_record,
		     struct index_entry **ret_entry, struct slot **ret)
{
	int r = node_find_entry(s->store, farm, suspect->node, ret_record, ret_entry);

	if (r == -ENOENT)
		return slot_get_any(s->store, suspect->node, suspect->slot, ret) == 0 ? -EUCLEAN : 0;
	if (r == 0)
		r = slot_get(s->store, suspect->node, suspect->slot, ret);
	if (r < 0)
		return r;
	return (*ret)->state != SLOT_FREE && (*ret)->ticket == suspect->ticket && holder_equal(&(*ret)->holder, &suspect->holder);
}

/* Stages the end of a slot's use by a dead process, if that process still holds the slot. 1 if so, 0 if not, or
 * -errno. */
static int bury_slot(struct score *s, struct farm *farm, const struct suspect *dead)
{
	struct node_record *record;
	struct index_entry *entry;
	struct slot *slot;
	int r = find_slot(s, farm, dead, &record, &entry, &slot);

	if (r <= 0)
		return r;
	history_note_end(s->store, farm, slot->since_usec, now_boottime(), false);
	record->failed++;
	record->bytes_in += slot->in;
	record->bytes_out += slot->out;
	store_touch(s->store, &record->served, 4 * sizeof(record->served));
	if (slot->trial) {
		/* The process that tried the node was killed, perhaps for waiting so long: no new trial at once. */
		entry->key.retry_usec = node_next_trial_usec(record);
		r = claim_set_flags(s, farm, record->position, 0, ENTRY_TRIAL_RUNS);
		if (r < 0)
			return r;
	}
	return claim_free_slot(s, farm, record->position, slot, dead->slot) ?: 1;
}

/* Stages that a granted slot is not that process's any more, if it has not taken the slot by now. 1 if so, 0 if not, or
 * -errno. */
static int withdraw_grant(struct score *s, struct farm *farm, const struct suspect *late)
{
	struct node_record *record;
	struct index_entry *entry;
	struct slot *slot;
	int r = find_slot(s, farm, late, &record, &entry, &slot);

	if (r <= 0 || slot->state != SLOT_GRANTED)
		return r < 0 ? r : 0;
	return claim_free_slot(s, farm, record->position, slot, late->slot) ?: 1;
}

static int bury_ticket(struct score *s, struct farm *farm, const struct suspect *dead)
{
	struct score_ticket ticket = { .number = dead->ticket, .cell = dead->cell };
	struct cell *cell;
	int r = queue_find(s->store, farm, &ticket, &cell);

	if (r < 0)
		return r == -ESTALE ? 0 : r;
	if (cell->state != CELL_WAITING || !holder_equal(&cell->owner, &dead->holder))
		return 0;
	if (!dead->dead)
		(void)wake_list_add(&s->wakes, cell->wake);
	r = queue_unlink(s->store, farm, cell);
	if (r < 0)
		return r;
	queue_free(s->store, farm, dead->cell, cell);
	return 1;
}

#define BURIED_AT_ONCE 16u

/* Stages what is to happen to a suspect. 1 if anything is, 0 if not, or -errno. */
static int bury_one(struct score *s, struct farm *farm, const struct suspect *suspect)
{
	if (suspect->node == NONE)
		return bury_ticket(s, farm, suspect);
	return suspect->dead ? bury_slot(s, farm, suspect) : withdraw_grant(s, farm, suspect);
}

/* Frees what some of the dead and the late processes had, in one section: from *from on, which is then set behind them.
 * 1 if there are more, 0 if not, or -errno. */
static int bury_some(struct score *s, const struct suspects *suspects, size_t *from, unsigned *slots, unsigned *tickets)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	for (unsigned n = 0; r == 0 && n < BURIED_AT_ONCE && *from < suspects->n; ++*from) {
		const struct suspect *suspect = &suspects->items[*from];

		if (!suspect->dead && !suspect->late)
			continue;
		n++;
		r = bury_one(s, farm, suspect);
		if (r > 0) {
			*(suspect->node == NONE ? tickets : slots) += suspect->dead;
			r = store_commit(s->store);
		}
		store_trim(s->store);
	}
	if (r == 0)
		r = claim_dispatch(s, farm);
	farm_leave(s);
	return r < 0 ? r : *from < suspects->n;
}

static int bury(struct score *s, const struct suspects *suspects, unsigned *slots, unsigned *tickets)
{
	size_t from = 0;
	int r;

	do
		r = bury_some(s, suspects, &from, slots, tickets);
	while (r == 1);
	return r;
}

/* ---- the operations ---- */

int attempt_reap(struct score *s, unsigned *ret_slots, unsigned *ret_tickets)
{
	struct suspects suspects = { 0 };
	unsigned slots = 0, tickets = 0;
	int r = collect(s, &suspects);

	if (r == 0 && judge(s, &suspects))
		r = bury(s, &suspects, &slots, &tickets);
	free(suspects.items);
	s->lost_seen |= suspects.lost; /* operations.c handles lost slots, outside of all sections */
	if (r == 0 && suspects.drained)
		r = score_collect(s);
	if (r < 0 && r != -ENOLCK) /* while a stock tool is in the way drained nodes stay, until a later look */
		return r;
	if (ret_slots)
		*ret_slots = slots;
	if (ret_tickets)
		*ret_tickets = tickets;
	return 0;
}

uint64_t reap_due_usec(const struct farm *farm, uint64_t pause_usec)
{
	uint64_t now_usec = now_boottime(), worth_usec = (uint64_t)farm->busy * HOLDER_USEC, age_usec;

	if (farm->busy == 0 && farm->lost == 0)
		return pause_usec;
	if (worth_usec > pause_usec)
		pause_usec = worth_usec;
	age_usec = farm->reaped_usec <= now_usec ? now_usec - farm->reaped_usec : pause_usec; /* else it is of another boot */
	return age_usec < pause_usec ? pause_usec - age_usec : 0;
}

int attempt_is_watched(struct score *s, uint64_t *ret_usec)
{
	struct farm *farm;

	/* Slots are lost: the process that looked last may be a relay, which is confined, and cannot see which processes
	 * have the scoreboard. */
	return IN_SECTION(s, farm, (*ret_usec = farm->lost > 0 ? 0 : reap_due_usec(farm, SCORE_WATCH_USEC)) > 0);
}

/* ---- other waiters than the guard ---- */

#define GUARD_LIMIT_USEC (SCORE_WATCH_USEC - 50000u) /* a guard that has not looked for so long is stopped, or nearly so */
#define LOOKS_PER_SEC 8u /* of all waiters that have about as many tickets behind theirs, to a factor of three */
#define STAND_IN_MAX_USEC (30 * USEC_PER_SEC)

/*
 * How long a waiter leaves it to others to look in the place of a stopped guard. The waiter right before the guard's
 * tickets, however many these are, leaves it to no other; any other waits the longer, the more tickets are behind its own. 0 or
 * -errno.
 */
static int leave_to_others_usec(struct score *s, const struct farm *farm, const struct score_ticket *ticket, uint64_t *ret)
{
	uint64_t behind = farm->next_ticket > ticket->number ? farm->next_ticket - ticket->number : 0;
	struct cell next, tail;
	struct cell *cell;
	int r = queue_find(s->store, farm, ticket, &cell);

	*ret = behind * USEC_PER_SEC / LOOKS_PER_SEC;
	if (*ret > STAND_IN_MAX_USEC)
		*ret = STAND_IN_MAX_USEC;
	if (r == -ESTALE || (r == 0 && (cell->state != CELL_WAITING || cell->next == NONE)))
		return 0; /* its process finds out soon what became of the ticket */
	if (r == 0)
		r = queue_read(s->store, farm, cell->next, &next) ?:
		    queue_read(s->store, farm, farm->queue_tail, &tail);
	if (r == 0 && holder_equal(&next.owner, &tail.owner))
		*ret = 0;
	return r;
}

int attempt_is_guarded(struct score *s, const struct score_ticket *ticket, uint64_t *ret_usec)
{
	uint64_t now_usec = now_boottime(), reaped_usec, due_usec;
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	reaped_usec = farm->reaped_usec;
	r = leave_to_others_usec(s, farm, ticket, &due_usec);
	farm_leave(s);
	/* A process that has taken the guard's place keeps it until another process looks in its stead. */
	if (r < 0 || reaped_usec > now_usec || reaped_usec == s->reaped_usec)
		return r;
	due_usec += reaped_usec + GUARD_LIMIT_USEC;
	*ret_usec = due_usec > now_usec ? due_usec - now_usec : 0;
	return due_usec > now_usec;
}

int attempt_guard(struct score *s, const struct score_ticket *youngest, pid_t *ret_next_pid, int *ret_next_fd)
{
	struct holder next = { 0 };
	struct farm *farm;
	struct cell *cell, behind;
	int r;

	*ret_next_pid = 0;
	*ret_next_fd = -1;
	r = attempt_reap(s, NULL, NULL) ?: farm_enter(s, &farm);
	if (r < 0)
		return r;
	r = queue_find(s->store, farm, youngest, &cell);
	if (r == 0 && cell->state != CELL_WAITING)
		r = -ESTALE;
	if (r == 0 && cell->next != NONE) {
		r = queue_read(s->store, farm, cell->next, &behind);
		if (r == 0)
			next = behind.owner;
	}
	farm_leave(s);
	if (r < 0 || next.pid == 0 || holder_equal(&next, &s->self))
		return r;
	/* If that process is gone, or cannot be seen, this process stays the guard, and its next look finds another. */
	r = holder_pidfd(&next);
	if (r >= 0) {
		*ret_next_pid = (pid_t)next.pid;
		*ret_next_fd = r;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "farm/claim.h"
#include "farm/fair.h"
#include "farm/ticket.h"
#include "farm/walk.h"
#include "store/file.h"
#include "store/store.h"
#include "users.h"
#include "system/grow.h"
#include "system/timespan.h"

#define HOLDERS_PER_PAGE 64u
#define PAGES_MAX (PID_MAX / HOLDERS_PER_PAGE)
#define PID_MAX (UINT32_C(1) << 22) /* no Linux has more */
#define LOOKED_AT 512u              /* slots of a node, for a lost slot */

/* A record "lost/N". */
struct lost_page {
	struct holder holders[HOLDERS_PER_PAGE];
};

/* Stands in place of a process that has been heard of, and behind the last process. It is not all zeros: zeros written
 * over the record must not read as processes that have been heard of. */
static const struct holder struck = { .reserved = 1 };

static bool is_struck(const struct holder *holder)
{
	return memcmp(holder, &struck, sizeof(*holder)) == 0;
}

/* Makes the pages that name these processes, and removes the pages behind them. */
static int put_pages(struct store *store, const struct holder *holders, size_t n)
{
	uint32_t number = 0;
	size_t size;
	void *data;
	int r = 0;

	for (size_t done = 0; r == 0 && done < n; number++) {
		struct lost_page page;

		for (unsigned i = 0; i < HOLDERS_PER_PAGE; i++)
			page.holders[i] = done < n ? holders[done++] : struck;
		r = store_put(store, STORE_LOST, number, 0, &page, sizeof(page));
	}
	for (; r == 0 && number < PAGES_MAX && store_find_any(store, STORE_LOST, number, 0, &data, &size) != -ENOENT; number++)
		r = store_delete(store, STORE_LOST, number, 0);
	return r;
}

int lost_begin(struct store *store, struct farm *farm, const struct holder *witnesses, size_t n)
{
	uint32_t round = (uint32_t)(now_boottime() / 1000) | 1;

	farm->lost = (uint32_t)n;
	/* The round differs from any round before, also when the round before could not be read. */
	farm->lost_round = round == farm->lost_round ? round + 2 : round;
	return put_pages(store, witnesses, n);
}

/* A page in a copy, and how many processes on it have not been heard of. 0; -ENOENT; -EUCLEAN if it cannot be true. */
static int get_page(struct store *store, uint32_t number, struct lost_page **ret, uint32_t *ret_left)
{
	int r;

	store_trim(store);
	r = STORE_FIND(store, STORE_LOST, number, 0, ret);
	if (r < 0)
		return r;
	*ret_left = 0;
	for (unsigned i = 0; i < HOLDERS_PER_PAGE; i++) {
		const struct holder *holder = &(*ret)->holders[i];

		if (is_struck(holder))
			continue;
		if (holder->pid == 0 || holder->pid > INT32_MAX || holder->reserved != 0)
			return -EUCLEAN;
		++*ret_left;
	}
	return 0;
}

int lost_count(struct store *store, uint32_t *ret)
{
	struct lost_page *page;
	uint32_t left;
	int r;

	*ret = 0;
	for (uint32_t number = 0; (r = get_page(store, number, &page, &left)) == 0; number++)
		*ret += left;
	return r == -ENOENT ? 0 : r;
}

/* Whether the pages name as many processes as the farm's record says. 0, -EUCLEAN, or -errno. */
static int check_count(struct store *store, const struct farm *farm)
{
	uint32_t left;
	int r = lost_count(store, &left);

	return r == 0 && left != farm->lost ? -EUCLEAN : r;
}

/* Copies the processes on the record that have not been heard of; the caller frees *ret. 0; -EUCLEAN: the record cannot be
 * true; or -errno. */
static int get_unheard(struct store *store, const struct farm *farm, struct holder **ret, size_t *ret_n)
{
	struct holder *unheard;
	struct lost_page *page;
	uint32_t left;
	size_t n = 0;
	int r = check_count(store, farm);

	if (r < 0)
		return r;
	unheard = reallocarray(NULL, farm->lost + (size_t)1, sizeof(*unheard));
	if (!unheard)
		return -ENOMEM;
	for (uint32_t number = 0; (r = get_page(store, number, &page, &left)) == 0; number++)
		for (unsigned i = 0; i < HOLDERS_PER_PAGE; i++)
			if (!is_struck(&page->holders[i]))
				unheard[n++] = page->holders[i];
	if (r != -ENOENT) {
		free(unheard);
		return r;
	}
	*ret = unheard;
	*ret_n = n;
	return 0;
}

/* ---- no process is left that may hold them ---- */

#define FREED_AT_ONCE 16u /* in one section */

struct lost_slot {
	uint32_t node, slot;
};

struct lost_slots {
	struct lost_slot *items;
	size_t n, room;
};

static int note_lost(struct score *s, struct farm *farm, const struct node_record *record, uint32_t id, uint32_t number,
		     const struct slot *slot, void *arg)
{
	struct lost_slots *slots = arg;

	(void)s;
	(void)farm;
	(void)record;
	if (slot->state != SLOT_LOST)
		return 0;
	if (GROW(slots->items, slots->n, slots->room) < 0)
		return -ENOMEM;
	slots->items[slots->n++] = (struct lost_slot){ .node = id, .slot = number };
	return 0;
}

/* Frees a slot if it is still lost. Commits. 0 or -errno. */
static int free_one(struct score *s, struct farm *farm, const struct lost_slot *lost)
{
	struct node_record *record;
	struct index_entry *entry;
	struct slot *slot;
	int r = node_find_entry(s->store, farm, lost->node, &record, &entry) ?:
		slot_get(s->store, lost->node, lost->slot, &slot);

	if (r == 0 && slot->state == SLOT_LOST)
		r = claim_free_slot(s, farm, record->position, slot, lost->slot) ?: store_commit(s->store);
	store_trim(s->store);
	return r == -ENOENT ? 0 : r; /* the node has gone */
}

/* Frees some of the slots, in one section: from *from on, which is then set behind them. 1 if there are more; 0 if not, or
 * if slots have been lost anew, which these may be among; or -errno. */
static int free_some(struct score *s, const struct lost_slots *slots, size_t *from, uint32_t round)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	if (farm->lost > 0 || farm->lost_round != round)
		*from = slots->n;
	for (unsigned n = 0; r == 0 && n < FREED_AT_ONCE && *from < slots->n; n++, ++*from)
		r = free_one(s, farm, &slots->items[*from]);
	if (r == 0)
		r = claim_dispatch(s, farm);
	farm_leave(s);
	return r < 0 ? r : *from < slots->n;
}

/* The number of the latest loss, if no process is on its record. 0 and *ret; 1: processes are; or -errno. */
static int round_over(struct score *s, uint32_t *ret)
{
	struct farm *farm;

	return IN_SECTION(s, farm, (*ret = farm->lost_round, farm->lost > 0));
}

/*
 * Frees the lost slots that no process on the record may hold any more, and grants them to waiters: some in each of several
 * sections, so that no other process waits for all of it. If this process is killed meanwhile, the next look for the dead
 * frees the rest. Does nothing while a process is on the record. 0 or -errno.
 */
static int finish(struct score *s)
{
	struct lost_slots slots = { .n = 0 };
	uint32_t round;
	size_t from = 0;
	int r = round_over(s, &round) ?: walk_slots(s, note_lost, &slots);

	if (r == 0)
		while ((r = free_some(s, &slots, &from, round)) == 1)
			;
	free(slots.items);
	/* Processes are on the record, or this process must answer again: the last process that is struck off frees the slots. */
	return r == 1 || r == -EAGAIN ? 0 : r;
}

/* Whether a process on the record is this process, or has ended. When a process started cannot be read where /proc does not
 * show it; a process that has the same pid by now shows that it has ended. */
static bool is_heard(const struct holder *on_record, const struct holder *holder)
{
	return holder_equal(on_record, holder) || (on_record->start == 0 && on_record->pid == holder->pid);
}

/* Strikes a process off the record. Commits. 0; 1: no process is left on it, and finish() is to follow; or -errno. */
static int strike(struct score *s, struct farm *farm, const struct holder *holder)
{
	struct lost_page *page;
	uint32_t left;
	int r = check_count(s->store, farm);

	for (uint32_t number = 0; r == 0 && farm->lost > 0; number++) {
		r = get_page(s->store, number, &page, &left);
		for (unsigned i = 0; r == 0 && i < HOLDERS_PER_PAGE && farm->lost > 0; i++)
			if (is_heard(&page->holders[i], holder)) {
				page->holders[i] = struck;
				store_touch(s->store, &page->holders[i], sizeof(page->holders[i]));
				farm->lost--;
				store_touch(s->store, &farm->lost, sizeof(farm->lost));
			}
		if (r == 0)
			r = store_commit(s->store);
	}
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = store_commit(s->store);
	store_trim(s->store);
	return r == 0 ? farm->lost == 0 : r;
}

/* Whether the slot is this process's already. */
static bool is_ours(struct score *s, const struct slot *slot, const struct held *held)
{
	return slot->state == SLOT_BUSY && slot->ticket == held->is.ticket && holder_equal(&slot->holder, &s->self);
}

/* Finds a slot of the node for what this process holds: the same, or else the first that is lost. 0; 1: there is none; or
 * -errno. */
static int find_slot(struct score *s, const struct node_record *record, struct held *held, struct slot **ret)
{
	uint32_t n = record->slot_pages * SLOTS_PER_PAGE, number = held->is.slot;
	int r;

	for (uint32_t i = 0; i <= n && i <= LOOKED_AT; number = i++) {
		if (number >= n)
			continue;
		store_trim(s->store);
		r = slot_get(s->store, held->is.node, number, ret);
		if (r < 0)
			return r;
		if ((*ret)->state == SLOT_LOST || is_ours(s, *ret, held)) {
			held->is.slot = number;
			return 0;
		}
	}
	return 1;
}

/* Takes back a slot that this process holds. 0; 1: this scoreboard has no such slot to take back; or -errno. */
static int reclaim(struct score *s, struct farm *farm, struct held *held)
{
	struct node_record *record;
	struct slot *slot;
	int r = node_find(s->store, held->is.node, &record);

	if (r == -ENOENT || (r == 0 && strcmp(record->config.name, held->node) != 0))
		return 1; /* its slots stay lost until the node is there, or this process releases its slot */
	if (r == 0)
		r = find_slot(s, record, held, &slot);
	if (r != 0 || is_ours(s, slot, held))
		return r;
	slot->holder = s->self;
	slot->ticket = held->is.ticket;
	slot->state = SLOT_BUSY;
	slot->trial = 0;
	store_touch(s->store, slot, sizeof(*slot));
	r = fair_held(s, farm, slot->client) ?: store_commit(s->store);
	store_trim(s->store);
	return r;
}

/* Says what this process holds, as far as it can be said in this scoreboard. Commits. 0; 1 as strike(); -EXFULL: as
 * fair_held(); or -errno. After an error what was taken back stays so, and it may be called again. */
static int settle(struct score *s, struct farm *farm)
{
	bool unsettled = s->forgetful;
	int r = 0;

	if (s->settled == farm->lost_round)
		return 0;
	for (size_t i = 0; r >= 0 && i < s->n_held; i++) {
		r = reclaim(s, farm, &s->held[i]);
		unsettled |= r == 1;
		store_trim(s->store);
	}
	if (r < 0)
		return r;
	s->told = farm->lost_round;
	if (unsettled)
		return 0;
	s->settled = farm->lost_round;
	return strike(s, farm, &s->self);
}

/* Whether the node of a slot that this process holds has another number by now, or is missing. In a section. 1, 0, or
 * -errno. */
static int has_moved(struct score *s, const struct held *held)
{
	struct node_record *record;
	int r = node_find(s->store, held->is.node, &record);

	r = r == -ENOENT ? 1 : r < 0 ? r : strcmp(record->config.name, held->node) != 0;
	store_trim(s->store);
	return r;
}

/* Finds the nodes of the slots that this process holds by their names, in sections of its own. 0 or -errno. */
static int find_nodes(struct score *s)
{
	for (size_t i = 0; i < s->n_held; i++) {
		struct held *held = &s->held[i];
		struct farm *farm;
		uint32_t id;
		int r = farm_enter_untold(s, &farm);

		if (r < 0)
			return r;
		s->told = farm->lost_round; /* or no section could be entered until the answer is given */
		r = has_moved(s, held);
		farm_leave(s);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		r = walk_find(s, held->node, &id, NULL);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			held->is.node = id;
	}
	return 0;
}

/* Whether slots are lost and this process has not said what it holds. 1, 0, or -errno. */
static int is_asked(struct score *s)
{
	struct farm *farm;
	int r = farm_enter_untold(s, &farm);

	if (r < 0)
		return r;
	r = farm->lost > 0 && s->settled != farm->lost_round;
	farm_leave(s);
	return r;
}

/* As settle(), in a section of its own, if slots are still lost. */
static int settle_now(struct score *s)
{
	struct farm *farm;
	int r = farm_enter_untold(s, &farm);

	if (r < 0)
		return r;
	if (farm->lost > 0)
		r = settle(s, farm);
	farm_leave(s);
	return r;
}

int lost_answer(struct score *s)
{
	int r = is_asked(s);

	if (r <= 0)
		return r;
	r = find_nodes(s) ?: WITH_ROOM(s, settle_now(s));
	if (r < 0)
		s->told = s->settled;
	return r == 1 ? finish(s) : r;
}

/* ---- processes that were not heard of ---- */

/* Asks all processes that this process can see: the process that found the damage may have seen fewer. */
static void ask_again(struct score *s)
{
	struct stat file;

	if (file_stat(store_file(s->store), &file) == 0)
		users_wake(&file, &store_file(s->store)->folder, s->path);
}

/* Whether a process may still say that it holds something. It may be on the record only by its program's name. */
static bool is_to_be_heard(struct score *s, const struct holder *holder)
{
	struct stat file;

	return holder_alive(holder) && (file_stat(store_file(s->store), &file) < 0 ||
					users_may_have(&file, &store_file(s->store)->folder, s->path, holder));
}

int lost_reap(struct score *s)
{
	struct holder *unheard = NULL;
	bool silent = false, none;
	struct farm *farm;
	size_t n = 0;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = get_unheard(s->store, farm, &unheard, &n);
	none = farm->lost == 0;
	farm_leave(s);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (is_to_be_heard(s, &unheard[i])) {
			silent = true;
			continue;
		}
		r = farm_enter(s, &farm);
		if (r < 0)
			break;
		r = farm->lost > 0 ? strike(s, farm, &unheard[i]) : 0;
		farm_leave(s);
		none |= r == 1;
		r = r == 1 ? 0 : r;
	}
	free(unheard);
	if (r == 0 && none)
		r = finish(s);
	if (r == 0 && silent)
		ask_again(s);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * rebuild.c: a new scoreboard is made of what can be read of the damaged one,
 * under the same numbers: nodes keep their ids, slots and cells their places,
 * so that whoever holds or waits goes on with what he has in hand. Then fsck
 * makes it consistent, and of what cannot be believed see lost.h.
 * Then it takes the damaged one's place, see salvage.c.
 */

#include "rebuild.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsck.h"
#include "farm/learn.h"
#include "farm/load.h"
#include "lost.h"
#include "records/node.h"
#include "records/origin.h"
#include "records/queue.h"
#include "records/slot.h"
#include "system/timespan.h"
#include "store/version.h"
#include "users.h"
#include "store/salvage.h"

#define ORDER_GAP (UINT64_C(1) << 20) /* tickets that may have been given out unseen */

static void (*on_mended)(const char *what);

void score_on_mended(void (*fn)(const char *what))
{
	on_mended = fn;
}

struct salvage {
	const struct salvage *wreck;
	struct store *store;
	struct farm farm;
	struct index_entry *entries;
	uint32_t n, room;          /* nodes */
	uint64_t last_ticket;
	uint32_t last_id;
	bool lossy;                /* something may be held that is not in what was read */
};

/* ---- nodes and their slots ---- */

static bool node_is_credible(uint32_t id, const struct node_record *record)
{
	char name[NODE_NAME_MAX + 1];

	node_name(record->config.host, record->config.port, name);
	return id != 0 && *record->config.host && record->config.port != 0 && strcmp(name, record->config.name) == 0;
}

static int salvage_slots(struct salvage *salvage, uint32_t id, uint32_t pages, bool *ret_trial)
{
	int r = 0;

	for (uint32_t page = 0; r == 0 && page < pages; page++) {
		const void *read = salvage_get(salvage->wreck, STORE_SLOTS, id, page, sizeof(struct slot_page));
		struct slot_page slots;

		if (read)
			(void)memcpy(&slots, read, sizeof(slots));
		for (unsigned i = 0; i < SLOTS_PER_PAGE; i++) {
			struct slot *slot = &slots.slots[i];

			/* Who was on the record of the last loss is not asked again. */
			if (!read || !slot_is_sane(slot) || slot->state == SLOT_LOST) {
				slot_lose(slot);
				salvage->lossy = true;
			}
			*ret_trial |= slot->trial;
			if (slot->ticket > salvage->last_ticket)
				salvage->last_ticket = slot->ticket;
		}
		r = store_put(salvage->store, STORE_SLOTS, id, page, &slots, sizeof(slots));
	}
	return r;
}

static int salvage_node(uint32_t id, uint32_t b, const void *data, size_t size, void *arg)
{
	struct salvage *salvage = arg;
	struct node_record record;
	bool trial = false;
	uint32_t pages;
	int r;

	(void)b;
	if (size != sizeof(record) || salvage->n == NODES_MAX)
		return 0;
	(void)memcpy(&record, data, sizeof(record));
	pages = node_check(&record) == 0 ? slot_pages(record.config.cores) : 0;
	if (pages == 0 || !node_is_credible(id, &record)) {
		salvage->lossy = true;
		return 0;
	}
	if (salvage->n == salvage->room) {
		uint32_t room = salvage->room ? salvage->room * 2 : 64;
		struct index_entry *entries = reallocarray(salvage->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		salvage->entries = entries;
		salvage->room = room;
	}
	/* Pages of cores that it had once: those that it says, and as far as they can be found. */
	if (record.slot_pages > pages)
		pages = record.slot_pages;
	while (salvage_get(salvage->wreck, STORE_SLOTS, id, pages, sizeof(struct slot_page)))
		pages++;
	record.slot_pages = pages;
	salvage->entries[salvage->n++] = (struct index_entry){
		.id = id, .speed = node_speed(&record), .cores = record.config.cores, .limit = node_limit(&record),
		.free_slot = NONE,
		.key = { .retry_usec = UINT64_MAX, .fastest = record.position },
		.flags = record.flags & BN_DOWN ? ENTRY_TRIAL_OPEN : ENTRY_UP,
	};
	if (id > salvage->last_id)
		salvage->last_id = id;
	r = salvage_slots(salvage, id, pages, &trial);
	if (trial)
		salvage->entries[salvage->n - 1].flags = (record.flags & BN_DOWN ? 0 : ENTRY_UP) | ENTRY_TRIAL_RUNS;
	return r < 0 ? r : store_put(salvage->store, STORE_NODE, id, 0, &record, sizeof(record));
}

/* A page of a node that is not there. */
static int miss_slots(uint32_t id, uint32_t page, const void *data, size_t size, void *arg)
{
	struct salvage *salvage = arg;

	(void)page;
	(void)data;
	(void)size;
	for (uint32_t i = 0; i < salvage->n; i++)
		if (salvage->entries[i].id == id)
			return 0;
	salvage->lossy = true;
	if (id > salvage->last_id)
		salvage->last_id = id;
	return 0;
}

static int compare_positions(const void *a, const void *b)
{
	const struct index_entry *x = a, *y = b;

	if (x->key.fastest != y->key.fastest)
		return x->key.fastest < y->key.fastest ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* ---- the queue ---- */

static int count_pages(uint32_t page, uint32_t b, const void *data, size_t size, void *arg)
{
	uint32_t *cells = arg;

	(void)b;
	(void)data;
	(void)size;
	if (page < QUEUE_CELLS_MAX / CELLS_PER_PAGE && (page + 1) * CELLS_PER_PAGE > *cells)
		*cells = (page + 1) * CELLS_PER_PAGE;
	return 0;
}

static int salvage_queue(struct salvage *salvage)
{
	uint32_t cells = CELLS_FIRST; /* those who waited in others come back to any, see lost.h */
	int r;

	r = salvage_each(salvage->wreck, STORE_QUEUE, true, count_pages, &cells);
	salvage->farm.cells = cells;
	for (uint32_t page = 0; r == 0 && page < cells / CELLS_PER_PAGE; page++) {
		const void *read = salvage_get(salvage->wreck, STORE_QUEUE, page, 0, sizeof(struct cell_page));
		struct cell_page copy;

		if (read)
			(void)memcpy(&copy, read, sizeof(copy));
		for (unsigned i = 0; i < CELLS_PER_PAGE; i++) {
			struct cell *cell = &copy.cells[i];

			if (!read || !cell_is_sane(cell))
				cell_empty(cell);
			if (cell->number > salvage->last_ticket)
				salvage->last_ticket = cell->number;
		}
		r = store_put(salvage->store, STORE_QUEUE, page, 0, &copy, sizeof(copy));
	}
	return r;
}

/* ---- the farm ---- */

/* What is typical; of rows that cannot be true fsck makes empty ones. */
static int salvage_speed(uint32_t row, uint32_t b, const void *data, size_t size, void *arg)
{
	struct salvage *salvage = arg;

	(void)b;
	return row < SPEED_ROWS && size == sizeof(struct speed_row) ?
	       store_put(salvage->store, STORE_SPEED, row, 0, data, size) : 0;
}

/*
 * Behind all that were given out, also those that were not seen, so that who comes now is behind who waits: as there is
 * never one for each microsecond there have been no more than that since the machine was started.
 */
static uint64_t next_ticket(const struct salvage *salvage)
{
	uint64_t behind = salvage->last_ticket + ORDER_GAP, now_usec = now_boottime();

	return behind > now_usec ? behind : now_usec;
}

static void salvage_farm(struct salvage *salvage)
{
	const struct farm *read = salvage_get(salvage->wreck, STORE_FARM, 0, 0, sizeof(*read));
	struct farm old = { 0 };
	bool known;

	if (read)
		(void)memcpy(&old, read, sizeof(old));
	known = read && farm_check(&old) == 0 && old.n_nodes == salvage->n && old.next_id > salvage->last_id &&
		old.next_ticket > salvage->last_ticket;
	/* A node whose every record is gone shows in nothing else. */
	if (!known)
		salvage->lossy = true;
	salvage->farm.incomplete = known ? old.incomplete : 1;
	salvage->farm.paused = known && old.paused == 1;
	salvage->farm.cursor = known ? old.cursor : 0;
	salvage->farm.next_id = known ? old.next_id : salvage->last_id + 1000;
	salvage->farm.next_ticket = known ? old.next_ticket : next_ticket(salvage);
}

/* Of a record that cannot be read the list is forgotten: the next load of one says it anew. */
static int salvage_origin(struct salvage *salvage)
{
	const struct origin *read = salvage_get(salvage->wreck, STORE_ORIGIN, 0, 0, sizeof(*read));
	struct origin origin = { 0 };

	if (read)
		(void)memcpy(&origin, read, sizeof(origin));
	if (!read || origin_check(&origin) < 0) {
		origin = (struct origin){ 0 };
		surroundings_self(&origin.surroundings);
	}
	return store_put(salvage->store, STORE_ORIGIN, 0, 0, &origin, sizeof(origin));
}

static int salvage_all(struct salvage *salvage)
{
	struct store *store = salvage->store;
	int r = store_begin(store);

	if (r < 0)
		return r;
	r = salvage_each(salvage->wreck, STORE_NODE, false, salvage_node, salvage);
	if (r == 0)
		r = salvage_each(salvage->wreck, STORE_SLOTS, true, miss_slots, salvage);
	if (r == 0)
		r = salvage_queue(salvage);
	if (r == 0)
		r = learn_format(store);
	if (r == 0)
		r = salvage_origin(salvage);
	if (r == 0)
		r = salvage_each(salvage->wreck, STORE_SPEED, false, salvage_speed, salvage);
	if (r == 0) {
		struct version version = version_current();

		salvage_farm(salvage);
		if (salvage->n > 0)
			qsort(salvage->entries, salvage->n, sizeof(*salvage->entries), compare_positions);
		r = store_put(store, STORE_VERSION, 0, 0, &version, sizeof(version));
	}
	if (r == 0)
		r = index_build(store, &salvage->farm, salvage->entries, salvage->n);
	if (r == 0 && salvage->lossy) {
		const struct stat *st = salvage_stat(salvage->wreck);
		struct holder *witnesses = NULL;
		size_t n = 0;

		r = users_find(st, false, &witnesses, &n);
		if (r == 0)
			r = lost_begin(store, &salvage->farm, witnesses, n);
		free(witnesses);
	}
	if (r == 0)
		r = store_put(store, STORE_FARM, 0, 0, &salvage->farm, sizeof(salvage->farm));
	if (r < 0) {
		store_cancel(store);
		return r;
	}
	return store_end(store);
}

/*
 * Which time of its life begins: another than the wreck's, and than that which we knew, and who waits for the wreck
 * with us. If the wreck does not say, any other will do.
 */
static uint16_t next_generation(uint16_t found, uint16_t known)
{
	uint16_t next = (uint16_t)(found ? found + 1u : now_boottime() / 1000);

	while (next == 0 || next == known)
		next++;
	return next;
}

/* Who may use the scoreboard must be able to finish with it what we are killed in. */
static void share(struct store *store, const struct stat *st)
{
	mode_t mode = st->st_mode & 0660;

	if (store_set_owner(store, mode, st->st_uid, st->st_gid) < 0)
		(void)store_set_owner(store, mode, (uid_t)-1, st->st_gid);
}

/* Makes a whole one out of the wreck, in the folder of path and without a name. 0 and *ret_store, or -errno. */
static int make(const struct salvage *wreck, const char *path, uint16_t known, struct farm *ret, struct store **ret_store)
{
	struct score s = { .port.fd = -1, .is_draft = true };
	struct salvage salvage = {
		.wreck = wreck, .farm = { .queue_head = NONE, .queue_tail = NONE, .free_cell = NONE,
					  .granted_head = NONE, .granted_tail = NONE, .root.retry_usec = UINT64_MAX },
	};
	unsigned findings;
	int r;

	holder_self(&s.self);
	r = store_create(path, next_generation(salvage_generation(wreck), known), &s.store);
	if (r < 0)
		return r;
	share(s.store, salvage_stat(wreck));
	salvage.store = s.store;
	r = salvage_all(&salvage);
	if (r == 0)
		r = fsck_run(&s, salvage_stat(wreck), true, NULL, NULL, &findings);
	if (r == 0) {
		struct farm *farm;

		r = farm_enter(&s, &farm);
		if (r == 0) {
			*ret = *farm;
			farm_leave(&s);
		}
	}
	if (r < 0)
		(void)store_close(s.store);
	else
		*ret_store = s.store;
	free(salvage.entries);
	return r;
}

static void tell_mended(const char *path, unsigned findings)
{
	char text[1024];

	if (!on_mended || findings == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s: was damaged; mended in its place, %u finding%s", path, findings,
		       findings == 1 ? "" : "s");
	on_mended(text);
}

static void tell_rebuilt(const char *path, const char *kept, const struct farm *farm)
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path) + 1 : 0; /* length of its name, the slash included */
	char text[1024], lost[128] = "";

	if (!on_mended)
		return;
	if (farm->lost > 0)
		(void)snprintf(lost, sizeof(lost), ", slots that could not be read count as taken until %u process%s been heard of",
			       farm->lost, farm->lost == 1 ? " has" : "es have");
	(void)snprintf(text, sizeof(text),
		       "%s: was damaged; rebuilt with %u node%s, %u slot%s taken, %u waiting%s%s; kept as %.*s%s",
		       path, farm->n_nodes, farm->n_nodes == 1 ? "" : "s", farm->busy, farm->busy == 1 ? "" : "s",
		       farm->queue_length, lost, farm->incomplete ? ", nodes may be missing until the list is loaded" : "",
		       (int)folder, path, kept);
	on_mended(text);
}

static int rebuild(struct salvage *wreck, const char *path, uint16_t known)
{
	struct holder *witnesses;
	struct store *made = NULL;
	char *kept = NULL;
	struct farm farm = { 0 };
	size_t n;
	int r;

	r = make(wreck, path, known, &farm, &made);
	if (r == 0)
		r = salvage_keep(wreck, &kept);
	if (r == 0)
		r = salvage_replace(wreck, made);
	(void)store_close(made);
	/* Those whose place in the queue was lost sleep, and nobody knows their names. */
	if (r == 0 && users_find(salvage_stat(wreck), true, &witnesses, &n) == 0)
		free(witnesses);
	if (r == 0)
		tell_rebuilt(path, kept, &farm);
	free(kept);
	return r;
}

int mend_rebuild(const char *path, uint16_t known)
{
	struct salvage *wreck;
	uint16_t generation;
	int r = salvage_open(path, &wreck);

	if (r < 0)
		return r == -ESTALE ? 0 : r; /* another file has taken its place meanwhile */
	generation = salvage_generation(wreck);
	r = salvage_resume(wreck);
	if (r == 1 && generation != 0 && generation != known) {
		r = 0;
	} else if (r == 1) {
		r = salvage_check(wreck);
		if (r == 0)
			r = rebuild(wreck, path, known);
	}
	(void)salvage_close(wreck);
	return r;
}

int mend(struct score *s)
{
	struct nodelist list;
	struct farm *farm;
	unsigned findings;
	bool incomplete;
	int r = fsck_run(s, NULL, true, NULL, NULL, &findings);

	if (r == 0)
		tell_mended(s->path, findings);
	else if (r == -EUCLEAN || r == -EBADMSG)
		r = mend_rebuild(s->path, store_generation(s->store));
	if (r == 0)
		r = lost_answer(s);
	if (r == 0)
		r = farm_enter_untold(s, &farm);
	if (r < 0)
		return r;
	incomplete = farm->incomplete;
	farm_leave(s);
	if (!incomplete || !s->nodes || nodelist_read(s->nodes, &list) < 0)
		return 0;
	if (list.n_errors == 0)
		(void)load_missing(s, &list); /* what cannot be loaded now the next who has the list loads */
	nodelist_clear(&list);
	return 0;
}

int score_fsck(struct score *s, bool repair, void (*tell)(const char *finding, void *arg), void *arg,
	       unsigned *ret_findings)
{
	int r = fsck_run(s, NULL, repair, tell, arg, ret_findings);

	if (repair && (r == -EUCLEAN || r == -EBADMSG))
		r = mend(s);
	else if (repair && r == 0)
		r = lost_answer(s);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fsck.c: draws the farm into the scoreboard itself, in a transaction. Every
 * record that changes by that was not as it must be. To repair, the transaction is
 * committed.
 *
 * A call that only looks does the same to a copy, because no other process can do
 * anything while a transaction is open: 60 to 200 ms in a farm of 10,000 nodes. A
 * repair works on the scoreboard itself: something is wrong there, and other
 * processes would meet it meanwhile.
 */

#include "fsck.h"

#include <errno.h>
#include <stdlib.h>

#include "draft.h"
#include "farm/claim.h"
#include "store/file.h"
#include "store/store.h"
#include "users.h"

static void changed(enum store_kind kind, uint32_t a, uint32_t b, void *arg)
{
	char name[KEY_MAX];
	size_t length = key_write(name, kind, a, b);

	draft_found(arg, "%.*s: the record is not what follows from the others", (int)length, name);
}

/* Looks at everything once, and repairs it if asked to. 0, or -errno. */
static int look(struct store *store, struct draft *draft)
{
	bool is_false;
	int r;

	/* A transaction keeps all other processes out as a section does, and can repair. */
	r = store_begin_repair(store, &is_false);
	if (r < 0)
		return r;
	if (draft->lose_all && store_is_adopted(store)) { /* another process has done it */
		store_cancel(store);
		return 0;
	}
	if (is_false)
		draft_found(draft, "intent: a change is left over that cannot be made");
	r = store_check(store);
	if (r < 0)
		draft_found(draft, "the file itself is damaged");
	store_watch(store, changed, draft);
	if (r == 0)
		r = file_stat(store_file(store), &draft->file) ?: draft_draw(draft);
	if (r == 0 && is_false)
		r = store_forget(store);
	if (r == 0 && draft->lose_all)
		r = store_renew_life(store);
	store_watch(store, NULL, NULL);
	if (r == 0 && draft->repair && (draft->findings > 0 || draft->lose_all))
		return store_end(store);
	store_cancel(store);
	return r;
}

/* Gives waiters the slots that have appeared, and asks all processes to look at their slots and tickets. */
static int tell_others(struct score *s, const struct draft *draft)
{
	struct farm *farm;
	int r = farm_enter_untold(s, &farm);

	if (r < 0)
		return r;
	r = claim_dispatch(s, farm);
	farm_leave(s);
	if (r == 0 && draft->lost)
		users_wake(&draft->file, &store_file(s->store)->folder, s->path);
	return r;
}

int fsck_run(struct score *s, bool repair, void (*tell)(const char *finding, void *arg), void *arg,
	     unsigned *ret_findings)
{
	struct draft draft = {
		.from = s->store, .to = s->store, .path = s->path, .repair = repair, .tell = tell, .arg = arg,
	};
	int r = look(s->store, &draft);

	*ret_findings = draft.findings;
	return r < 0 || !repair || draft.findings == 0 ? r : tell_others(s, &draft);
}

int fsck_look(struct score *s, void (*tell)(const char *finding, void *arg), void *arg, unsigned *ret_findings)
{
	struct draft draft = { .path = s->path, .tell = tell, .arg = arg };
	struct store *copy;
	int r = store_copy(s->store, &copy);

	if (r < 0)
		return r;
	draft.from = draft.to = copy;
	r = look(copy, &draft);
	(void)store_close(copy);
	*ret_findings = draft.findings;
	return r;
}

int fsck_take_over(struct score *s, uint32_t *ret_asked)
{
	struct draft draft = { .from = s->store, .to = s->store, .path = s->path, .repair = true, .lose_all = true };
	int r;

	store_adopting(s->store, true);
	r = look(s->store, &draft);
	store_adopting(s->store, false);
	*ret_asked = draft.farm.lost;
	if (r < 0)
		return r;
	s->told = s->settled = 0;
	store_adopt(s->store);
	return draft.lost ? tell_others(s, &draft) : 0;
}

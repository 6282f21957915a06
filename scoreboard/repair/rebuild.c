/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * rebuild.c: makes a new scoreboard of what can be read of the damaged one. The
 * numbers stay: nodes keep their ids, slots and cells their places, so that
 * processes that hold or wait go on with what they have in hand. What follows
 * from the rest is drawn up anew (draft.h). For what cannot be believed see
 * lost.h.
 *
 * The new file gets the damaged file's name by rename(2), while this process has
 * all locks of the damaged file: so at every moment there is a single file that
 * is the scoreboard, whole or damaged. Each process that gets a lock of the
 * damaged file from then on sees that the file has no name any more, and goes
 * over to the new file. tests/model/replace.pml is a model of that.
 *
 * All processes wait while the new file is made: some 400 ms of a processor's time
 * in a farm of 10,000 nodes, and 40 ms in a farm of 100, most of these to find the
 * file's users. What a process changed in the damaged file meanwhile would be missing
 * in the new file, and with it a slot that is taken. A file is rebuilt once at most.
 * What can be done afterwards is done then: the copy that is kept, and the search
 * for processes to wake.
 *
 * A file that was removed while processes have it open is put back in the same
 * way, by link(2), from the file that these processes have open: so no process
 * loses its slot.
 */

#include "rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "draft.h"
#include "farm/load.h"
#include "fsck.h"
#include "lost.h"
#include "scoreboard.h" /* score_follow(), score_fsck() and score_on_repair() are here */
#include "store/file.h"
#include "store/page.h"
#include "store/salvage.h"
#include "store/version.h"
#include "system/folder.h"
#include "upgrade.h"
#include "users.h"

#define TRIES_MAX 10u /* attempts to find the file that was removed last */
#define AWAIT_USEC 1500000u /* longer than the listener and the guard take to find that the file was removed */
#define AWAIT_LOOKS 150u

static void (*on_repair)(const char *what);

void score_on_repair(void (*fn)(const char *what))
{
	on_repair = fn;
}

static void tell_repaired(const char *path, unsigned findings)
{
	char text[1024];

	if (!on_repair || findings == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s: was damaged; repaired in place, %u finding%s", path, findings,
		       findings == 1 ? "" : "s");
	on_repair(text);
}

/* Why a new file is made of the records of another. */
enum why {
	WHY_DAMAGED,
	WHY_REMOVED,   /* it was removed while processes have it open */
	WHY_OUTDATED,  /* the file that had taken its place was removed: what it says of slots is of an earlier time */
	WHY_EARLIER,   /* an earlier version made it */
};

static const char *const whys[] = {
	[WHY_DAMAGED] = "damaged; rebuilt",
	[WHY_REMOVED] = "removed while it was in use; put back",
	[WHY_OUTDATED] = "removed while it was in use; put back",
	[WHY_EARLIER] = "made by an earlier version; upgraded",
};

/* Tells that the scoreboard was made anew. kept: the name of the copy that was kept of a damaged file, or NULL. */
static void tell_rebuilt(const char *path, enum why why, const char *kept, const struct farm *farm)
{
	const char *slash = strrchr(path, '/');
	int length = slash ? (int)(slash - path) + 1 : 0; /* of its folder's name, the slash included */
	char text[1024], lost[128] = "";

	if (!on_repair)
		return;
	if (farm->lost > 0)
		(void)snprintf(lost, sizeof(lost), ", slots that could not be read count as taken until %u process%s been heard of",
			       farm->lost, farm->lost == 1 ? " has" : "es have");
	(void)snprintf(text, sizeof(text), "%s: was %s with %u node%s, %u slot%s taken, %u waiting%s%s%s%.*s%s", path,
		       whys[why], farm->n_nodes,
		       farm->n_nodes == 1 ? "" : "s", farm->busy, farm->busy == 1 ? "" : "s", farm->queue_length, lost,
		       farm->incomplete ? ", nodes may be missing until the list is loaded" : "",
		       kept ? "; kept as " : "", kept ? length : 0, path, kept ? kept : "");
	on_repair(text);
}

/* Gives the new file the old file's mode, owner and group: all users of the old file must be able to use the new. */
static void share(struct store *store, const struct stat *st)
{
	mode_t mode = st->st_mode & 0660;

	if (file_set_owner(store_file(store), mode, st->st_uid, st->st_gid) < 0)
		(void)file_set_owner(store_file(store), mode, (uid_t)-1, st->st_gid);
}

/* Makes a whole scoreboard of the salvaged records, without a name. 0, *ret_farm and *ret, or -errno. */
static int make(const struct salvage *salvage, const struct folder *folder, const char *path, enum why why,
		struct farm *ret_farm, struct store **ret)
{
	struct version version = version_current();
	struct draft draft = {
		.from = salvage_store(salvage), .file = *salvage_stat(salvage), .path = path, .rebuild = true, .repair = true,
		.lose_all = why == WHY_OUTDATED || salvage_is_earlier(salvage),
	};
	int r = folder_welcomes(folder); /* else no process would believe the new file, and the old one would be gone */

	if (r == 0)
		r = store_create(folder, salvage_sequence(salvage), &draft.to);
	if (r < 0)
		return r;
	share(draft.to, salvage_stat(salvage));
	r = store_begin(draft.to) ?:
	    draft_draw(&draft) ?:
	    store_put(draft.to, STORE_VERSION, 0, 0, &version, sizeof(version)) ?:
	    store_end(draft.to);
	*ret_farm = draft.farm;
	if (r < 0)
		(void)store_close(draft.to);
	else
		*ret = draft.to;
	return r;
}

/* Makes the new file and puts it where the old one is, or was. 0; -EEXIST: there is another by now; or -errno. */
static int put(struct salvage *salvage, const struct folder *folder, const char *path, enum why why)
{
	struct store *made = NULL;
	char *kept = NULL;
	struct farm farm;
	int r = make(salvage, folder, path, why, &farm, &made) ?:
		file_publish(store_file(made), why != WHY_REMOVED && why != WHY_OUTDATED);

	if (r == 0)
		salvage_retire(salvage);
	(void)store_close(made);
	/* Processes that lost their place in the queue sleep, and the queue does not name their ports any more. */
	if (r == 0)
		users_wake(salvage_stat(salvage), folder, path);
	/* Where there is no room for a copy of the damaged file, none is kept. */
	if (r == 0 && why == WHY_DAMAGED)
		(void)salvage_keep(salvage, &kept);
	if (r == 0)
		tell_rebuilt(path, why, kept, &farm);
	free(kept);
	return r;
}

/* Whether another file lost the name path after this file did. *ret_fd has that file open then. */
static bool is_outdated(const struct stat *file, const struct folder *folder, const char *path, int *ret_fd)
{
	char link[USERS_LINK_MAX];
	struct stat last;

	if (users_removed(folder, path, &last, link) < 0 || is_same_file(&last, file))
		return false;
	*ret_fd = open(link, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return *ret_fd >= 0;
}

/*
 * Relays and listeners hide from processes of their user which files they have open. One of them that has a removed
 * scoreboard open puts it back when it is asked what it holds; the listener and the guard of the queue do so by
 * themselves within a second. 0: a file has the name again; -EBUSY: none has it yet.
 */
static int await_put_back(const struct folder *folder, const char *path)
{
	const struct timespec pause = { .tv_nsec = (long)(AWAIT_USEC * 1000 / AWAIT_LOOKS) };
	struct stat st;

	users_wake(NULL, folder, path);
	for (unsigned looks = 0; looks < AWAIT_LOOKS; looks++) {
		(void)nanosleep(&pause, NULL);
		if (fstatat(folder->fd, folder->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	}
	return -EBUSY;
}

/* As rebuild(). -EAGAIN: *ret_fd is to be tried instead. */
static int try(const struct folder *folder, int fd, const char *path, int *ret_fd)
{
	const struct stat *old;
	struct salvage *salvage;
	bool removed;
	struct stat st;
	int r = salvage_open(folder, fd, true, &salvage);
	bool retired = r == 1;

	if (r < 0)
		return r;
	old = salvage_stat(salvage);
	r = 0;
	removed = fstatat(folder->fd, folder->name, &st, AT_SYMLINK_NOFOLLOW) < 0;
	if (removed && errno != ENOENT)
		r = -errno;
	else if (removed && is_outdated(old, folder, path, ret_fd))
		r = -EAGAIN;
	else if (removed && retired && await_put_back(folder, path) == 0)
		r = 0;
	else if (removed || is_same_file(&st, old))
		r = salvage_check(salvage) ?:
		    put(salvage, folder, path, !removed ? WHY_DAMAGED : retired ? WHY_OUTDATED : WHY_REMOVED);
	else
		salvage_retire(salvage); /* the process that gave the name to another file may have died before it did */
	(void)salvage_close(salvage);
	return r == -EEXIST ? 0 : r;
}

int rebuild(const struct folder *folder, int fd, const char *path)
{
	int r;

	for (unsigned tries = 0; (r = try(folder, fd, path, &fd)) == -EAGAIN; tries++)
		if (tries == TRIES_MAX) {
			(void)close(fd);
			break;
		}
	return r;
}

int rebuild_upgraded(const struct folder *folder, const char *path)
{
	struct salvage *salvage;
	struct stat st;
	int r = salvage_open(folder, -1, true, &salvage);

	if (r < 0)
		return r;
	/* 1, or another file has the name: another process has upgraded it. */
	if (r == 0 && fstatat(folder->fd, folder->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is_same_file(&st, salvage_stat(salvage))) {
		uint32_t format = salvage_format(salvage);

		if (format == 0)
			r = salvage_check(salvage);
		else if (format < SCORE_FORMAT_BOOTTIME)
			r = upgrade_times(salvage_store(salvage));
		if (r == 0 && format > 0)
			r = put(salvage, folder, path, WHY_EARLIER);
	}
	(void)salvage_close(salvage);
	return r > 0 ? 0 : r;
}

int rebuild_removed(const struct folder *folder, const char *path)
{
	char link[USERS_LINK_MAX];
	struct stat last;
	int r = users_removed(folder, path, &last, link), fd;

	if (r == -EBUSY || (r == -EACCES && page_exists(folder)))
		return await_put_back(folder, path);
	if (r < 0)
		return r;
	fd = open(link, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : rebuild(folder, fd, path);
}

/* Rebuilds from the file that this process has open: the file is damaged, or is not the scoreboard any more. If it
 * could not even be opened anew, rebuilds from the file that has the name. */
static int rebuild_own(struct score *s)
{
	int fd = file_fd(store_file(s->store)), r;

	if (s->leaves_repair)
		return -EUCLEAN;
	if (fd >= 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	r = rebuild(&store_file(s->store)->folder, fd, s->path);
	return r < 0 ? r : file_reopen(store_file(s->store));
}

int rebuild_unheard(struct score *s)
{
	char text[1024];
	uint32_t asked;
	int r = fsck_take_over(s, &asked);

	if (r == 0 && asked > 1 && on_repair) {
		(void)snprintf(text, sizeof(text), "%s: was replaced while it was in use; its slots count as taken until "
			       "%u processes have been heard of", s->path, asked);
		on_repair(text);
	}
	return r;
}

/*
 * A stranger has put another scoreboard into the place of this scoreboard, or has
 * copied it over this scoreboard: that of another farm, a new one, or an earlier copy.
 * The stranger's is the scoreboard from now on. What it says of slots is not true, so
 * all its slots count as taken until each process has said which it holds.
 */
static int take_over(struct score *s)
{
	int r = file_has_name(store_file(s->store));

	if (r <= 0) /* this process still has the former file open */
		return r < 0 ? r : file_reopen(store_file(s->store));
	r = rebuild_unheard(s);
	return r == -EUCLEAN ? rebuild_own(s) : r; /* it is damaged, too */
}

/* Whether a section can be entered: 0, or -errno as fsck_run(). */
static int enter_once(struct score *s)
{
	struct farm *farm;
	int r = farm_enter_untold(s, &farm);

	if (r == 0)
		farm_leave(s);
	return r;
}

int score_follow(struct score *s)
{
	int r = file_has_name(store_file(s->store));

	if (r == 1 || (r < 0 && r != -ENOENT))
		return r < 0 ? r : 0;
	/* If another process of the farm has put a file into its place, a section goes over to that file. */
	r = enter_once(s);
	if (r == 0 && file_has_name(store_file(s->store)) != 1) {
		r = rebuild_own(s); /* no file has the name, or a stranger's file has it */
		if (r == 0)
			r = enter_once(s);
	}
	return r < 0 && r != -EINTR ? repair_now(s) : r;
}

/* Loads the nodes that were lost. If that fails, the next process that has the list loads them. */
static void load_lost_nodes(struct score *s)
{
	struct nodelist list;

	if (!s->nodes || nodelist_read(s->nodes, &list) < 0)
		return;
	if (list.n_errors == 0)
		(void)load_missing(s, &list);
	nodelist_clear(&list);
}

int repair_now(struct score *s)
{
	struct farm *farm;
	unsigned findings = 0;
	bool incomplete;
	int r = s->leaves_repair ? enter_once(s) : fsck_run(s, true, NULL, NULL, &findings);

	if (r == 0)
		tell_repaired(s->path, findings);
	else if (r == -EREMCHG)
		r = take_over(s);
	else if (r == -EUCLEAN || r == -EBADMSG || r == -EIDRM)
		r = rebuild_own(s);
	if (r == 0)
		r = lost_answer(s) ?: farm_enter_untold(s, &farm);
	if (r < 0)
		return r;
	incomplete = farm->incomplete;
	farm_leave(s);
	if (incomplete && !s->leaves_repair)
		load_lost_nodes(s);
	return 0;
}

int score_fsck(struct score *s, bool repair, void (*tell)(const char *finding, void *arg), void *arg,
	       unsigned *ret_findings)
{
	int r = fsck_look(s, repair ? NULL : tell, arg, ret_findings);
	bool whole = r == 0 && *ret_findings == 0;

	/* What stands in the way of a copy says nothing of the scoreboard. */
	if (repair ? !whole : r < 0 && r != -EUCLEAN && r != -EIDRM && r != -EREMCHG)
		r = fsck_run(s, repair, tell, arg, ret_findings);
	if (r == -EIDRM || r == -EREMCHG || (repair && (r == -EUCLEAN || r == -EBADMSG)))
		r = repair_now(s);
	else if (repair && r == 0)
		r = lost_answer(s);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * open.c: finds, makes, opens and closes a scoreboard.
 *
 * A scoreboard is made without a name and gets its name by linkat(2) when it is
 * complete. So no process ever sees half of a scoreboard. Of several processes
 * that try at once, one wins and the others use what that process made.
 */

#include "scoreboard.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "farm/section.h"
#include "farm/load.h"
#include "repair/lost.h"
#include "repair/rebuild.h"
#include "farm/attempt.h"
#include "records/origin.h"
#include "store/file.h"
#include "store/page.h"
#include "store/store.h"
#include "store/version.h"
#include "store/salvage.h"
#include "system/folder.h"

#define TRIES_MAX 32u /* the scoreboard may be damaged, or replaced, again meanwhile */

static const char *owner = "corebalance"; /* a scoreboard that root makes has this user's group */

static const char *path_of_environment(void)
{
	const char *path = secure_getenv("COREBALANCE_SCOREBOARD");

	return path && *path ? path : NULL;
}

bool score_path_is_set(void)
{
	return path_of_environment() != NULL;
}

const char *score_default_path(void)
{
	const char *path = path_of_environment();

	return path ? path : SCORE_DEFAULT_PATH;
}

int score_stat(const struct score *s, struct stat *ret)
{
	return file_stat(store_file(s->store), ret);
}

int score_exists(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

/* Stages that the farm's lease is over, if it has one: it is of another boot, and says nothing by the clock of this one. 0 or
 * -errno. */
static int end_lease(struct store *store)
{
	struct farm *farm;
	int r = STORE_GET(store, STORE_FARM, 0, 0, &farm);

	if (r < 0 || farm->lease_usec == 0)
		return r;
	farm->lease_usec = FARM_LEASE_OVER;
	store_touch(store, &farm->lease_usec, sizeof(farm->lease_usec));
	return 0;
}

/*
 * Whether the processes of the scoreboard are where this process is. After a boot none of them runs, and the first to
 * come says where the farm is. In a section.
 */
static int check_surroundings(struct store *store)
{
	struct surroundings here;
	struct origin *origin;
	int r = STORE_GET(store, STORE_ORIGIN, 0, 0, &origin);

	if (r < 0)
		return r;
	surroundings_self(&here);
	if (!boots_differ(origin->surroundings.boot, here.boot))
		return surroundings_agree(&origin->surroundings, &here) ? 0 : -EREMOTE;
	r = end_lease(store);
	if (r < 0)
		return r;
	store_touch(store, &origin->surroundings, sizeof(origin->surroundings));
	origin->surroundings = here;
	return store_commit(store);
}

/* Whether the file is a scoreboard of ours, and all nodes are in it: 0, 1 not all, or -errno. *ret_lost: whether slots are
 * lost. */
static int check(struct store *store, bool *ret_lost)
{
	struct version version;
	struct farm farm;
	int r = store_lock(store);

	if (r < 0)
		return r;
	r = store_read(store, STORE_VERSION, 0, 0, &version, sizeof(version)) ?:
	    version_check(&version, sizeof(version)) ?:
	    check_surroundings(store) ?:
	    store_read(store, STORE_FARM, 0, 0, &farm, sizeof(farm));
	store_unlock(store);
	if (r == 0)
		r = farm_check(&farm);
	if (r < 0)
		return r;
	*ret_lost = farm.lost > 0;
	return farm.incomplete != 0;
}

/* Gives the port of this process its farm. 0 or -errno. */
static int name_farm(struct score *s)
{
	const struct folder *folder = &store_file(s->store)->folder;
	struct stat st;

	if (fstat(folder->fd, &st) < 0)
		return -errno;
	s->port.farm = wake_farm_of(&st, folder->name);
	return 0;
}

/* 0 and *ret; 1 the same, but nodes are missing; or -errno. */
static int open_existing(const char *path, struct score **ret)
{
	struct score *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->port.fd = -1;
	s->waits = holder_unwatched();
	s->path = strdup(path);
	holder_self(&s->self);
	r = s->path ? store_open(path, &s->store) : -ENOMEM;
	if (r == 0)
		r = name_farm(s) ?: check(s->store, &s->lost_seen);
	/* The file is another scoreboard than before: processes may hold slots of the former one. */
	for (unsigned tries = 0; r == -EREMCHG && tries < TRIES_MAX; tries++)
		r = repair_now(s) ?: check(s->store, &s->lost_seen);
	if (r < 0) {
		(void)score_close(s);
		return r;
	}
	*ret = s;
	return r;
}

void score_make_for(const char *user)
{
	owner = user;
}

/*
 * In a folder that its group may write, the scoreboard is the group's: mode 0660. A scoreboard that root makes in a
 * folder of root's is the group's, too: the group of the farm's user. Its owner stays root, because every process
 * believes root. Elsewhere a scoreboard is its owner's alone.
 */
static int set_owner(struct store *store)
{
	const struct folder *folder = &store_file(store)->folder;
	const struct passwd *user = geteuid() == 0 && folder->user == 0 && !folder->is_guest ? getpwnam(owner) : NULL;

	if (user)
		return file_set_owner(store_file(store), 0660, (uid_t)-1, user->pw_gid);
	if (folder->mode & S_IWGRP && file_set_owner(store_file(store), 0660, (uid_t)-1, folder->group) == 0)
		return 0;
	return file_set_owner(store_file(store), 0600, (uid_t)-1, (gid_t)-1); /* this process is not in that group */
}

/* Makes a complete scoreboard in the folder. It has no name yet. unheard: processes hold slots of a file that was removed. */
static int make(const struct folder *folder, const char *path, const struct nodelist *list, bool unheard, struct store **ret)
{
	struct score s = { .path = strdup(path), .port.fd = -1, .waits = holder_unwatched(), .is_draft = true };
	int r;

	holder_self(&s.self);
	r = s.path ? store_create(folder, 0, &s.store) : -ENOMEM;
	if (r < 0) {
		free(s.path);
		return r;
	}
	r = folder_welcomes(folder) ?:
	    load_format(s.store) ?:
	    attempt_load(&s, list, NULL) ?:
	    score_restore_holds(&s) ?:
	    (unheard ? rebuild_unheard(&s) : 0) ?:
	    set_owner(s.store);
	if (r < 0)
		(void)store_close(s.store);
	else
		*ret = s.store;
	free(s.path);
	return r;
}

/* Puts a scoreboard where there is none. If processes still have a removed scoreboard open, that file is put back, so
 * that their slots stay taken. */
static int create(const char *path, const struct nodelist *list)
{
	struct folder folder;
	struct store *store;
	int r = folder_open(path, &folder);

	if (r < 0)
		return r;
	r = rebuild_removed(&folder, path);
	if (r < 0) {
		/* A page shows it to the first process that opens the new file. */
		r = make(&folder, path, list, r == -EBUSY && !page_exists(&folder), &store);
		if (r == 0) {
			r = file_publish(store_file(store), false);
			(void)store_close(store);
		}
	}
	folder_close(&folder);
	return r == -EEXIST ? 0 : r;
}

/* Rebuilds a file that is damaged, or is not even a tdb file any more. 0; -ENODATA: it is to be rebuilt, and there is no
 * list; -EBADMSG: it was never a scoreboard; or -errno. */
static int rebuild_named(const char *path, const struct nodelist *list)
{
	struct salvage *salvage;
	struct folder folder;
	int r = folder_open(path, &folder);

	if (r < 0)
		return r;
	if (list) {
		r = rebuild(&folder, -1, path);
	} else {
		r = salvage_open(&folder, -1, false, &salvage);
		if (r == 0) {
			r = salvage_check(salvage) ?: -ENODATA;
			(void)salvage_close(salvage);
		}
	}
	folder_close(&folder);
	return r;
}

/* Opens the scoreboard with all nodes of the list. As score_open(), of a file that is there and whole. */
static int open_whole(const char *path, const struct nodelist *list, struct score **ret)
{
	int r = open_existing(path, ret);

	if (r != 1)
		return r;
	/* Nodes may be missing; and all processes may have been asked what they hold, this process, too. */
	r = list ? lost_answer(*ret) ?: load_missing(*ret, list) : -ENODATA;
	if (r < 0)
		*ret = score_close(*ret);
	return r;
}

int score_open(const char *path, const struct nodelist *list, struct score **ret)
{
	int r = open_whole(path, list, ret);

	if (r == -ENOENT) {
		if (!list)
			return -ENODATA;
		r = create(path, list) ?: open_whole(path, list, ret);
	}
	for (unsigned tries = 0; (r == -EUCLEAN || r == -EBADMSG) && tries < TRIES_MAX; tries++) {
		r = rebuild_named(path, list);
		if (r < 0)
			return r;
		r = open_whole(path, list, ret);
	}
	return r;
}

int score_upgrade(const char *path)
{
	struct folder folder;
	int r = folder_open(path, &folder);

	if (r < 0)
		return r;
	r = rebuild_upgraded(&folder, path);
	folder_close(&folder);
	return r;
}

int score_check_list(struct score *s, const char *path, char *text, size_t size)
{
	char known[ORIGIN_LIST_MAX + 1], *real;
	int r = load_list(s, known);

	if (r < 0 || !*known)
		return r;
	real = realpath(path, NULL);
	r = strcmp(real ? real : path, known) != 0 ? -EMEDIUMTYPE : 0;
	if (r < 0)
		(void)snprintf(text, size, "made from the node list %s, not from %s: cbscore load --adopt gives it that one", known,
			       real ? real : path);
	free(real);
	return r;
}

void score_set_nodes(struct score *s, const char *path)
{
	free(s->nodes);
	s->nodes = strdup(path); /* without it lost nodes stay missing until a process that has a list loads them */
}

void score_after_fork(struct score *s)
{
	wake_port_close(&s->port);
	s->waits = holder_unwatched();
	s->wakes.n = 0;
	s->n_held = 0;
	s->forgetful = false;
	s->leaves_repair = false;
	s->told = s->settled;
	holder_self(&s->self);
	store_after_fork(s->store, &s->self);
}

void score_leave_repair(struct score *s)
{
	s->leaves_repair = true;
}

void score_spare(struct score *s)
{
	store_spare(s->store);
}

int score_folder_fd(const struct score *s)
{
	return store_file(s->store)->folder.fd;
}

size_t score_fds(const struct score *s, int ret[static SCORE_FDS_MAX])
{
	size_t n = 0;

	if (file_fd(store_file(s->store)) >= 0)
		ret[n++] = file_fd(store_file(s->store));
	ret[n++] = store_file(s->store)->folder.fd;
	return n;
}

struct score *score_close(struct score *s)
{
	if (!s)
		return NULL;
	wake_port_close(&s->port);
	holder_watch_clear(&s->waits);
	(void)store_close(s->store);
	free(s->path);
	free(s->nodes);
	free(s->held);
	free(s);
	return NULL;
}

int score_wake_fd(struct score *s)
{
	int r = wake_port_open(&s->port);

	return r < 0 ? r : s->port.fd;
}

const char *score_strerror(int error)
{
	switch (error) {
	case -EBADMSG:
		return "not a scoreboard";
	case -EPROTO:
		return "a scoreboard of another version of corebalance; see UPGRADES in corebalance(7)";
	case -EUCLEAN:
		return "a damaged scoreboard, see cbscore fsck --repair";
	case -EDOM:
		return "all nodes together would have more than 2000000 cores";
	case -EUSERS:
		return "a farm has at most 1000000 nodes and 16777216 connections that wait";
	case -ENODATA:
		return "no scoreboard, or no node list to make it from";
	case -EKEYREJECTED:
		return "not believed: it belongs to neither root, nor this user, nor the owner of its folder";
	case -EKEYREVOKED:
		return "not believed: everybody may write it, or replace it in its folder";
	case -ENOKEY:
		return "only root and the owner of its folder can make a scoreboard there";
	case -EREMOTE:
		return "its processes run in another pid, time, network or user namespace: enter that with nsenter(1), "
		       "or use a scoreboard of your own";
	case -EMEDIUMTYPE:
		return "made from another node list";
	case -ELOOP:
		return "a symbolic link, which is not followed";
	case -EIDRM:
		return "removed while it was in use";
	case -EREMCHG:
		return "replaced by another scoreboard while it was in use";
	case -ENOLCK:
		return "another program keeps records of it locked; see Stock tools in corebalance-scoreboard(5)";
	default:
		return strerror(-error);
	}
}

bool score_file_is_wrong(int error)
{
	switch (error) {
	case -EBADMSG:
	case -EPROTO:
	case -EUCLEAN:
	case -ENODATA:
	case -EIDRM:
	case -EKEYREJECTED:
	case -EKEYREVOKED:
	case -ENOKEY:
	case -ELOOP:
	case -EREMOTE:
	case -EMEDIUMTYPE:
		return true;
	default:
		return false;
	}
}

bool score_is_shortage(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -ENOLCK;
}

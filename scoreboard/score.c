/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * score.c: finds, makes, opens and closes a scoreboard.
 *
 * One is made under a name of its own and gets its real name by link(2) when
 * it is complete. So nobody ever sees half of one, and of several that try at
 * once, one wins and the others use what it made.
 */

#include "scoreboard.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "farm.h"
#include "load.h"
#include "queue.h"
#include "store.h"
#include "version.h"

#define OWNER "corebalance" /* user and group of a scoreboard that root makes */

const struct holder *score_self(struct score *s)
{
	if (s->self.pid == 0)
		holder_self(&s->self);
	return &s->self;
}

int farm_check(const struct farm *farm)
{
	return farm->n_nodes > NODES_MAX || farm->cells > QUEUE_CELLS_MAX || farm->cells % CELLS_PER_PAGE != 0 ||
	       farm->queue_length > farm->cells ? -EUCLEAN : 0;
}

int farm_enter(struct score *s, struct farm **ret)
{
	void *farm;
	int r = store_lock(s->store);

	if (r < 0)
		return r;
	r = store_get(s->store, STORE_FARM, 0, 0, sizeof(**ret), &farm, NULL);
	if (r == 0)
		r = farm_check(farm);
	if (r < 0) {
		store_unlock(s->store);
		return r == -ENOENT ? -EUCLEAN : r;
	}
	*ret = farm;
	return 0;
}

void farm_leave(struct score *s)
{
	store_unlock(s->store);
	wake_list_send(&s->wakes, &s->port);
}

const char *score_default_path(void)
{
	const char *path = secure_getenv("COREBALANCE_SCOREBOARD");

	return path && *path ? path : SCORE_DEFAULT_PATH;
}

int score_exists(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int check_version(struct store *store)
{
	const struct version now = version_current();
	struct version version;
	int r = store_lock(store);

	if (r < 0)
		return r == -EUCLEAN ? -EBADMSG : r;
	r = store_read(store, STORE_VERSION, 0, 0, &version, sizeof(version));
	store_unlock(store);
	if (r < 0)
		return -EBADMSG;
	if (memcmp(version.magic, now.magic, sizeof(version.magic)) != 0)
		return -EBADMSG;
	return version.format == now.format && version.word == now.word ? 0 : -EPROTO;
}

static int open_existing(const char *path, struct score **ret)
{
	struct score *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->port.fd = -1;
	r = store_open(path, &s->store);
	if (r == 0)
		r = check_version(s->store);
	if (r < 0) {
		(void)score_close(s);
		return r;
	}
	(void)score_self(s); /* now, and not in each process forked later */
	*ret = s;
	return 0;
}

/* The group may change it, others may not even read who is connected. */
static int set_owner(struct store *store)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(OWNER) : NULL;

	return store_set_owner(store, 0660, user ? user->pw_uid : (uid_t)-1, user ? user->pw_gid : (gid_t)-1);
}

/* A complete scoreboard at path, known to nobody yet. */
static int make(const char *path, const struct nodelist *list)
{
	struct score s = { .port.fd = -1 };
	int r;

	r = store_create(path, &s.store);
	if (r < 0)
		return r;
	r = load_format(s.store);
	if (r == 0)
		r = score_load(&s, list, NULL);
	if (r == 0)
		r = set_owner(s.store);
	(void)store_close(s.store);
	return r;
}

static int create(const char *path, const struct nodelist *list)
{
	char *temporary;
	int r;

	if (asprintf(&temporary, "%s.%ld.new", path, (long)getpid()) < 0)
		return -ENOMEM;
	(void)unlink(temporary); /* of a process that had our pid and was killed here */
	r = make(temporary, list);
	if (r == 0 && link(temporary, path) < 0 && errno != EEXIST)
		r = -errno;
	(void)unlink(temporary);
	free(temporary);
	return r;
}

int score_open(const char *path, const struct nodelist *list, struct score **ret)
{
	int r = open_existing(path, ret);

	if (r != -ENOENT)
		return r;
	if (!list)
		return -ENODATA;
	r = create(path, list);
	return r < 0 ? r : open_existing(path, ret);
}

int score_after_fork(struct score *s)
{
	wake_port_close(&s->port);
	s->wakes.n = 0;
	holder_self(&s->self);
	return 0;
}

int score_fd(const struct score *s)
{
	return store_fd(s->store);
}

struct score *score_close(struct score *s)
{
	if (!s)
		return NULL;
	wake_port_close(&s->port);
	(void)store_close(s->store);
	free(s);
	return NULL;
}

int score_wake_fd(struct score *s)
{
	int r = wake_port_open(&s->port);

	return r < 0 ? r : s->port.fd;
}

bool score_wake_clear(struct score *s)
{
	return wake_port_clear(&s->port);
}

const char *score_strerror(int error)
{
	switch (error) {
	case -EBADMSG:
		return "not a scoreboard";
	case -EPROTO:
		return "a scoreboard of another version of corebalance";
	case -EUCLEAN:
		return "a damaged scoreboard, see cbscore fsck";
	case -ENODATA:
		return "no scoreboard, and no node list to make it from";
	default:
		return strerror(-error);
	}
}

const char *policy_to_string(enum score_policy policy)
{
	static const char *const names[POLICY_MAX_] = {
		[POLICY_FASTEST] = "fastest", [POLICY_ORDER] = "order",
		[POLICY_SPREAD] = "spread", [POLICY_ROUNDROBIN] = "roundrobin",
	};

	return policy >= 0 && policy < POLICY_MAX_ ? names[policy] : NULL;
}

enum score_policy policy_from_string(const char *name)
{
	for (enum score_policy policy = 0; policy < POLICY_MAX_; policy++)
		if (strcmp(policy_to_string(policy), name) == 0)
			return policy;
	return POLICY_INVALID_;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * privilege.c: first the folder, while this process may change it, then the user,
 * for good: the user of --user, else the prober's own user, else the scoreboard's
 * owner.
 *
 * The user is looked up, and the name service's modules are loaded, before the
 * folder is changed: inside the folder there need not be any.
 */

#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/say.h"

static int enter(const char *directory)
{
	struct addrinfo *result = NULL;
	int r;

	/* glibc loads what nsswitch.conf(5) names at the first look-up. */
	if (getaddrinfo("localhost", NULL, NULL, &result) == 0)
		freeaddrinfo(result);
	if (chroot(directory) == 0 && chdir("/") == 0)
		return 0;
	/* A path that is not a folder counts as missing. */
	r = errno == ENOTDIR ? -ENOENT : -errno;
	say(LOG_ERR, "--chroot: \"%s\": %s", directory, strerror(errno));
	return r;
}

/* name: of the user, for its other groups; NULL: there is none. */
static int become(const char *name, uid_t user, gid_t group)
{
	if ((name ? initgroups(name, group) : setgroups(1, &group)) < 0 || setgid(group) < 0 || setuid(user) < 0) {
		int r = -errno;

		say(LOG_ERR, "cannot become user %s (%u): %s", name ? name : "", user, strerror(errno));
		return r;
	}
	/* The change must be for good: if setuid(0) works, something is very wrong with this system. */
	if (user != 0 && setuid(0) == 0) {
		say(LOG_ERR, "cannot become user %s (%u): root again after it was given up", name ? name : "", user);
		return -ENOTRECOVERABLE;
	}
	return 0;
}

int privilege_check(const char *user, const char *directory)
{
	const struct passwd *found = user ? getpwnam(user) : NULL;

	if (user && !found) {
		say(LOG_ERR, "--user: \"%s\": expected the name of a user", user);
		return -ENOENT;
	}
	if (geteuid() != 0 && (directory || (found && found->pw_uid != geteuid()))) {
		say(LOG_ERR, "--%s: only root can do that", directory ? "chroot" : "user");
		return -EPERM;
	}
	return 0;
}

/* The user that root becomes without --user; NULL: the owner, which has no name. */
static const struct passwd *find_user(const struct stat *scoreboard)
{
	const struct passwd *prober = getpwnam(PRIVILEGE_PROBER);

	if (prober && prober->pw_gid == scoreboard->st_gid && scoreboard->st_mode & S_IWGRP)
		return prober;
	return getpwuid(scoreboard->st_uid);
}

int privilege_drop(const char *user, const char *directory, const struct stat *scoreboard)
{
	const struct passwd *found = user ? getpwnam(user) : find_user(scoreboard);
	uid_t uid = found ? found->pw_uid : scoreboard->st_uid;
	gid_t gid = found ? found->pw_gid : scoreboard->st_gid;
	char *name = found ? strdup(found->pw_name) : NULL;
	int r = found && !name ? -ENOMEM : 0;

	if (r == 0 && directory)
		r = enter(directory);
	if (r == 0 && geteuid() == 0 && user && !found)
		r = -ENOENT;
	if (r == 0 && geteuid() == 0 && (user || uid != 0))
		r = become(name, uid, gid);
	free(name);
	return r;
}

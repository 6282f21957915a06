/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbprobe.c: the program: options, the scoreboard, a single pass or pass after
 * pass, and the exit status.
 */

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

#include "beside.h"
#include "checks/transfers.h"
#include "event.h"
#include "list/pattern.h"
#include "notify.h"
#include "null.h"
#include "options.h"
#include "pass.h"
#include "privilege.h"
#include "quit.h"
#include "resident.h"
#include "system/say.h"
#include "scoreboard.h"
#include "service.h"
#include "trusted.h"
#include "system/inherited.h"
#include "system/log.h"
#include "system/timespan.h"

#define EXIT_OWN_FAULT 1    /* this machine's fault kept it from reaching any node */
#define DESCRIPTORS_KEPT 64 /* for all but checks */
#define EXIT_PAUSE_USEC (500 * USEC_PER_MSEC) /* so that a program that restarts cbprobe does not spin */
#define MMAP_THRESHOLD (128 * 1024) /* bytes: a larger piece of memory goes back to the kernel when it is freed */

static struct options arg;

/* Each check takes a descriptor: raises the limit as far as allowed, and lowers --jobs to fit it. */
static void limit_jobs(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur <= DESCRIPTORS_KEPT)
		arg.pass.jobs = 1;
	else if (arg.pass.jobs > limit.rlim_cur - DESCRIPTORS_KEPT)
		arg.pass.jobs = (uint32_t)(limit.rlim_cur - DESCRIPTORS_KEPT);
}

/*
 * Says what is wrong with the scoreboard, and returns the exit status for that. A scoreboard of another version is
 * ordinary while a package is upgraded: this program is that of one version, and the listener, which upgrades the
 * scoreboard, still that of the other. A scoreboard that this user may not make is made soon by a process that may, as
 * after an upgrade that had to remove it.
 */
static int complain_scoreboard(int r)
{
	say(r == -EPROTO ? LOG_NOTICE : LOG_ERR, "%s: %s", arg.farm.scoreboard, score_strerror(r));
	if (r == -EPROTO || r == -ENOKEY)
		return EX_TEMPFAIL;
	return score_file_is_wrong(r) ? EX_CONFIG : EX_OSERR;
}

static void say_error(const char *line)
{
	say(LOG_ERR, "%s", line);
}

/* Reads a node list into *ret, which the caller clears. 0, or an exit status after a message. */
static int read_nodelist(const char *path, struct nodelist *ret)
{
	int r = nodelist_read(path, ret);

	if (r < 0) {
		say(LOG_ERR, "%s: %s", path, strerror(-r));
		return r == -ENOMEM ? EX_OSERR : EX_CONFIG;
	}
	nodelist_tell_errors(ret, NODELIST_ERRORS_SHOWN, say_error);
	return ret->n_errors > 0 ? EX_CONFIG : 0;
}

static void tell(const char *what)
{
	say(LOG_WARNING, "%s", what);
}

/* Whether the farm may have that list. Only a list that the administrator named is compared, not the default list. 0,
 * or an exit status after a message. */
static int check_list(struct score *score, const char *path)
{
	char text[2 * SCORE_LIST_MAX + 128];

	if ((!arg.file && !arg.farm.nodes_given) ||
	    score_check_list(score, path, text, sizeof(text)) != -EMEDIUMTYPE)
		return 0;
	say(LOG_ERR, "%s: %s", arg.farm.scoreboard, text);
	return EX_CONFIG;
}

/* Opens the scoreboard, made from a node list if need be. 0, or an exit status after a message. */
static int open_scoreboard(const char *path, struct score **ret)
{
	struct nodelist list = { 0 };
	int status, r;

	score_on_repair(tell);
	score_on_wait(tell, NULL);
	score_defer_stop();
	if (arg.user)
		score_make_for(arg.user); /* the user that this process becomes later */
	r = score_open(arg.farm.scoreboard, NULL, ret);
	if (r != -ENODATA)
		return r < 0 ? complain_scoreboard(r) : check_list(*ret, path);
	status = read_nodelist(path, &list);
	if (status == 0) {
		r = score_open(arg.farm.scoreboard, &list, ret);
		status = r < 0 ? complain_scoreboard(r) : 0;
	}
	nodelist_clear(&list);
	return status;
}

/* Makes the farm what --file says. 0, or an exit status after a message; *ret_error: an error of the scoreboard, or 0.
 * */
static int load_file(struct score *score, int *ret_error)
{
	struct score_load_result result;
	struct nodelist list = { 0 };
	int r, status = read_nodelist(arg.file, &list);

	*ret_error = 0;
	if (arg.chroot) {
		/* A path inside --chroot means another file to other processes. */
		free(list.path);
		list.path = NULL;
	}
	if (status == 0) {
		r = score_load(score, &list, &result);
		if (r < 0) {
			*ret_error = r;
			status = complain_scoreboard(r);
		} else if (result.added + result.changed + result.draining + result.removed > 0) {
			say(LOG_NOTICE, "%s: %u added, %u changed, %u draining, %u removed, %u kept", arg.file, result.added,
			    result.changed, result.draining, result.removed, result.kept);
		}
	}
	nodelist_clear(&list);
	return status;
}

/* At SIGHUP: loads the list again. An error of the list changes nothing. */
static int reload(struct score *score)
{
	int error;

	if (load_file(score, &error) != 0 && error == 0)
		say(LOG_ERR, "%s: not loaded, the nodes stay as they are", arg.file);
	return error;
}

/* Opens all that needs the rights given up later. 0, or an exit status after a message. */
static int open_all(struct score **ret)
{
	char outside[4096];
	const char *list = arg.file ? arg.file : arg.farm.nodes;
	int r;

	if (arg.file && arg.chroot) {
		/* The path of the file outside --chroot. */
		if ((size_t)snprintf(outside, sizeof(outside), "%s/%s", arg.chroot, arg.file) >= sizeof(outside)) {
			say(LOG_ERR, "%s/%s: %s", arg.chroot, arg.file, strerror(ENAMETOOLONG));
			return EX_CONFIG;
		}
		list = outside;
	}
	r = null_setup();
	if (r < 0) {
		say(LOG_ERR, "/dev/null: %s", strerror(-r));
		return EX_OSERR;
	}
	if (arg.chroot) {
		/* The first check that needs a library says so if it is missing. */
		(void)pattern_load();
		(void)transfers_load();
	}
	r = beside_setup();
	if (r == 0 && arg.interval_usec) {
		r = service_setup();
		if (r < 0)
			say(LOG_WARNING, "$NOTIFY_SOCKET: %s, ignoring it", strerror(-r));
		r = 0;
	}
	if (r == 0 && arg.notify)
		r = notify_setup(arg.notify);
	if (r < 0) {
		say(LOG_ERR, "%s", strerror(-r));
		return EX_OSERR;
	}
	return open_scoreboard(list, ret);
}

/* The exit status for a result of privilege.h. */
static int privilege_status(int r)
{
	switch (r) {
	case 0:
		return 0;
	case -EPERM:
		return EX_NOPERM;
	case -ENOENT:
		return EX_CONFIG;
	default:
		return EX_OSERR;
	}
}

/* Gives up rights that are not needed any more, before acting upon anything that other users wrote. 0, or an exit
 * status after a message. */
static int drop(const struct score *score)
{
	struct stat scoreboard;
	int r = score_stat(score, &scoreboard);

	if (r < 0)
		return complain_scoreboard(r);
	if (arg.chroot && !arg.file)
		trusted_list(arg.farm.nodes); /* that list is outside --chroot */
	r = privilege_drop(arg.user, arg.chroot, &scoreboard);
	trusted_list(arg.file ? arg.file : arg.farm.nodes);
	return privilege_status(r);
}

/* Makes a single pass, or pass after pass. An exit status. */
static int run(struct score *score)
{
	const struct resident_options resident = { arg.interval_usec, arg.file ? reload : NULL };
	int r, status;

	r = arg.interval_usec ? resident_run(score, &arg.pass, &resident) : pass_run(score, &arg.pass);
	notify_finish();
	if (r >= 0)
		return r > 0 ? EXIT_OWN_FAULT : 0;
	status = complain_scoreboard(r);
	return status == EX_CONFIG ? EX_SOFTWARE : status; /* the scoreboard was in order when it was opened */
}

/* Commands, of --notify and of checks, find the farm that this process checks. 0 or -errno. */
static int name_farm(void)
{
	event_set_farm(farm_options_shown(&arg.farm));
	return farm_options_export(&arg.farm);
}

static void last_words(void)
{
	notify_abandon();
	service_tell("STOPPING=1");
}

int main(int argc, char *argv[])
{
	const struct timespec pause = { .tv_nsec = EXIT_PAUSE_USEC * 1000 };
	struct score *score = NULL;
	int status, error;

	if (inherited_settle(0) < 0)
		return EX_OSERR; /* there is no descriptor for a message */
	/* Else the allocator raises this by itself, and the memory of a large farm's lists stays after they are freed. */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	error = options_parse(argc, argv, &arg);
	if (error != 0)
		return error > 0 ? EX_OK : error == -EIO ? EX_OSERR : EX_USAGE;
	log_setup("cbprobe");
	log_by_stderr();
	if (!arg.interval_usec)
		log_wait_for_reader();
	quit_setup(last_words, arg.interval_usec > 0);
	limit_jobs();
	if (name_farm() < 0)
		return EX_OSERR;
	status = privilege_status(privilege_check(arg.user, arg.chroot));
	if (status == 0)
		status = open_all(&score);
	if (status == 0)
		status = drop(score);
	/* By the name of its wake port other processes know to which farm this process belongs, also if they may not see its
	 * descriptors. */
	if (status == 0)
		(void)score_wake_fd(score);
	if (status == 0 && arg.file)
		status = load_file(score, &error);
	if (status == 0)
		score_set_nodes(score, arg.file ? arg.file : arg.farm.nodes);
	if (status == 0)
		status = run(score);
	(void)score_close(score);
	if (status != 0 && arg.interval_usec)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	return status;
}

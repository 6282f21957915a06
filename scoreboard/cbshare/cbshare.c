/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbshare.c: the program: options, the scoreboard, the engine, the gateway, and the
 * exit status.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <systemd/sd-id128.h>

#include "deadhand.h"
#include "etcd.h"
#include "farm.h"
#include "fence.h"
#include "login.h"
#include "loop.h"
#include "options.h"
#include "system/folder.h"
#include "system/inherited.h"
#include "system/log.h"
#include "system/say.h"
#include "system/timespan.h"

/* Of which machine and of which scoreboard a gateway is. */
#define IDENTITY_MAX (SD_ID128_STRING_MAX + 4096)

static struct options arg;

static void say_error(const char *line)
{
	say(LOG_ERR, "%s", line);
}

static void say_warning(const char *line)
{
	say(LOG_WARNING, "%s", line);
}

/* Opens the scoreboard, made from a node list if need be. 0, or an exit status after a message. */
static int open_scoreboard(struct score **ret)
{
	struct nodelist list = { 0 };
	int r;

	score_on_repair(say_warning);
	score_on_wait(say_warning, NULL);
	r = score_open(arg.farm.scoreboard, NULL, ret);
	if (r == -ENODATA) {
		r = nodelist_read(arg.farm.nodes, &list);
		if (r < 0)
			say(LOG_ERR, "%s: %s", arg.farm.nodes, strerror(-r));
		nodelist_tell_errors(&list, NODELIST_ERRORS_SHOWN, say_error);
		if (r < 0 || list.n_errors > 0) {
			nodelist_clear(&list);
			return EX_CONFIG;
		}
		r = score_open(arg.farm.scoreboard, &list, ret);
		nodelist_clear(&list);
	}
	if (r == 0) {
		score_set_nodes(*ret, arg.farm.nodes);
		return 0;
	}
	say(LOG_ERR, "%s: %s", arg.farm.scoreboard, score_strerror(r));
	return r == -EPROTO ? EX_TEMPFAIL : score_file_is_wrong(r) ? EX_CONFIG : EX_OSERR;
}

/* Opens a file, which is made if need be, with the rights of the owner of its folder. A descriptor, or -errno. */
static int open_as_owner(const char *path)
{
	struct folder folder;
	struct folder_stay stay;
	int fd, r = folder_open(path, &folder);

	if (r < 0)
		return r;
	r = folder_enter(&folder, &stay);
	if (r == 0) {
		fd = openat(folder.fd, folder.name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0660);
		r = fd < 0 ? -errno : fd;
		folder_leave(&stay);
	}
	folder_close(&folder);
	return r;
}

/*
 * Sees to it that no other cbshare runs for the scoreboard: each of two would raise limits that the other has lowered to give
 * cores away. The lock is this process's alone, until it ends: the process that watches the lease does not have it. The file
 * has no other use, as a process loses such a lock when it closes any descriptor of the file. 0, or an exit status after a
 * message.
 */
static int be_the_only_one(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = NULL;
	int fd, status = EX_OSERR;

	fd = asprintf(&path, "%s.cbshare", arg.farm.scoreboard) < 0 ? -ENOMEM : open_as_owner(path);
	if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0) {
		status = 0;
	} else if (fd >= 0 && (errno == EAGAIN || errno == EACCES)) {
		say(LOG_ERR, "%s: another cbshare runs for it", arg.farm.scoreboard);
		status = EX_TEMPFAIL;
	} else {
		say(LOG_ERR, "%s: %s", path ?: arg.farm.scoreboard, strerror(fd < 0 ? -fd : errno));
	}
	free(path);
	return status; /* the descriptor stays open */
}

/* The cores of a farm have one divider only. 0, or an exit status after a message. */
static int check_split(struct score *score)
{
	struct score_totals totals;
	int r = score_totals(score, &totals);

	if (r < 0) {
		say(LOG_ERR, "%s: %s", arg.farm.scoreboard, score_strerror(r));
		return EX_OSERR;
	}
	if (totals.split.part == 0)
		return 0;
	say(LOG_ERR, "%s: its cores are divided by cbscore share; cbscore share none ends that", arg.farm.scoreboard);
	return EX_CONFIG;
}

/* In place of the ids themselves, which are not to be told on a network. */
static const sd_id128_t of_cbshare = { .bytes = { 0x5b, 0x0a, 0x5c, 0x62, 0x9d, 0x77, 0x4d, 0x19, 0x92, 0x3f, 0x66, 0x1e, 0x0c, 0x8e,
						  0x27, 0xb4 } };

/* The identity is the same after a restart of this program; another for each machine, and for each scoreboard of a machine.
 * Where there is no machine id, the boot's does. The boot tells two machines apart of which one is a copy of the other's disk. */
static void identify(char text[static IDENTITY_MAX], char boot_text[static SD_ID128_STRING_MAX])
{
	char *path = realpath(arg.farm.scoreboard, NULL), id[SD_ID128_STRING_MAX];
	sd_id128_t machine, boot;

	*boot_text = '\0';
	if (sd_id128_get_boot_app_specific(of_cbshare, &boot) < 0)
		boot = SD_ID128_NULL;
	else
		(void)sd_id128_to_string(boot, boot_text);
	if (sd_id128_get_machine_app_specific(of_cbshare, &machine) < 0)
		machine = boot;
	(void)snprintf(text, IDENTITY_MAX, "%s:%s", sd_id128_to_string(machine, id), path ?: arg.farm.scoreboard);
	free(path);
}

/* 0, or an exit status after a message. */
static int open_engine(struct login *login, struct engine **ret)
{
	char why[LOGIN_TEXT_MAX];
	int r, timeout_msec = (int)(arg.lease_usec / 4 / USEC_PER_MSEC);

	if (arg.login && login_read(arg.login, login, why, sizeof(why)) < 0) {
		say(LOG_ERR, "%s", why);
		return EX_CONFIG;
	}
	r = etcd_open(arg.members, &login->etcd, timeout_msec, ret);
	if (r < 0) {
		say(LOG_ERR, "%s", strerror(-r));
		return EX_OSERR;
	}
	return 0;
}

static int open_gateway(struct engine *engine, const struct gateway_farm *farm, struct gateway **ret)
{
	static const struct gateway_hooks with_command = { .told = loop_told, .fence = loop_fence };
	static const struct gateway_hooks without = { .told = loop_told };
	char prefix[FARM_NAME_MAX + 32], identity[IDENTITY_MAX], boot[SD_ID128_STRING_MAX];
	const struct gateway_settings settings = {
		.prefix = prefix,
		.name = arg.name,
		.identity = identity,
		.boot = boot,
		.lease_usec = arg.lease_usec,
		.margin_usec = arg.margin_usec,
		.fence_wait_usec = arg.fence_wait_usec,
	};
	int r = farm_options_export(&arg.farm); /* for the command of a fence */

	identify(identity, boot);
	(void)snprintf(prefix, sizeof(prefix), "/corebalance/%s/", farm_options_shown(&arg.farm));
	if (arg.fence)
		fence_setup(arg.fence);
	if (r == 0)
		r = gateway_new(&settings, engine, farm, arg.fence ? &with_command : &without, ret);
	if (r == 0)
		return 0;
	say(LOG_ERR, "%s", strerror(-r));
	return EX_OSERR;
}

/* An exit status. */
static int run(struct score *score)
{
	struct loop_setup setup = { .score = score, .scoreboard = arg.farm.scoreboard };
	struct login login = { .text = "" };
	struct farm_view *view = NULL;
	struct gateway_farm farm;
	int status = open_engine(&login, &setup.engine), r;

	if (status == 0 && farm_view_new(score, &view, &farm) < 0)
		status = EX_OSERR;
	if (status == 0)
		status = open_gateway(setup.engine, &farm, &setup.gateway);
	if (status == 0) {
		r = deadhand_start(score);
		if (r >= 0)
			r = loop_run(&setup);
		if (r < 0) {
			say(LOG_ERR, "%s", strerror(-r));
			status = EX_OSERR;
		}
	}
	if (setup.engine)
		setup.engine->calls->close(setup.engine);
	if (setup.gateway)
		gateway_free(setup.gateway);
	farm_view_free(view);
	return status;
}

int main(int argc, char *argv[])
{
	struct score *score = NULL;
	int status, error;

	if (inherited_settle(0) < 0)
		return EX_OSERR; /* there is no descriptor for a message */
	error = options_parse(argc, argv, &arg);
	if (error != 0)
		return error > 0 ? EX_OK : error == -EIO ? EX_OSERR : EX_USAGE;
	inherited_raise_descriptors(); /* each connection that is ended costs one */
	log_setup("cbshare");
	log_by_stderr();
	if (loop_block_signals() < 0)
		return EX_OSERR;
	status = open_scoreboard(&score);
	if (status == 0)
		status = be_the_only_one();
	if (status == 0)
		status = check_split(score);
	if (status == 0)
		status = run(score);
	(void)score_close(score);
	return status;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbrelay.c: the sockets that the program is given decide what it does. With a
 * connected socket the process serves that connection and ends. With listening
 * sockets the process becomes a listener. The sockets come from systemd, from
 * inetd on standard input, or from the command line.
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "confine.h"
#include "connection.h"
#include "farm.h"
#include "listener.h"
#include "system/log.h"
#include "mirror.h"
#include "options.h"
#include "report.h"
#include "sigterm.h"
#include "socket.h"
#include "sockets.h"
#include "system/inherited.h"
#include "system/timespan.h"

static int become(const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user) {
		report_message(LOG_ERR, "--user: \"%s\": expected a user that exists", name);
		return EX_USAGE;
	}
	if (initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0) {
		report_message(LOG_ERR, "--user: \"%s\": %s", name, strerror(errno));
		return EX_OSERR;
	}
	return EX_OK;
}

/* Binds this process to the same rules as a listener's relays. */
static void bind_self(const struct score *score)
{
	struct confinement *confinement = NULL;
	int r = confinement_new(score_folder_fd(score), &confinement);

	if (r == 0)
		r = confine(confinement);
	if (r < 0)
		report_message(LOG_WARNING, "cannot confine the relay: %s, ignoring it", strerror(-r));
	(void)confinement_free(confinement);
}

static void bind_listener(void)
{
	int r = confine_listener();

	if (r < 0)
		report_message(LOG_WARNING, "cannot confine the listener: %s, ignoring it", strerror(-r));
}

static int serve_one(int fd, struct score *score, const struct options *options, uint64_t started_usec)
{
	struct connection connection;

	(void)signal(SIGHUP, SIG_IGN); /* it reloads the node list: not for a single connection */
	if (sigterm_setup() < 0)
		return EX_OSERR;
	score_look_for_lost(score);
	bind_self(score);
	connection_init(&connection, fd, started_usec, NULL);
	(void)socket_prepare_once(fd);
	return connection_serve(&connection, score, &options->settings, &(struct connection_start){ .has = HAS_NOTHING });
}

static enum farm_use farm_use(const struct sockets *sockets)
{
	return sockets->connected ? FARM_OF_CONNECTION : sockets->owned ? FARM_OF_COMMAND_LINE : FARM_OF_MANAGER;
}

static int serve(const struct sockets *sockets, const struct farm *farm, const struct options *options,
		 uint64_t started_usec)
{
	struct score *score = farm->score;
	struct entrances entrances;

	if (sockets->connected)
		return serve_one(sockets->fds[0], score, options, started_usec);
	inherited_raise_descriptors(); /* each waiter costs one */
	entrances_get(sockets->fds, sockets->n, &entrances);
	mirror_tell(score, &entrances);
	bind_listener();
	if (sockets->n_waiters > 0)
		(void)score_reap(score, NULL, NULL); /* the previous listener may still stand in the queue */
	return listener_run(&(struct listener_setup){
		.fds = sockets->fds, .n_fds = sockets->n, .owned = sockets->owned, .waiters = sockets->waiters,
		.n_waiters = sockets->n_waiters, .formers = sockets->formers, .n_formers = sockets->n_formers,
		.entrances = &entrances, .score = score,
		.farm_fd = farm->alone.fd, .settings = &options->settings,
		.nodes = options->n_arguments > 1 ? NULL : options->farm.nodes,
		.wrong = farm->wrong });
}

/* Serves the farm of the options on these sockets. Returns an exit status. */
static int work(const struct sockets *sockets, struct options *options, uint64_t started_usec)
{
	struct farm farm;
	int status;

	report_set_farm(farm_is_alone(options) ? ALONE_FARM : farm_options_shown(&options->farm));
	status = farm_open(options, farm_use(sockets), &farm);
	if (status == EX_OK) {
		score_set_patience(farm.score, options->settings.patience_usec);
		status = serve(sockets, &farm, options, started_usec);
	}
	farm_close(&farm);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t started_usec = now_boottime();
	struct sockets sockets = { 0 };
	struct options options;
	const char *listen_on;
	int r, status, wrong;

	/* A listener loads its list at SIGHUP. By default the signal would end a program that is not a listener yet: it reads
	 * a list, and resolves its names, before that. */
	if (inherited_settle(SIGHUP) < 0)
		return EX_OSERR; /* there is no descriptor for a message */
	r = options_parse(argc, argv, &options);
	if (r != 0)
		return r > 0 ? EX_OK : r == -EIO ? EX_IOERR : EX_USAGE;
	(void)signal(SIGPIPE, SIG_IGN);
	log_leave_client();
	log_setup("cbrelay");

	listen_on = options.n_arguments > 0 ? options.arguments[0] : NULL;
	wrong = sockets_check(listen_on);
	status = farm_check_arguments(&options);
	if (wrong != EX_OK)
		status = wrong;
	if (status == EX_OK)
		status = sockets_find(&sockets, listen_on);
	if (status == EX_OK && options.user)
		status = become(options.user);
	if (status == EX_OK)
		status = work(&sockets, &options, started_usec);
	sockets_clear(&sockets);
	return status;
}

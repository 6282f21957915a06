/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbrelay.c: the sockets that the program is given decide what it does. With a
 * connected socket the process serves that connection and ends. With listening
 * sockets the process becomes a listener. The sockets come from systemd, from
 * inetd on standard input, or from the command line.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "confine.h"
#include "connection.h"
#include "address.h"
#include "sigterm.h"
#include "listener.h"
#include "log.h"
#include "options.h"
#include "relay.h"
#include "report.h"
#include "system/inherited.h"
#include "system/timespan.h"

#define SOCKETS_MAX RELAY_SOCKETS_MAX
#define PRIVATE_FILE "/scoreboard.tdb"

/* The sockets that this process was given. */
struct entrance {
	int fds[SOCKETS_MAX];
	size_t n;
	bool connected;        /* a single socket, connected to a client; false: all sockets listen */
	bool owned;            /* made here: they end with this process */
	struct handover *waiters; /* of the listener before; the process's own until it ends */
	size_t n_waiters;
};

/* ---- the sockets ---- */

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* 1: a stream socket that listens; 0: a connected stream socket; -ENOTSOCK or -EPROTOTYPE: neither. */
static int socket_listens(int fd)
{
	int type, listens;
	socklen_t size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	size = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
		return -errno;
	return listens != 0;
}

static int entrance_add(struct entrance *entrance, int fd)
{
	int listens = socket_listens(fd), r;

	if (listens < 0) {
		report_message(LOG_ERR, "descriptor %d: %s: expected a stream socket", fd, strerror(-listens));
		return EX_USAGE;
	}
	if (entrance->n > 0 && (entrance->connected || !listens)) {
		report_message(LOG_ERR, "descriptor %d: expected one connected socket, or listening ones only", fd);
		return EX_USAGE;
	}
	if (entrance->n == SOCKETS_MAX) {
		report_message(LOG_ERR, "descriptor %d: expected at most %d sockets", fd, SOCKETS_MAX);
		return EX_USAGE;
	}
	r = set_nonblocking(fd);
	if (r < 0) {
		report_message(LOG_ERR, "descriptor %d: %s", fd, strerror(-r));
		return EX_OSERR;
	}
	entrance->connected = !listens;
	entrance->fds[entrance->n++] = fd;
	return EX_OK;
}

static int entrance_open(struct entrance *entrance, const char *listen_on)
{
	int r = address_listen(listen_on, entrance->fds, SOCKETS_MAX);

	if (r == -EINVAL) {
		report_message(LOG_ERR, "LISTEN: \"%s\": expected [ADDR:]PORT", listen_on);
		return EX_USAGE;
	}
	if (r < 0) {
		report_message(LOG_ERR, "cannot listen on %s: %s", listen_on,
			       r == -ENXIO ? "name does not resolve" : strerror(-r));
		return EX_OSERR;
	}
	entrance->n = (size_t)r;
	entrance->owned = true;
	for (size_t i = 0; i < entrance->n; i++) {
		char text[ADDRESS_MAX];

		report_message(LOG_INFO, "listening on %s", address_local(entrance->fds[i], text));
	}
	return EX_OK;
}

/* Takes what the service manager passes: the sockets, and the waiters that the previous listener stored there. */
static int entrance_take(struct entrance *entrance, char **names, int n)
{
	int r = EX_OK;

	entrance->waiters = calloc((size_t)n, sizeof(*entrance->waiters));
	if (!entrance->waiters)
		return EX_OSERR;
	for (int i = 0; r == EX_OK && i < n; i++) {
		struct handover *waiter = &entrance->waiters[entrance->n_waiters];

		waiter->fd = SD_LISTEN_FDS_START + i;
		if (handover_parse(names[i], waiter) && socket_listens(waiter->fd) == 0 && set_nonblocking(waiter->fd) == 0)
			entrance->n_waiters++;
		else
			r = entrance_add(entrance, waiter->fd);
	}
	return r;
}

static int entrance_find(struct entrance *entrance, const struct options *options)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), r;

	if (n < 0) {
		report_message(LOG_ERR, "cannot take the sockets of the service manager: %s", strerror(-n));
		return EX_OSERR;
	}
	if (n > 0 && options->n_arguments > 0) {
		report_message(LOG_ERR, "%s: expected no arguments when socket-activated", options->arguments[0]);
		return EX_USAGE;
	}
	r = n > 0 ? entrance_take(entrance, names, n) : EX_OK;
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	if (n > 0)
		return r;
	if (options->n_arguments > 0)
		return entrance_open(entrance, options->arguments[0]);
	if (socket_listens(STDIN_FILENO) >= 0)
		return entrance_add(entrance, STDIN_FILENO);
	options_complain("no socket was given, and no address to listen on");
	return EX_USAGE;
}

/* ---- the nodes ---- */

/* Adds a node given as "[HOST:]PORT[/CORES]", the notation of IAWLB. 0 or -ENOMEM. A mistake in the text becomes an
 * error of the list. */
static int add_node(struct nodelist *list, const char *argument, int number)
{
	char place[32], *copy = strdup(argument), *slash, *colon, *host, *port;
	int r;

	if (!copy)
		return -ENOMEM;
	(void)snprintf(place, sizeof(place), "argument %d", number);
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	colon = strrchr(copy, ':');
	if (colon)
		*colon = '\0';
	host = colon ? copy : NULL;
	port = colon ? colon + 1 : copy;
	r = nodelist_add(list, place, host && *host ? host : "localhost", port, slash ? slash + 1 : "1");
	free(copy);
	return r < 0 ? r : 0;
}

static int show_errors(const struct nodelist *list)
{
	for (size_t i = 0; i < list->n_errors; i++)
		report_message(LOG_ERR, "%s", list->errors[i]);
	return list->n_errors ? EX_CONFIG : EX_OK;
}

static int read_nodes(const struct options *options, struct nodelist *list)
{
	int r = 0;

	if (options->n_arguments > 1) {
		for (int i = 1; r == 0 && i < options->n_arguments; i++)
			r = add_node(list, options->arguments[i], i + 1);
	} else {
		r = nodelist_read(options->farm.nodes, list);
	}
	if (r < 0) {
		report_message(LOG_ERR, "%s: %s", options->farm.nodes, strerror(-r));
		return EX_CONFIG;
	}
	if (list->n_errors == 0 && list->n_nodes == 0)
		report_no_nodes(options->farm.nodes);
	return show_errors(list);
}

/* ---- the scoreboard ---- */

static bool is_ours(const char *folder)
{
	struct stat st;

	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && access(folder, W_OK) == 0;
}

/* A farm that was given on the command line has a scoreboard of its own, unless -s says where. */
static char *private_path(void)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char *path;

	/* A folder of this user, or root's folder for all. In another user's folder, that user could replace the file.
	 * */
	if (geteuid() == 0)
		runtime = "/run";
	else if (is_ours("/run/corebalance"))
		runtime = "/run/corebalance";
	if (!runtime || access(runtime, W_OK) < 0)
		runtime = "/dev/shm";
	/* The scoreboard gets a new folder: where others may write, another user's file may have any given name
	 * already. */
	if (asprintf(&path, "%s/cbrelay-XXXXXX" PRIVATE_FILE, runtime) < 0)
		return NULL;
	path[strlen(path) - strlen(PRIVATE_FILE)] = '\0';
	if (!mkdtemp(path)) {
		free(path);
		return NULL;
	}
	path[strlen(path)] = '/';
	return path;
}

static void private_remove(char *path)
{
	(void)unlink(path);
	path[strlen(path) - strlen(PRIVATE_FILE)] = '\0';
	(void)rmdir(path);
}

static int open_failed(const char *path, int r)
{
	report_message(LOG_ERR, "%s: %s", path, score_strerror(r));
	return score_file_is_wrong(r) ? EX_CONFIG : EX_OSERR;
}

static void tell(const char *what)
{
	report_message(LOG_WARNING, "%s", what);
}

/* Opens the farm's scoreboard. The node list is read only if there is none yet. */
static int open_farm(const struct options *options, const char *path, struct score **ret)
{
	struct nodelist list = { 0 };
	bool given = options->n_arguments > 1;
	char text[2 * SCORE_LIST_MAX + 128];
	int r, status = EX_OK;

	score_on_mended(tell);
	score_on_wait(tell, sigterm_is_asked);
	score_defer_stop();
	r = given ? -ENODATA : score_open(path, NULL, ret);
	if (r == -ENODATA) {
		status = read_nodes(options, &list);
		if (status == EX_OK)
			r = score_open(path, &list, ret);
		if (status == EX_OK && r == 0 && given)
			r = score_load(*ret, &list, NULL);
		nodelist_clear(&list);
	}
	if (status != EX_OK)
		return status;
	if (r == 0 && !given) {
		score_set_nodes(*ret, options->farm.nodes);
		/* Compared only if the administrator named the list, not for the default list. */
		if (options->farm.nodes_given &&
		    score_check_list(*ret, options->farm.nodes, text, sizeof(text)) == -EMEDIUMTYPE) {
			report_message(LOG_ERR, "%s: %s", path, text);
			return EX_CONFIG;
		}
	}
	return r < 0 ? open_failed(path, r) : EX_OK;
}

/* ---- the process ---- */

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

/* Each waiter costs a descriptor: raises the soft limit to what the administrator allows. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* if this fails, the limit stays as it is */
	}
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

static int serve_one(int fd, struct score *score, const struct options *options, uint64_t started_usec)
{
	struct connection connection;

	(void)signal(SIGHUP, SIG_IGN); /* it reloads the node list: not for a single connection */
	if (sigterm_setup() < 0)
		return EX_OSERR;
	score_look_for_lost(score);
	bind_self(score);
	connection_init(&connection, fd, started_usec, NULL);
	return connection_serve(&connection, score, &options->settings, &(struct connection_start){ .has = HAS_NOTHING });
}

static int serve(const struct entrance *entrance, struct score *score, const struct options *options,
		 uint64_t started_usec)
{
	if (entrance->connected)
		return serve_one(entrance->fds[0], score, options, started_usec);
	raise_limits();
	if (entrance->n_waiters > 0)
		(void)score_reap(score, NULL, NULL); /* the previous listener may still stand in the queue */
	return listener_run(&(struct listener_setup){
		.fds = entrance->fds, .n_fds = entrance->n, .owned = entrance->owned, .waiters = entrance->waiters,
		.n_waiters = entrance->n_waiters, .score = score, .settings = &options->settings,
		.nodes = options->n_arguments > 1 ? NULL : options->farm.nodes });
}

int main(int argc, char **argv)
{
	uint64_t started_usec = now_boottime();
	struct entrance entrance = { 0 };
	struct score *score = NULL;
	struct options options;
	char *own_path = NULL;
	const char *path;
	int r, status;

	if (inherited_settle() < 0)
		return EX_OSERR; /* there is no descriptor for a message */
	r = options_parse(argc, argv, &options);
	if (r != 0)
		return r > 0 ? EX_OK : r == -EIO ? EX_IOERR : EX_USAGE;
	(void)signal(SIGPIPE, SIG_IGN);
	log_setup("cbrelay");

	status = entrance_find(&entrance, &options);
	if (status == EX_OK && options.user)
		status = become(options.user);
	if (status != EX_OK)
		return status;

	report_set_farm(farm_options_shown(&options.farm));
	path = options.farm.scoreboard;
	if (options.n_arguments > 1 && !options.farm.scoreboard_given) {
		path = own_path = private_path();
		if (!own_path) {
			report_message(LOG_ERR, "cannot make a folder for the scoreboard: %s", strerror(errno));
			return EX_OSERR;
		}
		report_message(LOG_INFO, "scoreboard %s", own_path);
	}
	status = open_farm(&options, path, &score);
	if (status == EX_OK)
		status = serve(&entrance, score, &options, started_usec);

	(void)score_close(score);
	if (own_path)
		private_remove(own_path);
	free(own_path);
	return status;
}

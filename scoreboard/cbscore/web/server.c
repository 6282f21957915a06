/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * server.c: libmicrohttpd in one thread, a daemon for each listening socket, all
 * behind one poll(2). What clients can use up is bounded: the connections, the
 * memory for each, and the time in which a client is silent, which is much shorter
 * while no other connection has room.
 *
 * The farm is copied at most four times a second, for any number of requests. The
 * copies that slow clients still read are bounded, too; and once there is no client,
 * no copy is kept.
 */

#include "server.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "assets.h"
#include "mhd.h"
#include "prometheus.h"
#include "page.h"
#include "shown.h"
#include "status_json.h"
#include "system/timespan.h"
#include "visitors.h"

#define LISTENERS_MAX 16
#define CONNECTIONS_MAX 256u
#define CONNECTION_MEMORY (32u * 1024)
#define SILENCE_SECONDS 15u   /* a client that neither sends nor receives for so long is dropped */
#define SNAPSHOT_USEC 250000u
#define HELD_NODES_MAX 400000u/* in the snapshots that clients still read; each needs some 200 bytes */

struct server {
	const struct server_settings *settings;
	struct MHD_Daemon *daemons[LISTENERS_MAX];
	size_t n_daemons;
	struct visitors visitors;
	struct score *score;          /* NULL: not open */
	struct shown *shown;          /* the last snapshot; or NULL */
	uint64_t shown_usec;          /* when it was taken, CLOCK_MONOTONIC */
	uint64_t asked_usec;          /* when the last request came, CLOCK_MONOTONIC */
	int status;
};

/* ---- the farm ---- */

static int open_and_take(struct server *server)
{
	int r = server->score ? 0 : server->settings->open(server->settings->arg, &server->score);

	if (r == 0)
		r = shown_take(server->score, server->settings->farm, &server->shown);
	if (r < 0)
		server->score = score_close(server->score); /* the next request opens it again */
	return r;
}

/* Takes a new snapshot if the last is too old. 0; -EBUSY: clients read too many old ones; or -errno. */
static int look(struct server *server)
{
	uint64_t now_usec = now_monotonic();

	if (server->shown && now_usec - server->shown_usec < SNAPSHOT_USEC)
		return 0;
	server->shown = shown_leave(server->shown);
	if (shown_nodes() > HELD_NODES_MAX)
		return -EBUSY;
	server->shown_usec = now_usec;
	return open_and_take(server);
}

/* Frees the last snapshot, and gives the memory of it and of all answers back to the system. */
static void forget(struct server *server)
{
	server->shown = shown_leave(server->shown);
	(void)malloc_trim(0);
}

/* ---- answers ---- */

static void add_headers(struct MHD_Response *response, const char *type)
{
	static const struct { const char *name, *value; } headers[] = {
		{ "Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
					     "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		(void)mhd.add_response_header(response, headers[i].name, headers[i].value);
	(void)mhd.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
}

/* Queues a response and drops the reference to it. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
			      const char *type, const char *caching)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	add_headers(response, type);
	(void)mhd.add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)mhd.add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	r = mhd.queue_response(connection, status, response);
	mhd.destroy_response(response);
	return r;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer(connection, status,
		      mhd.create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY),
		      "text/plain; charset=utf-8", "no-store");
}

static enum MHD_Result answer_asset(struct MHD_Connection *connection, const struct asset *asset)
{
	return answer(connection, MHD_HTTP_OK,
		      mhd.create_response_from_buffer((size_t)(asset->end - asset->begin), (void *)(uintptr_t)asset->begin,
						      MHD_RESPMEM_PERSISTENT),
		      asset->type, "max-age=300");
}

static const struct view {
	const char *path;
	const struct form *form;
} views[] = {
	{ "/", &page_form },
	{ "/status.json", &status_json_form },
	{ "/metrics", &prometheus_form },
};

/* Answers if the farm cannot be read: the page tells people why, a program learns it from the status. */
static enum MHD_Result answer_trouble(struct server *server, struct MHD_Connection *connection, const struct form *form,
				      const char *trouble)
{
	bool is_page = form == &page_form;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return MHD_NO;
	if (is_page)
		page_write_trouble(out, server->settings->farm, trouble);
	else
		(void)fprintf(out, "%s\n", trouble);
	if (fclose(out) != 0) {
		free(text);
		return MHD_NO;
	}
	return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		      mhd.create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE),
		      is_page ? form->type : "text/plain; charset=utf-8", "no-store");
}

/* Answers with what the farm is now, in a form whose size is not known beforehand. */
static enum MHD_Result answer_form(struct server *server, struct MHD_Connection *connection, const struct form *form,
				   bool is_head)
{
	struct MHD_Response *response;
	int r = look(server);

	if (r == -EBUSY)
		return answer_trouble(server, connection, form, "too many clients read too slowly");
	if (r < 0)
		return answer_trouble(server, connection, form, score_strerror(r));
	response = shown_response(server->shown, form);
	/* libmicrohttpd writes the end of a chunked body also where it leaves the body out. A client would take that for the
	 * begin of the next answer. */
	if (response && is_head)
		(void)mhd.set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	return answer(connection, MHD_HTTP_OK, response, form->type, "no-store");
}

static enum MHD_Result route(struct server *server, struct MHD_Connection *connection, const char *path, const char *method)
{
	const struct asset *asset = asset_find(path);
	bool is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;

	if (!is_head && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "this page is read-only: GET and HEAD\n");
	if (asset)
		return answer_asset(connection, asset);
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(views[i].path, path) == 0)
			return answer_form(server, connection, views[i].form, is_head);
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "no such page: there are /, /status.json and /metrics\n");
}

/* The path of a request's target. A target may be a whole URL, as a proxy is sent (RFC 9112, section 3.2.2). */
static const char *path_of(const char *target)
{
	const char *authority = strncasecmp(target, "http://", 7) == 0 ? target + 7 :
				strncasecmp(target, "https://", 8) == 0 ? target + 8 : NULL;

	if (!authority)
		return target;
	authority += strcspn(authority, "/");
	return *authority ? authority : "/";
}

/* libmicrohttpd calls this with the head of a request, then with each piece of its body, then without any. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *target, const char *method,
				  const char *version, const char *data, size_t *data_size, void **request)
{
	static char seen;
	struct server *server = arg;

	(void)version;
	(void)data;
	server->asked_usec = now_monotonic();
	if (!*request) {
		*request = &seen;
		visitors_note_request(&server->visitors, connection, true);
		return MHD_YES;
	}
	if (*data_size > 0) {
		*data_size = 0; /* the body is ignored */
		return MHD_YES;
	}
	return route(server, connection, path_of(target), method);
}

static void on_answered(void *arg, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code)
{
	struct server *server = arg;

	(void)request;
	(void)code;
	visitors_note_request(&server->visitors, connection, false);
}

/* ---- the loop ---- */

static int start_daemons(struct server *server, const int *fds, size_t n)
{
	if (n > LISTENERS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		struct MHD_Daemon *daemon = mhd.start_daemon(
			MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
			MHD_OPTION_LISTEN_SOCKET, fds[i], MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
			MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
			MHD_OPTION_NOTIFY_CONNECTION, visitors_note, &server->visitors,
			MHD_OPTION_NOTIFY_COMPLETED, on_answered, server, MHD_OPTION_END);

		if (!daemon)
			return -ENOMEM;
		server->daemons[server->n_daemons++] = daemon;
	}
	return 0;
}

/* Stops the daemons. Each closes its listening socket, which is a copy of the caller's. */
static void stop_daemons(struct server *server)
{
	for (size_t i = 0; i < server->n_daemons; i++)
		mhd.stop_daemon(server->daemons[i]);
	server->n_daemons = 0;
}

static unsigned connections_of(struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info = mhd.get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

static bool is_full(struct MHD_Daemon *daemon)
{
	return connections_of(daemon) >= CONNECTIONS_MAX;
}

static unsigned count_connections(const struct server *server)
{
	unsigned n = 0;

	for (size_t i = 0; i < server->n_daemons; i++)
		n += connections_of(server->daemons[i]);
	return n;
}

/* What is left of a time of length usec that has begun at since_usec; rounded up. */
static MHD_UNSIGNED_LONG_LONG milliseconds_left(uint64_t since_usec, uint64_t usec)
{
	uint64_t past_usec = now_monotonic() - since_usec;

	return usec <= past_usec ? 0 : (usec - past_usec) / 1000 + 1;
}

static MHD_UNSIGNED_LONG_LONG least_of(MHD_UNSIGNED_LONG_LONG a, MHD_UNSIGNED_LONG_LONG b)
{
	return a < b ? a : b;
}

/* Makes room where connections that say nothing keep others out. Returns in how many milliseconds to look again. */
static MHD_UNSIGNED_LONG_LONG make_room(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG least = UINT64_MAX;

	for (size_t i = 0; i < server->n_daemons; i++)
		if (is_full(server->daemons[i]))
			least = least_of(least, visitors_make_room(&server->visitors, server->daemons[i]) / 1000 + 1);
	return least;
}

/* How long the server may sleep, in milliseconds; -1: until something happens. */
static int sleep_time(struct server *server)
{
	uint64_t idle_usec = server->settings->exit_idle_usec;
	MHD_UNSIGNED_LONG_LONG least = make_room(server), one;

	for (size_t i = 0; i < server->n_daemons; i++)
		if (mhd.get_timeout(server->daemons[i], &one) == MHD_YES)
			least = least_of(least, one);
	if (count_connections(server) == 0 && server->shown)
		least = least_of(least, milliseconds_left(server->shown_usec, SNAPSHOT_USEC));
	if (count_connections(server) == 0 && idle_usec)
		least = least_of(least, milliseconds_left(server->asked_usec, idle_usec));
	/* poll(2) takes no longer time than an int has. What wakes up early finds nothing to do, and sleeps again. */
	return least == UINT64_MAX ? -1 : (int)least_of(least, INT_MAX);
}

/* Does what is due while there is no client. false: the server must end. */
static bool be_idle(struct server *server)
{
	uint64_t idle_usec = server->settings->exit_idle_usec, now_usec = now_monotonic();

	if (count_connections(server) > 0)
		return true;
	if (server->shown && now_usec - server->shown_usec >= SNAPSHOT_USEC)
		forget(server);
	return !idle_usec || now_usec - server->asked_usec < idle_usec;
}

/* A daemon at its limit does not await new connections. It begins to await them again not when it has fewer connections,
 * but when it is run the next time, and would sleep before that. */
static void run_daemon(struct MHD_Daemon *daemon)
{
	bool was_full = is_full(daemon);

	(void)mhd.run(daemon);
	if (was_full && !is_full(daemon))
		(void)mhd.run(daemon);
}

static int loop(struct server *server, int signal_fd)
{
	struct pollfd fds[LISTENERS_MAX + 1];

	for (size_t i = 0; i < server->n_daemons; i++)
		fds[i] = (struct pollfd){
			.fd = mhd.get_daemon_info(server->daemons[i], MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN,
		};
	fds[server->n_daemons] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	while (be_idle(server)) {
		if (poll(fds, server->n_daemons + 1, sleep_time(server)) < 0 && errno != EINTR)
			return -errno;
		if (fds[server->n_daemons].revents)
			return 0;
		for (size_t i = 0; i < server->n_daemons; i++)
			run_daemon(server->daemons[i]);
	}
	return 0;
}

static int open_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

int server_load(void)
{
	return mhd_load();
}

int server_run(const struct server_settings *settings, const int *fds, size_t n)
{
	struct server server = { .settings = settings, .asked_usec = now_monotonic() };
	int signal_fd = open_signals();
	int r = signal_fd < 0 ? -errno : start_daemons(&server, fds, n);

	if (r == 0)
		r = loop(&server, signal_fd);
	stop_daemons(&server);
	if (signal_fd >= 0)
		(void)close(signal_fd);
	server.shown = shown_leave(server.shown);
	(void)score_close(server.score);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/* serve.c: the verb serve: the farm for browsers and for Prometheus. */

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service.h"
#include "system/number.h"
#include "system/timespan.h"
#include "verbs.h"
#include "web/server.h"

#define SOCKETS_MAX 16

static const char *arg_web;          /* NULL: the service manager's sockets */
static uint64_t arg_exit_idle_usec;

/* Takes the listening sockets that a service manager passed. Returns their number, or -errno. */
static int take_sockets(int fds[static SOCKETS_MAX])
{
	int n = service.listen_fds(1);

	if (n > SOCKETS_MAX)
		return -E2BIG;
	for (int i = 0; i < n; i++) {
		fds[i] = SD_LISTEN_FDS_START + i;
		if (service.is_socket(fds[i], AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			return -ENOTSOCK;
	}
	return n;
}

static int listen_on(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

/* Whether the text can be the name of a service, or is the number of a port: getaddrinfo(3) takes any number. */
static bool is_port(const char *text)
{
	uint64_t number;

	for (const char *p = text; *p; p++)
		if (isalpha((unsigned char)*p))
			return true;
	return number_parse(text, 1, UINT16_MAX, &number) == 0;
}

/* Splits "[ADDRESS:]PORT". Without an address the host is the loopback: the farm is shown to other machines only if the
 * option says so. 0 or -EINVAL. */
static int split(const char *where, char host[static NI_MAXHOST], const char **ret_port)
{
	const char *colon = strrchr(where, ':');
	size_t length = colon ? (size_t)(colon - where) : 0;
	bool bracketed = length > 2 && where[0] == '[' && colon[-1] == ']';

	*ret_port = colon ? colon + 1 : where;
	if (!is_port(*ret_port))
		return -EINVAL;
	if (!colon) {
		(void)strcpy(host, "127.0.0.1");
		return 0;
	}
	if (length == 0 || length >= NI_MAXHOST)
		return -EINVAL;
	length -= bracketed ? 2 : 0;
	(void)memcpy(host, where + bracketed, length);
	host[length] = '\0';
	return 0;
}

/* Whether the machine has no address of that kind, as where IPv6 is off. */
static bool is_of_no_use_here(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* Called before a client can connect: from then on SIGTERM and SIGINT are for the server, which ends well. */
static void prepare_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* Listens on all addresses that the text names, or on none. Returns the number of sockets; or the negative of a status, and the
 * error was told. */
static int make_sockets(const char *where, int fds[static SOCKETS_MAX])
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found;
	char host[NI_MAXHOST];
	const char *port;
	int n = 0, r;

	if (split(where, host, &port) < 0)
		return -complain_usage("--web: \"%s\": expected [ADDRESS:]PORT", where);
	r = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
	if (r != 0)
		return -complain_usage("--web: \"%s\": %s: expected [ADDRESS:]PORT", where, gai_strerror(r));
	prepare_signals(); /* a name that is slow to be found can be interrupted until now */
	r = -EADDRNOTAVAIL;
	for (const struct addrinfo *address = found; address && n < SOCKETS_MAX; address = address->ai_next) {
		r = listen_on(address);
		if (r >= 0)
			fds[n++] = r;
		else if (!is_of_no_use_here(r))
			break;
	}
	freeaddrinfo(found);
	if (n > 0 && (r >= 0 || is_of_no_use_here(r)))
		return n;
	while (n > 0)
		(void)close(fds[--n]);
	complain("%s: cannot listen: %s", where, strerror(-r));
	return -STATUS_FAILED;
}

/* Gets all listening sockets, from the service manager or from --web. Returns as make_sockets(). */
static int get_sockets(int fds[static SOCKETS_MAX])
{
	int n;

	if (arg_web)
		return make_sockets(arg_web, fds);
	prepare_signals();
	n = take_sockets(fds);
	if (n > 0)
		return n;
	if (n == 0)
		return -complain_usage("expected --web [ADDRESS:]PORT, or listening sockets of a service manager");
	complain("the service manager's sockets: %s", strerror(-n));
	return -STATUS_FAILED;
}

static int open_farm(void *arg, struct score **ret)
{
	const struct context *context = arg;

	return score_open(context->farm.scoreboard, NULL, ret);
}

static int serve(const struct context *context)
{
	struct server_settings settings = {
		.exit_idle_usec = arg_exit_idle_usec, .open = open_farm, .arg = (void *)(uintptr_t)context,
		.farm = context->farm_shown,
	};
	int fds[SOCKETS_MAX], n, r;

	if (service_load() < 0) {
		complain("cannot serve: libsystemd is not installed");
		return STATUS_FAILED;
	}
	n = get_sockets(fds);
	if (n < 0)
		return -n;
	if (server_load() < 0) {
		complain("cannot serve: libmicrohttpd is not installed");
		return STATUS_FAILED;
	}
	(void)service.notify(0, "READY=1");
	r = server_run(&settings, fds, (size_t)n);
	if (r == 0)
		return STATUS_OK;
	complain("cannot serve: %s", strerror(-r));
	return STATUS_FAILED;
}

OPTION_TEXT(set_web, arg_web)

static int set_exit_idle(void *context, const char *value)
{
	(void)context;
	return timespan_parse(value, &arg_exit_idle_usec) == 0 && arg_exit_idle_usec > 0 ? 0 : -EINVAL;
}

static const struct option_row rows[] = {
	{ "web", 'w', "[ADDRESS:]PORT", "listen there; without ADDRESS on 127.0.0.1; * is every address",
	  "the service manager's sockets", "[ADDRESS:]PORT", set_web, NULL },
	{ "exit-idle", 0, "TIME", "end after so long without a request", "it stays", "a time such as 5min", set_exit_idle, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_serve = {
	.verb = {
		.name = "serve", .arguments = "", .help = "show the farm to browsers and to Prometheus",
		.options = { &options },
	},
	.run = serve,
};

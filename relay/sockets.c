/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "address.h"
#include "former.h"
#include "listen.h"
#include "options.h"
#include "report.h"
#include "rival.h"

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

static int add(struct sockets *sockets, int fd)
{
	int listens = socket_listens(fd), r;

	if (listens < 0) {
		report_message(LOG_ERR, "descriptor %d: %s: expected a stream socket", fd, strerror(-listens));
		return EX_USAGE;
	}
	if (sockets->n > 0 && (sockets->connected || !listens)) {
		report_message(LOG_ERR, "descriptor %d: expected one connected socket, or listening ones only", fd);
		return EX_USAGE;
	}
	if (sockets->n == RELAY_SOCKETS_MAX) {
		report_message(LOG_ERR, "descriptor %d: expected at most %d sockets", fd, RELAY_SOCKETS_MAX);
		return EX_USAGE;
	}
	r = set_nonblocking(fd);
	if (r < 0) {
		report_message(LOG_ERR, "descriptor %d: %s", fd, strerror(-r));
		return EX_OSERR;
	}
	sockets->connected = !listens;
	sockets->fds[sockets->n++] = fd;
	return EX_OK;
}

int sockets_check(const char *listen_on)
{
	char *copy = listen_on ? strdup(listen_on) : NULL, *rest = copy;
	const char *place;
	int status = EX_OK;

	while ((place = strsep(&rest, ","))) {
		if (listen_is_place(place))
			continue;
		report_message(LOG_ERR, "LISTEN: \"%s\": expected " LISTEN_SYNTAX, place);
		status = EX_USAGE;
	}
	free(copy);
	return listen_on && !copy ? EX_OSERR : status;
}

/* Listens at one place more. An exit status. */
static int open_place(struct sockets *sockets, const char *place)
{
	int n = listen_at(place, sockets->fds + sockets->n, RELAY_SOCKETS_MAX - sockets->n);

	if (n == -E2BIG)
		report_message(LOG_ERR, "cannot listen on %s: expected at most %d sockets", place, RELAY_SOCKETS_MAX);
	else if (n < 0)
		report_message(LOG_ERR, "cannot listen on %s: %s", place,
			       n == -ENXIO ? "name does not resolve" : strerror(-n));
	if (n < 0)
		return EX_OSERR;
	for (; n > 0; n--) {
		char text[ADDRESS_MAX];
		const char *address = address_local(sockets->fds[sockets->n++], text);

		report_message(LOG_INFO, "listening on %s", strcmp(address, "unix") == 0 ? place : address);
	}
	return EX_OK;
}

static int open_own(struct sockets *sockets, const char *listen_on)
{
	char *copy = strdup(listen_on), *rest = copy;
	int status = copy ? EX_OK : EX_OSERR;
	const char *place;

	while (status == EX_OK && (place = strsep(&rest, ",")))
		status = open_place(sockets, place);
	free(copy);
	sockets->owned = true;
	return status;
}

/* The kernel shares clients out by chance, so this is told, and the service goes on with its part of them. */
static void tell_rival(const struct sockets *sockets)
{
	int fds[2 * RELAY_SOCKETS_MAX], fd;
	char text[ADDRESS_MAX];
	size_t n = sockets->n_formers < RELAY_SOCKETS_MAX ? sockets->n_formers : RELAY_SOCKETS_MAX;

	(void)memcpy(fds, sockets->fds, sockets->n * sizeof(*fds));
	(void)memcpy(fds + sockets->n, sockets->formers, n * sizeof(*fds));
	fd = sockets->connected ? -1 : rival_find(fds, sockets->n, sockets->n + n);
	if (fd >= 0)
		report_message(LOG_WARNING, "%s: another program or farm listens there, too, and gets a part of the clients",
			       address_local(fd, text));
}

/* Those without a ticket come last. */
static int by_number(const void *a, const void *b)
{
	const struct handover *left = a, *right = b;
	uint64_t l = left->number - 1, r = right->number - 1;

	if (l == r) {
		l = left->accepted_usec;
		r = right->accepted_usec;
	}
	return (l > r) - (l < r);
}

/* Takes what the service manager passes: the sockets, and the waiters and sockets that the previous listener stored
 * there. */
static int take_given(struct sockets *sockets, char **names, int n)
{
	int r = EX_OK;

	sockets->waiters = calloc((size_t)n, sizeof(*sockets->waiters));
	sockets->formers = calloc((size_t)n, sizeof(*sockets->formers));
	if (!sockets->waiters || !sockets->formers)
		return EX_OSERR;
	for (int i = 0; r == EX_OK && i < n; i++) {
		struct handover *waiter = &sockets->waiters[sockets->n_waiters];

		waiter->fd = SD_LISTEN_FDS_START + i;
		if (handover_parse(names[i], waiter) && socket_listens(waiter->fd) == 0 && set_nonblocking(waiter->fd) == 0)
			sockets->n_waiters++;
		else if (strcmp(names[i], FORMER_NAME) == 0 && socket_listens(waiter->fd) == 1 && set_nonblocking(waiter->fd) == 0)
			sockets->formers[sockets->n_formers++] = waiter->fd;
		else
			r = add(sockets, waiter->fd);
	}
	/* The store has an order of its own. A waiter that got its place before an older waiter would get the slot of that. */
	qsort(sockets->waiters, sockets->n_waiters, sizeof(*sockets->waiters), by_number);
	if (r == EX_OK)
		tell_rival(sockets);
	return r;
}

/*
 * Takes what inetd passes on standard input. A socket that listens gets a number behind the standard descriptors, which
 * every process that is forked keeps: once it is closed, another descriptor may get its number. An exit status.
 */
static int take_input(struct sockets *sockets)
{
	int fd, nothing, r = 0;

	if (socket_listens(STDIN_FILENO) != 1)
		return add(sockets, STDIN_FILENO);
	nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = nothing < 0 ? -1 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0 || dup2(nothing, STDIN_FILENO) < 0)
		r = -errno;
	if (nothing >= 0)
		(void)close(nothing);
	if (r == 0)
		return add(sockets, fd);
	report_message(LOG_ERR, "descriptor %d: %s", STDIN_FILENO, strerror(-r));
	return EX_OSERR;
}

int sockets_find(struct sockets *sockets, const char *listen_on)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), r = EX_OK;

	if (n < 0) {
		report_message(LOG_ERR, "cannot take the sockets of the service manager: %s", strerror(-n));
		return EX_OSERR;
	}
	if (n > 0 && listen_on) {
		report_message(LOG_ERR, "%s: expected no arguments when socket-activated", listen_on);
		r = EX_USAGE;
	} else if (n > 0) {
		r = take_given(sockets, names, n);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	if (n > 0)
		return r;
	if (listen_on)
		return open_own(sockets, listen_on);
	if (socket_listens(STDIN_FILENO) >= 0)
		return take_input(sockets);
	options_complain("no socket was given, and no address to listen on");
	return EX_USAGE;
}

void sockets_clear(struct sockets *sockets)
{
	free(sockets->waiters);
	free(sockets->formers);
	*sockets = (struct sockets){ 0 };
}

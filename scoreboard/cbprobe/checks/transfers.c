/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * transfers.c: libcurl is driven from outside: it says which sockets it waits for,
 * and until when. The sockets go into an epoll of their own, the time into a timerfd
 * in the same epoll, and that epoll's descriptor can itself be waited for. So no
 * other file need know what libcurl waits for.
 */

#include "transfers.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "curl.h"

#define EVENTS_MAX 256
#define ROUNDS_MAX 64 /* so many rounds of EVENTS_MAX events, before other sources have their turn */

struct transfers {
	CURLM *multi;
	int epoll_fd, timer_fd;
};

/* ---- functions that libcurl calls ---- */

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct transfers *transfers = arg;
	struct epoll_event event = { .data.fd = fd };
	int operation = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		/* If the socket is closed already, the kernel has taken it out. */
		(void)epoll_ctl(transfers->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	if (epoll_ctl(transfers->epoll_fd, operation, fd, &event) < 0)
		return -1;
	(void)curl.multi_assign(transfers->multi, fd, transfers);
	return 0;
}

static int timer_changed(CURLM *multi, long msec, void *arg)
{
	const struct transfers *transfers = arg;
	struct itimerspec when = { 0 };

	(void)multi;
	if (msec == 0)
		when.it_value.tv_nsec = 1; /* fires now; all 0 would disarm the timer */
	if (msec > 0) {
		when.it_value.tv_sec = msec / 1000;
		when.it_value.tv_nsec = msec % 1000 * 1000000;
	}
	return timerfd_settime(transfers->timer_fd, 0, &when, NULL) < 0 ? -1 : 0;
}

/* ---- all transfers ---- */

static void on_sigpipe(int signal)
{
	(void)signal;
}

/* OpenSSL writes to sockets that may be closed: SIGPIPE must not end cbprobe. A handler, not SIG_IGN, which programs
 * that cbprobe starts would inherit. */
static int bear_closed_connections(void)
{
	const struct sigaction action = { .sa_handler = on_sigpipe, .sa_flags = SA_RESTART };

	return sigaction(SIGPIPE, &action, NULL) < 0 ? -errno : 0;
}

static int transfers_init(struct transfers *transfers)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r = bear_closed_connections();

	if (r < 0)
		return r;
	transfers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (transfers->epoll_fd < 0)
		return -errno;
	transfers->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (transfers->timer_fd < 0)
		return -errno;
	event.data.fd = transfers->timer_fd;
	if (epoll_ctl(transfers->epoll_fd, EPOLL_CTL_ADD, transfers->timer_fd, &event) < 0)
		return -errno;
	transfers->multi = curl.multi_init();
	if (!transfers->multi ||
	    curl.multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) != CURLM_OK ||
	    curl.multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers) != CURLM_OK ||
	    curl.multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, timer_changed) != CURLM_OK ||
	    curl.multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers) != CURLM_OK ||
	    curl.multi_setopt(transfers->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

int transfers_load(void)
{
	return curl_load();
}

int transfers_open(struct transfers **ret)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));
	int r;

	if (!transfers)
		return -ENOMEM;
	transfers->epoll_fd = transfers->timer_fd = -1;
	if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(transfers);
		return -ENOMEM;
	}
	r = transfers_init(transfers);
	if (r < 0) {
		transfers_close(transfers);
		return r;
	}
	*ret = transfers;
	return 0;
}

void transfers_close(struct transfers *transfers)
{
	if (!transfers)
		return;
	if (transfers->multi)
		(void)curl.multi_cleanup(transfers->multi);
	if (transfers->timer_fd >= 0)
		(void)close(transfers->timer_fd);
	if (transfers->epoll_fd >= 0)
		(void)close(transfers->epoll_fd);
	curl.global_cleanup();
	free(transfers);
}

int transfers_fd(const struct transfers *transfers)
{
	return transfers->epoll_fd;
}

static int errno_from_multi(CURLMcode code)
{
	switch (code) {
	case CURLM_OK:
	case CURLM_BAD_SOCKET: /* an event of a socket that an earlier event ended */
		return 0;
	case CURLM_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int work_on(const struct transfers *transfers, const struct epoll_event *event)
{
	int running, mask = 0, fd = event->data.fd;
	uint64_t times;

	if (fd == transfers->timer_fd) {
		if (read(fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
			return -errno;
		return errno_from_multi(curl.multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running));
	}
	if (event->events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (event->events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	return errno_from_multi(curl.multi_socket_action(transfers->multi, fd, mask, &running));
}

int transfers_work(struct transfers *transfers)
{
	struct epoll_event events[EVENTS_MAX];
	int n = EVENTS_MAX, r = 0;

	for (int round = 0; r == 0 && n == EVENTS_MAX && round < ROUNDS_MAX; round++) {
		n = epoll_wait(transfers->epoll_fd, events, EVENTS_MAX, 0);
		if (n < 0)
			return errno == EINTR ? 0 : -errno;
		for (int i = 0; r == 0 && i < n; i++)
			r = work_on(transfers, &events[i]);
	}
	return r;
}

void *transfers_multi(const struct transfers *transfers)
{
	return transfers->multi;
}

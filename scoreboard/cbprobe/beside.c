/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * beside.c: an epoll instance, which poll(2) or another epoll instance can
 * watch.
 */

#include "beside.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#define EVENTS_MAX 16

static int epoll_fd = -1;

int beside_setup(void)
{
	if (epoll_fd < 0)
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll_fd < 0 ? -errno : 0;
}

int beside_fd(void)
{
	return epoll_fd;
}

int beside_watch(int fd, struct beside *beside)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = beside };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void beside_unwatch(int fd)
{
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* fails only if fd is not watched */
}

void beside_work(void)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_fd < 0 ? 0 : epoll_wait(epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		struct beside *beside = events[i].data.ptr;

		beside->ready(beside);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * service.c: the socket is opened once and kept. sd_notify(3) would open it for
 * each message, and not find it after --chroot. Nor may a signal handler call
 * sd_notify(3), and the handler says STOPPING=1.
 */

#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "beside.h"
#include "system/timespan.h"

static int socket_fd = -1, timer_fd = -1;

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int r = 0;

	if ((*path != '/' && *path != '@') || length < 2 || length >= sizeof(address.sun_path))
		return -EAFNOSUPPORT;
	(void)memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0'; /* in the abstract name space */
	socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (socket_fd < 0)
		return -errno;
	if (connect(socket_fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		r = -errno;
	return r;
}

static void beat(struct beside *beside)
{
	uint64_t times;

	(void)beside;
	(void)!read(timer_fd, &times, sizeof(times));
	service_tell("WATCHDOG=1");
}

/* Begins the watchdog's beat: two beats in the watchdog's time. */
static int begin_beat(uint64_t usec)
{
	static struct beside watchdog = { beat };
	const struct timespec half = {
		.tv_sec = (time_t)(usec / 2 / USEC_PER_SEC),
		.tv_nsec = (long)(usec / 2 % USEC_PER_SEC * 1000) + 1,
	};

	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer_fd < 0 || timerfd_settime(timer_fd, 0, &(struct itimerspec){ half, half }, NULL) < 0)
		return -errno;
	return beside_watch(timer_fd, &watchdog);
}

/* The time of $WATCHDOG_USEC if it is for this process; else 0. */
static uint64_t watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10);
}

int service_setup(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t usec = watchdog_usec();
	int r = 0;

	if (path)
		r = connect_to(path);
	if (path && r == 0 && usec > 0)
		r = begin_beat(usec);
	/* The commands that cbprobe runs must not have it. */
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return r;
}

void service_tell(const char *text)
{
	if (socket_fd >= 0)
		(void)!send(socket_fd, text, strlen(text), MSG_NOSIGNAL);
}

void service_status(const char *format, ...)
{
	char text[256] = "STATUS=";
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text + strlen(text), sizeof(text) - strlen(text), format, ap);
	va_end(ap);
	service_tell(text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-ahead.c: for LD_PRELOAD. Once there is a file $AHEAD, the monotonic
 * clock is a minute ahead, and timer descriptors that are due within that minute
 * have expired. So a test need not wait for a limit of half a minute.
 *
 * A timer cannot be moved once the kernel has it. So a timer that is due within
 * the next minute expires every 50 ms until then, and its owner finds that the
 * time has not come yet. A timer that is set later is set by the clock that is
 * ahead.
 */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define AHEAD_SEC 60
#define SOON_NSEC 50000000L

static bool is_ahead(void)
{
	const char *path = getenv("AHEAD");

	return path && access(path, F_OK) == 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(id, now);
	if (r == 0 && id == CLOCK_MONOTONIC && is_ahead())
		now->tv_sec += AHEAD_SEC;
	return r;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);
	struct itimerspec soon = { 0 }, kernels = *new;
	struct timespec now;
	bool is_armed = new->it_value.tv_sec || new->it_value.tv_nsec;

	if (!real)
		real = (int (*)(int, int, const struct itimerspec *, struct itimerspec *))dlsym(RTLD_NEXT,
												"timerfd_settime");
	if (!is_armed || !(flags & TFD_TIMER_ABSTIME) || clock_gettime(CLOCK_MONOTONIC, &now) < 0 ||
	    new->it_value.tv_sec < now.tv_sec + AHEAD_SEC / 3 || new->it_value.tv_sec > now.tv_sec + AHEAD_SEC) {
		if (is_armed && (flags & TFD_TIMER_ABSTIME) && is_ahead())
			kernels.it_value.tv_sec -= AHEAD_SEC;
		return real(fd, flags, &kernels, old);
	}
	soon.it_value.tv_nsec = soon.it_interval.tv_nsec = SOON_NSEC;
	return real(fd, 0, &soon, old);
}

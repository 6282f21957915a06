/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-clock.c: for LD_PRELOAD. The wall clock is so many seconds ahead of the
 * true time as the first eight bytes of the file $CLOCK say, and CLOCK_BOOTTIME as
 * the next eight say. They may change at any time. The file is mapped once: a relay
 * may open no file. With $CLOCK_GAINS the wall clock is another second ahead each time
 * that it is looked at.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;
static time_t gains, gained;
static int (*real)(clockid_t, struct timespec *);

/* A library's constructor may ask for the time before any of ours runs. */
static void begin(void)
{
	const char *path = getenv("CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, 2 * sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (at == MAP_FAILED)
		abort(); /* without the file a test would test nothing */
	ahead = at;
	gains = getenv("CLOCK_GAINS") != NULL;
	(void)close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r;

	if (!real)
		begin();
	r = real(clock, ts);

	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += (time_t)ahead[0] + (gained += gains);
	else if (r == 0 && clock == CLOCK_BOOTTIME)
		ts->tv_sec += (time_t)ahead[1];
	return r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

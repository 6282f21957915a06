/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * wait.h: what a process does while it waits for the lock: it says which process
 * has the lock, continues that process if a signal has stopped it, stops itself
 * after Ctrl-Z, and can be told to end the wait.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "system/holder.h"

struct word;

#define WAIT_SLICE_USEC 100000L   /* a wait is looked at so often */
#define WAIT_TELL_USEC 2000000u   /* a wait that takes so long is told of */

/* What a process that waits for the lock says once, after WAIT_TELL_USEC, or when it gives up. */
struct wait_told {
	pid_t pid;             /* of the process that has the lock; 0: it could not be found out */
	char name[HOLDER_NAME_MAX + 1]; /* its program's, may be empty */
	bool stopped;          /* the process was stopped by a signal, as by Ctrl-Z */
	int woken;             /* if so: 0: the process was told to go on (SIGCONT); or -errno why that failed */
	bool is_tool;          /* the process has not the lock, but one of tdb's own, and the wait is given up (tools.h) */
	uint64_t waited_usec;
};

/* tell (may be NULL) is called once for each wait that takes WAIT_TELL_USEC; is_ended (may be NULL) about every 0.1 s
 * of every wait: when it says true the wait ends. For the whole process. */
void wait_call(void (*tell)(const struct wait_told *told), bool (*is_ended)(void));

/* A wait. */
struct wait {
	uint64_t since_usec, next_usec; /* CLOCK_BOOTTIME; when the wait is looked at next */
	bool told;
};

struct wait wait_begin(void);

/* Whether the wait has taken WAIT_TELL_USEC. */
bool wait_is_long(const struct wait *wait);

/* Called again and again in a wait: does once in a slice what there is to do. word is the lock's that is waited for; NULL:
 * none is. may_stop: no process waits for this process, as it has not even the mutex. 0; or -EINTR: the wait is to end. */
int wait_look(struct wait *wait, const struct word *word, bool may_stop);

/* Says that the wait is given up, as the process pid (0: it could not be found out) has one of tdb's own locks. */
void wait_give_up(const struct wait *wait, pid_t pid);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sigterm.h: SIGTERM in a process that serves connections. The signal is noted
 * when it comes, and ends the sleeps below and no other call. It is never lost
 * between a test and the sleep.
 */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define NO_TIMEOUT UINT64_MAX

/* Notes SIGTERM and SIGINT from now on, and unblocks every signal. 0 or -errno. */
int sigterm_setup(void);

/*
 * Whether a wait for the scoreboard's lock is to end: in a listener (sigterm_watch()) whether a SIGTERM or SIGINT waits
 * at its descriptor, or sigterm_remember() was called; in any other process what sigterm_pending() says.
 */
bool sigterm_is_asked(void);

/* This process is the listener, which takes its signals from a descriptor. A process that it forks is no listener. */
void sigterm_watch(void);

/* The listener has taken a SIGTERM or SIGINT from its descriptor. */
void sigterm_remember(void);

/* Notes SIGTERM in a process made by fork(2), whatever its parent does with signals. Ignores SIGINT and SIGHUP, and
 * unblocks all signals. 0 or -errno. */
int sigterm_inherit(void);

/* sigterm_inherit() in two halves, for a process that blocks all signals and forks relays: sigterm_prepare() once in that
 * process, sigterm_begin() in each relay. 0 or -errno. */
int sigterm_prepare(void);
int sigterm_begin(void);

/* Whether SIGTERM has come. Costs no system call. */
bool sigterm_pending(void);

/* Forgets a SIGTERM that has come: the next SIGTERM interrupts again. */
void sigterm_forgive(void);

/* As if SIGTERM came now. */
void sigterm_again(void);

/* poll(2) with a timeout in microseconds, open to SIGTERM. Returns as poll(2); -EINTR if SIGTERM came; or -errno. */
int sigterm_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec);

/* epoll_wait(2) for a single event, without a timeout, open to SIGTERM. 1; -EINTR if SIGTERM came; or -errno. */
int sigterm_epoll(int epoll_fd, struct epoll_event *ret);

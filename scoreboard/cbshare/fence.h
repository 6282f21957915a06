/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fence.h: the command that makes sure that a silent gateway has no connection to any
 * node: it runs until it succeeds, or until the gateway is no longer silent.
 *
 * The shell runs it, with the environment of this program and the silent gateway in
 * $COREBALANCE_GATEWAY. Exit status 0: the gateway is fenced.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FENCE_TIMEOUT_USEC 60000000u /* a command that takes longer is killed */
#define FENCE_AGAIN_USEC 5000000u    /* after a command that failed, the next begins so much later */

/* Sets the shell command of all fences. The text must live until the process ends. */
void fence_setup(const char *command);

/* Begins to fence that gateway. Nothing happens if that is under way. */
void fence_begin(const char *gateway);

/* The gateway is not silent any more: ends what is under way for it. */
void fence_end(const char *gateway);

/* A child has ended and has not been waited for. Whether it was a command, which then has been waited for; *ret_gateway:
 * which gateway is fenced now, NULL if none is; valid until the next call. */
bool fence_ended(pid_t pid, const char **ret_gateway);

/* Ends commands that take too long, and begins those that are due. *ret_next: CLOCK_MONOTONIC of the next call. */
void fence_work(uint64_t *ret_next);

/* Kills all commands that run. */
void fence_clear(void);

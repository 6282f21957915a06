/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * loop.h: cbshare at work: signals, the engine, the gateway, and its children.
 */

#include "gateway.h"
#include "scoreboard.h"

struct loop_setup {
	struct score *score;
	const char *scoreboard;      /* its path */
	struct engine *engine;       /* etcd */
	struct gateway *gateway;
};

/* Signals wait from now on until loop_run() takes them: call it before there are children. 0 or -errno. */
int loop_block_signals(void);

/*
 * Runs until the gateway has left (SIGTERM or SIGINT), or is to stop and keep its
 * shares (SIGUSR1, or a second SIGTERM). 0; or -errno of the scoreboard.
 */
int loop_run(const struct loop_setup *setup);

/* The gateway's hook told: says the event, and notes it. */
void loop_told(void *context, const struct gateway_event *event);

/* The gateway's hook fence: runs the command of --fence for the peer. */
void loop_fence(void *context, const char *peer);

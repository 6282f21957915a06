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

/* Blocks the signals that loop_run() takes. To be called before this process has children. 0 or -errno. */
int loop_block_signals(void);

/*
 * Runs until the gateway has left (SIGTERM or SIGINT), or is told to stop and keep
 * its shares (SIGUSR1, or a second SIGTERM or SIGINT). A gateway that is leaving
 * ends also without the engine, or while it waits for its name, when its lease is
 * over and no slot is busy. An error of the scoreboard is said, and the turn is tried
 * again. 0; or -errno of etcd_turn().
 */
int loop_run(const struct loop_setup *setup);

/* The gateway's hook told: says the event, and notes it. */
void loop_told(void *context, const struct gateway_event *event);

/* The gateway's hook fence: runs the command of --fence for the peer. */
void loop_fence(void *context, const char *peer);

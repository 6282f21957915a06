/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * connect.h: the stage that most checks begin with: a connection to any of the
 * node's addresses, tried in turn until an address takes it.
 */

#include "check.h"

/*
 * Connects to the present address or an address behind it. As struct check's calls, except
 * that with OUTCOME_UP the connection is open in probe->fd: the check goes on
 * with it, and closes it in the end.
 */
enum outcome connect_start(struct probe *probe, uint64_t deadline_usec);
enum outcome connect_ready(struct probe *probe, uint64_t deadline_usec);
enum outcome connect_expired(struct probe *probe, uint64_t deadline_usec);

/* For a check that connects by other means: the connect failed by this errno. Leaves the reason in the probe, and
 * returns the outcome. */
enum outcome connect_failed(struct probe *probe, int error);

/* From now on the probes' descriptors are in that epoll instance, and connect_close() takes them out of it. */
void connect_watched_by(int epoll_fd);

/* Closes the probe's descriptor; harmless if there is none. */
void connect_close(struct probe *probe);

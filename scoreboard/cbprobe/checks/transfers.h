/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * transfers.h: any number of transfers (transfer.h) at the same time. For the pass
 * they are a single descriptor.
 */

struct transfers;

/* Loads libcurl, before any other function of this file is called. A process that is about to lose sight of the library's
 * file calls this first. 0; or -ENOSYS: there is no such library. */
int transfers_load(void);

/* Begins to use libcurl. *ret is the caller's, to be ended by transfers_close(). 0 or -errno. */
int transfers_open(struct transfers **ret);

/* Ends the transfers that are under way, and frees all; NULL is fine. */
void transfers_close(struct transfers *transfers);

/* A descriptor that is readable when transfers_work() has something to do. */
int transfers_fd(const struct transfers *transfers);

/* Does what can be done without waiting. 0 or -errno. */
int transfers_work(struct transfers *transfers);

/* libcurl's handle of all transfers, a CURLM, for transfer.c alone. */
void *transfers_multi(const struct transfers *transfers);

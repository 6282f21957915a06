/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * former.h: the listening sockets of the previous listener, after the service
 * manager has opened others in their place (`systemctl restart
 * corebalance.socket`). Clients stand in their backlogs, and the handshakes of
 * others are under way: both would be reset with the sockets. So a listener passes
 * its sockets to the next listener, by way of the manager's store of descriptors.
 * A port is thus served by the former socket until the new socket is there, and no
 * client is refused.
 */

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

struct formers;

/* What the sockets have in the manager's store as their name. */
#define FORMER_NAME "former-socket"

/* All of it stays the caller's and outlives the formers, but for the descriptors of the former sockets. */
struct formers_setup {
	sd_event *event;
	const int *fds;                    /* the former sockets, non-blocking */
	size_t n_fds;
	const int *present;                /* the sockets that the manager has opened, or has kept */
	size_t n_present;
	void (*on_change)(void *arg);      /* called when a connection has come, or a time is over */
	void *arg;
};

/*
 * Takes the former sockets. Those that are present sockets, too, as after a restart of the service alone, are closed
 * at once. From now on new handshakes go to the socket that the manager has opened at the same address. 0 or -errno.
 * *ret is the caller's, to be ended by formers_free(); NULL: none is left.
 */
int formers_new(const struct formers_setup *setup, struct formers **ret);

/* Closes the sockets, with what is left in their backlogs, and frees. NULL is fine. Returns NULL. */
struct formers *formers_free(struct formers *formers);

/*
 * The listener ends. As formers_free(); but if a connection is left in a backlog, for want of descriptors, say, the manager's
 * store keeps the sockets for the next listener. NULL is fine. Returns NULL.
 */
struct formers *formers_leave(struct formers *formers);

/* The first socket that has a connection in its backlog, which came before all connections of the present sockets. -1:
 * there is none. NULL is fine. */
int formers_first(const struct formers *formers);

/*
 * Closes the sockets that are of no more use: at once those at addresses where the service listens no more, and after a
 * minute, when no handshake is under way, the others. To be called after every change, when what is pending has been
 * accepted. Returns formers, or NULL when no socket is left: then they are freed.
 */
struct formers *formers_settle(struct formers *formers);

/*
 * Passes listening sockets to the service manager, for the next listener. Only sockets that do not keep the manager
 * from opening others at their addresses are passed: unix sockets, and those with SO_REUSEPORT (ReusePort=yes).
 */
void formers_pass_on(const int *fds, size_t n);

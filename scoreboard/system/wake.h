/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * wake.h: how one process wakes another. A waiting process has a datagram
 * socket under an abstract name (unix(7)) that says whose it is: "cb" and its pid.
 * So a process that hides its descriptors can be woken, too. The name stands in its
 * ticket, and an empty datagram to it says "look at your
 * tickets". Nothing is left behind in the file system by a process that is
 * killed, no right to signal the other is needed, and a message to a stranger
 * who got the name later, or too many of them, does no harm: it carries nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WAKE_NAME_SIZE 8 /* as above; where that name is taken, one that the kernel picks: five hexadecimal digits */
#define WAKE_LIST_MAX 64

struct wake_port {
	int fd;              /* -1: none yet */
	char name[WAKE_NAME_SIZE];
	bool asked;          /* somebody wants to know what this process holds, see lost.h */
};

struct wake_list {
	char names[WAKE_LIST_MAX][WAKE_NAME_SIZE];
	size_t n;
	bool ask;            /* not only to look at their tickets */
};

/* Writes the name of a process's port. */
void wake_name(pid_t pid, char ret[static WAKE_NAME_SIZE]);

/* Makes the port if there is none. 0 or -errno. */
int wake_port_open(struct wake_port *port);

/* Closes it; harmless if there is none. */
void wake_port_close(struct wake_port *port);

/* Reads all that has come; whether any of it was about tickets. */
bool wake_port_clear(struct wake_port *port);

/* Notes a name to be woken; true when the list is full and must be sent before the next. */
bool wake_list_add(struct wake_list *list, const char name[static WAKE_NAME_SIZE]);

/* Wakes all names on the list, once each, and empties it. Those that are gone are passed over. */
void wake_list_send(struct wake_list *list, struct wake_port *port);

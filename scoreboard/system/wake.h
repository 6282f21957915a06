/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * wake.h: how one process wakes another. A waiting process has a datagram
 * socket under an abstract name (unix(7)) made of "cb" and its pid. So a process
 * that hides its descriptors can be woken, too. The name is in the process's
 * ticket, and an empty datagram to it says "look at your tickets". A process that
 * is killed leaves nothing behind in the file system, and the sender needs no
 * right to signal the other process. A message too many, or to a process that got
 * the name later, does no harm: it carries nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WAKE_NAME_SIZE 8 /* if that name is taken, the kernel picks one of five hexadecimal digits */
#define WAKE_LIST_MAX 64

struct wake_port {
	int fd;              /* -1: none yet */
	char name[WAKE_NAME_SIZE];
	bool asked;          /* another process wants to know what this process holds, see lost.h */
};

struct wake_list {
	char names[WAKE_LIST_MAX][WAKE_NAME_SIZE];
	size_t n;
	bool ask;            /* ask also what they hold, see lost.h */
};

/* Writes the name of a process's port. */
void wake_name(pid_t pid, char ret[static WAKE_NAME_SIZE]);

/* Opens the port if it is not open. 0 or -errno. */
int wake_port_open(struct wake_port *port);

/* Closes the port; harmless if it is not open. */
void wake_port_close(struct wake_port *port);

/* Reads all that has come. Returns whether any of it was about tickets. */
bool wake_port_clear(struct wake_port *port);

/* Adds a name to be woken. true: the list is full and must be sent before the next name is added. */
bool wake_list_add(struct wake_list *list, const char name[static WAKE_NAME_SIZE]);

/* Wakes each process on the list once, and empties the list. A process that has ended is passed over. */
void wake_list_send(struct wake_list *list, struct wake_port *port);

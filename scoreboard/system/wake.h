/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * wake.h: how one process wakes another. A waiting process has a datagram
 * socket under an abstract name (unix(7)) made of "cb", its pid, and its farm: the
 * folder and the name of the scoreboard. So a process that hides its descriptors
 * can be woken, too, and can be told from a process of another farm. The first part
 * of the name is in the process's ticket, the farm is that of the scoreboard. An
 * empty datagram to it says "look at your tickets". A process that is killed leaves
 * nothing behind in the file system, and the sender needs no right to signal the
 * other process. A message too many, or to a process that got the name later, does
 * no harm: it carries nothing.
 *
 * If that name is taken, the kernel picks a name of five hexadecimal digits. Such a
 * name is in the ticket as a whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define WAKE_NAME_SIZE 8   /* what a ticket has of the name */
#define WAKE_FARM_SIZE 11  /* the farm, as the names of its ports end */
#define WAKE_FULL_SIZE (WAKE_NAME_SIZE + WAKE_FARM_SIZE)
#define WAKE_LIST_MAX 64

/* A farm, as the names of its ports say it. */
struct wake_farm {
	char digits[WAKE_FARM_SIZE];
};

struct wake_port {
	int fd;              /* -1: none yet */
	struct wake_farm farm;
	char name[WAKE_NAME_SIZE];
	bool asked;          /* another process wants to know what this process holds, see lost.h */
};

struct wake_list {
	char names[WAKE_LIST_MAX][WAKE_NAME_SIZE];
	size_t n;
	bool ask;            /* ask also what they hold, see lost.h */
};

/* The farm whose scoreboard has that name in that folder. */
struct wake_farm wake_farm_of(const struct stat *folder, const char *name);

/* Writes the first part of the name of a process's port. */
void wake_name(pid_t pid, char ret[static WAKE_NAME_SIZE]);

/* The pid in the first part of such a name; 0: there is none. */
pid_t wake_pid_of(const char name[static WAKE_NAME_SIZE]);

/* What a name of an abstract socket says of it. */
enum wake_kind {
	WAKE_NO_PORT,
	WAKE_PICKED,     /* it may be a port's, by a name that the kernel picked */
	WAKE_OF_FARM,    /* it is a port of the farm's */
	WAKE_OF_ANOTHER, /* of another farm's */
};

/* Which of these the socket of that name is, for a process of the farm. Never fails. */
enum wake_kind wake_kind_of(const char *name, const struct wake_farm *farm);

/* Opens the port if it is not open. 0 or -errno. */
int wake_port_open(struct wake_port *port);

/* Closes the port, which keeps its farm; harmless if it is not open. */
void wake_port_close(struct wake_port *port);

/* Reads all that has come. Returns whether any of it was about tickets. */
bool wake_port_clear(struct wake_port *port);

/* Adds a name to be woken. true: the list is full and must be sent before the next name is added. */
bool wake_list_add(struct wake_list *list, const char name[static WAKE_NAME_SIZE]);

/* Wakes each process on the list once, and empties the list. A process that has ended is passed over. */
void wake_list_send(struct wake_list *list, struct wake_port *port);

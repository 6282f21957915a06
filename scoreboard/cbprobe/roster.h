/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * roster.h: the nodes of a pass, and their present addresses.
 */

#include "cbprobe/checks/checkup.h"
#include "settings.h"
#include "cbprobe/checks/probe.h"

struct names;

struct roster {
	struct probe *probes;
	size_t n, room;
	struct names *names;     /* NULL: there are none */
	size_t n_talking;          /* of the nodes, how many have a check that talks */
	struct checkups checkups;
};

/*
 * Lists the nodes of the scoreboard that are to be checked, with their previous
 * addresses. 0 or -errno; the caller ends *ret with roster_clear() either way.
 */
int roster_load(struct score *score, struct roster *ret);

/* Begins to resolve the names of nodes in the background. Sets probe->naming for each node with a name. *ret_fd becomes
 * readable when roster_answer() is to be called; -1: there are no names. 0 or -errno. */
int roster_ask(struct roster *roster, int *ret_fd);

/*
 * Takes the answers: addresses that have changed and names that do not exist
 * go to the scoreboard. answered is called for each probe with a name: with
 * probe->naming off if the name is settled, on if it will be asked for again; with
 * probe->moved if the addresses differ from before; with no addresses if the node
 * must not be checked. 0 or -errno.
 */
int roster_answer(struct roster *roster, struct score *score, const struct settings *settings,
		  void (*answered)(struct probe *probe, void *arg), void *arg);

/* Frees what the roster holds; waits for names that are still asked for. */
void roster_clear(struct roster *roster);

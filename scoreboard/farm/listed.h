/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * listed.h: puts what a node list says of a node into the record of a node that
 * the farm has. The functions with an entry are for layout_revise().
 */

#include "records/index.h"
#include "records/node.h"
#include "system/resolve.h"

/*
 * Takes over the configuration. The node's health stays. A hold in the list counts
 * only when it was changed there, so that loading the same list again does not undo
 * what an administrator did since. Returns whether anything changes.
 */
bool listed_take_config(struct node_record *record, const struct node_config *config);

/* A line of the list. */
struct listed_line {
	const struct node_config *config;
	const struct resolve_request *resolved; /* may be NULL */
	bool only_addresses;
};

/* Takes over a line, arg: the configuration and the addresses. entry may be NULL. Returns whether anything changes. */
int listed_take_line(struct node_record *record, struct index_entry *entry, void *arg);

/* The list has the node no more: it is to go. arg is not used. Returns whether anything changes. */
int listed_drain(struct node_record *record, struct index_entry *entry, void *arg);

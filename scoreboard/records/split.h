/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * split.h: how several gateways share the cores of a farm's nodes without a word
 * between them. Each gateway gets the same part of every node. What does not divide
 * is dealt round, and the node's name says with which gateway that begins.
 *
 * A node's name and its cores alone decide, and not its position: while one gateway
 * has loaded a changed list and another has not, nodes stand at different
 * positions in them, and must be divided alike all the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPLIT_PARTS_MAX 1000u
#define SPLIT_LEASED UINT32_MAX /* as a number of parts: a program leases the cores of each node, see score_set_lease() */
#define SHARE_NONE UINT32_MAX /* a node that is not shared: this gateway may use all of its cores */

/* Stored in the farm's record as it is, but for SPLIT_LEASED, of which the record has the lease. */
struct split {
	uint32_t part;         /* which of the parts is this gateway's, from 1 on; 0 with parts above 0: it is not known */
	uint32_t parts;        /* how many gateways there are; 0: the farm is not split */
};

#define SPLIT_TEXT_MAX 24
#define SPLIT_SYNTAX "PART/PARTS, as 1/2, of at most 1000, leased or none"

/* Reads "1/2", "leased" or "none". 0 or -EINVAL. */
int split_parse(const char *text, struct split *ret);

/* Whether the shares are leased, and not parts of a fixed number. */
bool split_is_leased(const struct split *split);

/* Writes the split as split_parse() reads it; a split that is not known as "unknown". Returns ret. */
const char *split_format(const struct split *split, char ret[static SPLIT_TEXT_MAX]);

/* How many of a node's cores are this gateway's; SHARE_NONE if the farm is not split. The shares of all parts together
 * are the cores. */
uint32_t split_share(const struct split *split, const char *name, uint32_t cores);

/* How many of a node's cores are this gateway's: its share, or all cores if the node is not shared. */
uint32_t share_of(uint32_t share, uint32_t cores);

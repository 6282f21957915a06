/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * nodelist.h: the node list as people write it, corebalance-nodes(5): a line for
 * each node, "host, port, cores, flags [, key=value]...". A reading collects all
 * errors of the list, each a line fit to be shown, and never stops at the first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "system/proxy_header.h"

#define BN_DOWN UINT32_C(0x80000000) /* unavailable: the word of health checks and failed connects */
#define BN_HOLD UINT32_C(0x40000000) /* taken out: the word of an administrator */

#define NODE_HOST_MAX 253            /* bytes of a host name, without its NUL */
#define NODE_NAME_MAX 263            /* "[host]:65535" */
#define NODE_CHECK_MAX 255
#define NODE_DETAIL_MAX 79
#define NODE_FINGERPRINT_MAX 79
#define NODE_CORES_MAX 65535u
#define LIST_CORES_MAX 2000000u      /* of all nodes together: each core is a slot of some 190 bytes in the scoreboard */
#define NODES_MAX 1000000u

/* One node as configured. */
struct node_config {
	char name[NODE_NAME_MAX + 1]; /* host:port, IPv6 in brackets: what a node is called everywhere */
	char host[NODE_HOST_MAX + 1]; /* without brackets, in the form of host_syntax.h */
	uint16_t port;
	uint32_t cores;
	uint32_t flags;               /* BN_DOWN, BN_HOLD as written */
	double speed;                 /* pinned by speed=; 0: to be learned */
	bool backup;
	bool silent;                  /* it may end a connection without an answer; that is no failure */
	uint16_t smt;                 /* smt= in thousandths; 0: not given, as 1000 */
	enum proxy_version proxy, check_proxy;
	char check[NODE_CHECK_MAX + 1]; /* check= as written; empty: tcp */
};

struct nodelist {
	struct node_config *nodes;
	size_t n_nodes, room_nodes;
	char **errors;                /* "nodes.conf:3: cores: \"0\": expected 1 to 65535" */
	size_t n_errors, room_errors;
	char *path;                   /* real path of the file; NULL: the list came from no file */
	bool adopt;                   /* set by the caller: a farm that was made from another list takes this list */
};

/*
 * Reads a node list. 0: *ret holds its nodes and errors; look at n_errors before
 * using it. -errno if the file cannot be read at all, -EFBIG if it is larger than
 * any node list, -ENODATA if it is a named pipe into which no process has written for five
 * seconds: then *ret is empty. The caller ends *ret with nodelist_clear(),
 * whatever was returned.
 */
int nodelist_read(const char *path, struct nodelist *ret);

/* As nodelist_read(), from a stream up to its end; name stands for it in messages. -EFBIG: more than 64 MiB. */
int nodelist_read_stream(FILE *file, const char *name, struct nodelist *ret);

/* As nodelist_read(), from size bytes of text; name stands for the file in messages. 0 or -ENOMEM. */
int nodelist_parse(const char *name, const char *text, size_t size, struct nodelist *ret);

/* Adds a node that is already in parts: host, port and cores are checked as in a file; place stands
 * before the message ("argument 2"). 0; 1 if the node was refused and an error was added; or -ENOMEM. */
int nodelist_add(struct nodelist *list, const char *place, const char *host, const char *port, const char *cores);

#define NODELIST_ERRORS_SHOWN 20u /* of a list; so a wrong file fills no journal */

/* Calls tell with a line for each error, for the first most errors; then, if the list has more, with a line that says how
 * many. A line is valid within the call. */
void nodelist_tell_errors(const struct nodelist *list, size_t most, void (*tell)(const char *line));

/* Frees what the list holds and empties it. */
void nodelist_clear(struct nodelist *list);

/* Writes "host:port" or "[v6]:port" into ret. */
void node_name(const char *host, uint16_t port, char ret[static NODE_NAME_MAX + 1]);

/* Whether both nodes are configured alike. */
bool node_config_equal(const struct node_config *a, const struct node_config *b);

/* Writes a node as a line of a node list, without the newline. Returns snprintf's count. */
int node_config_format(const struct node_config *config, char *buffer, size_t size);

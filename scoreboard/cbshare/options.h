/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * options.h: the command line of cbshare(8).
 */

#include "command/farm_options.h"
#include "gateway.h"

struct options {
	struct farm_options farm;    /* which farm; the first member, see farm_options.h */
	const char *members;         /* of --engine, behind "etcd:" */
	const char *login;           /* --login, a file, or NULL */
	const char *fence;           /* --fence exec: the command, or NULL */
	uint64_t fence_wait_usec;    /* --fence wait: */
	uint64_t lease_usec, margin_usec;
	char name[GATEWAY_NAME_MAX + 1];
};

/*
 * Reads the command line. 0: *ret is filled. 1: the program has done what was
 * asked (--help, --version) and ends well. -EINVAL: the mistake has been told
 * on stderr. -EIO: stdout failed, which has been told.
 */
int options_parse(int argc, char **argv, struct options *ret);

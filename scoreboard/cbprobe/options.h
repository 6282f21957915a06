/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * options.h: the command line of cbprobe(8).
 */

#include "command/farm_options.h"
#include "settings.h"

struct options {
	struct farm_options farm;  /* which farm; the first member, see farm_options.h */
	const char *file;          /* --file, or NULL */
	const char *notify;        /* --notify, or NULL */
	const char *user;          /* --user, or NULL */
	const char *chroot;        /* --chroot, or NULL */
	uint64_t interval_usec;    /* --interval; 0: a single pass */
	struct settings pass;
};

/*
 * Reads the command line. 0: *ret is filled. 1: the program has done what was
 * asked (--help, --version) and ends well. -EINVAL: the mistake has been told
 * on stderr. -EIO: stdout failed, which has been told.
 */
int options_parse(int argc, char **argv, struct options *ret);

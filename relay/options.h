/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * options.h: the command line of cbrelay(8).
 */

#include "command/farm_options.h"
#include "settings.h"

struct options {
	struct farm_options farm;  /* which farm; the first member, see farm_options.h */
	const char *user;          /* --user, or NULL */
	struct settings settings;
	const char *share;         /* $SHARE: what split is, or NULL */
	struct split split;        /* this gateway's part of each node */
	char **arguments;          /* what is not an option */
	int n_arguments;
};

/*
 * Reads the command line. 0: *ret is filled. 1: the program has done what was
 * asked (--help, --version) and ends well. -EINVAL: the mistake has been told
 * on stderr. -EIO: stdout failed, which has been told.
 */
int options_parse(int argc, char **argv, struct options *ret);

/* Tells a mistake of the command line as a whole on stderr, with a pointer to --help. */
void options_complain(const char *what);

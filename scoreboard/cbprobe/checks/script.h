/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * script.h: the file of check=chat:FILE, see corebalance-nodes(5): what is
 * said to a node and what it must answer, a step a line.
 */

#include <stddef.h>

#include "list/pattern.h"

#define SCRIPT_STEPS_MAX 64u

struct script_step {
	unsigned line;      /* in the file */
	char *text;         /* to be sent; NULL: an answer that matches the pattern is expected */
	size_t size;
	struct pattern *pattern;
};

struct script {
	struct script_step *steps;
	size_t n;
};

/* Reads a script. 0; -EINVAL after a message for each error; or -ENOMEM. At 0 the caller ends *ret with
 * script_clear(). */
int script_read(const char *path, struct script *ret);

/* Frees what the script holds. */
void script_clear(struct script *script);

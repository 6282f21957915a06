/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * completion.h: what the Tab key offers in the verb shell, from the same tables as
 * --help: verbs, their options, columns, nodes, slots, clients and keys.
 */

#include "context.h"

/* Has readline(3) complete lines of verbs from now on. The context must live as long as lines are read. */
void completion_use(const struct context *context);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * here.h: which addresses are this machine's own. What answers there says
 * nothing about the network.
 */

#include <stdbool.h>

#include "scoreboard.h"

/* Whether there is no way from the address but within this machine; also if that cannot be told for want of
 * descriptors or memory. */
bool here_is(const struct score_address *address);

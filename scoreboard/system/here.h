/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * here.h: which addresses are this machine's own. An answer from such an address
 * says nothing about the network.
 */

#include <stdbool.h>

#include "address.h"

/* Whether the address is this machine's own. Also true if that cannot be told for want of descriptors or memory. */
bool here_is(const struct score_address *address);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm_name.h: what a farm is called where several are seen side by side.
 */

#include "context.h"

#define FARM_NAME_MAX 63

/* "ci" for /run/corebalance/ci.tdb, and "corebalance" for the standard scoreboard; cut if it is longer. Returns name. */
const char *farm_name(const struct context *context, char name[static FARM_NAME_MAX + 1]);

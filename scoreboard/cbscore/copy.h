/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * copy.h: the copy of the farm that a verb tells of.
 */

#include "context.h"
#include "web/snapshot.h"

/* Copies the farm, for a verb that only looks. STATUS_OK and *ret, which the caller ends with snapshot_clear(); or
 * another status, and the error was told. */
int copy_farm(struct context *context, struct snapshot *ret);

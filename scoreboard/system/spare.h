/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * spare.h: memory that a process has used and does not need while it sleeps.
 */

#include <stddef.h>

/* Gives the pages that lie wholly within these bytes back to the kernel: they read as zero afterwards. The bytes before
 * the first and behind the last such page stay as they are. */
void spare_bytes(void *at, size_t size);

/* The same for what earlier calls have left behind on the stack of the process's first thread, which is the caller. */
void spare_stack(void);

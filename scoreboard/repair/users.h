/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * users.h: which processes have the scoreboard open, by /proc. When it can
 * no longer be read who holds a slot, it is one of them or nobody.
 */

#include <stddef.h>
#include <sys/stat.h>

#include "system/holder.h"

/*
 * All that have the file open, or may have it: cbrelays and cbprobes whose
 * descriptors are hidden from us, too. wake: each wake-up port (see wake.h)
 * that they have is sent an empty datagram, so that they look. *ret is the
 * caller's to free. 0 or -errno.
 */
int users_find(const struct stat *file, bool wake, struct holder **ret, size_t *ret_n);

/* Whether a process that lives has the file open, or may have it as its descriptors are hidden from us. */
bool users_may_have(const struct stat *file, const struct holder *holder);

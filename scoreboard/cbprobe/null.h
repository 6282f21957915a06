/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * null.h: /dev/null for the commands that we start, opened while there is one:
 * in the folder of --chroot there need not be any.
 */

/* Opens it. 0 or -errno. */
int null_setup(void);

/* Its descriptor, for reading and writing, above 2; closed by exec. Ours. */
int null_fd(void);

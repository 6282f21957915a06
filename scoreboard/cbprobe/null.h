/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * null.h: /dev/null for the commands that cbprobe starts. It is opened early, as
 * the folder of --chroot need not have a /dev/null.
 */

/* Opens it. 0 or -errno. */
int null_setup(void);

/* The descriptor, for reading and writing, above 2, close-on-exec. It stays this file's. */
int null_fd(void);

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "null.h"

#include <errno.h>
#include <fcntl.h>

static int fd = -1;

int null_setup(void)
{
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

int null_fd(void)
{
	return fd;
}

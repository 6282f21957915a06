/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_ (1024 * 1024)

int plain_file_open(const char *path, const char **ret_why)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		*ret_why = strerror(errno);
	else if (!S_ISREG(st.st_mode) || st.st_size > SIZE_MAX_)
		*ret_why = "expected a regular file of at most 1 MB";
	else
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

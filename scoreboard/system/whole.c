/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "whole.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

int whole_read(int fd, void *bytes, size_t size, size_t *ret)
{
	for (*ret = 0; *ret < size;) {
		ssize_t n = pread(fd, (char *)bytes + *ret, size - *ret, (off_t)*ret);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			*ret += (size_t)n;
	}
	return 0;
}

int whole_write(int fd, const void *bytes, size_t size)
{
	for (size_t written = 0; written < size;) {
		ssize_t n = write(fd, (const char *)bytes + written, size - written);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			written += (size_t)n;
	}
	return 0;
}

int whole_open(const char *path, off_t most, FILE **ret)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	*ret = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & S_IWOTH) && st.st_size <= most ? fdopen(fd, "r") : NULL;
	if (*ret)
		return 0;
	(void)close(fd);
	return -EKEYREVOKED;
}

int whole_replace_by(const char *path, whole_fill *fill, const void *arg)
{
	struct folder_file file = { .fd = -1 };
	struct folder_stay stay;
	struct folder folder;
	int r = folder_open(path, &folder);

	if (r < 0)
		return r;
	r = folder_enter(&folder, &stay);
	if (r == 0) {
		r = folder_make(&folder, &file) ?: fill(&folder, file.fd, arg) ?: folder_replace(&folder, &file, folder.name);
		folder_file_close(&folder, &file);
		folder_leave(&stay);
	}
	folder_close(&folder);
	return r;
}

struct words {
	const char *text;
	bool lasting;
};

static int fill_with_words(const struct folder *folder, int fd, const void *arg)
{
	const struct words *words = arg;
	int r = whole_write(fd, words->text, strlen(words->text));

	(void)folder;
	/* A member of the group writes what the services read. The file's group is the folder's. */
	if (r == 0 && (fchmod(fd, 0660) < 0 || (words->lasting && fsync(fd) < 0)))
		r = -errno;
	return r;
}

int whole_replace(const char *path, const char *text, bool lasting)
{
	return whole_replace_by(path, fill_with_words, &(struct words){ .text = text, .lasting = lasting });
}

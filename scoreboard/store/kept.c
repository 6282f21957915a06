/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPIES_SEEN 1024u /* more copies than these are removed the next time */

struct copies {
	char *names[COPIES_SEEN];
	size_t n;
};

static bool is_copy(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(name, prefix, length) == 0 && name[length + strspn(name + length, "0123456789T.")] == '\0';
}

/* Finds the copies but newest. */
static void find_copies(int fd, const char *prefix, const char *newest, struct copies *ret)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		(void)close(fd);
		return;
	}
	while (ret->n < COPIES_SEEN && (entry = readdir(dir))) {
		if (!is_copy(entry->d_name, prefix) || (newest && strcmp(entry->d_name, newest) == 0))
			continue;
		ret->names[ret->n] = strdup(entry->d_name);
		if (ret->names[ret->n])
			ret->n++;
	}
	(void)closedir(dir);
}

/* The date orders the copies by age, and so does the number of a copy that was made in the same second as another. */
static int compare_age(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

void kept_trim(const struct folder *folder, const char *newest)
{
	size_t others = newest ? KEPT_MAX - 1 : KEPT_MAX;
	struct copies copies = { .n = 0 };
	struct folder_stay stay;
	char *prefix;
	int fd;

	if (asprintf(&prefix, "%s.damaged-", folder->name) < 0)
		return;
	if (folder_enter(folder, &stay) == 0) {
		fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			find_copies(fd, prefix, newest, &copies);
		if (copies.n > 0)
			qsort(copies.names, copies.n, sizeof(copies.names[0]), compare_age);
		for (size_t i = 0; i + others < copies.n; i++)
			(void)unlinkat(folder->fd, copies.names[i], 0);
		folder_leave(&stay);
	}
	for (size_t i = 0; i < copies.n; i++)
		free(copies.names[i]);
	free(prefix);
}

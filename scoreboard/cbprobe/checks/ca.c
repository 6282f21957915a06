/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ca.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain_file.h"
#include "system/folder.h"

struct ca {
	char *path;
	char name[32]; /* empty: there is no /proc */
	unsigned users;
	int fd;
	struct ca *next;
};

static struct ca *all;

static struct ca *find(const char *path, unsigned *ret_count)
{
	struct ca *ca;

	*ret_count = 0;
	for (ca = all; ca && strcmp(ca->path, path) != 0; ca = ca->next)
		(*ret_count)++;
	return ca;
}

static void forget(struct ca *ca)
{
	if (ca->fd >= 0)
		(void)close(ca->fd);
	free(ca->path);
	free(ca);
}

static int make(const char *path, struct ca **ret, const char **ret_why)
{
	struct ca *ca = calloc(1, sizeof(*ca));

	if (!ca)
		return -ENOMEM;
	ca->fd = plain_file_open(path, ret_why);
	ca->path = strdup(path);
	if (ca->fd < 0 || !ca->path) {
		int r = ca->fd < 0 ? -EINVAL : -ENOMEM;

		forget(ca);
		return r;
	}
	if (!folder_path_of(ca->fd, ca->name))
		ca->name[0] = '\0';
	ca->next = all;
	*ret = all = ca;
	return 0;
}

int ca_open(const char *path, struct ca **ret, const char **ret_why)
{
	unsigned count;
	int r = 0;

	*ret = find(path, &count);
	if (!*ret && count == CA_MAX) {
		*ret_why = "expected no more than 64 such files";
		return -EINVAL;
	}
	if (!*ret)
		r = make(path, ret, ret_why);
	if (r == 0)
		(*ret)->users++;
	return r;
}

const char *ca_name(const struct ca *ca)
{
	return *ca->name ? ca->name : ca->path;
}

void ca_close(struct ca *ca)
{
	struct ca **link = &all;

	if (!ca || --ca->users > 0)
		return;
	while (*link != ca)
		link = &(*link)->next;
	*link = ca->next;
	forget(ca);
}

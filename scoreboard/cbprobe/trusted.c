/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * trusted.c: the list is looked at once for each command and pass, and read
 * when it is another file or was written since. Owner and mode are those of the
 * descriptor that is read, so it does not matter if another file replaces the list
 * meanwhile.
 */

#include "trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "list/check_syntax.h"
#include "list/nodelist.h"
#include "system/folder.h"
#include "system/grow.h"
#include "system/whole.h"

#define LIST_SIZE_MAX (256 * 1024 * 1024)

static struct {
	const char *path;
	struct stat st;        /* of the file that was read */
	bool is_read;
	char *problem;         /* why nothing in it is trusted, or NULL */
	char **commands;       /* the commands in the list */
	size_t n_commands, room;
} list;

static bool is_same(const struct stat *a, const struct stat *b)
{
	return is_same_file(a, b) && a->st_size == b->st_size && a->st_uid == b->st_uid &&
	       a->st_mode == b->st_mode && memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0 &&
	       memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) == 0;
}

static void forget(void)
{
	for (size_t i = 0; i < list.n_commands; i++)
		free(list.commands[i]);
	free(list.commands);
	free(list.problem);
	list.commands = NULL;
	list.n_commands = list.room = 0;
	list.problem = NULL;
	list.is_read = false;
}

static int keep_command(const char *command)
{
	if (GROW(list.commands, list.n_commands, list.room) < 0)
		return -ENOMEM;
	list.commands[list.n_commands] = strdup(command);
	if (!list.commands[list.n_commands])
		return -ENOMEM;
	list.n_commands++;
	return 0;
}

/* Whether the command was kept last: the same command need be kept only once, and nodes that share it mostly stand
 * together. */
static bool is_last(const char *command)
{
	return list.n_commands > 0 && strcmp(list.commands[list.n_commands - 1], command) == 0;
}

static int take_commands(const char *text, size_t size)
{
	struct nodelist nodes = { 0 };
	char expected[EXPECTED_MAX];
	struct check_syntax syntax;
	int r = nodelist_parse(list.path, text, size, &nodes);

	for (size_t i = 0; r == 0 && i < nodes.n_nodes; i++)
		if (strstr(nodes.nodes[i].check, "exec:") && check_syntax_parse(nodes.nodes[i].check, &syntax, expected) == 0 &&
		    strcmp(syntax.name, "exec") == 0 && !is_last(syntax.argument))
			r = keep_command(syntax.argument);
	nodelist_clear(&nodes);
	return r;
}

/* Takes the commands of a list of size bytes. 0 or -errno. */
static int take_list(int fd, size_t size)
{
	char *text = malloc(size + 1);
	size_t had;
	int r = text ? whole_read(fd, text, size, &had) : -ENOMEM;

	if (r == 0)
		r = had == size ? take_commands(text, size) : -EIO;
	free(text);
	return r;
}

static int read_list(int fd, const struct stat *st)
{
	int r;

	forget();
	if (!S_ISREG(st->st_mode) || st->st_size > LIST_SIZE_MAX)
		r = asprintf(&list.problem, "%s is no regular file", list.path);
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		r = asprintf(&list.problem, "%s belongs to neither root nor the prober's user", list.path);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		r = asprintf(&list.problem, "%s can be written by others than its owner", list.path);
	else
		r = take_list(fd, (size_t)st->st_size);
	list.st = *st;
	list.is_read = r >= 0;
	return r < 0 ? -ENOMEM : 0;
}

/* Reads the list again if it has changed. 0, or -errno: nothing could be read now. */
static int refresh(void)
{
	struct stat st;
	int r = 0, fd = open(list.path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!list.is_read || !is_same(&st, &list.st))
		r = read_list(fd, &st);
	(void)close(fd);
	return r;
}

void trusted_list(const char *path)
{
	list.path = path;
	(void)refresh();
}

bool trusted_command(const char *command, char why[static TRUSTED_WHY_MAX])
{
	int r = list.path ? refresh() : -ENOENT;

	for (size_t i = 0; i < list.n_commands; i++)
		if (strcmp(list.commands[i], command) == 0)
			return true;
	if (list.problem)
		(void)snprintf(why, TRUSTED_WHY_MAX, "%s", list.problem);
	else if (r < 0)
		(void)snprintf(why, TRUSTED_WHY_MAX, "%s: %s", list.path ? list.path : "node list", strerror(-r));
	else
		(void)snprintf(why, TRUSTED_WHY_MAX, "%s does not have this command", list.path);
	return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * metrics.c: the verb metrics: the farm's figures for Prometheus, also as a file
 * for the textfile collector of its node_exporter.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/folder.h"
#include "system/whole.h"
#include "verbs.h"
#include "web/prometheus.h"

static const char *arg_file;   /* NULL: standard output */

/* Writes all of the figures to the file, for every user to read. 0 or -errno. */
static int fill_file(int fd, const struct snapshot *snapshot)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), r = 0;
	FILE *file = copy < 0 ? NULL : fdopen(copy, "w");

	if (!file) {
		r = -errno;
		if (copy >= 0)
			(void)close(copy);
		return r;
	}
	form_write(file, &prometheus_form, snapshot);
	if (ferror(file) || fflush(file) != 0 || fchmod(fd, 0644) < 0)
		r = -errno;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	return r;
}

/* Whether the name is free, or a regular file has it: 0. -EBADMSG: something else has it, such as a device, which must not
 * be replaced. Or another -errno. */
static int check_name(const struct folder *folder)
{
	struct stat st;
	int fd, r = folder_find(folder, folder->name, &fd, &st);

	if (r == 0)
		(void)close(fd);
	return r == -ENOENT ? 0 : r == -ELOOP ? -EBADMSG : r;
}

/* 0, or -errno; -EBADMSG: as check_name(). */
static int fill_regular(const struct folder *folder, int fd, const void *snapshot)
{
	return check_name(folder) ?: fill_file(fd, snapshot);
}

static int metrics(const struct context *context, const struct snapshot *snapshot)
{
	int r = 0;

	(void)context;
	if (!arg_file)
		form_write(stdout, &prometheus_form, snapshot);
	else if ((r = whole_replace_by(arg_file, fill_regular, snapshot)) < 0)
		complain("%s: %s", arg_file, r == -EBADMSG ? "expected a regular file, or none" : strerror(-r));
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

OPTION_TEXT(set_file, arg_file)

static const struct option_row rows[] = {
	{ "file", 0, "PATH", "replace this file, in one step", "standard output", "a file", set_file, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_metrics = {
	.verb = {
		.name = "metrics", .arguments = "", .help = "write the farm's figures for Prometheus",
		.options = { &options },
	},
	.tell = metrics,
};

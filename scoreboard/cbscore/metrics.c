/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * metrics.c: the verb metrics: the farm's figures for Prometheus, also as a file
 * for the textfile collector of its node_exporter.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verbs.h"
#include "web/prometheus.h"

static const char *arg_file;   /* NULL: standard output */

/* Opens a new file that replaces path when it is complete. Its name is in *ret_name, which the caller frees. */
static FILE *begin_file(const char *path, char **ret_name)
{
	FILE *file = NULL;
	int fd;

	if (asprintf(ret_name, "%s.XXXXXX", path) < 0) {
		*ret_name = NULL;
		return NULL;
	}
	fd = mkostemp(*ret_name, O_CLOEXEC);
	if (fd < 0) {
		free(*ret_name);
		*ret_name = NULL;
		return NULL;
	}
	if (fchmod(fd, 0644) == 0)
		file = fdopen(fd, "w");
	if (!file)
		(void)close(fd);
	return file;
}

/* Writes the file so that a reader sees either the old file or the whole new file. 0 or -errno. */
static int replace_file(const char *path, const struct snapshot *snapshot)
{
	char *name;
	FILE *file = begin_file(path, &name);
	int r = file ? 0 : -errno;

	if (file) {
		form_write(file, &prometheus_form, snapshot);
		if (ferror(file) || fflush(file) != 0)
			r = -errno;
		if (fclose(file) != 0 && r == 0)
			r = -errno;
	}
	if (r == 0 && rename(name, path) < 0)
		r = -errno;
	if (r < 0 && name)
		(void)unlink(name);
	free(name);
	return r;
}

static int metrics(const struct context *context, const struct snapshot *snapshot)
{
	int r = 0;

	(void)context;
	if (!arg_file)
		form_write(stdout, &prometheus_form, snapshot);
	else if ((r = replace_file(arg_file, snapshot)) < 0)
		complain("%s: %s", arg_file, strerror(-r));
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

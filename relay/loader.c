/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "loader.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "child.h"
#include "list/nodelist.h"
#include "system/log.h"
#include "report.h"
#include "system/timespan.h"

struct loader {
	struct loader_setup setup;
	sd_event_source *child;                /* the process that loads, or NULL */
	bool again;                            /* another load was asked for meanwhile */
};

/* In the child: reads the list into the scoreboard. Returns its exit status. */
static int load(const struct loader *loader)
{
	struct score_load_result result = { 0 };
	const char *path = loader->setup.nodes;
	char text[2 * SCORE_LIST_MAX + 128];
	struct nodelist list;
	int unread = nodelist_read(path, &list), r = unread;

	report_mistakes(&list);
	if (r == 0 && list.n_errors == 0)
		r = score_load(loader->setup.score, &list, &result);
	if (r == -EMEDIUMTYPE && score_check_list(loader->setup.score, path, text, sizeof(text)) == r)
		report_message(LOG_ERR, "the scoreboard was %s; the nodes stay as they were", text);
	else if (r < 0)
		report_message(LOG_ERR, "%s: %s; the nodes stay as they were", path,
			       unread < 0 ? strerror(-unread) : score_strerror(r));
	else if (list.n_errors > 0)
		report_message(LOG_ERR, "%s: %zu error%s; the nodes stay as they were", path, list.n_errors,
			       list.n_errors == 1 ? "" : "s");
	else
		report_message(LOG_INFO, "%s: %u added, %u changed, %u draining, %u removed, %u kept", path,
			       result.added, result.changed, result.draining, result.removed, result.kept);
	if (r == 0 && list.n_errors == 0) {
		if (list.n_nodes == 0)
			report_no_nodes(path);
		mirror_tell(loader->setup.score, loader->setup.entrances);
	}
	r = r < 0 || list.n_errors > 0 ? EX_CONFIG : EX_OK;
	nodelist_clear(&list);
	return r;
}

/* In the child. */
static _Noreturn void run(const struct loader *loader)
{
	log_by_stderr();
	_exit(child_begin(loader->setup.score, &loader->setup.journal_fd, 1) < 0 ? EX_OSERR : load(loader));
}

static void start(struct loader *loader);

static int on_loaded(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct loader *loader = arg;

	(void)source;
	(void)info;
	loader->child = sd_event_source_disable_unref(loader->child);
	(void)sd_notify(0, "READY=1");
	if (loader->again)
		start(loader);
	loader->setup.on_change(loader->setup.arg);
	return 0;
}

static void start(struct loader *loader)
{
	pid_t pid;
	int r;

	loader->again = false;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_monotonic());
	pid = fork();
	if (pid == 0)
		run(loader);
	r = pid < 0 ? -errno : sd_event_add_child(loader->setup.event, &loader->child, pid, WEXITED, on_loaded, loader);
	if (r < 0) {
		report_message(LOG_ERR, "cannot load %s: %s", loader->setup.nodes, strerror(-r));
		(void)sd_notify(0, "READY=1");
	}
}

int loader_new(const struct loader_setup *setup, struct loader **ret)
{
	struct loader *loader = calloc(1, sizeof(*loader));

	if (!loader)
		return -ENOMEM;
	loader->setup = *setup;
	*ret = loader;
	return 0;
}

struct loader *loader_free(struct loader *loader)
{
	if (loader)
		sd_event_source_disable_unref(loader->child);
	free(loader);
	return NULL;
}

void loader_load(struct loader *loader)
{
	if (!loader->setup.nodes)
		report_message(LOG_NOTICE, "SIGHUP: the nodes came from the command line; there is no list to load");
	else if (loader->child)
		loader->again = true; /* the list may have changed since it was read */
	else
		start(loader);
}

bool loader_is_busy(const struct loader *loader)
{
	return loader->child != NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sources.c: an event of a source bears the address of its place in the table,
 * which no probe has.
 */

#include "sources.h"

#include <errno.h>
#include <sys/epoll.h>

#include "cbprobe/checks/checkup.h"

static bool is_open(const struct sources *sources, const struct source *source)
{
	for (size_t i = 0; i < sources->n; i++)
		if (sources->all[i] == source)
			return true;
	return false;
}

static size_t count_nodes(const struct roster *roster, const struct source *source)
{
	size_t n = 0;

	for (size_t i = 0; i < roster->n; i++)
		n += roster->probes[i].checkup->check->source == source;
	return n;
}

static int open_source(struct sources *sources, const struct source *source, size_t n_nodes, int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &sources->all[sources->n] };
	int r, fd = -1;

	if (sources->n == SOURCES_MAX)
		return -ENOBUFS;
	sources->all[sources->n++] = source;
	r = source->open(n_nodes, &fd);
	if (r < 0 || fd < 0)
		return r;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int sources_open(struct sources *sources, const struct roster *roster, int epoll_fd)
{
	for (size_t i = 0; i < roster->n; i++) {
		const struct source *source = roster->probes[i].checkup->check->source;
		int r;

		if (!source || is_open(sources, source))
			continue;
		r = open_source(sources, source, count_nodes(roster, source), epoll_fd);
		if (r < 0)
			return r;
	}
	return 0;
}

void sources_close(struct sources *sources)
{
	while (sources->n > 0)
		sources->all[--sources->n]->close();
}

const struct source *sources_find(const struct sources *sources, const void *about)
{
	for (size_t i = 0; i < sources->n; i++)
		if (about == &sources->all[i])
			return sources->all[i];
	return NULL;
}

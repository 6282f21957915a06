/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * closing.c: each relay that has a slot gets SIGTERM: it resets both of its sides and
 * gives the slot back. A relay that does not, as it is stopped or stuck, gets SIGKILL:
 * its sockets to nodes are born to be reset by the kernel.
 *
 * A signal must not hit a process that got the pid of a dead relay. The pidfds are
 * opened first, then the dead are reaped, then the slots are read again: a process
 * that holds its slot then held it when its pidfd was opened.
 *
 * Checks of cbprobe hold slots, too. cbprobe looks at the lease itself, and ends them.
 */

#include "closing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "system/grow.h"
#include "system/process.h"
#include "system/timespan.h"

#define LOOK_USEC 10000u

struct relay {
	pid_t pid;
	int fd;
	uint64_t begun_usec;         /* of its slot */
	bool holds;                  /* it still did when the slots were read last */
};

struct relays {
	struct relay *items;
	size_t n, room;
	size_t next;                 /* behind the one that was found last: slots come in the same order again */
};

static int note(const struct score_slot_info *slot, void *arg)
{
	struct relays *relays = arg;

	if (!slot->taken)
		return 0;
	if (GROW(relays->items, relays->n, relays->room) < 0)
		return -ENOMEM;
	relays->items[relays->n++] = (struct relay){ .pid = slot->pid, .fd = -1, .begun_usec = slot->begun_usec };
	return 0;
}

static int note_again(const struct score_slot_info *slot, void *arg)
{
	struct relays *relays = arg;

	for (size_t i = 0; i < relays->n; i++) {
		size_t at = (relays->next + i) % relays->n;

		if (relays->items[at].pid != slot->pid || relays->items[at].begun_usec != slot->begun_usec)
			continue;
		relays->items[at].holds = true;
		relays->next = at + 1;
		break;
	}
	return 0;
}

/* Notes which of them still hold their slots. *ret_n: how many. 0 or -errno. */
static int look_again(struct score *score, struct relays *relays, size_t *ret_n)
{
	int r = score_reap(score, NULL, NULL);

	for (size_t i = 0; i < relays->n; i++)
		relays->items[i].holds = false;
	relays->next = 0;
	if (r == 0)
		r = score_each_slot(score, note_again, relays);
	*ret_n = 0;
	for (size_t i = 0; i < relays->n; i++)
		*ret_n += relays->items[i].holds && relays->items[i].fd >= 0;
	return r;
}

/* Whether the process is a relay of this farm. The scoreboard, which says so, may be written by the farm's group: the
 * kernel decides for other users; root, which may signal everything, looks for the farm's folder. */
static bool is_ours(struct score *score, pid_t pid)
{
	struct stat folder;

	if (process_is_called(pid, "cbrelay") <= 0)
		return false;
	return geteuid() != 0 ||
	       (fstat(score_folder_fd(score), &folder) == 0 && process_has_open(pid, &folder) > 0);
}

static void signal_all(const struct relays *relays, int signal_number)
{
	for (size_t i = 0; i < relays->n; i++)
		if (relays->items[i].holds && relays->items[i].fd >= 0)
			(void)process_signal(relays->items[i].fd, signal_number);
}

static void open_all(struct score *score, const struct relays *relays)
{
	for (size_t i = 0; i < relays->n; i++)
		if (is_ours(score, relays->items[i].pid))
			relays->items[i].fd = process_open(relays->items[i].pid);
}

static void clear(struct relays *relays)
{
	for (size_t i = 0; i < relays->n; i++)
		if (relays->items[i].fd >= 0)
			(void)close(relays->items[i].fd);
	free(relays->items);
}

int closing_run(struct score *score, size_t *ret_n)
{
	static const struct timespec pause = { .tv_nsec = LOOK_USEC * 1000 };
	struct relays relays = { .n = 0 };
	uint64_t until_usec;
	size_t left = 0;
	int r = score_each_slot(score, note, &relays);

	*ret_n = 0;
	if (r == 0) {
		open_all(score, &relays);
		r = look_again(score, &relays, &left);
		*ret_n = left;
	}
	if (r == 0)
		signal_all(&relays, SIGTERM);
	until_usec = now_monotonic() + CLOSING_PATIENCE_USEC;
	while (r == 0 && left > 0 && now_monotonic() < until_usec) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		r = look_again(score, &relays, &left);
	}
	if (r == 0)
		signal_all(&relays, SIGKILL);
	clear(&relays);
	return r;
}

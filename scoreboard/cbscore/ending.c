/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * ending.c: opens a pidfd of the process before it checks that this is the right
 * process. So the signal cannot hit another process that got the pid meanwhile.
 *
 * The pid comes from the scoreboard, which its owner and its group may write. The
 * kernel decides for other users; root, which may signal everything, first looks
 * whether the process has the farm's folder open, as each relay of the farm has.
 */

#include "ending.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act.h"
#include "system/grow.h"
#include "system/process.h"

struct search {
	bool (*wanted)(const struct score_slot_info *slot, const void *arg);
	const void *arg;
	struct held_slots *found;
};

static int note(const struct score_slot_info *slot, void *arg)
{
	struct search *search = arg;
	struct held_slots *found = search->found;
	struct held_slot *held;

	if (search->wanted && !search->wanted(slot, search->arg))
		return 0;
	if (GROW(found->slots, found->n, found->room) < 0)
		return -ENOMEM;
	held = &found->slots[found->n++];
	*held = (struct held_slot){
		.slot = slot->slot, .pid = slot->pid, .since_usec = slot->since_usec,
		.begun_usec = slot->begun_usec, .taken = slot->taken,
	};
	(void)snprintf(held->node, sizeof(held->node), "%s", slot->node);
	(void)snprintf(held->client, sizeof(held->client), "%s", slot->client);
	return 0;
}

int held_slots_find(struct score *score, bool (*wanted)(const struct score_slot_info *slot, const void *arg),
		    const void *arg, struct held_slots *ret)
{
	struct search search = { .wanted = wanted, .arg = arg, .found = ret };
	int r;

	*ret = (struct held_slots){ 0 };
	r = score_each_slot(score, note, &search);
	if (r < 0) {
		free(ret->slots);
		*ret = (struct held_slots){ 0 };
	}
	return r;
}

static bool is_same(const struct score_slot_info *slot, const void *arg)
{
	const struct held_slot *held = arg;

	return slot->slot == held->slot && slot->pid == held->pid && slot->begun_usec == held->begun_usec &&
	       strcmp(slot->node, held->node) == 0;
}

/* Whether the process is a relay: 0; -EINVAL: it is not; -EPERM: /proc hides it from this user; -ESRCH: it has ended. fd is its
 * pidfd. */
static int check_relay(pid_t pid, int fd)
{
	int r = process_is_called(pid, "cbrelay");

	if (r < 0)
		return process_signal(fd, 0) ?: -EPERM;
	return r > 0 ? 0 : -EINVAL;
}

/* Whether root may end the process: it belongs to the farm. 0; -EXDEV: it does not; or -errno. */
static int check_farm(struct score *score, pid_t pid)
{
	struct stat folder;
	int r;

	if (geteuid() != 0)
		return 0;
	if (fstat(score_folder_fd(score), &folder) < 0)
		return -errno;
	r = process_has_open(pid, &folder);
	return r < 0 ? r : r > 0 ? 0 : -EXDEV;
}

const char *held_slot_strerror(int error)
{
	switch (error) {
	case -EINVAL:
		return "held by a check, or granted and not taken yet; it ends by itself";
	case -EPERM:
		return "Operation not permitted; become root or the relay's user";
	case -EXDEV:
		return "its process is of another farm, and is left alone";
	default:
		return strerror(-error);
	}
}

void held_slot_note_end(const struct held_slot *held)
{
	char slot[NODE_NAME_MAX + 16];

	(void)snprintf(slot, sizeof(slot), "%s/%" PRIu32, held->node, held->slot);
	act_tell("kill", slot, held->client, "ended");
}

int held_slot_end(struct score *score, const struct held_slot *held)
{
	struct held_slots again;
	int fd, r;

	if (!held->taken)
		return -EINVAL;
	fd = process_open(held->pid);
	if (fd < 0)
		return fd == -ESRCH ? 1 : fd;
	r = held_slots_find(score, is_same, held, &again);
	if (r == 0 && again.n == 0)
		r = 1;
	else if (r == 0)
		r = check_relay(held->pid, fd) ?: check_farm(score, held->pid);
	if (r == 0)
		r = process_signal(fd, SIGTERM);
	if (r == -ESRCH)
		r = 1;
	free(again.slots);
	(void)close(fd);
	return r;
}

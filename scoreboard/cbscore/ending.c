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

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "act.h"
#include "system/grow.h"

#define RELAY "cbrelay\n"

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

	if (!search->wanted(slot, search->arg))
		return 0;
	if (GROW(found->slots, found->n, found->room) < 0)
		return -ENOMEM;
	held = &found->slots[found->n++];
	*held = (struct held_slot){
		.slot = slot->slot, .pid = slot->pid, .since_usec = slot->since_usec, .taken = slot->taken,
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

	return slot->slot == held->slot && slot->pid == held->pid && slot->since_usec == held->since_usec &&
	       strcmp(slot->node, held->node) == 0;
}

static bool is_relay(pid_t pid)
{
	char path[48], name[sizeof(RELAY)] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		*name = '\0';
	(void)fclose(file);
	return strcmp(name, RELAY) == 0;
}

/* Whether the process has the file open. 1, 0, or -errno. */
static int has_open(pid_t pid, const struct stat *file)
{
	char path[48];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!found && (entry = readdir(dir))) {
		struct stat st;

		found = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
	}
	(void)closedir(dir);
	return found;
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
	r = has_open(pid, &folder);
	return r < 0 ? r : r > 0 ? 0 : -EXDEV;
}

static int pidfd_open_(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_signal(int fd, int signal_number)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0);
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
	fd = pidfd_open_(held->pid);
	if (fd < 0)
		return errno == ESRCH ? 1 : -errno;
	r = held_slots_find(score, is_same, held, &again);
	if (r == 0 && again.n == 0)
		r = 1;
	else if (r == 0 && !is_relay(held->pid))
		r = -EINVAL;
	else if (r == 0)
		r = check_farm(score, held->pid);
	if (r == 0 && pidfd_signal(fd, SIGTERM) < 0)
		r = errno == ESRCH ? 1 : -errno;
	free(again.slots);
	(void)close(fd);
	return r;
}

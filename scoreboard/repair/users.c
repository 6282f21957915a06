/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "users.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/wake.h"

/* A socket under an abstract name as the kernel picks them. */
struct port {
	unsigned long inode;
	char name[WAKE_NAME_SIZE];
};

struct search {
	const struct stat *file;
	struct port *ports;
	size_t n_ports;
	struct wake_list wakes;
	struct wake_port none;
	struct holder *found;
	size_t n, room;
};

static int add_port(struct search *search, unsigned long inode, const char *name)
{
	struct port *ports = reallocarray(search->ports, search->n_ports + 1, sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	search->ports = ports;
	ports[search->n_ports] = (struct port){ .inode = inode };
	(void)memcpy(ports[search->n_ports++].name, name, strnlen(name, WAKE_NAME_SIZE));
	return 0;
}

/* As wake.h has them: of a process's own choice, or the kernel's. */
static bool is_port(const char *name)
{
	return (strlen(name) == WAKE_NAME_SIZE && strncmp(name, "cb", 2) == 0) ||
	       (strlen(name) == 5 && strspn(name, "0123456789abcdef") == 5);
}

/* Lines are "address: refcount protocol flags type state inode @name". */
static int read_ports(struct search *search)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512];
	int r = 0;

	if (!file)
		return 0; /* then nobody is woken; the guard looks once a while */
	while (r == 0 && fgets(line, sizeof(line), file)) {
		unsigned long inode;
		char name[WAKE_NAME_SIZE + 2];

		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu @%9s", &inode, name) == 2 && is_port(name))
			r = add_port(search, inode, name);
	}
	(void)fclose(file);
	return r;
}

static void wake_port_of(struct search *search, unsigned long inode)
{
	for (size_t i = 0; i < search->n_ports; i++)
		if (search->ports[i].inode == inode && wake_list_add(&search->wakes, search->ports[i].name))
			wake_list_send(&search->wakes, &search->none);
}

/* Wakes a process that hides its descriptors, if it has the port that its pid says. */
static void wake_hidden(struct search *search, const char *pid)
{
	char name[WAKE_NAME_SIZE];

	wake_name((pid_t)strtol(pid, NULL, 10), name);
	for (size_t i = 0; i < search->n_ports; i++)
		if (memcmp(search->ports[i].name, name, sizeof(name)) == 0 && wake_list_add(&search->wakes, name))
			wake_list_send(&search->wakes, &search->none);
}

/* Goes through the descriptors of a process. 1: it has the file; 0: it has not; -errno: they are hidden. */
static int look_at(struct search *search, const char *pid, bool wake)
{
	char path[64], target[64];
	bool found = false;
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		unsigned long inode;
		struct stat st;
		ssize_t n;

		if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0)
			continue;
		found |= st.st_dev == search->file->st_dev && st.st_ino == search->file->st_ino;
		if (!wake || !S_ISSOCK(st.st_mode))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			if (sscanf(target, "socket:[%lu]", &inode) == 1)
				wake_port_of(search, inode);
		}
	}
	(void)closedir(dir);
	return found;
}

static int note(struct search *search, const char *pid)
{
	struct holder holder;

	if (!holder_of((pid_t)strtol(pid, NULL, 10), &holder))
		return 0; /* gone since */
	if (search->n == search->room) {
		size_t room = search->room ? search->room * 2 : 64;
		struct holder *found = reallocarray(search->found, room, sizeof(*found));

		if (!found)
			return -ENOMEM;
		search->found = found;
		search->room = room;
	}
	search->found[search->n++] = holder;
	return 0;
}

/* Whether a process runs a program that may hold slots: whoever cannot see its descriptors can read its name. */
static bool is_holding_program(const char *pid)
{
	static const char *const names[] = { "cbrelay\n", "cbprobe\n" };
	char path[64], name[32] = "";
	bool found = false;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(name, sizeof(name), file))
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			found |= strcmp(name, names[i]) == 0;
	(void)fclose(file);
	return found;
}

static int look_at_process(struct search *search, const char *pid, bool wake)
{
	int r = look_at(search, pid, false);

	if (r == 1 && wake)
		(void)look_at(search, pid, true);
	/* Of any user: relays may have been started by root, and the damage be met by one of the group. */
	if (r == -EACCES || r == -EPERM) {
		r = is_holding_program(pid);
		if (r == 1)
			wake_hidden(search, pid);
	}
	return r == 1 ? note(search, pid) : 0;
}

bool users_may_have(const struct stat *file, const struct holder *holder)
{
	struct search search = { .file = file };
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%u", holder->pid);
	return look_at(&search, pid, false) != 0;
}

int users_find(const struct stat *file, bool wake, struct holder **ret, size_t *ret_n)
{
	struct search search = { .file = file, .none.fd = -1, .wakes.ask = true };
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	if (wake)
		r = read_ports(&search);
	while (r == 0 && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			r = look_at_process(&search, entry->d_name, wake);
	(void)closedir(dir);
	wake_list_send(&search.wakes, &search.none);
	free(search.ports);
	if (r < 0) {
		free(search.found);
		return r;
	}
	*ret = search.found;
	*ret_n = search.n;
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "users.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/folder.h"
#include "system/grow.h"
#include "system/process.h"
#include "system/wake.h"

/* A socket under an abstract name that may be a port's. */
struct port {
	unsigned long inode;
	enum wake_kind kind;
	char name[WAKE_NAME_SIZE];
};

struct ports {
	struct port *items;
	size_t n, room;
	bool are_read;
};

struct search {
	const struct stat *file;     /* NULL: only removed files are looked for */
	char *path;                  /* the file's name as /proc says it; NULL: it cannot be known */
	bool wake;
	bool any_hidden, any_of_farm; /* processes that hide their descriptors may be of the farm, or are by their ports */
	struct stat last;            /* the file that lost the name last; st_nlink is 1 if there is none */
	char link[USERS_LINK_MAX];
	struct ports ports;          /* of this process's network namespace */
	struct wake_list wakes;
	struct wake_port none;       /* to send from: with the farm, and without a socket */
	struct holder *found;
	size_t n, room;
};

static pid_t number_of(const char *pid)
{
	return (pid_t)strtol(pid, NULL, 10);
}

/* Opens what /proc says of a process. NULL: that is not there, or hidden. */
static FILE *open_of(const char *pid, const char *what)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%.20s/%.20s", pid, what);
	return fopen(path, "re");
}

static int add_port(const struct search *search, struct ports *ports, unsigned long inode, const char *name)
{
	enum wake_kind kind = wake_kind_of(name, &search->none.farm);
	struct port *port;

	if (kind == WAKE_NO_PORT)
		return 0;
	if (GROW(ports->items, ports->n, ports->room) < 0)
		return -ENOMEM;
	port = &ports->items[ports->n++];
	*port = (struct port){ .inode = inode, .kind = kind };
	(void)memcpy(port->name, name, strnlen(name, WAKE_NAME_SIZE));
	return 0;
}

/* Reads the ports of the network namespace in which a process is ("self": of this process's). Lines are
 * "address: refcount protocol flags type state inode @name". 0; -ESRCH: the process is gone, or hides its namespace; or
 * -errno. After an error the ports are not read, and none of those that were found says that another is not there. */
static int read_ports(const struct search *search, const char *pid, struct ports *ports)
{
	char line[512];
	FILE *file;
	int r = 0;

	if (ports->are_read)
		return 0;
	file = open_of(pid, "net/unix");
	if (!file)
		return errno == ENOENT || errno == EACCES || errno == EPERM ? -ESRCH : -errno;
	ports->n = 0;
	while (r == 0 && fgets(line, sizeof(line), file)) {
		unsigned long inode;
		char name[WAKE_FULL_SIZE + 2];

		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu @%20s", &inode, name) == 2)
			r = add_port(search, ports, inode, name);
	}
	if (r == 0 && ferror(file))
		r = -EIO;
	(void)fclose(file);
	ports->are_read = r == 0;
	return r;
}

_Static_assert(WAKE_FULL_SIZE + 1 == 20, "read_ports() reads a byte more than the longest name has");

/* Whether a socket is a port of the farm. With wake, wakes the process that has the port; also if it may be another farm's. */
static bool is_port(struct search *search, unsigned long inode, bool wake)
{
	bool found = false;

	for (size_t i = 0; i < search->ports.n; i++) {
		const struct port *port = &search->ports.items[i];

		if (port->inode != inode || port->kind == WAKE_OF_ANOTHER)
			continue;
		found |= port->kind == WAKE_OF_FARM;
		if (wake && wake_list_add(&search->wakes, port->name))
			wake_list_send(&search->wakes, &search->none);
	}
	return found;
}

/*
 * What the ports of a network namespace say of a process that hides its descriptors: 1: it is of the farm; 0: it is of
 * another farm, and not of this; -ENOENT: it has no port by its pid, so they say nothing; or as read_ports().
 */
static int ask_ports_near(const struct search *search, const char *pid, const char *near, struct ports *ports)
{
	int r = read_ports(search, near, ports);
	char name[WAKE_NAME_SIZE];
	bool other = false;

	wake_name(number_of(pid), name);
	for (size_t i = 0; r == 0 && i < ports->n; i++) {
		if (ports->items[i].kind == WAKE_PICKED || memcmp(ports->items[i].name, name, sizeof(name)) != 0)
			continue;
		if (ports->items[i].kind == WAKE_OF_FARM)
			return 1;
		other = true;
	}
	return r < 0 ? r : other ? 0 : -ENOENT;
}

/* As ask_ports_near(), of all ports that can be seen. A process in another network namespace has its port there. This farm
 * takes no process of another network, so the process is hardly this farm's. But only a port of another farm proves it. If
 * the process hides its namespace, the ports near it say nothing. */
static int ask_ports(struct search *search, const char *pid)
{
	struct ports there = { 0 };
	int r;

	if (*search->none.farm.digits == '\0')
		return -ENOENT;
	r = ask_ports_near(search, pid, "self", &search->ports);
	if (r == -ENOENT) {
		r = ask_ports_near(search, pid, pid, &there);
		r = r == -ESRCH ? -ENOENT : r;
	}
	free(there.items);
	return r;
}

/* Wakes a process that hides its descriptors, if it has the farm's port of its pid. */
static void wake_hidden(struct search *search, const char *pid)
{
	char name[WAKE_NAME_SIZE];

	wake_name(number_of(pid), name);
	if (wake_list_add(&search->wakes, name))
		wake_list_send(&search->wakes, &search->none);
}

/* Reads where a descriptor of a process leads to, as /proc says; empty if that is too long. */
static void read_link(int dir, const char *descriptor, char *ret, size_t size)
{
	ssize_t n = readlinkat(dir, descriptor, ret, size);

	ret[n > 0 && (size_t)n < size ? n : 0] = '\0';
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* Whether an open file is the scoreboard, or was, and has lost its name: to another file, or by removal. */
static bool is_file(struct search *search, int dir, const char *pid, const char *descriptor, const struct stat *st)
{
	char target[4096];

	if (!S_ISREG(st->st_mode))
		return false;
	if (search->file && is_same_file(st, search->file))
		return true;
	if (st->st_nlink > 0 || !search->path)
		return false;
	read_link(dir, descriptor, target, sizeof(target));
	if (strncmp(target, search->path, strlen(search->path)) != 0 ||
	    strcmp(target + strlen(search->path), " (deleted)") != 0)
		return false;
	/* The loss of the name was the inode's last change: a file that is not the scoreboard is never written. */
	if (search->last.st_nlink > 0 || is_later(&st->st_ctim, &search->last.st_ctim)) {
		search->last = *st;
		(void)snprintf(search->link, sizeof(search->link), "/proc/%.20s/fd/%.20s", pid, descriptor);
	}
	return true;
}

/* Whether a process has the page of the scoreboard's lock mapped (store/page.h): its file may have another name by now. */
static bool has_page(const struct search *search, const char *pid)
{
	size_t length = search->path ? strlen(search->path) : 0;
	FILE *file = length > 0 ? open_of(pid, "maps") : NULL;
	char line[4608];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		const char *path = strchr(line, '/');

		found = path && strncmp(path, search->path, length) == 0 && strncmp(path + length, ".lock", 5) == 0;
	}
	(void)fclose(file);
	return found;
}

/*
 * Goes through the descriptors of a process. 1: the process has the file, or a port of the farm: it may have closed a file
 * that was cut short, and not have opened another yet; 0: it has neither; -errno: they are hidden.
 */
static int look_at(struct search *search, const char *pid, bool wake)
{
	char path[64], target[64];
	bool found = false;
	struct dirent *entry;
	int hidden = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		unsigned long inode;
		struct stat st;

		if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0) {
			/* Landlock and ptrace(2)'s rules hide where a descriptor leads, also where its name can be listed. */
			hidden = errno == EACCES || errno == EPERM ? -errno : hidden;
			continue;
		}
		found |= is_file(search, dirfd(dir), pid, entry->d_name, &st); /* also behind a port: it notes the removed file */
		if (!S_ISSOCK(st.st_mode) || (found && !wake))
			continue;
		read_link(dirfd(dir), entry->d_name, target, sizeof(target));
		if (sscanf(target, "socket:[%lu]", &inode) == 1)
			found |= is_port(search, inode, wake);
	}
	(void)closedir(dir);
	return found || has_page(search, pid) ? 1 : hidden;
}

static int note(struct search *search, const char *pid)
{
	struct holder holder;

	if (!holder_of(number_of(pid), &holder))
		return 0; /* the process is gone since */
	if (GROW(search->found, search->n, search->room) < 0)
		return -ENOMEM;
	search->found[search->n++] = holder;
	return 0;
}

/* Whether a process runs a program that may hold slots. Its name can be read even if its descriptors are hidden. */
static bool is_holding_program(const char *pid)
{
	pid_t number = number_of(pid);

	return process_is_called(number, "cbrelay") > 0 || process_is_called(number, "cbprobe") > 0;
}

/* Whether a process is in another pid namespace, below this one: a farm takes no process of another. Its status says
 * its number in each namespace. */
static bool has_other_pids(const char *pid)
{
	FILE *file = open_of(pid, "status");
	char line[256];
	unsigned inner;
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "NSpid: %*u %u", &inner) == 1;
	(void)fclose(file);
	return found;
}

/* Whether the name of a process's program is hidden, too, as by a /proc with hidepid=1. */
static bool has_hidden_name(const char *pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	return access(path, R_OK) < 0;
}

/*
 * Whether a process that hides its descriptors may have the scoreboard: 1; 0; or -ENOENT: nothing tells, as it has no port,
 * and its program is hidden, too. Its port says of which farm it is. Without a port it counts as the farm's if it runs a
 * program that may hold slots. Where the ports cannot be read, each such process counts, also if its program is hidden.
 */
static int may_be_of_farm(struct search *search, const char *pid)
{
	bool is_nameless = has_hidden_name(pid);
	int r = is_nameless || (is_holding_program(pid) && !has_other_pids(pid)) ? ask_ports(search, pid) : 0;

	if (r == 0 || (r == -ENOENT && is_nameless))
		return r;
	search->any_hidden = true;
	search->any_of_farm |= r == 1;
	return 1;
}

static int look_at_process(struct search *search, const char *pid)
{
	int r = look_at(search, pid, false);

	if (r == 1 && search->wake)
		(void)look_at(search, pid, true);
	/* Processes of all users count: root may have started relays, and a user of the group may meet the damage. */
	if (r == -EACCES || r == -EPERM) {
		r = may_be_of_farm(search, pid);
		if (r == 1 && search->wake)
			wake_hidden(search, pid);
	}
	return r == 1 ? note(search, pid) : 0;
}

/* What /proc says of a file of that name. The caller frees it. NULL: it cannot be known. */
static char *real_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == path ? strdup("") : strndup(slash ? path : ".", slash ? (size_t)(slash - path) : 1);
	char *real = folder && *folder ? realpath(folder, NULL) : NULL, *ret = NULL;

	if (folder && (real || !*folder) && asprintf(&ret, "%s/%s", real ? real : "", slash ? slash + 1 : path) < 0)
		ret = NULL;
	free(folder);
	free(real);
	return ret;
}

/* The farm of the scoreboard in an open folder; no digits if it cannot be known. */
static struct wake_farm farm_of(const struct folder *folder)
{
	struct stat st;

	return fstat(folder->fd, &st) == 0 ? wake_farm_of(&st, folder->name) : (struct wake_farm){ 0 };
}

static struct search begin(const struct stat *file, const struct folder *folder, const char *path)
{
	return (struct search){
		.file = file, .path = real_name(path), .none.fd = -1, .none.farm = farm_of(folder), .wakes.ask = true,
		.last.st_nlink = 1,
	};
}

static void end(struct search *search)
{
	free(search->path);
	free(search->ports.items);
	free(search->found);
}

static int look_at_all(struct search *search)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			r = look_at_process(search, entry->d_name);
	(void)closedir(dir);
	return r;
}

/*
 * A /proc with hidepid= does not show processes that hide their descriptors at all. Their ports say that they are there.
 * Finds them. With wake, wakes them. 0 or -ENOMEM.
 */
static int look_at_unseen(struct search *search)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < search->ports.n; i++) {
		const struct port *port = &search->ports.items[i];
		char pid[16], path[32];

		if (port->kind != WAKE_OF_FARM)
			continue;
		(void)snprintf(pid, sizeof(pid), "%ld", (long)wake_pid_of(port->name));
		(void)snprintf(path, sizeof(path), "/proc/%s", pid);
		if (access(path, F_OK) == 0)
			continue;
		search->any_of_farm = true;
		if (search->wake && wake_list_add(&search->wakes, port->name))
			wake_list_send(&search->wakes, &search->none);
		r = note(search, pid);
	}
	return r;
}

/* Whether a process that was found by its port, as /proc does not show it, has no port any more: it has ended. */
static bool has_lost_port(struct search *search, const char *pid)
{
	return search->ports.are_read && *search->none.farm.digits != '\0' && ask_ports(search, pid) == -ENOENT;
}

bool users_may_have(const struct stat *file, const struct folder *folder, const char *path, const struct holder *holder)
{
	struct search search = begin(file, folder, path);
	char pid[16];
	int r;

	(void)snprintf(pid, sizeof(pid), "%u", holder->pid);
	(void)read_ports(&search, "self", &search.ports); /* without them its files tell */
	r = look_at(&search, pid, false);
	if (r == -EACCES || r == -EPERM)
		r = may_be_of_farm(&search, pid);
	if (r == -ENOENT && holder->start == 0 && has_lost_port(&search, pid))
		r = 0;
	end(&search);
	return r != 0;
}

int users_find(const struct stat *file, const struct folder *folder, const char *path, struct holder **ret, size_t *ret_n)
{
	struct search search = begin(file, folder, path);
	int r = read_ports(&search, "self", &search.ports);

	if (r == 0)
		r = look_at_all(&search) ?: look_at_unseen(&search);
	if (r == 0) {
		*ret = search.found;
		*ret_n = search.n;
		search.found = NULL;
	}
	end(&search);
	return r;
}

void users_wake(const struct stat *file, const struct folder *folder, const char *path)
{
	struct search search = begin(file, folder, path);

	search.wake = true;
	(void)read_ports(&search, "self", &search.ports); /* a process that is not woken by its port looks once in a while */
	(void)look_at_all(&search);
	(void)look_at_unseen(&search);
	wake_list_send(&search.wakes, &search.none);
	end(&search);
}

int users_removed(const struct folder *folder, const char *path, struct stat *ret, char ret_link[static USERS_LINK_MAX])
{
	struct search search = begin(NULL, folder, path);
	int r;

	(void)read_ports(&search, "self", &search.ports); /* without them each hidden process counts */
	r = look_at_all(&search) ?: look_at_unseen(&search);
	if (r == 0 && search.last.st_nlink > 0)
		r = search.any_of_farm ? -EBUSY : search.any_hidden ? -EACCES : -ENOENT;
	*ret = search.last;
	(void)memcpy(ret_link, search.link, USERS_LINK_MAX);
	end(&search);
	return r;
}

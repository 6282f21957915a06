/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "wake.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ABSTRACT offsetof(struct sockaddr_un, sun_path)
#define PICKED_SIZE 5u /* digits of a name that the kernel picks */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

static void write_digits(uint64_t number, char *end, int n)
{
	for (int i = 0; i < n; i++, number >>= 6)
		*--end = digits[number & 63];
}

void wake_name(pid_t pid, char ret[static WAKE_NAME_SIZE])
{
	(void)memcpy(ret, "cb", 2);
	write_digits((uint64_t)pid, ret + WAKE_NAME_SIZE, WAKE_NAME_SIZE - 2);
}

pid_t wake_pid_of(const char name[static WAKE_NAME_SIZE])
{
	uint64_t number = 0;

	for (size_t i = 2; i < WAKE_NAME_SIZE; i++) {
		const char *digit = name[i] ? strchr(digits, name[i]) : NULL;

		if (!digit)
			return 0;
		number = number << 6 | (uint64_t)(digit - digits);
	}
	return number <= INT32_MAX ? (pid_t)number : 0;
}

/* FNV-1a, in 64 bits. */
static uint64_t hash(uint64_t so_far, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		so_far = (so_far ^ bytes[i]) * UINT64_C(0x100000001b3);
	return so_far;
}

struct wake_farm wake_farm_of(const struct stat *folder, const char *name)
{
	uint64_t number = UINT64_C(0xcbf29ce484222325);
	struct wake_farm farm = { 0 };

	number = hash(number, &folder->st_dev, sizeof(folder->st_dev));
	number = hash(number, &folder->st_ino, sizeof(folder->st_ino));
	number = hash(number, name, strlen(name));
	write_digits(number, farm.digits + WAKE_FARM_SIZE, WAKE_FARM_SIZE);
	return farm;
}

enum wake_kind wake_kind_of(const char *name, const struct wake_farm *farm)
{
	size_t length = strlen(name);

	if (length == WAKE_FULL_SIZE && memcmp(name, "cb", 2) == 0)
		return memcmp(name + WAKE_NAME_SIZE, farm->digits, WAKE_FARM_SIZE) == 0 ? WAKE_OF_FARM : WAKE_OF_ANOTHER;
	return length == PICKED_SIZE && strspn(name, "0123456789abcdef") == PICKED_SIZE ? WAKE_PICKED : WAKE_NO_PORT;
}

/* Writes the whole name of a port of the farm, and returns its length. A name that the kernel picked has no farm in it. */
static size_t write_name(char *at, const char name[static WAKE_NAME_SIZE], const struct wake_farm *farm)
{
	size_t length = strnlen(name, WAKE_NAME_SIZE);

	(void)memcpy(at, name, length);
	if (length < WAKE_NAME_SIZE)
		return length;
	(void)memcpy(at + length, farm->digits, WAKE_FARM_SIZE);
	return WAKE_FULL_SIZE;
}

/* Gives the socket the name of this process's port, or a name that the kernel picks. 0 or -errno. */
static int bind_port(int fd, const struct wake_farm *farm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[WAKE_NAME_SIZE];
	size_t length;

	wake_name(getpid(), name);
	length = write_name(address.sun_path + 1, name, farm);
	if (bind(fd, (const struct sockaddr *)&address, (socklen_t)(ABSTRACT + 1 + length)) == 0)
		return 0;
	/* A process with this pid in another pid namespace has the name. For an address with only the family the kernel
	 * picks a name. */
	if (errno != EADDRINUSE)
		return -errno;
	return bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ? -errno : 0;
}

int wake_port_open(struct wake_port *port)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	int fd, r;

	if (port->fd >= 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_port(fd, &port->farm);
	if (r == 0 && getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	(void)memset(port->name, 0, sizeof(port->name));
	size -= (socklen_t)ABSTRACT + 1;
	(void)memcpy(port->name, address.sun_path + 1, size < WAKE_NAME_SIZE ? size : WAKE_NAME_SIZE);
	port->fd = fd;
	return 0;
}

void wake_port_close(struct wake_port *port)
{
	if (port->fd >= 0)
		(void)close(port->fd);
	*port = (struct wake_port){ .fd = -1, .farm = port->farm };
}

bool wake_port_clear(struct wake_port *port)
{
	bool any = false;
	char byte;
	ssize_t n;

	while (port->fd >= 0 && (n = recv(port->fd, &byte, sizeof(byte), MSG_DONTWAIT)) >= 0) {
		port->asked |= n > 0;
		any |= n == 0;
	}
	return any;
}

bool wake_list_add(struct wake_list *list, const char name[static WAKE_NAME_SIZE])
{
	for (size_t i = 0; i < list->n; i++)
		if (memcmp(list->names[i], name, WAKE_NAME_SIZE) == 0)
			return list->n == WAKE_LIST_MAX;
	if (list->n < WAKE_LIST_MAX)
		(void)memcpy(list->names[list->n++], name, WAKE_NAME_SIZE);
	return list->n == WAKE_LIST_MAX;
}

void wake_list_send(struct wake_list *list, struct wake_port *port)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = port->fd;

	if (list->n == 0)
		return;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	for (size_t i = 0; fd >= 0 && i < list->n; i++) {
		size_t length = write_name(address.sun_path + 1, list->names[i], &port->farm);

		if (length == 0)
			continue;
		/*
		 * If the socket refuses, its process has ended; if it is full, it
		 * has been told already. After any other failure the guard tells
		 * the waiter again.
		 */
		(void)sendto(fd, "?", list->ask, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
			     (socklen_t)(ABSTRACT + 1 + length));
	}
	if (port->fd < 0 && fd >= 0)
		(void)close(fd);
	list->n = 0;
}

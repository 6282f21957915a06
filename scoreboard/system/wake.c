/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "wake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ABSTRACT offsetof(struct sockaddr_un, sun_path)

static void write_digits(unsigned number, char *end, int n)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

	for (int i = 0; i < n; i++, number >>= 6)
		*--end = digits[number & 63];
}

void wake_name(pid_t pid, char ret[static WAKE_NAME_SIZE])
{
	(void)memcpy(ret, "cb", 2);
	write_digits((unsigned)pid, ret + WAKE_NAME_SIZE, WAKE_NAME_SIZE - 2);
}

/* Gives the socket the name of this process's port, or a name that the kernel picks. 0 or -errno. */
static int bind_port(int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	wake_name(getpid(), address.sun_path + 1);
	if (bind(fd, (const struct sockaddr *)&address, ABSTRACT + 1 + WAKE_NAME_SIZE) == 0)
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
	socklen_t size;
	int fd, r;

	if (port->fd >= 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_port(fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		goto fail;
	(void)memset(port->name, 0, sizeof(port->name));
	size -= (socklen_t)ABSTRACT + 1;
	(void)memcpy(port->name, address.sun_path + 1, size < WAKE_NAME_SIZE ? size : WAKE_NAME_SIZE);
	port->fd = fd;
	return 0;
fail:
	r = -errno;
	(void)close(fd);
	return r;
}

void wake_port_close(struct wake_port *port)
{
	if (port->fd >= 0)
		(void)close(port->fd);
	*port = (struct wake_port){ .fd = -1 };
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
		size_t length = strnlen(list->names[i], WAKE_NAME_SIZE);

		if (length == 0)
			continue;
		(void)memcpy(address.sun_path + 1, list->names[i], length);
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

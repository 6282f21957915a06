/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "congestion.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "system/address.h"

#define NAME_MAX_SIZE 16 /* TCP_CA_NAME_MAX of the kernel, with the NUL */
#define UNPACED "reno"   /* is in every kernel, and every user may choose it */

static enum { AUTO, SYSTEM, NAMED } choice = AUTO;
static char named[NAME_MAX_SIZE];

static int set(int fd, const char *name)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0 ? -errno : 0;
}

int congestion_choose(const char *name)
{
	int fd, r;

	if (strcmp(name, "auto") == 0 || strcmp(name, "system") == 0) {
		choice = *name == 'a' ? AUTO : SYSTEM;
		return 0;
	}
	if (*name == '\0' || strlen(name) >= sizeof(named))
		return -ENOENT;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = set(fd, name);
	(void)close(fd);
	if (r < 0)
		return r;
	choice = NAMED;
	(void)memcpy(named, name, strlen(name) + 1);
	return 0;
}

/* Whether the socket's congestion control is bbr, or a later version of bbr with a name that begins the same way. */
static bool paces(int fd)
{
	char name[NAME_MAX_SIZE] = "";
	socklen_t size = sizeof(name) - 1;

	return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) == 0 && strncmp(name, "bbr", 3) == 0;
}

static void apply(int fd, const struct sockaddr *address, bool pacing)
{
	if (choice == NAMED)
		(void)set(fd, named); /* was allowed at congestion_choose(); a unix socket has none */
	else if (choice == AUTO && pacing && address_is_loopback(address))
		(void)set(fd, UNPACED);
}

void congestion_apply(int fd)
{
	struct sockaddr_storage own = { 0 };
	socklen_t size = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &size) == 0)
		apply(fd, (const struct sockaddr *)&own, paces(fd));
}

void congestion_apply_to(int fd, const struct sockaddr *address)
{
	static enum { UNKNOWN, NOT_PACING, PACING } born; /* all new sockets are alike: one answer is kept */

	if (born == UNKNOWN)
		born = paces(fd) ? PACING : NOT_PACING;
	apply(fd, address, born == PACING);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * opening.c: most clients have said something by the time that a node is found
 * for them. To give a socket bytes while its connect is under way shows whether it
 * is connected, and saves asking. If that node cannot be reached, its socket has
 * taken nothing: the bytes are kept for the next node.
 */

#include "opening.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Pages that are never used cost nothing. */
static _Alignas(4096) unsigned char buffer[OPENING_ROOM];

unsigned char *opening_buffer(void)
{
	return buffer;
}

/* Whether an error says nothing about the peer: what was tried may be tried again. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOMEM || error == ENOBUFS;
}

static void take(struct opening *opening, int client_fd)
{
	ssize_t n = recv(client_fd, buffer, OPENING_MAX, MSG_DONTWAIT);

	opening->is_empty = n != 0 && n < (ssize_t)OPENING_MAX; /* an end is told again */
	if (n > 0)
		opening->held = (size_t)n;
	else if (n < 0 && !is_passing(errno))
		opening->error = errno;
}

int opening_offer(struct opening *opening, int client_fd, int node_fd)
{
	ssize_t n;

	if (opening->held == 0 && !opening->error)
		take(opening, client_fd);
	if (opening->held == 0)
		return 0;
	n = send(node_fd, buffer, opening->held, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return is_passing(errno) ? 0 : -errno;
	opening->sent = (size_t)n;
	return 1;
}

void opening_clear(struct opening *opening)
{
	explicit_bzero(buffer, opening->held);
	*opening = (struct opening){ 0 };
}

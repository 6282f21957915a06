/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * proxy.c: the header is looked at in the socket's queue until it is whole, and
 * only then taken out, so that no byte behind the header is taken. SO_RCVLOWAT
 * lets poll(2) sleep until there is more than what has been seen.
 */

#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sleep.h"
#include "system/timespan.h"

#define SOURCES_MAX 32
#define AGAIN_USEC 20000u /* between looks at a unix socket, which has no SO_RCVLOWAT */

struct source {
	sa_family_t family;      /* AF_UNIX: any */
	unsigned bits;
	unsigned char bytes[16];
};

static struct source sources[SOURCES_MAX];
static size_t n_sources;

static int parse_source(char *text, struct source *ret)
{
	char *slash = strchr(text, '/'), *end;
	unsigned most;
	unsigned long bits;

	if (strcmp(text, "unix") == 0) {
		*ret = (struct source){ .family = AF_UNIX };
		return 0;
	}
	if (slash)
		*slash = '\0';
	*ret = (struct source){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	if (inet_pton(ret->family, text, ret->bytes) != 1)
		return -EINVAL;
	most = ret->family == AF_INET ? 32 : 128;
	ret->bits = most;
	if (!slash)
		return 0;
	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	bits = strtoul(slash + 1, &end, 10);
	if (*end || bits > most)
		return -EINVAL;
	ret->bits = (unsigned)bits;
	return 0;
}

int proxy_accept_from(const char *text)
{
	char *copy = strdup(text), *rest = copy, *one;
	int r = copy && *copy ? 0 : -EINVAL;

	n_sources = 0;
	while (r == 0 && (one = strsep(&rest, ",")))
		r = n_sources == SOURCES_MAX ? -EINVAL : parse_source(one, &sources[n_sources++]);
	free(copy);
	return r;
}

bool proxy_has_sources(void)
{
	return n_sources > 0;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool proxy_is_expected(int fd)
{
	struct sockaddr_storage peer = { 0 };
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&peer;
	const unsigned char *bytes = in6->sin6_addr.s6_addr;
	socklen_t size = sizeof(peer);
	sa_family_t family;

	if (n_sources == 0 || getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
		return false;
	family = peer.ss_family;
	if (family == AF_INET) {
		bytes = (const unsigned char *)&((const struct sockaddr_in *)&peer)->sin_addr;
	} else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		family = AF_INET;
		bytes += 12;
	}
	for (size_t i = 0; i < n_sources; i++)
		if (sources[i].family == family && (family == AF_UNIX || same_bits(bytes, sources[i].bytes, sources[i].bits)))
			return true;
	return false;
}

static void wake_beyond(int fd, size_t seen)
{
	int low = (int)seen + 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
}

/* Waits until there may be more bytes than were seen. DONE: look again. */
static enum proxy_outcome await_more(int fd, size_t seen, uint64_t end_usec)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t now_usec = now_boottime();
	int r;

	wake_beyond(fd, seen);
	if (now_usec >= end_usec)
		return PROXY_TIMED_OUT;
	r = sleep_poll(&pollfd, 1, end_usec - now_usec);
	if (r < 0)
		return r == -EINTR ? PROXY_INTERRUPTED : PROXY_CLIENT_GONE;
	return pollfd.revents & POLLERR ? PROXY_CLIENT_GONE : PROXY_DONE;
}

enum proxy_outcome proxy_peek(int fd, struct proxy_pair *ret, size_t *ret_size)
{
	unsigned char bytes[PROXY_READ_MAX];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	int size = proxy_header_parse(bytes, n > 0 ? (size_t)n : 0, ret);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return PROXY_CLIENT_GONE;
	*ret_size = size > 0 ? (size_t)size : n > 0 ? (size_t)n : 0;
	return size < 0 ? PROXY_NONE : size > 0 ? PROXY_DONE : PROXY_INCOMPLETE;
}

static enum proxy_outcome take_out(int fd, size_t size)
{
	unsigned char bytes[PROXY_READ_MAX];

	return recv(fd, bytes, size, MSG_DONTWAIT) == (ssize_t)size ? PROXY_DONE : PROXY_CLIENT_GONE;
}

static enum proxy_outcome look(int fd, struct proxy_pair *ret, size_t *ret_size)
{
	uint64_t end_usec = now_boottime() + PROXY_WAIT_USEC;
	enum proxy_outcome outcome;
	size_t seen = 0;

	for (;;) {
		outcome = proxy_peek(fd, ret, ret_size);
		if (outcome == PROXY_DONE)
			return take_out(fd, *ret_size);
		if (outcome != PROXY_INCOMPLETE)
			return outcome;
		/* Nothing new, and still ready: the client has ended its side, or the socket is not TCP. */
		if (*ret_size > 0 && *ret_size == seen && sleep_poll(NULL, 0, AGAIN_USEC) < 0)
			return PROXY_INTERRUPTED;
		seen = *ret_size;
		outcome = await_more(fd, seen, end_usec);
		if (outcome != PROXY_DONE)
			return outcome;
	}
}

enum proxy_outcome proxy_read(int fd, struct proxy_pair *ret, size_t *ret_size)
{
	enum proxy_outcome outcome = look(fd, ret, ret_size);

	wake_beyond(fd, 0);
	return outcome;
}

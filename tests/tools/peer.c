/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * peer.c: what the client and the node of the tests share, see peer.h.
 */

#include "peer.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static void say(const char *format, va_list arguments)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: ", program_invocation_short_name);
	(void)vfprintf(stderr, format, arguments);
}

void die(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, ": %s\n", strerror(error));
	exit(EXIT_SYSTEM);
}

void usage_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, " (see %s --help)\n", program_invocation_short_name);
	exit(EXIT_USAGE);
}

static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t word = seed * UINT64_C(0xd1342543de82ef95) + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

static void pattern_word_bytes(uint8_t bytes[8], uint64_t seed, uint64_t index)
{
	uint64_t word = pattern_word(seed, index);

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(word >> (8 * i));
}

void pattern_fill(uint8_t *buffer, size_t size, uint64_t seed, uint64_t offset)
{
	uint8_t bytes[8];

	while (size > 0) {
		size_t skip = (size_t)(offset % 8), part = 8 - skip < size ? 8 - skip : size;

		pattern_word_bytes(bytes, seed, offset / 8);
		if (part == 8)
			memcpy(buffer, bytes, 8);
		else
			memcpy(buffer, bytes + skip, part);
		buffer += part;
		offset += part;
		size -= part;
	}
}

bool pattern_matches(const uint8_t *data, size_t size, uint64_t seed, uint64_t offset)
{
	uint8_t expected[8];

	while (size > 0) {
		size_t skip = (size_t)(offset % 8), part = 8 - skip < size ? 8 - skip : size;

		pattern_word_bytes(expected, seed, offset / 8);
		if (part == 8 ? memcmp(data, expected, 8) != 0 : memcmp(data, expected + skip, part) != 0)
			return false;
		data += part;
		offset += part;
		size -= part;
	}
	return true;
}

uint64_t fnv1a64(uint64_t hash, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

bool number_parse(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		unsigned digit = (unsigned)*text - '0';

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (number < minimum || number > maximum)
		return false;
	*ret_number = number;
	return true;
}

bool seconds_parse(const char *text, uint64_t *ret_usec)
{
	uint64_t whole, fraction = 0, unit = USEC_PER_SEC;
	const char *point = strchr(text, '.');
	size_t size = point ? (size_t)(point - text) : strlen(text);
	char digits[8];

	if (size >= sizeof(digits))
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	if (!number_parse(digits, 0, 86400, &whole))
		return false;
	if (point) {
		size = strlen(point + 1);
		if (size > 6 || !number_parse(point + 1, 0, USEC_PER_SEC - 1, &fraction))
			return false;
		for (; size > 0; size--)
			unit /= 10;
		fraction *= unit;
	}
	if (whole * USEC_PER_SEC + fraction == 0)
		return false;
	*ret_usec = whole * USEC_PER_SEC + fraction;
	return true;
}

const char *address_parse(const char *text, uint64_t port_minimum, struct address *ret_address)
{
	const char *port_text, *host_start = text;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found, *best;
	struct address address = { .size = 0 };
	size_t host_size;
	char host[256];
	uint64_t port;
	int r;

	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] == '\0' || strlen(text + 5) >= sizeof(address.un.sun_path))
			return "the path of a unix socket has 1 to 107 bytes";
		address.un.sun_family = AF_UNIX;
		memcpy(address.un.sun_path, text + 5, strlen(text + 5) + 1);
		address.size = sizeof(address.un);
		*ret_address = address;
		return NULL;
	}

	port_text = strrchr(text, ':');
	if (text[0] == '[') {
		const char *bracket = strchr(text, ']');

		if (!bracket || bracket[1] != ':')
			return "expected [ADDRESS]:PORT";
		host_start = text + 1;
		host_size = (size_t)(bracket - host_start);
		port_text = bracket + 2;
		hints.ai_family = AF_INET6;
	} else if (port_text) {
		host_size = (size_t)(port_text - text);
		port_text++;
	} else {
		host_start = "127.0.0.1";
		host_size = strlen(host_start);
		port_text = text;
	}
	if (!number_parse(port_text, port_minimum, 65535, &port))
		return port_minimum == 0 ? "expected a port, 0 to 65535" : "expected a port, 1 to 65535";
	if (host_size == 0 || host_size >= sizeof(host))
		return "expected a host before the port";
	memcpy(host, host_start, host_size);
	host[host_size] = '\0';

	r = getaddrinfo(host, NULL, &hints, &found);
	if (r != 0)
		return gai_strerror(r);
	for (best = found; best && best->ai_family != AF_INET; best = best->ai_next)
		continue;
	if (!best)
		best = found;
	memcpy(&address.storage, best->ai_addr, best->ai_addrlen);
	address.size = best->ai_addrlen;
	freeaddrinfo(found);
	if (address.any.sa_family == AF_INET)
		address.in.sin_port = htons((uint16_t)port);
	else
		address.in6.sin6_port = htons((uint16_t)port);
	*ret_address = address;
	return NULL;
}

uint64_t now_usec(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0) {
		perror("clock_gettime");
		exit(EXIT_SYSTEM);
	}
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* It waits by ppoll() on the epoll descriptor: epoll_wait() counts in milliseconds, and valgrind does not know
 * epoll_pwait2(). */
int events_wait(int epoll_fd, struct epoll_event *events, int size, uint64_t until_usec)
{
	int n = epoll_wait(epoll_fd, events, size, 0);

	if (n == 0) {
		struct pollfd poll_fd = { .fd = epoll_fd, .events = POLLIN };
		uint64_t now = now_usec(), left = until_usec > now ? until_usec - now : 0;
		struct timespec timeout = { .tv_sec = (time_t)(left / USEC_PER_SEC),
					    .tv_nsec = (long)(left % USEC_PER_SEC) * 1000 };

		n = ppoll(&poll_fd, 1, until_usec == USEC_NEVER ? NULL : &timeout, NULL);
		if (n > 0)
			n = epoll_wait(epoll_fd, events, size, 0);
	}
	return n < 0 && errno != EINTR ? -errno : n < 0 ? 0 : n;
}

long long descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	return limit.rlim_cur > INT32_MAX ? INT32_MAX : (long long)limit.rlim_cur;
}

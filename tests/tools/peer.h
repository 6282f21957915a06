/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * peer.h: what the client and the node of the tests share: the byte pattern that one side sends and the other verifies,
 * the hash of a stream, the form of an address, the clock and the wait of their loops, and how they end after an error.
 *
 * The pattern is a function of seed and offset alone. So a sender that was interrupted goes on at that offset without
 * storing what it sent, and a receiver checks pieces of any size. Byte i is byte i % 8, least significant first, of
 * splitmix64's output number i / 8. So a lost, doubled or swapped piece of a stream never equals the right piece, and
 * the stream of another connection has another seed.
 */
#ifndef CBTEST_PEER_H
#define CBTEST_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FNV1A64_START UINT64_C(0xcbf29ce484222325)
#define USEC_NEVER UINT64_MAX
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define MSEC_MAX (UINT64_C(86400) * 1000)

/* From sysexits.h and section 6 of the design. */
enum { EXIT_USAGE = 64, EXIT_SYSTEM = 71 };

/* Ends the program: prints its name, the text and what errno means (exit status 71). */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Ends the program: prints its name, the text and where to find help (exit status 64). */
void usage_error(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Writes the pattern's bytes offset to offset + size - 1. */
void pattern_fill(uint8_t *buffer, size_t size, uint64_t seed, uint64_t offset);

/* Whether these are the pattern's bytes offset to offset + size - 1. */
bool pattern_matches(const uint8_t *data, size_t size, uint64_t seed, uint64_t offset);

/* Continues a hash that began with FNV1A64_START. */
uint64_t fnv1a64(uint64_t hash, const uint8_t *data, size_t size);

/* Reads a number of digits and nothing else, from minimum to maximum. Returns whether the text is such a number. */
bool number_parse(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number);

/*
 * Reads seconds, with or without a decimal fraction ("60", "0.25"), as microseconds; above 0, at most a day. Returns
 * whether the text is such a number.
 */
bool seconds_parse(const char *text, uint64_t *ret_usec);

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
	socklen_t size;
};

/*
 * Reads HOST:PORT, [V6]:PORT, unix:PATH, and for listeners PORT alone, a port of 127.0.0.1. Of a name's addresses the
 * first IPv4 address is taken; if there is none, the first of all. So a test that says "localhost" does not depend on
 * the order in /etc/hosts. Returns NULL, or what is wrong with the text.
 */
const char *address_parse(const char *text, uint64_t port_minimum, struct address *ret_address);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t now_usec(void);

/* As epoll_wait(), until a moment that is exact to the microsecond. Returns the number of events, or -errno. */
int events_wait(int epoll_fd, struct epoll_event *events, int size, uint64_t until_usec);

/* Raises the limit of descriptors to the hard limit. Returns that limit, or -errno. */
long long descriptors_raise(void);

#endif

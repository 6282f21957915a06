/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * passing.h: a message with descriptors (SCM_RIGHTS), between the listener and
 * the processes that it has made, over a socket that keeps messages apart.
 */

#include <stddef.h>
#include <sys/types.h>

#define PASSING_MAX 16u /* descriptors of a message */

/* Sends size bytes with a descriptor, which stays the caller's. Never waits. 0 or -errno. */
int passing_send(int fd, const void *bytes, size_t size, int passed);

/*
 * Takes a message of exactly size bytes and its descriptor (close-on-exec), which is the caller's then. Never waits. 1;
 * 0: the other end is closed; -EAGAIN: no message is there; -EMFILE: the message came without the descriptor; or -errno.
 */
int passing_receive(int fd, void *bytes, size_t size, int *ret_passed);

/* As passing_send(), with n descriptors: 1 to PASSING_MAX. */
int passing_send_many(int fd, const void *bytes, size_t size, const int *passed, size_t n);

/* As passing_receive(), with all descriptors of the message: *ret_n of them in ret_passed, which has room for
 * PASSING_MAX. */
int passing_receive_many(int fd, void *bytes, size_t size, int *ret_passed, size_t *ret_n);

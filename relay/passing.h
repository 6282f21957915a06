/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * passing.h: a message with a descriptor (SCM_RIGHTS), between the listener and
 * the processes that it has made, over a socket that keeps messages apart.
 */

#include <stddef.h>
#include <sys/types.h>

/* Sends size bytes with a descriptor, which stays the caller's. Never waits. 0 or -errno. */
int passing_send(int fd, const void *bytes, size_t size, int passed);

/*
 * Takes a message of exactly size bytes and its descriptor (close-on-exec), which is the caller's then. Never waits. 1;
 * 0: the other end is closed; -EAGAIN: no message is there; -EMFILE: the message came without the descriptor; or -errno.
 */
int passing_receive(int fd, void *bytes, size_t size, int *ret_passed);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * rival.h: a socket of another program, or of another farm, that listens at an
 * address of ours. ReusePort=yes of corebalance.socket allows that to sockets of
 * the same user with the same option, and the kernel then gives each of them a
 * part of the clients. Where a client's connection goes would be chance.
 */

#include <stddef.h>

/*
 * Looks for a rival of the first n of the sockets in fds, which all listen; the kernel's tables in /proc/net have it.
 * The n_all sockets in fds are no rivals of each other. Returns the first descriptor that has a rival, or -1: there is
 * none, or the tables cannot be read.
 */
int rival_find(const int *fds, size_t n, size_t n_all);

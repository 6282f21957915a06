/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * process.h: another process of this machine: signals that cannot hit a process that
 * got its pid meanwhile, and what /proc says of it.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A pidfd of the process that has the pid now, close-on-exec, to be closed by the caller; -ESRCH: there is none; or
 * -errno. */
int process_open(pid_t pid);

/* Sends a signal by a pidfd. 0; -ESRCH: the process has ended; or -errno. */
int process_signal(int fd, int signal_number);

/* Whether the process's program has that name, of at most 15 bytes: 1, 0; or -errno of /proc, as -ENOENT where it hides the
 * process from this user. */
int process_is_called(pid_t pid, const char *name);

/* Whether the process has the file open. 1, 0, or -errno. */
int process_has_open(pid_t pid, const struct stat *file);

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-portless.c: for LD_PRELOAD. The machine is short of descriptors whenever
 * the process opens the kernel's list of sockets.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *);

	*(void **)&real = dlsym(RTLD_NEXT, "fopen");
	if (!strstr(path, "/net/unix"))
		return real(path, mode);
	errno = ENFILE;
	return NULL;
}

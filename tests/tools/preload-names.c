/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-names.c: for LD_PRELOAD: a name server without an answer. Names that end in
 * ".slow" are looked up until there is a file named by $NAMES_ANSWER, and are not found
 * then.
 */

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
	const char *answer = getenv("NAMES_ANSWER"), *end = node ? strrchr(node, '.') : NULL;

	if (!answer || !end || strcmp(end, ".slow") != 0)
		return real(node, service, hints, ret);
	while (access(answer, F_OK) < 0)
		(void)usleep(10000);
	return EAI_NONAME;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "surroundings.h"

#include <string.h>
#include <sys/stat.h>

#include "holder.h"

static uint64_t number_of(const char *namespace)
{
	struct stat st;

	return stat(namespace, &st) == 0 ? st.st_ino : 0;
}

void surroundings_self(struct surroundings *ret)
{
	struct holder self;

	holder_self(&self);
	(void)memcpy(ret->boot, self.boot, sizeof(ret->boot));
	ret->pid = number_of("/proc/self/ns/pid");
	ret->time = number_of("/proc/self/ns/time");
	ret->net = number_of("/proc/self/ns/net");
	ret->user = number_of("/proc/self/ns/user");
}

static bool agree(uint64_t a, uint64_t b)
{
	return a == 0 || b == 0 || a == b;
}

bool surroundings_agree(const struct surroundings *a, const struct surroundings *b)
{
	return agree(a->pid, b->pid) && agree(a->time, b->time) && agree(a->net, b->net) && agree(a->user, b->user);
}

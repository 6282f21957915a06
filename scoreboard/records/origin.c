/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "origin.h"

#include <errno.h>
#include <string.h>

int origin_check(const struct origin *origin)
{
	return memchr(origin->list, '\0', sizeof(origin->list)) && (*origin->list == '/' || !*origin->list) ? 0 : -EUCLEAN;
}

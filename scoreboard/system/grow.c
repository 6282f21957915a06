/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16u

int grow_array(void *items, void *variable, size_t n, size_t *room, size_t size)
{
	size_t more = *room > 0 ? *room * 2 : ROOM_FIRST;
	void *grown;

	if (n < *room)
		return 0;
	grown = reallocarray(items, more, size);
	if (!grown)
		return -ENOMEM;
	/* The variable may point to any type, so the pointer is copied as bytes. */
	(void)memcpy(variable, &grown, sizeof(grown));
	*room = more;
	/* cppcheck-suppress memleak ; the variable has it now */
	return 0;
}

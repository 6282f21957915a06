/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * descriptors.h: what a child of the listener must not inherit: above all the
 * sockets of other clients. A copy in the child would hide the end of such a socket.
 */

#include <stddef.h>

/* Closes all descriptors except 0 to 2 and the n in keep. Sorts keep; an entry of -1 is passed over. */
void descriptors_keep(int *keep, size_t n);

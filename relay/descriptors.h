/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * descriptors.h: what a child of the listener must not inherit: above all the
 * sockets of other clients, whose end it would hide.
 */

#include <stddef.h>

/* Closes all descriptors but the standard ones and those n in keep, which it sorts; -1 in there is passed over. */
void descriptors_keep(int *keep, size_t n);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * grow.h: arrays that grow by doubling.
 */

#include <stddef.h>

/*
 * Makes room for one item more than n in an array. items: the variable that
 * points to the first item (NULL while room is 0); n: how many items are in
 * use; room: the size_t variable that counts how many fit. 0; or -ENOMEM, and
 * the array is as it was. The caller frees items.
 */
#define GROW(items, n, room) grow_array((items), &(items), (n), &(room), sizeof(*(items)))

/* Does the work of GROW(): variable is the address of the pointer items. */
int grow_array(void *items, void *variable, size_t n, size_t *room, size_t size);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * object.h: what a compiled object tells about its target machine and the compiler
 * that made it.
 */

#include <stddef.h>

#include "list/nodelist.h"

/*
 * Reads an ELF object of any class and byte order, which may be damaged or
 * hostile. 0: ret is "x86-64 GCC: (Debian 12.2.0-14) 12.2.0", or the machine
 * alone if the object names no compiler, cut to fit, unprintable bytes as
 * dots. -EINVAL: it is no ELF object.
 */
int object_fingerprint(const unsigned char *object, size_t size, char ret[static NODE_FINGERPRINT_MAX + 1]);

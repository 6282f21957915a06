/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * must.h: MUST() ends a test tool with status 1 if the condition does not hold,
 * after a message that names place and condition.
 */

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)

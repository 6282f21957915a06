/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * version.h: the record by which one version of corebalance refuses the
 * scoreboard of another. FORMAT grows with every change of any record.
 */

#include <stdint.h>

#define SCORE_FORMAT 3u

struct version {
	char magic[16];        /* "corebalance" */
	uint32_t format;
	uint32_t word;         /* 0x01020304 in the machine's own order */
};

/* The record as this version writes it. */
static inline struct version version_current(void)
{
	return (struct version){ .magic = "corebalance", .format = SCORE_FORMAT, .word = 0x01020304 };
}

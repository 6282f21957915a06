/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * version.h: the record by which one version of corebalance refuses the
 * scoreboard of another. FORMAT grows with every change of any record.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef SCORE_FORMAT /* a test builds another version */
#define SCORE_FORMAT 20u
#endif

/* The oldest format with records that mean the same in this version: a scoreboard of it can be upgraded while its slots
 * are held. A change of the farm's, a node's, a slot's or a cell's record makes this the format of that change. */
#define SCORE_FORMAT_OLDEST 16u

/* Before this format some times were those of the wall clock (repair/upgrade.h). */
#define SCORE_FORMAT_BOOTTIME 18u

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

/* Whether a record is that of this version. 0; -EBADMSG: it is none at all; -EPROTO: another version's. */
static inline int version_check(const void *data, size_t size)
{
	const struct version now = version_current();
	struct version version;

	if (size != sizeof(version))
		return -EBADMSG;
	(void)memcpy(&version, data, sizeof(version));
	if (memcmp(version.magic, now.magic, sizeof(version.magic)) != 0)
		return -EBADMSG;
	return version.format == now.format && version.word == now.word ? 0 : -EPROTO;
}

/* The format of a record of an earlier version whose scoreboard this version can upgrade; 0: it is none. */
static inline uint32_t version_upgradable(const void *data, size_t size)
{
	const struct version now = version_current();
	struct version version;

	if (version_check(data, size) != -EPROTO)
		return 0;
	(void)memcpy(&version, data, sizeof(version));
	return version.word == now.word && version.format >= SCORE_FORMAT_OLDEST && version.format < now.format ? version.format : 0;
}

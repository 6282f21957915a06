/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * journal_export.h: reads systemd's journal export format,
 * https://systemd.io/JOURNAL_EXPORT_FORMATS: a field a line, NAME=value; a value
 * that is not plain text follows its name as a length and bytes; an empty line
 * ends an entry.
 */

#include <stdint.h>
#include <stdio.h>

#define JOURNAL_VALUE_MAX 2047

/* The fields of an entry that matter here; empty: the entry does not have it. */
struct journal_entry {
	char realtime[24];
	char message_id[40];
	char message[JOURNAL_VALUE_MAX + 1];
	char client[80], node[320], node_local[80], total_usec[24];
};

/* Reads the next entry. 1: *ret is filled; 0: end of file; -EBADMSG: the file breaks off, or has another form; or
 * -errno. */
int journal_export_read(FILE *file, struct journal_entry *ret);

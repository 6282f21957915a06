/* SPDX-License-Identifier: GPL-3.0-or-later */

/* gateway_note.c: a line is: name state cores shares busy waiting waiting_usec said_usec list. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway_note.h"
#include "system/folder.h"
#include "system/number.h"
#include "system/whole.h"

#define LINE_MAX_ 512
#define FILE_MAX_ 65536 /* bytes, far more than all lines have */
#define FIELDS 9u

static const char *const words[GATEWAY_NOTE_STATES_] = { "here", "lapsed", "there", "silent", "leaving" };

const char *gateway_note_word(enum gateway_note_state state)
{
	return words[state];
}

/* The caller frees it. NULL: no memory. */
static char *path_of(const char *scoreboard)
{
	char *path;

	return asprintf(&path, "%s.gateways", scoreboard) < 0 ? NULL : path;
}

/* ---- writing ---- */

/* The caller frees it. NULL: no memory. */
static char *write_lines(const struct gateway_note *notes, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *lines = open_memstream(&text, &size);

	if (!lines)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const struct gateway_note *note = &notes[i];

		(void)fprintf(lines, "%s %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
			      note->name, words[note->state], note->cores, note->shares, note->busy, note->waiting,
			      note->waiting_usec, note->said_usec, note->same_list ? "same" : "other");
	}
	if (fclose(lines) == 0)
		return text;
	free(text);
	return NULL;
}

int gateway_note_write(const char *scoreboard, const struct gateway_note *notes, size_t n)
{
	char *path = path_of(scoreboard), *text = write_lines(notes, n);
	int r = path && text ? whole_replace(path, text, false) : -ENOMEM;

	free(path);
	free(text);
	return r;
}

void gateway_note_remove(const char *scoreboard)
{
	char *path = path_of(scoreboard);
	struct folder folder;
	struct folder_stay stay;

	if (path && folder_open(path, &folder) == 0) {
		if (folder_enter(&folder, &stay) == 0) {
			(void)unlinkat(folder.fd, folder.name, 0);
			folder_leave(&stay);
		}
		folder_close(&folder);
	}
	free(path);
}

/* ---- reading ---- */

static bool read_word(const char *text, const char *const *from, size_t n, size_t *ret)
{
	for (*ret = 0; *ret < n; ++*ret)
		if (strcmp(from[*ret], text) == 0)
			return true;
	return false;
}

/* Splits a line in place. Returns whether it has exactly that many fields. */
static bool split_line(char *line, char *fields[static FIELDS])
{
	char *rest = line, *field;
	size_t n = 0;

	while ((field = strsep(&rest, " \n"))) {
		if (n == FIELDS)
			return *field == '\0' && !rest;
		fields[n++] = field;
	}
	return false;
}

static bool read_line(char *line, struct gateway_note *ret)
{
	static const char *const lists[] = { "other", "same" };
	uint64_t *numbers[] = { &ret->cores, &ret->shares, &ret->busy, &ret->waiting, &ret->waiting_usec, &ret->said_usec };
	char *fields[FIELDS];
	size_t state, list, i;

	if (!split_line(line, fields) || fields[0][0] == '\0' || strlen(fields[0]) > GATEWAY_NOTE_NAME_MAX ||
	    !read_word(fields[1], words, GATEWAY_NOTE_STATES_, &state) || !read_word(fields[FIELDS - 1], lists, 2, &list))
		return false;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (number_parse(fields[2 + i], 0, UINT64_MAX, numbers[i]) < 0)
			return false;
	(void)strcpy(ret->name, fields[0]);
	ret->state = (enum gateway_note_state)state;
	ret->same_list = list == 1;
	return true;
}

int gateway_note_each(const char *scoreboard, int (*fn)(const struct gateway_note *note, void *arg), void *arg)
{
	char *path = path_of(scoreboard), line[LINE_MAX_];
	struct gateway_note note;
	FILE *file = NULL;
	int r = path ? whole_open(path, FILE_MAX_, &file) : -ENOMEM;
	size_t n;

	free(path);
	if (r < 0)
		return r;
	for (n = 0; r == 0 && fgets(line, sizeof(line), file); n++)
		r = n < GATEWAY_NOTES_MAX && read_line(line, &note) ? fn(&note, arg) : -EBADMSG;
	(void)fclose(file);
	return r;
}

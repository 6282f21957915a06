/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * holds.c: what administrators decided outlives the scoreboard, which a reboot
 * removes: a file names the held nodes, a line each, "host:port reason", and this
 * gateway's part of the nodes, "share 1/2". The process that makes a scoreboard
 * holds these nodes, and divides all nodes, before any other process sees the
 * scoreboard.
 *
 * The file is written anew, in one step, after each change. Of two processes that
 * write at once, the later may have looked at the farm earlier: so each looks
 * again after it has written, and writes again if the farm's holds have changed.
 */

#include "scoreboard.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm/attempt.h"
#include "system/whole.h"

#define LINE_MAX_ (NODE_NAME_MAX + NODE_DETAIL_MAX + 3)
#define TRIES_MAX 100u
#define SIZE_MAX_ (256 * 1024 * 1024) /* bytes of a file that is read: a member of the group may have made it longer */

static const char share_word[] = "share";
static const char *file_path;

void score_set_holds(const char *path)
{
	file_path = path;
}

/* ---- reading ---- */

/* Does what a line says. A node that the farm does not have is left out. 0 or -errno. */
static int obey_line(struct score *s, char *line)
{
	char *reason = line + strcspn(line, " \n");
	struct split split;
	int r;

	if (*line == '#' || reason == line)
		return 0;
	reason[strcspn(reason, "\n")] = '\0';
	if (*reason)
		*reason++ = '\0';
	for (const char *p = reason; *p; p++)
		if (iscntrl((unsigned char)*p) && (unsigned char)*p < 0x80)
			return 0;
	if (strcmp(line, share_word) == 0) /* it is no node's name: those have a colon */
		return split_parse(reason, &split) == 0 ? attempt_split(s, &split, true) : 0;
	r = attempt_hold(s, line, true, *reason ? reason : NULL);
	return r < 0 && r != -ENOENT ? r : 0;
}

/* Each user that may write in the file's folder may hold nodes. A file that is not believed holds none. */
int score_restore_holds(struct score *s)
{
	char line[LINE_MAX_ + 1];
	FILE *file;
	int r = 0;

	if (!file_path || whole_open(file_path, SIZE_MAX_, &file) < 0)
		return 0;
	while (r >= 0 && fgets(line, sizeof(line), file))
		r = obey_line(s, line);
	(void)fclose(file);
	return r < 0 ? r : 0;
}

/* ---- writing ---- */

static int add_line(const struct score_node *node, void *arg)
{
	FILE *text = arg;

	if (node->flags & BN_HOLD)
		(void)fprintf(text, "%s%s%s\n", node->config.name, *node->detail ? " " : "", node->detail);
	return 0;
}

/* The contents of the file for the farm as it is. 0 and *ret, which the caller frees; or -errno. */
static int describe(struct score *s, char **ret)
{
	char share[SPLIT_TEXT_MAX];
	struct split split;
	size_t size;
	FILE *text = open_memstream(ret, &size);
	int r;

	if (!text)
		return -errno;
	(void)fputs("# Held nodes, and the share, written by cbscore: a new scoreboard begins with them.\n", text);
	r = score_get_split(s, &split);
	if (r == 0 && (split.part > 0 || split_is_leased(&split)))
		(void)fprintf(text, "%s %s\n", share_word, split_format(&split, share));
	if (r == 0)
		r = score_each_node(s, add_line, text);
	if (fclose(text) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0) {
		free(*ret);
		*ret = NULL;
	}
	return r;
}

int score_save_holds(struct score *s)
{
	char *text = NULL, *now = NULL;
	int r = file_path ? describe(s, &text) : -ENOENT;

	for (unsigned i = 0; r == 0 && i < TRIES_MAX; i++) {
		r = whole_replace(file_path, text, true) ?: describe(s, &now);
		if (r < 0 || !now || strcmp(text, now) == 0)
			break;
		free(text);
		text = now;
		now = NULL;
	}
	free(now);
	free(text);
	return r;
}

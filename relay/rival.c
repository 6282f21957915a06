/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * rival.c: /proc/net/tcp has a line for each TCP socket, those that listen first.
 * A line names the socket by its inode, as fstat(2) does. Two sockets have the same
 * address if the lines have the same text for it; nothing else of that text matters
 * here.
 */

#include "rival.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LISTENS 0x0A /* TCP_LISTEN */

struct line {
	char address[40]; /* 32 digits of an IPv6 address, a colon, 4 of the port */
	ino_t inode;
};

/* Reads the next line of a socket that listens. */
static bool next_line(FILE *table, struct line *ret)
{
	char text[256];
	unsigned long inode;
	unsigned state;

	while (fgets(text, sizeof(text), table)) {
		if (sscanf(text, " %*u: %39s %*s %x %*s %*s %*s %*s %*s %lu", ret->address, &state, &inode) != 3)
			continue; /* the head of the table */
		ret->inode = (ino_t)inode;
		return state == LISTENS;
	}
	return false;
}

static bool is_ours(ino_t inode, const int *fds, size_t n)
{
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (fstat(fds[i], &st) == 0 && st.st_ino == inode)
			return true;
	return false;
}

/* Whether a socket that is none of ours has the address of this one of ours. */
static bool has_rival(FILE *table, int fd, const int *fds, size_t n)
{
	struct line line, own = { .inode = 0 };
	struct stat st;
	bool found = false;

	if (fstat(fd, &st) < 0)
		return false;
	rewind(table);
	while (own.inode != st.st_ino && next_line(table, &line))
		if (line.inode == st.st_ino)
			own = line;
	rewind(table);
	while (own.inode == st.st_ino && !found && next_line(table, &line))
		found = strcmp(line.address, own.address) == 0 && !is_ours(line.inode, fds, n);
	return found;
}

int rival_find(const int *fds, size_t n, size_t n_all)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	int found = -1;

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]) && found < 0; t++) {
		FILE *table = fopen(tables[t], "re");

		for (size_t i = 0; table && i < n && found < 0; i++)
			if (has_rival(table, fds[i], fds, n_all))
				found = fds[i];
		if (table)
			(void)fclose(table);
	}
	return found;
}

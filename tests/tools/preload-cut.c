/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-cut.c: for LD_PRELOAD. As long as there is a file $CUTS, the first
 * scoreboard that a process opens is cut short, between tdb_open(3) and the first
 * record that is read of it. The file $CUTS gets a byte less then, and is removed when it
 * has none.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tdb.h>

static bool is_fresh; /* opened, and nothing read of it */

struct tdb_context *tdb_open(const char *name, int hash_size, int tdb_flags, int open_flags, mode_t mode)
{
	struct tdb_context *(*real)(const char *, int, int, int, mode_t) =
		(struct tdb_context *(*)(const char *, int, int, int, mode_t))dlsym(RTLD_NEXT, "tdb_open");

	const char *path = getenv("CUTS");

	is_fresh = !(tdb_flags & TDB_INTERNAL) && !(open_flags & O_CREAT) && path && access(path, F_OK) == 0;
	return real(name, hash_size, tdb_flags, open_flags, mode);
}

int tdb_parse_record(struct tdb_context *tdb, TDB_DATA key, int (*parser)(TDB_DATA key, TDB_DATA data, void *arg), void *arg)
{
	int (*real)(struct tdb_context *, TDB_DATA, int (*)(TDB_DATA, TDB_DATA, void *), void *) =
		(int (*)(struct tdb_context *, TDB_DATA, int (*)(TDB_DATA, TDB_DATA, void *), void *))dlsym(RTLD_NEXT, "tdb_parse_record");
	const char *path = getenv("CUTS");
	struct stat left;

	if (is_fresh && path && stat(path, &left) == 0) {
		(void)!(left.st_size > 0 ? truncate(path, left.st_size - 1) : unlink(path));
		(void)!ftruncate(tdb_fd(tdb), 0);
	}
	is_fresh = false;
	return real(tdb, key, parser, arg);
}

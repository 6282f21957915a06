/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * file.c: a scoreboard's file, opened by tdb in a folder that other users may
 * be able to write to; opened anew when another file has its name.
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <tdb.h>

#include "key.h"
#include "lock.h"
#include "page.h"
#include "place.h"
#include "system/fault.h"
#include "system/whole.h"
#include "version.h"

#define SMALLEST_FILE (512 * 1024) /* what an empty farm needs, about */
#define COMMIT_ROOM 4u             /* a commit makes the file larger by less than so many times its new size */

/* ---- errors ---- */

/* By how many bytes the file can grow: its file system may be full, and this process may have a limit (RLIMIT_FSIZE). */
static uint64_t room_of(struct tdb_context *tdb)
{
	uint64_t room = UINT64_MAX, size = tdb_map_size(tdb), left;
	struct statvfs vfs;
	struct rlimit limit;

	if (fstatvfs(tdb_fd(tdb), &vfs) == 0)
		room = vfs.f_bavail * vfs.f_frsize;
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return room;
	left = limit.rlim_cur > size ? limit.rlim_cur - size : 0;
	return left < room ? left : room;
}

/* Whether the file cannot grow. tdb does not tell this apart from other errors. */
static bool is_full(struct tdb_context *tdb)
{
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG || room_of(tdb) < SMALLEST_FILE;
}

int file_commit_error(struct tdb_context *tdb, size_t size)
{
	int r = file_error(tdb);

	if (room_of(tdb) < COMMIT_ROOM * (uint64_t)size)
		return -ENOSPC;
	return r == -ENOENT ? -EIO : r;
}

int file_believe(int r)
{
	return fault_seen() ? -EUCLEAN : r;
}

int file_error(struct tdb_context *tdb)
{
	switch (tdb_error(tdb)) {
	case TDB_ERR_NOEXIST:
		return -ENOENT;
	case TDB_ERR_OOM:
		return is_full(tdb) ? -ENOSPC : -ENOMEM;
	case TDB_ERR_CORRUPT:
		return -EUCLEAN;
	case TDB_ERR_IO:
		/* Or an offset behind the end of a file that was cut short. */
		return is_full(tdb) ? -ENOSPC : -EUCLEAN;
	case TDB_ERR_LOCK:
	case TDB_ERR_NOLOCK:
	case TDB_ERR_LOCK_TIMEOUT:
		return -ENOLCK;
	default:
		return -EIO;
	}
}

/* ---- opened ---- */

/*
 * tdb opens by a path. The descriptor's path under /proc means this very file, whatever file has its name by now.
 * Without /proc the path is the name in the folder. tdb has opened the right file if the two files are the same
 * afterwards. A wrong file takes no harm: tdb writes to no file that is not a tdb file, and root is the folder's owner
 * here.
 */
static struct tdb_context *open_found(struct file *f, int fd, const char *name, int hash_size, int open_flags)
{
	const int tdb_flags = TDB_NOSYNC | TDB_DISALLOW_NESTING | TDB_INCOMPATIBLE_HASH;
	struct tdb_context *tdb;
	struct stat found, opened;
	char path[32];
	int here = -1;

	if (folder_path_of(fd, path)) {
		name = path;
	} else {
		here = open(".", O_PATH | O_CLOEXEC);
		if (here < 0 || fchdir(f->folder.fd) < 0) {
			if (here >= 0)
				(void)close(here);
			return NULL;
		}
	}
	errno = 0;
	tdb = tdb_open(name, hash_size, tdb_flags, open_flags | O_NOFOLLOW * (here >= 0) | O_CLOEXEC, 0600);
	if (here >= 0) {
		int failed = fchdir(here);

		(void)close(here);
		if (failed && tdb) {
			(void)tdb_close(tdb);
			return NULL;
		}
	}
	if (tdb && (fstat(fd, &found) < 0 || fstat(tdb_fd(tdb), &opened) < 0 || !is_same_file(&found, &opened))) {
		(void)tdb_close(tdb);
		tdb = NULL;
		errno = ESTALE;
	}
	return tdb;
}

static int open_error(void)
{
	return errno == EIO || errno == EINVAL || errno == 0 ? -EBADMSG : -errno;
}

/* Opens the file that has the scoreboard's name now, if it can be believed. */
static int open_tdb(struct file *f)
{
	struct folder_stay stay;
	struct stat st;
	int fd = -1, r = folder_enter(&f->folder, &stay);

	f->tdb = NULL;
	f->map = (struct map){ 0 };
	if (r < 0)
		return r;
	fault_begin();
	r = folder_find(&f->folder, f->folder.name, &fd, &st) ?: folder_trusts(&f->folder, &st);
	if (r == 0) {
		f->tdb = open_found(f, fd, f->folder.name, 0, O_RDWR);
		r = f->tdb ? 0 : open_error();
	}
	if (fault_end() && r == 0)
		r = -EBADMSG;
	folder_leave(&stay);
	/* O_PATH: closing it gives up none of the locks that this process has on the file. */
	if (fd >= 0)
		(void)close(fd);
	if (r == 0 && tdb_hash_size(f->tdb) != (int)STORE_HASH_SIZE)
		r = -EBADMSG; /* another program's file, or a damaged one: nothing is written into it */
	if (r == 0)
		r = lock_open(&f->folder, tdb_fd(f->tdb), &f->lock);
	if (r < 0 && f->tdb) {
		(void)tdb_close(f->tdb);
		f->tdb = NULL;
	}
	return r;
}

int file_open(const char *path, struct file *ret)
{
	int r;

	*ret = file_none();
	r = folder_open(path, &ret->folder) ?: open_tdb(ret);
	if (r < 0)
		file_close(ret);
	return r;
}

int file_has_name(const struct file *f)
{
	struct stat mine, there;

	if (!f->tdb || fstat(tdb_fd(f->tdb), &mine) < 0)
		return -EBADF;
	if (fstatat(f->folder.fd, f->folder.name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return is_same_file(&there, &mine);
}

static int note_version(TDB_DATA key, TDB_DATA data, void *arg)
{
	bool *other = arg;

	(void)key;
	*other = version_check(data.dptr, data.dsize) == -EPROTO;
	return 0;
}

/* Whether the file is a scoreboard of another version: a later version upgrades it while this process has it open. What is
 * damaged is seen by others. */
static bool is_of_other_version(struct file *f)
{
	char name[KEY_MAX];
	TDB_DATA key = { .dptr = (unsigned char *)name, .dsize = key_write(name, STORE_VERSION, 0, 0) };
	bool other = false;

	fault_begin();
	(void)tdb_parse_record(f->tdb, key, note_version, &other);
	return !fault_end() && other;
}

/*
 * If another file has the name, that file must be found before this one is closed: as long as a process has this file
 * open, its contents are not lost. A file that was cut short must be closed first, or tdb takes it for open already.
 */
int file_reopen(struct file *f)
{
	struct tdb_context *old = f->tdb;
	struct lock *old_lock = f->lock;
	bool gone = f->is_gone || file_has_name(f) != 1;
	int r;

	if (old && !gone) {
		(void)tdb_close(old);
		old = NULL;
		old_lock = lock_close(old_lock);
	}
	f->lock = NULL;
	f->is_stale = false;
	r = open_tdb(f);
	if (r == -ENOENT && old) {
		f->tdb = old;
		f->lock = old_lock;
		return -EIDRM;
	}
	f->is_gone = false;
	if (old)
		(void)tdb_close(old);
	(void)lock_close(old_lock);
	if (r == 0 && is_of_other_version(f)) {
		(void)tdb_close(f->tdb);
		f->lock = lock_close(f->lock);
		f->tdb = NULL;
		r = -EPROTO;
	}
	return r;
}

/* ---- locked ---- */

#define REPLACED_MAX 8u /* the file may be replaced so often while this process opens it */

/*
 * Takes the lock of the file that is the scoreboard now. 0; 1: the process that
 * had it before died within its section; or -errno. The dead process may have
 * given the file's name to another file, and have died before its lock_retire().
 */
int file_take(struct file *f)
{
	for (unsigned i = 0; i < REPLACED_MAX; i++) {
		int r = f->tdb && !f->is_stale && !f->is_gone ? 0 : file_reopen(f);

		if (r == -ESTALE)
			continue;
		if (r < 0)
			return r;
		r = f->lock ? lock_take(f->lock) : 1; /* no other process has a draft: tdb locks it as it likes */
		if (r == 1 && f->lock && file_has_name(f) == 0) {
			lock_retire(f->lock);
			(void)lock_leave(f->lock);
			r = -ESTALE;
		}
		if (r != -ESTALE)
			return r;
		f->is_gone = true;
	}
	return -EUCLEAN;
}

void file_follow(struct file *f)
{
	f->is_gone |= file_has_name(f) == 0;
}

void file_leave(struct file *f)
{
	if (f->lock && lock_leave(f->lock))
		f->is_stale = true;
}

/* ---- made ---- */

/*
 * Makes a new, empty file where there is room for a scoreboard. tdb, too, fails
 * where there is no room, but cannot tell that from other failures.
 */
static int make_room(struct file *f)
{
	int r = folder_make(&f->folder, &f->made) ?: -posix_fallocate(f->made.fd, 0, SMALLEST_FILE);

	if (r == 0 && ftruncate(f->made.fd, 0) < 0)
		r = -errno;
	return r;
}

static int make_tdb(struct file *f)
{
	struct folder_stay stay;
	int r = folder_enter(&f->folder, &stay);

	if (r < 0)
		return r;
	r = make_room(f);
	if (r == 0) {
		f->tdb = open_found(f, f->made.fd, f->made.name, (int)STORE_HASH_SIZE, O_RDWR | O_CREAT);
		r = f->tdb ? 0 : open_error();
	}
	folder_leave(&stay);
	return r;
}

int file_create(const struct folder *folder, struct file *ret)
{
	int r;

	*ret = file_none();
	r = folder_copy(folder, &ret->folder) ?: make_tdb(ret);
	if (r < 0)
		file_close(ret);
	return r;
}

int file_publish(struct file *f, bool instead)
{
	struct folder_stay stay;
	int r = folder_enter(&f->folder, &stay);

	if (r < 0)
		return r;
	lock_begin(tdb_fd(f->tdb));
	r = (instead ? folder_replace : folder_publish)(&f->folder, &f->made, f->folder.name);
	folder_leave(&stay);
	return r;
}

int file_set_owner(struct file *f, mode_t mode, uid_t user, gid_t group)
{
	int fd = tdb_fd(f->tdb);
	struct stat st;
	bool changes;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* chown only where something changes: a service may not be allowed to make the call at all. */
	changes = (user != (uid_t)-1 && user != st.st_uid) || (group != (gid_t)-1 && group != st.st_gid);

	if (fchmod(fd, mode) < 0 || (changes && fchown(fd, user, group) < 0))
		return -errno;
	return 0;
}

/* ---- an image ---- */

#define IMAGE_SPARE (1024u * 1024u) /* the file may grow before its bytes are copied */

int file_image_prepare(const struct file *f, struct file_image *ret)
{
	struct file_image image = { .fd = -1 };
	struct stat st;
	void *bytes;
	int r;

	if (fstat(file_fd(f), &st) < 0)
		return -errno;
	image.fd = memfd_create("scoreboard", MFD_CLOEXEC);
	if (image.fd < 0)
		return -errno;
	image.room = (size_t)st.st_size + IMAGE_SPARE;
	r = -posix_fallocate(image.fd, 0, (off_t)image.room);
	bytes = r == 0 ? mmap(NULL, image.room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, image.fd, 0) : MAP_FAILED;
	if (bytes == MAP_FAILED) {
		r = r < 0 ? r : -errno;
		(void)close(image.fd);
		return r;
	}
	image.bytes = bytes;
	*ret = image;
	return 0;
}

int file_image_take(const struct file *f, struct file_image *image)
{
	struct stat st;
	int r;

	if (fstat(file_fd(f), &st) < 0)
		return -errno;
	if ((size_t)st.st_size > image->room)
		return -EAGAIN;
	r = whole_read(file_fd(f), image->bytes, (size_t)st.st_size, &image->size);
	return r < 0 ? r : image->size < (size_t)st.st_size ? -EUCLEAN : 0;
}

int file_image_open(struct file_image *image, struct file *ret)
{
	*ret = file_none();
	if (ftruncate(image->fd, (off_t)image->size) < 0)
		return -errno;
	ret->tdb = open_found(ret, image->fd, NULL, 0, O_RDWR);
	if (!ret->tdb)
		return open_error();
	if (tdb_hash_size(ret->tdb) == (int)STORE_HASH_SIZE)
		return 0;
	file_close(ret);
	return -EBADMSG;
}

void file_image_clear(struct file_image *image)
{
	if (image->bytes)
		(void)munmap(image->bytes, image->room);
	if (image->fd >= 0)
		(void)close(image->fd);
	*image = (struct file_image){ .fd = -1 };
}

bool file_has_places(struct file *f, const char *key)
{
	if (tdb_map_size(f->tdb) == f->map.size)
		return f->map.bytes && !f->is_moved;
	f->map = place_map(f->tdb, key);
	f->is_moved = true; /* what was shown earlier in the section may be where the file was */
	return false;
}

/* A transaction that fails may leave the file mapped elsewhere with the same size. */
void file_note_place(struct file *f, const unsigned char *place)
{
	f->is_moved = false;
	if (f->map.bytes && f->map.known != place)
		f->map = (struct map){ 0 };
}

bool file_find(const struct file *f, TDB_DATA key, uint32_t hash, TDB_DATA *ret)
{
	return tdb_map_size(f->tdb) == f->map.size && place_find(&f->map, key, hash, ret);
}

int file_fd(const struct file *f)
{
	return f->tdb ? tdb_fd(f->tdb) : -1;
}

int file_stat(const struct file *f, struct stat *ret)
{
	return fstat(file_fd(f), ret) < 0 ? -errno : 0;
}

void file_look(struct file *f)
{
	if (f->lock)
		page_look(lock_page(f->lock));
}

uint64_t file_held_until(const struct file *f)
{
	return f->lock ? lock_held_until(f->lock) : 0;
}

/* Removes a new file that got no name. */
static void drop_file(struct file *f)
{
	struct folder_stay stay;

	if (f->made.fd < 0)
		return;
	if (folder_enter(&f->folder, &stay) == 0) {
		folder_file_close(&f->folder, &f->made);
		folder_leave(&stay);
	}
}

void file_close(struct file *f)
{
	if (f->tdb)
		(void)tdb_close(f->tdb); /* nothing is buffered; a failed close(2) loses nothing */
	drop_file(f);
	f->lock = lock_close(f->lock);
	folder_close(&f->folder);
	*f = file_none();
}

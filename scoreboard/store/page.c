/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * page.c: a page is thrown away whenever there is a doubt about it: the scoreboard
 * does not trust the page's owner, the page was copied or written over, is of
 * another boot, or its mutex is held while no process is in the section. Another
 * page gets its name. A process that has the old page finds it retired, or looks
 * for the page once in a while (page_look()). A process has no page where none can
 * be made (in a folder that may not be written to, by a process that may open no
 * file any more), or where the kernel does not tell of a dead owner.
 */

#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mutex.h"
#include "system/fault.h"
#include "system/folder.h"

#define FORMAT 2u
#define SIZE 4096

/* The page, as it lies in its file. */
struct page_memory {
	char magic[16];
	uint32_t format, reserved;
	uint64_t device, inode;    /* of the page's own file: a copy of the file is no page */
	uint8_t boot[BOOT_SIZE];   /* a mutex that was held when the machine went down stays held */
	_Atomic uint32_t retired;  /* another page is to be used */
	_Atomic uint32_t life;     /* see struct page_use */
	_Alignas(64) struct mutex mutex;
	_Alignas(64) _Atomic uint64_t applied, unapplied; /* see struct page_use; the same with all bits turned */
};

_Static_assert(sizeof(struct page_memory) <= SIZE, "a page is one page");

/* Whether the page has not been written over. */
static bool is_whole(const struct page_memory *memory)
{
	return memcmp(memory->magic, "corebalance lock", sizeof(memory->magic)) == 0 && memory->format == FORMAT;
}

static bool is_good(const struct page *page, const struct page_memory *memory, const struct stat *st)
{
	return is_whole(memory) && memory->device == st->st_dev && memory->inode == st->st_ino &&
	       memcmp(memory->boot, page->boot, sizeof(memory->boot)) == 0 && !memory->retired;
}

static struct page_memory *map(int fd)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(struct page *page)
{
	if (page->memory)
		(void)munmap(page->memory, SIZE);
	page->memory = NULL;
}

/* ---- finding and making ---- */

/* Opens the file that has the page's name, if it can be believed. A descriptor, and what fstat(2) says; or -errno. */
static int open_named(const struct page *page, struct stat *ret)
{
	int found, fd, r = folder_find(page->folder, page->name, &found, ret);

	if (r < 0)
		return r;
	r = folder_trusts(page->folder, ret);
	if (r == 0 && ret->st_size != SIZE)
		r = -EBADMSG;
	fd = r < 0 ? r : folder_open_file(page->folder, page->name, found, O_RDWR);
	(void)close(found);
	return fd;
}

/* Takes the page that has the name. 0; -ENOENT; or another -errno if the file of its name is no good page. */
static int take_named(struct page *page)
{
	struct stat st;
	int fd = open_named(page, &st), r = 0;

	if (fd < 0)
		return fd;
	page->memory = map(fd);
	(void)close(fd);
	if (!page->memory)
		return -ENOMEM;
	fault_begin();
	if (!is_good(page, page->memory, &st))
		r = -EBADMSG;
	if (fault_end())
		r = -EBADMSG;
	if (r < 0)
		unmap(page);
	return r;
}

/* Makes a whole page in the file, for all users that may change the scoreboard. */
static int fill(const struct page *page, int fd)
{
	struct page_memory *memory;
	struct stat st;
	int r;

	r = -posix_fallocate(fd, 0, SIZE); /* else a full file system shows only when the page is touched */
	if (r == 0 && (fstat(fd, &st) < 0 || fchmod(fd, page->mode & 0660) < 0))
		r = -errno;
	if (r < 0)
		return r;
	if (page->group != st.st_gid)
		(void)!fchown(fd, (uid_t)-1, page->group); /* if not in that group, this user alone has the page */
	memory = map(fd);
	if (!memory)
		return -ENOMEM;
	(void)memcpy(memory->magic, "corebalance lock", sizeof(memory->magic));
	memory->format = FORMAT;
	memory->device = st.st_dev;
	memory->inode = st.st_ino;
	(void)memcpy(memory->boot, page->boot, sizeof(memory->boot));
	(void)munmap(memory, SIZE);
	return 0;
}

/* Makes a page and gives it the name; with instead, in place of the bad page that has the name. Of several processes
 * that do so at once, one wins. 0 or -errno. */
static int make_named(const struct page *page, bool instead)
{
	struct folder_file file;
	int r = folder_welcomes(page->folder); /* else no process would believe the page */

	if (r == 0)
		r = folder_make(page->folder, &file);
	if (r < 0)
		return r;
	r = fill(page, file.fd);
	if (r == 0)
		r = instead ? folder_replace(page->folder, &file, page->name) : folder_publish(page->folder, &file, page->name);
	folder_file_close(page->folder, &file);
	return r == -EEXIST ? 0 : r;
}

void page_find(struct page *page)
{
	struct folder_stay stay;

	if (!mutex_ready() || folder_enter(page->folder, &stay) < 0)
		return;
	for (unsigned i = 0; i < PAGES_MAX; i++) {
		int r = take_named(page);

		if (r == 0 || make_named(page, r != -ENOENT) < 0)
			break;
	}
	folder_leave(&stay);
}

/* Whether the page that has the name is this process's page. 1 yes, 0 no, or -errno: that cannot be found out. */
static int is_named(const struct page *page)
{
	struct folder_stay stay;
	struct stat st;
	int fd, r = folder_enter(page->folder, &stay);

	if (r < 0)
		return r;
	r = folder_find(page->folder, page->name, &fd, &st);
	if (r == 0) {
		fault_begin();
		r = folder_trusts(page->folder, &st) == 0 && st.st_size == SIZE && is_good(page, page->memory, &st);
		r = !fault_end() && r == 1;
		(void)close(fd);
	} else if (r == -ENOENT || r == -ELOOP || r == -EBADMSG) {
		r = 0;
	}
	folder_leave(&stay);
	return r;
}

/* Tells all processes that have the page mapped that another page is to be used. */
static void retire(struct page *page)
{
	fault_begin();
	page->memory->retired = 1;
	(void)fault_end();
}

void page_look(struct page *page)
{
	/* A process that may not look must not take a good page from the others. */
	if (page->memory && is_named(page) != 0)
		return;
	if (page->memory)
		retire(page);
	unmap(page);
	page_find(page);
}

void page_abandon(struct page *page)
{
	mutex_forget();
	retire(page);
	unmap(page);
}

/* ---- the mutex ---- */

int page_try(struct page *page, bool waited)
{
	int r = is_whole(page->memory) ? mutex_try(&page->memory->mutex, page->tid, waited) : -ENOTRECOVERABLE;

	/* The file may have been cut short: then this mutex is in memory of this process alone by now. */
	if (r == -EBUSY || (r != -ENOTRECOVERABLE && is_whole(page->memory) && !page->memory->retired))
		return r;
	if (r == -ENOTRECOVERABLE)
		page_abandon(page);
	else
		page_leave(page);
	unmap(page);
	return -ENOTRECOVERABLE;
}

int page_wait(struct page *page, const struct timespec *most)
{
	if (is_whole(page->memory) && mutex_wait(&page->memory->mutex, most) == 0)
		return 0;
	page_abandon(page);
	return -ENOTRECOVERABLE;
}

void page_leave(struct page *page)
{
	if (page->memory && (!is_whole(page->memory) || mutex_leave(&page->memory->mutex, page->tid) < 0))
		page_abandon(page);
}

/* ---- which scoreboard it was last used for ---- */

/* A page that was cut short is a page of zeros from here on. It says nothing of the scoreboard: no fault is noted. */
struct page_use page_last_use(const struct page *page)
{
	bool so_far = fault_seen();
	struct page_use use = { 0 };

	if (page->memory) {
		use.life = (uint16_t)page->memory->life;
		use.applied = page->memory->applied;
		/* A process may have been killed between the two, or a stranger have written over them. */
		if (page->memory->unapplied != ~use.applied)
			use.applied = 0;
	}
	if (!so_far)
		(void)fault_clear();
	return use;
}

void page_set_life(struct page *page, uint16_t life)
{
	bool so_far = fault_seen();

	if (page->memory)
		page->memory->life = life;
	if (!so_far)
		(void)fault_clear();
}

void page_set_applied(struct page *page, uint64_t applied)
{
	bool so_far = fault_seen();

	if (page->memory) {
		page->memory->applied = applied;
		page->memory->unapplied = ~applied;
	}
	if (!so_far)
		(void)fault_clear();
}

/* ---- beginning and ending ---- */

static char *name_beside(const struct folder *folder)
{
	char *name;

	return asprintf(&name, "%s.lock", folder->name) < 0 ? NULL : name;
}

bool page_exists(const struct folder *folder)
{
	char *name = name_beside(folder);
	struct stat st;
	bool exists = name && fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	free(name);
	return exists;
}

void page_after_fork(struct page *page, const struct holder *self)
{
	(void)memcpy(page->boot, self->boot, sizeof(page->boot));
	page->tid = (uint32_t)gettid();
}

int page_open(const struct folder *folder, const struct stat *scoreboard, const struct holder *self, struct page *ret)
{
	*ret = (struct page){
		.folder = folder, .name = name_beside(folder), .mode = scoreboard->st_mode, .group = scoreboard->st_gid,
	};
	page_after_fork(ret, self);
	return ret->name ? 0 : -ENOMEM;
}

void page_close(struct page *page)
{
	unmap(page);
	free(page->name);
	page->name = NULL;
}

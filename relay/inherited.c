/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * inherited.c: of some 80 mappings of a listener, 46 are of libraries that its
 * relays never call. A forking process unmaps them. (The kernel leaves a mapping out
 * of a fork also where madvise(2) has said so, but then edits its copy of the tree of
 * mappings for each, which costs as much as the mapping.)
 *
 * The dynamic linker still knows of those libraries, and looks through them when a
 * symbol is looked up. The program is linked before it starts, so nothing looks a
 * symbol up; but a library that was preloaded may. So where there is a library that
 * is not expected, all stay.
 */

#include "inherited.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_ALL 1 /* a sanitizer looks at all libraries when a process ends */
#else
#define KEEPS_ALL 0
#endif

/* libm is libnss_systemd's: the program and libtdb do not need it. */
static const char *const listeners[] = {
	"libsystemd.", "libcap.", "libgcrypt.", "libgpg-error.", "liblzma.", "libzstd.", "liblz4.", "libm.", "libnss_",
};

/* What relays need: the program itself, which has no name here, and these. */
static const char *const relays[] = { "libtdb.", "libc.", "ld-", "ld64.", "linux-vdso" };

static bool is_in(const char *const *list, size_t n, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < n; i++)
		if (strncmp(name, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

static bool is_listeners(const char *path)
{
	return is_in(listeners, sizeof(listeners) / sizeof(*listeners), path);
}

/* Stops at a library that is not expected. */
static int is_unexpected(struct dl_phdr_info *object, size_t size, void *arg)
{
	const char *path = object->dlpi_name;

	(void)size;
	(void)arg;
	return *path && !is_listeners(path) && !is_in(relays, sizeof(relays) / sizeof(*relays), path);
}

static int leave_out(struct dl_phdr_info *object, size_t size, void *arg)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = 0, end = 0;

	(void)size;
	(void)arg;
	if (!is_listeners(object->dlpi_name))
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type != PT_LOAD)
			continue;
		if (begin == 0)
			begin = object->dlpi_addr + part->p_vaddr; /* the lowest comes first */
		end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
	}
	begin -= begin % page;
	end += (page - end % page) % page;
	(void)munmap((void *)begin, end - begin); /* the list of parts is in it: only now */
	return 0;
}

void inherited_without_libraries(void)
{
	if (!KEEPS_ALL && dl_iterate_phdr(is_unexpected, NULL) == 0)
		(void)dl_iterate_phdr(leave_out, NULL);
}

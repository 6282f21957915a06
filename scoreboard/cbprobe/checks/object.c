/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * object.c: an object comes from another machine, so nothing in it is trusted:
 * every place is read through take(), which knows where the object ends.
 */

#include "object.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct object {
	const unsigned char *bytes;
	size_t size;
	bool wide, big; /* 64 bits; most significant byte first */
	bool bad;       /* a place outside of the object was asked for */
};

/* A number of 1 to 8 bytes. */
static uint64_t take(struct object *object, uint64_t at, unsigned n)
{
	uint64_t value = 0;

	if (at > object->size || n > object->size - at) {
		object->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		value = value << 8 | object->bytes[at + (object->big ? i : n - 1 - i)];
	return value;
}

/* The same for a field that has another place and size in each of the two classes. */
static uint64_t field(struct object *object, uint64_t base, size_t at32, size_t at64, unsigned wide_bytes)
{
	return take(object, base + (object->wide ? at64 : at32), object->wide ? wide_bytes : 4);
}

static const char *machine_name(uint64_t machine, char buffer[static 32])
{
	static const struct {
		uint16_t machine;
		const char *name;
	} known[] = {
		{ EM_386, "i386" }, { EM_X86_64, "x86-64" }, { EM_ARM, "arm" }, { EM_AARCH64, "aarch64" },
		{ EM_PPC, "ppc" }, { EM_PPC64, "ppc64" }, { EM_S390, "s390" }, { EM_MIPS, "mips" },
		{ EM_RISCV, "riscv" }, { EM_SPARC, "sparc" }, { EM_SPARCV9, "sparc64" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].machine == machine)
			return known[i].name;
	(void)snprintf(buffer, 32, "machine-%u", (unsigned)machine);
	return buffer;
}

struct section {
	uint64_t name, offset, size;
};

static struct section section_get(struct object *object, uint64_t table, uint64_t step, uint64_t i)
{
	uint64_t at = table + step * i;

	return (struct section){
		.name = take(object, at, 4),
		.offset = field(object, at, offsetof(Elf32_Shdr, sh_offset), offsetof(Elf64_Shdr, sh_offset), 8),
		.size = field(object, at, offsetof(Elf32_Shdr, sh_size), offsetof(Elf64_Shdr, sh_size), 8),
	};
}

static bool is_inside(const struct object *object, const struct section *section)
{
	return section->offset <= object->size && section->size <= object->size - section->offset;
}

/* The first text in .comment: where it begins, and its length; 0 if there is none. */
static size_t find_comment(struct object *object, const char **ret)
{
	static const char wanted[] = ".comment";
	uint64_t table = field(object, 0, offsetof(Elf32_Ehdr, e_shoff), offsetof(Elf64_Ehdr, e_shoff), 8);
	size_t sizes = object->wide ? offsetof(Elf64_Ehdr, e_shentsize) : offsetof(Elf32_Ehdr, e_shentsize);
	uint64_t step = take(object, sizes, 2), n = take(object, sizes + 2, 2), names_at = take(object, sizes + 4, 2);
	struct section names;

	if (object->bad || table > object->size)
		return 0;
	names = section_get(object, table, step, names_at);
	if (object->bad || !is_inside(object, &names))
		return 0;
	for (uint64_t i = 0; i < n; i++) {
		struct section section = section_get(object, table, step, i);
		const char *text;
		size_t left;

		if (object->bad)
			return 0;
		if (section.name >= names.size || names.size - section.name < sizeof(wanted) ||
		    memcmp(object->bytes + names.offset + section.name, wanted, sizeof(wanted)) != 0 ||
		    !is_inside(object, &section))
			continue;
		text = (const char *)object->bytes + section.offset;
		left = (size_t)section.size;
		for (; left > 0 && !*text; left--)
			text++;
		*ret = text;
		return strnlen(text, left);
	}
	return 0;
}

int object_fingerprint(const unsigned char *bytes, size_t size, char ret[static NODE_FINGERPRINT_MAX + 1])
{
	struct object object = { .bytes = bytes, .size = size };
	const char *comment = NULL, *machine;
	char buffer[32];
	size_t length;

	if (size < sizeof(Elf32_Ehdr) || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return -EINVAL;
	object.wide = bytes[EI_CLASS] == ELFCLASS64;
	object.big = bytes[EI_DATA] == ELFDATA2MSB;
	machine = machine_name(take(&object, offsetof(Elf64_Ehdr, e_machine), 2), buffer);
	length = find_comment(&object, &comment);
	(void)snprintf(ret, NODE_FINGERPRINT_MAX + 1, "%s%s%.*s", machine, length > 0 ? " " : "",
		       length > NODE_FINGERPRINT_MAX ? (int)NODE_FINGERPRINT_MAX : (int)length, comment ? comment : "");
	for (char *p = ret; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '.';
	return 0;
}

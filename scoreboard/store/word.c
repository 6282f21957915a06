/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "word.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define HEADER_SIZE 168 /* of tdb, which keeps the end of it in reserve: WORD_AT */
#define RETIRED UINT64_MAX

static uint64_t value_of(const struct holder *holder)
{
	return holder->start << 32 | holder->pid;
}

/* The process that a value names, if it lives. */
static bool is_alive(const struct word *word, uint64_t value, struct holder *ret)
{
	uint32_t pid = (uint32_t)value;

	if (value == word->self || pid == 0 || pid > INT32_MAX)
		return false; /* this process does not hold the lock yet: its own word is a left-over, or garbage */
	return holder_of((pid_t)pid, ret) &&
	       (ret->start == 0 || value >> 32 == 0 || value >> 32 == (uint32_t)ret->start); /* 0: unknown */
}

bool word_owner(const struct word *word, struct holder *ret)
{
	return is_alive(word, atomic_load(word->value), ret);
}

int word_take(struct word *word)
{
	for (;;) {
		uint64_t is = atomic_load(word->value);
		struct holder holder;

		/* A retired file is not written any more, not even in vain: its last change says when it lost its name. */
		if (is == RETIRED)
			return -ESTALE;
		if (is != 0 && is_alive(word, is, &holder))
			return -EBUSY;
		if (atomic_compare_exchange_strong(word->value, &is, word->self))
			return is != 0;
	}
}

bool word_assure(struct word *word)
{
	struct holder holder;
	uint64_t is = word->self;

	while (!atomic_compare_exchange_strong(word->value, &is, word->self))
		if (is == RETIRED || is_alive(word, is, &holder))
			return false;
	return true;
}

void word_leave(struct word *word)
{
	uint64_t is = word->self;

	(void)atomic_compare_exchange_strong(word->value, &is, 0);
}

void word_retire(struct word *word)
{
	atomic_store(word->value, RETIRED);
}

void word_after_fork(struct word *word, const struct holder *self)
{
	word->self = value_of(self);
}

int word_open(int fd, const struct holder *self, struct word *ret)
{
	char *header = mmap(NULL, HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (header == MAP_FAILED)
		return -errno;
	*ret = (struct word){
		.header = header, .value = (_Atomic uint64_t *)(void *)(header + WORD_AT),
		.until = (_Atomic uint64_t *)(void *)(header + WORD_UNTIL_AT), .self = value_of(self),
	};
	return 0;
}

void word_close(struct word *word)
{
	if (word->header)
		(void)munmap(word->header, HEADER_SIZE);
	word->header = NULL;
}

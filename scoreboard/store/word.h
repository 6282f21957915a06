/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * word.h: two words in the header of a scoreboard's file, in bytes that tdb always
 * leaves alone. All processes that have the file open agree on them.
 *
 * The first is the lock's: 0, or the process that is in the section, by its pid and
 * start time, or RETIRED: another file has taken this file's place, and the word
 * stays so. The second says until when the lock was last held for long.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "system/holder.h"

#define WORD_AT 160u
#define WORD_SIZE 8u
#define WORD_UNTIL_AT 152u

struct word {
	char *header;             /* the scoreboard's first bytes, mapped */
	_Atomic uint64_t *value;  /* in them */
	_Atomic uint64_t *until;  /* in them: CLOCK_MONOTONIC; 0: not known */
	uint64_t self;            /* what this process writes into the first word */
};

/* Maps the words of the file that fd has open; fd is needed for this call alone. self names the calling process. 0 and
 * *ret, to be ended by word_close(); or -errno. */
int word_open(int fd, const struct holder *self, struct word *ret);

/* Ends. Words that are all zeros are fine. */
void word_close(struct word *word);

/* A process made by fork(2) calls this before it uses words that its parent opened. self names the process. */
void word_after_fork(struct word *word, const struct holder *self);

/* Whether another process that lives is in the section, and which. */
bool word_owner(const struct word *word, struct holder *ret);

/* Writes this process into the word. 0; 1: in place of a process that died; -EBUSY: another process is in the section;
 * -ESTALE: the file is retired. */
int word_take(struct word *word);

/* Whether this process is still in the section. A transaction that tdb undoes, because a process died in it, writes over
 * the word: then this process is written there again, unless another process is there by now. */
bool word_assure(struct word *word);

/* Clears the word, if it names this process: it may be RETIRED, or have been written over. */
void word_leave(struct word *word);

/* From now on no process can take the word of this file. */
void word_retire(struct word *word);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * world.h: simulated time, in microseconds from 0, and what happens at which moment.
 * All randomness comes from one seed: the same seed is the same world.
 */

#include <stdbool.h>
#include <stdint.h>

/* A fresh world. check is called after each event. */
void world_begin(uint64_t seed, void (*check)(void));

/* The end of the world: frees what it holds. */
void world_end(void);

/* The world's time in microseconds. */
uint64_t world_now(void);

/* The number of events so far. */
uint64_t world_steps(void);

/* A number from 0 to below n. */
uint64_t chance(uint64_t n);

/* True once in n. */
bool once_in(uint64_t n);

/* Something happens at that time, which is not over. */
void world_at(uint64_t usec, void (*happen)(void *context, uint64_t word), void *context, uint64_t word);

/* Goes on until that time; also from within an event. */
void world_run(uint64_t until_usec);

/* Something that must not be: prints it with seed, step and time, and ends the program with status 1. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Notes a line that broken() prints, if it is among the last. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * speed.h: how fast a node is, learned from how long connections and compiles
 * take on it. Pure arithmetic on parts of records; see speed.c for the formula.
 */

#include <stdbool.h>
#include <stdint.h>

#define SPEED_OCTAVE 65536              /* logarithms are to base 2, in 1/65536 */
#define SPEED_WEIGHT 256u               /* weights are in 1/256 of a comparison */
#define SPEED_HOLDS_MAX (64u * SPEED_WEIGHT)
#define SPEED_COMPILES_MAX (16u * SPEED_WEIGHT)
#define SPEED_STEP (SPEED_OCTAVE / 4)   /* speeds closer than a step count as equal */
#define SPEED_STEPS_MAX 13              /* 2 ^ (13 / 4) = 9.5 */
#define SPEED_FLOOR_USEC 1000u          /* a shorter time is noise, and counts as this time */
#define SPEED_HALF_LIFE_USEC (3600 * UINT64_C(1000000))
#define SPEED_CLASSES 16u               /* of bytes, each four times the class before */
#define SPEED_LATEST 8u                 /* samples that a class keeps */
#define SPEED_UNPINNED INT32_MIN

/* What a kind of samples says of a node. */
struct speed_input {
	int32_t octaves;       /* how much faster than a node of speed 1: 1 octave is twice as fast */
	uint32_t weight;       /* how many comparisons it stands for, as of stamp_usec */
	uint32_t noise;        /* how far comparisons lie from octaves: the mean square, in 1/65536 square octaves */
	uint32_t reserved;
	uint64_t stamp_usec;   /* CLOCK_BOOTTIME of the last sample */
};

/* What is known of a node: part of its record. All zero: nothing yet. */
struct speed {
	struct speed_input hold;     /* how long connections hold a slot, by their bytes */
	struct speed_input compile;  /* how long the identical compile of a probe takes */
	uint32_t work_usec;          /* time of the last such compile; 0: none */
	int32_t step;                /* the learned speed that counts: 2 ^ (step / 4) */
};

/* A sample of a node, kept to be compared with later samples of other nodes; and what those comparisons say of the
 * node, which the node's next sample takes in. */
struct speed_sample {
	uint32_t node;         /* its id; 0: the place is free */
	uint32_t begun_msec;   /* CLOCK_BOOTTIME, the lower 32 bits */
	int32_t octaves;       /* log2 of the microseconds that it took */
	int32_t speed;         /* of the node when it ended: pinned, else learned */
	int32_t found;         /* sum of how much faster than that comparisons found it; not taken in yet */
	uint16_t n_found;      /* the number of these comparisons */
	uint16_t uses;         /* the number of all comparisons */
};

/* A class of samples that are alike, of all nodes. All zero: no sample yet. */
struct speed_class {
	struct speed_sample latest[SPEED_LATEST];
};

/* The record "speed/ROW": the row is the class of the bytes in, the cell that of the bytes out. */
struct speed_row {
	struct speed_class cells[SPEED_CLASSES];
};

#define SPEED_ROWS (SPEED_CLASSES + 1)     /* the last row's first cell is the probe's compile */

/* log2(value) for a value above 0, at most 0.8 % of an octave wrong, growing with value. */
uint32_t speed_log2(uint64_t value);

/* 2 ^ (octaves / SPEED_OCTAVE), in thousandths, at most 0.4 % wrong; octaves within 20 of 0. */
uint32_t speed_exp2(int32_t octaves);

/* The class of a number of bytes, below SPEED_CLASSES. */
unsigned speed_bytes_class(uint64_t bytes);

/* A pinned speed as a logarithm. */
int32_t speed_pin(double speed);

/*
 * Takes in the time that a connection held a slot until now, or that a compile
 * took: into speed, which is of the node with the id node (not 0), and into the
 * class. pin: the logarithm of the speed that the node is pinned to, or
 * SPEED_UNPINNED.
 */
void speed_learn_hold(struct speed *speed, struct speed_class *class, uint32_t node, int32_t pin, uint64_t usec,
		      uint64_t now_usec);
void speed_learn_compile(struct speed *speed, struct speed_class *class, uint32_t node, int32_t pin, uint64_t usec,
			 uint64_t now_usec);

/* An input's weight now, faded by the time since its last sample. */
uint32_t speed_weight(const struct speed_input *input, uint64_t now_usec);

/* The part of an input's speed that is more than chance, as a logarithm. */
int32_t speed_certain(const struct speed_input *input, uint64_t now_usec);

/* The learned speed now, as a logarithm. */
int32_t speed_octaves(const struct speed *speed, uint64_t now_usec);

/* Moves the step to the learned speed, if that has gone far enough. Returns whether it moved. */
bool speed_settle(struct speed *speed, uint64_t now_usec);

/* The speed that counts for a node that is not pinned, in thousandths. */
uint32_t speed_value(const struct speed *speed);

/* Whether the values can be true. 0 or -EUCLEAN. */
int speed_check(const struct speed *speed);
int speed_row_check(const struct speed_row *row);

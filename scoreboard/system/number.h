/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * number.h: numbers as people and protocols write them. Digits only: no sign,
 * no blanks, nothing behind them.
 */

#include <stdint.h>

/* Reads the decimal digits that *text begins with, and moves *text behind them. 0 and *ret; -EINVAL if there is no
 * digit; -ERANGE if the number is above max. *text stays where it was after an error. */
int number_take(const char **text, uint64_t max, uint64_t *ret);

/* Reads a text that is one decimal number from min to max. 0 and *ret; -EINVAL if it is no number; -ERANGE if it is
 * outside of the range. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* As number_parse(); a text that begins with 0x or 0X is hexadecimal. */
int number_parse_hex(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* As number_parse(), of a number with or without a decimal point. */
int number_parse_decimal(const char *text, double min, double max, double *ret);

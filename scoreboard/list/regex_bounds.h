/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * regex_bounds.h: which extended regular expressions are too much for regcomp(3)
 * and regexec(3). The C library writes every repetition out, and what is
 * repeated within a repetition again and again: a few dozen bytes can ask for
 * all memory there is. To match a back reference, which is an extension of its
 * own, it tries all ways there are: minutes for a few thousand bytes of text.
 */

/* NULL; or what is expected instead of this one, "a regular expression without ...". No call fails: what is no regular
 * expression is not too much. */
const char *regex_bounds_check(const char *regex);

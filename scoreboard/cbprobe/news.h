/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * news.h: lines about lasting troubles, such as a missing file. Each pass finds
 * the trouble anew; a prober that stays says the line when the trouble begins or
 * changes, and again if it returns after a pass without it.
 */

#include <syslog.h>

/* Says (say.h) the line unless this pass or the pass before had it already. Without memory to remember it by, the line
 * is said. */
void news_say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A pass is over: the next pass does not say the lines of this pass again. */
void news_pass_over(void);

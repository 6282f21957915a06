/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * news.h: lines about what lasts, such as a file that is missing. A pass finds
 * that anew each time; a prober that stays tells it when it comes, or changes,
 * and again when it has been gone for a pass.
 */

#include <syslog.h>

/* Says (say.h) the line unless this pass or the one before had it already. Without memory to remember it by, the line
 * is said. */
void news_say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A pass is over: what it had is what the next one does not say again. */
void news_pass_over(void);

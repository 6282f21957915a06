/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * say.h: messages of cbprobe to the administrator, a line each on stderr. Changes
 * of nodes are event.h's.
 */

#include <stdbool.h>
#include <syslog.h>

/* Whether stderr is the journal's own stream, as systemd says in $JOURNAL_STREAM. */
bool stderr_is_journal(void);

/* Writes the message as a single line: behind "cbprobe: ", or for the journal behind its priority (LOG_ERR ...). */
void say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

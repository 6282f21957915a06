/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * say.h: messages of a program to the administrator, a line each. They never hold up
 * the program: see log.h.
 */

#include <syslog.h>

/* Says the message as a single line, at a priority (LOG_ERR ...). */
void say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "say.h"

#include <stdarg.h>
#include <stdio.h>

#include "log.h"

#define LINE_MAX_ 1024

void say(int priority, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	log_text(priority, line);
}

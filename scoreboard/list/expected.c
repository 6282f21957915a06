/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "expected.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int refuse_value(char expected[static EXPECTED_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(expected, EXPECTED_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

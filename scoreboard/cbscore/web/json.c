/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "system/printable.h"

void json_string(FILE *out, const char *text)
{
	char *shown = text ? strdup(text) : NULL;

	if (!shown) { /* or there is no memory */
		(void)fputs("null", out);
		return;
	}
	printable_line(shown);
	(void)fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)shown; *p; p++) {
		if (*p == '"' || *p == '\\')
			(void)fprintf(out, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			(void)fprintf(out, "\\u%04x", *p);
		else
			(void)fputc(*p, out);
	}
	(void)fputc('"', out);
	free(shown);
}

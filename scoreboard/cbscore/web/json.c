/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "json.h"

void json_string(FILE *out, const char *text)
{
	if (!text) {
		(void)fputs("null", out);
		return;
	}
	(void)fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			(void)fprintf(out, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			(void)fprintf(out, "\\u%04x", *p);
		else
			(void)fputc(*p, out);
	}
	(void)fputc('"', out);
}

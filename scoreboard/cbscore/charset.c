/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "charset.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

void charset_settle(void)
{
	(void)setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0 || !setlocale(LC_CTYPE, "C.UTF-8"))
		(void)setlocale(LC_CTYPE, "C");
}

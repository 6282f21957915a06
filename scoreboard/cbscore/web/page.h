/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * page.h: a farm as a web page. The page is complete without scripts: then it
 * reloads itself. With scripts, page.js replaces its middle instead. Nothing is
 * inline, so the page works under the strictest Content-Security-Policy: colours
 * and layout are classes of page.css, and plots are SVG with plain attributes.
 */

#include <stdio.h>

#include "form.h"

extern const struct form page_form;

/* Writes a page that says why there is nothing to show. */
void page_write_trouble(FILE *out, const char *farm, const char *trouble);

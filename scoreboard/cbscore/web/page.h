/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * page.h: a farm as a web page. The page is whole without scripts and then
 * loads itself anew; page.js replaces its middle instead. Nothing in it is
 * inline, so that the strictest Content-Security-Policy holds: looks are
 * classes of page.css, and plots are SVG with plain attributes.
 */

#include <stdio.h>

#include "snapshot.h"

/* Writes the HTML; errors of the stream are the caller's to look at. */
void page_write(FILE *out, const struct snapshot *snapshot);

/* Writes a page that says why there is nothing to show. */
void page_write_trouble(FILE *out, const char *farm, const char *trouble);

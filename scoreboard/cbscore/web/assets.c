/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "assets.h"

#include <string.h>

/* Defines the bytes of a file of this folder, between two symbols. The build runs at the top of the tree. */
#define INCLUDE_FILE(name, file) \
	__asm__(".section .rodata\n" \
		".global " #name "_begin\n" #name "_begin:\n" \
		".incbin \"scoreboard/cbscore/web/" file "\"\n" \
		".global " #name "_end\n" #name "_end:\n" \
		".byte 0\n.previous\n"); \
	extern const char name##_begin[], name##_end[]

INCLUDE_FILE(page_css, "page.css");
INCLUDE_FILE(page_js, "page.js");
INCLUDE_FILE(icon_svg, "icon.svg");

static const struct asset assets[] = {
	{ "/page.css", "text/css; charset=utf-8", page_css_begin, page_css_end },
	{ "/page.js", "text/javascript; charset=utf-8", page_js_begin, page_js_end },
	{ "/icon.svg", "image/svg+xml", icon_svg_begin, icon_svg_end },
};

const struct asset *asset_find(const char *path)
{
	for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
		if (strcmp(assets[i].path, path) == 0)
			return &assets[i];
	return NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * url_syntax.h: whether the URL of a check can be requested, for any node. So
 * every program that reads a node list finds a wrong URL, without libcurl, which
 * only cbprobe has.
 */

#include "expected.h"

#define URL_SYNTAX_MAX 255 /* bytes of a URL that is looked at */

/*
 * Checks a URL behind its scheme, from the two slashes on; %n, %h and %p stand
 * for a node's host:port, host and port. The text begins with the slashes and
 * has at most URL_SYNTAX_MAX bytes. 0: the URL is valid; or -EINVAL: expected holds
 * the phrase.
 */
int url_syntax_check(const char *url, char expected[static EXPECTED_MAX]);

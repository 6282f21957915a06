/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * url_syntax.h: whether a URL of a check can be asked for, whatever node it is
 * about. So a wrong one is found where the node list is read, without libcurl,
 * which only cbprobe has.
 */

#define URL_SYNTAX_MAX 255 /* bytes of a URL that is looked at */

/*
 * A URL behind its scheme, from the two slashes on, in which %n, %h and %p
 * stand for a node's host:port, host and port. NULL: it is in order. Else, as
 * text of this file's, what was expected. It must begin with the slashes, and be no longer than URL_SYNTAX_MAX.
 */
const char *url_syntax_fault(const char *url);

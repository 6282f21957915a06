/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * base64.h: bytes as base64 text, the form that etcd's JSON has for keys and values.
 */

/* The base64 of a text. NULL: no memory. The caller frees it. */
char *base64_encode(const char *text);

/* The text that base64 stands for. NULL: it is no base64, what it stands for has a NUL in it, or there is no memory. The
 * caller frees it. */
char *base64_decode(const char *base64);

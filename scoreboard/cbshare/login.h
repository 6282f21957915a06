/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * login.h: the file of --login: this gateway's user for etcd, and which certificates
 * it believes. A line each:
 *     ca = FILE, certificate = FILE, key = FILE, user = NAME, password = TEXT
 */

#include <stddef.h>

#include "etcd.h"

#define LOGIN_TEXT_MAX 4096u /* bytes of the file */

struct login {
	struct etcd_login etcd;      /* its texts are in text */
	char text[LOGIN_TEXT_MAX + 1];
};

/* Reads the file. 0; or -EINVAL: why[] says what is wrong, as "FILE:2: ..."; other users may not read a file with a
 * password. */
int login_read(const char *path, struct login *ret, char *why, size_t size);

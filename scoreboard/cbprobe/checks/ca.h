/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * ca.h: the files of --ca. A file is open as long as a check needs it, once for all
 * checks that name it, so that libcurl opens the file that was looked at.
 */

#define CA_MAX 64u /* files of a pass */

struct ca;

/* Opens the file, if no check has it open. 0: the caller ends *ret with ca_close(). -EINVAL: *ret_why says what is wrong
 * with the file (until the next call); -ENOMEM. */
int ca_open(const char *path, struct ca **ret, const char **ret_why);

/* The name by which this process opens that file and no other, also if another file has its path by now. It is the ca's. */
const char *ca_name(const struct ca *ca);

/* Ends a check's use of the file. NULL is fine. */
void ca_close(struct ca *ca);

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r"

/* The text without blanks at both ends, which it changes. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* Takes in a line. 0 or -EINVAL. */
static int read_line(char *line, struct etcd_login *login)
{
	const struct {
		const char *name, **value;
	} fields[] = {
		{ "ca", &login->ca },     { "certificate", &login->certificate }, { "key", &login->key },
		{ "user", &login->user }, { "password", &login->password },
	};
	char *value = strchr(line, '=');

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	if (!value)
		return -EINVAL;
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(trim(line), fields[i].name) == 0) {
			*fields[i].value = trim(value);
			return **fields[i].value ? 0 : -EINVAL;
		}
	return -EINVAL;
}

/* Reads the file into the text. 0, or -errno; *ret_mode: its permissions. */
static int read_file(const char *path, char text[static LOGIN_TEXT_MAX + 1], mode_t *ret_mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	n = read(fd, text, LOGIN_TEXT_MAX + 1);
	if (n < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else if ((size_t)n > LOGIN_TEXT_MAX)
		r = -EFBIG;
	(void)close(fd);
	if (r < 0)
		return r;
	text[n] = '\0';
	*ret_mode = st.st_mode;
	return 0;
}

int login_read(const char *path, struct login *ret, char *why, size_t size)
{
	char *rest = ret->text, *line;
	unsigned number = 0;
	mode_t mode = 0;
	int r;

	ret->etcd = (struct etcd_login){ 0 };
	r = read_file(path, ret->text, &mode);
	if (r < 0) {
		(void)snprintf(why, size, "%s: %s", path, strerror(-r));
		return -EINVAL;
	}
	while ((line = strsep(&rest, "\n"))) {
		number++;
		if (read_line(line, &ret->etcd) < 0) {
			(void)snprintf(why, size, "%s:%u: expected ca, certificate, key, user or password, = and its value", path, number);
			return -EINVAL;
		}
	}
	if (!ret->etcd.user != !ret->etcd.password) {
		(void)snprintf(why, size, "%s: expected both user and password, or neither", path);
		return -EINVAL;
	}
	if (ret->etcd.password && (mode & S_IROTH)) {
		(void)snprintf(why, size, "%s: it has a password, and every user may read it: expected mode 0640 or less", path);
		return -EINVAL;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "key_values.h"

#include <string.h>

#define FIRST_KEY "client="

const char *key_values_find(const char *text)
{
	for (const char *at = strstr(text, FIRST_KEY); at; at = strstr(at + 1, FIRST_KEY))
		if ((at == text || at[-1] == ' ') && strstr(at, " node=") && strstr(at, " node_local="))
			return at;
	return NULL;
}

bool key_values_get(const char *line, const char *key, char *ret, size_t size)
{
	size_t key_size = strlen(key), n;

	while (strncmp(line, key, key_size) != 0 || line[key_size] != '=') {
		line = strchr(line, ' ');
		if (!line)
			return false;
		line++;
	}
	line += key_size + 1;
	n = strcspn(line, " \r\n");
	if (n >= size)
		return false;
	(void)memcpy(ret, line, n);
	ret[n] = '\0';
	return true;
}

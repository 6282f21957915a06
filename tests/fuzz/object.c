/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * object.c: any bytes as the object that a node sends back for a probe.
 */

#include <string.h>

#include "fuzz.h"

#include "cbprobe/checks/object.c" // NOLINT(bugprone-suspicious-include): its static functions are what is fuzzed

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char fingerprint[NODE_FINGERPRINT_MAX + 1];
	unsigned char *object = malloc(size > 0 ? size : 1); /* exactly this size, so that a read beyond it is found */

	MUST(object);
	(void)memcpy(object, data, size);
	(void)memset(fingerprint, 'x', sizeof(fingerprint));
	if (object_fingerprint(object, size, fingerprint) == 0) {
		MUST(strnlen(fingerprint, sizeof(fingerprint)) < sizeof(fingerprint));
		for (const char *p = fingerprint; *p; p++)
			MUST(isprint((unsigned char)*p));
	}
	free(object);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

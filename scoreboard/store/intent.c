/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "intent.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(struct intent) == INTENT_SIZE, "an intent is as large as its record");
_Static_assert(offsetof(struct intent, patches) == INTENT_HEAD_SIZE, "the patches follow the head");

static uint64_t checksum(const struct intent *intent)
{
	const unsigned char *data = (const unsigned char *)intent;
	uint64_t sum = intent->sequence ^ UINT64_C(0x9e3779b97f4a7c15), word;

	for (size_t i = offsetof(struct intent, size); i < intent->size; i += sizeof(word)) {
		(void)memcpy(&word, data + i, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
		sum ^= sum >> 32;
	}
	return sum;
}

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

void intent_begin(struct intent *intent, uint64_t sequence)
{
	intent->sequence = sequence;
	intent->checksum = 0;
	intent->size = INTENT_HEAD_SIZE;
	intent->n_patches = 0;
}

int intent_add(struct intent *intent, const struct patch *patch, const void *bytes)
{
	unsigned char *p = (unsigned char *)intent + intent->size;
	size_t whole = padded(patch->size);

	if (sizeof(*patch) + whole > INTENT_SIZE - intent->size)
		return -E2BIG;
	(void)memcpy(p, patch, sizeof(*patch));
	p += sizeof(*patch);
	if (whole > 0)
		(void)memset(p + whole - 8, 0, 8);
	(void)memcpy(p, bytes, patch->size);
	intent->size += (uint32_t)(sizeof(*patch) + whole);
	intent->n_patches++;
	return 0;
}

void intent_seal(struct intent *intent)
{
	intent->checksum = checksum(intent);
}

bool intent_is_whole(const struct intent *intent)
{
	return intent->size >= INTENT_HEAD_SIZE && intent->size <= INTENT_SIZE && intent->size % 8 == 0 &&
	       checksum(intent) == intent->checksum;
}

int intent_each(const struct intent *intent,
		int (*fn)(const struct patch *patch, const unsigned char *bytes, void *arg), void *arg)
{
	const unsigned char *p = intent->patches, *end = (const unsigned char *)intent + intent->size;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < intent->n_patches; i++) {
		struct patch patch;

		if ((size_t)(end - p) < sizeof(patch))
			return -EUCLEAN;
		(void)memcpy(&patch, p, sizeof(patch));
		p += sizeof(patch);
		if (patch.size > INTENT_SIZE || (size_t)(end - p) < padded(patch.size))
			return -EUCLEAN;
		r = fn(&patch, p, arg);
		p += padded(patch.size);
	}
	return r;
}

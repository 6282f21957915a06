/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "listed.h"

#include <string.h>

#include "system/timespan.h"

bool listed_take_config(struct node_record *record, const struct node_config *config)
{
	uint32_t switched = (record->config.flags ^ config->flags) & BN_HOLD;

	if (node_config_equal(&record->config, config) && !record->draining)
		return false;
	if (switched) {
		record->flags = (record->flags & ~BN_HOLD) | (config->flags & BN_HOLD);
		record->since_usec = now_realtime();
	}
	if (record->draining)
		record->since_usec = now_realtime();
	record->draining = 0;
	/* Another check: the agent that could take back what it said may not be asked any more, and the compiler may differ. */
	if (strcmp(record->config.check, config->check) != 0) {
		record->agent = (struct agent){ 0 };
		(void)memset(record->fingerprint, 0, sizeof(record->fingerprint));
	}
	record->config = *config;
	return true;
}

int listed_take_line(struct node_record *record, struct index_entry *entry, void *arg)
{
	const struct listed_line *line = arg;
	bool changed = !line->only_addresses && listed_take_config(record, line->config);

	if (!line->resolved || line->resolved->n_addresses == 0)
		return changed;
	/* The node had no address and has some now: nothing else would ever try it. */
	if (record->flags & BN_DOWN && record->n_addresses == 0 && entry)
		entry->key.retry_usec = now_boottime();
	changed |= node_set_addresses(record, line->resolved->addresses, line->resolved->n_addresses) > 0;
	return changed;
}

int listed_drain(struct node_record *record, struct index_entry *entry, void *arg)
{
	(void)entry;
	(void)arg;
	if (record->draining)
		return 0;
	record->draining = 1;
	record->since_usec = now_realtime();
	return 1;
}

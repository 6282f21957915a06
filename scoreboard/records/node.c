/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "node.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "slot.h"
#include "store/store.h"
#include "system/timespan.h"

int node_check(struct node_record *record)
{
	struct node_config *config = &record->config;

	/* Texts end within their fields, also in a record that is damaged. */
	config->name[sizeof(config->name) - 1] = '\0';
	config->host[sizeof(config->host) - 1] = '\0';
	config->check[sizeof(config->check) - 1] = '\0';
	record->detail[sizeof(record->detail) - 1] = '\0';
	record->fingerprint[sizeof(record->fingerprint) - 1] = '\0';
	if (config->cores == 0 || config->cores > NODE_CORES_MAX || !(config->speed >= 0 && config->speed <= 1000000) ||
	    config->smt > 1000)
		return -EUCLEAN;
	/* A byte above 1 is no bool, and must not be read as a bool. */
	if (*(const unsigned char *)&config->backup > 1 || *(const unsigned char *)&config->silent > 1)
		return -EUCLEAN;
	if (record->slot_pages > slot_pages(NODE_CORES_MAX) || record->n_addresses > SCORE_ADDRESSES_MAX)
		return -EUCLEAN;
	return speed_check(&record->speed);
}

int node_find(struct store *store, uint32_t id, struct node_record **ret)
{
	return STORE_FIND(store, STORE_NODE, id, 0, ret) ?: node_check(*ret);
}

int node_get(struct store *store, uint32_t id, struct node_record **ret)
{
	return must_exist(node_find(store, id, ret));
}

int node_find_entry(struct store *store, const struct farm *farm, uint32_t id, struct node_record **ret,
		    struct index_entry **ret_entry)
{
	int r = node_find(store, id, ret);

	/* tdb also says that there is no record if it cannot read what leads to it. */
	if (r == -ENOENT && index_has(store, farm, id) != 0)
		return -EUCLEAN;
	if (r < 0)
		return r;
	r = index_get(store, farm, (*ret)->position, ret_entry);
	if (r < 0)
		return r;
	return (*ret_entry)->id == id ? 0 : -EUCLEAN;
}

int node_get_entry(struct store *store, const struct farm *farm, uint32_t id, struct node_record **ret,
		   struct index_entry **ret_entry)
{
	return must_exist(node_find_entry(store, farm, id, ret, ret_entry));
}

/* Converts an address; false if it is of a family other than IPv4 and IPv6. */
static bool address_fill(struct node_address *ret, const struct score_address *address)
{
	(void)memset(ret, 0, sizeof(*ret));
	if (address->sa.sa_family == AF_INET) {
		(void)memcpy(ret->bytes, &address->in.sin_addr, 4);
	} else if (address->sa.sa_family == AF_INET6) {
		(void)memcpy(ret->bytes, &address->in6.sin6_addr, 16);
		ret->scope = address->in6.sin6_scope_id;
	} else {
		return false;
	}
	ret->family = address->sa.sa_family;
	return true;
}

/* The record's own entry for an address, whatever else it knows of it; NULL: the record has no such address. */
static struct node_address *address_find(struct node_record *record, const struct node_address *address)
{
	for (unsigned i = 0; i < record->n_addresses; i++) {
		struct node_address *own = &record->addresses[i];

		if (own->family == address->family && own->scope == address->scope &&
		    memcmp(own->bytes, address->bytes, sizeof(own->bytes)) == 0)
			return own;
	}
	return NULL;
}

/* Moves address i before the others; they keep their order. */
static void address_first(struct node_address *addresses, unsigned i)
{
	const struct node_address first = addresses[i];

	(void)memmove(addresses + 1, addresses, i * sizeof(*addresses));
	addresses[0] = first;
}

int node_set_addresses(struct node_record *record, const struct score_address *addresses, unsigned n)
{
	struct node_address kept[SCORE_ADDRESSES_MAX];
	unsigned n_kept = 0, n_known = 0, first = 0;

	(void)memset(kept, 0, sizeof(kept));
	for (unsigned i = 0; i < n && n_kept < SCORE_ADDRESSES_MAX; i++) {
		const struct node_address *known;

		if (!address_fill(&kept[n_kept], &addresses[i]))
			continue;
		known = address_find(record, &kept[n_kept]);
		if (known == record->addresses)
			first = n_kept;
		if (known)
			kept[n_kept] = *known;
		n_known += known != NULL;
		n_kept++;
	}
	if (n_kept == record->n_addresses && n_known == n_kept)
		return 0;
	if (first > 0)
		address_first(kept, first);
	(void)memcpy(record->addresses, kept, sizeof(kept));
	record->n_addresses = n_kept;
	return 1;
}

int node_reach(struct node_record *record, const struct score_target *tried, unsigned reached, uint32_t unreached)
{
	int changed = 0;

	for (unsigned i = 0; i < tried->n_addresses; i++) {
		uint16_t in_vain = unreached >> i & 1;
		struct node_address address, *own;

		if ((!in_vain && i != reached) || !address_fill(&address, &tried->addresses[i]))
			continue;
		own = address_find(record, &address);
		if (!own)
			continue; /* the name has other addresses by now */
		if (own->unreached != in_vain)
			changed = 1;
		own->unreached = in_vain;
		if (i == reached && own != record->addresses) {
			address_first(record->addresses, (unsigned)(own - record->addresses));
			changed = 1;
		}
	}
	return changed;
}

unsigned node_get_addresses(const struct node_record *record, struct score_address ret[static SCORE_ADDRESSES_MAX])
{
	for (unsigned i = 0; i < record->n_addresses; i++) {
		const struct node_address *address = &record->addresses[i];

		(void)memset(&ret[i], 0, sizeof(ret[i]));
		ret[i].sa.sa_family = address->family;
		if (address->family == AF_INET) {
			struct sockaddr_in *in = &ret[i].in;

			in->sin_port = htons(record->config.port);
			(void)memcpy(&in->sin_addr, address->bytes, 4);
			ret[i].size = sizeof(*in);
		} else {
			struct sockaddr_in6 *in6 = &ret[i].in6;

			in6->sin6_port = htons(record->config.port);
			in6->sin6_scope_id = address->scope;
			(void)memcpy(&in6->sin6_addr, address->bytes, 16);
			ret[i].size = sizeof(*in6);
		}
	}
	return record->n_addresses;
}

enum node_state node_state(const struct node_record *record, const struct index_entry *entry)
{
	if (record->draining)
		return NODE_DRAINING;
	if (record->flags & BN_HOLD)
		return NODE_HELD;
	switch (agent_reason(&record->agent)) {
	case REASON_AGENT_DRAIN:
	case REASON_AGENT_MAINT:
		return NODE_HELD;
	case REASON_AGENT_DOWN:
		return NODE_DOWN;
	default:
		break;
	}
	if (!(record->flags & BN_DOWN))
		return NODE_UP;
	return entry->flags & (ENTRY_TRIAL_OPEN | ENTRY_TRIAL_RUNS) ? NODE_RETRY : NODE_DOWN;
}

const char *node_state_to_string(enum node_state state)
{
	static const char *const names[NODE_STATE_MAX_] = {
		[NODE_UP] = "up", [NODE_DOWN] = "down", [NODE_HELD] = "held",
		[NODE_DRAINING] = "draining", [NODE_RETRY] = "retry",
	};

	return state >= 0 && state < NODE_STATE_MAX_ ? names[state] : "unknown";
}

/* The speed that counts, in thousandths. */
static uint32_t node_speed(const struct node_record *record)
{
	uint32_t speed = record->config.speed > 0 ? (uint32_t)(record->config.speed * 1000 + 0.5)
						  : speed_value(&record->speed);

	return agent_speed(&record->agent, speed);
}

void node_edge_begin(const struct node_record *record, const struct index_entry *entry, enum node_reason reason,
		     struct score_edge *ret)
{
	uint64_t now_usec = now_realtime();
	enum node_state state = node_state(record, entry);

	*ret = (struct score_edge){
		.before = state, .after = state, .reason = reason,
		.lasted_usec = now_usec > record->since_usec ? now_usec - record->since_usec : 0,
	};
}

static void set_speed(const struct node_record *record, struct index_entry *entry, uint32_t speed)
{
	index_set_speed(entry, speed, record->config.smt ? record->config.smt : 1000);
}

bool node_set_speed(const struct node_record *record, struct index_entry *entry)
{
	uint32_t speed = node_speed(record);
	bool changed = speed != entry->speed;

	if (changed)
		set_speed(record, entry, speed);
	return changed;
}

double score_worth(const struct score_node *node)
{
	bool late = node->busy >= (node->config.cores + 1) / 2;

	return node->speed * (late && node->config.smt ? node->config.smt / 1000.0 : 1);
}

uint32_t node_limit(const struct node_record *record)
{
	uint32_t limit = agent_limit(&record->agent, record->config.cores);

	return record->share < limit ? record->share : limit;
}

void node_enter(const struct node_record *record, struct index_entry *entry)
{
	uint32_t flags = entry->flags & (ENTRY_TRIAL_OPEN | ENTRY_TRIAL_RUNS);

	if (record->flags & BN_HOLD)
		flags |= ENTRY_HELD;
	if (record->draining)
		flags |= ENTRY_DRAINING;
	if (record->config.backup)
		flags |= ENTRY_BACKUP;
	if (agent_reason(&record->agent))
		flags |= ENTRY_AGENT;
	if (!(record->flags & BN_DOWN))
		flags = (flags & ~(uint32_t)ENTRY_TRIAL_OPEN) | ENTRY_UP;
	entry->cores = record->config.cores;
	entry->limit = node_limit(record);
	set_speed(record, entry, node_speed(record)); /* also where smt= alone has changed */
	entry->flags = flags;
}

void node_edge_end(struct node_record *record, const struct index_entry *entry, struct score_edge *edge)
{
	edge->after = node_state(record, entry);
	/* Without a change since_usec stays: it is the time of the hold, or of the agent's words. */
	if (edge->after != edge->before)
		record->since_usec = now_realtime();
}

enum node_reason node_reason(const struct node_record *record, enum node_state state)
{
	switch (state) {
	case NODE_UP:
		return REASON_NONE;
	case NODE_HELD:
		return record->flags & BN_HOLD ? REASON_HELD : agent_reason(&record->agent);
	case NODE_DRAINING:
		return REASON_REMOVED;
	default:
		return record->flags & BN_DOWN ? (enum node_reason)record->reason : agent_reason(&record->agent);
	}
}

static double ratio(int32_t octaves)
{
	return speed_exp2(octaves) / 1000.0;
}

static void describe_speed(const struct node_record *record, struct score_speed *ret)
{
	const struct speed *speed = &record->speed;
	uint64_t now_usec = now_boottime();

	*ret = (struct score_speed){
		.pinned = record->config.speed > 0,
		.learned = ratio(speed_octaves(speed, now_usec)),
		.hold = ratio(speed_certain(&speed->hold, now_usec)),
		.hold_weight = speed_weight(&speed->hold, now_usec) / (double)SPEED_WEIGHT,
		.compile = ratio(speed_certain(&speed->compile, now_usec)),
		.compile_weight = speed_weight(&speed->compile, now_usec) / (double)SPEED_WEIGHT,
		.work_usec = speed->work_usec,
	};
}

void node_describe(const struct node_record *record, const struct index_entry *entry, struct score_node *ret)
{
	*ret = (struct score_node){
		.id = entry->id,
		.config = record->config,
		.flags = record->flags,
		.state = node_state(record, entry),
		.busy = entry->busy,
		.free = index_entry_free(entry),
		.limit = entry->limit,
		.share = record->share,
		.speed = entry->speed / 1000.0,
		.since_usec = record->since_usec,
		.served = record->served,
		.failed = record->failed,
		.bytes_in = record->bytes_in,
		.bytes_out = record->bytes_out,
		.rise = record->rise,
		.fall = record->fall,
		.doubts = record->doubts,
	};
	ret->reason = node_reason(record, ret->state);
	(void)memcpy(ret->detail, record->detail, sizeof(ret->detail));
	(void)memcpy(ret->fingerprint, record->fingerprint, sizeof(ret->fingerprint));
	agent_format(&record->agent, ret->agent);
	if (entry->key.retry_usec != UINT64_MAX)
		ret->retry_usec = wall_time(entry->key.retry_usec);
	describe_speed(record, &ret->learning);
	ret->n_addresses = node_get_addresses(record, ret->addresses);
	for (unsigned i = 0; i < ret->n_addresses && i < SCORE_ADDRESSES_MAX; i++)
		ret->unreached |= (uint32_t)(record->addresses[i].unreached != 0) << i;
}

void node_note_down(struct node_record *record)
{
	(void)memmove(record->downs + 1, record->downs, sizeof(record->downs) - sizeof(record->downs[0]));
	record->downs[0] = now_boottime();
}

bool node_is_flapping(const struct node_record *record)
{
	uint64_t now_usec = now_boottime();

	/* If the node last went down in the future, that was before a restart of the machine. */
	return record->flags & BN_DOWN && record->reason == REASON_FLAPPING && now_usec < record->quiet_usec &&
	       record->downs[0] <= now_usec;
}

uint64_t node_next_trial_usec(const struct node_record *record)
{
	if (record->n_addresses == 0)
		return UINT64_MAX;
	return node_is_flapping(record) ? record->quiet_usec : now_boottime() + record->pause_usec;
}

void node_init(struct node_record *record, const struct node_config *config, uint64_t now_usec)
{
	(void)memset(record, 0, sizeof(*record));
	record->config = *config;
	record->flags = config->flags;
	record->since_usec = now_usec;
	if (record->flags & BN_DOWN)
		record->reason = REASON_CONFIGURED;
	record->pause_usec = NODE_RETRY_USEC;
	record->share = SHARE_NONE;
}

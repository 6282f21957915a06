/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * agent.c: the words, in upper or lower case. weight:0 and 0% mean drain, as in
 * HAProxy. maxconn:0 removes the limit; an agent that wants no connections at all
 * says drain or maint.
 */

#include "agent.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "system/number.h"

#define SEPARATORS " \t,"
#define PERCENT_MAX 100000u   /* a thousand times as fast */
#define WEIGHT_MAX 256u
#define LIMIT_MAX 1000000000u
#define SPEED_MAX 1000000000u /* thousandths, as of speed= */

/* Reads a number of at most max, which must be followed by the text behind. Returns whether it is one. */
static bool read_number(const char *text, const char *behind, uint32_t max, uint32_t *ret)
{
	uint64_t value;

	if (number_take(&text, max, &value) < 0 || strcmp(text, behind) != 0)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static void put(struct agent *agent, uint32_t set, uint32_t clear)
{
	agent->words = (agent->words & ~clear) | set;
}

static bool read_weight(const char *text, struct agent *agent)
{
	if (read_number(text, "%", PERCENT_MAX, &agent->weight))
		put(agent, AGENT_PERCENT, AGENT_WEIGHT);
	else if (read_number(text, "", WEIGHT_MAX, &agent->weight))
		put(agent, AGENT_WEIGHT, AGENT_PERCENT);
	else
		return false;
	return true;
}

static bool read_limit(const char *text, struct agent *agent)
{
	if (!read_number(text, "", LIMIT_MAX, &agent->limit))
		return false;
	put(agent, agent->limit > 0 ? AGENT_LIMIT : 0, AGENT_LIMIT);
	return true;
}

static bool read_word(const char *word, struct agent *agent)
{
	static const struct {
		const char *word;
		uint32_t set, clear;
	} plain[] = {
		{ "ready", 0, AGENT_DRAIN | AGENT_MAINT },
		{ "drain", AGENT_DRAIN, AGENT_MAINT },
		{ "maint", AGENT_MAINT, AGENT_DRAIN },
		{ "up", 0, AGENT_DOWN },
		{ "down", AGENT_DOWN, 0 },
		{ "fail", AGENT_DOWN, 0 },
		{ "stopped", AGENT_DOWN, 0 },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcasecmp(plain[i].word, word) == 0) {
			put(agent, plain[i].set, plain[i].clear);
			return true;
		}
	if (strncasecmp(word, "weight:", 7) == 0)
		return read_weight(word + 7, agent);
	if (strncasecmp(word, "maxconn:", 8) == 0)
		return read_limit(word + 8, agent);
	return strchr(word, '%') && read_weight(word, agent);
}

static void keep_text(const char *from, size_t length, char ret[static AGENT_TEXT_MAX + 1])
{
	if (length > AGENT_TEXT_MAX)
		length = AGENT_TEXT_MAX;
	(void)memcpy(ret, from, length);
	ret[length] = '\0';
}

void agent_read(const char *text, const struct agent *before, struct agent_line *ret)
{
	const char *why = strchr(text, '#'), *end = why ? why : text + strlen(text);

	*ret = (struct agent_line){ .agent = *before };
	if (why)
		keep_text(why + 1, strlen(why + 1), ret->why);
	for (const char *p = text + strspn(text, SEPARATORS); p < end; p += strspn(p, SEPARATORS)) {
		char word[AGENT_TEXT_MAX + 1];
		size_t length = strcspn(p, SEPARATORS "#");
		struct agent agent = ret->agent;

		keep_text(p, length, word);
		p += length;
		if (length <= AGENT_TEXT_MAX && read_word(word, &agent))
			ret->agent = agent;
		else if (!*ret->unknown)
			(void)strcpy(ret->unknown, word);
	}
}

enum node_reason agent_reason(const struct agent *agent)
{
	if (agent->words & AGENT_MAINT)
		return REASON_AGENT_MAINT;
	if (agent->words & AGENT_DRAIN || (agent->words & (AGENT_PERCENT | AGENT_WEIGHT) && agent->weight == 0))
		return REASON_AGENT_DRAIN;
	return agent->words & AGENT_DOWN ? REASON_AGENT_DOWN : REASON_NONE;
}

uint32_t agent_speed(const struct agent *agent, uint32_t speed)
{
	uint64_t changed = speed;

	if (agent->words & AGENT_PERCENT)
		changed = (uint64_t)speed * agent->weight / 100;
	else if (agent->words & AGENT_WEIGHT)
		changed = (uint64_t)agent->weight * 1000;
	return changed < 1 ? 1 : changed > SPEED_MAX ? SPEED_MAX : (uint32_t)changed;
}

uint32_t agent_limit(const struct agent *agent, uint32_t cores)
{
	return agent->words & AGENT_LIMIT && agent->limit > 0 && agent->limit < cores ? agent->limit : cores;
}

void agent_format(const struct agent *agent, char ret[static AGENT_TEXT_MAX + 1])
{
	char weight[16] = "", limit[32] = "";
	int n;

	if (agent->words & (AGENT_PERCENT | AGENT_WEIGHT))
		(void)snprintf(weight, sizeof(weight), agent->words & AGENT_PERCENT ? " %u%%" : " weight:%u", agent->weight);
	if (agent->words & AGENT_LIMIT)
		(void)snprintf(limit, sizeof(limit), " maxconn:%u", agent->limit);
	n = snprintf(ret, AGENT_TEXT_MAX + 1, "%s%s%s%s%s", agent->words & AGENT_MAINT ? " maint" : "",
		     agent->words & AGENT_DRAIN ? " drain" : "", agent->words & AGENT_DOWN ? " down" : "", weight, limit);
	if (n > 0)
		(void)memmove(ret, ret + 1, (size_t)n);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * distcc.c: check=distcc. Nothing less than a compile shows that a distccd is
 * well: it listens with TCP_DEFER_ACCEPT and a long backlog, so a connect
 * succeeds while every worker is stuck.
 *
 * Protocol 1: packets of four letters and eight hexadecimal digits, and a body
 * where the number is its length. The answer must be the five packets of a
 * compile in their order, whole, and then the end; anything else fails. The check
 * waits for that end, since until then the node's worker is busy, and the slot
 * that the check took is not free.
 *
 * distccd turns a client away by closing without a byte: a client that is outside
 * its --allow, or a client that asks for a compiler which is not masqueraded.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "check.h"
#include "list/check_syntax.h"
#include "checkup.h"
#include "connect.h"
#include "conversation.h"
#include "object.h"
#include "system/say.h"
#include "talk.h"
#include "system/timespan.h"

#define DEFAULT_COMPILER "gcc"
#define TOKEN_SIZE 12u
#define VERSION_PROTOCOL 1u

/* The source to compile: the same for every node, and preprocessed. */
static const char source[] =
	"int corebalance_probe(const char *text, int seed);\n"
	"int corebalance_probe(const char *text, int seed) { while (*text) seed = seed * 31 + *text++; return seed; }\n";

struct distcc {
	size_t size;
	char query[1024];
};

static void add(struct distcc *distcc, const char *token, size_t number)
{
	distcc->size += (size_t)snprintf(distcc->query + distcc->size, sizeof(distcc->query) - distcc->size, "%s%08zx",
					 token, number);
}

static void add_text(struct distcc *distcc, const char *token, const char *text)
{
	add(distcc, token, strlen(text));
	distcc->size += (size_t)snprintf(distcc->query + distcc->size, sizeof(distcc->query) - distcc->size, "%s", text);
}

static int distcc_prepare(const struct check_syntax *syntax, void **ret)
{
	const char *const arguments[] = {
		*syntax->compiler ? syntax->compiler : DEFAULT_COMPILER, "-c", "probe.c", "-o", "probe.o",
	};
	const size_t n = sizeof(arguments) / sizeof(arguments[0]);
	struct distcc *distcc = calloc(1, sizeof(*distcc));

	if (!distcc)
		return -ENOMEM;
	add(distcc, "DIST", VERSION_PROTOCOL);
	add(distcc, "ARGC", n);
	for (size_t i = 0; i < n; i++)
		add_text(distcc, "ARGV", arguments[i]);
	add_text(distcc, "DOTI", source);
	*ret = distcc;
	return 0;
}

static enum outcome distcc_opened(struct probe *probe, uint64_t deadline_usec)
{
	const struct distcc *distcc = probe->checkup->prepared;

	probe->talk->begun_usec = now_monotonic();
	return talk_send(probe, distcc->query, distcc->size, deadline_usec);
}

/* The parts of an answer. */
enum {
	DONE,
	STAT,
	SERR,
	SOUT,
	DOTO,
	PARTS_,
};

struct answer {
	uint32_t numbers[PARTS_];
	const unsigned char *bodies[PARTS_]; /* of so many bytes, but for the first two */
	size_t size;                         /* of all bytes that were understood */
	unsigned n;                          /* parts that are whole */
};

static bool read_token(const unsigned char *token, const char *name, uint32_t *ret)
{
	uint32_t number = 0;

	if (memcmp(token, name, 4) != 0)
		return false;
	for (int i = 4; i < (int)TOKEN_SIZE; i++) {
		int c = token[i];

		if (!isxdigit(c) || isupper(c))
			return false;
		number = number << 4 | (uint32_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	*ret = number;
	return true;
}

/* Reads as much of an answer as there is. OUTCOME_UP: no error so far. */
static enum outcome read_answer(struct probe *probe, struct answer *ret)
{
	static const char names[PARTS_][5] = { "DONE", "STAT", "SERR", "SOUT", "DOTO" };
	const struct conversation *talk = probe->talk;

	*ret = (struct answer){ 0 };
	for (; ret->n < PARTS_ && talk->received - ret->size >= TOKEN_SIZE; ret->n++) {
		uint32_t *number = &ret->numbers[ret->n];
		size_t body, rest;

		if (!read_token(talk->data + ret->size, names[ret->n], number))
			return probe_fail(probe, REASON_PROTOCOL, "%.12s instead of %s",
					  (const char *)talk->data + ret->size, names[ret->n]);
		if (ret->n == DONE && *number != VERSION_PROTOCOL)
			return probe_fail(probe, REASON_PROTOCOL, "version %u", *number);
		body = ret->n < SERR ? 0 : *number;
		rest = sizeof(talk->data) - ret->size - TOKEN_SIZE;
		if (body >= rest && ret->n == SERR && ret->numbers[STAT] != 0)
			return probe_fail(probe, REASON_COMPILE_FAILED, "with %u bytes of messages", *number);
		if (body >= rest)
			return probe_fail(probe, REASON_TOO_LONG, "%s of %u bytes", names[ret->n], *number);
		if (talk->received - ret->size - TOKEN_SIZE < body)
			return OUTCOME_UP;
		ret->bodies[ret->n] = talk->data + ret->size + TOKEN_SIZE;
		ret->size += TOKEN_SIZE + body;
	}
	if (ret->n < PARTS_ && talk->received - ret->size > 0 && talk->received - ret->size < TOKEN_SIZE &&
	    memcmp(talk->data + ret->size, names[ret->n],
		   talk->received - ret->size < 4 ? talk->received - ret->size : 4) != 0)
		return probe_fail(probe, REASON_PROTOCOL, "no %s", names[ret->n]);
	if (ret->n == PARTS_ && talk->received > ret->size)
		return probe_fail(probe, REASON_PROTOCOL, "%zu bytes behind the object", talk->received - ret->size);
	return OUTCOME_UP;
}

/* The compiler failed: gives its exit status or signal, and the first line that it said. */
static enum outcome compile_failed(struct probe *probe, const struct answer *answer)
{
	int status = (int)answer->numbers[STAT];
	const unsigned char *text = answer->bodies[SERR];
	int length = 0;

	while ((uint32_t)length < answer->numbers[SERR] && text[length] != '\n')
		length++;
	return probe_fail(probe, REASON_COMPILE_FAILED, "%s %d%s%.*s", WIFSIGNALED(status) ? "signal" : "exit",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), length > 0 ? ": " : "",
			  length, (const char *)text);
}

/* Judges the node by a whole answer. The fingerprint goes to the beginning of the conversation; step 1 says so. */
static enum outcome judge(struct probe *probe, const struct answer *answer)
{
	const struct check_syntax *syntax = &probe->checkup->syntax;
	char fingerprint[NODE_FINGERPRINT_MAX + 1];

	if (answer->numbers[STAT] != 0)
		return compile_failed(probe, answer);
	if (object_fingerprint(answer->bodies[DOTO], answer->numbers[DOTO], fingerprint) < 0)
		return probe_fail(probe, REASON_COMPILE_FAILED, "%u bytes that are no ELF object", answer->numbers[DOTO]);
	(void)memcpy(probe->talk->data, fingerprint, sizeof(fingerprint));
	probe->talk->step = 1;
	if (!strstr(fingerprint, syntax->fingerprint))
		return probe_fail(probe, REASON_COMPILER_MISMATCH, "%s", fingerprint);
	return OUTCOME_UP;
}

static enum outcome distcc_heard(struct probe *probe, uint64_t deadline_usec)
{
	struct answer answer;
	enum outcome outcome = read_answer(probe, &answer);

	(void)deadline_usec;
	if (outcome != OUTCOME_UP)
		return outcome;
	if (answer.n == PARTS_ && probe->work_usec == 0)
		probe->work_usec = now_monotonic() - probe->talk->begun_usec ?: 1;
	if (!probe->talk->ended || answer.n < PARTS_)
		return OUTCOME_PENDING;
	return judge(probe, &answer);
}

static enum outcome distcc_lost(struct probe *probe, enum node_reason reason, const char *detail)
{
	bool cut = reason == REASON_CLOSED || reason == REASON_RESET;
	struct answer answer;

	/* A reset behind a whole answer counts as an end. */
	if (cut && read_answer(probe, &answer) == OUTCOME_UP && answer.n == PARTS_)
		return judge(probe, &answer);
	if (cut && probe->talk->received == 0)
		return probe_fail(probe, REASON_COMPILE_REFUSED, "%s", "");
	if (cut)
		return probe_fail(probe, REASON_PROTOCOL, "%s after %zu bytes", reason_to_string(REASON_CLOSED),
				  probe->talk->received);
	return probe_fail(probe, reason, "%s", detail ? detail : "");
}

static int distcc_settle(struct score *score, struct probe *probe)
{
	const char *fingerprint = (const char *)probe->talk->data;
	char before[NODE_FINGERPRINT_MAX + 1];
	int r;

	if (probe->talk->step == 0)
		return 0;
	r = score_set_fingerprint(score, probe->id, probe->checkup->text, fingerprint, before);
	if (r > 0 && *before)
		say(LOG_WARNING, "%s: its compiler is another: %s (was %s)", probe->name, fingerprint, before);
	return r < 0 ? r : 0;
}

const struct check check_distcc = {
	.name = "distcc",
	.talks = true,
	.works = true,
	.prepare = distcc_prepare,
	.forget = free,
	.start = connect_start,
	.ready = talk_ready,
	.expired = talk_expired,
	.opened = distcc_opened,
	.heard = distcc_heard,
	.lost = distcc_lost,
	.settle = distcc_settle,
};

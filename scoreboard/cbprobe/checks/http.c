/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * http.c: check=http:// and check=https://. The node is up if the URL's answer
 * has an expected status and, if check= names a pattern, the pattern in its body.
 *
 * transfer.c does the work; this file says what is asked, and what the answer
 * means. A URL is fetched as written, except that %n becomes the node's host:port,
 * %h its host (in brackets if need be), %p its port. No %XX of a URL begins with
 * any of these. If the URL's host is the node's, then the addresses are those that
 * the pass has resolved.
 *
 * A check has two stages of --timeout each: until the connection stands, TLS
 * and all, and from then until the answer is complete.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ca.h"
#include "checkup.h"
#include "connect.h"
#include "expect.h"
#include "cbprobe/news.h"
#include "system/timespan.h"
#include "transfer.h"

/* Each two bytes of the text may become a node's name. */
#define URL_MAX (sizeof("https:") + (NODE_CHECK_MAX / 2 + 1) * NODE_NAME_MAX)

#define STATUS_FIRST 200 /* expected by default */
#define STATUS_LAST 399

static struct transfers *transfers; /* of the pass */

/* ---- what a check= text means ---- */

/* What prepare() makes of it. */
struct wanted {
	struct pattern *body; /* NULL: the body does not matter */
	struct ca *ca;        /* NULL: certificates are those that this machine trusts */
};

static int load(const struct check_syntax *syntax)
{
	if (transfers_load() == 0)
		return 0;
	news_say(LOG_WARNING, "check \"%s:%s\": libcurl is not installed; its nodes are left as they are", syntax->name,
		 syntax->argument);
	return -EINVAL;
}

static int open_ca(const struct check_syntax *syntax, struct ca **ret)
{
	const char *why;
	int r = *syntax->ca ? ca_open(syntax->ca, ret, &why) : 0;

	if (r == -EINVAL)
		news_say(LOG_WARNING, "check \"%s:%s\": --ca %s: %s; its nodes are left as they are", syntax->name,
			 syntax->argument, syntax->ca, why);
	return r;
}

static void http_forget(void *prepared)
{
	struct wanted *wanted = prepared;

	ca_close(wanted->ca);
	pattern_free(wanted->body);
	free(wanted);
}

static int http_prepare(const struct check_syntax *syntax, void **ret)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));
	int r = wanted ? load(syntax) : -ENOMEM;

	if (r == 0)
		r = open_ca(syntax, &wanted->ca);
	if (r == 0 && *syntax->body)
		r = expect_prepare(syntax, syntax->body, true, &wanted->body);
	if (r == 0)
		*ret = wanted;
	else if (wanted)
		http_forget(wanted);
	return r;
}

/* The node's host as a URL has it: what is before the last colon of its name. */
static size_t host_length(const struct probe *probe)
{
	return (size_t)(strrchr(probe->name, ':') - probe->name);
}

/* What %LETTER stands for in a URL, or NULL: itself. */
static const char *placeholder(const struct probe *probe, char letter, size_t *ret_length)
{
	size_t host = host_length(probe);

	*ret_length = letter == 'h' ? host : strlen(probe->name);
	switch (letter) {
	case 'n':
	case 'h':
		return probe->name;
	case 'p':
		*ret_length -= host + 1;
		return probe->name + host + 1;
	default:
		return NULL;
	}
}

static void write_url(const struct probe *probe, char url[static URL_MAX])
{
	const struct check_syntax *syntax = &probe->checkup->syntax;
	char *to = stpcpy(stpcpy(url, syntax->name), ":");

	for (const char *from = syntax->argument; *from; from++) {
		size_t length = 0;
		const char *text = *from == '%' && from[1] ? placeholder(probe, from[1], &length) : NULL;

		if (!text) {
			*to++ = *from;
			continue;
		}
		to = mempcpy(to, text, length);
		from++;
	}
	*to = '\0';
}

/* ---- what an answer means ---- */

static bool is_expected(const struct check_syntax *syntax, int status)
{
	if (syntax->n_statuses == 0)
		return status >= STATUS_FIRST && status <= STATUS_LAST;
	for (unsigned i = 0; i < syntax->n_statuses; i++)
		if (status >= syntax->statuses[i].first && status <= syntax->statuses[i].last)
			return true;
	return false;
}

static enum outcome judge_answer(struct probe *probe, const struct transfer_result *result)
{
	const struct wanted *wanted = probe->checkup->prepared;
	struct pattern_search search = { 0 };
	enum outcome outcome;
	size_t end;

	if (!is_expected(&probe->checkup->syntax, result->status))
		return probe_fail(probe, REASON_HTTP_STATUS, "%d %s", result->status, result->phrase);
	if (!wanted->body)
		return OUTCOME_UP;
	outcome = expect_pattern(probe, wanted->body, result->body, result->body_size, true, &search, &end);
	if (outcome != OUTCOME_PENDING)
		return outcome;
	return probe_fail(probe, REASON_BODY, "%s", result->body_size == TRANSFER_BODY_MAX ? "in its first 64 kB" : "");
}

/* libcurl's words without what the reason says already. */
static const char *words_of(const struct transfer_result *result)
{
	static const char *const prefixes[] = { "SSL certificate problem: ", "SSL: ", "Could not resolve host: " };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(result->text, prefixes[i], strlen(prefixes[i])) == 0)
			return result->text + strlen(prefixes[i]);
	return result->text;
}

/* The trouble is this machine's, not the node's. */
static enum outcome unable(struct probe *probe, enum node_reason reason, const char *detail)
{
	(void)probe_fail(probe, reason, "%s", detail);
	return OUTCOME_UNABLE;
}

/* The detail names the file instead of libcurl's words, which may leave no room for the name. */
static enum outcome unable_ca(struct probe *probe, const char *text)
{
	const char *ca = probe->checkup->syntax.ca;

	(void)probe_fail(probe, REASON_TLS, "%s%s", *ca ? "--ca " : "", *ca ? ca : text);
	return OUTCOME_UNABLE;
}

static enum outcome judge(struct probe *probe, const struct transfer_result *result)
{
	switch (result->end) {
	case TRANSFER_DONE:
		return judge_answer(probe, result);
	case TRANSFER_NO_CONNECT:
		return connect_failed(probe, result->error ?: ECONNREFUSED);
	case TRANSFER_SHORTAGE:
		return connect_failed(probe, result->error);
	case TRANSFER_TIMED_OUT:
		return connect_failed(probe, ETIMEDOUT);
	case TRANSFER_UNRESOLVED: /* of another host: the pass has resolved the node's own name */
		return unable(probe, REASON_UNRESOLVED, words_of(result));
	case TRANSFER_CA:
		return unable_ca(probe, result->text);
	case TRANSFER_CERTIFICATE:
		return probe_fail(probe, REASON_CERTIFICATE, "%s", words_of(result));
	case TRANSFER_TLS:
		/* So libcurl tells that the node has closed the connection. */
		if (strstr(result->text, "SSL_ERROR_SYSCALL"))
			return probe_fail(probe, REASON_CLOSED, "TLS");
		return probe_fail(probe, REASON_TLS, "%s", words_of(result));
	case TRANSFER_CLOSED:
		return probe_fail(probe, REASON_CLOSED, "%s", "");
	case TRANSFER_CUT:
		return probe_fail(probe, REASON_CLOSED, "only a part of one");
	case TRANSFER_RESET:
		return probe_fail(probe, REASON_RESET, "%s", "");
	case TRANSFER_TOO_LARGE:
		return probe_fail(probe, REASON_TOO_LONG, "headers");
	default:
		return probe_fail(probe, REASON_NOT_HTTP, "%s", words_of(result));
	}
}

/* ---- struct source and struct check ---- */

static int http_open(size_t n, int *ret_fd)
{
	int r = transfers_open(&transfers);

	(void)n;
	if (r == 0)
		*ret_fd = transfers_fd(transfers);
	return r;
}

static int http_work(void)
{
	return transfers_work(transfers);
}

static void http_stop(struct probe *probe)
{
	transfer_free(probe->work);
	probe->work = NULL;
}

static struct probe *http_next_ended(enum outcome *ret)
{
	struct transfer_result result;
	struct transfer *transfer = transfer_next_ended(transfers, &result);
	struct probe *probe;

	if (!transfer)
		return NULL;
	probe = transfer_owner(transfer);
	*ret = judge(probe, &result);
	http_stop(probe);
	return probe;
}

static void http_close(void)
{
	transfers_close(transfers);
	transfers = NULL;
}

static const struct source http_source = {
	.open = http_open,
	.work = http_work,
	.next_ended = http_next_ended,
	.close = http_close,
};

static enum outcome http_start(struct probe *probe, uint64_t deadline_usec)
{
	const struct check_syntax *syntax = &probe->checkup->syntax;
	const struct wanted *wanted = probe->checkup->prepared;
	uint64_t now_usec = now_monotonic();
	char url[URL_MAX];
	struct transfer_request request = {
		.url = url,
		.ca = wanted->ca ? ca_name(wanted->ca) : NULL,
		.host = probe->host,
		.addresses = probe->addresses,
		.n_addresses = probe->n_addresses,
		.timeout_usec = deadline_usec > now_usec ? deadline_usec - now_usec : 0,
		.proxy_header = probe->proxy == PROXY_V1,
		.insecure = syntax->insecure,
		.keep_body = wanted->body != NULL,
		.holds_slot = checkup_works(probe->checkup),
	};
	struct transfer *transfer;
	int r;

	if (probe->proxy == PROXY_V2) { /* libcurl cannot send version 2 */
		probe->error = EPROTONOSUPPORT;
		return unable(probe, REASON_NOT_HTTP, "check-proxy=v2");
	}
	write_url(probe, url);
	r = transfer_begin(transfers, &request, probe, &transfer);
	if (r == -EINVAL)
		return unable(probe, REASON_NOT_HTTP, "no URL");
	if (r < 0) {
		probe->error = -r;
		return OUTCOME_LATER;
	}
	probe->work = transfer;
	probe->state = PROBE_CONRESULT;
	probe->deadline_usec = deadline_usec;
	return OUTCOME_PENDING;
}

/* Whether the deadline is later now: if the connection has been made meanwhile, the time for the answer runs from then.
 * */
static bool has_more_time(struct probe *probe, uint64_t deadline_usec)
{
	uint64_t now_usec = now_monotonic(), asked_usec = transfer_asked_usec(probe->work);
	uint64_t timeout_usec = deadline_usec > now_usec ? deadline_usec - now_usec : 0;

	if (probe->state == PROBE_RECV || asked_usec == 0)
		return false;
	probe->state = PROBE_RECV;
	probe->deadline_usec = asked_usec > UINT64_MAX - timeout_usec ? UINT64_MAX : asked_usec + timeout_usec;
	return probe->deadline_usec > now_usec;
}

static enum outcome http_expired(struct probe *probe, uint64_t deadline_usec)
{
	bool asked = transfer_asked_usec(probe->work) > 0, connected = transfer_is_connected(probe->work);

	if (has_more_time(probe, deadline_usec))
		return OUTCOME_PENDING;
	http_stop(probe);
	if (!connected)
		return connect_failed(probe, ETIMEDOUT);
	/* Without TLS it is this process that has not come to asking. */
	return probe_fail(probe, REASON_NO_ANSWER, "%s",
			  asked || strcmp(probe->checkup->syntax.name, "https") != 0 ? "" : "TLS");
}

const struct check check_http = {
	.name = "http",
	.source = &http_source,
	.prepare = http_prepare,
	.forget = http_forget,
	.start = http_start,
	.expired = http_expired,
	.stop = http_stop,
};

const struct check check_https = {
	.name = "https",
	.source = &http_source,
	.prepare = http_prepare,
	.forget = http_forget,
	.start = http_start,
	.expired = http_expired,
	.stop = http_stop,
};

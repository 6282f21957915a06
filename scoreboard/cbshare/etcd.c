/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * etcd.c: requests to etcd: which member is asked, and what an answer means.
 *
 * A call is what the engine's user asked for; it is sent to one member after the
 * other until it has an answer, within its time. If a member may have had a part of
 * the call, the call goes to the next member only if it changes nothing. With a user,
 * calls wait until there is a token. A member that answers that the token is not valid
 * any more did nothing: the call waits for the next token.
 *
 * The watch is a call; its answer never ends. A member that is stopped, or behind a
 * cut network, tells nothing for ever, and TCP has nothing to send by which it could
 * notice. But each of our own commits must come back by the watch: a watch that does
 * not tell a commit within the time of an answer is lost.
 */

#include "etcd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_message.h"
#include "members.h"
#include "post.h"
#include "system/timespan.h"

#define TROUBLE_MAX 512

enum kind { CALL_READ, CALL_COMMIT, CALL_WATCH, CALL_LOGIN };

static const char *const paths[] = {
	[CALL_READ] = "/v3/kv/range",
	[CALL_COMMIT] = "/v3/kv/txn",
	[CALL_WATCH] = "/v3/watch",
	[CALL_LOGIN] = "/v3/auth/authenticate",
};

struct etcd;

struct call {
	struct call *next;
	struct etcd *etcd;
	enum kind kind;
	char *body;
	struct post *post;                    /* NULL: not sent yet: it waits for the next turn, or for a token */
	size_t member, tries;                 /* which is asked, and how many were */
	bool is_watched;                      /* a commit that the watch will tell */
	uint64_t deadline_usec;               /* of the answer; of a watch: for what it must tell; 0: none */
	uint64_t seen_revision, due_revision; /* of a watch: what it has told, and the latest that it must tell */
	union {
		engine_read_done *read;
		engine_commit_done *commit;
		engine_changed *changed;
	} done;
	engine_lost *lost;
	void *context;
};

struct etcd {
	struct engine engine;
	struct members members;
	struct etcd_login login;
	struct post_office *office;
	struct call *calls;
	struct call *watch; /* one of the calls, or NULL */
	char *watch_prefix;
	char *token;
	uint64_t timeout_usec;
	char trouble[TROUBLE_MAX];
};

static struct etcd *etcd_of(struct engine *engine)
{
	return (struct etcd *)engine;
}

/* ---- calls ---- */

/* Takes the call out of the engine and frees it. No answer comes. */
static void call_free(struct call *call)
{
	struct etcd *etcd = call->etcd;

	for (struct call **c = &etcd->calls; *c; c = &(*c)->next)
		if (*c == call) {
			*c = call->next;
			break;
		}
	if (etcd->watch == call)
		etcd->watch = NULL;
	post_free(call->post);
	free(call->body);
	free(call);
}

/* A new call, which is not sent yet. body becomes the call's; NULL: there was no memory for it. NULL: no memory. */
static struct call *call_new(struct etcd *etcd, enum kind kind, char *body, void *context)
{
	struct call *call = body ? calloc(1, sizeof(*call)) : NULL;

	if (!call) {
		free(body);
		return NULL;
	}
	*call = (struct call){
		.next = etcd->calls,
		.etcd = etcd,
		.kind = kind,
		.body = body,
		.member = etcd->members.first,
		.context = context,
		.deadline_usec = now_monotonic() + etcd->timeout_usec,
	};
	etcd->calls = call;
	return call;
}

/* Sends the call to its member. The members that are still to be asked need time, too, so the connect has only its part of
 * the time. 0; -ETIMEDOUT: its time is over; or -ENOMEM. */
static int call_send(struct call *call)
{
	struct etcd *etcd = call->etcd;
	uint64_t now = now_monotonic();
	long left = now < call->deadline_usec ? (long)((call->deadline_usec - now) / USEC_PER_MSEC) : 0;
	char url[TROUBLE_MAX];
	const struct post_request request = {
		.url = url,
		.body = call->body,
		.token = call->kind == CALL_LOGIN ? NULL : etcd->token,
		.connect_msec = left / (long)(etcd->members.n - call->tries) ?: 1,
		.msec = call->kind == CALL_WATCH ? 0 : left,
		.owner = call,
	};

	if (left == 0)
		return -ETIMEDOUT;
	(void)snprintf(url, sizeof(url), "%s%s", etcd->members.urls[call->member], paths[call->kind]);
	call->tries++;
	return post_send(etcd->office, &request, &call->post);
}

/* Notes why a request failed, for etcd_trouble(). */
static void note_trouble(struct etcd *etcd, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note_trouble(struct etcd *etcd, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(etcd->trouble, sizeof(etcd->trouble), format, ap);
	va_end(ap);
}

static void fail_waiting(struct etcd *etcd);

/* Ends the call without an answer. */
static void call_fail(struct call *call)
{
	const struct call c = *call;
	struct etcd *etcd = call->etcd;

	call_free(call);
	switch (c.kind) {
	case CALL_READ:
		c.done.read(c.context, ENGINE_UNKNOWN, NULL, 0, 0);
		break;
	case CALL_COMMIT:
		c.done.commit(c.context, ENGINE_UNKNOWN, 0);
		break;
	case CALL_WATCH:
		c.lost(c.context, etcd->trouble);
		break;
	case CALL_LOGIN:
		fail_waiting(etcd);
		break;
	}
}

/* The next call that is not sent yet, or NULL. */
static struct call *next_waiting(const struct etcd *etcd)
{
	struct call *call = etcd->calls;

	while (call && (call->post || call->kind == CALL_LOGIN))
		call = call->next;
	return call;
}

static void fail_waiting(struct etcd *etcd)
{
	struct call *call, *last = NULL;

	/* A callback may make a call, which is at the front of the list, and waits for the next login. */
	for (call = etcd->calls; call; call = call->next)
		if (!call->post && call->kind != CALL_LOGIN)
			last = call;
	while (last) {
		struct call *before = NULL;

		for (call = etcd->calls; call != last; call = call->next)
			if (!call->post && call->kind != CALL_LOGIN)
				before = call;
		call_fail(last);
		last = before;
	}
}

/* ---- what comes ---- */

/* The member of the call failed: the others are asked first from now on. */
static void leave_member(struct call *call)
{
	struct members *members = &call->etcd->members;

	if (members->first == call->member)
		members->first = (call->member + 1) % members->n;
	call->member = (call->member + 1) % members->n;
}

/* The call's member failed. Asks the next member, if the call may be repeated: a commit may be if nothing of it was sent.
 * Otherwise ends the call. */
static void call_next(struct call *call)
{
	bool may_repeat = call->kind == CALL_COMMIT ? !call->post->sent : call->seen_revision == 0;

	leave_member(call);
	if (may_repeat && call->tries < call->etcd->members.n) {
		post_free(call->post);
		call->post = NULL;
		if (call_send(call) == 0)
			return;
	}
	call_fail(call);
}

static void drop_token(struct etcd *etcd)
{
	free(etcd->token);
	etcd->token = NULL;
}

/* The token counts no more, and the member did nothing: the call waits for another token. */
static void call_wait(struct call *call)
{
	post_free(call->post);
	call->post = NULL;
	call->tries = 0;
	drop_token(call->etcd);
}

static bool is_late(const struct call *call)
{
	return call->deadline_usec > 0 && now_monotonic() >= call->deadline_usec;
}

/* A watch must tell that revision within the time of an answer. */
static void expect_revision(struct call *watch, uint64_t revision)
{
	if (revision <= watch->seen_revision || revision <= watch->due_revision)
		return;
	watch->due_revision = revision;
	if (watch->deadline_usec == 0)
		watch->deadline_usec = now_monotonic() + watch->etcd->timeout_usec;
}

/* The watch has told all up to that revision. */
static void note_revision(struct call *watch, uint64_t revision)
{
	if (revision <= watch->seen_revision)
		return;
	watch->seen_revision = revision;
	watch->deadline_usec = revision >= watch->due_revision ? 0 : now_monotonic() + watch->etcd->timeout_usec;
}

static void answer_commit(struct call *call, const struct answer *answer)
{
	const struct call c = *call;

	call_free(call);
	if (answer->succeeded && c.is_watched && c.etcd->watch)
		expect_revision(c.etcd->watch, answer->revision);
	c.done.commit(c.context, answer->succeeded ? ENGINE_DONE : ENGINE_REFUSED,
		      answer->succeeded ? answer->revision : 0);
}

static void answer_read(struct call *call, const struct answer *answer)
{
	const struct call c = *call;

	call_free(call);
	c.done.read(c.context, ENGINE_DONE, answer->values, answer->n, answer->revision);
}

/* A token has come: what waited for it is sent. */
static void log_in(struct call *call, struct answer *answer)
{
	struct etcd *etcd = call->etcd;
	struct call *waiting;

	free(etcd->token);
	etcd->token = answer->token;
	answer->token = NULL;
	call_free(call);
	while ((waiting = next_waiting(etcd)))
		if (call_send(waiting) < 0)
			call_fail(waiting);
}

static int read_answer(const struct call *call, struct answer *ret)
{
	const char *text = call->post->text ?: "";

	switch (call->kind) {
	case CALL_READ:
		return answer_range(text, ret);
	case CALL_COMMIT:
		return answer_txn(text, ret);
	case CALL_LOGIN:
		return answer_login(text, ret);
	default:
		return -EINVAL;
	}
}

/* Whether what the member sent is an answer to the call; if not, notes why. */
static bool is_answered(const struct call *call, const struct answer *answer, int r)
{
	struct etcd *etcd = call->etcd;
	const char *url = etcd->members.urls[call->member];
	const struct post *post = call->post;

	if (post->failed)
		note_trouble(etcd, "%s: %s", url, post->error);
	else if (r == -ENOMEM)
		note_trouble(etcd, "%s", strerror(ENOMEM));
	else if (r == 0 && answer->error)
		note_trouble(etcd, "%s: %s", url, answer->error);
	else if (r < 0 || post->status != 200)
		note_trouble(etcd, "%s: its answer is not that of an etcd (HTTP status %ld)", url, post->status);
	else
		return true;
	return false;
}

static void end_call(struct call *call, struct answer *answer)
{
	struct etcd *etcd = call->etcd;

	etcd->members.first = call->member;
	*etcd->trouble = '\0';
	switch (call->kind) {
	case CALL_READ:
		answer_read(call, answer);
		break;
	case CALL_COMMIT:
		answer_commit(call, answer);
		break;
	case CALL_LOGIN:
		log_in(call, answer);
		break;
	default:
		break;
	}
}

/* The answer of a call that is no watch has ended. */
static void take_answer(struct call *call)
{
	struct answer answer = { 0 };
	int r = call->post->failed ? 0 : read_answer(call, &answer);

	if (is_answered(call, &answer, r)) {
		end_call(call, &answer);
	} else if (answer_wants_login(&answer) && call->etcd->login.user && call->kind != CALL_LOGIN) {
		call_wait(call);
	} else if (answer_is_refusal(&answer)) {
		call_fail(call); /* the others would say the same */
	} else {
		call_next(call);
	}
	answer_clear(&answer);
}

/* ---- the watch ---- */

static void lose_watch(struct call *call, const char *why)
{
	note_trouble(call->etcd, "%s: %s", call->etcd->members.urls[call->member], why);
	leave_member(call);
	call_fail(call);
}

/* A line of the watch. */
static void take_line(struct call *call, const char *line)
{
	struct answer answer = { 0 };
	int r = answer_watch(line, &answer);

	if (r < 0) {
		lose_watch(call, r == -ENOMEM ? strerror(-r) : "what it tells is not that of an etcd");
	} else if (answer.error) {
		lose_watch(call, answer.error);
	} else if (answer.ended) {
		lose_watch(call, "it ended the watch, as for changes that it has forgotten");
	} else {
		note_revision(call, answer.revision);
		if (answer.n > 0)
			call->done.changed(call->context, answer.values, answer.n);
	}
	answer_clear(&answer);
}

/* Takes the whole lines that have come. A callback may end this watch and start another. */
static void take_lines(struct etcd *etcd)
{
	struct call *call = etcd->watch;

	while (call && call == etcd->watch && call->post && call->post->text) {
		struct post *post = call->post;
		char *end = memchr(post->text, '\n', post->size);
		char *line;

		if (!end)
			return;
		*end = '\0';
		line = strdup(post->text);
		post->size -= (size_t)(end + 1 - post->text);
		(void)memmove(post->text, end + 1, post->size + 1);
		if (line)
			take_line(call, line);
		else
			lose_watch(call, strerror(ENOMEM));
		free(line);
	}
}

/* The answer of the watch has ended. What is left of it may be an error. A member that has told nothing leaves the watch
 * to the next. */
static void take_end(struct call *call)
{
	struct etcd *etcd = call->etcd;
	const char *url = etcd->members.urls[call->member];
	const struct post *post = call->post;
	struct answer answer = { 0 };

	if (!post->failed && post->size > 0)
		(void)answer_watch(post->text, &answer);
	if (post->failed)
		note_trouble(etcd, "%s: %s", url, post->error);
	else if (answer.error)
		note_trouble(etcd, "%s: %s", url, answer.error);
	else
		note_trouble(etcd, "%s: it ended the watch (HTTP status %ld)", url, post->status);
	if (answer_wants_login(&answer))
		drop_token(etcd);
	answer_clear(&answer);
	call_next(call);
}

/* ---- the turn ---- */

/* Ends the calls that are not sent yet, and the watch, when their time is over. libcurl ends the others. */
static void end_late(struct etcd *etcd)
{
	struct call *call = etcd->calls;

	while (call) {
		if (call == etcd->watch && is_late(call)) {
			lose_watch(call, "it tells nothing");
		} else if (!call->post && call->kind != CALL_LOGIN && is_late(call)) {
			call_fail(call);
		} else {
			call = call->next;
			continue;
		}
		call = etcd->calls; /* the callback may have changed the list */
	}
}

static bool is_logging_in(const struct etcd *etcd)
{
	for (const struct call *call = etcd->calls; call; call = call->next)
		if (call->kind == CALL_LOGIN)
			return true;
	return false;
}

/* Sends what waits, or asks for the token that it waits for. */
static void send_waiting(struct etcd *etcd)
{
	struct call *call = next_waiting(etcd);

	if (call && etcd->login.user && !etcd->token) {
		if (!is_logging_in(etcd)) {
			call = call_new(etcd, CALL_LOGIN, message_login(etcd->login.user, etcd->login.password), NULL);
			if (call && call_send(call) < 0)
				call_fail(call);
		}
		return;
	}
	while ((call = next_waiting(etcd)))
		if (call_send(call) < 0)
			call_fail(call);
}

/* How long may be waited until a call of end_late() is late. */
static int time_left(const struct etcd *etcd, int timeout_msec)
{
	uint64_t now = now_monotonic(), left = (uint64_t)timeout_msec * USEC_PER_MSEC;

	for (const struct call *call = etcd->calls; call; call = call->next)
		if (call->deadline_usec > 0 && (call == etcd->watch || !call->post)) {
			uint64_t usec = call->deadline_usec > now ? call->deadline_usec - now : 0;

			left = usec < left ? usec : left;
		}
	return (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

int etcd_turn(struct engine *engine, struct pollfd *fds, unsigned n, int timeout_msec)
{
	struct etcd *etcd = etcd_of(engine);
	struct post *post;
	int r;

	send_waiting(etcd);
	r = post_office_work(etcd->office, fds, n, time_left(etcd, timeout_msec));
	take_lines(etcd);
	while (r == 0 && (post = post_office_next(etcd->office))) {
		struct call *call = post->owner;

		if (call->kind == CALL_WATCH)
			take_end(call);
		else
			take_answer(call);
	}
	end_late(etcd);
	return r;
}

const char *etcd_trouble(const struct engine *engine)
{
	const char *trouble = ((const struct etcd *)engine)->trouble;

	return *trouble ? trouble : NULL;
}

/* ---- the engine's functions ---- */

static int etcd_read(struct engine *engine, const char *prefix, engine_read_done *done, void *context)
{
	struct call *call = call_new(etcd_of(engine), CALL_READ, message_range(prefix), context);

	if (!call)
		return -ENOMEM;
	call->done.read = done;
	return 0;
}

static int etcd_commit(struct engine *engine, const struct engine_compare *compares, size_t n_compares,
		       const struct engine_put *puts, size_t n_puts, engine_commit_done *done, void *context)
{
	struct etcd *etcd = etcd_of(engine);
	struct call *call = call_new(etcd, CALL_COMMIT, message_txn(compares, n_compares, puts, n_puts), context);

	if (!call)
		return -ENOMEM;
	call->done.commit = done;
	for (size_t i = 0; i < n_puts && etcd->watch; i++)
		if (puts[i].value && strncmp(puts[i].key, etcd->watch_prefix, strlen(etcd->watch_prefix)) == 0)
			call->is_watched = true;
	return 0;
}

static int etcd_watch(struct engine *engine, const char *prefix, uint64_t after, engine_changed *changed,
		      engine_lost *lost, void *context)
{
	struct etcd *etcd = etcd_of(engine);
	char *copy = strdup(prefix);
	struct call *call;

	if (etcd->watch)
		call_free(etcd->watch);
	free(etcd->watch_prefix);
	etcd->watch_prefix = copy;
	call = copy ? call_new(etcd, CALL_WATCH, message_watch(prefix, after), context) : NULL;
	if (!call)
		return -ENOMEM;
	call->done.changed = changed;
	call->lost = lost;
	call->due_revision = after;
	etcd->watch = call;
	return 0;
}

static void etcd_close(struct engine *engine)
{
	struct etcd *etcd = etcd_of(engine);

	while (etcd->calls)
		call_free(etcd->calls);
	post_office_close(etcd->office);
	members_clear(&etcd->members);
	free(etcd->watch_prefix);
	free(etcd->token);
	free(etcd);
}

int etcd_open(const char *members, const struct etcd_login *login, int timeout_msec, struct engine **ret)
{
	static const struct engine_calls calls = { etcd_read, etcd_commit, etcd_watch, etcd_close };
	const struct post_trust trust = { login->ca, login->certificate, login->key };
	struct etcd *etcd = calloc(1, sizeof(*etcd));
	int r;

	if (!etcd)
		return -ENOMEM;
	etcd->engine.calls = &calls;
	etcd->login = *login;
	etcd->timeout_usec = (uint64_t)timeout_msec * USEC_PER_MSEC;
	r = members_read(members, &etcd->members);
	if (r == 0)
		r = post_office_open(&trust, &etcd->office);
	if (r < 0) {
		etcd_close(&etcd->engine);
		return r;
	}
	*ret = &etcd->engine;
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * pass.c: the scheduler. A single thread, which never waits for a node, keeps up
 * to --jobs checks under way. epoll tells which checks have news; a heap of
 * deadlines tells which have none in time.
 *
 *                   +------- a second later --------+
 *                   v                               |
 *     line ----> CONNECT ---> CONRESULT --failed--> WAIT
 *                   ^           |   |               ^
 *     NAME -answer--+           |   +--> QUERY --> RECV
 *                               |   a check that talks
 *                               |
 *                               +--answered, or failed often enough--> DONE
 *
 * Names are resolved beside all this. A node with a name is checked as soon as
 * the name is answered, or after a second at its previous addresses. If the answer
 * then has other addresses, the check is made again and its first result is
 * forgotten.
 *
 * A failure goes to the scoreboard at once, so that the scoreboard is right even
 * if the prober is killed. The exception: that no packet could leave this machine
 * (no route, a local firewall) is a failure of the node only if another machine
 * answered in the same pass, if only to refuse. Such failures are owed until the
 * end of the pass, when that is known.
 *
 * The cores of a farm may be leased. A check that holds a slot ends with the lease,
 * and tells nothing: another gateway may use the core from then on.
 */

#include "pass.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "beside.h"
#include "cbprobe/checks/checkup.h"
#include "cbprobe/checks/connect.h"
#include "cbprobe/checks/conversation.h"
#include "here.h"
#include "news.h"
#include "quit.h"
#include "roster.h"
#include "system/say.h"
#include "sources.h"
#include "timers.h"
#include "system/timespan.h"

#define EVENTS_MAX 256
#define WHY_MAX (NODE_NAME_MAX + NODE_DETAIL_MAX + 64) /* of a node that could not be checked */

/* Probes to be begun, in order. */
struct line {
	struct probe *first, *last;
};

struct pass {
	struct score *score;
	const struct settings *settings;
	struct roster roster;
	struct timers timers;
	struct conversations conversations;
	struct sources sources;
	int epoll_fd;
	struct epoll_event events[EVENTS_MAX];
	struct line again, fresh;   /* again goes first: nodes in doubt are decided before more checks begin */
	struct line full;           /* nodes without a free slot, for the end of the pass */
	uint32_t active, jobs;      /* checks under way, and their limit */
	uint32_t with_slot;         /* of these, so many hold a slot */
	uint64_t lease_usec;        /* until when they may, as the farm said it last: CLOCK_BOOTTIME; 0: always */
	size_t unfinished;
	size_t up, down;            /* nodes that answered; nodes that did not */
	size_t unreached, unable;   /* nodes that ended with OUTCOME_UNREACHED, OUTCOME_UNABLE */
	const struct probe *first_unreached, *first_unable; /* an example of each: the first in the roster's order */
	bool reached_out;           /* another machine answered, if only to refuse: there is a network */
};

static void line_append(struct line *line, struct probe *probe)
{
	probe->next = NULL;
	if (line->last)
		line->last->next = probe;
	else
		line->first = probe;
	line->last = probe;
}

/* Takes the first probe out of the line; NULL if the line is empty. */
static struct probe *line_take(struct line *line)
{
	struct probe *probe = line->first;

	if (!probe)
		return NULL;
	line->first = probe->next;
	if (!line->first)
		line->last = NULL;
	return probe;
}

/* Of two probes, of which a may be NULL, the first in the roster: so the example is the same in each pass. */
static const struct probe *first_of(const struct probe *a, const struct probe *b)
{
	return a && a < b ? a : b;
}

static uint64_t usec_after(uint64_t now_usec, uint64_t usec)
{
	uint64_t sum;

	return __builtin_add_overflow(now_usec, usec, &sum) ? UINT64_MAX : sum;
}

/* Makes the probe ready for a try from its first address on. */
static void probe_rewind(struct probe *probe)
{
	probe->state = PROBE_CONNECT;
	probe->address = 0;
	probe->fault = 0;
	probe->error = 0;
	probe->connect_port = 0;
	probe->work_usec = 0;
	probe->spared = false;
	probe->reason = REASON_NONE;
	probe->detail[0] = '\0';
}

/* Ends the checks of a probe in this pass; its name may still be asked for. */
static void probe_finish(struct pass *pass, struct probe *probe)
{
	probe->state = PROBE_DONE;
	if (!probe->naming)
		pass->unfinished--;
}

/* Schedules the next try after a while. */
static void probe_wait(struct pass *pass, struct probe *probe, uint64_t usec)
{
	probe->state = PROBE_WAIT;
	probe->deadline_usec = usec_after(now_monotonic(), usec);
	timers_set(&pass->timers, probe);
}

/* A random time below max; half of max if the kernel gives no random bytes. */
static uint64_t random_usec(uint64_t max)
{
	uint64_t value;

	return getrandom(&value, sizeof(value), GRND_NONBLOCK) == sizeof(value) ? value % max : max / 2;
}

static void describe(const struct pass *pass, const struct probe *probe, enum outcome outcome)
{
	const char *what = reason_to_string(probe->reason);
	char took[64];

	if (!settings_are_verbose(pass->settings, pass->score))
		return;
	if (outcome == OUTCOME_UP)
		what = probe->spared ? "busy, and has served since the last pass" : "answered";
	else if (outcome == OUTCOME_LATER)
		what = strerror(probe->error);
	else if (outcome == OUTCOME_UNKNOWN && probe->reason == REASON_NONE)
		what = "unknown";
	(void)timespan_format(now_monotonic() - probe->begun_usec, took, sizeof(took));
	say(LOG_DEBUG, "%s: %s: %s%s%s after %s", probe->name, probe->checkup->check->name, what,
	    *probe->detail ? ": " : "", probe->detail, took);
}

/* Tells the scoreboard of the failures that are owed. 0 or -errno. */
static int pay(struct pass *pass, struct probe *probe)
{
	const char *detail = *probe->detail ? probe->detail : NULL;

	for (; probe->owed > 0; probe->owed--) {
		int r = verdict_failure(pass->score, &pass->settings->rules, probe, probe->reason, detail);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether the node is this machine, which is always reachable. */
static bool is_here(const struct probe *probe)
{
	for (unsigned i = 0; i < probe->n_addresses; i++)
		if (!here_is(&probe->addresses[i]))
			return false;
	return true;
}

/* Whether the node answered, if only to refuse, or to talk nonsense. */
static bool has_answered(const struct probe *probe)
{
	switch (probe->reason) {
	case REASON_TIMED_OUT:
	case REASON_NO_ROUTE:
	case REASON_NO_ADDRESS_LEFT:
	case REASON_CONNECT_FAILED:
	case REASON_COMMAND: /* a command may fail for any reason */
		return false;
	default:
		return true;
	}
}

/* Whether a success means that a packet came back. A command may succeed without any packet. A node that was not asked
 * served before the pass, when the network may have been different. */
static bool is_proof(const struct probe *probe)
{
	return !probe->spared && probe->checkup->check != &check_exec;
}

/* A try has failed by the node's fault (certain), or perhaps by the node's fault. */
static int try_failed(struct pass *pass, struct probe *probe, bool certain)
{
	int r;

	probe->failures++;
	probe->owed++;
	r = certain ? pay(pass, probe) : 0;
	if (r < 0)
		return r;
	pass->reached_out = pass->reached_out || (has_answered(probe) && !is_here(probe));
	/* A node that is down already is not tried again in this pass. */
	if (!probe->down && verdict_wants_more(&pass->settings->rules, probe)) {
		probe_wait(pass, probe, RETRY_USEC);
		return 0;
	}
	pass->down += certain;
	pass->unreached += !certain;
	if (!certain)
		pass->first_unreached = first_of(pass->first_unreached, probe);
	probe_finish(pass, probe);
	return 0;
}

static int try_succeeded(struct pass *pass, struct probe *probe)
{
	int r = verdict_success(pass->score, &pass->settings->rules, probe);

	probe->owed = 0; /* the failures before this success no longer count */
	pass->reached_out = pass->reached_out || (is_proof(probe) && !is_here(probe));
	pass->up++;
	probe_finish(pass, probe);
	return r < 0 ? r : 0;
}

/* The check could tell nothing; unable: by this machine's fault. */
static void try_told_nothing(struct pass *pass, struct probe *probe, bool unable)
{
	probe->owed = 0;
	if (unable) {
		pass->unable++;
		pass->first_unable = first_of(pass->first_unable, probe);
	}
	probe_finish(pass, probe);
}

/* No descriptor or memory for the check: from now on no more checks run at the same time than run now. */
static void try_postponed(struct pass *pass, struct probe *probe)
{
	if (pass->active == 0) {
		try_told_nothing(pass, probe, true);
		return;
	}
	pass->jobs = pass->active;
	probe_rewind(probe);
	line_append(&pass->again, probe);
}

/* The try was about addresses that are no longer the node's: forgets the try. */
static void try_overtaken(struct pass *pass, struct probe *probe)
{
	probe->moved = false;
	probe->owed = 0;
	probe_rewind(probe);
	if (probe->n_addresses > 0)
		line_append(&pass->again, probe);
	else
		probe_finish(pass, probe);
}

/* Acts upon the outcome of a try. */
static int judge(struct pass *pass, struct probe *probe, enum outcome outcome)
{
	const struct check *check = probe->checkup->check;

	if (probe->moved) {
		try_overtaken(pass, probe);
		return 0;
	}
	if (check->settle && !probe->spared && (outcome == OUTCOME_UP || outcome == OUTCOME_DOWN)) {
		int r = check->settle(pass->score, probe);

		if (r < 0 && r != -ENOENT) /* the node was removed during the check: nothing to do */
			return r;
	}
	switch (outcome) {
	case OUTCOME_UP:
		return try_succeeded(pass, probe);
	case OUTCOME_DOWN:
		return try_failed(pass, probe, true);
	case OUTCOME_UNREACHED:
		return try_failed(pass, probe, false);
	case OUTCOME_LATER:
		try_postponed(pass, probe);
		return 0;
	default:
		try_told_nothing(pass, probe, outcome == OUTCOME_UNABLE);
		return 0;
	}
}

/* Gives back what the try had: the node's slot, after the verdict, and the conversation. 0 or -errno. */
static int clean_up(struct pass *pass, struct probe *probe, bool judged)
{
	struct conversation *talk = probe->talk;
	int r = 0;

	if (talk && talk->has_slot) {
		pass->with_slot--;
		r = score_unclaim(pass->score, &talk->slot, judged);
	}
	conversation_give_back(&pass->conversations, talk);
	probe->talk = NULL;
	return r == -ESTALE ? 0 : r; /* this process was taken for dead, and reaped: from another PID namespace, say */
}

static int try_ended(struct pass *pass, struct probe *probe, enum outcome outcome)
{
	bool judged = outcome == OUTCOME_UP || outcome == OUTCOME_DOWN || outcome == OUTCOME_UNREACHED;
	int r, cleaned;

	timers_remove(&pass->timers, probe);
	pass->active--;
	describe(pass, probe, outcome);
	r = judge(pass, probe, outcome);
	cleaned = clean_up(pass, probe, judged);
	return r < 0 ? r : cleaned;
}

/* Makes epoll watch what the check wants watched. 0 or -errno. */
static int watch(const struct pass *pass, struct probe *probe)
{
	struct epoll_event event = { .events = probe->events, .data.ptr = probe };

	if (probe->watched == probe->events)
		return 0;
	if (epoll_ctl(pass->epoll_fd, probe->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, probe->fd, &event) < 0)
		return -errno;
	probe->watched = probe->events;
	return 0;
}

/* What follows from a call to the check. */
static int proceed(struct pass *pass, struct probe *probe, enum outcome outcome)
{
	int r;

	if (outcome != OUTCOME_PENDING)
		return try_ended(pass, probe, outcome);
	r = watch(pass, probe);
	if (r < 0) /* no memory, or more than /proc/sys/fs/epoll/max_user_watches */
		return r;
	timers_set(&pass->timers, probe);
	return 0;
}

/* The deadline of a stage that begins now. */
static uint64_t stage_deadline(const struct pass *pass, const struct probe *probe, uint64_t now_usec)
{
	return usec_after(now_usec, probe->checkup->syntax.timeout_usec ?: pass->settings->timeout_usec);
}

/* Looks until when slots may be held. 0 or -errno; *ret_over: no longer. */
static int look_at_lease(struct pass *pass, bool *ret_over)
{
	struct score_totals totals;
	int r = score_totals(pass->score, &totals);

	if (r < 0)
		return r;
	pass->lease_usec = totals.lease_usec;
	*ret_over = totals.lapsed;
	return 0;
}

/*
 * Takes a slot of the node if the check makes it work. OUTCOME_PENDING: the
 * check may begin; OUTCOME_LATER, only the first time: no slot is free. A
 * negative errno goes to *ret_error.
 */
static enum outcome admit(struct pass *pass, struct probe *probe, int *ret_error)
{
	bool served = false, over;
	int r;

	if (!checkup_works(probe->checkup))
		return OUTCOME_PENDING;
	r = score_claim_node(pass->score, probe->id, "cbprobe", &probe->talk->slot, &served);
	if (r == 0) {
		probe->talk->has_slot = true;
		/* The lease is looked at when the first slot is taken, and when that lease would end. */
		r = pass->with_slot++ == 0 ? look_at_lease(pass, &over) : 0;
		if (r == 0)
			return OUTCOME_PENDING;
	}
	if (r < 0 && r != -ENOENT) {
		*ret_error = r;
		return OUTCOME_UNKNOWN;
	}
	if (served && !probe->down) {
		probe->spared = true;
		return OUTCOME_UP;
	}
	if (r == 1 && !probe->was_full)
		return OUTCOME_LATER;
	(void)probe_fail(probe, REASON_NONE, "%s", r == 1 ? "no slot of it is free" : "it has gone");
	return OUTCOME_UNKNOWN;
}

/* The next probe to be begun, or NULL. */
static struct probe *next_in_line(struct pass *pass)
{
	struct probe *probe = line_take(&pass->again) ?: line_take(&pass->fresh);

	if (probe || pass->active > 0 || timers_first(&pass->timers))
		return probe;
	/* The end of the pass, except for names that are not answered yet. */
	pass->again = pass->full;
	pass->full = (struct line){ 0 };
	return line_take(&pass->again);
}

static int begin_one(struct pass *pass, struct probe *probe)
{
	const struct check *check = probe->checkup->check;
	enum outcome outcome;
	int r = 0;

	pass->active++;
	probe->begun_usec = now_monotonic();
	if (check->talks || checkup_works(probe->checkup))
		probe->talk = conversation_take(&pass->conversations); /* there are as many conversations as jobs */
	outcome = admit(pass, probe, &r);
	if (r < 0)
		return r;
	if (outcome == OUTCOME_LATER) {
		probe->was_full = true;
		line_append(&pass->full, probe);
		pass->active--;
		return clean_up(pass, probe, false);
	}
	if (outcome == OUTCOME_PENDING)
		outcome = check->start(probe, stage_deadline(pass, probe, probe->begun_usec));
	return proceed(pass, probe, outcome);
}

/* Begins checks as long as there are any to be begun and room for them. */
static int begin(struct pass *pass)
{
	while (pass->active < pass->jobs) {
		struct probe *probe = next_in_line(pass);
		int r;

		if (!probe)
			break;
		if (probe->n_addresses == 0) { /* its name was found not to exist while the probe stood in line */
			probe_finish(pass, probe);
			continue;
		}
		r = begin_one(pass, probe);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Puts a probe in the line, or with --jitter has it wait for its time. */
static void probe_line_up(struct pass *pass, struct probe *probe)
{
	probe->failures = 0;
	probe_rewind(probe);
	if (pass->settings->jitter_usec > 0)
		probe_wait(pass, probe, random_usec(pass->settings->jitter_usec));
	else
		line_append(&pass->fresh, probe);
}

/* A name was answered, or is asked for again. */
static void name_answered(struct probe *probe, void *arg)
{
	bool can = probe->n_addresses > 0 && probe->checkup->check->start;
	bool begun = probe->begun_usec > 0;
	struct pass *pass = arg;

	if (probe->naming) {
		/* Checks that are under way or in the line go on; nothing else is begun with addresses that
		 * are in doubt. */
		if (!begun && probe->state == PROBE_WAIT) {
			timers_remove(&pass->timers, probe);
			probe->state = PROBE_NAME;
		}
		return;
	}
	switch (probe->state) {
	case PROBE_CONNECT:
		probe->moved = false; /* no try has begun with the old addresses */
		return;
	case PROBE_WAIT:
	case PROBE_NAME:
	case PROBE_DONE:
		break;
	default:
		return; /* under way: at its end moved is looked at */
	}
	if (can && probe->state == PROBE_WAIT && begun) {
		probe->moved = false;
		return;
	}
	timers_remove(&pass->timers, probe);
	if (can && (!begun || probe->moved))
		probe_line_up(pass, probe);
	else
		probe_finish(pass, probe);
	probe->moved = false;
}

/* A source has news of any number of checks. */
static int handle_source(struct pass *pass, const struct source *source)
{
	enum outcome outcome;
	struct probe *probe;
	int r = source->work();

	while (r == 0 && (probe = source->next_ended(&outcome)))
		r = proceed(pass, probe, outcome);
	return r;
}

static int handle_event(struct pass *pass, void *about)
{
	const struct source *source = sources_find(&pass->sources, about);
	struct probe *probe = about;

	if (!about) {
		beside_work();
		return 0;
	}
	if (about == &pass->roster)
		return roster_answer(&pass->roster, pass->score, pass->settings, name_answered, pass);
	if (source)
		return handle_source(pass, source);
	return proceed(pass, probe,
		       probe->checkup->check->ready(probe, stage_deadline(pass, probe, now_monotonic())));
}

static int handle_events(struct pass *pass, int n)
{
	for (int i = 0; i < n; i++) {
		int r = handle_event(pass, pass->events[i].data.ptr);

		if (r < 0)
			return r;
	}
	return 0;
}

static int handle_deadline(struct pass *pass, struct probe *probe, uint64_t now_usec)
{
	if (probe->state == PROBE_WAIT) {
		timers_remove(&pass->timers, probe);
		probe_rewind(probe);
		line_append(&pass->again, probe);
		return 0;
	}
	return proceed(pass, probe, probe->checkup->check->expired(probe, stage_deadline(pass, probe, now_usec)));
}

static int handle_deadlines(struct pass *pass)
{
	uint64_t now_usec = now_monotonic();
	struct probe *probe;

	while ((probe = timers_first(&pass->timers)) && probe->deadline_usec <= now_usec) {
		int r = handle_deadline(pass, probe, now_usec);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Ends a check that is under way. */
static void probe_stop(struct probe *probe)
{
	const struct check *check = probe->checkup->check;

	if (probe->work && check->stop)
		check->stop(probe);
	connect_close(probe);
}

/* Where a lease may end while checks hold slots. */
static bool lease_counts(const struct pass *pass)
{
	return pass->with_slot > 0 && pass->lease_usec > 0;
}

/* Ends all checks that hold a slot, if the lease is over. 0 or -errno. */
static int handle_lease(struct pass *pass)
{
	bool over = false;
	int r = 0;

	if (lease_counts(pass) && now_boottime() >= pass->lease_usec)
		r = look_at_lease(pass, &over);
	for (size_t i = 0; r == 0 && over && i < pass->roster.n; i++) {
		struct probe *probe = &pass->roster.probes[i];

		if (!probe->talk || !probe->talk->has_slot)
			continue;
		probe_stop(probe);
		(void)probe_fail(probe, REASON_NONE, "the farm's lease is over");
		r = try_ended(pass, probe, OUTCOME_UNKNOWN);
	}
	return r;
}

/* Milliseconds to a time, rounded up so that it has passed then. */
static int msec_until(uint64_t usec, uint64_t now_usec)
{
	uint64_t msec = usec > now_usec ? (usec - now_usec - 1) / USEC_PER_MSEC + 1 : 0;

	return msec > INT_MAX ? INT_MAX : (int)msec;
}

/* Milliseconds to the next deadline, or to the end of the lease; -1 for none. */
static int wait_msec(const struct pass *pass)
{
	const struct probe *probe = timers_first(&pass->timers);
	int msec = probe ? msec_until(probe->deadline_usec, now_monotonic()) : -1;
	int lease_msec = lease_counts(pass) ? msec_until(pass->lease_usec, now_boottime()) : -1;

	return msec < 0 || (lease_msec >= 0 && lease_msec < msec) ? lease_msec : msec;
}

static int wait_for_news(struct pass *pass)
{
	int n, msec = wait_msec(pass);

	quit_allow();
	n = epoll_wait(pass->epoll_fd, pass->events, EVENTS_MAX, msec);
	quit_deny();
	return n < 0 ? -errno : n;
}

static int run(struct pass *pass)
{
	while (pass->unfinished > 0) {
		int n, r = begin(pass);

		if (r < 0)
			return r;
		if (pass->unfinished == 0)
			break;
		n = wait_for_news(pass);
		if (n < 0 && n != -EINTR)
			return n;
		r = handle_events(pass, n);
		/* If we were stopped or starved, answers may lie there that came in time: no deadline before all
		 * of them have been looked at. */
		if (r == 0 && n < EVENTS_MAX)
			r = handle_deadlines(pass);
		if (r == 0)
			r = handle_lease(pass);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "NODE: WHY", or "NODE: WHY: DETAIL". */
static const char *why(const struct probe *probe, char text[static WHY_MAX + 1])
{
	const char *what = probe->error ? strerror(probe->error) : reason_to_string(probe->reason);
	bool more = *probe->detail && strcmp(probe->detail, what) != 0;

	(void)snprintf(text, WHY_MAX + 1, "%s: %s%s%s", probe->name, what, more ? ": " : "", more ? probe->detail : "");
	return text;
}

/* Now that it is known whether this machine had a network, notes what the owed failures mean. 0, 1, or -errno. */
static int conclude(struct pass *pass)
{
	size_t unjudged = pass->unable + (pass->reached_out ? 0 : pass->unreached);
	const struct probe *example = pass->first_unable ?: pass->first_unreached;
	char text[WHY_MAX + 1];

	if (pass->up + pass->down == 0 && unjudged > 0) {
		news_say(LOG_ERR, "no node can be checked from here (%s), no node's health was changed",
			 why(example, text));
		return 1;
	}
	if (unjudged > 0)
		news_say(LOG_WARNING, "%zu of %zu nodes cannot be checked from here (%s), their health was not changed",
			 unjudged, pass->roster.n, why(example, text));
	for (size_t i = 0; pass->reached_out && i < pass->roster.n; i++) {
		int r = pay(pass, &pass->roster.probes[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void line_up(struct pass *pass)
{
	for (size_t i = 0; i < pass->roster.n; i++) {
		struct probe *probe = &pass->roster.probes[i];
		bool can = probe->checkup->check->start && probe->n_addresses > 0;

		probe->state = probe->naming ? PROBE_NAME : PROBE_DONE;
		if (can && probe->naming)
			probe_wait(pass, probe, PASS_NAME_USEC);
		else if (can)
			probe_line_up(pass, probe);
		pass->unfinished += can || probe->naming;
	}
}

/* Makes epoll watch what is not a check. */
static int watch_others(const struct pass *pass, int fd, void *which)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = which };

	return fd >= 0 && epoll_ctl(pass->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int pass_init(struct pass *pass, struct score *score, const struct settings *settings)
{
	int r, names_fd;

	*pass = (struct pass){ .score = score, .settings = settings, .jobs = settings->jobs, .epoll_fd = -1 };
	pass->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (pass->epoll_fd < 0)
		return -errno;
	connect_watched_by(pass->epoll_fd);
	r = roster_load(score, &pass->roster);
	if (r == 0)
		r = timers_init(&pass->timers, pass->roster.n);
	if (r == 0)
		r = conversations_init(&pass->conversations, pass->roster.n_talking < pass->jobs ?
				       pass->roster.n_talking : pass->jobs);
	if (r == 0)
		r = watch_others(pass, beside_fd(), NULL);
	if (r == 0) /* before there are threads: a source forks */
		r = sources_open(&pass->sources, &pass->roster, pass->epoll_fd);
	if (r < 0)
		return r;
	line_up(pass);
	r = roster_ask(&pass->roster, &names_fd);
	return r < 0 ? r : watch_others(pass, names_fd, &pass->roster);
}

static void pass_clear(struct pass *pass)
{
	for (size_t i = 0; i < pass->roster.n; i++) {
		probe_stop(&pass->roster.probes[i]);
		(void)clean_up(pass, &pass->roster.probes[i], false); /* a slot that is not given back is reaped */
	}
	sources_close(&pass->sources);
	if (pass->epoll_fd >= 0)
		(void)close(pass->epoll_fd);
	timers_clear(&pass->timers);
	conversations_clear(&pass->conversations);
	roster_clear(&pass->roster);
}

static void summarize(const struct pass *pass, uint64_t begun_usec)
{
	size_t failed = pass->down + (pass->reached_out ? pass->unreached : 0), checked = pass->up + failed;
	char took[64];

	if (!settings_are_verbose(pass->settings, pass->score))
		return;
	(void)timespan_format(now_monotonic() - begun_usec, took, sizeof(took));
	say(LOG_DEBUG, "checked %zu of %zu nodes in %s: %zu answered, %zu did not; %zu left as they are",
	    checked, pass->roster.n, took, pass->up, failed, pass->roster.n - checked);
}

int pass_run(struct score *score, const struct settings *settings)
{
	uint64_t begun_usec = now_monotonic();
	struct pass pass;
	int r;

	quit_deny();
	r = score_reap(score, NULL, NULL) ?: score_age(score);
	if (r >= 0)
		r = pass_init(&pass, score, settings);
	else
		pass = (struct pass){ .epoll_fd = -1 };
	if (r == 0)
		r = run(&pass);
	if (r == 0)
		r = conclude(&pass);
	if (r == 0)
		summarize(&pass, begun_usec);
	pass_clear(&pass);
	news_pass_over();
	quit_allow();
	return r;
}

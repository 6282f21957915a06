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
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "beside.h"
#include "cbprobe/checks/checkup.h"
#include "cbprobe/checks/connect.h"
#include "cbprobe/checks/conversation.h"
#include "news.h"
#include "quit.h"
#include "roster.h"
#include "system/say.h"
#include "slots.h"
#include "sources.h"
#include "tally.h"
#include "timers.h"
#include "system/timespan.h"

#define EVENTS_MAX 256

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
	size_t unfinished;          /* nodes whose checks, or names, have not ended */
	struct slots slots;
	struct tally tally;
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

/* A try has failed by the node's fault (certain), or perhaps by the node's fault. */
static int try_failed(struct pass *pass, struct probe *probe, bool certain)
{
	int r;

	probe->failures++;
	probe->owed++;
	r = certain ? pay(pass, probe) : 0;
	if (r < 0)
		return r;
	tally_failure(&pass->tally, probe);
	/* A node that is down already is not tried again in this pass. */
	if (!probe->down && verdict_wants_more(&pass->settings->rules, probe)) {
		probe_wait(pass, probe, RETRY_USEC);
		return 0;
	}
	tally_down(&pass->tally, probe, certain);
	probe_finish(pass, probe);
	return 0;
}

static int try_succeeded(struct pass *pass, struct probe *probe)
{
	int r = verdict_success(pass->score, &pass->settings->rules, probe);

	probe->owed = 0; /* the failures before this success no longer count */
	tally_up(&pass->tally, probe);
	probe_finish(pass, probe);
	return r < 0 ? r : 0;
}

/* The check could tell nothing; unable: by this machine's fault. */
static void try_told_nothing(struct pass *pass, struct probe *probe, bool unable)
{
	probe->owed = 0;
	if (unable)
		tally_unable(&pass->tally, probe);
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
	int r = slots_give_back(&pass->slots, probe, judged);

	conversation_give_back(&pass->conversations, probe->talk);
	probe->talk = NULL;
	return r;
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
	outcome = slots_admit(&pass->slots, probe, &r);
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

/* Ends all checks that hold a slot, if the lease is over. 0 or -errno. */
static int handle_lease(struct pass *pass)
{
	bool over;
	int r = slots_are_over(&pass->slots, &over);

	for (size_t i = 0; r == 0 && over && i < pass->roster.n; i++) {
		struct probe *probe = &pass->roster.probes[i];

		if (!slots_has(probe))
			continue;
		probe_stop(probe);
		r = try_ended(pass, probe, probe_cannot_tell(probe, REASON_NONE, "the farm's lease is over"));
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
	uint64_t end_usec = slots_end_usec(&pass->slots);
	int lease_msec = end_usec > 0 ? msec_until(end_usec, now_boottime()) : -1;

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
		/* This process may have been stopped or starved, and answers that came in time may be unread: deadlines count
		 * only when all answers have been looked at. */
		if (r == 0 && n < EVENTS_MAX)
			r = handle_deadlines(pass);
		if (r == 0)
			r = handle_lease(pass);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Now that it is known whether this machine had a network, notes what the owed failures mean. 0, 1, or -errno. */
static int conclude(struct pass *pass)
{
	if (tally_tell(&pass->tally, pass->roster.n) > 0)
		return 1;
	for (size_t i = 0; pass->tally.reached_out && i < pass->roster.n; i++) {
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

	*pass = (struct pass){ .score = score, .settings = settings, .jobs = settings->jobs, .epoll_fd = -1,
			       .slots.score = score };
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
	if (r == 0 && settings_are_verbose(settings, score))
		tally_sum_up(&pass.tally, pass.roster.n, now_monotonic() - begun_usec);
	pass_clear(&pass);
	news_pass_over();
	quit_allow();
	return r;
}

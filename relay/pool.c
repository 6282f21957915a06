/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "confine.h"
#include "nursery.h"
#include "report.h"
#include "system/timespan.h"
#include "timer.h"
#include "under_way.h"

#define GIVEN_USEC 500000u /* a relay that takes longer for an order is stopped, or nearly so; no copy is kept longer */
#define KEPT_USEC 250000u  /* how often to look for the end of a relay that a debugger keeps */
#define CLOSE_USEC 500000u /* how long a relay may take to close the listening sockets */

#define ENDS_AT_ONCE 64    /* relays buried in a turn */

_Static_assert(RELAY_SOCKETS_MAX + 5 <= NURSERY_KEPT_MAX, "descriptors() has room");

/* A relay; its place in the table is its number in the gate. */
struct member {
	struct pool *pool;
	pid_t pid;
	size_t number;
	int orders_fd;               /* our end; -1: the relay has been let go */
	int given_fd;                /* of a connection that it was given and probably has not taken; or -1 */
	uint64_t given_usec;         /* when: CLOCK_MONOTONIC */
	struct relay_order given;
	int pidfd;                   /* in the pool's epoll of ends; -1: it could not be had, and child tells the end */
	bool kept;                   /* it is dead, and its debugger has not yet waited for it */
	sd_event_source *child;      /* NULL without a pidfd: nothing tells its end, so the pool asks */
};

struct pool {
	struct pool_setup setup;
	struct gate gate;
	struct under_way *under_way; /* what relays serve */
	struct member **members;     /* NULL: a free number */
	size_t room, n;
	size_t n_given;              /* members with a given_fd */
	uint64_t ended;              /* relays, so far, that have not retired */
	uint64_t failed;             /* relays, so far, that have ended with an error */
	struct confinement *confinement; /* of the relays; NULL: this machine has none */
	struct nursery *nursery;     /* forks them */
	int unprepared;              /* in the nursery and in relays: why relays cannot be; or 0 */
	pid_t parent;                /* of all relays: the process that made the pool */
	sd_event_source *call;
	int ends_fd;                 /* an epoll of the relays' pidfds */
	sd_event_source *ends;
	struct timer given_time, kept_time;
};

static size_t descriptors(int *ret, void *arg);
static void prepare(uint64_t *ret_pass, void *arg);
static int become_relay(size_t number, int orders_fd, bool reserved, void *arg);
static int on_ends(sd_event_source *source, int fd, uint32_t revents, void *arg);

static int on_call(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct pool *pool = arg;

	(void)source;
	(void)fd;
	(void)revents;
	gate_answer(&pool->gate);
	pool->setup.on_change(pool->setup.arg);
	return 0;
}

/* Relays that end together are noticed in one turn of the event loop, and watching a relay takes no source of its own. */
static int watch_ends(struct pool *pool)
{
	pool->ends_fd = epoll_create1(EPOLL_CLOEXEC);
	if (pool->ends_fd < 0)
		return -errno;
	return sd_event_add_io(pool->setup.event, &pool->ends, pool->ends_fd, POLLIN, on_ends, pool);
}

int pool_new(const struct pool_setup *setup, struct pool **ret)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	if (setup->n_fds > RELAY_SOCKETS_MAX) {
		free(pool);
		return -E2BIG;
	}
	pool->setup = *setup;
	pool->ends_fd = -1;
	pool->parent = getpid();
	pool->nursery = nursery_new(&(struct nursery_setup){
		.event = setup->event, .score = setup->score, .keep = descriptors, .prepare = prepare,
		.live = become_relay, .arg = pool });
	if (!pool->nursery) {
		free(pool);
		return -ENOMEM;
	}
	r = gate_make(&pool->gate) ?:
	    under_way_new(GATE_RELAYS_MAX, &pool->under_way);
	if (r == 0)
		r = sd_event_add_io(setup->event, &pool->call, pool->gate.call_fd, POLLIN, on_call, pool);
	if (r >= 0)
		r = watch_ends(pool);
	if (r < 0) {
		(void)pool_free(pool);
		return r;
	}
	r = confinement_new(score_folder_fd(setup->score), &pool->confinement);
	if (r < 0)
		report_message(LOG_WARNING, "cannot confine relays: %s, ignoring it", strerror(-r));
	*ret = pool;
	return 0;
}

/* Gives the relay no more orders: the relay ends when it has finished what it has. */
static void let_go(struct member *member)
{
	if (member->orders_fd >= 0)
		(void)close(member->orders_fd);
	member->orders_fd = -1;
}

/* The member's relay has taken what it was given. */
static void settle(struct member *member)
{
	(void)close(member->given_fd);
	gate_share(&member->pool->gate, member->number, false);
	member->given_fd = -1;
	member->pool->n_given--;
}

static void remove_member(struct member *member)
{
	struct pool *pool = member->pool;

	if (member->given_fd >= 0)
		settle(member);
	let_go(member);
	gate_remove(&pool->gate, member->number);
	sd_event_source_disable_unref(member->child);
	if (member->pidfd >= 0)
		(void)close(member->pidfd);
	pool->members[member->number] = NULL;
	pool->n--;
	free(member);
}

struct pool *pool_free(struct pool *pool)
{
	if (!pool)
		return NULL;
	for (size_t i = 0; i < pool->room; i++)
		if (pool->members[i])
			remove_member(pool->members[i]);
	sd_event_source_disable_unref(pool->call);
	sd_event_source_disable_unref(pool->ends);
	if (pool->ends_fd >= 0)
		(void)close(pool->ends_fd);
	timer_clear(&pool->given_time);
	timer_clear(&pool->kept_time);
	pool->nursery = nursery_free(pool->nursery);
	gate_clear(&pool->gate);
	pool->under_way = under_way_free(pool->under_way);
	(void)confinement_free(pool->confinement);
	free(pool->members);
	free(pool);
	return NULL;
}

size_t pool_size(const struct pool *pool)
{
	return pool->n;
}

uint64_t pool_ended(const struct pool *pool)
{
	return pool->ended;
}

uint64_t pool_failed(const struct pool *pool)
{
	return pool->failed;
}

struct gate *pool_gate(struct pool *pool)
{
	return &pool->gate;
}

/* ---- their end ---- */

/* Reserves an idle relay. The relay has taken, served and ended whatever it was given before. */
static bool reserve(struct member *member)
{
	if (!gate_reserve(&member->pool->gate, member->number))
		return false;
	if (member->given_fd >= 0)
		settle(member);
	return true;
}

/* The relay has not taken what it was given, and never will: the connection is the listener's again. A relay that lives
 * has the socket until it has read the order. */
static void take_back(struct member *member, bool lives)
{
	struct pool *pool = member->pool;
	int fd = member->given_fd;

	member->given_fd = -1;
	pool->n_given--;
	member->given.is_shared |= lives;
	pool->setup.on_return(&member->given, fd, pool->setup.arg);
}

/* Cleans up behind a relay that has ended. */
static void bury(struct member *member, const siginfo_t *info)
{
	struct score *score = member->pool->setup.score;
	struct record record;

	if (info->si_code != CLD_EXITED) {
		report_message(LOG_WARNING, "relay %ld was ended by signal %d; its slot is given back",
			       (long)info->si_pid, info->si_status);
		(void)score_reap(score, NULL, NULL); /* if this fails, the guard does it later */
	}
	if (under_way_take(under_way_of(member->pool->under_way, member->number), &record))
		report_connection(&record, score_verbosity(score) >= SCORE_VERBOSITY_MAX);
	if (member->given_fd >= 0 && gate_given(&member->pool->gate, member->number) == GIVEN_TAKEN)
		settle(member);
	else if (member->given_fd >= 0)
		take_back(member, false); /* if the relay had just taken the slot, the ticket is gone and is put in again */
	member->pool->ended += !gate_is_retired(&member->pool->gate, member->number);
	member->pool->failed += info->si_code == CLD_EXITED && info->si_status != EX_OK;
	remove_member(member);
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct member *member = arg;
	struct pool *pool = member->pool;

	(void)source;
	bury(member, info);
	pool->setup.on_change(pool->setup.arg);
	return 0;
}

/* Has the end of a relay told. */
static void watch(struct member *member)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = member->number };
	struct pool *pool = member->pool;
	int r;

	/* Told once: a process just forked may have a copy of the pidfd, which stays in the epoll with it. */
	member->pidfd = pidfd_open(member->pid, 0);
	if (member->pidfd >= 0 && epoll_ctl(pool->ends_fd, EPOLL_CTL_ADD, member->pidfd, &event) == 0)
		return;
	if (member->pidfd >= 0)
		(void)close(member->pidfd);
	member->pidfd = -1;
	/* The event loop has another way, SIGCHLD, where the kernel or a filter of system calls allows no pidfd. */
	r = sd_event_add_child(pool->setup.event, &member->child, member->pid, WEXITED, on_child, member);
	if (r < 0)
		report_message(LOG_WARNING, "cannot watch relay %ld: %s", (long)member->pid, strerror(-r));
}

/* Has the ends of relays that debuggers keep told again. */
static void on_kept_time(void *arg)
{
	struct pool *pool = arg;

	for (size_t i = 0; i < pool->room; i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = i };
		struct member *member = pool->members[i];

		if (!member || !member->kept)
			continue;
		member->kept = false;
		(void)epoll_ctl(pool->ends_fd, EPOLL_CTL_MOD, member->pidfd, &event);
	}
}

/* A pidfd says that a relay has ended. */
static void on_end(struct pool *pool, size_t number)
{
	struct member *member = pool->members[number];
	siginfo_t info = { 0 };

	if (!member || member->pidfd < 0 || waitid(P_PID, (id_t)member->pid, &info, WEXITED | WNOHANG) < 0)
		return;
	if (info.si_pid != 0) {
		bury(member, &info);
		return;
	}
	member->kept = true;
	(void)timer_set(&pool->kept_time, pool->setup.event, CLOCK_MONOTONIC, KEPT_USEC, 0, on_kept_time, pool);
}

static int on_ends(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct epoll_event events[ENDS_AT_ONCE];
	struct pool *pool = arg;
	int n = epoll_wait(fd, events, ENDS_AT_ONCE, 0);

	(void)source;
	(void)revents;
	for (int i = 0; i < n; i++)
		on_end(pool, events[i].data.u64);
	if (n > 0)
		pool->setup.on_change(pool->setup.arg);
	return 0;
}

/* Looks whether relays that could not be watched have ended. */
static void bury_unwatched(struct pool *pool)
{
	for (size_t i = 0; i < pool->room; i++) {
		struct member *member = pool->members[i];
		siginfo_t info = { 0 };

		if (member && member->pidfd < 0 && !member->child && waitid(P_PID, (id_t)member->pid, &info, WEXITED | WNOHANG) == 0 &&
		    info.si_pid != 0)
			bury(member, &info);
	}
}

/* ---- their beginning ---- */

/* In the nursery: what it and its relays need besides the scoreboard's descriptors. */
static size_t descriptors(int *ret, void *arg)
{
	const struct pool *pool = arg;
	size_t n = pool->setup.n_fds;

	(void)memcpy(ret, pool->setup.fds, n * sizeof(*ret));
	ret[n++] = pool->gate.call_fd;
	ret[n++] = pool->gate.open_fd;
	ret[n++] = pool->setup.journal_fd;
	ret[n++] = pool->setup.farm_fd;
	if (pool->confinement && confinement_fd(pool->confinement) >= 0)
		ret[n++] = confinement_fd(pool->confinement);
	return n;
}

/* In the nursery. */
static void prepare(uint64_t *ret_pass, void *arg)
{
	struct pool *pool = arg;

	*ret_pass = 0;
	pool->unprepared = relay_prepare();
	if (pool->unprepared == 0 && pool->confinement)
		pool->unprepared = confine_nursery(pool->confinement, ret_pass);
}

/* In the child. */
static int become_relay(size_t number, int orders_fd, bool reserved, void *arg)
{
	struct pool *pool = arg;
	const struct pool_setup *setup = &pool->setup;
	const struct relay_place place = {
		.gate = &pool->gate, .parent = pool->parent, .number = number, .orders_fd = orders_fd, .reserved = reserved,
		.fds = setup->fds, .n_fds = setup->n_fds, .score = setup->score, .settings = setup->settings,
		.note = under_way_of(pool->under_way, number),
	};
	int r = pool->unprepared;

	if (r == 0)
		score_after_fork(setup->score);
	if (r == 0 && pool->confinement)
		r = confine_forked(pool->confinement);
	if (r < 0) {
		report_message(LOG_ERR, "cannot become a relay: %s", score_strerror(r));
		return EX_OSERR;
	}
	return relay_run(&place);
}

/* Finds a number that no relay has, and makes room for it in the table. 0 and *ret; -EAGAIN: each number has a relay; or
 * -ENOMEM. */
static int find_number(struct pool *pool, size_t *ret)
{
	struct member **members;
	size_t room = pool->room ? pool->room * 2 : 16;

	for (*ret = 0; *ret < pool->room; ++*ret)
		if (!pool->members[*ret])
			return 0;
	if (*ret == GATE_RELAYS_MAX)
		return -EAGAIN;
	members = reallocarray(pool->members, room, sizeof(struct member *));
	if (!members)
		return -ENOMEM;
	(void)memset(members + pool->room, 0, (room - pool->room) * sizeof(struct member *));
	pool->members = members;
	pool->room = room;
	return 0;
}

/* Makes the place of a relay that is to be forked. 0 and *ret, of which the caller closes orders_fd after the fork; or
 * -errno. */
static int add_member(struct pool *pool, bool reserved, struct nursery_birth *ret)
{
	struct member *member;
	int pair[2], r;
	size_t number;

	r = find_number(pool, &number);
	if (r < 0)
		return r;
	member = calloc(1, sizeof(*member));
	if (!member)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		free(member);
		return r;
	}
	gate_add(&pool->gate, number, reserved);
	*member = (struct member){ .pool = pool, .number = number, .orders_fd = pair[0], .given_fd = -1, .pidfd = -1 };
	pool->members[number] = member;
	pool->n++;
	*ret = (struct nursery_birth){
		.number = number, .orders_fd = pair[1], .born = gate_born(&pool->gate, number),
	};
	return 0;
}

/* Has up to n relays forked by one order, *ret_made of them, with *ret_number the last. reserved: they wait for an order
 * first. 0; or -errno: not all were made. */
static int make_relays(struct pool *pool, size_t n, bool reserved, size_t *ret_made, size_t *ret_number)
{
	struct nursery_birth births[NURSERY_BIRTHS_MAX];
	size_t places = 0;
	int r = 0;

	*ret_made = 0;
	while (r == 0 && places < n && places < NURSERY_BIRTHS_MAX) {
		r = add_member(pool, reserved, &births[places]);
		places += r == 0;
	}
	if (places > 0)
		nursery_fork(pool->nursery, births, places, reserved);
	for (size_t i = 0; i < places; i++) {
		struct member *member = pool->members[births[i].number];

		(void)close(births[i].orders_fd);
		if (births[i].pid < 0) {
			r = births[i].pid;
			remove_member(member);
			continue;
		}
		member->pid = births[i].pid;
		watch(member);
		*ret_number = member->number;
		++*ret_made;
	}
	return r;
}

/* ---- how many ---- */

int pool_grow(struct pool *pool, size_t n)
{
	size_t there = gate_count_coming(&pool->gate) + gate_count_idle(&pool->gate), made, number;
	int r = 0;

	bury_unwatched(pool);
	for (; r == 0 && there < n; there += made)
		r = make_relays(pool, n - there, false, &made, &number);
	return r;
}

void pool_shrink(struct pool *pool, size_t n)
{
	size_t idle = gate_count_idle(&pool->gate);

	/* The relays with the highest numbers have been woken least. */
	for (size_t i = pool->room; i-- > 0 && idle > n;) {
		struct member *member = pool->members[i];

		if (!member || member->orders_fd < 0 || !reserve(member))
			continue;
		let_go(member);
		idle--;
	}
}

void pool_forget_sockets(struct pool *pool)
{
	pool->setup.n_fds = 0;
	nursery_renew(pool->nursery);
}

void pool_follow(struct pool *pool)
{
	nursery_follow(pool->nursery);
}

/* Whether the process has ended, also if no process has waited for it. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

/* How many relays have the listening sockets. Tells them to close the sockets. */
static size_t tell_to_close(struct pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->room; i++) {
		if (!pool->members[i] || gate_is_deaf(&pool->gate, i) || has_ended(pool->members[i]->pid))
			continue;
		(void)kill(pool->members[i]->pid, SIGURG); /* again each time: to be told twice changes nothing */
		n++;
	}
	return n;
}

void pool_close_sockets(struct pool *pool)
{
	for (uint64_t end_usec = now_monotonic() + CLOSE_USEC; tell_to_close(pool) > 0 && now_monotonic() < end_usec;)
		(void)poll(NULL, 0, 1);
}

void pool_kill(struct pool *pool, int signal_number)
{
	for (size_t i = 0; i < pool->room; i++)
		if (pool->members[i])
			(void)kill(pool->members[i]->pid, signal_number);
}

/* ---- their work ---- */

static int order(struct pool *pool, size_t number, const struct relay_order *what, int fd)
{
	struct member *member = pool->members[number];
	int r;

	gate_share(&pool->gate, number, true);
	r = relay_order(member->orders_fd, what, fd);
	if (r < 0) {
		let_go(member); /* the relay waits for an order that will not come: this ends the relay */
		return r;
	}
	member->given = *what;
	member->given_fd = fd;
	member->given_usec = now_monotonic();
	pool->n_given++;
	return 0;
}

void pool_settle(struct pool *pool)
{
	uint64_t now_usec = now_monotonic(), first_usec = now_usec;

	for (size_t i = 0, left = pool->n_given; left > 0 && i < pool->room; i++) {
		struct member *member = pool->members[i];

		if (!member || member->given_fd < 0)
			continue;
		left--;
		if (gate_given(&pool->gate, i) == GIVEN_TAKEN)
			settle(member);
		else if (now_usec - member->given_usec >= GIVEN_USEC && gate_revoke(&pool->gate, i))
			take_back(member, true);
		else if (member->given_usec < first_usec)
			first_usec = member->given_usec;
	}
	if (pool->n_given > 0)
		(void)timer_set(&pool->given_time, pool->setup.event, CLOCK_MONOTONIC,
				first_usec + GIVEN_USEC > now_usec ? first_usec + GIVEN_USEC - now_usec : GIVEN_USEC, 0,
				pool->setup.on_change, pool->setup.arg);
}

void pool_revoke(struct pool *pool)
{
	for (size_t i = 0; pool->n_given > 0 && i < pool->room; i++)
		if (pool->members[i] && pool->members[i]->given_fd >= 0 && gate_revoke(&pool->gate, i))
			take_back(pool->members[i], true);
}

size_t pool_given(const struct pool *pool)
{
	return pool->n_given;
}

int pool_give(struct pool *pool, const struct relay_order *what, int fd, bool may_fork)
{
	size_t number, made;
	int r;

	for (number = gate_find_idle(&pool->gate, 0); number < GATE_RELAYS_MAX;
	     number = gate_find_idle(&pool->gate, number + 1))
		/* A relay that has just ended is in the gate until the listener learns of it; an order cannot be sent
		 * to it. */
		if (pool->members[number] && pool->members[number]->orders_fd >= 0 &&
		    reserve(pool->members[number]) && order(pool, number, what, fd) == 0)
			return 0;
	if (!may_fork)
		return -EAGAIN;
	r = make_relays(pool, 1, true, &made, &number);
	return r < 0 ? r : order(pool, number, what, fd);
}

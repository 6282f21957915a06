/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * resolve.c: a list of names, and a few threads that pass them to getaddrinfo(3),
 * each thread a name at a time, while the caller waits until its own limit.
 *
 * Names are resolved by getaddrinfo because only it asks all sources of
 * nsswitch.conf (files, DNS, mDNS, systemd-resolved, a directory). So a node has
 * here the address that every other program sees. c-ares knows DNS and the hosts
 * file only, and would be one library more.
 *
 * getaddrinfo_a(3), glibc's own threads around getaddrinfo, cannot be used:
 * gai_suspend() over more than one request corrupts memory. 20,000 lookups of
 * localhost, 4 or 32 at a time, no request used twice, crashed in 9 of 9 runs
 * (glibc 2.36), and never when gai_suspend() was left out. Its source tells why.
 * A thread marks a request as done before it takes glibc's lock. If a second
 * request wakes the waiter just then, the waiter stays on the first request's
 * list of waiters and returns. The thread then writes into the waiter's stack.
 * Besides, a lookup under way cannot be cancelled (EAI_NOTCANCELED), so its memory
 * would have to be kept anyway. Here the last to leave, caller or thread, frees
 * it.
 *
 * A lookup that the caller gave up goes on until the resolver's own limit
 * (resolv.conf(5), seconds); its result is thrown away. A process that forks
 * meanwhile must not resolve in the child: a lock of the resolver may be held
 * there for ever.
 */

#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "timespan.h"

#define WORKERS_MAX 32u
#define WORKER_STACK_SIZE ((size_t)1024 * 1024) /* of address space; NSS modules need much stack */

/* One name. */
struct lookup {
	char *host;
	struct addrinfo *result;
	int error; /* EAI_AGAIN until there is an answer */
};

/* Shared by a call of resolve_all() and its threads. */
struct job {
	pthread_mutex_t mutex;
	pthread_cond_t all_done;
	unsigned users;      /* the caller and the threads; the last to leave frees the job */
	uint64_t until_usec; /* CLOCK_MONOTONIC; no lookup begins after it */
	size_t next, n_done, n;
	struct lookup lookups[];
};

static struct job *job_free(struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		free(job->lookups[i].host);
		if (job->lookups[i].result)
			freeaddrinfo(job->lookups[i].result);
	}
	(void)pthread_cond_destroy(&job->all_done);
	(void)pthread_mutex_destroy(&job->mutex);
	free(job);
	return NULL;
}

/* Ends the caller's use of the job. Called with the mutex held; unlocks it. */
static void job_leave(struct job *job)
{
	bool last = --job->users == 0;

	(void)pthread_mutex_unlock(&job->mutex);
	if (last)
		(void)job_free(job);
}

/* A job without names, room for n of them, and the caller as its user. */
static struct job *job_new(size_t n, uint64_t until_usec)
{
	struct job *job = calloc(1, sizeof(*job) + n * sizeof(job->lookups[0]));
	pthread_condattr_t attr;

	if (!job)
		return NULL;
	(void)pthread_mutex_init(&job->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&job->all_done, &attr);
	(void)pthread_condattr_destroy(&attr);
	job->users = 1;
	job->until_usec = until_usec;
	return job;
}

static int job_add(struct job *job, const char *host)
{
	struct lookup *lookup = &job->lookups[job->n];

	lookup->host = strdup(host);
	if (!lookup->host)
		return -ENOMEM;
	lookup->error = EAI_AGAIN;
	job->n++;
	return 0;
}

/* Does lookups as long as there are any. Called with the mutex held. */
static void job_work(struct job *job)
{
	/* No AI_ADDRCONFIG: a connect finds out which addresses can be used. */
	static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

	while (job->next < job->n && now_monotonic() < job->until_usec) {
		struct lookup *lookup = &job->lookups[job->next++];
		struct addrinfo *result = NULL;
		int error;

		(void)pthread_mutex_unlock(&job->mutex);
		error = getaddrinfo(lookup->host, NULL, &hints, &result);
		(void)pthread_mutex_lock(&job->mutex);
		lookup->error = error;
		lookup->result = error == 0 ? result : NULL;
		if (++job->n_done == job->n)
			(void)pthread_cond_signal(&job->all_done);
	}
}

static void *worker(void *arg)
{
	struct job *job = arg;

	(void)pthread_mutex_lock(&job->mutex);
	job_work(job);
	job_leave(job);
	return NULL;
}

/* Starts as many threads as are needed and can be had. All signals are blocked in them. Called with the mutex held. */
static void job_start(struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attr;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, WORKER_STACK_SIZE);
	for (unsigned i = 0; i < WORKERS_MAX && i < job->n; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, worker, job) != 0)
			break;
		job->users++;
	}
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Waits until all is answered or time is up. Called with the mutex held. */
static void job_wait(struct job *job)
{
	const struct timespec until = {
		.tv_sec = (time_t)(job->until_usec / USEC_PER_SEC),
		.tv_nsec = (long)(job->until_usec % USEC_PER_SEC * 1000),
	};

	while (job->n_done < job->n)
		if (pthread_cond_timedwait(&job->all_done, &job->mutex, &until) != 0)
			break;
}

static void set_port(struct score_address *address, uint16_t port)
{
	if (address->sa.sa_family == AF_INET)
		address->in.sin_port = htons(port);
	else
		address->in6.sin6_port = htons(port);
}

/* Converts an address of getaddrinfo(3); false if it is of a family other than IPv4 and IPv6. */
static bool address_from_addrinfo(const struct addrinfo *info, uint16_t port, struct score_address *ret)
{
	if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
		return false;
	(void)memset(ret, 0, sizeof(*ret));
	(void)memcpy(&ret->in6, info->ai_addr, info->ai_addrlen);
	ret->size = info->ai_addrlen;
	set_port(ret, port);
	return true;
}

static bool has_address(const struct resolve_request *request, const struct score_address *address)
{
	for (unsigned i = 0; i < request->n_addresses; i++)
		if (request->addresses[i].size == address->size &&
		    memcmp(&request->addresses[i].in6, &address->in6, address->size) == 0)
			return true;
	return false;
}

static void request_fill(struct resolve_request *request, const struct lookup *lookup)
{
	request->error = lookup->error;
	for (const struct addrinfo *info = lookup->result; info; info = info->ai_next) {
		struct score_address address;

		if (request->n_addresses == SCORE_ADDRESSES_MAX)
			break;
		if (address_from_addrinfo(info, request->port, &address) && !has_address(request, &address))
			request->addresses[request->n_addresses++] = address;
	}
	if (request->error == 0 && request->n_addresses == 0)
		request->error = EAI_NONAME;
}

static int compare_hosts(const void *a, const void *b)
{
	const struct resolve_request *const *x = a, *const *y = b;

	return strcasecmp((*x)->host, (*y)->host);
}

/* Whether the request at i, sorted by name, has a name different from the request before it. */
static bool begins_name(struct resolve_request *const *sorted, size_t i)
{
	return i == 0 || strcasecmp(sorted[i - 1]->host, sorted[i]->host) != 0;
}

/* Looks up the names of n requests, sorted by name. */
static int resolve_names(struct resolve_request *const *sorted, size_t n, uint64_t until_usec)
{
	struct job *job = job_new(n, until_usec);
	size_t at = 0;
	int r = job ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (begins_name(sorted, i))
			r = job_add(job, sorted[i]->host);
	if (r < 0) {
		if (job)
			(void)job_free(job);
		return r;
	}

	(void)pthread_mutex_lock(&job->mutex);
	job_start(job);
	if (job->users == 1)
		job_work(job); /* no thread can be had (TasksMax=, say): the caller looks up name by name */
	else
		job_wait(job);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && begins_name(sorted, i))
			at++;
		request_fill(sorted[i], &job->lookups[at]);
	}
	r = job->n_done < job->n;
	job->next = job->n; /* the threads begin no further lookup */
	job_leave(job);
	return r;
}

bool resolve_numeric(const char *host, uint16_t port, struct score_address *ret)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST,
	};
	struct addrinfo *result;
	bool known;

	if (getaddrinfo(host, NULL, &hints, &result) != 0)
		return false;
	known = address_from_addrinfo(result, port, ret);
	freeaddrinfo(result);
	return known;
}

bool resolve_is_final(int error)
{
	return error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY;
}

int resolve_all(struct resolve_request *requests, size_t n, uint64_t timeout_usec)
{
	uint64_t until_usec = now_monotonic();
	struct resolve_request **sorted;
	size_t n_names = 0;
	int r = 0;

	if (__builtin_add_overflow(until_usec, timeout_usec, &until_usec))
		until_usec = INT64_MAX;
	sorted = reallocarray(NULL, n + 1, sizeof(struct resolve_request *));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		requests[i].error = 0;
		requests[i].n_addresses = resolve_numeric(requests[i].host, requests[i].port, requests[i].addresses);
		if (requests[i].n_addresses > 0)
			continue;
		if (strchr(requests[i].host, ':'))
			requests[i].error = EAI_NONAME; /* its %scope is not there (yet): no name has a colon */
		else
			sorted[n_names++] = &requests[i];
	}
	if (n_names > 0) {
		qsort(sorted, n_names, sizeof(struct resolve_request *), compare_hosts);
		r = resolve_names(sorted, n_names, until_usec);
	}
	free(sorted);
	return r;
}

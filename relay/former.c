/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * former.c: two TCP sockets that listen at one address, both with SO_REUSEPORT,
 * are a group: the kernel gives each new handshake to one of them, by a hash or by
 * a program, see SO_ATTACH_REUSEPORT_CBPF in socket(7). The program here gives all
 * of them to the present socket, which listened as the second of the group. From
 * then on the former socket gets only the ends of handshakes that it had begun. The
 * kernel gives such a handshake up after tcp_synack_retries pauses of 1, 2, 4 ...
 * seconds and another pause: 63 s for the default of 5. After that time the socket
 * can be closed, and no client is reset.
 */

#include "former.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "socket.h"
#include "system/folder.h"
#include "system/timespan.h"

#define RETRIES_FILE "/proc/sys/net/ipv4/tcp_synack_retries"
#define RETRIES 5      /* the kernel's default */
#define RETRIES_MAX 6  /* what is beyond two minutes is not waited for */
#define PASS_ON_USEC USEC_PER_SEC /* how long the manager may take to read a message */

struct former {
	int fd;
	bool steered;               /* another socket at its address gets all new handshakes */
	sd_event_source *source;
};

struct formers {
	struct formers_setup setup;
	uint64_t over_usec;         /* when no handshake is under way any more: CLOCK_MONOTONIC */
	sd_event_source *time;
	size_t n;
	struct former former[];
};

static bool is_same(int fd, int other)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && is_same_file(&a, &b);
}

static bool shares_port(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &size) == 0 && on;
}

static bool has_same_address(int fd, int other)
{
	struct sockaddr_storage a = { 0 }, b = { 0 };
	socklen_t a_size = sizeof(a), b_size = sizeof(b);

	return getsockname(fd, (struct sockaddr *)&a, &a_size) == 0 &&
	       getsockname(other, (struct sockaddr *)&b, &b_size) == 0 && a_size == b_size && memcmp(&a, &b, a_size) == 0;
}

/*
 * Has all new handshakes go to the second socket of the group, if there is one. When the first of a group is closed, the
 * last takes its place: so a listener that ends closes its own former sockets before it passes its present sockets on. If
 * it could not empty them the group has three: new handshakes go to the second, a former socket that is read like the first.
 */
static bool steer(int former)
{
	struct sock_filter second[] = { BPF_STMT(BPF_RET | BPF_K, 1) };
	const struct sock_fprog program = { .len = 1, .filter = second };

	return setsockopt(former, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0;
}

static bool is_present(const struct formers_setup *setup, int fd)
{
	for (size_t i = 0; i < setup->n_present; i++)
		if (is_same(fd, setup->present[i]))
			return true;
	return false;
}

/* Whether another socket listens at this address. Without present sockets the manager itself has it: Accept=yes. */
static bool has_successor(const struct formers_setup *setup, int fd)
{
	for (size_t i = 0; i < setup->n_present; i++)
		if (has_same_address(fd, setup->present[i]))
			return true;
	return setup->n_present == 0;
}

/* How long a handshake may take at most. */
static uint64_t handshake_usec(void)
{
	unsigned retries = RETRIES;
	FILE *file = fopen(RETRIES_FILE, "re");

	if (file) {
		if (fscanf(file, "%u", &retries) != 1)
			retries = RETRIES;
		(void)fclose(file);
	}
	return ((uint64_t)2 << (retries < RETRIES_MAX ? retries : RETRIES_MAX)) * USEC_PER_SEC;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct formers *f = arg;

	(void)source;
	(void)fd;
	(void)revents;
	f->setup.on_change(f->setup.arg);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct formers *f = arg;

	(void)source;
	(void)usec;
	f->setup.on_change(f->setup.arg);
	return 0;
}

static int add(struct formers *f, int fd)
{
	struct former *former = &f->former[f->n++];

	*former = (struct former){ .fd = fd, .steered = has_successor(&f->setup, fd) && steer(fd) };
	socket_prepare(fd); /* accepted sockets inherit it */
	/* Edge-triggered: while no connection can be taken in, those that are pending do not wake the listener again and again. */
	return sd_event_add_io(f->setup.event, &former->source, fd, EPOLLIN | EPOLLET, on_connection, f);
}

/* The store has all former sockets under one name. */
static void empty_store(void)
{
	(void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" FORMER_NAME);
}

int formers_new(const struct formers_setup *setup, struct formers **ret)
{
	struct formers *f;
	int r;

	*ret = NULL;
	if (setup->n_fds == 0)
		return 0;
	f = calloc(1, sizeof(*f) + setup->n_fds * sizeof(f->former[0]));
	r = f ? 0 : -ENOMEM;
	for (size_t i = 0; i < setup->n_fds; i++) {
		if (r < 0 || is_present(setup, setup->fds[i])) {
			(void)close(setup->fds[i]);
			continue;
		}
		if (f->n == 0)
			f->setup = *setup;
		r = add(f, setup->fds[i]);
	}
	if (r >= 0 && f->n > 0) {
		f->over_usec = now_monotonic() + handshake_usec();
		r = sd_event_add_time(setup->event, &f->time, CLOCK_MONOTONIC, f->over_usec, 1, on_time, f);
	}
	if (r < 0 || f->n == 0)
		f = formers_free(f);
	*ret = f;
	return r < 0 ? r : 0;
}

static void close_former(struct former *former)
{
	sd_event_source_disable_unref(former->source);
	(void)close(former->fd);
}

static struct formers *close_all(struct formers *f)
{
	while (f->n > 0)
		close_former(&f->former[--f->n]);
	sd_event_source_disable_unref(f->time);
	free(f);
	return NULL;
}

struct formers *formers_free(struct formers *f)
{
	if (!f)
		return NULL;
	empty_store();
	return close_all(f);
}

struct formers *formers_leave(struct formers *f)
{
	return formers_first(f) < 0 ? formers_free(f) : close_all(f);
}

int formers_first(const struct formers *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (socket_pending(f->former[i].fd) != 0)
			return f->former[i].fd;
	return -1;
}

struct formers *formers_settle(struct formers *f)
{
	bool over;

	if (!f)
		return NULL;
	over = now_monotonic() >= f->over_usec;
	for (size_t i = f->n; i > 0; i--) {
		struct former *former = &f->former[i - 1];

		if ((former->steered && !over) || socket_pending(former->fd) != 0)
			continue;
		close_former(former);
		(void)memmove(former, former + 1, (f->n - i) * sizeof(*former));
		f->n--;
	}
	return f->n > 0 ? f : formers_free(f);
}

void formers_pass_on(const int *fds, size_t n)
{
	int passed = 0;

	for (size_t i = 0; i < n; i++) {
		struct sockaddr address = { 0 };
		socklen_t size = sizeof(address);

		if (getsockname(fds[i], &address, &size) == 0 && (address.sa_family == AF_UNIX || shares_port(fds[i])))
			passed += sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" FORMER_NAME, &fds[i], 1) > 0;
	}
	/* The manager must have read the messages before this process, their sender, has ended. */
	if (passed > 0)
		(void)sd_notify_barrier(0, PASS_ON_USEC);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cbbench-node: the node of the bench; it does what each request asks for
 * (wire.h). It costs as little as possible: one thread, one epoll, replies sent
 * from memory and at once. It listens on any number of addresses, so that each
 * peer has an address of its own and leaves its TIME_WAITs there. With 0.0.0.0 it
 * serves all of 127.0.0.0/8, and refuses clients from elsewhere. With --http it
 * answers any HTTP request with 200 and closes; that is for probes, not for load.
 *
 * At each SIGUSR1 it prints a line of counts, and begins to count anew. peak is
 * the most connections that the kernel had open at once, as of each accept: a
 * second epoll, edge-triggered and for ends only, tells at once which have ended,
 * whether or not this program has come to read that. A half-close is no end.
 * gap_p50 and gap_p99 (of OP_HOLD) are microseconds from its closing of a
 * connection to the first byte of the next. With one slot that is the time in
 * which a relay hands over the slot.
 */
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	bool listener;
	bool ended;       /* both ways, by an end or a reset */
	struct wire_request request;
	size_t got;
	uint64_t left;    /* bytes of the reply still to be sent */
	size_t position;  /* in the pattern */
	bool wants_room;
	uint64_t due_nsec; /* OP_HOLD: when the job is done */
	int next_held;
};

static struct connection *connections; /* by descriptor */
static size_t n_connections;
static unsigned char *pattern;
static int epoll_fd, ends_fd, first_held = -1, last_held = -1;
static unsigned open_now, open_peak;
static uint64_t requests, bad_requests, closed_nsec;
static struct times gaps;
static bool http;

static void watch(int fd, uint32_t events, int operation)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0) {
		perror("cbbench-node: epoll_ctl");
		exit(71);
	}
}

/* Counts a connection as ended, once. */
static void connection_end(int fd)
{
	open_now -= !connections[fd].ended;
	connections[fd].ended = true;
}

static void connection_close(int fd)
{
	connection_end(fd);
	(void)close(fd);
}

/* Counts the ends that have come. epoll tells an error or a hang-up without being asked for it. */
static void ends_count(void)
{
	struct epoll_event events[64];
	int n;

	do {
		n = epoll_wait(ends_fd, events, 64, 0);
		for (int i = 0; i < n; i++)
			if (events[i].events & (EPOLLHUP | EPOLLERR))
				connection_end(events[i].data.fd);
	} while (n == 64);
}

/* Sends what there is room for. Returns whether the connection is still there. */
static bool connection_send(int fd, struct connection *c)
{
	while (c->left) {
		size_t n = PATTERN_SIZE - c->position;
		ssize_t sent;

		if (n > c->left)
			n = (size_t)c->left;
		sent = send(fd, pattern + c->position, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN) {
			if (!c->wants_room)
				watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			c->wants_room = true;
			return true;
		}
		if (sent < 0) {
			connection_close(fd);
			return false;
		}
		c->left -= (uint64_t)sent;
		c->position = (c->position + (size_t)sent) % PATTERN_SIZE;
	}
	if (c->wants_room)
		watch(fd, EPOLLIN, EPOLL_CTL_MOD);
	c->wants_room = false;
	return true;
}

static bool reply_echo(int fd, struct connection *c)
{
	c->request.magic = WIRE_REPLY;
	if (send(fd, &c->request, sizeof(c->request), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(c->request))
		return true;
	connection_close(fd);
	return false;
}

/* Adds a job behind the others. The order of beginnings is that of ends, as all jobs but the first are equally long. */
static void job_begin(int fd, struct connection *c)
{
	watch(fd, 0, EPOLL_CTL_DEL); /* no more input is expected; the send tells an early end */
	c->due_nsec = now_nsec() + c->request.hold_usec * 1000;
	c->next_held = -1;
	if (last_held >= 0)
		connections[last_held].next_held = fd;
	else
		first_held = fd;
	last_held = fd;
}

static void job_end(void)
{
	int fd = first_held;
	struct connection *c = &connections[fd];

	first_held = c->next_held;
	if (first_held < 0)
		last_held = -1;
	if (reply_echo(fd, c)) {
		closed_nsec = now_nsec(); /* before the close: a relay may act on it before the node runs again */
		connection_close(fd);
	}
}

static void request_serve(int fd, struct connection *c)
{
	requests++;
	c->got = 0;
	if (c->request.magic == WIRE_MAGIC && c->request.op == OP_ECHO) {
		(void)reply_echo(fd, c);
	} else if (c->request.magic == WIRE_MAGIC && c->request.op == OP_BULK) {
		c->left = c->request.size;
		c->position = pattern_start(c->request.number);
		(void)connection_send(fd, c);
	} else if (c->request.magic == WIRE_MAGIC && c->request.op == OP_HOLD) {
		job_begin(fd, c);
	} else {
		bad_requests++;
		connection_close(fd);
	}
}

/* Looks for the end of the request, also across several reads; c->got is the number of its bytes so far. */
static void http_read(int fd, struct connection *c)
{
	static const char end[] = "\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
	char text[2048];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	for (ssize_t i = 0; i < n && end[c->got]; i++)
		c->got = text[i] == end[c->got] ? c->got + 1 : text[i] == '\r' ? 1 : 0;
	if (n > 0 && end[c->got])
		return;
	if (n > 0) {
		requests++;
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(answer) - 1)
			bad_requests++;
	}
	connection_close(fd);
}

/* Reads once: epoll reports again what is left. */
static void connection_read(int fd, struct connection *c)
{
	ssize_t n;

	if (http) {
		http_read(fd, c);
		return;
	}
	n = recv(fd, (char *)&c->request + c->got, sizeof(c->request) - c->got, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		connection_close(fd);
		return;
	}
	if (!c->got && closed_nsec) {
		times_add(&gaps, now_nsec() - closed_nsec);
		closed_nsec = 0;
	}
	c->got += (size_t)n;
	if (c->got == sizeof(c->request))
		request_serve(fd, c);
}

static void connections_accept(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if ((size_t)fd >= n_connections) {
			(void)close(fd);
			continue;
		}
		/* A relay that keeps to the cap connects when this kernel knows of the former connection's end. */
		ends_count();
		connections[fd] = (struct connection) { .next_held = -1 };
		if (epoll_ctl(ends_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLET, .data.fd = fd }) < 0) {
			perror("cbbench-node: epoll_ctl");
			exit(71);
		}
		if (++open_now > open_peak)
			open_peak = open_now;
		watch(fd, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static void counts_print(void)
{
	times_sort(&gaps);
	(void)printf("requests=%" PRIu64 " bad=%" PRIu64 " peak=%u open=%u gaps=%zu gap_p50=%.1f gap_p99=%.1f cpu=%.4f\n",
		     requests, bad_requests, open_peak, open_now, gaps.n, times_percentile(&gaps, 50),
		     times_percentile(&gaps, 99), cpu_seconds());
	(void)fflush(stdout);
	requests = bad_requests = 0;
	open_peak = open_now;
	gaps.n = 0;
	closed_nsec = 0;
}

/* Sets a congestion control that does not pace. Some (bbr) pace even on loopback, and then the bench would measure the
 * node. If the kernel has no other, the host's own stays. $BENCH_CONGESTION names another. */
static void congestion_set(int fd)
{
	static const char *const names[] = { "cubic", "reno" };
	const char *wanted = getenv("BENCH_CONGESTION");

	if (wanted) {
		if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, wanted, (socklen_t)strlen(wanted)) == 0)
			return;
		(void)fprintf(stderr, "cbbench-node: congestion control \"%s\": %s\n", wanted, strerror(errno));
		exit(71);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, names[i], (socklen_t)strlen(names[i])) == 0)
			return;
	}
}

static int listen_on(const char *text)
{
	struct sockaddr_in address;
	int fd, one = 1;

	wire_address("cbbench-node", text, &address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (address.sin_addr.s_addr == INADDR_ANY && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof("lo")) < 0) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0) {
		(void)fprintf(stderr, "cbbench-node: %s: %s\n", text, strerror(errno));
		exit(71);
	}
	congestion_set(fd);
	return fd;
}

static int signals_open(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Milliseconds until the first job ends, rounded down: in the last millisecond the loop turns without sleep. */
static int wait_msec(void)
{
	uint64_t now = now_nsec(), due;

	if (first_held < 0)
		return -1;
	due = connections[first_held].due_nsec;
	return due > now ? (int)((due - now) / 1000000) : 0;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int signal_fd;

	http = argc > 1 && strcmp(argv[1], "--http") == 0;
	if (argc < 2 + http) {
		(void)fprintf(stderr, "usage: cbbench-node [--http] ADDRESS:PORT...\n");
		return 64;
	}
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	n_connections = limit.rlim_cur < 65536 ? limit.rlim_cur : 65536;
	connections = calloc(n_connections, sizeof(*connections));
	pattern = malloc(PATTERN_SIZE);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ends_fd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = signals_open();
	if (!connections || !pattern || epoll_fd < 0 || ends_fd < 0 || signal_fd < 0) {
		perror("cbbench-node");
		return 71;
	}
	pattern_fill(pattern);
	watch(signal_fd, EPOLLIN, EPOLL_CTL_ADD);
	for (int i = 1 + http; i < argc; i++) {
		int fd = listen_on(argv[i]);

		connections[fd].listener = true;
		watch(fd, EPOLLIN, EPOLL_CTL_ADD);
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(epoll_fd, events, 256, wait_msec());

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			struct signalfd_siginfo info;

			if (fd == signal_fd) {
				if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
					counts_print();
			} else if (connections[fd].listener) {
				continue; /* later: ended connections must not be counted together with new ones */
			} else if (!(events[i].events & EPOLLOUT) || connection_send(fd, &connections[fd])) {
				if (events[i].events & ~(uint32_t)EPOLLOUT)
					connection_read(fd, &connections[fd]);
			}
		}
		for (int i = 0; i < n; i++) {
			if (connections[events[i].data.fd].listener)
				connections_accept(events[i].data.fd);
		}
		while (first_held >= 0 && connections[first_held].due_nsec <= now_nsec())
			job_end();
	}
}

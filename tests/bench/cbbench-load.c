/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cbbench-load: the clients of the bench, all in one thread. Each connection
 * sends one request (wire.h), takes the reply, compares it and closes; then
 * another connection replaces it, so their number stays the same. Failures are
 * counted by kind; a run with any failure is no measurement.
 *
 * Connections come from many addresses in turn. A single address would soon run
 * out of ports, all in TIME_WAIT, and the bench would measure the search for a
 * free port.
 *
 * It ends with a line of KEY=VALUE: times are from connect() to the last byte of
 * the reply. The first --warmup connections are not counted in ok, rate and
 * times; their failures are counted. A connection that ends after the time is up
 * is not counted in ok and rate, but in times: otherwise clients that an unfair
 * queue forgets would be missing there.
 */
#include "wire.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20) /* read at once, of large replies */
#define SOURCES 128u            /* addresses of clients */
#define TOO_MANY_FAILURES 20000
#define SAMPLE ((size_t)4096)   /* of a large reply, eight bytes in so many are compared */

enum end { END_OK, END_REFUSED, END_RESET, END_SHORT, END_MISMATCH, END_TIMEOUT, END_OTHER, END_MAX_ };

static const char *const end_names[] = { "ok", "refused", "reset", "short", "mismatch", "timeout", "other" };

struct connection {
	bool sent;
	int error; /* errno of a failed send; a read would not report it again */
	uint64_t number, started_nsec;
	uint64_t got, expected;
	struct wire_request reply; /* of OP_ECHO and OP_HOLD */
};

enum { OP_NOTHING = 100 }; /* send nothing, and wait for the end of input */

static struct sockaddr_in arg_address;
static uint64_t arg_op = OP_ECHO, arg_size, arg_hold_usec, arg_first_hold_usec, arg_count, arg_warmup;
static unsigned arg_clients = 1;
static double arg_seconds = 1, arg_timeout = 30;
static bool arg_reset, arg_idle;

static struct connection *connections; /* by descriptor */
static size_t n_connections;
static unsigned char *chunk, *pattern;
static int epoll_fd;
static unsigned open_now;
static uint64_t begun, finished, counted[END_MAX_], bytes, measure_from, measure_to, measured, stop_nsec;
static struct times times;

static void connection_begin(void);

/* Whether more connections must begin. */
static bool more(uint64_t now)
{
	uint64_t failures = 0;

	for (int i = END_OK + 1; i < END_MAX_; i++)
		failures += counted[i];
	return failures < TOO_MANY_FAILURES && (arg_count ? begun < arg_count : !stop_nsec || now < stop_nsec);
}

static void connection_count(const struct connection *c, uint64_t now)
{
	finished++;
	if (!measure_from && finished > arg_warmup) {
		measure_from = arg_warmup ? now : c->started_nsec;
		stop_nsec = measure_from + (uint64_t)(arg_seconds * 1e9);
		if (arg_warmup)
			return;
	}
	if (!measure_from)
		return;
	times_add(&times, now - c->started_nsec);
	if (arg_count || now <= stop_nsec) {
		measured++;
		measure_to = now;
		bytes += c->got;
	}
}

static void connection_end(int fd, enum end end)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	uint64_t now = now_nsec();

	if (end == END_OK)
		connection_count(&connections[fd], now);
	counted[end]++;
	if (arg_reset)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)close(fd);
	connections[fd].started_nsec = 0;
	open_now--;
	if (!arg_idle && more(now))
		connection_begin();
}

static enum end end_of_errno(int error)
{
	return error == ECONNREFUSED ? END_REFUSED : error == ECONNRESET || error == EPIPE ? END_RESET : END_OTHER;
}

/* Returns whether the send is over, by success or failure; if not, there is no room at present. */
static bool request_send(int fd, struct connection *c)
{
	struct wire_request request = {
		.magic = WIRE_MAGIC, .op = arg_op, .number = c->number, .size = arg_size,
		.hold_usec = c->number == 1 && arg_first_hold_usec ? arg_first_hold_usec : arg_hold_usec,
	};
	ssize_t n;

	if (arg_op == OP_NOTHING) {
		c->sent = true;
		return true;
	}
	n = send(fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
		return false;
	if (n < 0)
		c->error = errno;
	c->sent = true;
	return true;
}

/* Binds to the next client address; connect() chooses the port. */
static int source_bind(int fd)
{
	const int one = 1;
	struct sockaddr_in source = { .sin_family = AF_INET };
	uint32_t target = ntohl(arg_address.sin_addr.s_addr);

	if (target >> 24 != 127)
		return 0;
	source.sin_addr.s_addr = htonl((target & 0xffff0000u) + 0xfa01u + (uint32_t)(begun % SOURCES));
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0)
		return -1;
	return bind(fd, (struct sockaddr *)&source, sizeof(source));
}

static void connection_begin(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct connection *c;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || (size_t)fd >= n_connections) {
		(void)fprintf(stderr, "cbbench-load: socket: %s\n", strerror(fd < 0 ? errno : EMFILE));
		exit(71);
	}
	begun++;
	c = &connections[fd];
	*c = (struct connection) { .number = begun, .started_nsec = now_nsec() };
	c->expected = arg_op == OP_BULK ? arg_size : arg_op == OP_NOTHING ? 0 : sizeof(c->reply);
	open_now++;
	if (source_bind(fd) < 0) {
		perror("cbbench-load: bind");
		exit(71);
	}
	if (connect(fd, (struct sockaddr *)&arg_address, sizeof(arg_address)) < 0 && errno != EINPROGRESS) {
		if (errno == EADDRNOTAVAIL) {
			(void)fprintf(stderr, "cbbench-load: out of local ports\n");
			exit(71);
		}
		counted[end_of_errno(errno)]++;
		(void)close(fd);
		open_now--;
		c->started_nsec = 0;
		return;
	}
	event.data.fd = fd;
	if (!request_send(fd, c))
		event.events |= EPOLLOUT;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		perror("cbbench-load: epoll_ctl");
		exit(71);
	}
}

/* Compares a piece of a large reply, in samples. (Small replies are compared whole; the number of bytes always.) */
static bool chunk_matches(const struct connection *c, size_t n)
{
	size_t position = (pattern_start(c->number) + (size_t)(c->got % PATTERN_SIZE)) % PATTERN_SIZE;

	if (arg_size <= 102400) {
		for (size_t i = 0; i < n;) {
			size_t run = n - i < PATTERN_SIZE - position ? n - i : PATTERN_SIZE - position;

			if (memcmp(chunk + i, pattern + position, run) != 0)
				return false;
			i += run;
			position = 0;
		}
		return true;
	}
	for (size_t i = 0; i + 8 <= n; i += SAMPLE) {
		size_t at = (position + i) % PATTERN_SIZE;

		if (at + 8 <= PATTERN_SIZE && memcmp(chunk + i, pattern + at, 8) != 0)
			return false;
	}
	return true;
}

static bool reply_matches(const struct connection *c)
{
	return c->reply.magic == WIRE_REPLY && c->reply.op == arg_op && c->reply.number == c->number;
}

static void connection_read(int fd, struct connection *c)
{
	bool bulk = arg_op == OP_BULK;
	ssize_t n;

	if (c->error) {
		connection_end(fd, end_of_errno(c->error));
		return;
	}
	if (arg_idle && c->got == c->expected) {
		connection_end(fd, END_SHORT); /* an idle connection must stay */
		return;
	}
	n = bulk ? recv(fd, chunk, CHUNK, 0) :
		   recv(fd, (char *)&c->reply + c->got, sizeof(c->reply) - (size_t)c->got, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		connection_end(fd, end_of_errno(errno));
	} else if (n == 0) {
		connection_end(fd, arg_op == OP_NOTHING || (arg_op == OP_HOLD && c->got == c->expected && reply_matches(c)) ?
				   END_OK : END_SHORT);
	} else if (bulk && (c->got + (uint64_t)n > c->expected || !chunk_matches(c, (size_t)n))) {
		connection_end(fd, END_MISMATCH);
	} else {
		c->got += (uint64_t)n;
		if (c->got < c->expected || arg_op == OP_HOLD)
			return; /* OP_HOLD ends with the node's close */
		if (!bulk && !reply_matches(c))
			connection_end(fd, END_MISMATCH);
		else if (arg_idle)
			counted[END_OK]++;
		else
			connection_end(fd, END_OK);
	}
}

static void connection_event(int fd, uint32_t events)
{
	struct connection *c = &connections[fd];
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if ((events & EPOLLOUT) && !c->sent && request_send(fd, c))
		(void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
	if (events & ~(uint32_t)EPOLLOUT)
		connection_read(fd, c);
}

/* Ends connections that have got no reply for --timeout. */
static void connections_time_out(uint64_t now)
{
	static uint64_t looked;

	if (now - looked < 1000000000u)
		return;
	looked = now;
	for (size_t fd = 0; fd < n_connections; fd++) {
		if (connections[fd].started_nsec && (double)(now - connections[fd].started_nsec) > arg_timeout * 1e9)
			connection_end((int)fd, END_TIMEOUT);
	}
}

static void events_serve(int msec)
{
	struct epoll_event events[256];
	int n = epoll_wait(epoll_fd, events, 256, msec);

	for (int i = 0; i < n; i++)
		connection_event(events[i].data.fd, events[i].events);
	connections_time_out(now_nsec());
}

/* Begins connections in place of those that could not connect. */
static void clients_fill(void)
{
	for (unsigned tries = arg_clients; open_now < arg_clients && tries && more(now_nsec()); tries--)
		connection_begin();
}

static void run(void)
{
	clients_fill();
	while (open_now || more(now_nsec())) {
		events_serve(1000);
		clients_fill();
	}
}

static uint64_t sum_counted(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < END_MAX_; i++)
		sum += counted[i];
	return sum;
}

/* Opens all connections, with an exchange on each, says "idle", and keeps them until standard input ends. */
static void run_idle(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	for (unsigned i = 0; i < arg_clients; i++) {
		connection_begin();
		if (open_now - counted[END_OK] >= 64) /* at most 64 that are not served yet */
			events_serve(1000);
	}
	while (sum_counted() < arg_clients)
		events_serve(1000);
	(void)printf("idle=%" PRIu64 "\n", counted[END_OK]);
	(void)fflush(stdout);
	while (poll(&input, 1, 0) == 0) {
		struct epoll_event event;

		if (epoll_wait(epoll_fd, &event, 1, 50) > 0)
			connection_event(event.data.fd, event.events);
	}
}

static void result_print(void)
{
	double seconds = measure_to > measure_from ? (double)(measure_to - measure_from) / 1e9 : 0;
	uint64_t failures = 0;

	times_sort(&times);
	for (int i = END_OK + 1; i < END_MAX_; i++)
		failures += counted[i];
	(void)printf("ok=%" PRIu64 " failures=%" PRIu64, measured, failures);
	for (int i = END_OK + 1; i < END_MAX_; i++)
		(void)printf(" %s=%" PRIu64, end_names[i], counted[i]);
	(void)printf(" seconds=%.6f rate=%.1f bytes=%" PRIu64 " p50=%.1f p99=%.1f cpu=%.4f\n", seconds,
		     seconds > 0 ? (double)measured / seconds : 0, bytes, times_percentile(&times, 50),
		     times_percentile(&times, 99), cpu_seconds());
}

static void help(void)
{
	(void)puts("usage: cbbench-load [OPTION...] ADDRESS:PORT\n"
		   "  --clients N       connections open at once [1]\n"
		   "  --seconds S       measure for so long [1], or\n"
		   "  --count N         until so many were made\n"
		   "  --warmup N        connections that are not counted [0]\n"
		   "  --op echo|bulk|hold|nothing   what is asked of the node [echo]; nothing: only wait for the end\n"
		   "  --size BYTES      of the replies of bulk\n"
		   "  --hold USEC       how long a job of hold takes\n"
		   "  --first-hold USEC the same, of the first connection\n"
		   "  --reset           close by a reset instead of an end of input\n"
		   "  --idle            keep the connections open until the end of input\n"
		   "  --timeout S       for each connection [30]");
}

static double number(const char *option, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || value < 0) {
		(void)fprintf(stderr, "cbbench-load: --%s \"%s\": expected a number\n", option, text);
		exit(64);
	}
	return value;
}

static void options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "clients", required_argument, NULL, 'c' }, { "seconds", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' },   { "warmup", required_argument, NULL, 'w' },
		{ "op", required_argument, NULL, 'o' },      { "size", required_argument, NULL, 'b' },
		{ "hold", required_argument, NULL, 'h' },    { "first-hold", required_argument, NULL, 'f' },
		{ "reset", no_argument, NULL, 'r' },         { "idle", no_argument, NULL, 'i' },
		{ "timeout", required_argument, NULL, 't' }, { "help", no_argument, NULL, 'H' },
		{ 0 },
	};
	static const struct { const char *name; uint64_t op; } ops[] = {
		{ "echo", OP_ECHO }, { "bulk", OP_BULK }, { "hold", OP_HOLD }, { "nothing", OP_NOTHING },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'c': arg_clients = (unsigned)number("clients", optarg); break;
		case 's': arg_seconds = number("seconds", optarg); break;
		case 'n': arg_count = (uint64_t)number("count", optarg); break;
		case 'w': arg_warmup = (uint64_t)number("warmup", optarg); break;
		case 'b': arg_size = (uint64_t)number("size", optarg); break;
		case 'h': arg_hold_usec = (uint64_t)number("hold", optarg); break;
		case 'f': arg_first_hold_usec = (uint64_t)number("first-hold", optarg); break;
		case 'r': arg_reset = true; break;
		case 'i': arg_idle = true; break;
		case 't': arg_timeout = number("timeout", optarg); break;
		case 'o':
			arg_op = 0;
			for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
				if (strcmp(optarg, ops[i].name) == 0)
					arg_op = ops[i].op;
			}
			if (arg_op)
				break;
			(void)fprintf(stderr, "cbbench-load: --op \"%s\": expected echo, bulk, hold or nothing\n", optarg);
			exit(64);
		case 'H': help(); exit(0);
		default: exit(64);
		}
	}
	if (optind + 1 != argc || !arg_clients) {
		help();
		exit(64);
	}
	wire_address("cbbench-load", argv[optind], &arg_address);
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	options_parse(argc, argv);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	n_connections = limit.rlim_cur < 65536 ? limit.rlim_cur : 65536;
	connections = calloc(n_connections, sizeof(*connections));
	chunk = malloc(CHUNK);
	pattern = malloc(PATTERN_SIZE);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!connections || !chunk || !pattern || epoll_fd < 0) {
		perror("cbbench-load");
		return 71;
	}
	pattern_fill(pattern);
	if (arg_idle)
		run_idle();
	else
		run();
	result_print();
	return 0;
}

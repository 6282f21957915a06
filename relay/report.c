/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "report.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

/* One for each sort of event, see sd_journal_send(3); made by systemd-id128 new. */
#define MESSAGE_CONNECTION "6c2f0a7d9d5e4c83b6c0e7f4a1d2938b"
#define MESSAGE_NODE_DOWN "0e4b9c3f7a6d4f5a8b1c2d3e4f506172"
#define MESSAGE_NODE_UP "f3a8d1c6b5e94720918273645546372a"

#define JOURNAL_FD_END 1024 /* it is opened early, and gets the lowest number that is free */

static enum { TO_STDERR, TO_JOURNAL, TO_STREAM } destination = TO_STDERR;
static const char *program_name = "cbrelay";

/* $JOURNAL_STREAM names the device and inode of stderr, if it is the journal's; see systemd.exec(5). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

/* inetd makes the client's socket all three of our standard descriptors, systemd the first two at least. */
static bool is_client(int number)
{
	struct stat in, st;

	return fstat(STDIN_FILENO, &in) == 0 && fstat(number, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       in.st_dev == st.st_dev && in.st_ino == st.st_ino;
}

static void silence(int number)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, number) < 0)
		(void)close(number);
	if (fd >= 0)
		(void)close(fd);
}

void report_setup(const char *program)
{
	program_name = program;
	if (is_client(STDOUT_FILENO))
		silence(STDOUT_FILENO); /* else the client would not be told of the end by closing the other one */
	if (is_client(STDERR_FILENO)) {
		destination = TO_JOURNAL; /* goes nowhere if there is none, but never to the client */
		silence(STDERR_FILENO);
	} else if (stderr_is_journal()) {
		destination = TO_JOURNAL;
	}
}

/* libsystemd's socket to the journal has no name and no peer, and no other of this process is so. */
static bool is_journal_socket(int fd)
{
	struct sockaddr_un name = { 0 };
	socklen_t size = sizeof(int), name_size = sizeof(name);
	int domain = 0, type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM &&
	       getsockname(fd, (struct sockaddr *)&name, &name_size) == 0 && name_size == sizeof(sa_family_t) &&
	       getpeername(fd, (struct sockaddr *)&name, &name_size) < 0;
}

int report_before_forks(void)
{
	if (destination != TO_JOURNAL)
		return -1;
	/* So that there is one; also where nobody takes it. */
	report_message(LOG_INFO, "corebalance " VERSION " serves connections");
	for (int fd = STDERR_FILENO + 1; fd < JOURNAL_FD_END; fd++)
		if (is_journal_socket(fd))
			return fd;
	destination = TO_STDERR;
	return -1;
}

void report_before_end(void)
{
	if (destination == TO_JOURNAL && stderr_is_journal())
		destination = TO_STREAM;
}

/* One write(2) a line, so that those of many processes do not mix; and no more memory than it takes. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	if (n > 0)
		(void)!write(STDERR_FILENO, text, (size_t)n); /* nowhere else to complain */
}

void report_message(int priority, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (destination == TO_JOURNAL)
		(void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, NULL);
	else if (destination == TO_STREAM)
		say("<%i>%s\n", priority, text);
	else
		say("%s: %s\n", program_name, text);
}

/* Microseconds for text; "-" for a phase that was never reached. */
static const char *usec_text(uint64_t usec, char buffer[static 24])
{
	if (usec == UINT64_MAX)
		return "-";
	(void)snprintf(buffer, 24, "%" PRIu64, usec);
	return buffer;
}

void report_connection(const struct connection *c)
{
	char wait[24], connect[24], total[24];
	const char *wait_text = usec_text(c->wait_usec, wait), *connect_text = usec_text(c->connect_usec, connect);
	const char *node = *c->node ? c->node : "<NOSRV>", *local = *c->node_local ? c->node_local : "-";

	(void)usec_text(c->total_usec, total);
	if (destination == TO_STDERR) {
		say("%s: client=%s node=%s slot=%u node_local=%s wait_usec=%s connect_usec=%s "
		    "total_usec=%s bytes_in=%" PRIu64 " bytes_out=%" PRIu64 " failed_nodes=%u end=%c%c\n",
		    program_name, c->client, node, c->slot, local, wait_text, connect_text, total,
		    c->in, c->out, c->failed_nodes, c->end_who, c->end_phase);
		return;
	}
	(void)sd_journal_send("MESSAGE=%s to %s: %c%c, %" PRIu64 " bytes in, %" PRIu64 " bytes out, waited %s us, took %s us",
			      c->client, node, c->end_who, c->end_phase, c->in, c->out, wait_text, total,
			      "MESSAGE_ID=" MESSAGE_CONNECTION, "PRIORITY=%i", LOG_INFO,
			      "COREBALANCE_NODE=%s", node, "COREBALANCE_SLOT=%u", c->slot,
			      "COREBALANCE_CLIENT=%s", c->client, "COREBALANCE_NODE_LOCAL=%s", local,
			      "COREBALANCE_WAIT_USEC=%s", wait_text, "COREBALANCE_CONNECT_USEC=%s", connect_text,
			      "COREBALANCE_TOTAL_USEC=%s", total, "COREBALANCE_BYTES_IN=%" PRIu64, c->in,
			      "COREBALANCE_BYTES_OUT=%" PRIu64, c->out, "COREBALANCE_FAILED_NODES=%u", c->failed_nodes,
			      "COREBALANCE_END=%c%c", c->end_who, c->end_phase, NULL);
}

void report_no_nodes(const char *path)
{
	report_message(LOG_WARNING, "%s: no nodes; connections wait until it is loaded with some", path);
}

void report_node(const char *node, const struct score_edge *edge)
{
	const char *phrase = reason_to_string(edge->reason);
	bool up = edge->after == NODE_UP;

	if (edge->before == edge->after)
		return;
	if (destination == TO_STDERR)
		(void)fprintf(stderr, "%s: %s is %s%s%s\n", program_name, node, up ? "up" : "down",
			      up ? "" : ": ", up ? "" : phrase);
	else
		(void)sd_journal_send("MESSAGE=%s is %s%s%s", node, up ? "up" : "down", up ? "" : ": ", up ? "" : phrase,
				      up ? "MESSAGE_ID=" MESSAGE_NODE_UP : "MESSAGE_ID=" MESSAGE_NODE_DOWN,
				      "PRIORITY=%i", LOG_NOTICE, "COREBALANCE_NODE=%s", node,
				      "COREBALANCE_OLD_STATE=%s", node_state_to_string(edge->before),
				      "COREBALANCE_NEW_STATE=%s", node_state_to_string(edge->after),
				      "COREBALANCE_REASON=%s", phrase,
				      "COREBALANCE_LASTED_USEC=%" PRIu64, edge->lasted_usec, NULL);
}

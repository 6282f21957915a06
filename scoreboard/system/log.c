/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * log.c: libsystemd's sd_journal_send(3) waits as long as the journal takes
 * nothing, and write(2) as long as no process reads standard error. Both would
 * hold up whatever a program does next. So this file sends lines to the journal's
 * socket itself, in the native protocol (a field a line; values have no newline),
 * and writes to standard error only where that takes a line at once.
 */

#include "system/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "system/folder.h"
#include "system/printable.h"
#include "system/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static enum { TO_STDERR, TO_JOURNAL, TO_STREAM } destination = TO_STDERR; /* of plain text */
static enum { IS_FILE, IS_SOCKET, IS_PIPE, IS_OTHER } kind = IS_FILE; /* standard error */
static const char *program_name;
static int journal_fd = -1;
static bool has_fields;        /* lines with fields go to the journal */
static bool waits;             /* see log_wait_for_reader() */
static atomic_ulong lost_here, *lost = &lost_here; /* lines; shared with all children once set up */

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

/* Whether a standard descriptor is the client's socket: inetd passes the socket as all three standard descriptors,
 * systemd as the first two at least. */
static bool is_client(int number)
{
	struct stat in, st;

	return fstat(STDIN_FILENO, &in) == 0 && fstat(number, &st) == 0 && S_ISSOCK(st.st_mode) && is_same_file(&in, &st);
}

static void silence(int number)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, number) < 0)
		(void)close(number);
	if (fd >= 0)
		(void)close(fd);
}

static void look_at_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == 0)
		kind = S_ISREG(st.st_mode) ? IS_FILE : S_ISSOCK(st.st_mode) ? IS_SOCKET : S_ISFIFO(st.st_mode) ? IS_PIPE : IS_OTHER;
}

void log_leave_client(void)
{
	if (is_client(STDOUT_FILENO))
		silence(STDOUT_FILENO); /* a second copy would hide the close of the socket from the client */
	if (!is_client(STDERR_FILENO))
		return;
	destination = TO_JOURNAL; /* without a journal lines are lost, but never reach the client */
	silence(STDERR_FILENO);
}

static int open_journal(void)
{
	if (journal_fd < 0)
		journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return journal_fd < 0 ? -errno : 0;
}

void log_setup(const char *program)
{
	void *page = mmap(NULL, sizeof(*lost), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		lost = page; /* without the page each process counts its own lines */
	program_name = program;
	if (stderr_is_journal())
		destination = TO_JOURNAL;
	look_at_stderr();
	has_fields = destination == TO_JOURNAL;
	if (has_fields)
		(void)open_journal();
}

void log_by_stderr(void)
{
	if (destination == TO_JOURNAL && stderr_is_journal())
		destination = TO_STREAM;
}

void log_wait_for_reader(void)
{
	waits = true;
}

int log_fd(void)
{
	return journal_fd;
}

bool log_has_fields(void)
{
	return has_fields;
}

/* Makes n bytes that were written behind the line a part of it, if they and what ends them fit. */
static void end_field(struct log_line *line, size_t n)
{
	if (n + 1 >= sizeof(line->text) - line->n)
		return;
	for (char *p = line->text + line->n; (p = strchr(p, '\n'));)
		*p = ' ';
	printable_line(line->text + line->n);
	line->n += n;
	line->text[line->n++] = '\n';
}

void log_add(struct log_line *line, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line->text + line->n, sizeof(line->text) - line->n, format, ap);
	va_end(ap);
	if (n >= 0)
		end_field(line, (size_t)n);
}

void log_put(struct log_line *line, const char *name, const char *value)
{
	struct text text;

	if (line->n == sizeof(line->text))
		return;
	text = text_begin(line->text + line->n, sizeof(line->text) - line->n);
	text_add(&text, name);
	text_add(&text, value);
	end_field(line, strlen(name) + strlen(value));
}

/* 0; -EAGAIN: the journal takes nothing now; or another -errno: there is no journal. */
static int to_journal(const char *text, size_t size)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	int r = open_journal();
	ssize_t n;

	if (r < 0)
		return r;
	do
		n = sendto(journal_fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof(address));
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ENOBUFS ? -EAGAIN : -errno;
}

/* Writes each line by a single call, so that lines of several processes do not mix. */
static bool to_stderr(const char *text, size_t size)
{
	const struct iovec part = { .iov_base = (void *)(uintptr_t)text, .iov_len = size };
	struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n;

	if (waits && destination == TO_STDERR) {
		(void)!write(STDERR_FILENO, text, size);
		return true;
	}
	if (kind == IS_SOCKET)
		return send(STDERR_FILENO, text, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != EAGAIN;
	if (kind == IS_PIPE) {
		n = pwritev2(STDERR_FILENO, &part, 1, -1, RWF_NOWAIT);
		if (n >= 0 || errno != EOPNOTSUPP)
			return n >= 0 || errno != EAGAIN;
	}
	/* For pipes before Linux 6.4, and for terminals. A write to a file never waits. */
	if (kind != IS_FILE && poll(&pollfd, 1, 0) != 1)
		return false;
	(void)!write(STDERR_FILENO, text, size); /* a failure cannot be told anywhere */
	return true;
}

/* Sends a line of plain text to where lines go. */
static bool send_text(int priority, const char *text)
{
	struct log_line line;
	char begin[64];
	struct text name = text_begin(begin, sizeof(begin));

	line.n = 0; /* its text is not touched: a relay's stack would have two more pages */
	if (destination == TO_JOURNAL) {
		log_put(&line, "MESSAGE=", text);
		log_add(&line, "PRIORITY=%i", priority);
		log_put(&line, "SYSLOG_IDENTIFIER=", program_name);
		return to_journal(line.text, line.n) != -EAGAIN;
	}
	if (destination == TO_STREAM) {
		text_add(&name, "<");
		text_add_number(&name, (uint64_t)priority, 1);
		text_add(&name, ">");
	} else {
		text_add(&name, program_name);
		text_add(&name, ": ");
	}
	log_put(&line, begin, text);
	return to_stderr(line.text, line.n);
}

/* Counts a line that was lost. After a line that was taken, says how many were lost before. */
static void note(bool taken)
{
	char text[80];
	unsigned long n;

	if (!taken) {
		(void)atomic_fetch_add_explicit(lost, 1, memory_order_relaxed);
		return;
	}
	if (atomic_load_explicit(lost, memory_order_relaxed) == 0)
		return;
	n = atomic_exchange(lost, 0);
	if (n == 0)
		return;
	(void)snprintf(text, sizeof(text), "%lu lines before this one were lost, as the log took none", n);
	if (!send_text(LOG_WARNING, text))
		(void)atomic_fetch_add_explicit(lost, n, memory_order_relaxed);
}

int log_send(struct log_line *line)
{
	int r;

	log_put(line, "SYSLOG_IDENTIFIER=", program_name);
	r = to_journal(line->text, line->n);
	note(r != -EAGAIN); /* where there is no journal, no line is lost */
	return r;
}

void log_text(int priority, const char *text)
{
	note(send_text(priority, text));
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * exec.c: check=exec:COMMAND, a monitoring plugin: 0 up, 1 up with a warning,
 * 2 down, and the first line of output says why. Any other end, or none, tells
 * nothing about the node.
 *
 *     RUNS --exits--> (judged)
 *       |                ^
 *       +--late--> ASKED (SIGTERM) --late--> KILLED (SIGKILL) --late--> (given up)
 *
 * A command is a session and a process group of its own, and the whole group ends with it. When
 * the leader has exited, the rest of the group is killed. Only then is the leader
 * waited for, as its zombie keeps the group's number from being reused. The guard
 * does the same if cbprobe cannot.
 *
 * Two descriptors have news, the command's pidfd and its output, and a probe has a
 * single descriptor: so both are in a small epoll of the probe's own.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checkup.h"
#include "connect.h"
#include "guard.h"
#include "cbprobe/news.h"
#include "cbprobe/null.h"
#include "system/say.h"
#include "cbprobe/trusted.h"
#include "system/timespan.h"
#include "list/words.h"

#define GRACE_USEC (USEC_PER_SEC / 2) /* from SIGTERM to SIGKILL, and from SIGKILL to giving up */
#define LINE_MAX_KEPT 255             /* bytes of output that are looked at */
#define READ_SIZE 16384
#define VARIABLES_MAX 4
#define NOBODY 65534                  /* the user and group that commands of root's prober get */
#define EXIT_CANNOT_RUN 127           /* the same as a shell's */

/* Each two bytes of the text may become a node's name, each word has its NUL. */
#define ARGUMENTS_SIZE ((NODE_CHECK_MAX / 2 + 1) * NODE_NAME_MAX + CHECK_WORDS_MAX + 1)

/* What a check= text means. */
struct command {
	char text[NODE_CHECK_MAX + 1];
	char *words[CHECK_WORDS_MAX + 1]; /* into text */
	size_t n_words;
	char **environment;               /* cbprobe's own, and room for VARIABLES_MAX more, at its beginning */
};

enum stage {
	RUNS,
	ASKED,  /* to end, by SIGTERM */
	KILLED,
};

/* A command under way. */
struct run {
	pid_t pid;
	int pidfd, output; /* -1: none */
	enum stage stage;
	bool line_ended;
	size_t length;
	char line[LINE_MAX_KEPT + 1];
};

/* What a command is told of its node, made before fork(2). */
struct call {
	char address[NI_MAXHOST], host[NODE_HOST_MAX + 1], port[8];
	char *words[CHECK_WORDS_MAX + 1];
	char arguments[ARGUMENTS_SIZE];
	char variables[VARIABLES_MAX][NODE_NAME_MAX + NI_MAXHOST + 32];
};

static struct guard guard = { .fd = -1 };

/* ---- what a check= text means ---- */

/* Whether cbprobe's own value of a variable is not passed on: the command gets its own value, or, for the service
 * manager's socket, none. */
static bool is_replaced(const char *variable)
{
	static const char *const names[] = {
		"COREBALANCE_NODE=", "COREBALANCE_HOST=", "COREBALANCE_ADDRESS=", "COREBALANCE_PORT=", "NOTIFY_SOCKET=",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Makes an environment: first room for the variables of a call, then this process's variables except older ones of the
 * same names. */
static char **make_environment(void)
{
	size_t n = 0, used = VARIABLES_MAX;
	char **environment;

	while (environ[n])
		n++;
	environment = calloc(n + VARIABLES_MAX + 1, sizeof(*environment));
	for (size_t i = 0; environment && i < n; i++)
		if (!is_replaced(environ[i]))
			environment[used++] = environ[i];
	return environment;
}

static void exec_forget(void *prepared)
{
	struct command *command = prepared;

	free(command->environment);
	free(command);
}

static int exec_prepare(const struct check_syntax *syntax, void **ret)
{
	struct command *command;
	char why[TRUSTED_WHY_MAX];
	int n;

	if (!trusted_command(syntax->argument, why)) {
		news_say(LOG_WARNING, "check \"exec:%s\": %s; its nodes are left as they are", syntax->argument, why);
		return -EINVAL;
	}
	command = calloc(1, sizeof(*command));
	if (!command)
		return -ENOMEM;
	(void)strcpy(command->text, syntax->argument);
	n = words_split(command->text, command->words, CHECK_WORDS_MAX + 1);
	if (n > 0 && access(command->words[0], X_OK) == 0) {
		command->n_words = (size_t)n;
		command->environment = make_environment();
		*ret = command;
		return command->environment ? 0 : -ENOMEM;
	}
	news_say(LOG_WARNING, "check \"exec:%s\": %s: %s; its nodes are left as they are", syntax->argument,
		 n > 0 ? command->words[0] : "", n > 0 ? strerror(errno) : "no command");
	exec_forget(command);
	return -EINVAL;
}

/* ---- a call of the command ---- */

static const char *placeholder(const struct call *call, const struct probe *probe, char letter)
{
	switch (letter) {
	case 'n':
		return probe->name;
	case 'h':
		return call->host;
	case 'a':
		return call->address;
	case 'p':
		return call->port;
	default:
		return "%";
	}
}

static void write_words(struct call *call, const struct command *command, const struct probe *probe)
{
	char *to = call->arguments;

	for (size_t i = 0; i < command->n_words; i++) {
		call->words[i] = to;
		for (const char *from = command->words[i]; *from; from++) {
			if (*from != '%' || !from[1])
				*to++ = *from;
			else
				to = stpcpy(to, placeholder(call, probe, *++from));
		}
		*to++ = '\0';
	}
	call->words[command->n_words] = NULL;
}

static void write_variable(struct call *call, const struct command *command, size_t i, const char *name,
			   const char *value)
{
	(void)snprintf(call->variables[i], sizeof(call->variables[i]), "COREBALANCE_%s=%s", name, value);
	command->environment[i] = call->variables[i];
}

/* The node's host without brackets. */
static void write_host(struct call *call, const struct probe *probe)
{
	const char *begin = probe->name, *end = strrchr(probe->name, ':');

	if (*begin == '[') {
		begin++;
		end--;
	}
	(void)snprintf(call->host, sizeof(call->host), "%.*s", (int)(end - begin), begin);
}

static void prepare_call(struct call *call, const struct command *command, const struct probe *probe)
{
	const struct score_address *address = &probe->addresses[0];

	write_host(call, probe);
	(void)snprintf(call->port, sizeof(call->port), "%u", probe->port);
	if (getnameinfo(&address->sa, address->size, call->address, sizeof(call->address), NULL, 0,
			NI_NUMERICHOST) != 0)
		call->address[0] = '\0';
	write_words(call, command, probe);
	write_variable(call, command, 0, "NODE", probe->name);
	write_variable(call, command, 1, "HOST", call->host);
	write_variable(call, command, 2, "ADDRESS", call->address);
	write_variable(call, command, 3, "PORT", call->port);
}

/* ---- in the child, which shares the parent's memory while the parent stands still: it changes nothing there ---- */

/* Sets signals as a program expects them. Only then may signals come: cbprobe's handlers would end the child as if all
 * were well. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void cannot_run(int error)
{
	const char *why = strerrordesc_np(error);

	if (why)
		(void)!write(STDOUT_FILENO, why, strlen(why));
	_exit(EXIT_CANNOT_RUN);
}

/*
 * No command runs as root, also where root is the scoreboard's owner. This process shares its parent's memory: the C library's
 * functions would change the user of all threads of the parent, so this function makes the system calls itself. 0 or -1.
 */
static int give_up_root(void)
{
	if (geteuid() == 0 && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) < 0 ||
			       syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0))
		return -1;
	return 0;
}

/* output: the pipe's end that becomes standard output. Descriptors 0 to 2 are in use: main() saw to that. */
static _Noreturn void become(const struct call *call, char **environment, pid_t parent, int output)
{
	int null = null_fd();

	(void)setsid(); /* also away from the terminal at which cbprobe runs: a command could type there for its user */
	if (give_up_root() < 0)
		_exit(EXIT_CANNOT_RUN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_CANNOT_RUN);
	if (dup2(output, STDOUT_FILENO) < 0)
		_exit(EXIT_CANNOT_RUN);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		cannot_run(errno);
	guard_enlist(&guard);
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	reset_signals();
	(void)execve(call->words[0], call->words, environment);
	cannot_run(errno);
}

/* ---- its beginning and its end ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Kills what is left of the group, and waits for its leader, which has exited or is about to. */
static void run_end(struct run *run, siginfo_t *ret)
{
	(void)memset(ret, 0, sizeof(*ret));
	if (run->pid <= 0)
		return;
	(void)kill(-run->pid, SIGKILL);
	guard_discharge(&guard, run->pid);
	while (waitid(P_PID, (id_t)run->pid, ret, WEXITED) < 0 && errno == EINTR)
		;
	run->pid = 0;
}

static void run_free(struct run *run)
{
	close_fd(&run->pidfd);
	close_fd(&run->output);
	free(run);
}

static void exec_stop(struct probe *probe)
{
	struct run *run = probe->work;
	siginfo_t info;

	run_end(run, &info);
	run_free(run);
	probe->work = NULL;
	connect_close(probe);
}

/* Makes a pipe on which the command may block, but this process does not. 0 or -errno. */
static int open_pipe(int fds[static 2])
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
		int r = -errno;

		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	return 0;
}

static int spawn(struct run *run, const struct probe *probe, const struct command *command)
{
	pid_t pid, parent = getpid();
	struct call call = { .port = "" };
	int fds[2], r;

	prepare_call(&call, command, probe);
	r = open_pipe(fds);
	if (r < 0)
		return r;
	run->output = fds[0];
	/* Not fork(2): until it has executed its program the child would have copies of this process's descriptors. A
	 * descriptor closed here meanwhile would stay in epoll, with events of a probe which is done. */
	pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
	if (pid == 0)
		become(&call, command->environment, parent, fds[1]); // NOLINT(clang-analyzer-unix.Vfork)
	r = pid < 0 ? -errno : 0;
	run->pid = pid;
	(void)close(fds[1]);
	if (r < 0)
		return r;
	run->pidfd = pidfd_open(run->pid, 0);
	return run->pidfd < 0 ? -errno : 0;
}

static int watch(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int begin(struct probe *probe, struct run *run)
{
	probe->fd = epoll_create1(EPOLL_CLOEXEC);
	if (probe->fd < 0)
		return -errno;
	return spawn(run, probe, probe->checkup->prepared) ?:
	       watch(probe->fd, run->pidfd) ?:
	       watch(probe->fd, run->output);
}

static enum outcome exec_start(struct probe *probe, uint64_t deadline_usec)
{
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run) {
		probe->error = ENOMEM;
		return OUTCOME_LATER;
	}
	run->pidfd = run->output = -1;
	probe->work = run;
	r = begin(probe, run);
	if (r < 0) {
		exec_stop(probe);
		probe->error = -r;
		return OUTCOME_LATER;
	}
	probe->state = PROBE_RECV;
	probe->events = EPOLLIN;
	probe->deadline_usec = deadline_usec;
	return OUTCOME_PENDING;
}

/* ---- what it says ---- */

static void keep_line(struct run *run, const char *bytes, size_t size)
{
	const char *end = memchr(bytes, '\n', size);
	size_t length = end ? (size_t)(end - bytes) : size, room = LINE_MAX_KEPT - run->length;

	if (run->line_ended)
		return;
	if (length > room)
		length = room;
	(void)memcpy(run->line + run->length, bytes, length);
	run->length += length;
	run->line_ended = end || run->length == LINE_MAX_KEPT;
}

/* A single read: a command that never stops talking holds up no other check. Returns whether there may be more. */
static bool hear(struct run *run)
{
	char bytes[READ_SIZE];
	ssize_t n = run->output < 0 ? 0 : read(run->output, bytes, sizeof(bytes));

	if (n > 0)
		keep_line(run, bytes, (size_t)n);
	else if (n == 0)
		close_fd(&run->output); /* takes the descriptor out of epoll, too */
	return n > 0;
}

/* The first line, without the part behind a bar, which plugins write for machines. */
static const char *first_line(struct run *run)
{
	size_t length = strcspn(run->line, "|\r\n");

	while (length > 0 && run->line[length - 1] == ' ')
		length--;
	run->line[length] = '\0';
	return run->line;
}

/* A command that does not say how the node is. */
#define cannot_tell(probe, ...) probe_cannot_tell(probe, REASON_COMMAND_UNKNOWN, __VA_ARGS__)

static enum outcome judge(struct probe *probe, struct run *run, const siginfo_t *info)
{
	const char *said = first_line(run), *signal_name = sigabbrev_np(info->si_status);

	if (run->stage != RUNS)
		return cannot_tell(probe, "not done in time");
	if (info->si_code != CLD_EXITED)
		return cannot_tell(probe, "killed by SIG%s", signal_name ? signal_name : "?");
	switch (info->si_status) {
	case 0:
		return OUTCOME_UP;
	case 1:
		return probe_warn(probe, "%s", *said ? said : "warning");
	case 2:
		return probe_fail(probe, REASON_COMMAND, "%s", said);
	case 3:
		return cannot_tell(probe, "%s", said);
	case EXIT_CANNOT_RUN:
		return cannot_tell(probe, "not run: %s", said);
	default:
		return cannot_tell(probe, "exit status %d: %s", info->si_status, said);
	}
}

/* Ends a run after its leader has exited. */
static enum outcome finish(struct probe *probe)
{
	struct run *run = probe->work;
	enum outcome outcome;
	siginfo_t info;

	run_end(run, &info);
	/* Reads what the command said last: a pipe holds only so much, and no process of the group can add to it. */
	while (!run->line_ended && hear(run))
		;
	outcome = judge(probe, run, &info);
	exec_stop(probe);
	return outcome;
}

static enum outcome exec_ready(struct probe *probe, uint64_t deadline_usec)
{
	struct run *run = probe->work;
	siginfo_t info = { 0 };

	(void)deadline_usec;
	if (waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == run->pid)
		return finish(probe);
	(void)hear(run);
	return OUTCOME_PENDING;
}

/* The command does not even die: it hangs in the kernel, perhaps on a file server. It stays a child of cbprobe until
 * cbprobe ends. */
static enum outcome give_up(struct probe *probe)
{
	struct run *run = probe->work;

	say(LOG_WARNING, "%s: check command cannot be killed, process %d is left", probe->name, (int)run->pid);
	run->pid = 0;
	exec_stop(probe);
	return cannot_tell(probe, "cannot be killed");
}

static enum outcome exec_expired(struct probe *probe, uint64_t deadline_usec)
{
	struct run *run = probe->work;

	(void)deadline_usec;
	if (run->stage == KILLED)
		return give_up(probe);
	(void)kill(-run->pid, run->stage == RUNS ? SIGTERM : SIGKILL);
	run->stage = run->stage == RUNS ? ASKED : KILLED;
	probe->deadline_usec = now_monotonic() + GRACE_USEC;
	return OUTCOME_PENDING;
}

/* ---- struct source ---- */

static void on_sigpipe(int signal)
{
	(void)signal;
}

/* The program that started cbprobe may ignore SIGCHLD: cbprobe would inherit that and get no exit statuses. The guard
 * may be killed, by the kernel's memory killer, say: a write to it is then lost, and nothing more happens. */
static int exec_open(size_t n, int *ret_fd)
{
	const struct sigaction action = { .sa_handler = on_sigpipe, .sa_flags = SA_RESTART };

	(void)ret_fd;
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigaction(SIGPIPE, &action, NULL);
	return guard_open(&guard, n);
}

static void exec_close(void)
{
	guard_close(&guard);
}

static const struct source exec_source = {
	.open = exec_open,
	.close = exec_close,
};

const struct check check_exec = {
	.name = "exec",
	.source = &exec_source,
	.prepare = exec_prepare,
	.forget = exec_forget,
	.start = exec_start,
	.ready = exec_ready,
	.expired = exec_expired,
	.stop = exec_stop,
};

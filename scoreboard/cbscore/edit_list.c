/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * edit_list.c: the verb edit: the node list in an editor, like visudo(8). The
 * editor works on a copy beside the list. The copy replaces the list, and is
 * loaded, only if it is valid. Meanwhile the list is locked against a second
 * editor. In a folder that is not root's, root does all of that but the load as
 * the folder's owner (system/folder.h), and so does the editor.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "verbs.h"
#include "system/folder.h"
#include "system/printable.h"

/* ---- the editor ---- */

static volatile sig_atomic_t editor_pid; /* 0: none runs */
static volatile sig_atomic_t ended_by;   /* a signal that came while no editor ran; 0: none */

static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };

#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

static struct sigaction before[N_SIGNALS]; /* what the signals did before */

/* While the editor runs, SIGTERM and SIGHUP are for the editor, and Ctrl-C is, too, which gets it from the terminal. */
static void on_signal(int number)
{
	if (editor_pid == 0)
		ended_by = number;
	else if (number == SIGTERM || number == SIGHUP)
		(void)kill((pid_t)editor_pid, number);
}

/* From now on no signal ends the process before it has removed its copy. A signal that is ignored stays so. */
static void catch_signals(void)
{
	const struct sigaction catching = { .sa_handler = on_signal };

	for (size_t i = 0; i < N_SIGNALS; i++) {
		(void)sigaction(signals[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &catching, NULL);
	}
}

static void let_signals_be(void)
{
	for (size_t i = 0; i < N_SIGNALS; i++)
		(void)sigaction(signals[i], &before[i], NULL);
}

/* A signal between the fork and wait_for() must find editor_pid: it is blocked until then. */
static void block_signals(sigset_t *ret_before)
{
	sigset_t blocked;

	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < N_SIGNALS; i++)
		(void)sigaddset(&blocked, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, ret_before);
}

/* Waits for the editor, with that mask of signals. 0 and its status, or -errno. */
static int wait_for(pid_t pid, const sigset_t *mask, int *ret_status)
{
	int r;

	editor_pid = pid;
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	while ((r = waitpid(pid, ret_status, 0)) < 0 && errno == EINTR)
		;
	r = r < 0 ? -errno : 0;
	editor_pid = 0;
	return r;
}

/* Becomes for good the user that the process acts as: the editor could take root's rights back. 0 or -1. */
static int stay_the_owner(void)
{
	uid_t user = geteuid();
	gid_t group = getegid();

	return user == getuid() ? 0 : setresgid(group, group, group) < 0 ? -1 : setresuid(user, user, user);
}

/* Runs the editor on the file. STATUS_OK; or STATUS_FAILED, and the error was told. */
static int run_editor(const char *path)
{
	const char *editor = getenv("VISUAL");
	char *command_line;
	sigset_t mask;
	int status = 0;
	pid_t pid;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	/* The variable may contain arguments, so a shell splits it. */
	if (asprintf(&command_line, "%s \"$1\"", editor) < 0)
		return STATUS_FAILED;
	(void)fflush(stdout);
	block_signals(&mask);
	pid = fork();
	if (pid == 0) {
		let_signals_be();
		(void)sigprocmask(SIG_SETMASK, &mask, NULL);
		if (stay_the_owner() == 0)
			(void)execl("/bin/sh", "sh", "-c", command_line, "sh", path, (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	free(command_line);
	if (pid > 0 && wait_for(pid, &mask, &status) == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STATUS_OK;
	if (pid > 0 && WIFSIGNALED(status))
		complain("%s: the editor was ended by SIG%s; nothing is changed", editor, sigabbrev_np(WTERMSIG(status)));
	else
		complain("%s: the editor failed; nothing is changed", editor);
	return STATUS_FAILED;
}

/* ---- the copy ---- */

/* Copies one file to another, both open. 0 or -errno. */
static int copy_file(int from, int to)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			return errno ? -errno : -EIO;
	return n < 0 ? -errno : 0;
}

static bool is_same(const char *a, const char *b)
{
	FILE *x = fopen(a, "re"), *y = fopen(b, "re");
	int c = 0, d = 0;

	while (x && y && c == d && c != EOF) {
		c = fgetc(x);
		d = fgetc(y);
	}
	if (x)
		(void)fclose(x);
	if (y)
		(void)fclose(y);
	return c == d && c == EOF;
}

/* Asks at the terminal whether to go on editing. A signal is a no. */
static bool wants_again(void)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO) || ended_by)
		return false;
	print(stderr, "Edit it again? [Y/n] ");
	return fgets(answer, sizeof(answer), stdin) && answer[0] != 'n' && answer[0] != 'N';
}

/* Edits the copy until it is valid. STATUS_OK; or another status, and the error was told. */
static int edit_until_valid(const char *copy)
{
	struct nodelist list;
	int status;

	do {
		status = run_editor(copy);
		if (status != STATUS_OK)
			return status;
		status = context_read_nodes(copy, NODELIST_ERRORS_SHOWN, &list);
		if (status == STATUS_OK)
			nodelist_clear(&list);
	} while (status == EX_CONFIG && wants_again());
	return status;
}

/* Writes the copy to the disk and replaces the list by it. 0 or -errno. */
static int replace(int fd, const char *copy, const char *path)
{
	if (fsync(fd) < 0 || rename(copy, path) < 0)
		return -errno;
	return 0;
}

/* Makes a copy of the list beside it, with its owner and mode. Returns its descriptor, and its name in *ret_name, which
 * the caller frees; or -errno. */
static int make_copy(int list, const char *path, char **ret_name)
{
	struct stat st;
	int fd, r;

	*ret_name = NULL;
	if (fstat(list, &st) < 0)
		return -errno;
	if (asprintf(ret_name, "%s.XXXXXX", path) < 0) {
		*ret_name = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(*ret_name, O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		free(*ret_name);
		*ret_name = NULL;
		return r;
	}
	r = fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0 ? -errno : copy_file(list, fd);
	if (r < 0) {
		(void)unlink(*ret_name);
		(void)close(fd);
		return r;
	}
	return fd;
}

/* Edits the list, which is open. STATUS_OK, and *ret_changed says whether it was replaced; or another status, and the error
 * was told. */
static int edit_list(const char *path, int list, bool *ret_changed)
{
	char *copy = NULL;
	int fd = make_copy(list, path, &copy), status, r = 0;

	if (fd < 0 || !copy) {
		complain("%s: %s", path, strerror(-fd));
		free(copy);
		return STATUS_FAILED;
	}
	status = edit_until_valid(copy);
	if (status == STATUS_OK && is_same(copy, path)) {
		print(stdout, "%s is unchanged\n", path);
	} else if (status == STATUS_OK) {
		/* The editor may have replaced the copy by another file. */
		int edited = open(copy, O_RDONLY | O_CLOEXEC);
		struct stat st;

		if (edited >= 0 && fstat(list, &st) == 0 && fchmod(edited, st.st_mode & 07777) == 0)
			(void)!fchown(edited, st.st_uid, st.st_gid);
		r = edited < 0 ? -errno : replace(edited, copy, path);
		if (edited >= 0)
			(void)close(edited);
		if (r < 0) {
			complain("%s: %s; nothing is changed", path, strerror(-r));
			status = STATUS_FAILED;
		} else {
			*ret_changed = true;
		}
	}
	(void)unlink(copy); /* gone already if it replaced the list */
	(void)close(fd);
	free(copy);
	return status;
}

/* ---- the list ---- */

/* Whether path is the open file, and not another file that took its place. */
static bool is_at(int fd, const char *path)
{
	struct stat ours, now;

	return fstat(fd, &ours) == 0 && stat(path, &now) == 0 && is_same_file(&ours, &now);
}

static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Opens and locks the list; never waits. A missing list is made, empty, and *ret_made says so; a list behind a link that leads
 * nowhere is not made. The descriptor; -EBUSY: another process has the lock; -EBADMSG: it is not a regular file; or -errno. */
static int lock_list(const char *path, bool *ret_made)
{
	for (;;) {
		int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r;

		if (fd < 0 && errno == ENOENT) {
			fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			*ret_made = fd >= 0;
		}
		if (fd < 0 && errno == EEXIST && !is_link(path))
			continue; /* another process made it meanwhile */
		if (fd < 0)
			return -errno;
		if (!is_regular(fd)) {
			(void)close(fd);
			return -EBADMSG;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			r = errno == EWOULDBLOCK ? -EBUSY : -errno;
			(void)close(fd);
			return r;
		}
		/* Another `cbscore edit` replaced the list after this process opened it: this lock is of the old file. */
		if (is_at(fd, path))
			return fd;
		(void)close(fd);
	}
}

static const char *lock_error(int error)
{
	switch (error) {
	case EBUSY:
		return "another cbscore edit has it open";
	case EBADMSG:
		return "expected a regular file";
	default:
		return strerror(error);
	}
}

static int lock_and_edit(const char *name, bool *ret_changed)
{
	/* Where the list is a symbolic link, what it points to is edited, with the rights that the link's folder gives. */
	char *real = realpath(name, NULL);
	const char *path = real ? real : name;
	int status = STATUS_FAILED, fd;
	bool made = false;

	catch_signals();
	fd = lock_list(path, &made);
	if (fd < 0)
		complain("%s: %s", path, lock_error(-fd));
	else
		status = edit_list(path, fd, ret_changed);
	if (made && is_at(fd, path))
		(void)unlink(path); /* nothing was saved, so there is no list as before */
	if (fd >= 0)
		(void)close(fd);
	free(real);
	let_signals_be();
	if (ended_by)
		(void)raise(ended_by);
	return status;
}

static int edit(const struct context *context)
{
	const char *path = context->farm.nodes;
	struct folder_stay stay;
	struct folder folder;
	bool changed = false;
	int status, r = folder_open(path, &folder);

	if (r == 0) {
		r = folder_enter(&folder, &stay);
		folder_close(&folder);
	}
	if (r < 0) {
		complain("%s: %s", path, strerror(-r));
		return STATUS_FAILED;
	}
	status = lock_and_edit(path, &changed);
	folder_leave(&stay);
	return changed ? action_run(&verb_load, context) : status;
}

const struct action verb_edit = {
	.verb = {
		.name = "edit", .arguments = "", .also = "visudo vi",
		.help = "edit the node list; loaded only if it is valid",
	},
	.run = edit, .no_stand_alone = true,
};

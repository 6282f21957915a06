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
	int wait_status;
	pid_t pid;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	/* The variable may contain arguments, so a shell splits it. */
	if (asprintf(&command_line, "%s \"$1\"", editor) < 0)
		return STATUS_FAILED;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (stay_the_owner() == 0)
			(void)execl("/bin/sh", "sh", "-c", command_line, "sh", path, (char *)NULL);
		_exit(127);
	}
	free(command_line);
	/* Ctrl-C is for the editor alone. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	while (pid > 0 && waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	if (pid > 0 && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
		return STATUS_OK;
	complain("%s: the editor failed; nothing is changed", editor);
	return STATUS_FAILED;
}

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

/* Asks at the terminal whether to go on editing. */
static bool wants_again(void)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
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

/* Opens the list, and makes an empty list where there is none: never behind a link that leads nowhere. A descriptor, or
 * -errno. */
static int open_list(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

static int lock_and_edit(const char *path, bool *ret_changed)
{
	int fd = open_list(path), status = STATUS_FAILED;

	if (fd < 0)
		complain("%s: %s", path, strerror(-fd));
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		complain("%s: %s", path, errno == EWOULDBLOCK ? "somebody else edits it" : strerror(errno));
	else
		status = edit_list(path, fd, ret_changed);
	if (fd >= 0)
		(void)close(fd);
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
		.help = "edit the node list; it is replaced and loaded only if valid",
	},
	.run = edit,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cbbench-memory: how much memory a peer needs, including processes that come and go.
 *
 *     cbbench-memory SESSION CGROUP [--watch]
 *
 * sums the proportional memory (PSS) of all processes of a session. It also
 * takes what the whole machine uses and what is charged to a control group
 * (CGROUP is the folder of its memory.stat, files are not counted; may be ""). It
 * prints "pss=KB used=KB charged=KB processes=N", charged=-1 without a group. With
 * --watch it looks five times a second until its input ends, and prints the
 * highest of each. It reads /proc by itself, as a shell is too slow: a relay that
 * serves one client has ended before a shell has read its files.
 */
#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct memory {
	long pss, used, charged, processes;
};

/* The session of a process; -1 if it has ended. */
static long session_of(const char *pid)
{
	char path[64], line[512], *end;
	FILE *file;
	long session = -1;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file) && (end = strrchr(line, ')')) != NULL)
		(void)sscanf(end, ") %*c %*d %*d %ld", &session);
	(void)fclose(file);
	return session;
}

/* The kB behind a key of a file; -1 if there is no such key. */
static long kilobytes(const char *path, const char *key)
{
	char line[256];
	long value = -1;
	FILE *file = fopen(path, "re");

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			value = strtol(line + strlen(key), NULL, 10);
			break;
		}
	}
	(void)fclose(file);
	return value;
}

/* The number behind a key of a file; if key is "", the number that is the whole file. 0 if there is none. */
static long long number_in(const char *folder, const char *name, const char *key)
{
	char path[512], line[256];
	long long value = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0 && (!*key || line[strlen(key)] == ' ')) {
			value = strtoll(line + strlen(key), NULL, 10);
			break;
		}
	}
	(void)fclose(file);
	return value;
}

/* What is charged to a control group of either version; a key that its version has not reads as 0. */
static long charged(const char *cgroup)
{
	long long all = number_in(cgroup, "memory.current", "") + number_in(cgroup, "memory.usage_in_bytes", "");
	long long files = number_in(cgroup, "memory.stat", "file") + number_in(cgroup, "memory.stat", "cache");

	return *cgroup ? (long)((all - files) / 1024) : -1;
}

static struct memory look(long session, const char *cgroup)
{
	struct memory sum = { .charged = charged(cgroup) };
	struct dirent *entry;
	char path[64];
	DIR *proc = opendir("/proc");

	if (!proc) {
		perror("cbbench-memory: /proc");
		exit(71);
	}
	sum.used = kilobytes("/proc/meminfo", "MemTotal:") - kilobytes("/proc/meminfo", "MemAvailable:");
	while ((entry = readdir(proc)) != NULL) {
		long pss;

		if (!isdigit((unsigned char)entry->d_name[0]) || session_of(entry->d_name) != session)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/smaps_rollup", entry->d_name);
		pss = kilobytes(path, "Pss:");
		if (pss < 0)
			continue; /* it has ended */
		sum.pss += pss;
		sum.processes++;
	}
	(void)closedir(proc);
	return sum;
}

int main(int argc, char **argv)
{
	struct memory most;
	char *end = NULL;
	long session = argc >= 2 ? strtol(argv[1], &end, 10) : 0;
	bool watch = argc == 4 && strcmp(argv[3], "--watch") == 0;

	if (session <= 0 || *end || (argc != 3 && !watch)) {
		(void)fprintf(stderr, "usage: cbbench-memory SESSION CGROUP [--watch]\n");
		return 64;
	}
	most = look(session, argv[2]);
	while (watch) {
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
		struct memory now;

		if (poll(&input, 1, 200) != 0)
			break;
		now = look(session, argv[2]);
		most.pss = now.pss > most.pss ? now.pss : most.pss;
		most.used = now.used > most.used ? now.used : most.used;
		most.charged = now.charged > most.charged ? now.charged : most.charged;
		most.processes = now.processes > most.processes ? now.processes : most.processes;
	}
	(void)printf("pss=%ld used=%ld charged=%ld processes=%ld\n", most.pss, most.used, most.charged, most.processes);
	return 0;
}

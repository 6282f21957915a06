/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-etcd.c: the engine that is etcd, by hand.
 *
 *     cbtest-etcd [-t MSEC] [-u USER -p PASSWORD] [-a CA] [-c CERTIFICATE -k KEY] MEMBERS
 *
 * takes a command a line on its standard input, and tells each callback by a line:
 *     read PREFIX          read done 7 / has KEY 5 VALUE / ...
 *     commit WORD...       commit done 8, commit refused, commit unknown; a word is KEY@REVISION (compare),
 *                          KEY=VALUE (put) or KEY- (delete)
 *     watch PREFIX AFTER   changed KEY 9 VALUE, changed KEY 9 (deleted), lost: REASON
 * Behind a failure stands the engine's trouble. It ends at the end of its input, when
 * each request has been answered.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cbshare/etcd.h"

#define WORDS_MAX 512
#define LINE_MAX_ (1 << 18)

static struct engine *engine;
static unsigned under_way;

static void tell_trouble(void)
{
	const char *trouble = etcd_trouble(engine);

	(void)printf("%s%s\n", trouble ? ": " : "", trouble ?: "");
	(void)fflush(stdout);
}

static void on_read(void *context, enum engine_outcome outcome, const struct engine_value *values, size_t n,
		    uint64_t revision)
{
	(void)context;
	under_way--;
	for (size_t i = 0; i < n; i++)
		(void)printf("has %s %" PRIu64 " %s\n", values[i].key, values[i].revision, values[i].value);
	if (outcome == ENGINE_DONE)
		(void)printf("read done %" PRIu64, revision);
	else
		(void)printf("read unknown");
	tell_trouble();
}

static void on_commit(void *context, enum engine_outcome outcome, uint64_t revision)
{
	(void)context;
	under_way--;
	if (outcome == ENGINE_DONE)
		(void)printf("commit done %" PRIu64, revision);
	else
		(void)printf("commit %s", outcome == ENGINE_REFUSED ? "refused" : "unknown");
	tell_trouble();
}

static void on_changed(void *context, const struct engine_value *values, size_t n)
{
	(void)context;
	for (size_t i = 0; i < n; i++)
		(void)printf("changed %s %" PRIu64 " %s%s", values[i].key, values[i].revision,
			     values[i].value ?: "(deleted)", i + 1 < n ? ", " : "\n");
	(void)fflush(stdout);
}

static void on_lost(void *context, const char *reason)
{
	(void)context;
	(void)printf("lost: %s\n", reason);
	(void)fflush(stdout);
}

static int commit(char **words, size_t n)
{
	struct engine_compare compares[WORDS_MAX];
	struct engine_put puts[WORDS_MAX];
	size_t n_compares = 0, n_puts = 0;

	for (size_t i = 0; i < n; i++) {
		char *value = strpbrk(words[i], "@=-");

		if (!value)
			return -1;
		if (*value == '@')
			compares[n_compares++] = (struct engine_compare){ words[i], strtoull(value + 1, NULL, 10) };
		else
			puts[n_puts++] = (struct engine_put){ words[i], *value == '=' ? value + 1 : NULL };
		*value = '\0';
	}
	under_way++;
	return engine->calls->commit(engine, compares, n_compares, puts, n_puts, on_commit, NULL);
}

static int obey(char *line)
{
	char *words[WORDS_MAX], *word;
	size_t n = 0;

	while ((word = strsep(&line, " ")) && n < WORDS_MAX)
		words[n++] = word;
	if (n == 2 && strcmp(words[0], "read") == 0) {
		under_way++;
		return engine->calls->read(engine, words[1], on_read, NULL);
	}
	if (n >= 1 && strcmp(words[0], "commit") == 0)
		return commit(words + 1, n - 1);
	if (n == 3 && strcmp(words[0], "watch") == 0)
		return engine->calls->watch(engine, words[1], strtoull(words[2], NULL, 10), on_changed, on_lost, NULL);
	return -1;
}

/* Obeys the whole lines of the input. false: it has ended. */
static bool read_input(void)
{
	static char text[LINE_MAX_ + 1];
	static size_t size;
	ssize_t n = read(STDIN_FILENO, text + size, LINE_MAX_ - size);
	char *end;

	if (n <= 0)
		return false;
	size += (size_t)n;
	text[size] = '\0';
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		if (obey(text) != 0) {
			(void)fprintf(stderr, "cbtest-etcd: it cannot be done\n");
			exit(1);
		}
		size -= (size_t)(end + 1 - text);
		(void)memmove(text, end + 1, size + 1);
	}
	return true;
}

int main(int argc, char *argv[])
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct etcd_login login = { 0 };
	bool more = true;
	int option, msec = 5000;

	while ((option = getopt(argc, argv, "t:u:p:a:c:k:")) >= 0)
		switch (option) {
		case 't':
			msec = (int)strtol(optarg, NULL, 10);
			break;
		case 'u':
			login.user = optarg;
			break;
		case 'p':
			login.password = optarg;
			break;
		case 'a':
			login.ca = optarg;
			break;
		case 'c':
			login.certificate = optarg;
			break;
		case 'k':
			login.key = optarg;
			break;
		default:
			return 2;
		}
	if (optind != argc - 1)
		return 2;
	if (etcd_open(argv[optind], &login, msec, &engine) < 0) {
		(void)fprintf(stderr, "cbtest-etcd: \"%s\": expected %s\n", argv[optind], ETCD_MEMBERS_SYNTAX);
		return 2;
	}
	while (more || under_way > 0) {
		if (etcd_turn(engine, &input, more, 1000) < 0)
			return 1;
		if (more && input.revents)
			more = read_input();
		input.revents = 0;
	}
	engine->calls->close(engine);
	return 0;
}

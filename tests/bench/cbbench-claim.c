/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cbbench-claim: what a claim and its release cost, in the library alone.
 *
 *     cbbench-claim FILE NODES PROCESSES SECONDS [POLICY]
 *
 * makes a scoreboard FILE of so many nodes, with slots enough that no process
 * waits, and lets so many processes claim and release as fast as they can. us is
 * wall time divided by all pairs, so more processes than processors alone do not
 * raise it. cpu is processor time divided by all pairs, which other work of the
 * machine does not change. The clients are of 2048 addresses. least and most are
 * the pairs of the slowest and the fastest process.
 */
#include "scoreboard.h"
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	atomic_uint ready, go, stop;
	struct {
		_Alignas(64) uint64_t pairs, failures;
	} of[];
};

static void nodes_make(struct nodelist *list, unsigned n, unsigned cores)
{
	char host[32], digits[16];

	(void)snprintf(digits, sizeof(digits), "%u", cores);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(host, sizeof(host), "127.1.%u.%u", i / 250, i % 250 + 1);
		if (nodelist_add(list, "node", host, "3632", digits) != 0) {
			(void)fprintf(stderr, "cbbench-claim: node %s\n", host);
			exit(70);
		}
	}
}

static _Noreturn void work(struct score *s, struct shared *shared, unsigned number, enum score_policy policy)
{
	char client[32];

	struct score_slot slot;
	struct score_target target;
	uint64_t pairs = 0, failures = 0;

	score_after_fork(s);
	(void)atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->go))
		(void)usleep(100);
	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		const struct score_arrival arrival = { .policy = policy, .clients = 2048, .client = client };

		(void)snprintf(client, sizeof(client), "10.0.%u.%u:1", (unsigned)(pairs >> 8 & 7), (unsigned)(pairs & 255));
		if (score_claim(s, &arrival, &slot, &target, NULL) == 0 &&
		    score_release(s, &slot, 64, 64, true) == 0)
			pairs++;
		else
			failures++;
	}
	shared->of[number].pairs = pairs;
	shared->of[number].failures = failures;
	_exit(0);
}

static unsigned argument(const char *text, const char *name, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || !value || value > most) {
		(void)fprintf(stderr, "cbbench-claim: %s \"%s\": expected 1 to %u\n", name, text, most);
		exit(64);
	}
	return (unsigned)value;
}

/* Microseconds of processor time of all processes that have ended. */
static double cpu_usec(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void result_print(const struct shared *shared, unsigned processes, double seconds)
{
	uint64_t pairs = 0, failures = 0, least = UINT64_MAX, most = 0;

	for (unsigned i = 0; i < processes; i++) {
		pairs += shared->of[i].pairs;
		failures += shared->of[i].failures;
		least = shared->of[i].pairs < least ? shared->of[i].pairs : least;
		most = shared->of[i].pairs > most ? shared->of[i].pairs : most;
	}
	(void)printf("ok=%" PRIu64 " failures=%" PRIu64 " us=%.3f cpu=%.3f least=%" PRIu64 " most=%" PRIu64 "\n", pairs, failures,
		     pairs ? seconds * 1e6 / (double)pairs : 0, pairs ? cpu_usec() / (double)pairs : 0, least, most);
}

int main(int argc, char **argv)
{
	struct nodelist list = { 0 };
	struct shared *shared;
	struct score *s;
	enum score_policy policy = POLICY_FASTEST;
	unsigned nodes, processes, died = 0;
	double seconds;
	uint64_t start;
	int error, status;

	if (argc == 6)
		policy = policy_from_string(argv[5]);
	if (argc < 5 || argc > 6 || policy == POLICY_INVALID_) {
		(void)fprintf(stderr, "usage: cbbench-claim FILE NODES PROCESSES SECONDS [POLICY]\n");
		return 64;
	}
	nodes = argument(argv[2], "NODES", 60000);
	processes = argument(argv[3], "PROCESSES", 1000);
	seconds = strtod(argv[4], NULL);
	nodes_make(&list, nodes, processes / nodes + 4);
	(void)unlink(argv[1]);
	error = score_open(argv[1], &list, &s);
	if (error < 0) {
		(void)fprintf(stderr, "cbbench-claim: %s: %s\n", argv[1], score_strerror(error));
		return 71;
	}
	shared = mmap(NULL, sizeof(*shared) + processes * sizeof(shared->of[0]), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 71;
	for (unsigned i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == 0)
			work(s, shared, i, policy);
		if (pid < 0) {
			perror("cbbench-claim: fork");
			return 71;
		}
	}
	while (atomic_load(&shared->ready) < processes && waitpid(-1, &status, WNOHANG) == 0)
		(void)usleep(1000);
	start = now_nsec();
	atomic_store(&shared->go, 1);
	while ((double)(now_nsec() - start) < seconds * 1e9)
		(void)usleep(1000);
	seconds = (double)(now_nsec() - start) / 1e9;
	atomic_store(&shared->stop, 1);
	for (unsigned i = 0; i < processes; i++) {
		if (wait(&status) < 0 || status)
			died++;
	}
	(void)score_close(s);
	(void)unlink(argv[1]);
	nodelist_clear(&list);
	result_print(shared, processes, seconds);
	if (died)
		(void)fprintf(stderr, "cbbench-claim: %u processes failed\n", died);
	return died ? 70 : 0;
}

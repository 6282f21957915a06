/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * scoreboard.c: any bytes as a scoreboard. Two sound scoreboards are made at the
 * start. An input damages a copy of one of them; then everything that programs
 * call is called on it. Every error is right; a crash, a hang or a wrong use of
 * memory is not.
 *
 * An input is a byte that says which scoreboard and where in the list of calls to
 * begin, and then damages. Each is: its kind, which record, where (two bytes
 * each, the higher first), and what belongs to the kind:
 *   BYTES    a length, bytes              over the record, from where on
 *   NUMBER   which of the numbers below   over the record's where-th 32 bits
 *   FILE     a length, bytes              over the file, at record * 65536 + where
 *   CUT                                   the file ends there
 *   INTENT   a length, bytes              a patch to a record (see intent.h), in an intent that is complete
 *
 * The file is in memory, and has no name but /proc/self/fd/N, so nothing is left
 * behind in any case.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tdb.h>

#include "farm/claim.h"
#include "fuzz.h"
#include "store/intent.h"
#include "store/key.h"
#include "scoreboard.h"

#define RECORDS_MAX 320

struct place {
	size_t offset, size;      /* of a record's data in the file */
	uint32_t kind, a, b;      /* STORE_KIND_MAX_: "intent" or "applied" */
};

/* A sound scoreboard. */
struct board {
	unsigned char *image;
	size_t size;
	struct place places[RECORDS_MAX];
	unsigned n_places;
	struct score_ticket waiting, granted;
	struct score_slot held;
};

static struct board boards[2];
static struct nodelist lists[3];
static char file_path[64];
static int file_fd = -1;

/* A large allocation, such as 3.6 GB for a million nodes, may fail. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=8192";
}

/* ---- making the sound scoreboards ---- */

static void parse(const char *text, struct nodelist *ret)
{
	MUST(nodelist_parse("list", text, strlen(text), ret) == 0);
	MUST(ret->n_errors == 0);
}

static void make_lists(void)
{
	char text[8192];
	size_t n = 0;

	parse("127.0.0.1, 1, 3, 0, speed=2.5\n127.0.0.1, 2, 9, 0, check=tcp\n"
	      "[::1], 3, 1, 0, backup, proxy=v2\n127.0.0.1, 4, 1, 0x40000000\n", &lists[0]);
	/* More than one page of the index, so that it has a second level. */
	for (unsigned i = 1; i <= 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "127.0.0.2, %u, %u, %s\n", i, 1 + i % 2,
				      i % 7 ? "0" : "0x80000000");
	parse(text, &lists[1]);
	/* The list that is loaded over either: some nodes stay, some go, one is new, cores change. */
	parse("127.0.0.1, 2, 1, 0\n127.0.0.1, 1, 17, 0, speed=0.5\n127.0.0.2, 5, 3, 0\n127.0.0.3, 1, 1, 0\n", &lists[2]);
}

static struct score *open_board(const char *path, const struct nodelist *list)
{
	struct score *s;

	MUST(score_open(path, list, &s) == 0);
	return s;
}

/* Runs fn in a child, for what a killed process leaves behind. The child lives until it is killed, so that it is not
 * reaped too early. */
static pid_t in_child(struct score *s, void (*fn)(struct score *s))
{
	int done[2];
	pid_t pid;
	char byte;

	MUST(pipe(done) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		score_after_fork(s);
		fn(s);
		MUST(write(done[1], "", 1) == 1);
		for (;;)
			(void)pause();
	}
	(void)close(done[1]);
	MUST(read(done[0], &byte, 1) == 1);
	(void)close(done[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static int claim_one(struct score *s, struct score_slot *ret)
{
	struct score_target target;

	return score_claim(s, &(struct score_arrival){ .client = "192.0.2.1:1234" }, ret, &target, NULL);
}

static void leave_slot(struct score *s)
{
	struct score_slot slot;

	MUST(claim_one(s, &slot) == 0);
}

static void leave_ticket(struct score *s)
{
	struct score_ticket ticket;

	MUST(score_join(s, &(struct score_arrival){ .client = "192.0.2.2:1234" }, &ticket) == 1);
}

/* Notes where a record's data is: tdb keeps it right behind the key. */
static int find_place(struct tdb_context *tdb, TDB_DATA key, TDB_DATA value, void *arg)
{
	struct board *board = arg;
	struct place *place = &board->places[board->n_places];
	size_t size = key.dsize + value.dsize;
	unsigned char *both = malloc(size);
	const unsigned char *found;
	enum store_kind kind;
	uint32_t a, b;

	(void)tdb;
	if (board->n_places == RECORDS_MAX) {
		free(both);
		return 0;
	}
	MUST(both);
	(void)memcpy(both, key.dptr, key.dsize);
	(void)memcpy(both + key.dsize, value.dptr, value.dsize);
	found = memmem(board->image, board->size, both, size);
	free(both);
	MUST(found);
	*place = (struct place){
		.offset = (size_t)(found - board->image) + key.dsize, .size = value.dsize, .kind = STORE_KIND_MAX_,
	};
	if (key_read((const char *)key.dptr, key.dsize, &kind, &a, &b))
		*place = (struct place){ place->offset, place->size, kind, a, b };
	board->n_places++;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	if (x->b != y->b)
		return x->b < y->b ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size);
}

static void read_board(const char *path, struct board *board)
{
	FILE *file = fopen(path, "re");
	struct tdb_context *tdb;
	struct stat st;

	MUST(file && fstat(fileno(file), &st) == 0);
	board->size = (size_t)st.st_size;
	board->image = malloc(board->size);
	MUST(board->image && fread(board->image, 1, board->size, file) == board->size);
	(void)fclose(file);
	tdb = tdb_open(path, 0, TDB_NOSYNC, O_RDWR, 0);
	MUST(tdb && tdb_traverse_read(tdb, find_place, board) > 0);
	(void)tdb_close(tdb);
	/* Sorts the places in an order that does not depend on the file, for the seeds. */
	qsort(board->places, board->n_places, sizeof(board->places[0]), compare_places);
}

static void make_board(const char *path, const struct nodelist *list, struct board *board)
{
	char page[128];
	struct score *s = open_board(path, list);
	struct score_target target;
	struct score_slot slot;
	pid_t children[2];
	struct score_edge edge;

	/* A slot is held, another is held by a process that will be dead, another is granted. When all slots are taken, a
	 * dead waiter and a live waiter join. */
	MUST(claim_one(s, &board->held) == 0);
	children[0] = in_child(s, leave_slot);
	MUST(score_join(s, &(struct score_arrival){ .client = "192.0.2.3:1234" }, &board->granted) == 0);
	MUST(claim_one(s, &slot) == 0);
	MUST(score_failed(s, &slot, REASON_REFUSED, 1000000, &(struct score_arrival){ .client = "192.0.2.1:1234" }, &edge,
			  &slot, &target, &(struct score_ticket){ 0 }) >= 0);
	while (claim_one(s, &slot) == 0)
		;
	children[1] = in_child(s, leave_ticket);
	MUST(score_join(s, &(struct score_arrival){ .client = "192.0.2.4:1234" }, &board->waiting) == 1);
	/* The first node of the list drains from now on. */
	list = &(struct nodelist){ .nodes = list->nodes + 1, .n_nodes = list->n_nodes - 1 };
	MUST(score_load(s, list, NULL) == 0);
	(void)score_close(s);
	end_child(children[0]);
	end_child(children[1]);
	read_board(path, board);
	MUST(unlink(path) == 0);
	(void)snprintf(page, sizeof(page), "%s.lock", path);
	MUST(unlink(page) == 0 || errno == ENOENT);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char folder[64], path[96];

	(void)argc;
	(void)argv;
	make_lists();
	(void)snprintf(folder, sizeof(folder), "%s/corebalance-fuzz.XXXXXX", base);
	MUST(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/scoreboard.tdb", folder);
	for (unsigned i = 0; i < 2; i++)
		make_board(path, &lists[i], &boards[i]);
	MUST(rmdir(folder) == 0);

	file_fd = memfd_create("scoreboard.tdb", MFD_CLOEXEC);
	MUST(file_fd >= 0);
	(void)snprintf(file_path, sizeof(file_path), "/proc/self/fd/%d", file_fd);
	return 0;
}

/* ---- damaging a scoreboard ---- */

struct input {
	const uint8_t *p, *end;
};

static uint32_t take(struct input *input, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | (input->p < input->end ? *input->p++ : 0u);
	return value;
}

static void overwrite_at(unsigned char *at, size_t room, const uint8_t *data, size_t size)
{
	(void)memcpy(at, data, size < room ? size : room);
}

static const struct place *place_of(const struct board *board, const char *name)
{
	for (unsigned i = 0; i < board->n_places; i++) {
		const struct place *place = &board->places[i];

		if (place->kind == STORE_KIND_MAX_ && place->size == (strcmp(name, "intent") == 0 ? INTENT_SIZE : 8))
			return place;
	}
	abort();
}

/* Writes an intent as a killed process may leave it: with the next sequence number and the right checksum. */
static void write_intent(const struct board *board, unsigned char *image, const struct place *target, uint32_t where,
			 const uint8_t *data, size_t size)
{
	const struct patch patch = {
		.kind = target->kind, .a = target->a, .b = target->b, .offset = where, .size = (uint32_t)size,
	};
	struct intent intent = { 0 };
	uint64_t applied;

	(void)memcpy(&applied, image + place_of(board, "applied")->offset, sizeof(applied));
	intent_begin(&intent, applied + 1);
	if (size > 0 && data[0] == 255) { /* the bytes are the patches themselves */
		(void)memcpy(intent.patches, data + 1, size - 1);
		intent.n_patches = 60;
	} else {
		MUST(intent_add(&intent, &patch, data) == 0);
	}
	intent.size = INTENT_SIZE;
	intent_seal(&intent);
	(void)memcpy(image + place_of(board, "intent")->offset, &intent, sizeof(intent));
}

/* Damages the image as the input says. Returns the damaged file's size. */
static size_t damage(const struct board *board, unsigned char *image, struct input *input)
{
	static const uint32_t numbers[] = {
		0, 1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 255, 256, 257, 65535, 65536, 1u << 20, 1000000, 1000001, 1u << 23, 1u << 24,
		(1u << 24) + 1, 0x10000000, 0x1fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffff0,
		0xfffffffe, 0xffffffff,
	};
	enum { BYTES, NUMBER, FILE_BYTES, CUT, INTENT, KINDS };
	size_t size = board->size;

	for (unsigned n = 0; n < 16 && input->p < input->end; n++) {
		uint32_t kind = take(input, 1) % KINDS, record = take(input, 1), where = take(input, 2), length;
		const struct place *place = &board->places[record % board->n_places];
		size_t offset = (size_t)record << 16 | where;

		if (kind == CUT) {
			size = offset % (board->size + 1);
			continue;
		}
		length = take(input, 1);
		if (kind == NUMBER) {
			uint32_t number = numbers[length % (sizeof(numbers) / sizeof(numbers[0]))];

			offset = where * 4u % (place->size - 3);
			overwrite_at(image + place->offset + offset, place->size - offset,
				     (const uint8_t *)&number, sizeof(number));
			continue;
		}
		if (length > (size_t)(input->end - input->p))
			length = (uint32_t)(input->end - input->p);
		if (kind == BYTES)
			overwrite_at(image + place->offset + where % place->size, place->size - where % place->size,
				     input->p, length);
		else if (kind == FILE_BYTES)
			overwrite_at(image + offset % board->size, board->size - offset % board->size, input->p, length);
		else
			write_intent(board, image, place, where, input->p, length);
		input->p += length;
	}
	return size;
}

/* ---- calling everything ---- */

struct state {
	struct score *s;
	const struct board *board;
	enum score_policy policy;
	struct score_slot slot;          /* the last slot that was claimed here */
	struct score_ticket ticket;
};

static size_t eaten;

/* Reads every byte: the sanitizer reports memory that does not belong to the program. */
static void eat(const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		eaten += p[i];
}

static int see_node(const struct score_node *node, void *arg)
{
	char line[1024];

	(void)arg;
	eat(node, sizeof(*node));
	eaten += strlen(node->config.name) + strlen(node->detail) + strlen(reason_to_string(node->reason));
	eaten += (size_t)node_config_format(&node->config, line, sizeof(line));
	MUST(node->n_addresses <= SCORE_ADDRESSES_MAX);
	MUST(node->config.name[NODE_NAME_MAX] == '\0' || strlen(node->config.name) < NODE_NAME_MAX);
	MUST(node_state_to_string(node->state));
	return 0;
}

static int see_slot(const struct score_slot_info *info, void *arg)
{
	(void)arg;
	eaten += strlen(info->node) + strlen(info->client) + info->slot + info->taken;
	return 0;
}

static int see_ticket(const struct score_ticket_info *info, void *arg)
{
	(void)arg;
	eaten += strlen(info->client) + info->number;
	return 0;
}

static void hear(const char *finding, void *arg)
{
	(void)arg;
	eaten += strlen(finding);
}

static void show(const char *finding, void *arg)
{
	(void)arg;
	(void)fprintf(stderr, "still: %s\n", finding);
}

static void see_target(int r, const struct score_target *target)
{
	if (r != 0)
		return;
	eaten += strlen(target->name);
	MUST(target->n_addresses <= SCORE_ADDRESSES_MAX);
	eat(target->addresses, target->n_addresses * sizeof(target->addresses[0]));
}

static void call_look(struct state *t)
{
	struct score_totals totals;
	struct score_choice choice;

	(void)score_each_node(t->s, see_node, NULL);
	(void)score_each_slot(t->s, see_slot, NULL);
	(void)score_each_ticket(t->s, see_ticket, NULL);
	(void)score_totals(t->s, &totals);
	for (enum score_policy policy = 0; policy < POLICY_MAX_; policy++)
		(void)score_explain(t->s, policy, "192.0.2.9:1", &choice, see_node, NULL);
}

static void call_claim(struct state *t)
{
	struct score_target target;
	const struct score_arrival arrival = { .policy = t->policy, .clients = 20, .client = "192.0.2.9:1", .queue_limit = 100 };
	int r = score_claim(t->s, &arrival, &t->slot, &target, &t->ticket);

	see_target(r, &target);
	if (r == 1)
		(void)score_granted(t->s, &t->ticket);
}

static void call_join(struct state *t)
{
	const char *client = "a client whose name is longer than sixty-three bytes, so that it must be cut";

	(void)score_join(t->s, &(struct score_arrival){ .policy = t->policy, .client = client }, &t->ticket);
}

static void call_take(struct state *t)
{
	struct score_ticket granted = t->board->granted;
	struct score_target target;

	see_target(score_take(t->s, &granted, &t->slot, &target), &target);
	see_target(score_take(t->s, &t->ticket, &t->slot, &target), &target);
}

static void call_connected(struct state *t)
{
	struct score_edge edge;

	(void)score_progress(t->s, &t->board->held, 1, 2);
	(void)score_connected(t->s, &t->board->held, &edge);
	(void)score_connected(t->s, &t->slot, &edge);
	(void)score_answered(t->s, &t->slot, &edge);
}

static void call_failed(struct state *t)
{
	struct score_target target;
	struct score_edge edge;
	int r = score_failed(t->s, &t->slot, REASON_REFUSED, 1000,
			     &(struct score_arrival){ .policy = t->policy, .client = "192.0.2.9:2" }, &edge, &t->slot, &target,
			     &t->ticket);

	see_target(r, &target);
}

static void call_release(struct state *t)
{
	struct score_edge edge;

	(void)score_doubted(t->s, &t->slot, 1, REASON_SILENT, 1000, &edge);
	(void)score_release(t->s, &t->board->held, 1, 2, true);
	(void)score_release(t->s, &t->slot, 1, 2, false);
}

static void call_leave(struct state *t)
{
	(void)score_leave(t->s, &t->ticket);
	(void)score_leave(t->s, &t->board->granted);
	(void)score_leave(t->s, &t->board->waiting);
}

static void call_reap(struct state *t)
{
	unsigned slots, tickets;

	(void)score_reap(t->s, &slots, &tickets);
}

static void call_guard(struct state *t)
{
	struct score_ticket waiting = t->board->waiting;
	pid_t pid;
	int fd;

	if (score_guard(t->s, &waiting, &pid, &fd) == 0 && fd >= 0)
		(void)close(fd);
}

static void call_verdict(struct state *t)
{
	char before[NODE_FINGERPRINT_MAX + 1];
	struct agent_line line;
	struct score_edge edge;
	struct score_slot slot;
	bool served;

	for (uint32_t node = 1; node < 5; node++) {
		(void)score_agent(t->s, node, NULL, node % 2 ? "drain 7% maxconn:1" : "ready weight:9 up", &line, &edge);
		if (score_claim_node(t->s, node, "probe", &slot, &served) == 0)
			(void)score_unclaim(t->s, &slot, node % 2);
		(void)score_set_fingerprint(t->s, node, NULL, "x86-64", before);
		(void)score_verdict(t->s, node, &(struct score_verdict){ .success = node % 2, .reason = REASON_RESET,
				    .detail = "said so", .rise = 1, .fall = 1, .flaps = 2, .flap_usec = UINT64_MAX / 2,
				    .down_after_usec = 1, .shallow = true, .work_usec = 1000 * node }, &edge);
		(void)score_set_addresses(t->s, node, &(struct score_address){ .sa.sa_family = AF_INET }, node % 3 == 1);
	}
	(void)score_age(t->s);
}

static void call_hold(struct state *t)
{
	(void)score_unhold(t->s, "127.0.0.1:4");
	(void)score_hold(t->s, "127.0.0.1:2", "a disk");
	(void)score_hold(t->s, "127.0.0.2:9", NULL);
}

static void call_load(struct state *t)
{
	struct score_load_result result;

	(void)score_load(t->s, &lists[2], &result);
	(void)score_load(t->s, &lists[0], NULL);
}

static void call_edit(struct state *t)
{
	struct score_edit edit = { .what = EDIT_ADD, .config = lists[2].nodes[3] };

	(void)score_edit(t->s, &edit, NULL);
	edit.what = EDIT_SET;
	edit.config.cores = 9;
	edit.fields = field_bit(field_find("cores", 5));
	(void)score_edit(t->s, &edit, NULL);
	edit.what = EDIT_REMOVE;
	(void)score_edit(t->s, &edit, NULL);
}

static void call_fsck(struct state *t)
{
	unsigned findings;

	(void)score_fsck(t->s, false, hear, NULL, &findings);
}

/* A scoreboard that a repair calls sound must be sound at the next look. */
static void call_repair(struct state *t)
{
	unsigned findings;
	int r = score_fsck(t->s, true, hear, NULL, &findings);

	if (r < 0)
		return;
	r = score_fsck(t->s, false, show, NULL, &findings);
	MUST(r == 0 && findings == 0);
}

static void (*const calls[])(struct state *t) = {
	call_look, call_claim, call_connected, call_failed, call_join, call_fsck, call_take, call_release, call_leave,
	call_guard, call_reap, call_verdict, call_hold, call_load, call_edit, call_repair,
};

#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, data + size };
	uint32_t head = take(&input, 1);
	struct state state = { .board = &boards[head & 1], .policy = (enum score_policy)((head >> 1 & 7) % POLICY_MAX_) };
	unsigned char *image = malloc(state.board->size);
	unsigned first = head >> 3 & 31;
	int r;

	MUST(image);
	(void)memcpy(image, state.board->image, state.board->size);
	size = damage(state.board, image, &input);
	/* The file is never cut while it is open: an access to a mapped page behind its end raises a signal. */
	MUST(ftruncate(file_fd, 0) == 0 && pwrite(file_fd, image, size, 0) == (ssize_t)size);
	free(image);

	state.slot = state.board->held;
	state.ticket = state.board->waiting;
	r = score_open(file_path, NULL, &state.s);
	MUST(score_strerror(r));
	if (r < 0)
		return 0;
	/* 16 to 31: begins with the repair, with no call before it. */
	for (unsigned i = 0; i < N_CALLS; i++)
		calls[(first < N_CALLS ? first + i : N_CALLS - 1 + i) % N_CALLS](&state);
	(void)score_close(state.s);
	return 0;
}

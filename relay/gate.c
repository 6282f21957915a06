/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * gate.c: an array of bytes and a few numbers, all changed by single atomic
 * operations, as a relay may be killed between any two. A killed relay leaves its
 * byte behind; the listener removes the byte when it learns of the death. Whether
 * any relay is idle is found by a scan, 64 bytes to the cache line.
 *
 * Sleeping and calling follow the usual pattern: the listener asks to be called
 * and then looks again; the relay changes its byte and then looks whether it is to
 * call. Both are sequentially consistent, so at least one of the two sees the other.
 */

#include "gate.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "system/timespan.h"

enum { ABSENT, COMING, IDLE, GIVEN, TAKING, REVOKED, BUSY, RETIRED };

struct gate_memory {
	_Atomic uint32_t position;
	_Atomic uint32_t calls;
	_Atomic uint32_t full;
	_Atomic bool is_short;         /* of something that accept(2) needs, and a process has said so */
	_Atomic uint32_t top;          /* no relay at or behind it */
	_Atomic uint64_t accepted;
	_Atomic uint64_t rested_usec;
	_Atomic unsigned char state[GATE_RELAYS_MAX];
	_Atomic bool deaf[GATE_RELAYS_MAX];
	_Atomic bool shared[GATE_RELAYS_MAX];
	pid_t born[GATE_RELAYS_MAX];
};

int gate_make(struct gate *ret)
{
	int r;

	*ret = (struct gate){ .call_fd = -1, .open_fd = -1 };
	ret->memory = mmap(NULL, sizeof(*ret->memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ret->memory == MAP_FAILED) {
		ret->memory = NULL;
		return -errno;
	}
	ret->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret->open_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ret->call_fd >= 0 && ret->open_fd >= 0)
		return 0;
	r = -errno;
	gate_clear(ret);
	return r;
}

void gate_clear(struct gate *gate)
{
	if (gate->memory)
		(void)munmap(gate->memory, sizeof(*gate->memory));
	if (gate->call_fd >= 0)
		(void)close(gate->call_fd);
	if (gate->open_fd >= 0)
		(void)close(gate->open_fd);
	*gate = (struct gate){ .call_fd = -1, .open_fd = -1 };
}

/* Only whether the counter of the eventfd(2) is 0 matters. The calls never block, and a call that changes nothing does
 * no harm. */
static void raise_event(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void clear_event(int fd)
{
	uint64_t any;

	(void)!read(fd, &any, sizeof(any));
}

/* ---- the listener ---- */

void gate_set(struct gate *gate, enum gate_position position)
{
	if (atomic_exchange(&gate->memory->position, position) == (uint32_t)position)
		return;
	if (position == GATE_LISTENER)
		clear_event(gate->open_fd);
	else
		raise_event(gate->open_fd);
}

void gate_add(struct gate *gate, size_t relay, bool given)
{
	if (relay >= atomic_load(&gate->memory->top))
		atomic_store(&gate->memory->top, (uint32_t)relay + 1);
	atomic_store(&gate->memory->deaf[relay], false);
	atomic_store(&gate->memory->state[relay], given ? GIVEN : COMING);
}

pid_t *gate_born(struct gate *gate, size_t relay)
{
	return &gate->memory->born[relay];
}

bool gate_is_deaf(const struct gate *gate, size_t relay)
{
	return atomic_load(&gate->memory->deaf[relay]);
}

bool gate_is_retired(const struct gate *gate, size_t relay)
{
	return atomic_load(&gate->memory->state[relay]) == RETIRED;
}

void gate_remove(struct gate *gate, size_t relay)
{
	uint32_t top = atomic_load(&gate->memory->top);

	if (atomic_load(&gate->memory->state[relay]) > GIVEN)
		atomic_store(&gate->memory->rested_usec, now_boottime());
	atomic_store(&gate->memory->state[relay], ABSENT);
	while (top > 0 && atomic_load(&gate->memory->state[top - 1]) == ABSENT)
		top--;
	atomic_store(&gate->memory->top, top);
}

static size_t find(const struct gate *gate, size_t from, unsigned char state)
{
	size_t top = atomic_load(&gate->memory->top);

	for (size_t i = from; i < top; i++)
		if (atomic_load(&gate->memory->state[i]) == state)
			return i;
	return GATE_RELAYS_MAX;
}

size_t gate_find_idle(const struct gate *gate, size_t from)
{
	return find(gate, from, IDLE);
}

static size_t count(const struct gate *gate, unsigned char state)
{
	size_t n = 0;

	for (size_t i = find(gate, 0, state); i < GATE_RELAYS_MAX; i = find(gate, i + 1, state))
		n++;
	return n;
}

size_t gate_count_idle(const struct gate *gate)
{
	return count(gate, IDLE);
}

size_t gate_count_coming(const struct gate *gate)
{
	return count(gate, COMING);
}

bool gate_any_busy(const struct gate *gate)
{
	size_t top = atomic_load(&gate->memory->top);

	for (size_t i = 0; i < top; i++)
		if (atomic_load(&gate->memory->state[i]) > IDLE)
			return true;
	return false;
}

uint64_t gate_rested_usec(const struct gate *gate)
{
	return atomic_load(&gate->memory->rested_usec);
}

static bool move(struct gate *gate, size_t relay, unsigned char from, unsigned char to)
{
	return atomic_compare_exchange_strong(&gate->memory->state[relay], &from, to);
}

bool gate_reserve(struct gate *gate, size_t relay)
{
	return move(gate, relay, IDLE, GIVEN);
}

enum gate_given gate_given(const struct gate *gate, size_t relay)
{
	switch (atomic_load(&gate->memory->state[relay])) {
	case GIVEN:
		return GIVEN_UNTAKEN;
	case TAKING:
		return GIVEN_TAKING;
	default:
		return GIVEN_TAKEN;
	}
}

bool gate_revoke(struct gate *gate, size_t relay)
{
	return move(gate, relay, GIVEN, REVOKED);
}

void gate_share(struct gate *gate, size_t relay, bool shared)
{
	atomic_store(&gate->memory->shared[relay], shared);
}

void gate_ask(struct gate *gate, unsigned calls)
{
	atomic_store(&gate->memory->calls, calls);
}

void gate_answer(struct gate *gate)
{
	clear_event(gate->call_fd);
}

bool gate_was_full(struct gate *gate)
{
	return atomic_exchange(&gate->memory->full, 0);
}

uint64_t gate_accepted(const struct gate *gate)
{
	return atomic_load(&gate->memory->accepted);
}

/* ---- a relay ---- */

static void call(struct gate *gate, unsigned about)
{
	if (atomic_fetch_and(&gate->memory->calls, ~about) & about)
		raise_event(gate->call_fd);
}

enum gate_position gate_get(const struct gate *gate)
{
	return (enum gate_position)atomic_load(&gate->memory->position);
}

void gate_rest(struct gate *gate, size_t relay)
{
	unsigned calls;

	atomic_store(&gate->memory->rested_usec, now_boottime());
	atomic_store(&gate->memory->state[relay], IDLE);
	calls = atomic_load(&gate->memory->calls);
	if (calls & CALL_REST)
		call(gate, CALL_REST);
	if (calls & CALL_ALL_IDLE && !gate_any_busy(gate))
		call(gate, CALL_ALL_IDLE);
}

bool gate_others_idle(const struct gate *gate, size_t relay)
{
	size_t first = gate_find_idle(gate, 0);

	return (first == relay ? gate_find_idle(gate, relay + 1) : first) < GATE_RELAYS_MAX;
}

bool gate_take(struct gate *gate, size_t relay)
{
	return move(gate, relay, IDLE, BUSY);
}

void gate_took(struct gate *gate)
{
	unsigned calls = atomic_load(&gate->memory->calls);

	atomic_fetch_add(&gate->memory->accepted, 1);
	if (calls & CALL_WORK)
		call(gate, CALL_WORK);
	if (calls & CALL_NO_IDLE && find(gate, 0, IDLE) == GATE_RELAYS_MAX)
		call(gate, CALL_NO_IDLE);
}

bool gate_begin_taking(struct gate *gate, size_t relay)
{
	return move(gate, relay, GIVEN, TAKING);
}

bool gate_is_shared(const struct gate *gate, size_t relay)
{
	return atomic_load(&gate->memory->shared[relay]);
}

void gate_taken(struct gate *gate, size_t relay)
{
	atomic_store(&gate->memory->state[relay], BUSY);
	if (atomic_load(&gate->memory->calls) & CALL_TAKEN)
		call(gate, CALL_TAKEN);
}

void gate_retire(struct gate *gate, size_t relay)
{
	atomic_store(&gate->memory->state[relay], RETIRED);
}

void gate_tell_full(struct gate *gate)
{
	if (atomic_exchange(&gate->memory->full, 1) == 0)
		raise_event(gate->call_fd);
}

void gate_tell_deaf(struct gate *gate, size_t relay)
{
	atomic_store(&gate->memory->deaf[relay], true);
}

bool gate_note_shortage(struct gate *gate)
{
	return !atomic_exchange(&gate->memory->is_short, true);
}

void gate_end_shortage(struct gate *gate)
{
	if (atomic_load(&gate->memory->is_short)) /* else the line of memory stays shared by all processors */
		atomic_store(&gate->memory->is_short, false);
}

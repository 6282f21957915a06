/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "wait.h"

#include <errno.h>
#include <signal.h>

#include "system/sigtstp.h"
#include "system/timespan.h"
#include "word.h"

static void (*on_long)(const struct wait_told *told);
static bool (*on_slice)(void);

void wait_call(void (*tell)(const struct wait_told *told), bool (*is_ended)(void))
{
	on_long = tell;
	on_slice = is_ended;
}

struct wait wait_begin(void)
{
	uint64_t now_usec = now_boottime();

	return (struct wait){ .since_usec = now_usec, .next_usec = now_usec + WAIT_SLICE_USEC };
}

bool wait_is_long(const struct wait *wait)
{
	return now_boottime() - wait->since_usec >= WAIT_TELL_USEC;
}

/* Says which process has the lock, and continues a process that was stopped with it. */
static void look_at_owner(struct wait *wait, const struct word *word)
{
	struct wait_told told = { .waited_usec = now_boottime() - wait->since_usec };
	struct holder holder;

	if (word_owner(word, &holder)) {
		told.pid = (pid_t)holder.pid;
		told.stopped = holder_is_stopped(&holder, told.name);
		/* The word is read anew: that process may have left meanwhile, and another may have its pid. */
		if (told.stopped && word_owner(word, &holder) && (pid_t)holder.pid == told.pid && kill(told.pid, SIGCONT) < 0)
			told.woken = -errno;
	}
	if (!wait->told && on_long)
		on_long(&told);
	wait->told = true;
}

int wait_look(struct wait *wait, const struct word *word, bool may_stop)
{
	uint64_t now_usec = now_boottime();

	if (now_usec < wait->next_usec)
		return 0;
	wait->next_usec = now_usec + WAIT_SLICE_USEC;
	if (may_stop) {
		sigtstp_let_in();
		(void)sigtstp_hold_off();
	}
	if (on_slice && on_slice())
		return -EINTR;
	if (word && now_usec - wait->since_usec >= WAIT_TELL_USEC)
		look_at_owner(wait, word);
	return 0;
}

void wait_give_up(const struct wait *wait, pid_t pid)
{
	struct wait_told told = { .pid = pid, .is_tool = true, .waited_usec = now_boottime() - wait->since_usec };
	struct holder holder;

	if (pid > 0 && holder_of(pid, &holder))
		(void)holder_is_stopped(&holder, told.name);
	if (on_long)
		on_long(&told);
}

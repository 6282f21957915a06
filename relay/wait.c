/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "departure.h"
#include "sigterm.h"
#include "limit.h"
#include "system/timespan.h"

/* What a waiter watches: the guard of the queue has a time for its next look; any other waiter watches the next younger
 * waiter, and at times whether there is a guard. */
struct watch {
	uint64_t look_usec;
	int next_fd;           /* pidfd of the next younger waiter, or -1 */
};

static void watch_clear(struct watch *watch)
{
	if (watch->next_fd >= 0)
		(void)close(watch->next_fd);
	watch->next_fd = -1;
}

static int watch_look(struct watch *watch, struct score *score, struct score_ticket *ticket)
{
	pid_t next_pid;
	int r;

	watch_clear(watch);
	r = score_guard(score, ticket, &next_pid, &watch->next_fd);
	watch->look_usec = now_boottime() + SCORE_GUARD_USEC;
	return r == -ESTALE ? 0 : r; /* the ticket no longer waits: score_granted() says what became of it */
}

/* It is time for a look. A waiter that is not the guard looks after the queue only if no other process does. */
static int watch_time(struct watch *watch, struct score *score, struct score_ticket *ticket)
{
	uint64_t usec;
	int r = watch->next_fd < 0 ? 0 : score_is_guarded(score, ticket, &usec);

	if (r == 0)
		return watch_look(watch, score, ticket);
	if (r > 0)
		watch->look_usec = now_boottime() + usec;
	return r < 0 ? r : 0;
}

enum wait_outcome wait_for_slot(struct score *score, const struct settings *settings,
				    struct score_ticket *ticket, int client_fd, bool spoken,
				    uint64_t accepted_usec, int *ret_error)
{
	struct watch watch = { .look_usec = now_boottime() + SCORE_GUARD_USEC, .next_fd = -1 };
	enum wait_outcome outcome = WAIT_FAILED;
	struct departure departure = { .spoken = spoken };
	int wake_fd = score_wake_fd(score), r = wake_fd;

	while (r >= 0) {
		uint64_t now_usec, until_usec, kept_usec = score_kept_until(score);
		struct pollfd fds[3];
		bool woken;

		/* Cleared before the looks: a wake-up during watch_look() counts, as it may be about the very process
		 * watched. */
		woken = score_wake_clear(score);
		r = score_granted(score, ticket);
		if (r > 0)
			outcome = WAIT_GRANTED;
		if (r != 0)
			break;
		/* Woken without a slot: the process that this waiter watches may have stopped waiting without ending.
		 * */
		if (woken && watch.next_fd >= 0)
			r = watch_look(&watch, score, ticket);
		/* Woken without a slot: a free slot may be kept from waiters for a time. Or that time is over. */
		if (r == 0 && score_may_keep(score) && (woken || (kept_usec > 0 && kept_usec <= now_boottime())))
			r = score_deal(score);
		if (r == 0)
			r = limit_is_over(score, settings, accepted_usec, &until_usec);
		if (r > 0)
			outcome = WAIT_TIMED_OUT;
		if (r != 0)
			break;
		now_usec = now_boottime();
		until_usec = watch.look_usec < until_usec ? watch.look_usec : until_usec;
		kept_usec = score_kept_until(score);
		until_usec = kept_usec > 0 && kept_usec < until_usec ? kept_usec : until_usec;

		fds[0] = (struct pollfd){ .fd = departure.hung_up ? -1 : client_fd,
					  .events = departure_events(&departure) };
		fds[1] = (struct pollfd){ .fd = wake_fd, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = watch.next_fd, .events = POLLIN };
		r = sigterm_poll(fds, 3, until_usec == NO_TIMEOUT ? NO_TIMEOUT :
				   until_usec > now_usec ? until_usec - now_usec : 0);
		if (r == -EINTR) {
			outcome = WAIT_INTERRUPTED;
			break;
		}
		if (r < 0)
			break;
		if (departure_check(&departure, client_fd, fds[0].revents, settings->abandon_on_eof)) {
			outcome = WAIT_CLIENT_GONE;
			break;
		}
		if (fds[2].revents)
			r = watch_look(&watch, score, ticket);
		else if (now_boottime() >= watch.look_usec)
			r = watch_time(&watch, score, ticket);
	}
	watch_clear(&watch);
	*ret_error = r;
	return outcome;
}

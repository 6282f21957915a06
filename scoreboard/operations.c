/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * operations.c: what programs call. Each operation is attempted in a section
 * of its own (attempt.h). Two things cannot be done within that section: to repair
 * damage, and to answer the question what this process holds. They are done
 * here, and the operation is attempted again. What a process holds is noted
 * here, too.
 */

#include "scoreboard.h"

#include <errno.h>

#include "farm/attempt.h"
#include "farm/held.h"
#include "farm/section.h"
#include "farm/ticket.h"
#include "repair/lost.h"
#include "repair/rebuild.h"

#define REPAIRS_MAX 16u /* the scoreboard may be damaged again before the operation comes to its turn */
#define ANSWERS_MAX 8u  /* each loss of slots is a question; no process sees so many within one operation */

/* How often an operation has been helped. */
struct help {
	unsigned repairs, answers;
};

static bool is_damage(int r)
{
	return r == -EUCLEAN || r == -EBADMSG || r == -EIDRM || r == -EREMCHG;
}

/* Repairs, unless that was done too often. Returns what came of it, or r. */
static int help_repair(struct score *s, int r, struct help *help)
{
	return help->repairs++ < REPAIRS_MAX ? repair_now(s) : r;
}

/* Goes on with what one section left to others, not to have the lock for long. What fails here the next look for the dead
 * meets again. */
static void deal(struct score *s)
{
	int r = 0;

	while (s->undealt && r == 0) {
		s->undealt = false;
		r = attempt_deal(s);
	}
	s->undealt = false;
}

/* Does what the attempt that ended with *r asks for. Returns whether the attempt is worth repeating; if not, *r is the
 * operation's outcome. */
static bool help(struct score *s, int *r, struct help *help)
{
	bool damaged = is_damage(*r), asked = *r == -EAGAIN && help->answers++ < ANSWERS_MAX;
	int outcome;

	if (s->lost_seen) {
		s->lost_seen = false;
		outcome = lost_reap(s); /* other errors than damage: the next look for the dead meets them again */
		if (is_damage(outcome) && !damaged)
			(void)help_repair(s, outcome, help);
	}
	if (!damaged && !asked) {
		deal(s);
		return false;
	}
	outcome = asked ? lost_answer(s) : *r;
	if (asked && outcome < 0)
		*r = outcome;
	if (is_damage(outcome))
		outcome = help_repair(s, outcome, help);
	/* The damage cannot be repaired now: a caller may wait for a shortage to end, but not for damage to go. */
	if (score_is_shortage(outcome) || outcome == -EINTR)
		*r = outcome;
	return outcome == 0 || (is_damage(outcome) && help->repairs <= REPAIRS_MAX);
}

/* The outcome of an operation: that of the first attempt that does not ask for help, or cannot be helped any more. */
#define OPERATION(s, attempt) \
	({ \
		struct help help_ = { 0 }; \
		int r_; \
		do \
			r_ = (attempt); \
		while (help((s), &r_, &help_)); \
		r_; \
	})

/* An operation on a ticket. A ticket that is not in the queue was lost with a damaged queue: it is put back first. */
#define TICKET_OPERATION(s, ticket, attempt) \
	({ \
		int outcome_ = OPERATION(s, attempt); \
		if (outcome_ == -ESTALE) { \
			outcome_ = OPERATION(s, ticket_put_back((s), (ticket))); \
			if (outcome_ == 0) \
				outcome_ = OPERATION(s, attempt); \
		} \
		outcome_; \
	})

/* ---- the question what this process holds ---- */

void score_answer(struct score *s)
{
	if (is_damage(lost_answer(s)))
		(void)repair_now(s);
}

bool score_wake_clear(struct score *s)
{
	bool any = wake_port_clear(&s->port);

	if (s->port.asked) {
		s->port.asked = false;
		s->times_put_back++; /* this process's tickets may be lost, too: it must look at each */
		(void)score_follow(s); /* the question may come from the users of another file that has the name by now */
		score_answer(s); /* a process that sleeps may make no other call for long */
	}
	return any;
}

/* ---- the operations ---- */

int score_claim(struct score *s, const struct score_arrival *arrival, struct score_slot *ret,
		struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	int r = OPERATION(s, attempt_claim(s, arrival, ret, ret_target, ret_ticket));

	if (r == 0) {
		held_add(s, ret, ret_target->name);
		if (s->look_due)
			(void)score_reap(s, NULL, NULL); /* if this fails, the next look does it */
	}
	return r;
}

int score_join(struct score *s, const struct score_arrival *arrival, struct score_ticket *ret_ticket)
{
	return OPERATION(s, attempt_join(s, arrival, ret_ticket));
}

int score_rejoin(struct score *s, uint64_t number, enum score_policy policy, const char *client,
		 uint32_t per_client, struct score_ticket *ret)
{
	return OPERATION(s, attempt_rejoin(s, number, policy, client, per_client, ret));
}

int score_is_over(struct score *s, const struct score_slot *slot, uint32_t per_client)
{
	return OPERATION(s, attempt_is_over(s, held_at(s, slot), per_client));
}

int score_is_free(struct score *s)
{
	return OPERATION(s, attempt_is_free(s));
}

int score_prepare(struct score *s)
{
	held_prepare(s);
	return OPERATION(s, attempt_prepare(s));
}

int score_take(struct score *s, struct score_ticket *ticket, struct score_slot *ret,
	       struct score_target *ret_target)
{
	int r = TICKET_OPERATION(s, ticket, attempt_take(s, ticket, ret, ret_target));

	if (r == 0)
		held_add(s, ret, ret_target->name);
	return r == -ESTALE ? 1 : r; /* the ticket was lost again at once: the next look puts it back */
}

int score_granted(struct score *s, struct score_ticket *ticket)
{
	int r = TICKET_OPERATION(s, ticket, attempt_granted(s, ticket));

	return r == -ESTALE ? 0 : r; /* as above */
}

int score_next_granted(struct score *s, uint64_t number, uint64_t *ret)
{
	return OPERATION(s, attempt_next_granted(s, number, ret));
}

void score_set_patience(struct score *s, uint64_t usec)
{
	s->patience_usec = usec < SCORE_PATIENCE_MAX_USEC ? usec : SCORE_PATIENCE_MAX_USEC;
	s->is_patient |= usec > 0;
}

uint64_t score_kept_until(const struct score *s)
{
	return s->kept_usec;
}

bool score_may_keep(const struct score *s)
{
	return s->is_patient;
}

int score_deal(struct score *s)
{
	return OPERATION(s, attempt_deal(s));
}

bool score_is_fair(const struct score *s)
{
	return s->is_fair;
}

uint64_t score_times_put_back(const struct score *s)
{
	return s->times_put_back;
}

int score_leave(struct score *s, const struct score_ticket *ticket)
{
	return OPERATION(s, attempt_leave(s, ticket));
}

int score_release(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out, bool served)
{
	int r = OPERATION(s, attempt_release(s, held_at(s, slot), in, out, served));

	held_remove(s, slot);
	/* The node of the slot has another id since: without this slot the process can say what it holds. */
	if (r == -ESTALE)
		score_answer(s);
	return r;
}

int score_failed(struct score *s, const struct score_slot *slot, enum node_reason reason, uint64_t retry_usec,
		 const struct score_arrival *again, struct score_edge *ret_edge, struct score_slot *ret,
		 struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	struct score_slot ours = *slot; /* *slot may be *ret, which an attempt that fails may have begun to fill */
	int r;

	r = OPERATION(s, attempt_failed(s, held_at(s, &ours), reason, retry_usec, again, ret_edge, ret, ret_target, ret_ticket));
	if (r >= 0 || r == -ESTALE) /* else nothing was done, and this process still holds the slot */
		held_remove(s, &ours);
	if (r == 0)
		held_add(s, ret, ret_target->name);
	return r;
}

int score_doubted(struct score *s, const struct score_slot *slot, uint64_t in, enum node_reason reason,
		  uint64_t retry_usec, struct score_edge *ret_edge)
{
	int r = OPERATION(s, attempt_doubted(s, held_at(s, slot), in, reason, retry_usec, ret_edge));

	held_remove(s, slot);
	return r;
}

int score_reached(struct score *s, const struct score_slot *slot, const struct score_target *tried, unsigned reached,
		  uint32_t unreached)
{
	return OPERATION(s, attempt_reached(s, held_at(s, slot), tried, reached, unreached));
}

int score_connected(struct score *s, const struct score_slot *slot, struct score_edge *ret_edge)
{
	return OPERATION(s, attempt_pass_trial(s, held_at(s, slot), false, ret_edge));
}

int score_answered(struct score *s, const struct score_slot *slot, struct score_edge *ret_edge)
{
	return OPERATION(s, attempt_pass_trial(s, held_at(s, slot), true, ret_edge));
}

int score_rename(struct score *s, const struct score_slot *slot, const char *client)
{
	return OPERATION(s, attempt_rename(s, held_at(s, slot), client));
}

int score_progress(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out)
{
	return OPERATION(s, attempt_progress(s, held_at(s, slot), in, out));
}

int score_reap(struct score *s, unsigned *ret_slots, unsigned *ret_tickets)
{
	return OPERATION(s, attempt_reap(s, ret_slots, ret_tickets));
}

void score_look_for_lost(struct score *s)
{
	if (s->lost_seen)
		(void)score_reap(s, NULL, NULL); /* what fails here the next look does */
}

int score_watch(struct score *s, uint64_t *ret_usec)
{
	int r = OPERATION(s, attempt_is_watched(s, ret_usec));

	if (r == 0)
		*ret_usec = SCORE_WATCH_USEC;
	return r == 0 ? score_reap(s, NULL, NULL) : r < 0 ? r : 0;
}

int score_guard(struct score *s, struct score_ticket *youngest, pid_t *ret_next_pid, int *ret_next_fd)
{
	(void)score_follow(s); /* a failure shows below, too */
	return TICKET_OPERATION(s, youngest, attempt_guard(s, youngest, ret_next_pid, ret_next_fd));
}

int score_is_guarded(struct score *s, const struct score_ticket *ticket, uint64_t *ret_usec)
{
	return OPERATION(s, attempt_is_guarded(s, ticket, ret_usec));
}

int score_each_node(struct score *s, int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	return OPERATION(s, attempt_each_node(s, fn, arg));
}

int score_each_slot(struct score *s, int (*fn)(const struct score_slot_info *slot, void *arg), void *arg)
{
	return OPERATION(s, attempt_each_slot(s, fn, arg));
}

int score_each_ticket(struct score *s, int (*fn)(const struct score_ticket_info *ticket, void *arg), void *arg)
{
	return OPERATION(s, attempt_each_ticket(s, fn, arg));
}

int score_each_client(struct score *s, int (*fn)(const struct score_client_info *client, void *arg), void *arg)
{
	return OPERATION(s, attempt_each_client(s, fn, arg));
}

int score_explain(struct score *s, enum score_policy policy, const char *client, struct score_choice *ret,
		  int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	return OPERATION(s, attempt_explain(s, policy, client, ret, fn, arg));
}

int score_history(struct score *s, struct score_history *ret)
{
	return OPERATION(s, attempt_history(s, ret));
}

int score_totals(struct score *s, struct score_totals *ret)
{
	return OPERATION(s, attempt_totals(s, ret));
}

int score_is_down(struct score *s)
{
	return OPERATION(s, attempt_is_down(s));
}

int score_load(struct score *s, const struct nodelist *list, struct score_load_result *ret)
{
	return OPERATION(s, attempt_load(s, list, ret));
}

int score_edit(struct score *s, const struct score_edit *edit, struct score_edited *ret)
{
	return OPERATION(s, attempt_edit(s, edit, ret));
}

int score_pause(struct score *s, bool paused)
{
	return OPERATION(s, attempt_pause(s, paused));
}

int score_split(struct score *s, const struct split *split, bool end_lease)
{
	return OPERATION(s, attempt_split(s, split, end_lease));
}

int score_get_split(struct score *s, struct split *ret)
{
	return OPERATION(s, attempt_get_split(s, ret));
}

int score_set_share(struct score *s, uint32_t node, uint32_t share, uint32_t *ret_busy)
{
	return OPERATION(s, attempt_set_share(s, node, share, ret_busy));
}

int score_set_lease(struct score *s, uint64_t until_usec)
{
	return OPERATION(s, attempt_set_lease(s, until_usec));
}

int score_set_verbosity(struct score *s, uint32_t verbosity, uint32_t *ret_before)
{
	if (verbosity > SCORE_VERBOSITY_MAX)
		return -EINVAL;
	return OPERATION(s, attempt_set_verbosity(s, verbosity, ret_before));
}

uint32_t score_verbosity(const struct score *s)
{
	return s->verbosity;
}

int score_hold(struct score *s, const char *name, const char *detail)
{
	return OPERATION(s, attempt_hold(s, name, true, detail));
}

int score_unhold(struct score *s, const char *name)
{
	return OPERATION(s, attempt_hold(s, name, false, NULL));
}

int score_verdict(struct score *s, uint32_t node, const struct score_verdict *verdict, struct score_edge *ret_edge)
{
	return OPERATION(s, attempt_verdict(s, node, verdict, ret_edge));
}

int score_agent(struct score *s, uint32_t node, const char *check, const char *text, struct agent_line *ret,
		struct score_edge *ret_edge)
{
	return OPERATION(s, attempt_agent(s, node, check, text, ret, ret_edge));
}

int score_set_fingerprint(struct score *s, uint32_t node, const char *check, const char *fingerprint,
			  char ret_before[static NODE_FINGERPRINT_MAX + 1])
{
	return OPERATION(s, attempt_set_fingerprint(s, node, check, fingerprint, ret_before));
}

int score_claim_node(struct score *s, uint32_t node, const char *client, struct score_slot *ret, bool *ret_served)
{
	char name[NODE_NAME_MAX + 1];
	int r = OPERATION(s, attempt_claim_node(s, node, client, ret, name, ret_served));

	if (r == 0)
		held_add(s, ret, name);
	return r;
}

int score_unclaim(struct score *s, const struct score_slot *slot, bool judged)
{
	int r = OPERATION(s, attempt_unclaim(s, held_at(s, slot), judged));

	held_remove(s, slot);
	if (r == -ESTALE)
		score_answer(s); /* as in score_release() */
	return r;
}

int score_age(struct score *s)
{
	return OPERATION(s, attempt_age(s));
}

int score_set_addresses(struct score *s, uint32_t node, const struct score_address *addresses, unsigned n)
{
	return OPERATION(s, attempt_set_addresses(s, node, addresses, n));
}

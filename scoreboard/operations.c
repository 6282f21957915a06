/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * operations.c: what programs call: each operation, and again if it met damage
 * that could be mended. And what this process holds is noted here.
 */

#include "scoreboard.h"

#include <errno.h>

#include "farm/section.h"
#include "repair/lost.h"
#include "repair/rebuild.h"
#include "farm/attempt.h"
#include "farm/ticket.h"

#define MENDINGS_MAX 3u /* it may be damaged again before the operation comes to its turn */

static bool is_damage(int r)
{
	return r == -EUCLEAN || r == -EBADMSG;
}

/* Whether an operation that ended so shall be tried again; *tries counts how often it was. */
static bool is_mended(struct score *s, int r, unsigned *tries)
{
	if (!is_damage(r) || (*tries)++ == MENDINGS_MAX)
		return false;
	r = mend(s);
	return r == 0 || is_damage(r);
}

/* Whether a ticket that was not there, as *r says, is there again; if not, *r says why. */
static bool is_revived(struct score *s, struct score_ticket *ticket, int *r)
{
	unsigned tries = 0;

	if (*r != -ESTALE)
		return false;
	do {
		*r = ticket_revive(s, ticket);
	} while (is_mended(s, *r, &tries));
	return *r == 0;
}

int score_claim(struct score *s, enum score_policy policy, const char *client, size_t queue_limit,
		struct score_slot *ret, struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_claim(s, policy, client, queue_limit, ret, ret_target, ret_ticket);
	} while (is_mended(s, r, &tries));
	if (r == 0)
		held_add(s, ret);
	return r;
}

int score_join(struct score *s, enum score_policy policy, const char *client, size_t queue_limit,
	       struct score_ticket *ret_ticket)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_join(s, policy, client, queue_limit, ret_ticket);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_is_free(struct score *s)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_is_free(s);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_take(struct score *s, struct score_ticket *ticket, struct score_slot *ret,
	       struct score_target *ret_target)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_take(s, ticket, ret, ret_target);
	} while (is_mended(s, r, &tries));
	if (is_revived(s, ticket, &r))
		r = attempt_take(s, ticket, ret, ret_target);
	if (r == 0)
		held_add(s, ret);
	return r == -ESTALE ? 1 : r; /* lost again at once: the next look puts it in */
}

int score_granted(struct score *s, struct score_ticket *ticket)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_granted(s, ticket);
	} while (is_mended(s, r, &tries));
	if (is_revived(s, ticket, &r))
		r = attempt_granted(s, ticket);
	return r == -ESTALE ? 0 : r; /* as above */
}

uint64_t score_revivals(const struct score *s)
{
	return s->revivals;
}

int score_leave(struct score *s, const struct score_ticket *ticket)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_leave(s, ticket);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_release(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out, bool served)
{
	unsigned tries = 0;
	struct farm *farm;
	int r;

	do {
		r = attempt_release(s, slot, in, out, served);
	} while (is_mended(s, r, &tries));
	held_remove(s, slot);
	/* It was of a node that has another id since: what we hold can be said now. */
	if (r == -ESTALE && farm_enter(s, &farm) == 0)
		farm_leave(s);
	return r;
}

int score_failed(struct score *s, const struct score_slot *slot, enum node_reason reason, uint64_t retry_usec,
		 enum score_policy policy, const char *client, struct score_edge *ret_edge, struct score_slot *ret,
		 struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	struct score_slot ours = *slot; /* it may be where *ret is, which what fails may have begun to fill */
	unsigned tries = 0;
	int r;

	do {
		r = attempt_failed(s, &ours, reason, retry_usec, policy, client, ret_edge, ret, ret_target, ret_ticket);
	} while (is_mended(s, r, &tries));
	if (r >= 0 || r == -ESTALE) /* else nothing was done, and it is still ours */
		held_remove(s, &ours);
	if (r == 0)
		held_add(s, ret);
	return r;
}

int score_doubted(struct score *s, const struct score_slot *slot, uint64_t in, enum node_reason reason,
		  uint64_t retry_usec, struct score_edge *ret_edge)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_doubted(s, slot, in, reason, retry_usec, ret_edge);
	} while (is_mended(s, r, &tries));
	held_remove(s, slot);
	return r;
}

int score_connected(struct score *s, const struct score_slot *slot, struct score_edge *ret_edge)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_connected(s, slot, ret_edge);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_answered(struct score *s, const struct score_slot *slot, struct score_edge *ret_edge)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_answered(s, slot, ret_edge);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_progress(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_progress(s, slot, in, out);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_reap(struct score *s, unsigned *ret_slots, unsigned *ret_tickets)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_reap(s, ret_slots, ret_tickets);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_guard(struct score *s, struct score_ticket *youngest, pid_t *ret_next_pid, int *ret_next_fd)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_guard(s, youngest, ret_next_pid, ret_next_fd);
	} while (is_mended(s, r, &tries));
	if (is_revived(s, youngest, &r))
		r = attempt_guard(s, youngest, ret_next_pid, ret_next_fd);
	return r;
}

int score_each_node(struct score *s, int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_each_node(s, fn, arg);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_each_slot(struct score *s, int (*fn)(const struct score_slot_info *slot, void *arg), void *arg)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_each_slot(s, fn, arg);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_each_ticket(struct score *s, int (*fn)(const struct score_ticket_info *ticket, void *arg), void *arg)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_each_ticket(s, fn, arg);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_explain(struct score *s, enum score_policy policy, struct score_choice *ret,
		  int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_explain(s, policy, ret, fn, arg);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_totals(struct score *s, struct score_totals *ret)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_totals(s, ret);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_is_down(struct score *s)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_is_down(s);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_load(struct score *s, const struct nodelist *list, struct score_load_result *ret)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_load(s, list, ret);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_edit(struct score *s, const struct score_edit *edit, struct score_edited *ret)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_edit(s, edit, ret);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_hold(struct score *s, const char *name, const char *detail)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_hold(s, name, detail);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_unhold(struct score *s, const char *name)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_unhold(s, name);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_verdict(struct score *s, uint32_t node, const struct score_verdict *verdict, struct score_edge *ret_edge)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_verdict(s, node, verdict, ret_edge);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_agent(struct score *s, uint32_t node, const char *text, struct agent_line *ret, struct score_edge *ret_edge)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_agent(s, node, text, ret, ret_edge);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_set_fingerprint(struct score *s, uint32_t node, const char *fingerprint,
			  char ret_before[static NODE_FINGERPRINT_MAX + 1])
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_set_fingerprint(s, node, fingerprint, ret_before);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_claim_node(struct score *s, uint32_t node, const char *client, struct score_slot *ret, bool *ret_served)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_claim_node(s, node, client, ret, ret_served);
	} while (is_mended(s, r, &tries));
	if (r == 0)
		held_add(s, ret);
	return r;
}

int score_unclaim(struct score *s, const struct score_slot *slot, bool judged)
{
	unsigned tries = 0;
	struct farm *farm;
	int r;

	do {
		r = attempt_unclaim(s, slot, judged);
	} while (is_mended(s, r, &tries));
	held_remove(s, slot);
	if (r == -ESTALE && farm_enter(s, &farm) == 0) /* as in score_release() */
		farm_leave(s);
	return r;
}

int score_age(struct score *s)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_age(s);
	} while (is_mended(s, r, &tries));
	return r;
}

int score_set_addresses(struct score *s, uint32_t node, const struct score_address *addresses, unsigned n)
{
	unsigned tries = 0;
	int r;

	do {
		r = attempt_set_addresses(s, node, addresses, n);
	} while (is_mended(s, r, &tries));
	return r;
}

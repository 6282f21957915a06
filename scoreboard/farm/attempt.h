/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * attempt.h: the operations of scoreboard.h without repairs: attempt_claim() is
 * score_claim() and so on, with the same arguments and results, but returns
 * -EUCLEAN or -EBADMSG if it meets damage. Programs call the functions in
 * operations.c.
 */

#include "types.h"

struct score;

int attempt_claim(struct score *s, const struct score_arrival *arrival, struct score_slot *ret,
	       struct score_target *ret_target, struct score_ticket *ret_ticket);
int attempt_join(struct score *s, const struct score_arrival *arrival, struct score_ticket *ret_ticket);
int attempt_rejoin(struct score *s, uint64_t number, enum score_policy policy, const char *client,
		   uint32_t per_client, struct score_ticket *ret);
int attempt_is_free(struct score *s);
int attempt_prepare(struct score *s);
int attempt_is_over(struct score *s, const struct score_slot *slot, uint32_t per_client);
int attempt_take(struct score *s, const struct score_ticket *ticket, struct score_slot *ret,
	      struct score_target *ret_target);
int attempt_granted(struct score *s, const struct score_ticket *ticket);
int attempt_next_granted(struct score *s, uint64_t number, uint64_t *ret);
int attempt_leave(struct score *s, const struct score_ticket *ticket);
int attempt_release(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out, bool served);
int attempt_failed(struct score *s, const struct score_slot *slot, enum node_reason reason, uint64_t retry_usec,
		const struct score_arrival *again, struct score_edge *ret_edge, struct score_slot *ret,
		struct score_target *ret_target, struct score_ticket *ret_ticket);
int attempt_doubted(struct score *s, const struct score_slot *slot, uint64_t in, enum node_reason reason,
		 uint64_t retry_usec, struct score_edge *ret_edge);
int attempt_reached(struct score *s, const struct score_slot *slot, const struct score_target *tried, unsigned reached,
		    uint32_t unreached);
/* As score_answered(); or, if the node was only reached, as score_connected(). */
int attempt_pass_trial(struct score *s, const struct score_slot *slot, bool answered, struct score_edge *ret_edge);
int attempt_rename(struct score *s, const struct score_slot *slot, const char *client);
int attempt_progress(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out);
/* Goes on with what a section left to further sections (claim_dispatch()). 0 or -errno. */
int attempt_deal(struct score *s);
int attempt_is_guarded(struct score *s, const struct score_ticket *ticket, uint64_t *ret_usec);
/* Whether no look for the dead is due by score_watch(): 1, 0, or -errno. *ret_usec: in how long the next one is. */
int attempt_is_watched(struct score *s, uint64_t *ret_usec);
int attempt_reap(struct score *s, unsigned *ret_slots, unsigned *ret_tickets);
int attempt_guard(struct score *s, const struct score_ticket *youngest, pid_t *ret_next_pid, int *ret_next_fd);
int attempt_each_node(struct score *s, int (*fn)(const struct score_node *node, void *arg), void *arg);
int attempt_each_slot(struct score *s, int (*fn)(const struct score_slot_info *slot, void *arg), void *arg);
int attempt_each_ticket(struct score *s, int (*fn)(const struct score_ticket_info *ticket, void *arg), void *arg);
int attempt_each_client(struct score *s, int (*fn)(const struct score_client_info *client, void *arg), void *arg);
int attempt_explain(struct score *s, enum score_policy policy, const char *client, struct score_choice *ret,
		 int (*fn)(const struct score_node *node, void *arg), void *arg);
int attempt_totals(struct score *s, struct score_totals *ret);
int attempt_history(struct score *s, struct score_history *ret);
int attempt_is_down(struct score *s);
int attempt_load(struct score *s, const struct nodelist *list, struct score_load_result *ret);
int attempt_edit(struct score *s, const struct score_edit *edit, struct score_edited *ret);
int attempt_pause(struct score *s, bool paused);
int attempt_split(struct score *s, const struct split *split, bool end_lease);
int attempt_get_split(struct score *s, struct split *ret);
int attempt_set_share(struct score *s, uint32_t node, uint32_t share, uint32_t *ret_busy);
int attempt_set_lease(struct score *s, uint64_t until_usec);
int attempt_set_verbosity(struct score *s, uint32_t verbosity, uint32_t *ret_before);
/* As score_hold(), or without hold as score_unhold(). */
int attempt_hold(struct score *s, const char *name, bool hold, const char *detail);
int attempt_verdict(struct score *s, uint32_t node, const struct score_verdict *verdict, struct score_edge *ret_edge);
int attempt_agent(struct score *s, uint32_t node, const char *check, const char *text, struct agent_line *ret,
		  struct score_edge *ret_edge);
int attempt_set_fingerprint(struct score *s, uint32_t node, const char *check, const char *fingerprint,
			 char ret_before[static NODE_FINGERPRINT_MAX + 1]);
/* As score_claim_node(); ret_name is the name of the node. */
int attempt_claim_node(struct score *s, uint32_t node, const char *client, struct score_slot *ret,
		       char ret_name[static NODE_NAME_MAX + 1], bool *ret_served);
int attempt_unclaim(struct score *s, const struct score_slot *slot, bool judged);
int attempt_age(struct score *s);
int attempt_set_addresses(struct score *s, uint32_t node, const struct score_address *addresses, unsigned n);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * scoreboard.h: the one header for programs.
 *
 * A scoreboard is the shared memory of a farm: its nodes, which process holds
 * which slot, and which connections wait. Every function here is one critical
 * section over it: a process may be killed between any two instructions, and
 * the next process finds a whole scoreboard. Nothing here shows how the
 * scoreboard is stored.
 *
 * Calls return 0, a documented positive outcome, or -errno. These errors have
 * the same special meaning everywhere:
 *   -EBADMSG  the file is no scoreboard (foreign, or cut short)
 *   -EPROTO   a scoreboard of another version of corebalance
 *   -EUCLEAN  a scoreboard with contents that contradict themselves (cbscore fsck)
 *   -EINTR    the wait for the lock was ended, see score_on_wait()
 *   -ENODATA  no scoreboard yet, and no valid node list to make one from
 *   -EKEYREJECTED  not believed: its owner is neither root, nor this user, nor the owner of its folder
 *   -EKEYREVOKED   not believed: every user may write it, or replace it in its folder
 *   -ENOKEY   this user cannot make a scoreboard in that folder that other users believe
 *   -EREMOTE  its processes are in another pid, time, network or user namespace
 *   -EMEDIUMTYPE  it was made from another node list, see score_load()
 *   -ELOOP    its name is a symbolic link, which is not followed
 * The library prints nothing. Times are microseconds: "since" values are
 * CLOCK_REALTIME, everything else is a length of time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "types.h"

#define SCORE_DEFAULT_PATH "/run/corebalance/scoreboard.tdb"
#define SCORE_DEFAULT_NODES "/etc/corebalance/nodes.conf"

struct score;

/* What a -errno of these functions means, as the end of a sentence: "a damaged scoreboard". Never NULL. */
const char *score_strerror(int error);

/* Whether a -errno of score_open() is about the named file: the file is a wrong one, is broken, or is not believed.
 * Programs end with EX_CONFIG for it. */
bool score_file_is_wrong(int error);

/* Whether the error is one of a moment, so that the same call may succeed later: this machine is short of room in /run, of
 * memory or of descriptors, or another process has tdb's locks. */
bool score_is_shortage(int error);

/* ---- opening ---- */

/* The path that is used when no option names one: $COREBALANCE_SCOREBOARD, else the default. */
const char *score_default_path(void);

/* Whether $COREBALANCE_SCOREBOARD names a path. An empty value names none. */
bool score_path_is_set(void);

/*
 * Opens the scoreboard at path. If there is none, it is made from the node list:
 * of several processes that do so at once, one wins, and the others wait and
 * open what that process made. list is read only then. With list NULL nothing
 * is made. *ret is the caller's, to be ended by score_close(). 0, or -ENODATA
 * (no file, list NULL), -EBADMSG, -EPROTO, -EUCLEAN, or what open(2) and
 * friends said.
 */
int score_open(const char *path, const struct nodelist *list, struct score **ret);

/*
 * Upgrades the scoreboard at path if an earlier version made it: slots and
 * tickets stay their holders'. Processes of the earlier version keep the
 * connections that they have, and can take no other. So only a program that
 * brings connections in calls this, when the earlier version does so no more.
 * 0: upgraded, or it is of this version; -EPROTO: this version does not read it;
 * or -errno.
 */
int score_upgrade(const char *path);

/*
 * A scoreboard that root makes from now on in a folder of root's belongs to the
 * group of that user, instead of "corebalance"; if there is no such user, to root
 * alone. The text must stay.
 */
void score_make_for(const char *user);

/*
 * For a process made by fork(2): takes the scoreboard that its parent opened
 * for itself (a new identity, a new wake-up address on demand).
 */
void score_after_fork(struct score *s);

/* For a process that forks others, which call score_after_fork(): does now what the first change of the scoreboard would do
 * in each of them. 0 or -errno. */
int score_prepare(struct score *s);

/*
 * For a process that another one may kill at any instruction: from now on its calls repair nothing, and put no removed
 * file back. What is damaged waits for the next process that looks; calls that meet it fail with -EUCLEAN. A process
 * that is killed as it rebuilds the scoreboard leaves it sound, but keeps no copy of the damaged file, and says nothing.
 * To another scoreboard in the file's place the process goes over as ever.
 * A process made by fork(2) repairs again after its score_after_fork().
 */
void score_leave_repair(struct score *s);

/* The caller does not call for a while: gives memory back that only calls use. It may call at any time. */
void score_spare(struct score *s);

/* The descriptor of the folder in which it is, O_PATH. It stays the scoreboard's. */
int score_folder_fd(const struct score *s);

/* The descriptors that the scoreboard needs to go on, for a process that closes all others: the file's, and that of
 * the folder in which a rebuilt file is found. They stay the scoreboard's. Returns how many. */
size_t score_fds(const struct score *s, int ret[static SCORE_FDS_MAX]);

/* Closes and frees; NULL is fine. Slots and tickets of the process are not touched. */
struct score *score_close(struct score *s);

/*
 * Whether the farm may have the node list of that path. 0: the farm was made
 * from that list, or from no known list; -EMEDIUMTYPE: the farm was made from
 * another list, and text says from which, as the end of a sentence; or -errno.
 */
int score_check_list(struct score *s, const char *path, char *text, size_t size);

/* Where the node list is. Nodes that a rebuild in the course of an operation could not read are loaded from it. */
void score_set_nodes(struct score *s, const char *path);

/*
 * From now on fn is told, in a sentence, when an operation of this process
 * has repaired the scoreboard in place, or rebuilt it: what was saved, and where
 * the damaged file is kept. A score_fsck() that repairs tells its findings by
 * its own argument instead.
 */
void score_on_repair(void (*fn)(const char *what));

/*
 * fn (may be NULL) is called once for each wait for the scoreboard's lock that takes two seconds, with the process
 * that has the lock, and whether that process was stopped and is continued. It is called in the middle of an operation
 * and must not use the scoreboard. is_ended (may be NULL) is asked every 0.1 s of a wait: when it says true the
 * operation ends with -EINTR, and nothing has been done. Both count for the whole process, and for its children.
 */
void score_on_wait(void (*fn)(const char *what), bool (*is_ended)(void));

/* For programs on a terminal: from now on Ctrl-Z (SIGTSTP) stops the process between two operations only. All other
 * processes would wait for a process that is stopped within an operation. A program that ignores or handles that signal
 * goes on to do so. */
void score_defer_stop(void);

/* What fstat(2) says of the open file: owner, group and mode. 0 or -errno. */
int score_stat(const struct score *s, struct stat *ret);

/*
 * Looks whether the file that this process has open is still the scoreboard: for
 * a process that stays, about once a second. A file that was removed while it was
 * in use is put back. If another scoreboard has replaced the file, this process
 * goes over to the new file, and its slots count as taken until all processes have
 * been heard of. score_on_repair()'s function is told of both. 0 or -errno.
 */
int score_follow(struct score *s);

/* Whether path exists: 1, 0, or -errno. */
int score_exists(const char *path);

/*
 * From now on connections that this process, and its children, bring by the policy fastest may wait though a slot is
 * free, if a faster slot is expected to serve them sooner; those behind them wait, too. usec, up to
 * SCORE_PATIENCE_MAX_USEC, is for how long at most free slots are kept so; 0: they are not. The latest connection
 * decides the time for the farm.
 */
void score_set_patience(struct score *s, uint64_t usec);

/*
 * Until when at most a free slot is kept from waiters: CLOCK_BOOTTIME, as the last operation that dealt slots found;
 * 0: none is. After that time the process that looks after the queue calls score_deal(), which gives waiters what is
 * free and not kept: 0 or -errno. A waiter that is woken and has no slot calls score_deal(), too, if score_may_keep()
 * says that slots may be kept, as far as this process has seen: then it knows the time.
 */
uint64_t score_kept_until(const struct score *s);
bool score_may_keep(const struct score *s);
int score_deal(struct score *s);

/* ---- a connection's life ---- */

/*
 * Takes the best free slot for a connection. 0: *ret and *ret_target are filled. 1: no slot is free, or others wait.
 * With ret_ticket not NULL the connection has joined the queue then, and *ret_ticket says its place; with NULL nothing
 * was done, and no connection was accepted. 2: no connection is pending. -E2BIG: no slot is free and queue_limit
 * tickets wait; nothing was done. Or -errno.
 */
int score_claim(struct score *s, const struct score_arrival *arrival, struct score_slot *ret,
		struct score_target *ret_target, struct score_ticket *ret_ticket);

/*
 * As score_claim() for a process that hands its connections on to others: the connection always gets a ticket.
 * 0: a slot has been granted to the ticket already; 1: the ticket waits; 2 and -E2BIG as above; or -errno.
 */
int score_join(struct score *s, const struct score_arrival *arrival, struct score_ticket *ret_ticket);

/*
 * Puts a connection of client into the queue at the place of a ticket number
 * that another process had for the connection and has left: a waiter passes
 * from one process to the next. The caller first makes sure, with
 * score_reap(), that a process that has ended has left the queue, too.
 * 0 and *ret, which may have a slot at once (score_granted() tells); or -errno.
 */
int score_rejoin(struct score *s, uint64_t number, enum score_policy policy, const char *client,
		 uint32_t per_client, struct score_ticket *ret);

/*
 * Takes the slot that was granted to the ticket, for this process. Another
 * process may have queued the ticket: ownership goes to the caller. 0: the slot
 * is taken, and the ticket is gone. 1: the ticket still waits, or waits again
 * because it was not in the queue; it is the caller's in this case, too.
 */
int score_take(struct score *s, struct score_ticket *ticket,
	       struct score_slot *ret, struct score_target *ret_target);

/* Whether a slot has been granted to the ticket: 1 yes; 0: the ticket still waits, or waits again because it was not in
 * the queue; or -errno. */
int score_granted(struct score *s, struct score_ticket *ticket);

/* Finds the first ticket of this process behind number that has been granted a slot. 1 and *ret, its number; 0: none
 * has; or -errno. For a process whose tickets do not get slots in their order (see per_client and fair). */
int score_next_granted(struct score *s, uint64_t number, uint64_t *ret);

/* Whether slots went by fairness, and not by the order of arrival, when this process last looked. */
bool score_is_fair(const struct score *s);

/* How often a ticket of this process was out of the queue and was put back, or may have been: the queue was damaged, or
 * this process did not take a slot in time. Meanwhile slots may have been granted to younger tickets. While this number
 * is what it was when each of the tickets was last asked for, the tickets get their turns in their order. */
uint64_t score_times_put_back(const struct score *s);

/* Whether a connection that came now would get a slot at once: 1 yes, 0 no, or -errno. */
int score_is_free(struct score *s);

/* Leaves the queue. A slot that was already granted goes on to the next waiter. 0, or -ESTALE. */
int score_leave(struct score *s, const struct score_ticket *ticket);

/*
 * Releases a slot; the oldest live waiter gets it and is woken. in is what
 * came from the client, out what came from the node, in bytes; served is false
 * if the connection failed to be served. 0, or -ESTALE when this process does
 * not hold the slot any more.
 */
int score_release(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out, bool served);

/*
 * The node of the held slot could not be connected to. Releases the slot, takes
 * the node down with reason (the node may be tried again after retry_usec,
 * doubled at each failure up to 16 times), and joins the queue at the old place,
 * or takes another node's slot at once. Outcomes as score_claim(); *slot may be
 * *ret. *ret_edge tells how this call changed the node's state, if it did.
 * -ESTALE when this process does not hold the slot any more; at any other -errno
 * it still does, and *ret, *ret_edge and *ret_ticket say nothing. again is the
 * connection: its policy, client and per_client count.
 */
int score_failed(struct score *s, const struct score_slot *slot, enum node_reason reason, uint64_t retry_usec,
		 const struct score_arrival *again, struct score_edge *ret_edge,
		 struct score_slot *ret, struct score_target *ret_target, struct score_ticket *ret_ticket);

/*
 * Whether the client of the held slot, by the name that score_rename() gave it,
 * has per_client slots besides this slot: then the connection is to give the slot
 * back by score_unclaim(), and to come anew. 1, 0, -ESTALE as above, or -errno.
 */
int score_is_over(struct score *s, const struct score_slot *slot, uint32_t per_client);

/*
 * As score_release() for a connection that its node took and did not answer, or
 * was slow to take. One such connection says little. SCORE_DOUBTS_MAX of them in a
 * row, without an answered connection between them, or a single one on trial, take
 * the node down as a failed connect does. The last node that is up stays up even
 * then: the fault may be the clients'. With the node's key silent, REASON_SILENT is
 * no doubt: the call is then score_release() of a connection that was served.
 * *ret_edge as above. 0, or -ESTALE.
 */
int score_doubted(struct score *s, const struct score_slot *slot, uint64_t in, enum node_reason reason,
		  uint64_t retry_usec, struct score_edge *ret_edge);

/*
 * The node of the held slot was reached at one of the addresses in tried: reached
 * is that address's number. The bits of unreached are the addresses that were tried
 * before in vain. From now on the connections of all relays try the reached address
 * first. 0: that was known already; 1: it is new; or -errno.
 */
int score_reached(struct score *s, const struct score_slot *slot, const struct score_target *tried, unsigned reached,
		  uint32_t unreached);

/*
 * A trial connection reached its node: the node is up again. *ret_edge as above. 0; 1: a node of this kind may be
 * reached and still not answer, so that it stays on trial until score_answered(); or -errno.
 */
int score_connected(struct score *s, const struct score_slot *slot, struct score_edge *ret_edge);

/* The node of a trial connection has sent something: the node is up again. *ret_edge as above. 0 or -errno. */
int score_answered(struct score *s, const struct score_slot *slot, struct score_edge *ret_edge);

/* The client of a held slot is another than it seemed to be when the slot was claimed: shows the client's name, cut to
 * SCORE_CLIENT_MAX. 0 or -errno. */
int score_rename(struct score *s, const struct score_slot *slot, const char *client);

/* Shows the present byte counts of a held slot in the scoreboard. 0 or -errno. */
int score_progress(struct score *s, const struct score_slot *slot, uint64_t in, uint64_t out);

/* ---- waiting ---- */

/*
 * A descriptor that becomes readable when a slot is granted to a ticket of this
 * process. It is made at the first call and belongs to s. >= 0, or -errno.
 */
int score_wake_fd(struct score *s);

/*
 * If slots are lost and this process has not said what it holds: says it. Every
 * other call does so, too, and so does score_wake_clear() when the process was
 * asked. This call is for a child that is about to sleep: without a wake-up
 * descriptor the child could not be asked.
 */
void score_answer(struct score *s);

/*
 * For a process that will soon not be allowed to look into other processes: if
 * slots were lost when the scoreboard was opened, looks now which processes may
 * still hold such slots. Else it does nothing.
 */
void score_look_for_lost(struct score *s);

/* Empties the wake-up descriptor. Returns whether there was anything but the question what this process holds. The
 * caller calls it before it looks at its tickets. A process that was woken and has no slot calls score_guard() again to
 * learn which process to watch. The question alone does not count: score_guard() asks it, and all processes would keep
 * each other awake as long as a single process does not answer. */
bool score_wake_clear(struct score *s);

/*
 * The guard's work: reaps dead holders and waiters, opens nodes for their next
 * trial, grants free slots to waiters. youngest is this process's youngest
 * ticket. *ret_next_pid is 0 if this process is the guard: it calls again after
 * SCORE_GUARD_USEC. Else *ret_next_pid is the process that owns the next younger
 * ticket: that process is the guard, or watches a younger one. The caller watches
 * it by the pidfd in *ret_next_fd, which is the caller's to close, and calls again
 * when that process has ended. *ret_next_fd is -1 if there is no pidfd: then the
 * caller is a guard as well.
 * 0, or -ESTALE when the ticket does not wait any more, or -errno.
 *
 * A slot that was granted and not taken for SCORE_GRANT_USEC goes to the next
 * waiter: its process is stopped. All tickets of that process leave the queue, so
 * that it holds up no other waiter. When the process goes on, the next call for each ticket
 * puts the ticket back at its place.
 */
int score_guard(struct score *s, struct score_ticket *youngest, pid_t *ret_next_pid, int *ret_next_fd);

/*
 * For a process that is not the guard: whether a guard has looked lately. The
 * guard may be stopped, which no pidfd tells. 1: yes, and the caller asks again
 * after *ret_usec; 0: no, so the caller calls score_guard() now; or -errno. Costs
 * the same however many wait.
 */
int score_is_guarded(struct score *s, const struct score_ticket *ticket, uint64_t *ret_usec);

/*
 * For a process that stays: gives back the slots of dead processes also while no
 * connection waits and other slots are free, and looks after lost slots. *ret_usec:
 * when the caller is to call again. The call does nothing when no slot is taken, or
 * when another process has looked within SCORE_WATCH_USEC (within a millisecond for
 * each slot that is taken, if that is longer: of a large farm no more than about
 * 1,000 holders are looked at in a second), unless slots are lost. 0 or -errno.
 * score_claim() does the same after it took a free slot, for a farm without such a
 * process.
 */
int score_watch(struct score *s, uint64_t *ret_usec);

/* Reaps now. *ret_slots and *ret_tickets (each may be NULL): how many were freed. 0 or -errno. */
int score_reap(struct score *s, unsigned *ret_slots, unsigned *ret_tickets);

/* ---- looking ---- */

/* How connections have fared. 0 or -errno. */
int score_history(struct score *s, struct score_history *ret);

/* These call back for every node in the order of the list, every busy slot, or every waiter in the order of the queue.
 * The callback gets a copy made under the lock and may do what it likes. A callback that returns non-zero ends the
 * walk, which returns the same. */
int score_each_node(struct score *s, int (*fn)(const struct score_node *node, void *arg), void *arg);
int score_each_slot(struct score *s, int (*fn)(const struct score_slot_info *slot, void *arg), void *arg);
int score_each_ticket(struct score *s, int (*fn)(const struct score_ticket_info *ticket, void *arg), void *arg);

/* What a new connection of a client (its address, or address and port; NULL: of any) would get by policy, and every node
 * as it is at that moment. As for a new connection, nodes with a due trial are opened for it first, and waiters get the
 * slots that come of it. *ret is filled before the first call of fn, which is as in score_each_node(). */
int score_explain(struct score *s, enum score_policy policy, const char *client, struct score_choice *ret,
		  int (*fn)(const struct score_node *node, void *arg), void *arg);

/* Calls fn for each client that is remembered, in no order, outside of all sections, until it returns other than 0. 0,
 * what fn returned, or -errno. */
int score_each_client(struct score *s, int (*fn)(const struct score_client_info *client, void *arg), void *arg);

/* The farm in numbers. 0 or -errno. */
int score_totals(struct score *s, struct score_totals *ret);

/* Whether no node at all is up: 1, 0, or -errno. A caller's time to wait may depend on it. Costs the same however many
 * nodes there are. */
int score_is_down(struct score *s);

/* ---- administration ---- */

/*
 * Makes the farm's nodes those of the list: new ones appear, missing ones take
 * no more connections and go when their last has ended, the rest keep their
 * connections and health. It is done by steps, so that no other process waits for
 * it: a process that is killed in a load has done a part of it, and the next load
 * does the rest. Where there is no room for new nodes none comes. ret may be NULL.
 * 0; -EBUSY: other processes changed the farm's nodes all the time; or -errno.
 * -EMEDIUMTYPE: the farm was made from the list of another file, and list->adopt
 * is not set; see score_check_list().
 */
int score_load(struct score *s, const struct nodelist *list, struct score_load_result *ret);

/*
 * Changes one node of the farm as a load of the whole list with that change
 * does. A node that is added stands behind all others. SET changes nothing but
 * its fields, in one section, so that edits of different fields at the same time
 * all last. flags= decides about a hold, whatever an administrator did since flags=
 * was last set. ret may be NULL.
 * 0; -EEXIST for ADD; -ENOENT for the others; or -errno.
 */
int score_edit(struct score *s, const struct score_edit *edit, struct score_edited *ret);

/* Paused: from now on every new connection waits, and connections that have a slot go on. Not paused: waiters get slots
 * again. 0, 1 if it was so already, or -errno. */
int score_pause(struct score *s, bool paused);

/*
 * Several gateways share the farm's nodes, each with a scoreboard of its own, and this one has the given part of each
 * node's cores. New nodes get their share, too. With parts 0 all cores are this gateway's again. With SPLIT_LEASED a program
 * leases the cores: no slot is given out before its first score_set_lease(). Each of the others ends a lease that is over, if
 * end_lease says so. 0; 1: it was so already; -EBUSY: the farm has a lease that is not over, or that this call may not end; or
 * -errno.
 */
int score_split(struct score *s, const struct split *split, bool end_lease);

/* How the nodes are split: SPLIT_LEASED as long as the farm needs a lease. 0 or -errno. */
int score_get_split(struct score *s, struct split *ret);

/*
 * A program decides how many of a node's cores are this gateway's: from 0 to the cores, or SHARE_NONE. As many
 * connections as that, at most, get a slot of the node from now on, and waiters get slots that appear; connections that
 * are more go on. *ret_busy: the slots that were taken at the moment of the change. 0; -ENOENT; -EBUSY: the farm is
 * split by score_split(); or -errno.
 */
int score_set_share(struct score *s, uint32_t node, uint32_t share, uint32_t *ret_busy);

/*
 * The shares are this gateway's until that time, of CLOCK_BOOTTIME. From then on no slot is given out, and a slot that was
 * granted and is not taken yet is given back, while its ticket keeps its place; connections that have a slot are not
 * touched. A later time gives waiters their slots. As long as the farm has a lease, new nodes begin with a share of 0.
 * until_usec 0: the farm needs no lease; shares stay as they are. 0; -EBUSY: the farm is split by score_split(); or -errno.
 */
int score_set_lease(struct score *s, uint64_t until_usec);

/*
 * How much more the farm's programs log than their own options say, from now on.
 * The call changes nothing else. *ret_before: the value before. 0; -EINVAL: above
 * SCORE_VERBOSITY_MAX; or -errno.
 */
int score_set_verbosity(struct score *s, uint32_t verbosity, uint32_t *ret_before);

/* That value as the last operation of this process found it; costs nothing. */
uint32_t score_verbosity(const struct score *s);

/* An administrator takes a node out (its connections go on), with the reason in detail, or puts the node back. Without
 * a detail a node that is held already keeps its present detail. 0, 1 if it was so already, -ENOENT. */
int score_hold(struct score *s, const char *name, const char *detail);
int score_unhold(struct score *s, const char *name);

/* Where holds are kept over the end of the scoreboard; NULL, as at first: nowhere. The text must stay. */
void score_set_holds(const char *path);

/* Holds the nodes that the file of score_set_holds() names; for a scoreboard that is being made. Without a file nothing is
 * held. 0 or -errno. */
int score_restore_holds(struct score *s);

/* Writes the held nodes and their reasons to that file, in one step. 0; -ENOENT: there is no such file's folder, or
 * score_set_holds() named no file; or -errno. */
int score_save_holds(struct score *s);

/*
 * Compares everything derived (counts, lists, the index) with what it is
 * derived from, and calls tell (may be NULL) with a line for each finding.
 * With repair it also repairs what was found. *ret_findings: how many. 0;
 * -EUCLEAN: damaged beyond that; or -errno. tell is called with the scoreboard
 * locked: it must not use s.
 */
int score_fsck(struct score *s, bool repair, void (*tell)(const char *finding, void *arg), void *arg,
	       unsigned *ret_findings);

/* ---- health ---- */

/*
 * Puts a probe's result down. 0: counted, no change of state; 1: the node went
 * up or down, *ret_edge (not NULL) says how, and waiters were woken for it;
 * -ENOENT: the node has gone, or has another check by now, so that the result
 * tells nothing. A hold is never touched.
 */
int score_verdict(struct score *s, uint32_t node, const struct score_verdict *verdict, struct score_edge *ret_edge);

/*
 * Takes in a line of the node's agent, see agent.h. *ret says how the line was
 * understood. check: the node's check= when the agent was asked; NULL: any. 0; 1: the line
 * changed the node's state, and *ret_edge says how; -ENOENT as score_verdict(); or
 * -errno. A hold is never touched.
 */
int score_agent(struct score *s, uint32_t node, const char *check, const char *text, struct agent_line *ret,
		struct score_edge *ret_edge);

/* Puts down the compiler that a probe by that check= (NULL: any) found on the node. 0: the same as before; 1: another, and ret_before
 * is the former fingerprint (may be empty); -ENOENT as score_verdict(); or -errno. */
int score_set_fingerprint(struct score *s, uint32_t node, const char *check, const char *fingerprint,
			  char ret_before[static NODE_FINGERPRINT_MAX + 1]);

/*
 * A probe that makes the node work takes a slot of the node first, as a connection
 * does, so that probes and connections together are never more than its cores.
 * While the probe has the slot of a node that is down, nothing else tries that
 * node. The probe never waits. *ret_served: whether a connection of the node was
 * served since the last call for that node. 0: *ret is the slot; 1: none is free;
 * -ENOENT; or -errno.
 */
int score_claim_node(struct score *s, uint32_t node, const char *client, struct score_slot *ret, bool *ret_served);

/* Releases such a slot, after the verdict if there was one (judged); waiters get the slot. 0, or -ESTALE. */
int score_unclaim(struct score *s, const struct score_slot *slot, bool judged);

/* Replaces the addresses of a node. n may be 0: the node's name does not resolve, and the caller gives a verdict, too.
 * 0, 1 if they were so already, -ENOENT, or -errno. */
int score_set_addresses(struct score *s, uint32_t node, const struct score_address *addresses, unsigned n);

/* Ages what was learned of the nodes' speeds, see corebalance(7). A prober calls it once a pass. 0 or -errno. */
int score_age(struct score *s);

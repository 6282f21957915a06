/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-share.c: shares of nodes that a program sets, and the lease of a farm.
 *
 *     cbtest-share FILE
 *     cbtest-share FILE alone|leased COUNT
 * works on the scoreboard FILE, which has a node of 4 cores and nothing else. With
 * COUNT it claims and releases so often, in a farm whose cores are leased or not,
 * so that a test can count what that costs.
 */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"
#include "one_node.h"
#include "system/timespan.h"

static void release(const struct score_slot *slot)
{
	MUST(score_release(score, slot, 1, 1, true) == 0);
}

static uint32_t set_share(uint32_t share)
{
	uint32_t busy;

	MUST(score_set_share(score, last_node().id, share, &busy) == 0);
	return busy;
}

static void test_share(void)
{
	struct score_slot slots[4];
	struct agent_line line;
	struct score_edge edge;
	uint32_t busy;

	MUST(last_node().share == SHARE_NONE && last_node().limit == 4);
	for (unsigned i = 0; i < 4; i++)
		MUST(claim(&slots[i]) == 0);
	/* A share below what is busy ends nothing, and gives nothing until so many have ended. */
	MUST(set_share(1) == 4);
	MUST(last_node().busy == 4 && last_node().free == 0 && last_node().limit == 1);
	for (unsigned i = 1; i < 4; i++) {
		release(&slots[i]);
		MUST(claim(&slots[i]) == 1);
	}
	release(&slots[0]);
	MUST(claim(&slots[0]) == 0);
	MUST(claim(&slots[1]) == 1);
	release(&slots[0]);
	MUST(set_share(0) == 0);
	MUST(claim(&slots[0]) == 1 && last_node().limit == 0);

	/* The smallest of cores, agent and share counts, whichever changes last. */
	MUST(set_share(3) == 0);
	MUST(score_agent(score, last_node().id, NULL, "maxconn:2", &line, &edge) == 0);
	MUST(last_node().limit == 2 && last_node().share == 3);
	MUST(set_share(1) == 0);
	MUST(last_node().limit == 1);
	MUST(score_agent(score, last_node().id, NULL, "maxconn:0", &line, &edge) == 0);
	MUST(last_node().limit == 1);
	MUST(set_share(9) == 0);
	MUST(last_node().limit == 4);
	MUST(score_set_share(score, 12345, 1, &busy) == -ENOENT);
	MUST(set_share(SHARE_NONE) == 0);
	MUST(last_node().limit == 4 && last_node().share == SHARE_NONE);
}

/* A waiter gets the slot that a larger share makes. */
static void test_waiter_of_share(void)
{
	struct score_target target;
	struct score_ticket ticket;
	struct score_slot slot;

	MUST(set_share(0) == 0);
	MUST(score_claim(score, &arrival, &slot, &target, &ticket) == 1);
	MUST(score_granted(score, &ticket) == 0);
	MUST(set_share(1) == 0);
	MUST(score_take(score, &ticket, &slot, &target) == 0);
	release(&slot);
	MUST(set_share(SHARE_NONE) == 0);
}

static void set_lease(uint64_t until_usec)
{
	MUST(score_set_lease(score, until_usec) == 0);
}

static void test_end_of_lease(void)
{
	struct score_target target;
	struct score_totals totals;
	struct score_ticket ticket;
	struct score_slot slot, probe;
	bool served;

	set_lease(clock_usec + 100);
	clock_usec += 99;
	MUST(score_is_free(score) == 1);
	MUST(score_totals(score, &totals) == 0 && !totals.lapsed);
	MUST(claim(&slot) == 0);
	clock_usec += 1;
	MUST(score_totals(score, &totals) == 0 && totals.lapsed);
	MUST(score_is_free(score) == 0);
	MUST(claim(&probe) == 1);
	MUST(score_claim_node(score, last_node().id, "probe", &probe, &served) == 1);
	MUST(last_node().busy == 1); /* what runs is not touched */
	release(&slot);
	MUST(score_join(score, &arrival, &ticket) == 1);
	MUST(score_reap(score, NULL, NULL) == 0);
	MUST(score_granted(score, &ticket) == 0);

	/* Served when the lease is renewed, and when it is not needed any more. */
	set_lease(clock_usec + 100);
	MUST(score_take(score, &ticket, &slot, &target) == 0);
	release(&slot);
	clock_usec += 100;
	MUST(score_join(score, &arrival, &ticket) == 1);
	set_lease(clock_usec); /* that is over, too */
	MUST(score_granted(score, &ticket) == 0);
	set_lease(0);
	MUST(score_take(score, &ticket, &slot, &target) == 0);
	release(&slot);
}

/* A slot that was granted within the lease is not taken behind its end: others may have it. Its ticket keeps its place. */
static void test_granted(void)
{
	struct score_ticket older, younger;
	struct score_target target;
	struct score_slot slot;

	set_lease(clock_usec + 100);
	MUST(set_share(1) == 0);
	MUST(score_join(score, &arrival, &older) == 0);
	MUST(score_join(score, &arrival, &younger) == 1);
	MUST(score_granted(score, &older) == 1 && last_node().busy == 1);
	clock_usec += 100;
	MUST(score_take(score, &older, &slot, &target) == 1);
	MUST(last_node().busy == 0);
	set_lease(clock_usec + 100);
	MUST(score_granted(score, &older) == 1 && score_granted(score, &younger) == 0);
	MUST(score_take(score, &older, &slot, &target) == 0);
	release(&slot);
	MUST(score_take(score, &younger, &slot, &target) == 0);
	release(&slot);
	set_lease(0);
	MUST(set_share(SHARE_NONE) == 0);
}

/* A waiter that sleeps is woken by the process that renews the lease. */
static void test_woken(void)
{
	struct score_target target;
	struct score_ticket ticket;
	struct score_slot slot;
	struct pollfd wake;
	int status;
	pid_t pid;

	set_lease(1);
	wake = (struct pollfd){ .fd = score_wake_fd(score), .events = POLLIN };
	MUST(wake.fd >= 0);
	MUST(score_claim(score, &arrival, &slot, &target, &ticket) == 1);
	(void)score_wake_clear(score);
	MUST(poll(&wake, 1, 0) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		score_after_fork(score);
		set_lease(clock_usec + 100);
		_exit(0);
	}
	MUST(poll(&wake, 1, 60000) == 1);
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
	MUST(score_wake_clear(score));
	MUST(score_take(score, &ticket, &slot, &target) == 0);
	release(&slot);
	set_lease(0);
}

/* With a lease other gateways may have all of a node that is new here. */
static void test_new_node(void)
{
	const struct score_edit edit = {
		.what = EDIT_ADD, .config = { .name = "127.0.0.1:9", .host = "127.0.0.1", .port = 9, .cores = 2 },
	};
	struct score_edit remove = edit;

	set_lease(clock_usec + 100);
	MUST(score_edit(score, &edit, NULL) == 0);
	MUST(last_node().share == 0 && last_node().free == 0);
	MUST(set_share(2) == 0);
	MUST(last_node().free == 2);
	remove.what = EDIT_REMOVE;
	MUST(score_edit(score, &remove, NULL) == 0);
	set_lease(0);
}

/* A farm has a split, or shares that a program sets. */
static void test_split(void)
{
	const struct split none = { .parts = 0 }, half = { .part = 1, .parts = 2 };
	struct split split;
	uint32_t busy;

	set_lease(clock_usec + 100);
	MUST(score_split(score, &half, true) == -EBUSY);
	set_lease(0);
	MUST(set_share(0) == 0);
	MUST(score_split(score, &none, true) == 0); /* also ends such shares */
	MUST(last_node().share == SHARE_NONE);
	MUST(score_split(score, &none, true) == 1);
	MUST(score_split(score, &half, true) == 0);
	MUST(score_split(score, &half, true) == 1);
	MUST(last_node().share == 2 && last_node().free == 2);
	MUST(score_get_split(score, &split) == 0 && split.part == 1 && split.parts == 2);
	MUST(score_set_lease(score, clock_usec + 100) == -EBUSY);
	MUST(score_set_share(score, last_node().id, 1, &busy) == -EBUSY);
	MUST(last_node().share == 2);
	MUST(score_split(score, &none, true) == 0);
	MUST(last_node().limit == 4);
}

/* A farm that needs a lease gives out nothing before the first, and a lease that is over can be ended. */
static void test_leased(void)
{
	const struct split none = { .parts = 0 }, half = { .part = 1, .parts = 2 }, leased = { .parts = SPLIT_LEASED };
	struct score_slot slot;
	struct split split;

	MUST(score_split(score, &half, true) == 0);
	MUST(score_split(score, &leased, true) == 0);
	MUST(score_split(score, &leased, true) == 1);
	MUST(score_get_split(score, &split) == 0 && split_is_leased(&split));
	MUST(claim(&slot) == 1);
	set_lease(clock_usec + 100);
	MUST(score_split(score, &leased, true) == 1);
	MUST(score_split(score, &none, true) == -EBUSY);
	clock_usec += 100;
	MUST(score_split(score, &none, false) == -EBUSY);
	MUST(score_split(score, &half, false) == -EBUSY);
	MUST(score_split(score, &leased, false) == 1);
	MUST(score_split(score, &none, true) == 0);
	MUST(last_node().share == SHARE_NONE && last_node().limit == 4);
}

static void claim_often(bool leased, unsigned long count)
{
	struct score_slot slot;
	uint32_t busy;

	if (leased) {
		set_lease(clock_usec + 1);
		MUST(score_set_share(score, last_node().id, 4, &busy) == 0);
	}
	for (; count > 0; count--)
		MUST(claim(&slot) == 0 && score_release(score, &slot, 64, 64, true) == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2 && argc != 4)
		return 64;
	MUST(score_open(argv[1], NULL, &score) == 0);
	if (argc == 4) {
		claim_often(strcmp(argv[2], "leased") == 0, strtoul(argv[3], NULL, 10));
		(void)score_close(score);
		return 0;
	}
	test_share();
	test_waiter_of_share();
	test_end_of_lease();
	test_granted();
	test_woken();
	test_new_node();
	test_split();
	test_leased();
	(void)score_close(score);
	return 0;
}

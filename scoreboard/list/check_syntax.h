/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * check_syntax.h: what may stand behind check= in a node list, as text alone.
 * So every program that reads a list refuses a bad check, also a program that
 * never probes. What a check does is in cbprobe.
 *
 *     check=NAME[:ARGUMENT] [OPTION...]
 *     check=[OPTION...] NAME:ARGUMENT     where ARGUMENT goes to the end
 */

#include <stdbool.h>
#include <stdint.h>

#include "expected.h"
#include "nodelist.h"

#define CHECK_NAME_MAX 15
#define CHECK_STATUSES_MAX 8
#define CHECK_WORDS_MAX 128 /* of a command: each word but the last takes two bytes of the text */

/* A check= text in its parts. */
struct check_syntax {
	char name[CHECK_NAME_MAX + 1];
	char argument[NODE_CHECK_MAX + 1]; /* behind the colon; empty if there is none */
	uint64_t timeout_usec;             /* --timeout; 0: the prober's own */
	bool slot;                         /* --slot: takes a slot of the node */
	uint16_t port;                     /* of agent:PORT */
	char compiler[NODE_CHECK_MAX + 1]; /* --compiler; empty: the check's own choice */
	char fingerprint[NODE_FINGERPRINT_MAX + 1]; /* --fingerprint: a part of the node's fingerprint; empty: any */
	struct check_status_range {
		uint16_t first, last;
	} statuses[CHECK_STATUSES_MAX];    /* --status, each */
	unsigned n_statuses;               /* 0: --status was not given */
	char body[NODE_CHECK_MAX + 1];     /* --body, a pattern; empty: not given */
	char ca[NODE_CHECK_MAX + 1];       /* --ca, an absolute path; empty: not given */
	bool insecure;                     /* --insecure */
};

/*
 * Takes a check= text apart; an empty text means tcp. 0; or -EINVAL: then expected
 * holds the phrase that follows the word "expected", and *ret must not be used.
 */
int check_syntax_parse(const char *text, struct check_syntax *ret, char expected[static EXPECTED_MAX]);

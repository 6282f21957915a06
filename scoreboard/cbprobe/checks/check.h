/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * check.h: what a kind of check is. Each kind has a file of its own with a struct
 * check, and a row in the library's list/check_kinds.h.
 *
 * A check is driven by pass.c and never waits itself. The check leaves in the
 * probe what it wants to be called for: fd and events, and deadline_usec. A check
 * ends with any outcome but OUTCOME_PENDING, its descriptor closed, and leaves the
 * reason and a few words of its own in the probe.
 */

#include "list/check_kinds.h"
#include "probe.h"

struct check_syntax;

enum outcome {
	OUTCOME_PENDING,
	OUTCOME_UP,        /* probe->detail may hold a warning */
	OUTCOME_DOWN,      /* probe->reason says why, and probe->detail more */
	OUTCOME_UNREACHED, /* the same: no way out of this machine: the node's fault only if others answered */
	OUTCOME_UNABLE,    /* the same: a trouble of this machine, which says nothing about the node */
	OUTCOME_UNKNOWN,   /* the check ran and cannot tell; the node stays as it is */
	OUTCOME_LATER,     /* out of descriptors or memory: to be begun again when other checks have ended */
};

/*
 * What all checks of some kinds share during a pass: libcurl's transfers, for
 * example, are driven by a single descriptor. A process has a single source of each
 * kind.
 */
struct source {
	/* Called before the first such check of a pass; n nodes have such checks. *ret_fd: readable when there is
	 * something to do; or left as it is. 0 or -errno; then close() is called all the same. */
	int (*open)(size_t n, int *ret_fd);

	/* The descriptor is readable: does what can be done without waiting. 0 or -errno. */
	int (*work)(void);

	/* A check that the work has ended, and its outcome; NULL if there is none (more). */
	struct probe *(*next_ended)(enum outcome *ret);

	/* Called after the last check of the pass. */
	void (*close)(void);
};

struct check {
	const char *name; /* in check=NAME or check=NAME:ARGUMENT */

	bool shallow;     /* its success means only that a connection was made */
	bool talks;       /* has a conversation in probe->talk while it is under way */
	bool works;       /* makes the node work: takes a slot of the node, as --slot does for other checks */
	const struct source *source; /* the shared source, or NULL */

	/*
	 * Called once a pass for each text that names the check; may be NULL. What it leaves in *ret is the checkup's
	 * prepared, ended by forget(). 0; -EINVAL after a message by news.h: then nodes with that text are left alone;
	 * or -ENOMEM.
	 */
	int (*prepare)(const struct check_syntax *syntax, void **ret);
	void (*forget)(void *prepared);

	/* Begins a try. deadline_usec, here and below, is for a stage that the call begins. NULL: nodes with
	 * this check are never probed. */
	enum outcome (*start)(struct probe *probe, uint64_t deadline_usec);

	/* Called when an awaited event on probe->fd has come. */
	enum outcome (*ready)(struct probe *probe, uint64_t deadline_usec);

	/* Called when probe->deadline_usec has passed. */
	enum outcome (*expired)(struct probe *probe, uint64_t deadline_usec);

	/* Called when the pass ends while the check is under way: frees probe->work and what belongs to it.
	 * NULL: the check has nothing but the descriptor. */
	void (*stop)(struct probe *probe);

	/*
	 * For talk.c. opened(): the connection is open. sent(): everything has been sent (NULL: then the check
	 * listens). heard(): more of the node's bytes are in the conversation, or the node has ended it. lost(): the
	 * talk broke off, for this reason and with these words or NULL, and the descriptor is closed (NULL: the node is
	 * down for that reason). All but lost() end with talk_send(), talk_listen(), or an outcome. heard() may ask for
	 * more in the same stage by OUTCOME_PENDING. The descriptor is talk.c's to close.
	 */
	enum outcome (*opened)(struct probe *probe, uint64_t deadline_usec);
	enum outcome (*sent)(struct probe *probe, uint64_t deadline_usec);
	enum outcome (*heard)(struct probe *probe, uint64_t deadline_usec);
	enum outcome (*lost)(struct probe *probe, enum node_reason reason, const char *detail);

	/*
	 * Notes in the scoreboard what the check has found beyond OUTCOME_UP or _DOWN, before that verdict is noted;
	 * NULL: nothing. The conversation is still there. 0, or -errno; -ENOENT: the node has been removed.
	 */
	int (*settle)(struct score *score, struct probe *probe);
};

/* Declares check_tcp and all others. */
#define CHECK_DECLARE(kind, ...) extern const struct check check_##kind;
CHECK_KINDS(CHECK_DECLARE)

/* The check of that name. NULL if this program does not know it. */
const struct check *check_find(const char *name);

/*
 * Leaves the reason and a detail in the probe, and returns the outcome. The detail is
 * printf's; it is cut at a character if it has more than NODE_DETAIL_MAX bytes, and
 * bytes that are not printable become dots.
 */
enum outcome probe_end(struct probe *probe, enum outcome outcome, enum node_reason reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A check that fails; a check that cannot tell; a node that is up, about which there is something to say. */
#define probe_fail(probe, reason, ...) probe_end(probe, OUTCOME_DOWN, reason, __VA_ARGS__)
#define probe_cannot_tell(probe, reason, ...) probe_end(probe, OUTCOME_UNKNOWN, reason, __VA_ARGS__)
#define probe_warn(probe, ...) probe_end(probe, OUTCOME_UP, REASON_NONE, __VA_ARGS__)

/* As probe_fail(). The detail is these words, and then what the node said: size bytes of any kind. */
enum outcome probe_fail_said(struct probe *probe, enum node_reason reason, const char *words, const char *said, size_t size);

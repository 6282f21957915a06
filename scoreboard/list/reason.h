/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * reason.h: why a node is in its state. Every way in which a connect or a check
 * can end is one value with one phrase. The phrase is the same in the journal,
 * in tables and in cbprobe(8). The values are stored: append only.
 */

enum node_reason {
	REASON_NONE,
	REASON_CONFIGURED,      /* its flags in the node list */
	REASON_HELD,            /* an administrator */
	REASON_REMOVED,         /* no longer in the node list */
	REASON_UNRESOLVED,
	REASON_REFUSED,
	REASON_TIMED_OUT,
	REASON_NO_ROUTE,
	REASON_RESET,
	REASON_NO_ADDRESS_LEFT, /* an address family or address that this machine cannot use */
	REASON_CONNECT_FAILED,  /* any other errno */
	REASON_FLAPPING,        /* went down too often; the last failure is in the node's detail */
	REASON_SILENT,          /* takes connections, and ends them at once without a byte */
	REASON_NO_ANSWER,       /* connected, but a stage of the dialogue took too long */
	REASON_CLOSED,          /* the dialogue ended too early */
	REASON_TOO_LONG,        /* longer than any sound answer */
	REASON_WRONG_BANNER,
	REASON_WRONG_ANSWER,    /* a chat's */
	REASON_AGENT_DOWN,      /* the node's agent said so; also the next two */
	REASON_AGENT_DRAIN,
	REASON_AGENT_MAINT,
	REASON_PROTOCOL,        /* not what the check's protocol allows */
	REASON_COMPILE_REFUSED, /* distccd closed without a byte, for one of two causes */
	REASON_COMPILE_FAILED,
	REASON_COMPILER_MISMATCH,
	REASON_HTTP_STATUS,     /* an HTTP answer with a status that is not expected */
	REASON_NOT_HTTP,        /* the answer is not HTTP */
	REASON_BODY,            /* the body of the answer does not match */
	REASON_CERTIFICATE,     /* for another name, expired, or of an unknown issuer */
	REASON_TLS,             /* no TLS could be agreed on */
	REASON_COMMAND,         /* a monitoring plugin said CRITICAL */
	REASON_COMMAND_UNKNOWN, /* the plugin could not tell; never a reason to be down */
	REASON_PATTERN,         /* the check's pattern went over its bounds; never a reason to be down */
	REASON_MAX_,
};

/* The phrase; "unknown reason" for a value that a later version may have stored. Never NULL. */
const char *reason_to_string(enum node_reason reason);

/* The reason for a failed connect(2)'s errno (positive). Never fails. */
enum node_reason reason_from_errno(int error);

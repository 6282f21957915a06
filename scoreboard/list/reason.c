/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "reason.h"

#include <errno.h>
#include <stddef.h>

static const char *const phrases[REASON_MAX_] = {
	[REASON_NONE] = "",
	[REASON_CONFIGURED] = "set in the node list",
	[REASON_HELD] = "held by an administrator",
	[REASON_REMOVED] = "removed from the node list",
	[REASON_UNRESOLVED] = "name does not resolve",
	[REASON_REFUSED] = "connection refused",
	[REASON_TIMED_OUT] = "connect timed out",
	[REASON_NO_ROUTE] = "no route to host",
	[REASON_RESET] = "connection reset",
	[REASON_NO_ADDRESS_LEFT] = "address not usable here",
	[REASON_CONNECT_FAILED] = "connect failed",
	[REASON_FLAPPING] = "flapping",
	[REASON_SILENT] = "closes without an answer",
	[REASON_NO_ANSWER] = "no answer in time",
	[REASON_CLOSED] = "closed without an answer",
	[REASON_TOO_LONG] = "answer too long",
	[REASON_WRONG_BANNER] = "wrong banner",
	[REASON_WRONG_ANSWER] = "wrong answer",
	[REASON_AGENT_DOWN] = "its agent says down",
	[REASON_AGENT_DRAIN] = "its agent says drain",
	[REASON_AGENT_MAINT] = "its agent says maint",
	[REASON_PROTOCOL] = "invalid protocol",
	[REASON_COMPILE_REFUSED] = "closed without a byte: client not allowed, or compiler not masqueraded",
	[REASON_COMPILE_FAILED] = "compile failed",
	[REASON_COMPILER_MISMATCH] = "compiler mismatch",
	[REASON_HTTP_STATUS] = "unexpected HTTP status",
	[REASON_NOT_HTTP] = "HTTP answer not understood",
	[REASON_BODY] = "body does not match",
	[REASON_CERTIFICATE] = "certificate not valid",
	[REASON_TLS] = "TLS failed",
	[REASON_COMMAND] = "check command says down",
	[REASON_COMMAND_UNKNOWN] = "check command cannot tell",
	[REASON_PATTERN] = "pattern takes too much work",
};

const char *reason_to_string(enum node_reason reason)
{
	if (reason < 0 || reason >= REASON_MAX_ || !phrases[reason])
		return "unknown reason";
	return phrases[reason];
}

enum node_reason reason_from_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return REASON_REFUSED;
	case ETIMEDOUT:
		return REASON_TIMED_OUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return REASON_NO_ROUTE;
	case ECONNRESET:
	case EPIPE:
		return REASON_RESET;
	case EAFNOSUPPORT:
	case EADDRNOTAVAIL:
	case EINVAL:
	case EACCES:
	case EPERM:
		return REASON_NO_ADDRESS_LEFT;
	default:
		return REASON_CONNECT_FAILED;
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * news.h: what happens among the gateways, a line of the log each, and the status that
 * the service manager shows.
 */

#include "gateway.h"

/* Says the event's line. */
void news_tell(const struct gateway_event *event);

/* STATUS=, if it is another than before. trouble: why the engine does not answer, or NULL. */
void news_status(const struct gateway_status *status, uint64_t now_usec, const char *trouble);

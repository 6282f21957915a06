/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gateway_news.h: what a gateway tells, by its hook told: each event once.
 */

#include "gateway_state.h"

/* Tells an event. */
void gateway_tell(struct gateway *g, const struct gateway_event *event);

/* Tells an event of that kind, about a peer; NULL: about none. */
void gateway_tell_of(struct gateway *g, enum gateway_event_kind kind, const char *peer);

/*
 * Tells what has changed at the engine since the latest call: cores that came or
 * went, peers that came, went, fell silent or spoke again, lists that differ, and a key that
 * cannot be read. For a peer that has fallen silent the hook fence is called.
 */
void gateway_tell_news(struct gateway *g);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gateway_heartbeat.h: what a gateway says of itself to the others, and how often.
 */

#include "gateway_state.h"

/* Adds the gateway's heartbeat, as it is now, to a commit, and remembers it as the latest that was said. */
void gateway_put_heartbeat(struct gateway *g, struct request *request);

/* When the next heartbeat is to be sent: in microseconds of the gateway's clock; a time that has passed: now. */
uint64_t gateway_heartbeat_due(const struct gateway *g);

/* Whether another gateway is there. */
bool gateway_has_company(const struct gateway *g);

/* The sum of the gateway's shares of all nodes. */
uint64_t gateway_shares(const struct gateway *g);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * talk.h: the stages QUERY and RECV, for checks that talk over a connection of
 * their own. Such a check has connect_start(), talk_ready() and talk_expired()
 * in its struct check, and the calls opened(), heard(), and perhaps sent()
 * and lost().
 *
 * A stage has one deadline from its beginning to its end, however many bytes
 * come meanwhile: a node that sends a byte a second is as late as a silent node.
 */

#include "check.h"

/* The call ready of such a check (struct check). */
enum outcome talk_ready(struct probe *probe, uint64_t deadline_usec);

/* The call expired of such a check (struct check). */
enum outcome talk_expired(struct probe *probe, uint64_t deadline_usec);

/*
 * Sends size bytes, which must stay where they are, and then listens. For opened()
 * and heard(), which return what this returns.
 */
enum outcome talk_send(struct probe *probe, const void *bytes, size_t size, uint64_t deadline_usec);

/*
 * Listens. For opened() and heard(), which return what this returns. What was
 * received before stays; a check that is done with it sets received to 0.
 */
enum outcome talk_listen(struct probe *probe, uint64_t deadline_usec);

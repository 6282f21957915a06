/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * tcp.c: check=tcp. A node is up if any of its addresses takes a connection,
 * which is closed at once; connect.c tells how the node does not even see it.
 */

#include "check.h"
#include "connect.h"

static enum outcome tcp_ready(struct probe *probe, uint64_t deadline_usec)
{
	enum outcome outcome = connect_ready(probe, deadline_usec);

	if (outcome == OUTCOME_UP)
		connect_close(probe);
	return outcome;
}

const struct check check_tcp = {
	.name = "tcp",
	.shallow = true,
	.start = connect_start,
	.ready = tcp_ready,
	.expired = connect_expired,
};

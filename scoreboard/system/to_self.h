/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * to_self.h: a process sends itself a signal, also where it may not call tgkill(2): by the arguments of that call the
 * kernel could not tell a relay's own pid from another process's.
 */

#include <stdbool.h>
#include <time.h>

/* A signal that was sent. */
struct to_self {
	bool by_timer;       /* then timer exists */
	timer_t timer;
};

/* Sends the signal. It has come when this returns; or it is pending, if it is blocked. *ret is to be ended by to_self_end(). */
void to_self_send(int number, struct to_self *ret);

/* To be called when the signal has come: one that is pending may be dropped. */
void to_self_end(struct to_self *sent);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sigtstp.h: a terminal's stop signal (Ctrl-Z) takes effect only where no other
 * process waits for the stopped one.
 */

#include <stdbool.h>

/* From now on SIGTSTP stops this process only outside of sigtstp_hold_off() and sigtstp_let_in(). Nothing happens if the
 * signal is ignored or handled otherwise. */
void sigtstp_defer(void);

/* From here on SIGTSTP is only noted. Returns false if that was so already. */
bool sigtstp_hold_off(void);

/* Ends that: if a SIGTSTP was noted, this process is stopped here until another process continues it. */
void sigtstp_let_in(void);

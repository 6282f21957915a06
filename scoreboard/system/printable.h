/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * printable.h: text that others choose (a node, a client, an agent) on its way
 * to a terminal or the journal.
 */

/*
 * Leaves printable ASCII and valid UTF-8 as they are, and puts instead in the
 * place of each other byte: control characters, bytes that are no UTF-8, and
 * what only steers a display (C1 controls, direction marks, line separators).
 */
void printable(char *text, char instead);

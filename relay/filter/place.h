/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* place.h: what the generator of the filters and relay/confine.c agree on. */

/* Stands in the place of the relay's pid, which differs from relay to relay. No pid can be so high. */
#define FILTER_NO_PID UINT32_C(0x7ead1ead)

/* Stands in the place of the number that the nursery draws, and by which it may fork; its halves differ from all other
 * numbers of the program. */
#define FILTER_NO_PASS UINT64_C(0x7ead2ead7ead3ead)

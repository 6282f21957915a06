/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* place.h: what the generator of the filter and the relay agree on. */

/* Stands in the place of the relay's pid, which differs from relay to relay. No pid can be so high. */
#define FILTER_NO_PID UINT32_C(0x7ead1ead)

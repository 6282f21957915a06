/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * verbosity.h: the words for how much the farm's programs log.
 */

#include <stdint.h>

/* What a farm's verbosity means, as a sentence without its end. Never NULL. */
const char *verbosity_words(uint32_t verbosity);

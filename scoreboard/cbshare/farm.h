/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm.h: this gateway's farm, as gateway.h asks for it: the scoreboard.
 */

#include "gateway.h"
#include "scoreboard.h"

struct farm_view;

/* A view of the scoreboard, which stays the caller's. *ret_farm is what gateway_new() gets; it is valid as long as the view.
 * 0 and *ret, or -ENOMEM. */
int farm_view_new(struct score *score, struct farm_view **ret, struct gateway_farm *ret_farm);

/* Frees the view; the scoreboard stays open. */
void farm_view_free(struct farm_view *view);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * prometheus.h: a farm for Prometheus, in its text format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Names have the prefix
 * corebalance_ and base units; labels are farm and node, never a client.
 */

#include "form.h"

/* All families. */
extern const struct form prometheus_form;

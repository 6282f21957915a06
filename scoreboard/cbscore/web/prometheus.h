/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * prometheus.h: a farm for Prometheus, in its text format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Names have the prefix
 * corebalance_ and base units; labels are farm and node, never a client.
 */

#include <stdio.h>

#include "snapshot.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Writes all families. The caller looks at errors of the stream. */
void prometheus_write(FILE *out, const struct snapshot *snapshot);

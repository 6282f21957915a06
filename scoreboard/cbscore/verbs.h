/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * verbs.h: the entries of the verbs, one file each or one a family. Each is
 * given what stands behind the verb, and returns an exit status.
 */

#include "context.h"

/* show.c */
int verb_list(const struct context *context, int argc, char **argv);
int verb_slots(const struct context *context, int argc, char **argv);
int verb_queue(const struct context *context, int argc, char **argv);

/* explain.c */
int verb_explain(const struct context *context, int argc, char **argv);

/* nodes.c */
int verb_load(const struct context *context, int argc, char **argv);
int verb_validate(const struct context *context, int argc, char **argv);

/* edit.c */
int verb_dump(const struct context *context, int argc, char **argv);
int verb_add(const struct context *context, int argc, char **argv);
int verb_remove(const struct context *context, int argc, char **argv);
int verb_set(const struct context *context, int argc, char **argv);

/* hold.c */
int verb_down(const struct context *context, int argc, char **argv);
int verb_up(const struct context *context, int argc, char **argv);

/* mend.c */
int verb_reap(const struct context *context, int argc, char **argv);
int verb_fsck(const struct context *context, int argc, char **argv);

/* export.c */
int verb_export(const struct context *context, int argc, char **argv);

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "farm_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alone.h"

/* Whether a farm can have the name: it becomes part of two paths, and the instance of a unit. */
static bool is_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= FARM_NAME_MAX && isalnum((unsigned char)name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

int farm_options_set_name(void *settings, const char *value)
{
	struct farm_options *options = settings;

	options->name = value;
	return is_name(value) ? 0 : -EINVAL;
}

int farm_options_set_nodes(void *settings, const char *value)
{
	struct farm_options *options = settings;

	options->nodes = value;
	options->nodes_given = true;
	return *value ? 0 : -EINVAL;
}

int farm_options_set_scoreboard(void *settings, const char *value)
{
	struct farm_options *options = settings;

	options->scoreboard = value;
	options->scoreboard_given = true;
	return *value ? 0 : -EINVAL;
}

static const char *environment_name(void)
{
	const char *name = secure_getenv("COREBALANCE_FARM");

	return name && *name ? name : NULL;
}

/* Keeps the holds of a scoreboard /run/corebalance/NAME.tdb in /var/lib/corebalance/NAME.holds. */
static void settle_holds(struct farm_options *options)
{
	static const char run[] = "/run/corebalance/";
	const char *name, *end;

	if (strncmp(options->scoreboard, run, strlen(run)) != 0)
		return;
	name = options->scoreboard + strlen(run);
	end = strrchr(name, '.');
	if (!end || end == name || strcmp(end, ".tdb") != 0 || strchr(name, '/') || end - name > FARM_NAME_MAX)
		return;
	(void)snprintf(options->holds_path, sizeof(options->holds_path), "/var/lib/corebalance/%.*s.holds", (int)(end - name),
		       name);
	score_set_holds(options->holds_path);
}

/* A name on the command line has precedence over the variables; the variable with a path over that with a name. */
int farm_options_settle(struct farm_options *options)
{
	bool said = options->name != NULL;

	if (!said)
		options->name = environment_name();
	if (options->name && !is_name(options->name))
		return -EINVAL;
	if (!options->nodes && options->name) {
		(void)snprintf(options->nodes_path, sizeof(options->nodes_path), "/etc/corebalance/%s.conf", options->name);
		options->nodes = options->nodes_path;
		options->nodes_given = true;
	}
	if (!options->scoreboard && options->name && (said || !score_path_is_set())) {
		(void)snprintf(options->scoreboard_path, sizeof(options->scoreboard_path), "/run/corebalance/%s.tdb",
			       options->name);
		options->scoreboard = options->scoreboard_path;
		options->scoreboard_given = true;
	}
	if (!options->nodes)
		options->nodes = SCORE_DEFAULT_NODES;
	if (!options->scoreboard) {
		options->scoreboard_given = score_path_is_set();
		options->scoreboard = score_default_path();
	}
	settle_holds(options);
	return 0;
}

int farm_options_export(const struct farm_options *options)
{
	if (setenv("COREBALANCE_SCOREBOARD", options->scoreboard, 1) < 0)
		return -errno;
	return options->name && setenv("COREBALANCE_FARM", options->name, 1) < 0 ? -errno : 0;
}

const char *farm_options_shown(struct farm_options *options)
{
	const char *slash = strrchr(options->scoreboard, '/'), *base = slash ? slash + 1 : options->scoreboard;
	const char *end = strrchr(base, '.');
	size_t length = end && strcmp(end, ".tdb") == 0 ? (size_t)(end - base) : strlen(base);

	if (options->name)
		return options->name;
	if (strcmp(options->scoreboard, SCORE_DEFAULT_PATH) == 0)
		return "corebalance";
	if (alone_has(options->scoreboard))
		return ALONE_FARM;
	(void)snprintf(options->shown, sizeof(options->shown), "%.*s", (int)length, base);
	return options->shown;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * options.c: a row for each option, with the function that sets it.
 */

#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "members.h"
#include "system/timespan.h"
#include "values.h"

#define LEASE_MIN_USEC USEC_PER_SEC
#define LEASE_MAX_USEC (3600 * USEC_PER_SEC)
#define ENGINE "etcd:"
#define ENGINE_SYNTAX "\"etcd:\", and " ETCD_MEMBERS_SYNTAX
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static int set_engine(void *settings, const char *value)
{
	struct options *options = settings;
	struct members members;
	int r;

	if (strncmp(value, ENGINE, strlen(ENGINE)) != 0)
		return -EINVAL;
	options->members = value + strlen(ENGINE);
	r = members_read(options->members, &members);
	members_clear(&members);
	return r;
}

static int set_login(void *settings, const char *value)
{
	struct options *options = settings;

	options->login = value;
	return *value ? 0 : -EINVAL;
}

static int set_name(void *settings, const char *value)
{
	struct options *options = settings;
	size_t length = strlen(value);

	if (length == 0 || length > GATEWAY_NAME_MAX || strspn(value, NAME_CHARACTERS) != length)
		return -EINVAL;
	(void)memcpy(options->name, value, length + 1);
	return 0;
}

static int set_lease(void *settings, const char *value)
{
	struct options *options = settings;
	int r = timespan_parse(value, &options->lease_usec);

	return r < 0 || options->lease_usec < LEASE_MIN_USEC || options->lease_usec > LEASE_MAX_USEC ? -EINVAL : 0;
}

static int set_margin(void *settings, const char *value)
{
	struct options *options = settings;
	int r = timespan_parse(value, &options->margin_usec);

	return r < 0 || options->margin_usec == 0 || options->margin_usec > LEASE_MAX_USEC ? -EINVAL : 0;
}

static int set_fence(void *settings, const char *value)
{
	struct options *options = settings;

	options->fence = NULL;
	if (strncmp(value, "wait:", 5) == 0) {
		int r = timespan_parse(value + 5, &options->fence_wait_usec);

		return r < 0 || options->fence_wait_usec > SPAN_MAX_USEC ? -EINVAL : 0;
	}
	if (strncmp(value, "exec:", 5) != 0 || !value[5])
		return -EINVAL;
	options->fence = value + 5;
	return 0;
}

static const struct option_row rows[] = {
	FARM_OPTION_ROWS("node list to make the scoreboard from if there is none"),
	{ "engine", 0, "etcd:URL,...", "the store that the farm's gateways share", "$ENGINE", ENGINE_SYNTAX, set_engine, NULL },
	{ "login", 0, "FILE", "this gateway's user and certificates for etcd", NULL, "a file", set_login, NULL },
	{ "name", 0, "NAME", "of this gateway; no two gateways have the same", "the host's name",
	  "1 to 63 letters, digits, dots, dashes and underscores", set_name, NULL },
	{ "lease", 0, "TIME", "a gateway that has said nothing for so long is dead; the same at all gateways", "15s",
	  "a time of 1s to 1h", set_lease, NULL },
	{ "margin", 0, "TIME", "so long before the end of its lease a gateway ends its connections", "5s",
	  "a time above 0, below --lease", set_margin, NULL },
	{ "fence", 0, "FENCE", "before a dead gateway's cores are taken: wait:TIME lets so much time pass, exec:COMMAND runs "
	  "until the command succeeds", "wait:0s", "wait:TIME, up to 24h, or exec:COMMAND", set_fence, NULL },
};

static const char *const usage[] = { "[OPTION...]", NULL };

static const struct command command = {
	.name = "cbshare",
	.usage = usage,
	.about = "Share the nodes of a farm with other gateways: lease a part of each node's\n"
		 "cores from a store that all gateways share, and give it where it is needed.",
	.manual = "cbshare(8)",
	.options = OPTION_SET(rows),
};

/* Sets what no option has set, by the environment and the host's name. 0; or -EINVAL after a message. */
static int settle(struct options *options)
{
	const char *engine = secure_getenv("ENGINE");
	char host[256] = "", margin[32], lease[32];

	if (farm_options_settle(&options->farm) < 0)
		return command_complain(&command, NULL, "$COREBALANCE_FARM: \"%s\": expected the name of a farm",
					options->farm.name);
	if (!options->members && engine && *engine && set_engine(options, engine) < 0)
		return command_complain(&command, NULL, "$ENGINE: \"%s\": expected " ENGINE_SYNTAX, engine);
	if (!options->members)
		return command_complain(&command, NULL, "--engine: expected " ENGINE_SYNTAX "; $ENGINE does as well");
	(void)gethostname(host, sizeof(host) - 1);
	if (!*options->name && set_name(options, host) < 0)
		return command_complain(&command, NULL, "the host's name, \"%s\", cannot be a gateway's: --name says another", host);
	if (options->margin_usec >= options->lease_usec)
		return command_complain(&command, NULL, "--margin: %s: expected less than --lease, which is %s",
					timespan_format(options->margin_usec, margin, sizeof(margin)),
					timespan_format(options->lease_usec, lease, sizeof(lease)));
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct command_line line;
	int r;

	*ret = (struct options){ .lease_usec = 15 * USEC_PER_SEC, .margin_usec = 5 * USEC_PER_SEC };
	r = command_parse(&command, argc, argv, ret, &line);
	if (r != 0)
		return r;
	if (line.n_arguments > 0)
		return command_complain(&command, NULL, "\"%s\": expected options only", line.arguments[0]);
	return settle(ret);
}

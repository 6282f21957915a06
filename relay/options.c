/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * options.c: a row for each option, with the function that sets it.
 */

#include "options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "congestion.h"
#include "proxy.h"
#include "report.h"
#include "socket.h"
#include "system/number.h"
#include "system/timespan.h"

static int set_policy(void *settings, const char *value)
{
	struct options *options = settings;

	options->settings.policy = policy_from_string(value);
	return options->settings.policy == POLICY_INVALID_ ? -EINVAL : 0;
}

static int set_connect_timeout(void *settings, const char *value)
{
	struct options *options = settings;
	int r = timespan_parse(value, &options->settings.connect_timeout_usec);

	return r < 0 ? r : options->settings.connect_timeout_usec ? 0 : -EINVAL;
}

static int set_idle_timeout(void *settings, const char *value)
{
	struct options *options = settings;

	return timespan_parse(value, &options->settings.idle_timeout_usec);
}

static int parse_number(const char *value, size_t min, size_t *ret)
{
	uint64_t number;
	int r = number_parse(value, min, SIZE_MAX, &number);

	if (r == 0)
		*ret = number;
	return r;
}

static int set_vanish_timeout(void *settings, const char *value)
{
	uint64_t usec;
	int r = timespan_parse(value, &usec);

	(void)settings;
	if (r == 0 && (usec < SOCKET_VANISH_MIN_USEC || usec > SOCKET_VANISH_MAX_USEC))
		r = -EINVAL;
	if (r == 0)
		socket_set_vanish(usec);
	return r;
}

static int set_queue_limit(void *settings, const char *value)
{
	struct options *options = settings;

	return parse_number(value, 0, &options->settings.queue_limit);
}

static int set_clients(void *settings, const char *value)
{
	struct options *options = settings;
	uint64_t number;

	if (number_parse(value, 1, SCORE_CLIENTS_MAX, &number) < 0)
		return -EINVAL;
	options->settings.clients = (uint32_t)number;
	return 0;
}

/* Rounded up to seconds. */
static int set_forget_after(void *settings, const char *value)
{
	struct options *options = settings;
	uint64_t usec;
	int r = timespan_parse(value, &usec);

	if (r < 0)
		return r;
	options->settings.forget_sec = usec == 0 || usec >= (SCORE_FORGET_NEVER - 1) * USEC_PER_SEC ? SCORE_FORGET_NEVER :
				       (uint32_t)((usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
	return 0;
}

static int set_per_client(void *settings, const char *value)
{
	struct options *options = settings;
	uint64_t number;

	if (number_parse(value, 0, UINT32_MAX, &number) < 0)
		return -EINVAL;
	options->settings.per_client = (uint32_t)number;
	return 0;
}

static int set_fair(void *settings, const char *value)
{
	struct options *options = settings;

	(void)value;
	options->settings.fair = true;
	return 0;
}

static int set_patience(void *settings, const char *value)
{
	struct options *options = settings;
	int r = timespan_parse(value, &options->settings.patience_usec);

	return r < 0 ? r : options->settings.patience_usec > SCORE_PATIENCE_MAX_USEC ? -EINVAL : 0;
}

static int set_connections_per_relay(void *settings, const char *value)
{
	struct options *options = settings;

	return parse_number(value, 1, &options->settings.connections_per_relay);
}

static int set_queue_timeout(void *settings, const char *value)
{
	struct options *options = settings;

	return timespan_parse(value, &options->settings.queue_timeout_usec);
}

static int set_down_timeout(void *settings, const char *value)
{
	struct options *options = settings;

	return timespan_parse(value, &options->settings.down_timeout_usec);
}

static int set_retry_after(void *settings, const char *value)
{
	struct options *options = settings;
	int r = timespan_parse(value, &options->settings.retry_after_usec);

	return r < 0 ? r : options->settings.retry_after_usec ? 0 : -EINVAL;
}

static int set_congestion_control(void *settings, const char *value)
{
	(void)settings;
	return congestion_choose(value);
}

static int set_log(void *settings, const char *value)
{
	(void)settings;
	return report_choose(value);
}

static int set_proxy_protocol(void *settings, const char *value)
{
	struct options *options = settings;

	options->settings.proxy = strcmp(value, "v1") == 0 ? PROXY_V1 : PROXY_V2;
	return strcmp(value, "v1") == 0 || strcmp(value, "v2") == 0 ? 0 : -EINVAL;
}

static int set_accept_proxy(void *settings, const char *value)
{
	(void)settings;
	return proxy_accept_from(value);
}

static int set_exit_idle(void *settings, const char *value)
{
	struct options *options = settings;

	options->settings.exit_idle = true;
	return timespan_parse(value, &options->settings.exit_idle_usec);
}

static int set_abandon_on_eof(void *settings, const char *value)
{
	struct options *options = settings;

	(void)value;
	options->settings.abandon_on_eof = true;
	return 0;
}

static int set_user(void *settings, const char *value)
{
	struct options *options = settings;

	options->user = value;
	return *value ? 0 : -EINVAL;
}

static int set_verbose(void *settings, const char *value)
{
	struct options *options = settings;

	(void)value;
	options->settings.verbose++;
	return 0;
}

#define TIME "a time, as in 1min 30s"

static const struct option_row rows[] = {
	FARM_OPTION_ROWS("node list"),
	{ "policy", 0, "NAME", "which node", "fastest", NULL, set_policy, policy_word },
	{ "clients", 0, "N", "how many clients the policy affinity remembers", "2048", "1 to 1048576", set_clients,
	  NULL },
	{ "forget-after", 0, "TIME", "the policy affinity forgets a client that got no slot for so long", "1h",
	  TIME "; 0 is never", set_forget_after, NULL },
	{ "connect-timeout", 0, "TIME", "how long a node has to accept, all its addresses together", "5s",
	  TIME ", above 0", set_connect_timeout, NULL },
	{ "idle-timeout", 0, "TIME", "end a connection of which nothing moved for so long", "0, off", TIME,
	  set_idle_timeout, NULL },
	{ "vanish-timeout", 0, "TIME", "give up a machine that answered nothing for so long", "2min", TIME ", from 8s to 1h",
	  set_vanish_timeout, NULL },
	{ "queue-limit", 0, "N", "let at most N wait here, the rest in the kernel's backlog", "0, off", "a number",
	  set_queue_limit, NULL },
	{ "per-client", 0, "N", "let a client have at most N slots; its other connections wait", "0, off", "a number",
	  set_per_client, NULL },
	{ "fair", 0, NULL, "of those that wait, serve the client that holds the fewest slots", NULL, NULL, set_fair, NULL },
	{ "patience", 0, "TIME", "keep a slow slot free so long if a faster slot is about to come free", "0, off", TIME ", up to 1min",
	  set_patience, NULL },
	{ "queue-timeout", 0, "TIME", "end a client that waited for so long for busy nodes", "0, off", TIME,
	  set_queue_timeout, NULL },
	{ "down-timeout", 0, "TIME", "end a client that waited for so long while no node is up", "0, off", TIME,
	  set_down_timeout, NULL },
	{ "retry-after", 0, "TIME", "how long a failed node rests before the next trial; doubles up to 16 times TIME",
	  "30s", TIME ", above 0", set_retry_after, NULL },
	{ "connections-per-relay", 0, "N",
	  "as a listener, replace a relay after N connections; 1: a process for each connection", "1000",
	  "a number, above 0", set_connections_per_relay, NULL },
	{ "congestion-control", 0, "NAME", "of TCP: auto, system, or one of the kernel's", "auto",
	  "auto, system, or a name of net.ipv4.tcp_available_congestion_control that this user may choose",
	  set_congestion_control, NULL },
	{ "exit-idle", 0, "TIME", "as a listener, exit after so long without connections", "off", TIME, set_exit_idle,
	  NULL },
	{ "abandon-on-eof", 0, NULL, "a waiting client that closed its side has left", NULL, NULL, set_abandon_on_eof, NULL },
	{ "proxy-protocol", 0, "VERSION", "tell nodes the address of the client by a PROXY header, v1 or v2", "off",
	  "v1 or v2", set_proxy_protocol, NULL },
	{ "accept-proxy", 0, "SOURCE,...", "clients come through these proxies, whose PROXY header names the client",
	  "off", "addresses, ADDRESS/BITS or unix, at most 32, with commas between them", set_accept_proxy, NULL },
	{ "log", 0, "WHICH", "which connections have a line in the log: all, failed, slow=TIME, sample=N or none", "all",
	  "all, failed, slow=TIME, sample=N or none", set_log, NULL },
	{ "user", 0, "USER", "as root and stand-alone, become this user once listening", NULL, "a user", set_user, NULL },
	{ "verbose", 'v', NULL, "say more: a line for each slot that is taken", NULL, NULL, set_verbose, NULL },
};

static const char *const usage[] = {
	"[OPTION...]                                  socket-activated, or from inetd",
	"[OPTION...] LISTEN [[HOST:]PORT[/CORES]...]  stand-alone",
	NULL,
};

static const struct command command = {
	.name = "cbrelay",
	.usage = usage,
	.about = "Give each connection one free core slot of a farm of nodes, and forward it.\n\n"
		 "LISTEN is [ADDR:]PORT or the path of a unix socket, or several with commas; HOST\n"
		 "defaults to localhost, CORES to 1; without nodes, the node list is taken.",
	.manual = "cbrelay(8)",
	.options = OPTION_SET(rows),
};

int options_parse(int argc, char **argv, struct options *ret)
{
	struct command_line line;
	int r;

	*ret = (struct options){
		.settings = {
			.policy = POLICY_FASTEST,
			.clients = 2048,
			.forget_sec = 3600,
			.connect_timeout_usec = 5 * USEC_PER_SEC,
			.retry_after_usec = 30 * USEC_PER_SEC,
			.connections_per_relay = 1000,
		},
	};
	r = command_parse(&command, argc, argv, ret, &line);
	if (r == 0 && farm_options_settle(&ret->farm) < 0)
		r = command_complain(&command, NULL, "$COREBALANCE_FARM: \"%s\": expected the name of a farm", ret->farm.name);
	if (r == 0 && ret->settings.patience_usec > 0 && ret->settings.policy != POLICY_FASTEST)
		r = command_complain(&command, NULL, "--patience: expected the policy fastest, and not %s",
				     policy_to_string(ret->settings.policy));
	ret->share = secure_getenv("SHARE");
	if (ret->share && !*ret->share)
		ret->share = NULL;
	if (r == 0 && ret->share && split_parse(ret->share, &ret->split) < 0)
		r = command_complain(&command, NULL, "$SHARE: \"%s\": expected " SPLIT_SYNTAX, ret->share);
	if (r == 0) {
		ret->arguments = line.arguments;
		ret->n_arguments = line.n_arguments;
	}
	return r;
}

void options_complain(const char *what)
{
	(void)command_complain(&command, NULL, "%s", what);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * export.c: the verb export: the farm in the form that another balancer reads.
 * ipvs: the input of `ipvsadm -R`, the table of the kernel's own balancer.
 * allow: a drop-in for the units, so that they reach the nodes and no other
 * address.
 *
 * A node's weight there is the value by which the scoreboard chooses when all
 * slots are free: speed times cores, in hundredths, both as the node's agent
 * changes them. A node that must not be used, also because its agent says so,
 * gets weight 0: then its connections go on, as they do here.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/grow.h"
#include "system/number.h"
#include "system/printable.h"
#include "verbs.h"

#define WEIGHT_MAX 65535.0
#define SERVICE_MAX 128

/* The virtual service, in ipvsadm's form. */
struct service {
	char text[SERVICE_MAX];  /* "-t 10.0.0.1:3632" */
	int family;              /* of the nodes that can serve it */
	uint16_t port;           /* 0: any */
};

struct export {
	struct service service;
	const char *forward;     /* "-m" */
	bool keeps_port;         /* this way of forwarding cannot change the port */
	bool primary_up;         /* a node that is no backup is up */
	double scale;            /* from speed * cores to weight */
	double most;             /* largest speed * cores */
	char (*seen)[NI_MAXHOST + 8]; /* addresses that were written: two names may share one */
	size_t n, room;
};

static struct service arg_service;         /* no text: not given */
static const char *arg_scheduler = "wlc";
static const char *arg_forward = "-m";     /* ipvsadm's letter */

static int parse_port(const char *text, uint16_t *ret)
{
	uint64_t value;
	int r = number_parse(text, 1, 65535, &value);

	if (r == 0)
		*ret = (uint16_t)value;
	return r;
}

/* Reads tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, fwmark:NUMBER (of nodes with IPv4), or fwmark6:NUMBER. */
static int parse_service(const char *text, struct service *ret)
{
	char address[INET6_ADDRSTRLEN + 2];
	unsigned char binary[16];
	const char *mark = strncmp(text, "fwmark:", 7) == 0 ? text + 7 : strncmp(text, "fwmark6:", 8) == 0 ? text + 8 : NULL;
	const char *colon = strrchr(text, ':');
	size_t length;

	*ret = (struct service){ .family = AF_INET };
	if (mark) {
		uint64_t number;

		if (number_parse(mark, 1, UINT32_MAX, &number) < 0)
			return -EINVAL;
		ret->family = text[6] == '6' ? AF_INET6 : AF_INET;
		(void)snprintf(ret->text, sizeof(ret->text), "-f %" PRIu64 "%s", number, ret->family == AF_INET6 ? " -6" : "");
		return 0;
	}
	if (strncmp(text, "tcp:", 4) != 0 || colon < text + 5 || parse_port(colon + 1, &ret->port) < 0)
		return -EINVAL;
	text += 4;
	length = (size_t)(colon - text);
	if (*text == '[' && colon[-1] == ']') {
		ret->family = AF_INET6;
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(address))
		return -EINVAL;
	(void)memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(ret->family, address, binary) != 1)
		return -EINVAL;
	(void)snprintf(ret->text, sizeof(ret->text), ret->family == AF_INET6 ? "-t [%s]:%u" : "-t %s:%u", address, ret->port);
	return 0;
}

static bool is_used(const struct export *export, const struct score_node *node)
{
	return node->state == NODE_UP && (!node->config.backup || !export->primary_up);
}

static int measure(const struct score_node *node, void *arg)
{
	double capacity = node->speed * node->limit;
	struct export *export = arg;

	export->primary_up |= node->state == NODE_UP && !node->config.backup;
	if (capacity > export->most)
		export->most = capacity;
	export->room++;
	return 0;
}

static bool is_seen(const struct export *export, const char *where)
{
	for (size_t i = 0; i < export->n; i++)
		if (strcmp(export->seen[i], where) == 0)
			return true;
	return false;
}

/* Writes the address at which the kernel finds the node. NULL; or what is wrong. */
static const char *locate(const struct export *export, const struct score_node *node, char *where, size_t size)
{
	char address[NI_MAXHOST];

	if (export->keeps_port && export->service.port != 0 && node->config.port != export->service.port)
		return "its port is not that of the service, which takes --forward masq";
	for (unsigned i = 0; i < node->n_addresses; i++) {
		const struct score_address *candidate = &node->addresses[i];

		if (candidate->sa.sa_family != export->service.family ||
		    getnameinfo(&candidate->sa, candidate->size, address, sizeof(address), NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		(void)snprintf(where, size, candidate->sa.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
			       node->config.port);
		return is_seen(export, where) ? "another node has its address" : NULL;
	}
	return export->service.family == AF_INET6 ? "it has no IPv6 address" : "it has no IPv4 address";
}

static int write_node(const struct score_node *node, void *arg)
{
	struct export *export = arg;
	double weight = node->speed * node->limit * export->scale;
	char where[sizeof(export->seen[0])];
	const char *wrong;

	if (export->n == export->room)
		return 0; /* the node was added after the count: the next export has it */
	wrong = locate(export, node, where, sizeof(where));
	if (wrong) {
		complain("%s: left out: %s", node->config.name, wrong);
		return 0;
	}
	(void)strcpy(export->seen[export->n++], where);
	if (!is_used(export, node) || node->limit == 0)
		weight = 0;
	else if (weight < 1)
		weight = 1;
	print(stdout, "-a %s -r %s %s -w %.0f\n", export->service.text, where, export->forward, weight);
	return 0;
}

static const char *const forwards[][2] = { { "masq", "-m" }, { "gatewaying", "-g" }, { "ipip", "-i" } };

#define N_FORWARDS (sizeof(forwards) / sizeof(forwards[0]))

static const char *forward_word(const void *words, size_t i)
{
	(void)words;
	return i < N_FORWARDS ? forwards[i][0] : NULL;
}

/* ipvsadm's letter for a way of forwarding, or NULL. */
static const char *forward_option(const char *name)
{
	for (size_t i = 0; i < N_FORWARDS; i++)
		if (strcmp(name, forwards[i][0]) == 0)
			return forwards[i][1];
	return NULL;
}

/* Whether the name can be a scheduler: a module of the kernel. It becomes part of a line. */
static bool is_scheduler(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < 16 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length && *name != '-';
}

/* 0 or -errno. */
static int write_all(struct score *score, struct export *export)
{
	int r = score_each_node(score, measure, export);

	if (r < 0)
		return r;
	export->scale = export->most * 100 > WEIGHT_MAX ? WEIGHT_MAX / export->most : 100;
	export->seen = calloc(export->room + 1, sizeof(export->seen[0]));
	if (!export->seen)
		return -ENOMEM;
	print(stdout, "-A %s -s %s\n", export->service.text, arg_scheduler);
	r = score_each_node(score, write_node, export);
	free(export->seen);
	return r;
}

/* ---- allow ---- */

/* The addresses that were written, so that each is written once. */
struct allowed {
	char (*addresses)[INET6_ADDRSTRLEN];
	size_t n, room;
};

static int allow_address(struct allowed *allowed, const struct score_address *address)
{
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE];
	int r;

	if (getnameinfo(&address->sa, address->size, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
		return 0;
	text[strcspn(text, "%")] = '\0'; /* so it fits; a link-local address is allowed on every link */
	for (size_t i = 0; i < allowed->n; i++)
		if (strcmp(allowed->addresses[i], text) == 0)
			return 0;
	r = GROW(allowed->addresses, allowed->n, allowed->room);
	if (r < 0)
		return r;
	(void)memcpy(allowed->addresses[allowed->n++], text, strlen(text) + 1);
	print(stdout, "IPAddressAllow=%s\n", text);
	return 0;
}

static int allow_node(const struct score_node *node, void *arg)
{
	int r = 0;

	if (node->n_addresses == 0)
		complain("%s: left out: its name does not resolve", node->config.name);
	for (unsigned i = 0; r == 0 && i < node->n_addresses; i++)
		r = allow_address(arg, &node->addresses[i]);
	return r;
}

/* Also of nodes that are down, held or draining: connections to them go on, or begin when they are back. */
static int write_allowed(struct score *score)
{
	struct allowed allowed = { .n = 0 };
	int r;

	print(stdout, "# cbscore export allow: the nodes, and no other address\n");
	print(stdout, "[Service]\n");
	print(stdout, "IPAddressDeny=any\n");
	print(stdout, "IPAddressAllow=\n");
	r = score_each_node(score, allow_node, &allowed);
	free(allowed.addresses);
	return r;
}

static bool is_allow(const struct context *context)
{
	return strcmp(context->arguments[0], "allow") == 0;
}

static int read_form(const struct context *context)
{
	if (is_allow(context))
		return STATUS_OK;
	if (strcmp(context->arguments[0], "ipvs") != 0)
		return complain_usage("\"%s\": expected ipvs or allow", context->arguments[0]);
	if (!*arg_service.text)
		return complain_usage("expected --service tcp:ADDRESS:PORT or fwmark:NUMBER");
	return STATUS_OK;
}

static int export(const struct context *context, struct score *score)
{
	struct export export = {
		.service = arg_service, .forward = arg_forward, .keeps_port = strcmp(arg_forward, "-m") != 0,
	};

	return is_allow(context) ? write_allowed(score) : write_all(score, &export);
}

static int set_service(void *settings, const char *value)
{
	(void)settings;
	return parse_service(value, &arg_service);
}

static int set_scheduler(void *settings, const char *value)
{
	(void)settings;
	arg_scheduler = value;
	return is_scheduler(value) ? 0 : -EINVAL;
}

static int set_forward(void *settings, const char *value)
{
	(void)settings;
	arg_forward = forward_option(value);
	return arg_forward ? 0 : -EINVAL;
}

static const struct option_row rows[] = {
	{ "service", 0, "SERVICE", "the virtual service, tcp:ADDRESS:PORT or fwmark:NUMBER", NULL,
	  "tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, fwmark:NUMBER or fwmark6:NUMBER", set_service, NULL },
	{ "scheduler", 0, "NAME", "the kernel's way to choose", "wlc", "a name as ipvsadm(8) has them", set_scheduler, NULL },
	{ "forward", 0, "HOW", "how the kernel reaches a node", "masq", NULL, set_forward, forward_word },
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_export = {
	.verb = {
		.name = "export", .arguments = "ipvs|allow", .min = 1, .max = 1, .options = { &options },
		.help = "write the nodes for ipvsadm -R, or for the relays' units",
	},
	.read = read_form, .look = export,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "act.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "context.h"
#include "system/log.h"
#include "system/number.h"

#define MESSAGE_ACT "a4cc0ee9754c4d4087ef5168c65ea6a7"

static const char *farm;
static bool any_new;

void act_set_farm(const char *name)
{
	farm = name;
}

/* The user that logged in: the kernel's audit login, which sudo(8) and su(1) do not change; else, for root, the user
 * that sudo names; else the user of this process. */
static uid_t user_of_act(void)
{
	const char *sudo = getuid() == 0 ? secure_getenv("SUDO_UID") : NULL;
	FILE *file = fopen("/proc/self/loginuid", "re");
	unsigned long login = UINT32_MAX;
	uint64_t number;

	if (file) {
		if (fscanf(file, "%lu", &login) != 1)
			login = UINT32_MAX;
		(void)fclose(file);
	}
	if (login < UINT32_MAX)
		return (uid_t)login;
	return sudo && number_parse(sudo, 0, UINT32_MAX - 1, &number) == 0 ? (uid_t)number : getuid();
}

void act_tell(const char *verb, const char *node, const char *before, const char *after)
{
	const uid_t uid = user_of_act();
	const struct passwd *user = getpwuid(uid);
	const char *login = user ? user->pw_name : "unknown";
	struct log_line line = { 0 };

	any_new = true;
	log_add(&line, "MESSAGE=%s: %s%s%.300s%s%.300s%s, by %s (uid %lu)", verb, node ? node : farm, before || after ? ": " : "",
		before ? before : "", before && after ? " -> " : "", after ? after : "", before && !after ? " -> none" : "",
		login, (unsigned long)uid);
	log_add(&line, "MESSAGE_ID=" MESSAGE_ACT);
	log_add(&line, "PRIORITY=%d", LOG_NOTICE);
	log_add(&line, "COREBALANCE_FARM=%s", farm);
	log_add(&line, "COREBALANCE_VERB=%s", verb);
	log_add(&line, "COREBALANCE_NODE=%s", node ? node : "");
	log_add(&line, "COREBALANCE_OLD=%s", before ? before : "");
	log_add(&line, "COREBALANCE_NEW=%s", after ? after : "");
	log_add(&line, "COREBALANCE_UID=%lu", (unsigned long)uid);
	log_add(&line, "COREBALANCE_LOGIN=%s", login);
	/* The change is done, whether or not the journal takes the line. Where there is no journal nothing is said. */
	if (log_send(&line) == -EAGAIN)
		complain("the journal takes nothing now, and has no line of this change");
}

bool act_any_new(void)
{
	bool any = any_new;

	any_new = false;
	return any;
}

const char *act_state(const struct score_node *node, char text[static ACT_TEXT_MAX])
{
	const char *reason = node->state == NODE_HELD || node->reason == REASON_NONE ? "" : reason_to_string(node->reason);

	(void)snprintf(text, ACT_TEXT_MAX, "%s%s%s%s%s", node_state_to_string(node->state), *reason ? ": " : "", reason,
		       *node->detail ? ": " : "", node->detail);
	return text;
}

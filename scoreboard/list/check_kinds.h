/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * check_kinds.h: the kinds of checks, a row each. A new kind is a row here and
 * a file in cbprobe/checks/ with its struct check, check_NAME.
 *
 *     KIND(NAME, ARGUMENT, OPTIONS, PARSER)
 *
 * NAME stands in check=NAME. ARGUMENT says what follows the colon, OPTIONS which
 * options the check takes, and PARSER reads the argument (NULL: any text is
 * valid). check_syntax.c defines the values of these three.
 */

#define CHECK_KINDS(KIND) \
	KIND(tcp, ARGUMENT_NONE, TAKES_TIMEOUT, NULL) \
	KIND(none, ARGUMENT_NONE, 0, NULL) \
	KIND(banner, ARGUMENT_REST, TAKES_TIMEOUT | TAKES_SLOT, parse_regex) \
	KIND(ssh, ARGUMENT_NONE, TAKES_TIMEOUT | TAKES_SLOT, NULL) \
	KIND(smtp, ARGUMENT_NONE, TAKES_TIMEOUT | TAKES_SLOT, NULL) \
	KIND(pop3, ARGUMENT_NONE, TAKES_TIMEOUT | TAKES_SLOT, NULL) \
	KIND(imap, ARGUMENT_NONE, TAKES_TIMEOUT | TAKES_SLOT, NULL) \
	KIND(ftp, ARGUMENT_NONE, TAKES_TIMEOUT | TAKES_SLOT, NULL) \
	KIND(chat, ARGUMENT_WORD, TAKES_TIMEOUT | TAKES_SLOT, parse_path) \
	KIND(distcc, ARGUMENT_NONE, TAKES_TIMEOUT | TAKES_COMPILER | TAKES_FINGERPRINT, NULL) \
	KIND(agent, ARGUMENT_WORD, TAKES_TIMEOUT, parse_port) \
	KIND(http, ARGUMENT_WORD, TAKES_HTTP, parse_url) \
	KIND(https, ARGUMENT_WORD, TAKES_HTTP | TAKES_CA | TAKES_INSECURE, parse_url) \
	KIND(exec, ARGUMENT_REST, TAKES_TIMEOUT | TAKES_SLOT, parse_command)

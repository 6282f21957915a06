/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * mhd.h: libmicrohttpd's functions, as mhd.NAME for MHD_NAME. Only the server needs
 * this library, and each other verb would load it and its libraries of TLS: that is
 * a third of the time of a short `cbscore agent`.
 */

#include <microhttpd.h>

#define MHD_FUNCTIONS(X) \
	X(start_daemon) X(stop_daemon) X(get_daemon_info) X(get_timeout) X(run) X(get_connection_info) \
	X(create_response_from_buffer) X(create_response_from_callback) X(add_response_header) X(set_response_options) \
	X(queue_response) X(destroy_response)

#define MHD_DECLARE(f) __typeof__(&MHD_##f) f;
struct mhd {
	MHD_FUNCTIONS(MHD_DECLARE)
};
extern struct mhd mhd;

/* Loads the library, before any other function is called. 0; or -ENOSYS: there is no such library. */
int mhd_load(void);

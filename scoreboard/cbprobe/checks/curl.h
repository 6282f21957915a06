/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * curl.h: libcurl's functions, as curl.NAME for curl_NAME. Few farms have a check
 * for which libcurl is needed, and each other pass would load it and its thirty
 * libraries: that is most of the time of a pass over few nodes.
 */

#include <curl/curl.h>

#define CURL_FUNCTIONS(X) \
	X(global_init) X(global_cleanup) X(free) X(slist_append) X(slist_free_all) \
	X(url) X(url_set) X(url_get) X(url_cleanup) \
	X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_cleanup) \
	X(multi_init) X(multi_setopt) X(multi_assign) X(multi_add_handle) X(multi_remove_handle) X(multi_socket_action) \
	X(multi_info_read) X(multi_cleanup)

#define CURL_DECLARE(f) __typeof__(&curl_##f) f;
struct curl {
	CURL_FUNCTIONS(CURL_DECLARE)
};
extern struct curl curl;

/* Loads the library, before any other function is called. 0; or -ENOSYS: there is no such library. */
int curl_load(void);

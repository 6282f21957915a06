/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * post.h: HTTP requests with a body, any number at the same time, by libcurl. Only
 * this file and its .c know of libcurl. A request is sent at most once, whatever
 * happens to its connection: the caller knows whether it may be sent again.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define POST_ERROR_MAX 256          /* CURL_ERROR_SIZE */
#define POST_ANSWER_MAX (64u << 20) /* bytes of an answer that are not taken yet */

struct post_office;

/* Files in PEM form for https; NULL: the certificates that the system trusts, and none of our own. The texts must stay. */
struct post_trust {
	const char *ca, *certificate, *key;
};

/* A request and what has come of its answer. */
struct post {
	void *owner; /* the caller's */
	bool sent;   /* some of it may have left this machine */
	bool ended;  /* nothing more comes */
	bool failed; /* it ended, and there is no whole answer; error says why */
	long status; /* HTTP's, or 0 */
	char *text;  /* a string; NULL: nothing has come yet */
	size_t size, room;
	char error[POST_ERROR_MAX];
	struct post_details *details;
};

/* 0 and *ret, which post_office_close() ends; or -ENOMEM. */
int post_office_open(const struct post_trust *trust, struct post_office **ret);

/* Ends it, when no request is left. NULL is fine. */
void post_office_close(struct post_office *office);

/* Waits until something came, one of the descriptors is ready (their revents are set), or the time is over; then works
 * on all requests. 0 or -errno. */
int post_office_work(struct post_office *office, struct pollfd *fds, unsigned n, int timeout_msec);

/* A request of which the answer has ended since it was last told; NULL: there is none. */
struct post *post_office_next(struct post_office *office);

struct post_request {
	const char *url, *body; /* need live only during the call */
	const char *token;      /* for the header Authorization; NULL: none */
	long connect_msec;      /* how long connecting may take */
	long msec;              /* how long all of it may take; 0: any time */
	void *owner;
};

/* Sends a request. 0 and *ret, to be ended by post_free(); or -ENOMEM. */
int post_send(struct post_office *office, const struct post_request *request, struct post **ret);

/* Ends it wherever it is, and frees it. NULL is fine. */
void post_free(struct post *post);

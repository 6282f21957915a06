/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * transfer.h: answers to HTTP requests, fetched by libcurl. Only transfer.c and
 * transfers.c know of libcurl.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"
#include "transfers.h"

#define TRANSFER_HEADERS_MAX 65536u /* bytes of status lines and headers, of all answers up to the final answer */
#define TRANSFER_BODY_MAX 65536u    /* bytes of a body that are looked at */

struct transfer;

/* What is to be fetched. All of it need live only during the call. */
struct transfer_request {
	const char *url;
	const char *ca;                        /* file of certificates to trust; NULL: those of the system */
	const char *host;                      /* a name with known addresses, or NULL */
	const struct score_address *addresses; /* the addresses of host */
	unsigned n_addresses;
	uint64_t timeout_usec;                 /* of the connection, over all addresses; the caller watches it, too */
	bool proxy_header;                     /* the connection begins with a PROXY header of version 1 */
	bool insecure;                         /* any certificate is accepted */
	bool keep_body;
	bool holds_slot;                       /* its connections end by a reset, and at once by transfer_free() */
};

/* How a transfer ended. */
enum transfer_end {
	TRANSFER_DONE,        /* an answer came: status, and the body as far as it was wanted */
	TRANSFER_NO_CONNECT,  /* error says why */
	TRANSFER_TIMED_OUT,   /* of the connection: nothing came back */
	TRANSFER_UNRESOLVED,  /* the name of the URL's host is not known */
	TRANSFER_SHORTAGE,    /* of memory or descriptors, on this machine; error says of which */
	TRANSFER_CERTIFICATE, /* not valid */
	TRANSFER_TLS,         /* no TLS could be agreed on */
	TRANSFER_CA,          /* the file of trusted certificates cannot be used */
	TRANSFER_CLOSED,      /* without a byte */
	TRANSFER_CUT,         /* the answer ended before its end */
	TRANSFER_RESET,       /* the connection was reset */
	TRANSFER_TOO_LARGE,   /* more than TRANSFER_HEADERS_MAX */
	TRANSFER_NOT_HTTP,    /* the answer is not HTTP */
};

struct transfer_result {
	enum transfer_end end;
	int error;            /* an errno, or 0 */
	int status;           /* HTTP's, or 0 */
	const char *phrase;   /* of the status line, or ""; the transfer's */
	const char *text;     /* libcurl's words for a failure, or ""; the transfer's */
	const char *body;     /* with keep_body: a string, the transfer's; else NULL */
	size_t body_size;
};

/* A transfer that has ended, and its result; NULL if there is none (more). Each transfer is returned once, and is still
 * to be freed. */
struct transfer *transfer_next_ended(struct transfers *transfers, struct transfer_result *ret);

/* Begins a transfer for owner. *ret is the caller's, to be ended by transfer_free() before the transfers are. 0,
 * -ENOMEM, or -EINVAL: url is no URL. */
int transfer_begin(struct transfers *transfers, const struct transfer_request *request, void *owner,
		   struct transfer **ret);

/* Ends the transfer if it is still under way, and frees it. */
void transfer_free(struct transfer *transfer);

/* The owner that was given to transfer_begin(). */
void *transfer_owner(const struct transfer *transfer);

/* When the transfer was connected (and TLS agreed on) and sent its request, by CLOCK_MONOTONIC; 0: not yet. */
uint64_t transfer_asked_usec(const struct transfer *transfer);

/* Whether a connection was made, though perhaps not yet of the right kind. */
bool transfer_is_connected(const struct transfer *transfer);

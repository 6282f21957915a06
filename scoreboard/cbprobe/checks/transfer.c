/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * transfer.c: a server decides what it sends, so everything from a server has a
 * bound: a count bounds the headers (libcurl bounds only a single line), the body is
 * read only up to a size, the owner bounds the time. Nothing of the environment
 * changes a transfer: no proxy, no .netrc, no configuration. No redirection is
 * followed, and nothing is kept from a transfer for the next.
 *
 * All connections go by transfer_socket(), so that none of their descriptors
 * comes into a program that cbprobe starts.
 */

#include "transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "curl.h"
#include "system/timespan.h"

#define BUFFER_SIZE 4096L /* of libcurl, for each transfer; the default is 16 kB */
#define LATE_MSEC 250L    /* libcurl's timeout comes after the owner's, as the owner can tell more */
#define PHRASE_MAX 63

struct transfer {
	struct transfers *transfers;
	void *owner;
	CURL *easy;
	struct curl_slist *resolve;
	uint64_t asked_usec;
	int fd;          /* the socket opened last; libcurl's, so the number may be another file's by now */
	uint64_t cookie; /* of that socket: tells whether fd is still the same */
	size_t header_size, body_size;
	char *body;      /* with keep_body: TRANSFER_BODY_MAX and a NUL */
	int error;       /* an errno set by this file */
	int status;
	bool header_ended; /* of an answer that is not a 1xx */
	bool bounded;    /* its header says where the body ends */
	bool enough;     /* the body was longer than TRANSFER_BODY_MAX */
	bool holds_slot; /* as in struct transfer_request */
	char phrase[PHRASE_MAX + 1];
	char text[CURL_ERROR_SIZE];
};

/* ---- functions that libcurl calls ---- */

/* A number that no other socket has had since the machine was started; 0: fd is not a socket. */
static uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0 ? 0 : cookie;
}

static curl_socket_t transfer_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct transfer *transfer = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);

	(void)purpose;
	if (fd < 0) {
		transfer->error = errno;
		return CURL_SOCKET_BAD;
	}
	if (transfer->holds_slot)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	transfer->fd = fd;
	transfer->cookie = socket_cookie(fd);
	return fd;
}

/* Connected, and about to send the request. */
static int before_request(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct transfer *transfer = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	transfer->asked_usec = now_monotonic();
	return CURL_PREREQFUNC_OK;
}

/* Of "HTTP/1.1 404 Not Found" keeps the words behind the number, whatever bytes they are. */
static void keep_phrase(struct transfer *transfer, const char *line, size_t size)
{
	const char *phrase = memchr(line, ' ', size);
	size_t length = 0;

	if (phrase)
		phrase = memchr(phrase + 1, ' ', size - (size_t)(phrase + 1 - line));
	if (phrase)
		for (phrase++; length < PHRASE_MAX && phrase + length < line + size && !strchr("\r\n", phrase[length]); length++)
			transfer->phrase[length] = phrase[length];
	transfer->phrase[length] = '\0';
}

static bool is_header(const char *line, size_t size, const char *name)
{
	return size > strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

static size_t header_came(char *line, size_t one, size_t size, void *arg)
{
	struct transfer *transfer = arg;
	long status = 0;

	(void)one;
	transfer->header_size += size;
	if (transfer->header_size > TRANSFER_HEADERS_MAX)
		return 0;
	if (size > 5 && strncmp(line, "HTTP/", 5) == 0) {
		keep_phrase(transfer, line, size);
		transfer->bounded = false;
	}
	transfer->bounded |= is_header(line, size, "Content-Length:") || is_header(line, size, "Transfer-Encoding:");
	if (size <= 2 && (*line == '\r' || *line == '\n') &&
	    curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
		transfer->header_ended = status >= 200;
	return size;
}

static size_t body_came(char *bytes, size_t one, size_t size, void *arg)
{
	struct transfer *transfer = arg;
	size_t room = TRANSFER_BODY_MAX - transfer->body_size, used = size < room ? size : room;

	(void)one;
	if (transfer->body && used > 0)
		(void)memcpy(transfer->body + transfer->body_size, bytes, used);
	transfer->body_size += used;
	if (used < size) {
		transfer->enough = true;
		return 0;
	}
	return size;
}

/* ---- a transfer ---- */

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static enum transfer_end end_of_connect(const struct transfer *transfer, int *ret_error)
{
	long error = 0;

	(void)curl.easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
	*ret_error = transfer->error ?: (int)error;
	return is_shortage(transfer->error) ? TRANSFER_SHORTAGE : TRANSFER_NO_CONNECT;
}

/* Whether the server has closed the connection without an end of TLS. OpenSSL takes that for an error from 3.2 on, and
 * with some versions of libcurl earlier; libcurl has only these words for it. */
static bool is_closed_within_tls(const struct transfer *transfer)
{
	return strstr(transfer->text, "unexpected eof") || strstr(transfer->text, "SSL_ERROR_SYSCALL, errno 0");
}

/* How a transfer ended with a connection that was closed: by that a body ends of which the header does not say where. */
static enum transfer_end end_of_close(const struct transfer *transfer)
{
	if (transfer->header_size == 0)
		return TRANSFER_CLOSED;
	return transfer->header_ended && !transfer->bounded ? TRANSFER_DONE : TRANSFER_CUT;
}

/* How a transfer ended for which libcurl reports a failed receive: by the same code it reports a reset connection, an
 * answer that is nonsense, and a connection closed without an end of TLS. */
static enum transfer_end end_of_receive(const struct transfer *transfer, int *ret_error)
{
	long error = 0;

	(void)curl.easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
	*ret_error = (int)error;
	if (error)
		return TRANSFER_RESET;
	return is_closed_within_tls(transfer) ? end_of_close(transfer) : TRANSFER_NOT_HTTP;
}

static enum transfer_end end_of(const struct transfer *transfer, CURLcode code, int *ret_error)
{
	switch (code) {
	case CURLE_OK:
		return transfer->header_ended ? TRANSFER_DONE : TRANSFER_CUT;
	case CURLE_WRITE_ERROR: /* by a function of this file */
		return transfer->enough ? TRANSFER_DONE : TRANSFER_TOO_LARGE;
	case CURLE_COULDNT_CONNECT:
		return end_of_connect(transfer, ret_error);
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSFER_TIMED_OUT;
	case CURLE_COULDNT_RESOLVE_HOST:
		return TRANSFER_UNRESOLVED;
	case CURLE_OUT_OF_MEMORY:
		/* libcurl reports a single header of more than 100 kB by the same code (from 8.6 on by a code of its
		 * own). */
		if (transfer->asked_usec && !transfer->header_ended)
			return TRANSFER_TOO_LARGE;
		*ret_error = ENOMEM;
		return TRANSFER_SHORTAGE;
#if CURL_AT_LEAST_VERSION(8, 6, 0)
	case CURLE_TOO_LARGE:
		return TRANSFER_TOO_LARGE;
#endif
	case CURLE_PEER_FAILED_VERIFICATION:
		return TRANSFER_CERTIFICATE;
	case CURLE_SSL_CACERT_BADFILE:
		return TRANSFER_CA;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
		return TRANSFER_TLS;
	case CURLE_GOT_NOTHING:
		return TRANSFER_CLOSED;
	case CURLE_PARTIAL_FILE:
		return TRANSFER_CUT;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return end_of_receive(transfer, ret_error);
	default:
		return TRANSFER_NOT_HTTP;
	}
}

static void fill_result(struct transfer *transfer, CURLcode code, struct transfer_result *ret)
{
	long status = 0;

	(void)curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->body)
		transfer->body[transfer->body_size] = '\0';
	*ret = (struct transfer_result){
		.status = (int)status,
		.phrase = transfer->phrase,
		.text = transfer->text,
		.body = transfer->body,
		.body_size = transfer->body_size,
	};
	ret->end = end_of(transfer, code, &ret->error);
}

struct transfer *transfer_next_ended(struct transfers *transfers, struct transfer_result *ret)
{
	struct transfer *transfer = NULL;
	const CURLMsg *message;
	int left;

	do
		message = curl.multi_info_read(transfers_multi(transfers), &left);
	while (message && message->msg != CURLMSG_DONE);
	if (!message || curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer) != CURLE_OK)
		return NULL;
	fill_result(transfer, message->data.result, ret);
	return transfer;
}

/* Adds ",ADDRESS" at the end of what is in buffer. */
static void append_address(char *buffer, size_t size, const struct score_address *address)
{
	bool is_v4 = address->sa.sa_family == AF_INET;
	const void *bytes = is_v4 ? (const void *)&address->in.sin_addr : (const void *)&address->in6.sin6_addr;
	char text[INET6_ADDRSTRLEN];
	size_t length = strlen(buffer);

	if (!inet_ntop(address->sa.sa_family, bytes, text, sizeof(text)))
		return;
	(void)snprintf(buffer + length, size - length, is_v4 ? "%s%s" : "%s[%s]", buffer[length - 1] == ':' ? "" : ",",
		       text);
}

/* Tells libcurl the addresses as "host:port:address,address", if the URL has the host for which addresses are known. 0
 * or -ENOMEM. */
static int tell_addresses(struct transfer *transfer, const struct transfer_request *request, const char *host,
			  const char *port)
{
	char line[NODE_HOST_MAX + 16 + SCORE_ADDRESSES_MAX * (INET6_ADDRSTRLEN + 3)];

	if (!request->host || request->n_addresses == 0 || strcasecmp(host, request->host) != 0)
		return 0;
	(void)snprintf(line, sizeof(line), "%s:%s:", host, port);
	for (unsigned i = 0; i < request->n_addresses; i++)
		append_address(line, sizeof(line), &request->addresses[i]);
	transfer->resolve = curl.slist_append(NULL, line);
	if (!transfer->resolve || curl.easy_setopt(transfer->easy, CURLOPT_RESOLVE, transfer->resolve) != CURLE_OK)
		return -ENOMEM;
	return 0;
}

/* The URL's host and port, for tell_addresses(). 0, -EINVAL or -ENOMEM. */
static int prepare_addresses(struct transfer *transfer, const struct transfer_request *request)
{
	CURLU *url = curl.url();
	char *host = NULL, *port = NULL;
	int r = -EINVAL;

	if (!url)
		return -ENOMEM;
	if (curl.url_set(url, CURLUPART_URL, request->url, 0) == CURLUE_OK &&
	    curl.url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl.url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		r = tell_addresses(transfer, request, host, port);
	curl.free(host);
	curl.free(port);
	curl.url_cleanup(url);
	return r;
}

static long msec_from_usec(uint64_t usec)
{
	uint64_t msec = usec / USEC_PER_MSEC;

	return msec > INT32_MAX ? INT32_MAX : msec < 1 ? 1 : (long)msec;
}

#define SET(option, value) (curl.easy_setopt(transfer->easy, (option), (value)) == CURLE_OK)

/* Sets what the transfer asks for, and from which server. */
static bool set_request(struct transfer *transfer, const struct transfer_request *request)
{
	return SET(CURLOPT_URL, request->url) &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET(CURLOPT_USERAGENT, "cbprobe/" VERSION) &&
	       SET(CURLOPT_PROXY, "") &&
	       SET(CURLOPT_HAPROXYPROTOCOL, request->proxy_header ? 1L : 0L) &&
	       SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, msec_from_usec(request->timeout_usec) + LATE_MSEC) &&
	       SET(CURLOPT_SSL_VERIFYPEER, request->insecure ? 0L : 1L) &&
	       SET(CURLOPT_SSL_VERIFYHOST, request->insecure ? 0L : 2L) &&
	       /* Without a folder libcurl caches the file, instead of reading it for each transfer. */
	       SET(CURLOPT_CAPATH, NULL) &&
	       (!request->ca || SET(CURLOPT_CAINFO, request->ca));
}

/* Sets how the transfer behaves in this program. */
static bool set_manners(struct transfer *transfer)
{
	return SET(CURLOPT_PRIVATE, transfer) &&
	       SET(CURLOPT_ERRORBUFFER, transfer->text) &&
	       SET(CURLOPT_NOSIGNAL, 1L) &&
	       SET(CURLOPT_NOPROGRESS, 1L) &&
	       SET(CURLOPT_BUFFERSIZE, BUFFER_SIZE) &&
	       SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L) && /* else libcurl looks through its cache after each transfer */
	       SET(CURLOPT_QUICK_EXIT, 1L) && /* libcurl waits for no resolver's thread */
	       SET(CURLOPT_FRESH_CONNECT, 1L) &&
	       SET(CURLOPT_FORBID_REUSE, 1L) &&
	       SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) &&
	       SET(CURLOPT_OPENSOCKETFUNCTION, transfer_socket) &&
	       SET(CURLOPT_OPENSOCKETDATA, transfer) &&
	       SET(CURLOPT_PREREQFUNCTION, before_request) &&
	       SET(CURLOPT_PREREQDATA, transfer) &&
	       SET(CURLOPT_HEADERFUNCTION, header_came) &&
	       SET(CURLOPT_HEADERDATA, transfer) &&
	       SET(CURLOPT_WRITEFUNCTION, body_came) &&
	       SET(CURLOPT_WRITEDATA, transfer);
}

static int prepare(struct transfer *transfer, const struct transfer_request *request)
{
	transfer->easy = curl.easy_init();
	if (!transfer->easy)
		return -ENOMEM;
	if (request->keep_body) {
		transfer->body = malloc(TRANSFER_BODY_MAX + 1); /* takes memory only as far as bytes are written */
		if (!transfer->body)
			return -ENOMEM;
	}
	if (!set_request(transfer, request) || !set_manners(transfer))
		return -ENOMEM;
	return prepare_addresses(transfer, request);
}

int transfer_begin(struct transfers *transfers, const struct transfer_request *request, void *owner,
		   struct transfer **ret)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	int r;

	if (!transfer)
		return -ENOMEM;
	transfer->owner = owner;
	transfer->holds_slot = request->holds_slot;
	r = prepare(transfer, request);
	if (r == 0 && curl.multi_add_handle(transfers_multi(transfers), transfer->easy) != CURLM_OK)
		r = -ENOMEM;
	if (r < 0) {
		transfer_free(transfer);
		return r;
	}
	transfer->transfers = transfers;
	*ret = transfer;
	return 0;
}

/* Resets the connection now: before libcurl closes it, libcurl may send the end of TLS, and wait for an answer. */
static void end_connection(const struct transfer *transfer)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	if (transfer->cookie && socket_cookie(transfer->fd) == transfer->cookie)
		(void)connect(transfer->fd, &nobody, sizeof(nobody));
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	if (transfer->holds_slot)
		end_connection(transfer);
	if (transfer->transfers)
		(void)curl.multi_remove_handle(transfers_multi(transfer->transfers), transfer->easy);
	curl.easy_cleanup(transfer->easy);
	curl.slist_free_all(transfer->resolve);
	free(transfer->body);
	free(transfer);
}

void *transfer_owner(const struct transfer *transfer)
{
	return transfer->owner;
}

uint64_t transfer_asked_usec(const struct transfer *transfer)
{
	return transfer->asked_usec;
}

bool transfer_is_connected(const struct transfer *transfer)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	if (transfer->asked_usec)
		return true;
	return transfer->cookie && socket_cookie(transfer->fd) == transfer->cookie &&
	       getpeername(transfer->fd, (struct sockaddr *)&peer, &size) == 0;
}

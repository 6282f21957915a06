/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * post.c: libcurl repeats a request by itself, without a word, if it sent it on a
 * connection of an earlier request and that connection closed before the first byte
 * of the answer. The server may have worked on it by then. So before_request(),
 * which libcurl calls each time, lets a request out only once.
 *
 * Nothing of the environment changes a request: no proxy, no .netrc. No redirection
 * is followed.
 */

#include "post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define FDS_MAX 8u

_Static_assert(POST_ERROR_MAX >= CURL_ERROR_SIZE, "libcurl writes so much");

struct post_office {
	CURLM *multi;
	struct post_trust trust;
};

struct post_details {
	struct post_office *office;
	CURL *easy;
	struct curl_slist *headers;
};

/* ---- functions that libcurl calls ---- */

static int before_request(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct post *post = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	if (post->sent)
		return CURL_PREREQFUNC_ABORT;
	post->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* Makes room for that many bytes more and a NUL. 0 or -ENOMEM. */
static int make_room(struct post *post, size_t size)
{
	size_t room = post->room ?: 1024;
	char *text;

	if (post->size + size > POST_ANSWER_MAX)
		return -ENOMEM;
	while (room <= post->size + size)
		room *= 2;
	if (room == post->room)
		return 0;
	text = realloc(post->text, room);
	if (!text)
		return -ENOMEM;
	post->text = text;
	post->room = room;
	return 0;
}

static size_t answer_came(char *bytes, size_t one, size_t size, void *arg)
{
	struct post *post = arg;

	(void)one;
	if (make_room(post, size) < 0)
		return 0;
	(void)memcpy(post->text + post->size, bytes, size);
	post->size += size;
	post->text[post->size] = '\0';
	return size;
}

/* ---- all requests ---- */

int post_office_open(const struct post_trust *trust, struct post_office **ret)
{
	struct post_office *office = calloc(1, sizeof(*office));

	if (!office)
		return -ENOMEM;
	office->trust = *trust;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(office);
		return -ENOMEM;
	}
	office->multi = curl_multi_init();
	if (!office->multi) {
		post_office_close(office);
		return -ENOMEM;
	}
	*ret = office;
	return 0;
}

void post_office_close(struct post_office *office)
{
	if (!office)
		return;
	if (office->multi)
		(void)curl_multi_cleanup(office->multi);
	curl_global_cleanup();
	free(office);
}

int post_office_work(struct post_office *office, struct pollfd *fds, unsigned n, int timeout_msec)
{
	struct curl_waitfd waits[FDS_MAX];
	int running;

	if (n > FDS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		waits[i] = (struct curl_waitfd){ .fd = fds[i].fd, .events = CURL_WAIT_POLLIN };
	if (curl_multi_poll(office->multi, waits, n, timeout_msec, NULL) != CURLM_OK)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		fds[i].revents = waits[i].revents & CURL_WAIT_POLLIN ? POLLIN : 0;
	return curl_multi_perform(office->multi, &running) == CURLM_OK ? 0 : -ENOMEM;
}

struct post *post_office_next(struct post_office *office)
{
	struct post *post = NULL;
	const CURLMsg *message;
	int left;

	do
		message = curl_multi_info_read(office->multi, &left);
	while (message && message->msg != CURLMSG_DONE);
	if (!message || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&post) != CURLE_OK)
		return NULL;
	post->ended = true;
	post->failed = message->data.result != CURLE_OK;
	if (post->failed && !*post->error)
		(void)snprintf(post->error, sizeof(post->error), "%s", curl_easy_strerror(message->data.result));
	(void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &post->status);
	return post;
}

/* ---- a request ---- */

#define SET(option, value) (curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

static bool set_trust(CURL *easy, const struct post_trust *trust)
{
	return (!trust->ca || SET(CURLOPT_CAINFO, trust->ca)) &&
	       (!trust->certificate || SET(CURLOPT_SSLCERT, trust->certificate)) &&
	       (!trust->key || SET(CURLOPT_SSLKEY, trust->key));
}

static bool set_request(CURL *easy, const struct post_request *request)
{
	return SET(CURLOPT_URL, request->url) && SET(CURLOPT_COPYPOSTFIELDS, request->body) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, request->connect_msec) && SET(CURLOPT_TIMEOUT_MS, request->msec);
}

/* libcurl waits for "100 Continue" before it sends a large body, and would send the body twice. */
static bool set_headers(struct post_details *details, const char *token)
{
	static const char *const fixed[] = { "Content-Type: application/json", "Expect:" };
	char line[4096];
	const char *header = line;

	for (size_t i = 0; header && i < 2 + (token != NULL); i++) {
		struct curl_slist *longer;

		if (i < 2)
			header = fixed[i];
		else if ((size_t)snprintf(line, sizeof(line), "Authorization: %s", token) >= sizeof(line))
			return false;
		else
			header = line;
		longer = curl_slist_append(details->headers, header);
		if (!longer)
			return false;
		details->headers = longer;
	}
	return curl_easy_setopt(details->easy, CURLOPT_HTTPHEADER, details->headers) == CURLE_OK;
}

/* Without CURLOPT_QUICK_EXIT libcurl waits for the thread that looks up a name, also when the request's time is over. */
static bool set_all(struct post *post, const struct post_request *request)
{
	CURL *easy = post->details->easy;

	return SET(CURLOPT_PRIVATE, post) && SET(CURLOPT_ERRORBUFFER, post->error) && SET(CURLOPT_WRITEDATA, post) &&
	       SET(CURLOPT_WRITEFUNCTION, answer_came) && SET(CURLOPT_PREREQDATA, post) &&
	       SET(CURLOPT_PREREQFUNCTION, before_request) && SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_PROXY, "") &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_TCP_KEEPALIVE, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       set_trust(easy, &post->details->office->trust) && set_request(easy, request) &&
	       set_headers(post->details, request->token);
}

int post_send(struct post_office *office, const struct post_request *request, struct post **ret)
{
	struct post *post = calloc(1, sizeof(*post));

	if (!post)
		return -ENOMEM;
	post->owner = request->owner;
	post->details = calloc(1, sizeof(*post->details));
	if (post->details) {
		post->details->office = office;
		post->details->easy = curl_easy_init();
	}
	if (!post->details || !post->details->easy || !set_all(post, request) ||
	    curl_multi_add_handle(office->multi, post->details->easy) != CURLM_OK) {
		post_free(post);
		return -ENOMEM;
	}
	*ret = post;
	return 0;
}

void post_free(struct post *post)
{
	if (!post)
		return;
	if (post->details) {
		if (post->details->easy) {
			(void)curl_multi_remove_handle(post->details->office->multi, post->details->easy);
			curl_easy_cleanup(post->details->easy);
		}
		curl_slist_free_all(post->details->headers);
		free(post->details);
	}
	free(post->text);
	free(post);
}

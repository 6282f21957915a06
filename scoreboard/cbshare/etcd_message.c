/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * etcd_message.c: the fields are those of etcd's protocol buffers (rpc.proto). What
 * has its default value (0, false, an empty list) is left out of an answer.
 */

#include "etcd_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base64.h"
#include "system/grow.h"
#include "system/number.h"

/* The codes of gRPC by which a member refuses a request before it proposes a change to the other members. */
enum {
	CODE_INVALID_ARGUMENT = 3,
	CODE_PERMISSION_DENIED = 7,
	CODE_RESOURCE_EXHAUSTED = 8,
	CODE_UNAUTHENTICATED = 16,
};

/* ---- requests ---- */

/* Adds a member, which is the object's also if that fails; NULL: there was no memory to make it. 0 or -ENOMEM. */
static int add(json_object *object, const char *name, json_object *member)
{
	if (member && json_object_object_add(object, name, member) == 0)
		return 0;
	(void)json_object_put(member);
	return -ENOMEM;
}

static int add_text(json_object *object, const char *name, const char *text)
{
	return add(object, name, json_object_new_string(text));
}

static int add_base64(json_object *object, const char *name, const char *text)
{
	char *base64 = base64_encode(text);
	int r = base64 ? add_text(object, name, base64) : -ENOMEM;

	free(base64);
	return r;
}

static int add_revision(json_object *object, const char *name, uint64_t revision)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)revision);
	return add_text(object, name, text);
}

/* The keys with a prefix are those from it up to the next text of its length. */
static int add_prefix(json_object *object, const char *prefix)
{
	size_t length = strlen(prefix);
	char *end = strdup(prefix);
	int r = end ? add_base64(object, "key", prefix) : -ENOMEM;

	if (r == 0 && length > 0) {
		end[length - 1]++;
		r = add_base64(object, "range_end", end);
	}
	free(end);
	return r;
}

/* Writes the object as text, and frees it. r: whether it is whole. */
static char *finish(json_object *object, int r)
{
	const char *text = r == 0 ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	char *copy = text ? strdup(text) : NULL;

	(void)json_object_put(object);
	return copy;
}

char *message_range(const char *prefix)
{
	json_object *object = json_object_new_object();

	return finish(object, object ? add_prefix(object, prefix) : -ENOMEM);
}

/* Adds a new object to a list. NULL: no memory. It is the list's. */
static json_object *append(json_object *list)
{
	json_object *object = json_object_new_object();

	if (object && json_object_array_add(list, object) < 0) {
		(void)json_object_put(object);
		object = NULL;
	}
	return object;
}

static int add_compare(json_object *list, const struct engine_compare *compare)
{
	json_object *object = append(list);
	int r = object ? add_base64(object, "key", compare->key) : -ENOMEM;

	if (r == 0)
		r = add_text(object, "target", "MOD");
	if (r == 0)
		r = add_text(object, "result", "EQUAL");
	return r ?: add_revision(object, "mod_revision", compare->revision);
}

static int add_put(json_object *list, const struct engine_put *put)
{
	json_object *object = append(list), *operation = json_object_new_object();
	const char *name = put->value ? "request_put" : "request_delete_range";

	if (!object || !operation) {
		(void)json_object_put(operation);
		return -ENOMEM;
	}
	if (add(object, name, operation) < 0 || add_base64(operation, "key", put->key) < 0)
		return -ENOMEM;
	return put->value ? add_base64(operation, "value", put->value) : 0;
}

char *message_txn(const struct engine_compare *compares, size_t n_compares, const struct engine_put *puts,
		  size_t n_puts)
{
	json_object *object = json_object_new_object(), *compare = json_object_new_array(),
		    *success = json_object_new_array();
	int r = object ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n_compares; i++)
		r = compare ? add_compare(compare, &compares[i]) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_puts; i++)
		r = success ? add_put(success, &puts[i]) : -ENOMEM;
	if (r < 0) {
		(void)json_object_put(compare);
		(void)json_object_put(success);
		return finish(object, r);
	}
	r = add(object, "compare", compare);
	if (r < 0)
		(void)json_object_put(success);
	return finish(object, r ?: add(object, "success", success));
}

char *message_watch(const char *prefix, uint64_t after)
{
	json_object *object = json_object_new_object(), *create = json_object_new_object();

	if (!object || !create) {
		(void)json_object_put(create);
		return finish(object, -ENOMEM);
	}
	if (add(object, "create_request", create) < 0 || add_prefix(create, prefix) < 0)
		return finish(object, -ENOMEM);
	return finish(object, add_revision(create, "start_revision", after + 1));
}

char *message_login(const char *user, const char *password)
{
	json_object *object = json_object_new_object();
	int r = object ? add_text(object, "name", user) : -ENOMEM;

	return finish(object, r ?: add_text(object, "password", password));
}

/* ---- answers ---- */

bool answer_is_refusal(const struct answer *answer)
{
	return answer->error && (answer->code == CODE_INVALID_ARGUMENT || answer->code == CODE_PERMISSION_DENIED ||
				 answer->code == CODE_RESOURCE_EXHAUSTED || answer->code == CODE_UNAUTHENTICATED);
}

/* etcd tells a token from before a change of its users or rights as an invalid argument. */
bool answer_wants_login(const struct answer *answer)
{
	return answer->error &&
	       (answer->code == CODE_UNAUTHENTICATED ||
		(answer->code == CODE_INVALID_ARGUMENT && strstr(answer->error, "revision of auth store")));
}

static json_object *member(const json_object *object, const char *name, json_type type)
{
	json_object *found;

	return json_object_object_get_ex(object, name, &found) && json_object_is_type(found, type) ? found : NULL;
}

/* A number that is a string. A number that is left out is 0. 0 or -EBADMSG. */
static int read_revision(const json_object *object, const char *name, uint64_t *ret)
{
	json_object *found;

	*ret = 0;
	if (!json_object_object_get_ex(object, name, &found))
		return 0;
	if (!json_object_is_type(found, json_type_string))
		return -EBADMSG;
	return number_parse(json_object_get_string(found), 0, INT64_MAX, ret) < 0 ? -EBADMSG : 0;
}

/* A boolean. A boolean that is left out is false. 0 or -EBADMSG. */
static int read_flag(const json_object *object, const char *name, bool *ret)
{
	json_object *found;

	*ret = false;
	if (!json_object_object_get_ex(object, name, &found))
		return 0;
	if (!json_object_is_type(found, json_type_boolean))
		return -EBADMSG;
	*ret = json_object_get_boolean(found);
	return 0;
}

/* Bytes of base64. What is left out is an empty text. 0, -EBADMSG or -ENOMEM. The caller frees *ret. */
static int read_base64(const json_object *object, const char *name, const char **ret)
{
	json_object *found;

	if (!json_object_object_get_ex(object, name, &found)) {
		*ret = strdup("");
		return *ret ? 0 : -ENOMEM;
	}
	*ret = json_object_is_type(found, json_type_string) ? base64_decode(json_object_get_string(found)) : NULL;
	return *ret ? 0 : -EBADMSG;
}

/* A key with its value; of a key that was deleted only the key and the revision. */
static int read_value(const json_object *kv, bool deleted, struct answer *answer)
{
	struct engine_value *value;
	int r;

	if (!json_object_is_type(kv, json_type_object))
		return -EBADMSG;
	if (GROW(answer->values, answer->n, answer->room) < 0)
		return -ENOMEM;
	value = &answer->values[answer->n++];
	*value = (struct engine_value){ 0 };
	r = read_revision(kv, "mod_revision", &value->revision);
	if (r == 0 && value->revision == 0)
		r = -EBADMSG;
	if (r == 0)
		r = read_base64(kv, "key", &value->key);
	if (r == 0 && !deleted)
		r = read_base64(kv, "value", &value->value);
	return r;
}

static int read_header(const json_object *object, struct answer *answer)
{
	const json_object *header = member(object, "header", json_type_object);

	return header ? read_revision(header, "revision", &answer->revision) : -EBADMSG;
}

/* An error of a call is a text with a code beside it; that of a stream is an object with both. 1: *answer has the error.
 * 0: there is none; or -EBADMSG, -ENOMEM. */
static int read_error(const json_object *object, struct answer *answer)
{
	const json_object *stream = member(object, "error", json_type_object);
	json_object *message =
		stream ? member(stream, "message", json_type_string) : member(object, "error", json_type_string);

	if (!message)
		return stream ? -EBADMSG : 0;
	answer->code = stream ? json_object_get_int(member(stream, "grpc_code", json_type_int))
			      : json_object_get_int(member(object, "code", json_type_int));
	answer->error = strdup(json_object_get_string(message));
	return answer->error ? 1 : -ENOMEM;
}

typedef int read_fn(const json_object *object, struct answer *answer);

/* Reads the text by fn, unless it tells an error. */
static int read_text(const char *text, read_fn *fn, struct answer *ret)
{
	json_object *object = json_tokener_parse(text);
	int r = object && json_object_is_type(object, json_type_object) ? read_error(object, ret) : -EBADMSG;

	if (r == 0)
		r = fn(object, ret);
	(void)json_object_put(object);
	return r < 0 ? r : 0;
}

static int read_range(const json_object *object, struct answer *answer)
{
	const json_object *kvs = member(object, "kvs", json_type_array);
	size_t n = kvs ? json_object_array_length(kvs) : 0;
	int r = read_header(object, answer);

	if (r == 0 && answer->revision == 0)
		r = -EBADMSG;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_value(json_object_array_get_idx(kvs, i), false, answer);
	return r;
}

static int read_txn(const json_object *object, struct answer *answer)
{
	int r = read_header(object, answer);

	if (r == 0 && answer->revision == 0)
		r = -EBADMSG;
	return r ?: read_flag(object, "succeeded", &answer->succeeded);
}

static int read_event(const json_object *event, struct answer *answer)
{
	const json_object *kv = member(event, "kv", json_type_object);
	json_object *type = member(event, "type", json_type_string);

	return kv ? read_value(kv, type && strcmp(json_object_get_string(type), "DELETE") == 0, answer) : -EBADMSG;
}

static int read_watch(const json_object *object, struct answer *answer)
{
	const json_object *result = member(object, "result", json_type_object), *events;
	int r = result ? read_header(result, answer) : -EBADMSG;
	size_t n;

	if (r == 0)
		r = read_flag(result, "canceled", &answer->ended);
	if (r < 0)
		return r;
	events = member(result, "events", json_type_array);
	n = events ? json_object_array_length(events) : 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_event(json_object_array_get_idx(events, i), answer);
	return r;
}

static int read_login(const json_object *object, struct answer *answer)
{
	json_object *token = member(object, "token", json_type_string);

	if (!token)
		return -EBADMSG;
	answer->token = strdup(json_object_get_string(token));
	return answer->token ? 0 : -ENOMEM;
}

int answer_range(const char *text, struct answer *ret)
{
	return read_text(text, read_range, ret);
}

int answer_txn(const char *text, struct answer *ret)
{
	return read_text(text, read_txn, ret);
}

int answer_watch(const char *text, struct answer *ret)
{
	return read_text(text, read_watch, ret);
}

int answer_login(const char *text, struct answer *ret)
{
	return read_text(text, read_login, ret);
}

void answer_clear(struct answer *answer)
{
	for (size_t i = 0; i < answer->n; i++) {
		free((char *)(uintptr_t)answer->values[i].key);
		free((char *)(uintptr_t)answer->values[i].value);
	}
	free(answer->values);
	free(answer->token);
	free(answer->error);
	*answer = (struct answer){ 0 };
}

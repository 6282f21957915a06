/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * values.c: reads and writes the values with json-c. Whatever cannot be meant is an
 * error: a number outside its range must not become a share.
 */

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

/* ---- writing ---- */

/* Adds a member, which it takes over. json-c without memory yields NULL. */
static bool add(json_object *object, const char *name, json_object *member)
{
	if (object && member && json_object_object_add(object, name, member) == 0)
		return true;
	(void)json_object_put(member);
	return false;
}

/* Frees the object; its text goes to *ret. */
static int finish(json_object *object, bool complete, char **ret)
{
	const char *text = complete ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	char *copy = text ? strdup(text) : NULL;

	(void)json_object_put(object);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

int heartbeat_format(const struct heartbeat *h, char **ret)
{
	json_object *object = json_object_new_object();
	bool complete = add(object, "id", json_object_new_string(h->identity)) &&
			(h->boot[0] == '\0' || add(object, "boot", json_object_new_string(h->boot))) &&
			add(object, "seq", json_object_new_uint64(h->sequence)) &&
			add(object, "lease", json_object_new_uint64(h->lease_usec)) &&
			add(object, "busy", json_object_new_uint64(h->busy)) &&
			add(object, "wait", json_object_new_uint64(h->waiting)) &&
			add(object, "age", json_object_new_uint64(h->age_usec)) &&
			add(object, "list", json_object_new_uint64(h->list)) &&
			(!h->leaving || add(object, "leaving", json_object_new_boolean(true)));

	return finish(object, complete, ret);
}

struct shares_text {
	json_object *object, *shares, *useless; /* useless: NULL until it has a member */
	bool complete;
};

struct shares_text *shares_begin(uint32_t cores)
{
	struct shares_text *text = calloc(1, sizeof(*text));

	if (!text)
		return NULL;
	text->object = json_object_new_object();
	text->shares = json_object_new_object();
	text->complete = add(text->object, "c", json_object_new_uint64(cores)) && add(text->object, "s", text->shares);
	return text;
}

void shares_add(struct shares_text *text, const char *gateway, uint32_t share)
{
	if (text && text->complete)
		text->complete = add(text->shares, gateway, json_object_new_uint64(share));
}

void shares_add_useless(struct shares_text *text, const char *gateway)
{
	json_object *name;

	if (!text || !text->complete)
		return;
	if (!text->useless) {
		text->useless = json_object_new_array();
		text->complete = add(text->object, "x", text->useless);
	}
	name = text->complete ? json_object_new_string(gateway) : NULL;
	text->complete = name && json_object_array_add(text->useless, name) == 0;
	if (!text->complete)
		(void)json_object_put(name);
}

int shares_end(struct shares_text *text, char **ret)
{
	int r;

	if (!text)
		return -ENOMEM;
	r = finish(text->object, text->complete, ret);
	free(text);
	return r;
}

/* ---- reading ---- */

static bool read_number(json_object *member, uint64_t max, uint64_t *ret)
{
	if (!json_object_is_type(member, json_type_int) || json_object_get_int64(member) < 0)
		return false;
	*ret = json_object_get_uint64(member);
	return *ret <= max;
}

static bool get_number(json_object *object, const char *name, uint64_t max, uint64_t *ret)
{
	return read_number(json_object_object_get(object, name), max, ret);
}

static bool get_text(json_object *object, const char *name, char *ret, size_t max)
{
	json_object *member = json_object_object_get(object, name);
	size_t length = (size_t)json_object_get_string_len(member);

	if (!json_object_is_type(member, json_type_string) || length > max)
		return false;
	memcpy(ret, json_object_get_string(member), length + 1);
	return true;
}

static bool read_heartbeat(json_object *object, struct heartbeat *h)
{
	return json_object_is_type(object, json_type_object) && get_text(object, "id", h->identity, IDENTITY_MAX) &&
	       (!json_object_object_get(object, "boot") || get_text(object, "boot", h->boot, BOOT_MAX)) &&
	       get_number(object, "seq", UINT64_MAX, &h->sequence) &&
	       get_number(object, "lease", SPAN_MAX_USEC, &h->lease_usec) &&
	       get_number(object, "busy", UINT32_MAX, &h->busy) && get_number(object, "wait", UINT32_MAX, &h->waiting) &&
	       get_number(object, "age", UINT64_MAX / 2, &h->age_usec) &&
	       get_number(object, "list", UINT64_MAX, &h->list);
}

int heartbeat_parse(const char *text, struct heartbeat *ret)
{
	json_object *object = json_tokener_parse(text);
	struct heartbeat h = { .sequence = 0 };
	bool valid = read_heartbeat(object, &h);

	if (valid) {
		h.leaving = json_object_get_boolean(json_object_object_get(object, "leaving"));
		*ret = h;
	}
	(void)json_object_put(object);
	return valid ? 0 : -EINVAL;
}

/* Whether there is no list of gateways without use for the node, or a list of names. */
static bool is_list_of_names(json_object *list)
{
	size_t i, n = list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
			return false;
	return !list || json_object_is_type(list, json_type_array);
}

static void read_useless(json_object *list, void (*useless)(void *context, const char *gateway), void *context)
{
	size_t i, n = list && useless ? json_object_array_length(list) : 0;

	for (i = 0; i < n; i++)
		useless(context, json_object_get_string(json_object_array_get_idx(list, i)));
}

/* Reads a node's value, or stops. */
static int read_shares(json_object *object, uint64_t *ret_cores,
		       int (*each)(void *context, const char *gateway, uint32_t share), void *context)
{
	json_object *shares = json_object_object_get(object, "s");

	if (!json_object_is_type(object, json_type_object) || !json_object_is_type(shares, json_type_object) ||
	    !get_number(object, "c", CORES_MAX, ret_cores) || !is_list_of_names(json_object_object_get(object, "x")))
		return -EINVAL;
	json_object_object_foreach(shares, gateway, member)
	{
		uint64_t share;
		int r = read_number(member, CORES_MAX, &share) ? each(context, gateway, (uint32_t)share) : -EINVAL;

		if (r < 0)
			return r;
	}
	return 0;
}

int shares_parse(const char *text, uint32_t *ret_cores, int (*each)(void *context, const char *gateway, uint32_t share),
		 void (*useless)(void *context, const char *gateway), void *context)
{
	json_object *object = json_tokener_parse(text);
	uint64_t cores = 0;
	int r = read_shares(object, &cores, each, context);

	if (r == 0)
		read_useless(json_object_object_get(object, "x"), useless, context);
	(void)json_object_put(object);
	if (r == 0)
		*ret_cores = (uint32_t)cores;
	return r;
}

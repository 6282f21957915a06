/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fields.h: the fields of a node, one table. A row says how a field is written
 * in the node list and by `cbscore dump`, whether `cbscore set` may change it,
 * and what --help, completion and the messages say of it. A new key is a member
 * of struct node_config and a row. The member is part of a node's record: where the
 * record gets longer by it, or a reader must know it, SCORE_FORMAT of
 * store/version.h grows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expected.h"
#include "nodelist.h"

#define FIELD_TEXT_MAX (NODE_CHECK_MAX + 1)  /* a value as text, with its NUL */
#define FIELD_MESSAGE_MAX 768                /* a whole complaint, with its NUL */
#define FIELDS_PLACED 4u                     /* host, port, cores, flags: the first rows */

enum field_form {
	FIELD_PLACED,     /* known by its place in the line */
	FIELD_KEY,        /* NAME=VALUE */
	FIELD_WORD,       /* NAME alone in the line; NAME=yes or NAME=no for `cbscore set` */
};

struct field {
	const char *name;
	enum field_form form;
	bool is_fixed;         /* part of the node's name, which `cbscore set` cannot change */
	const char *argument;  /* the placeholder for the value in --help, "N" */
	const char *help;
	size_t offset, size;   /* of its member in struct node_config; all zeros is "not given" */

	/* Reads a value into the member. 0; or -EINVAL: then expected holds what follows the word "expected". */
	int (*parse)(const char *value, void *member, char expected[static EXPECTED_MAX]);

	/* Writes the member as the node list has it; an empty text means "not given". */
	void (*format)(const void *member, char text[static FIELD_TEXT_MAX]);
};

extern const struct field node_fields[];
extern const size_t n_node_fields;

/* The field of that name (the first length bytes of name), or NULL. */
const struct field *field_find(const char *name, size_t length);

/* The bit of a field in a set of fields. */
uint32_t field_bit(const struct field *field);

/* Reads a value into node's member. 0; or -EINVAL and a complaint: NAME: "VALUE": expected ... */
int field_parse(const struct field *field, const char *value, struct node_config *node,
		char message[static FIELD_MESSAGE_MAX]);

/* Writes the value of node's member as text, see format. */
void field_format(const struct field *field, const struct node_config *node, char text[static FIELD_TEXT_MAX]);

/*
 * Reads an assignment of `cbscore set` into node: NAME=VALUE; NAME= removes a
 * key. *set gets the field's bit. 0; or -EINVAL and a complaint.
 */
int field_assign(const char *assignment, struct node_config *node, uint32_t *set,
		 char message[static FIELD_MESSAGE_MAX]);

/* Copies the fields of the set from one node to another. */
void fields_copy(struct node_config *to, const struct node_config *from, uint32_t set);

/* Writes the complaint about a name that is no key of a node list: with the most similar key, and with all. */
void fields_unknown_key(const char *name, char message[static FIELD_MESSAGE_MAX]);

/* Writes a value as a message shows it: short, and without bytes that would upset a terminal. Returns buffer. */
const char *field_shown(const char *value, char buffer[static 64]);

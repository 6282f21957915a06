/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-damage.c: damages a scoreboard in a way that no program of corebalance does:
 *   header          over tdb's header
 *   chain KEY       the chain of a record leads somewhere else
 *   chains          no chain leads anywhere
 *   head KEY        over the header of a record
 *   zero KEY [OFFSET SIZE]...  zeros over a record's data, or over so many bytes of it
 *   number KEY [OFFSET NUMBER]...  numbers of 32 bits over parts of a record's data
 *   noise KEY       other bytes over a record's data
 *   page KEY        zeros over the whole page of memory that has the record's beginning
 *   cut SIZE        the file ends there
 *   all             zeros over everything
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADS_AT 172u
#define CHAINS 8191u
#define HEAD_SIZE 24u
#define MAGIC UINT32_C(0x26011999)

static unsigned char *bytes;
static size_t size;

static uint32_t number_at(size_t offset)
{
	uint32_t number;

	(void)memcpy(&number, bytes + offset, sizeof(number));
	return number;
}

/* The offset of a record's header, by the chains: copies of records lie in the log of a transaction, too. */
static size_t find(const char *key)
{
	for (uint32_t i = 0; i < CHAINS; i++)
		for (size_t at = number_at(HEADS_AT + 4 * i); at > 0 && at + HEAD_SIZE + strlen(key) < size; at = number_at(at))
			if (number_at(at + 20) == MAGIC && number_at(at + 8) == strlen(key) &&
			    memcmp(bytes + at + HEAD_SIZE, key, strlen(key)) == 0)
				return at;
	(void)fprintf(stderr, "cbtest-damage: there is no record %s\n", key);
	exit(1);
}

static void break_chain(size_t record)
{
	for (uint32_t i = 0; i < CHAINS; i++)
		if (number_at(HEADS_AT + 4 * i) == record) {
			(void)memset(bytes + HEADS_AT + 4 * i, 0x5a, 4);
			return;
		}
	for (size_t at = HEADS_AT + 4 * CHAINS; at + HEAD_SIZE < size; at += 4)
		if (number_at(at + 20) == MAGIC && number_at(at) == record)
			(void)memset(bytes + at, 0x5a, 4);
}

static void check_part(size_t length, size_t offset, size_t n)
{
	if (offset > length || n > length - offset) {
		(void)fprintf(stderr, "cbtest-damage: the record has %zu bytes\n", length);
		exit(1);
	}
}

/* Writes zeros over a record's data, or over the parts of it that the words name. */
static void zero(unsigned char *data, size_t length, char **parts)
{
	if (!*parts)
		(void)memset(data, 0, length);
	for (; parts[0] && parts[1]; parts += 2) {
		size_t offset = strtoul(parts[0], NULL, 10), n = strtoul(parts[1], NULL, 10);

		check_part(length, offset, n);
		(void)memset(data + offset, 0, n);
	}
}

static void put_numbers(unsigned char *data, size_t length, char **words)
{
	for (; words[0] && words[1]; words += 2) {
		size_t offset = strtoul(words[0], NULL, 10);
		uint32_t number = (uint32_t)strtoul(words[1], NULL, 10);

		check_part(length, offset, sizeof(number));
		(void)memcpy(data + offset, &number, sizeof(number));
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "", *which = argc > 3 ? argv[3] : "";
	struct stat st;
	size_t at;
	int fd = argc > 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)fprintf(stderr, "Usage: cbtest-damage FILE WHAT [KEY [[OFFSET SIZE]...|[OFFSET NUMBER]...]|SIZE]\n");
		return 64;
	}
	if (strcmp(what, "cut") == 0)
		return ftruncate(fd, (off_t)strtol(which, NULL, 10)) < 0;
	size = (size_t)st.st_size;
	bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return 1;
	if (strcmp(what, "header") == 0) {
		(void)memset(bytes, 0x5a, 168);
	} else if (strcmp(what, "chains") == 0) {
		(void)memset(bytes + HEADS_AT, 0, 4 * CHAINS);
	} else if (strcmp(what, "all") == 0) {
		(void)memset(bytes, 0, size);
	} else {
		at = find(which);
		if (strcmp(what, "chain") == 0)
			break_chain(at);
		else if (strcmp(what, "head") == 0)
			(void)memset(bytes + at, 0x5a, HEAD_SIZE);
		else if (strcmp(what, "zero") == 0)
			zero(bytes + at + HEAD_SIZE + number_at(at + 8), number_at(at + 12), argv + 4);
		else if (strcmp(what, "number") == 0 && argc > 5)
			put_numbers(bytes + at + HEAD_SIZE + number_at(at + 8), number_at(at + 12), argv + 4);
		else if (strcmp(what, "noise") == 0)
			(void)memset(bytes + at + HEAD_SIZE + number_at(at + 8), 0x5a, number_at(at + 12));
		else if (strcmp(what, "page") == 0)
			(void)memset(bytes + at / 4096 * 4096, 0, size - at / 4096 * 4096 < 4096 ?
				     size - at / 4096 * 4096 : 4096);
		else
			return 64;
	}
	return 0;
}

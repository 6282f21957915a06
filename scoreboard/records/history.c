/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "history.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "system/timespan.h"

const uint64_t score_bucket_usec[SCORE_BUCKETS - 1] = {
	1000, 5000, 25000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
	60000000, 300000000, 900000000, 3600000000,
};

static unsigned bucket_of(uint64_t usec)
{
	unsigned i = 0;

	while (i < SCORE_BUCKETS - 1 && usec > score_bucket_usec[i])
		i++;
	return i;
}

uint64_t score_histogram_total(const struct score_histogram *histogram)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < SCORE_BUCKETS; i++)
		total += histogram->count[i];
	return total;
}

uint64_t score_histogram_quantile(const struct score_histogram *histogram, double quantile)
{
	double rank = quantile * (double)score_histogram_total(histogram), below = 0;

	for (unsigned i = 0; i < SCORE_BUCKETS; i++) {
		double count = (double)histogram->count[i];
		uint64_t low = i > 0 ? score_bucket_usec[i - 1] : 0;

		if (count > 0 && below + count >= rank) {
			if (i == SCORE_BUCKETS - 1)
				return low; /* nothing is known of the last but where it begins */
			return low + (uint64_t)((rank - below) / count * (double)(score_bucket_usec[i] - low));
		}
		below += count;
	}
	return 0;
}

/* ---- noting ---- */

static void add_counts(struct score_histogram *to, const uint32_t from[static SCORE_BUCKETS], uint64_t sum_usec)
{
	for (unsigned i = 0; i < SCORE_BUCKETS; i++)
		to->count[i] += from[i];
	to->sum_usec += sum_usec;
}

static void add_slice(struct history_record *history, const struct slice_record *slice)
{
	history->served += slice->served;
	history->failed += slice->failed;
	add_counts(&history->wait, slice->wait, slice->wait_sum_usec);
	add_counts(&history->hold, slice->hold, slice->hold_sum_usec);
}

/* The slice is an hour old: adds its counts to the record of all earlier slices, and begins it anew. */
static void begin_slice(struct store *store, struct slice_record *slice, uint64_t number)
{
	struct history_record *history;

	if (STORE_GET(store, STORE_HISTORY, 0, 0, &history) == 0) {
		add_slice(history, slice);
		store_touch(store, history, sizeof(*history));
	}
	*slice = (struct slice_record){ .number = number };
	store_touch(store, slice, sizeof(*slice));
}

/* The time since then; 0 if that was in another boot. */
static uint64_t span_since(uint64_t since_usec, uint64_t now_usec)
{
	return since_usec < now_usec ? now_usec - since_usec : 0;
}

/* The present slice, with the farm's counts noted; NULL, and nothing noted, if it cannot be read. */
static struct slice_record *present(struct store *store, const struct farm *farm)
{
	uint64_t number = now_realtime() / SCORE_SLICE_USEC; /* slices are shown by the time of day */
	struct slice_record *slice;

	if (STORE_GET(store, STORE_SLICE, (uint32_t)(number % SCORE_SLICES), 0, &slice) < 0)
		return NULL;
	if (slice->number != number)
		begin_slice(store, slice, number);
	slice->busy_last = farm->busy;
	slice->waiting_last = farm->queue_length;
	if (slice->busy < farm->busy)
		slice->busy = farm->busy;
	if (slice->waiting < farm->queue_length)
		slice->waiting = farm->queue_length;
	return slice;
}

void history_note_counts(struct store *store, const struct farm *farm)
{
	struct slice_record *slice = present(store, farm);

	if (slice)
		store_touch(store, &slice->busy, 4 * sizeof(slice->busy));
}

/* Counts one more in a bucket. Of the slice, its sums and counts before the buckets have changed, too. */
static void count_in(struct store *store, struct slice_record *slice, uint32_t *bucket)
{
	(*bucket)++;
	store_touch(store, bucket, sizeof(*bucket));
	store_touch(store, slice, offsetof(struct slice_record, wait));
}

void history_note_claim(struct store *store, const struct farm *farm, uint64_t since_usec, uint64_t now_usec)
{
	struct slice_record *slice = present(store, farm);
	uint64_t wait_usec = span_since(since_usec, now_usec);

	if (!slice)
		return;
	slice->wait_sum_usec += wait_usec;
	count_in(store, slice, &slice->wait[bucket_of(wait_usec)]);
}

void history_note_end(struct store *store, const struct farm *farm, uint64_t since_usec, uint64_t now_usec, bool served)
{
	struct slice_record *slice = present(store, farm);
	uint64_t hold_usec = span_since(since_usec, now_usec);

	if (!slice)
		return;
	slice->busy_last -= slice->busy_last > 0;
	slice->served += served;
	slice->failed += !served;
	slice->hold_sum_usec += hold_usec;
	count_in(store, slice, &slice->hold[bucket_of(hold_usec)]);
}

int history_format(struct store *store)
{
	const struct history_record history = { 0 };
	const struct slice_record empty = { 0 };
	struct history_record old;
	struct slice_record slice;
	int r = 0;

	if (store_read(store, STORE_HISTORY, 0, 0, &old, sizeof(old)) < 0)
		r = store_put(store, STORE_HISTORY, 0, 0, &history, sizeof(history));
	for (uint32_t i = 0; r == 0 && i < SCORE_SLICES; i++)
		if (store_read(store, STORE_SLICE, i, 0, &slice, sizeof(slice)) < 0)
			r = store_put(store, STORE_SLICE, i, 0, &empty, sizeof(empty));
	return r;
}

/* ---- reading ---- */

/* Converts a slice to the form that programs see. */
static void show_slice(const struct slice_record *slice, struct score_slice *ret)
{
	*ret = (struct score_slice){
		.begin_usec = slice->number * SCORE_SLICE_USEC, .served = slice->served, .failed = slice->failed,
		.busy = slice->busy, .waiting = slice->waiting,
	};
	add_counts(&ret->wait, slice->wait, slice->wait_sum_usec);
	add_counts(&ret->hold, slice->hold, slice->hold_sum_usec);
}

/* Reads the slice of a number; false if there is no such slice, as nothing happened in its half minute. */
static bool read_slice(struct store *store, uint64_t number, struct slice_record *ret)
{
	return store_read(store, STORE_SLICE, (uint32_t)(number % SCORE_SLICES), 0, ret, sizeof(*ret)) == 0 &&
	       ret->number == number;
}

/* Adds the counts of every slice of the ring to *all. Returns the oldest number of the last hour; 0: none. */
static uint64_t add_ring(struct store *store, uint64_t newest, struct history_record *all)
{
	uint64_t oldest = 0;
	struct slice_record slice;

	for (uint32_t i = 0; i < SCORE_SLICES; i++) {
		if (store_read(store, STORE_SLICE, i, 0, &slice, sizeof(slice)) < 0 || slice.number == 0)
			continue;
		add_slice(all, &slice);
		if (slice.number + SCORE_SLICES > newest && slice.number <= newest && (oldest == 0 || slice.number < oldest))
			oldest = slice.number;
	}
	return oldest;
}

void history_read(struct store *store, const struct farm *farm, struct score_history *ret)
{
	uint64_t now_usec = now_realtime(), newest = now_usec / SCORE_SLICE_USEC, oldest;
	uint32_t busy = farm->busy, waiting = farm->queue_length;
	struct history_record all = { 0 };
	struct slice_record slice;

	*ret = (struct score_history){ 0 };
	(void)store_read(store, STORE_HISTORY, 0, 0, &all, sizeof(all)); /* if it is missing, the ring's counts remain */
	oldest = add_ring(store, newest, &all);
	ret->served = all.served;
	ret->failed = all.failed;
	ret->wait = all.wait;
	ret->hold = all.hold;
	if (oldest == 0)
		oldest = newest;
	for (uint64_t number = oldest; number <= newest; number++) {
		struct score_slice *to = &ret->slices[ret->n_slices++];

		if (read_slice(store, number, &slice)) {
			show_slice(&slice, to);
			busy = slice.busy_last;
			waiting = slice.waiting_last;
		} else { /* nothing changed in this half minute */
			*to = (struct score_slice){
				.begin_usec = number * SCORE_SLICE_USEC, .busy = busy, .waiting = waiting,
			};
		}
		to->length_usec = number < newest ? SCORE_SLICE_USEC : span_since(to->begin_usec, now_usec);
	}
}

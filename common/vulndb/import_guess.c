/* import_guess.c - see import_guess.h. Reads the beginning of the source, apart from the import itself. */
#include "common/vulndb/import_guess.h"

#include <ctype.h>
#include <errno.h>

#include "common/vulndb/feeds.h"
#include "common/vulndb/guess.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/osv.h"
#include "common/vulndb/records.h"
#include "common/vulndb/supply.h"

enum { SAMPLE_RECORDS = 300, TRIED_FILES = 100, NAME_SIZE = 64 };

/* Adds to b what comes of the file at hand, until b has `until` bytes. */
static int peek(struct supply *s, struct buf *b, size_t until, struct err *err)
{
	int got = 1;

	while (got > 0 && b->n < until) {
		char *p = buf_reserve(b, 65536);

		if (!p)
			return err_set(err, ERR_LIMIT, "over %d MiB", SECDB_MAX >> 20);
		got = supply_read(s, p, 65536, err);
		if (got > 0)
			buf_written(b, (size_t)got);
	}
	return got < 0 ? got : 0;
}

/* ---- OSV: what the first records have in common ---- */

struct sample {
	struct osv *osv;
	struct arena *arena;
	struct guess_name name;
};

static void sample_finip(struct sample *s)
{
	osv_free(s->osv);
	arena_free(s->arena);
}

static int on_record(void *arg, struct slice record, struct err *err)
{
	struct sample *s = arg;
	struct advisory a;

	arena_reset(s->arena);
	if (osv_read(s->osv, record, s->arena, &a, NULL) >= 0)
		guess_name_add(&s->name, &a);
	return s->name.count < SAMPLE_RECORDS ? 0 : err_set(err, ECANCELED, "enough");
}

static int feed_records(void *reader, struct slice bytes, struct err *err)
{
	return records_feed(reader, bytes, err);
}

/* Errors are the import's to find again, and to tell. */
static int name_of_osv(const char *path, char ret_feed[NAME_SIZE], struct err *err)
{
	CLEANUP(supply_closep) struct supply *src = NULL;
	CLEANUP(records_finip) struct records records = { 0 };
	CLEANUP(sample_finip) struct sample s = { .osv = osv_new(), .arena = arena_new(VULNDB_RECORD_ARENA) };
	int r;

	if (!s.osv || !s.arena)
		return err_set(err, ENOMEM, "import");
	records_init(&records, on_record, &s);
	r = supply_open(path, &src, err);
	while (r >= 0 && (r = supply_next(src, err)) > 0) {
		r = supply_feed(src, feed_records, &records, err);
		(void)!records_end(&records, NULL);
		if (!supply_is_broken(src) && r != -ECANCELED)
			r = 0;
	}
	guess_name_end(&s.name, ret_feed, NAME_SIZE);
	return 0;
}

static void name_of_secdb(struct slice text, char ret_feed[NAME_SIZE])
{
	const char *ecosystem = secdb_ecosystem(text);

	snprintf(ret_feed, NAME_SIZE, "%s", ecosystem ? ecosystem : "alpine");
	for (char *p = ret_feed; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

static int name_of(const struct vulndb_import *in, enum vulndb_format format, struct supply *s, struct buf *start,
		   char ret_feed[NAME_SIZE], struct err *err)
{
	static const char *const names[] = { [VULNDB_DEBIAN] = "debian", [VULNDB_KEV] = "kev", [VULNDB_EPSS] = "epss" };
	int r = 0;

	switch (format) {
	case VULNDB_OSV:
		return name_of_osv(in->source, ret_feed, err);
	case VULNDB_ALPINE:
		r = peek(s, start, SECDB_MAX, err);
		name_of_secdb(buf_slice(start), ret_feed);
		return r;
	case VULNDB_DEBIAN:
	case VULNDB_KEV:
	case VULNDB_EPSS:
		snprintf(ret_feed, NAME_SIZE, "%s", names[format]);
		return 0;
	case VULNDB_GUESS:
		break;
	}
	return err_set(err, ERR_SYNTAX, "it begins like none of OSV, Debian's tracker, secdb, KEV, EPSS");
}

/* The first file that is of a format we know; a bad one may stand before it. *start: its beginning. */
static int find_format(struct supply *s, struct buf *start, enum vulndb_format *ret, struct err *err)
{
	int r = 0;

	*ret = VULNDB_GUESS;
	for (unsigned i = 0; i < TRIED_FILES && *ret == VULNDB_GUESS; i++) {
		r = supply_next(s, err);
		if (r == 0 && i == 0)
			return err_set(err, ERR_SYNTAX, "nothing in it that is named .json or .csv");
		if (r <= 0)
			return r;
		buf_reset(start);
		r = peek(s, start, GUESS_BYTES, err);
		if (r < 0)
			return r;
		*ret = guess_format(buf_slice(start));
	}
	return 0;
}

int import_guess(const struct vulndb_import *in, enum vulndb_format *ret, char ret_feed[NAME_SIZE], struct err *err)
{
	CLEANUP(supply_closep) struct supply *s = NULL;
	CLEANUP(buf_finip) struct buf start = { 0 };
	enum vulndb_format found;

	buf_init(&start, SECDB_MAX + (1 << 20));
	int r = supply_open(in->source, &s, err);
	if (r >= 0)
		r = find_format(s, &start, &found, err);
	if (r < 0)
		return r;
	*ret = in->format == VULNDB_GUESS ? found : in->format;
	if (!in->feed || *ret == VULNDB_GUESS)
		return name_of(in, *ret, s, &start, ret_feed, err);
	if (!advisory_is_line(slice_of(in->feed), NAME_SIZE - 1))
		return err_set(err, ERR_USAGE, "'%.100s' is no name for a feed", in->feed);
	(void)slice_copy(slice_of(in->feed), ret_feed, NAME_SIZE);
	return 0;
}

/* import.c - a source into the database: which format, which feed, each record to its reader, one transaction
 * around all. */
#include <errno.h>

#include "common/show.h"
#include "common/vulndb/feeds.h"
#include "common/vulndb/import_guess.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/osv.h"
#include "common/vulndb/records.h"
#include "common/vulndb/scores.h"
#include "common/vulndb/supply.h"
#include "common/vulndb/vulndb_priv.h"
#include "common/vulndb/writer.h"

enum { PROGRESS_BYTES = 256 << 10 };

struct import {
	const struct vulndb_import *in;
	struct vulndb_imported *ret;
	enum vulndb_format format;
	struct vulndb db;
	struct supply *source;
	struct writer *writer;
	struct scores scores;
	struct osv *osv;
	struct arena *arena;
	struct buf whole; /* a secdb */
	char date[64];
	uint64_t told; /* progress */
	bool is_hopeless; /* too many bad records */
};

static void import_finip(struct import *im)
{
	supply_close(im->source);
	writer_close(im->writer);
	scores_fini(&im->scores);
	osv_free(im->osv);
	arena_free(im->arena);
	buf_fini(&im->whole);
	sql_close(&im->db);
}

/* ---- what is wrong ---- */

/* The first bad record is told with its file; too many of them are no feed. */
static int on_bad(void *arg, const char *what, struct err *err)
{
	struct import *im = arg;
	struct vulndb_imported *ret = im->ret;

	ret->read++;
	if (!ret->bad++) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		const char *name = supply_name(im->source);

		buf_init(&b, 4096);
		show_text(&b, slice_of(name), 80);
		buf_add_str(&b, name[0] ? ": " : "");
		show_text(&b, slice_of(what), 140);
		(void)slice_copy(buf_slice(&b), ret->first_bad, sizeof(ret->first_bad));
	}
	im->is_hopeless = ret->bad > VULNDB_BAD_MAX && ret->bad * 2 > ret->read;
	if (im->is_hopeless)
		return err_set(err, ERR_SYNTAX, "more bad records than good ones; the first: %s", ret->first_bad);
	return 0;
}

/* Wrong is the file at hand of many; not the source, the database or all. */
static bool is_of_file(const struct import *im, int r)
{
	return (r == -ERR_SYNTAX || r == -ERR_LIMIT) && !im->is_hopeless && !supply_is_broken(im->source) &&
	       supply_name(im->source)[0];
}

static void count_read(struct import *im)
{
	uint64_t done = supply_done(im->source);

	im->ret->read++;
	if (!im->in->progress || done < im->told + PROGRESS_BYTES)
		return;
	im->told = done;
	im->in->progress(im->in->arg, done, supply_total(im->source));
}

/* ---- OSV ---- */

static int put_advisory(struct import *im, const struct advisory *a, const uint8_t *hash, struct err *err)
{
	const char *bad = NULL;
	char what[VULNDB_ID_MAX + 64];
	int r = writer_put(im->writer, a, hash, &bad, err);

	if (r == 0)
		count_read(im);
	if (r <= 0)
		return r;
	snprintf(what, sizeof(what), "%.*s: %s", SLICE_FMT(slice_sub(a->key, 0, VULNDB_ID_MAX)), bad);
	return on_bad(im, what, err);
}

/* A record that went bad stays as it was: by its id, or by what its file is called. */
static int keep_old(struct import *im, const struct advisory *a, struct err *err)
{
	struct slice key = a->key, name = slice_of(supply_name(im->source));

	if (!key.n && slice_ends(name, SLICE_LIT(".json")))
		key = slice_sub(name, 0, name.n - 5);
	return key.n ? writer_keep(im->writer, key, err) : 0;
}

static int on_osv(void *arg, struct slice record, struct err *err)
{
	struct import *im = arg;
	uint8_t hash[WRITER_HASH];
	struct advisory a;
	struct err bad;

	writer_hash(im->writer, record, hash);
	int r = writer_has(im->writer, hash, err);
	if (r > 0)
		count_read(im);
	if (r != 0)
		return r < 0 ? r : 0;
	arena_reset(im->arena);
	r = osv_read(im->osv, record, im->arena, &a, &bad);
	if (r >= 0)
		return put_advisory(im, &a, hash, err);
	r = keep_old(im, &a, err);
	return r < 0 ? r : on_bad(im, bad.msg, err);
}

static int feed_records(void *reader, struct slice bytes, struct err *err)
{
	return records_feed(reader, bytes, err);
}

/* A file by itself that is wrong ends the import; one of many is a bad record. */
static int pass_over(struct import *im, int r, const struct err *e, struct err *err)
{
	struct advisory none = { 0 };

	if (!is_of_file(im, r))
		return err_set(err, e->code, "%s", e->msg);
	r = keep_old(im, &none, err);
	return r < 0 ? r : on_bad(im, e->msg, err);
}

static int read_osv(struct import *im, struct err *err)
{
	CLEANUP(records_finip) struct records records = { 0 };
	int r;

	records_init(&records, on_osv, im);
	while ((r = supply_next(im->source, err)) > 0) {
		struct err e = { 0 };

		r = supply_feed(im->source, feed_records, &records, &e);
		int end = records_end(&records, r < 0 ? NULL : &e);
		if (r >= 0)
			r = end;
		if (r < 0)
			r = pass_over(im, r, &e, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- Debian, secdb ---- */

static int on_advisory(void *arg, const struct advisory *a, struct err *err)
{
	return put_advisory(arg, a, NULL, err);
}

static int feed_debian(void *reader, struct slice bytes, struct err *err)
{
	return debian_feed(reader, bytes, err);
}

static int read_debian(struct import *im, struct err *err)
{
	int r;

	while ((r = supply_next(im->source, err)) > 0) {
		CLEANUP(debian_freep) struct debian *d = debian_new(on_advisory, on_bad, im);

		if (!d)
			return err_set(err, ENOMEM, "tracker reader");
		r = supply_feed(im->source, feed_debian, d, err);
		if (r >= 0)
			r = debian_end(d, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int feed_whole(void *reader, struct slice bytes, struct err *err)
{
	struct buf *b = reader;

	buf_add_slice(b, bytes);
	return b->failed ? err_set(err, ERR_LIMIT, "a secdb of over %d MiB", SECDB_MAX >> 20) : 0;
}

static int read_secdb(struct import *im, struct err *err)
{
	int r;

	while ((r = supply_next(im->source, err)) > 0) {
		struct err e = { 0 };

		buf_reset(&im->whole);
		r = supply_feed(im->source, feed_whole, &im->whole, &e);
		if (r >= 0)
			r = secdb_read(buf_slice(&im->whole), on_advisory, on_bad, im, &e);
		if (r < 0)
			r = pass_over(im, r, &e, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- KEV, EPSS ---- */

static int on_kev(void *arg, const struct kev_row *row, struct err *err)
{
	struct import *im = arg;

	count_read(im);
	return scores_put_kev(&im->scores, row, err);
}

static int on_epss(void *arg, const struct epss_row *row, struct err *err)
{
	struct import *im = arg;

	count_read(im);
	return scores_put_epss(&im->scores, row, err);
}

static int feed_kev(void *reader, struct slice bytes, struct err *err)
{
	return kev_feed(reader, bytes, err);
}

static int feed_epss(void *reader, struct slice bytes, struct err *err)
{
	return epss_feed(reader, bytes, err);
}

static int read_kev(struct import *im, struct err *err)
{
	const struct kev_reader reader = { on_kev, on_bad, im };
	int r;

	while ((r = supply_next(im->source, err)) > 0) {
		CLEANUP(kev_freep) struct kev *k = kev_new(&reader);

		if (!k)
			return err_set(err, ENOMEM, "KEV reader");
		r = supply_feed(im->source, feed_kev, k, err);
		if (r >= 0)
			r = kev_end(k, err);
		if (r < 0)
			return r;
		(void)slice_copy(kev_date(k), im->date, sizeof(im->date));
	}
	return r;
}

static int read_epss(struct import *im, struct err *err)
{
	int r;

	while ((r = supply_next(im->source, err)) > 0) {
		struct epss e = { .row = on_epss, .bad = on_bad, .arg = im };

		r = supply_feed(im->source, feed_epss, &e, err);
		if (r >= 0)
			r = epss_end(&e, err);
		if (r < 0)
			return r;
		(void)slice_copy(slice_of(e.date), im->date, sizeof(im->date));
	}
	return r;
}

/* ---- the whole ---- */

static int prepare(struct import *im, struct err *err)
{
	const struct writer_options o = { .feed = im->ret->feed,
					  .format = im->format,
					  .now_unix_s = im->in->now_unix_s,
					  .counts = im->ret };

	if (im->format == VULNDB_KEV || im->format == VULNDB_EPSS)
		return scores_open(&im->db, im->format, im->ret, &im->scores, err);
	im->osv = osv_new();
	im->arena = arena_new(VULNDB_RECORD_ARENA);
	if (!im->osv || !im->arena)
		return err_set(err, ENOMEM, "import");
	return writer_open(&im->db, &o, &im->writer, err);
}

static int read_all(struct import *im, struct err *err)
{
	switch (im->format) {
	case VULNDB_OSV:
		return read_osv(im, err);
	case VULNDB_DEBIAN:
		return read_debian(im, err);
	case VULNDB_ALPINE:
		return read_secdb(im, err);
	case VULNDB_KEV:
		return read_kev(im, err);
	case VULNDB_EPSS:
		return read_epss(im, err);
	case VULNDB_GUESS:
		break;
	}
	return err_set(err, EINVAL, "import of an unknown format");
}

static int finish(struct import *im, const char *digest, struct err *err)
{
	struct slice date = slice_of(im->date);

	if (im->ret->read == im->ret->bad)
		return err_set(err, ERR_SYNTAX, "no advisory in it%s%s", im->ret->bad ? ": " : "", im->ret->first_bad);
	/* one record in a file of its own is never all of a feed */
	bool is_part = im->in->is_part || (im->format == VULNDB_OSV && im->ret->read == 1 && !supply_name(im->source)[0]);
	if (im->writer)
		return writer_end(im->writer, is_part, slice_of(digest), date, err);
	return scores_end(&im->scores, im->ret->feed, slice_of(digest), date, im->in->now_unix_s, err);
}

static int transact(struct import *im, const char *digest, struct err *err)
{
	int r = sql_do(&im->db, SQL_BEGIN_WRITE, err);

	if (r < 0)
		return r;
	r = prepare(im, err);
	if (r >= 0)
		r = read_all(im, err);
	if (r >= 0)
		r = finish(im, digest, err);
	if (r >= 0)
		r = meta_put(&im->db, "built", im->in->now_unix_s, err);
	if (r >= 0)
		r = sql_do(&im->db, SQL_COMMIT, err);
	if (r < 0) {
		if (!sqlite3_get_autocommit(im->db.h))
			(void)!sql_do(&im->db, SQL_ROLLBACK, NULL);
		return r;
	}
	/* What a reader holds up is written at the next import; the database is whole either way. No waiting. */
	sqlite3_busy_timeout(im->db.h, 0);
	(void)!sql_exec(&im->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL);
	return 0;
}

/* A database that was to be made and got nothing is not left: an empty one finds nothing, in good faith. */
static void unmake(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char name[4096];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) < sizeof(name))
			unlink(name);
}

int vulndb_import(const struct vulndb_import *in, struct vulndb_imported *ret, struct err *err)
{
	CLEANUP(import_finip) struct import im = { .in = in, .ret = ret };
	char digest[65] = "";

	*ret = (struct vulndb_imported){ 0 };
	buf_init(&im.whole, SECDB_MAX);
	int r = import_guess(in, &im.format, ret->feed, err);
	if (r >= 0)
		r = supply_digest(in->source, digest, err);
	if (r >= 0)
		r = supply_open(in->source, &im.source, err);
	if (r < 0)
		return err_wrap(err, r, "import '%s'", in->source);
	bool was_there = access(in->path, F_OK) == 0;
	r = sql_open(&im.db, in->path, SQL_WRITE, err);
	if (r >= 0)
		r = transact(&im, digest, err);
	if (r < 0 && !was_there) {
		sql_close(&im.db);
		unmake(in->path);
	}
	return err_wrap(err, r, "import '%s'", in->source);
}

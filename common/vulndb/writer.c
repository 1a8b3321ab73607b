/* writer.c - see writer.h: what came, what was there, what is gone. The rows themselves are writer_rows.c. */
#include "common/vulndb/writer_priv.h"

#include <errno.h>

#include "common/text.h"
#include "common/vulndb/limits.h"

/* Mixed into every hash: a program that reads records otherwise reads them all again. */
enum { SAME_KEY_MAX = 9 };
static const char importer[] = "picket vulndb 1";

/* ---- opening ---- */

int writer_feed_id(struct vulndb *db, const char *name, enum vulndb_format format, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_FEED_FIND, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, slice_of(name));
	r = sql_step(db, st, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	if (r > 0)
		return 0;
	r = sql_start(db, SQL_FEED_ADD, &st, err);
	if (r < 0)
		return r;
	sql_text(st, 1, slice_of(name));
	sql_int(st, 2, format);
	r = sql_run(db, st, err);
	*ret = sqlite3_last_insert_rowid(db->h);
	return r;
}

static void split_hash(const uint8_t hash[WRITER_HASH], uint64_t *a, uint64_t *b)
{
	memcpy(a, hash, 8);
	memcpy(b, hash + 8, 8);
}

static int load_hashes(struct writer *w, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_ADVISORY_HASHES, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, w->feed);
	while ((r = sql_step(w->db, st, err)) > 0) {
		struct slice hash = sql_column(st, 1);
		struct seen_slot *slot;
		uint64_t a, b;
		bool is_new;

		if (hash.n != WRITER_HASH) {
			sqlite3_reset(st);
			return err_set(err, ERR_CORRUPT, "vulnerability database '%s': a hash is none", w->db->path);
		}
		split_hash((const uint8_t *)hash.p, &a, &b);
		r = seen_add(&w->before, a, b, &slot, &is_new, err);
		if (r < 0)
			break;
		slot->value = sqlite3_column_int64(st, 0);
	}
	sqlite3_reset(st);
	return r;
}

/* Which parts of the feed came: what is absent is removed only there. */
static int mark_part(struct writer *w, struct slice part, struct err *err)
{
	struct seen_slot *slot;
	uint64_t hash = slice_hash(part);
	bool is_new;

	if (w->parts.count && hash == w->last_part)
		return 0;
	w->last_part = hash;
	return seen_add(&w->parts, hash, part.n, &slot, &is_new, err);
}

int writer_open(struct vulndb *db, const struct writer_options *o, struct writer **ret, struct err *err)
{
	CLEANUP(writer_closep) struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ENOMEM, "import");
	*w = (struct writer){ .db = db, .o = *o };
	w->arena = arena_new(VULNDB_RECORD_ARENA);
	w->md = EVP_MD_CTX_new();
	w->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!w->arena || !w->md || !w->sha256)
		return err_set(err, ENOMEM, "import");
	int r = meta_get(db, "generation", &w->generation, err);
	w->generation++;
	if (r >= 0)
		r = writer_feed_id(db, o->feed, o->format, &w->feed, err);
	if (r >= 0)
		r = load_hashes(w, err);
	if (r >= 0 && o->format != VULNDB_ALPINE) /* the others have no parts: whatever comes is all of it */
		r = mark_part(w, SLICE_NONE, err);
	if (r < 0)
		return r;
	*ret = take_ptr(w);
	return 0;
}

void writer_close(struct writer *w)
{
	if (!w)
		return;
	seen_fini(&w->before);
	seen_fini(&w->done);
	seen_fini(&w->packages);
	seen_fini(&w->parts);
	arena_free(w->arena);
	EVP_MD_CTX_free(w->md);
	EVP_MD_free(w->sha256);
	free(w);
}

/* ---- hashes ---- */

static void hash_begin(struct writer *w)
{
	EVP_DigestInit_ex(w->md, w->sha256, NULL);
	EVP_DigestUpdate(w->md, importer, sizeof(importer));
}

static void hash_end(struct writer *w, uint8_t ret[WRITER_HASH])
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	EVP_DigestFinal_ex(w->md, sum, NULL);
	memcpy(ret, sum, WRITER_HASH);
}

void writer_hash(struct writer *w, struct slice bytes, uint8_t ret[WRITER_HASH])
{
	hash_begin(w);
	EVP_DigestUpdate(w->md, bytes.p, bytes.n);
	hash_end(w, ret);
}

static void hash_slice(struct writer *w, struct slice s)
{
	uint64_t n = s.n; /* so that "ab","c" is not "a","bc" */

	EVP_DigestUpdate(w->md, &n, sizeof(n));
	if (s.n)
		EVP_DigestUpdate(w->md, s.p, s.n);
}

/* Of an advisory whose format has no record of its own bytes. */
static void hash_advisory(struct writer *w, const struct advisory *a, uint8_t ret[WRITER_HASH])
{
	hash_begin(w);
	hash_slice(w, a->key);
	hash_slice(w, a->part);
	hash_slice(w, a->description);
	hash_slice(w, a->withdrawn);
	for (size_t i = 0; i < a->affected_count; i++) {
		const struct advisory_affected *af = &a->affected[i];
		const int numbers[] = { (int)af->status, (int)af->severity, af->has_severity };

		hash_slice(w, af->ecosystem);
		hash_slice(w, af->name);
		hash_slice(w, af->note);
		hash_slice(w, slice_from(numbers, sizeof(numbers)));
		for (size_t k = 0; k < af->events.count; k++)
			hash_slice(w, af->events.v[k].version);
	}
	hash_end(w, ret);
}

/* ---- putting ---- */

static bool is_done(const struct writer *w, int64_t advisory)
{
	return advisory && seen_find(&w->done, (uint64_t)advisory, 0);
}

static int mark_done(struct writer *w, int64_t advisory, struct err *err)
{
	struct seen_slot *slot;
	bool is_new;

	return seen_add(&w->done, (uint64_t)advisory, 0, &slot, &is_new, err);
}

/* So that the same record once more is known again. */
static int mark_hash(struct writer *w, const uint8_t hash[WRITER_HASH], int64_t advisory, struct err *err)
{
	struct seen_slot *slot;
	uint64_t a, b;
	bool is_new;

	split_hash(hash, &a, &b);
	int r = seen_add(&w->before, a, b, &slot, &is_new, err);
	if (r < 0)
		return r;
	slot->value = advisory;
	slot->is_seen = true;
	return mark_done(w, advisory, err);
}

int writer_has(struct writer *w, const uint8_t hash[WRITER_HASH], struct err *err)
{
	uint64_t a, b;

	split_hash(hash, &a, &b);
	struct seen_slot *slot = seen_find(&w->before, a, b);
	/* not if another record has just taken this one's place */
	if (!slot || (!slot->is_seen && is_done(w, slot->value)))
		return 0;
	w->o.counts->unchanged++;
	if (slot->is_seen)
		return 1;
	slot->is_seen = true;
	int r = mark_done(w, slot->value, err);
	return r < 0 ? r : 1;
}

static int find_advisory(struct writer *w, struct slice key, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_ADVISORY_FIND, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, w->feed);
	sql_text(st, 2, key);
	r = sql_step(w->db, st, err);
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

/* In force, to be re-read later, or out. */
static bool is_withdrawn(const struct writer *w, const struct advisory *a, bool *is_to_come)
{
	uint64_t at_ns = 0;

	*is_to_come = false;
	if (advisory_is_rejected(a->title) || advisory_is_rejected(a->description))
		return true;
	if (!a->withdrawn.n)
		return false;
	*is_to_come = text_time_parse(a->withdrawn, &at_ns) && at_ns / 1000000000 > w->o.now_unix_s;
	return !*is_to_come;
}

/* AlmaLinux publishes one id for several releases, in files of their own: the second goes by "id#2". */
static int find_place(struct writer *w, struct slice key, struct row *row, struct err *err)
{
	for (int n = 1; n <= SAME_KEY_MAX; n++) {
		char *text = arena_printf(w->arena, n == 1 ? "%.*s" : "%.*s#%d", SLICE_FMT(key), n);

		if (!text)
			return err_set(err, ENOMEM, "import");
		row->key = slice_of(text);
		int r = find_advisory(w, row->key, &row->id, err);
		if (r < 0 || !is_done(w, row->id))
			return r;
	}
	return 1;
}

int writer_put(struct writer *w, const struct advisory *a, const uint8_t *hash, const char **ret_bad,
	       struct err *err)
{
	static const uint8_t none[WRITER_HASH]; /* never a record's: it is read again at the next import */
	uint8_t own[WRITER_HASH];
	struct row row = { .a = a, .hash = hash ? hash : own };
	bool is_to_come;

	arena_reset(w->arena);
	int r = mark_part(w, a->part, err);
	if (r < 0)
		return r;
	if (!hash) {
		hash_advisory(w, a, own);
		r = writer_has(w, own, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = find_place(w, a->key, &row, err);
	if (r > 0)
		*ret_bad = "stands there too often";
	if (r != 0)
		return r;
	row.is_withdrawn = is_withdrawn(w, a, &is_to_come);
	if (is_to_come)
		row.hash = none;
	bool was_there = row.id != 0;
	r = row_write(w, &row, ret_bad, err);
	if (r != 0)
		return r;
	w->o.counts->changed += was_there;
	w->o.counts->added += !was_there;
	return mark_hash(w, row.hash, row.id, err);
}

int writer_keep(struct writer *w, struct slice key, struct err *err)
{
	int64_t id = 0;
	int r = find_advisory(w, key, &id, err);

	return r < 0 || !id ? r : mark_done(w, id, err);
}

/* ---- the end ---- */

static int remove_gone(struct writer *w, struct err *err)
{
	for (size_t i = 0; i < w->before.size; i++) {
		const struct seen_slot *s = &w->before.slots[i];
		bool is_removed = false;

		if (!s->is_used || s->is_seen || is_done(w, s->value))
			continue;
		int r = row_remove(w, s->value, &is_removed, err);
		if (r < 0)
			return r;
		w->o.counts->removed += is_removed;
	}
	return 0;
}

static int count_feed(struct writer *w, int64_t ret[3], struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_FEED_COUNT, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, w->feed);
	r = sql_step(w->db, st, err);
	for (int i = 0; i < 3 && r > 0; i++)
		ret[i] = sqlite3_column_int64(st, i);
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int writer_end(struct writer *w, bool is_part, struct slice digest, struct slice date, struct err *err)
{
	struct vulndb_imported *c = w->o.counts;
	int64_t counts[3] = { 0 };
	char newest[TEXT_TIME_MAX] = "";
	sqlite3_stmt *st;

	int r = is_part ? 0 : remove_gone(w, err);
	if (r >= 0)
		r = count_feed(w, counts, err);
	if (r >= 0)
		r = sql_start(w->db, SQL_FEED_PUT, &st, err);
	if (r < 0)
		return r;
	if (counts[2] > 0)
		(void)text_time((uint64_t)counts[2] * 1000000000, newest, sizeof(newest));
	c->withdrawn = (uint64_t)counts[1];
	sql_int(st, 1, w->feed);
	sql_int(st, 2, w->o.format);
	sql_int(st, 3, counts[0]);
	sql_int(st, 4, counts[1]);
	sql_int(st, 5, (int64_t)w->o.now_unix_s);
	sql_text(st, 6, digest);
	sql_text(st, 7, date.n ? date : slice_of(newest));
	r = sql_run(w->db, st, err);
	if (r >= 0 && c->added + c->changed + c->removed)
		r = meta_put(w->db, "generation", w->generation, err);
	return r;
}

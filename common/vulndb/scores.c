/* scores.c - see scores.h. */
#include "common/vulndb/scores.h"

#include <math.h>

#include "common/vulndb/vulndb_priv.h"
#include "common/vulndb/writer.h"

/* EPSS has five digits behind the point. */
static int64_t mark_of_epss(double score, double percentile)
{
	return (int64_t)llround(score * 100000) * 1000000 + llround(percentile * 100000);
}

static int64_t mark_of_kev(struct slice added, struct slice due, struct slice title, bool is_ransomware)
{
	uint64_t h = slice_hash(added);

	h = h * 31 + slice_hash(due);
	h = h * 31 + slice_hash(title);
	return (int64_t)(h * 31 + is_ransomware);
}

static int64_t mark_of_row(enum vulndb_format format, sqlite3_stmt *st)
{
	if (format == VULNDB_EPSS)
		return mark_of_epss(sqlite3_column_double(st, 1), sqlite3_column_double(st, 2));
	return mark_of_kev(sql_column(st, 1), sql_column(st, 2), sql_column(st, 4), sqlite3_column_int(st, 3) != 0);
}

int scores_open(struct vulndb *db, enum vulndb_format format, struct vulndb_imported *counts, struct scores *ret,
		struct err *err)
{
	sqlite3_stmt *st;

	*ret = (struct scores){ .db = db, .format = format, .counts = counts };
	int r = sql_start(db, format == VULNDB_EPSS ? SQL_EPSS_ALL : SQL_KEV_ALL, &st, err);
	if (r < 0)
		return r;
	while ((r = sql_step(db, st, err)) > 0) {
		struct seen_slot *slot;
		bool is_new;

		r = seen_add(&ret->before, (uint64_t)sqlite3_column_int64(st, 0), 0, &slot, &is_new, err);
		if (r < 0)
			break;
		slot->value = mark_of_row(format, st);
	}
	sqlite3_reset(st);
	return r;
}

/* 1: the row is to be written. */
static int is_changed(struct scores *s, int64_t cve, int64_t mark, struct err *err)
{
	struct seen_slot *slot;
	bool is_new;
	int r = seen_add(&s->before, (uint64_t)cve, 0, &slot, &is_new, err);

	if (r < 0)
		return r;
	bool is_same = !is_new && slot->value == mark;
	if (!slot->is_seen) {
		s->counts->added += is_new;
		s->counts->changed += !is_new && !is_same;
		s->counts->unchanged += is_same;
	}
	slot->is_seen = true;
	slot->value = mark;
	return !is_same;
}

int scores_put_kev(struct scores *s, const struct kev_row *row, struct err *err)
{
	sqlite3_stmt *st;
	int r = is_changed(s, row->cve, mark_of_kev(row->added, row->due, row->title, row->is_ransomware), err);

	if (r <= 0)
		return r;
	r = sql_start(s->db, SQL_KEV_PUT, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, row->cve);
	sql_text(st, 2, row->added);
	sql_text(st, 3, row->due);
	sql_int(st, 4, row->is_ransomware);
	sql_text(st, 5, row->title);
	return sql_run(s->db, st, err);
}

int scores_put_epss(struct scores *s, const struct epss_row *row, struct err *err)
{
	sqlite3_stmt *st;
	int r = is_changed(s, row->cve, mark_of_epss(row->score, row->percentile), err);

	if (r <= 0)
		return r;
	r = sql_start(s->db, SQL_EPSS_PUT, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, row->cve);
	sqlite3_bind_double(st, 2, row->score);
	sqlite3_bind_double(st, 3, row->percentile);
	return sql_run(s->db, st, err);
}

static int remove_gone(struct scores *s, uint64_t *ret_left, struct err *err)
{
	sqlite3_stmt *st;

	*ret_left = 0;
	for (size_t i = 0; i < s->before.size; i++) {
		const struct seen_slot *slot = &s->before.slots[i];

		*ret_left += slot->is_used && slot->is_seen;
		if (!slot->is_used || slot->is_seen)
			continue;
		int r = sql_start(s->db, s->format == VULNDB_EPSS ? SQL_EPSS_DELETE : SQL_KEV_DELETE, &st, err);
		if (r < 0)
			return r;
		sql_int(st, 1, (int64_t)slot->a);
		r = sql_run(s->db, st, err);
		if (r < 0)
			return r;
		s->counts->removed++;
	}
	return 0;
}

/* What is said of a CVE touches every package: no list of names is kept. */
static int mark_all_changed(struct scores *s, struct err *err)
{
	uint64_t generation;
	int r = 0;

	if (!(s->counts->added + s->counts->changed + s->counts->removed))
		return 0;
	r = meta_get(s->db, "generation", &generation, err);
	if (r >= 0)
		r = meta_put(s->db, "generation", generation + 1, err);
	return r < 0 ? r : meta_put(s->db, "everything", generation + 1, err);
}

int scores_end(struct scores *s, const char *feed, struct slice digest, struct slice date, uint64_t now_unix_s,
	       struct err *err)
{
	sqlite3_stmt *st;
	uint64_t left;
	int64_t id;

	int r = remove_gone(s, &left, err);
	if (r >= 0)
		r = writer_feed_id(s->db, feed, s->format, &id, err);
	if (r >= 0)
		r = sql_start(s->db, SQL_FEED_PUT, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, id);
	sql_int(st, 2, s->format);
	sql_int(st, 3, (int64_t)left);
	sql_int(st, 4, 0);
	sql_int(st, 5, (int64_t)now_unix_s);
	sql_text(st, 6, digest);
	sql_text(st, 7, date);
	r = sql_run(s->db, st, err);
	return r < 0 ? r : mark_all_changed(s, err);
}

void scores_fini(struct scores *s)
{
	seen_fini(&s->before);
}

/* feeds.c - what is known of each feed: when it was last asked, what it said, when it was new. */
#include <errno.h>

#include "collector/store/vulns_priv.h"

#define COLUMNS "name, url, format, etag, modified, error, tried, succeeded, changed, bytes"

static void read_row(sqlite3_stmt *st, struct store_feed *ret)
{
	*ret = (struct store_feed){ .name = db_text(st, 0),
				    .url = db_text(st, 1),
				    .format = db_text(st, 2),
				    .etag = db_text(st, 3),
				    .modified = db_text(st, 4),
				    .error = db_text(st, 5),
				    .tried_unix_ns = db_u64(st, 6),
				    .succeeded_unix_ns = db_u64(st, 7),
				    .changed_unix_ns = db_u64(st, 8),
				    .bytes = db_u64(st, 9) };
}

int store_feed_put(struct store *s, const struct store_feed *f, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO feed(" COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT(name) DO UPDATE"
		      " SET url = ?2, format = ?3, etag = ?4, modified = ?5, error = ?6, tried = ?7, succeeded = ?8,"
		      " changed = ?9, bytes = ?10",
		      B_STR(f->name), B_STR(f->url), B_STR(f->format), B_STR(f->etag), B_STR(f->modified),
		      B_STR(f->error), B_INT(f->tried_unix_ns), B_INT(f->succeeded_unix_ns),
		      B_INT(f->changed_unix_ns), B_INT(f->bytes));
}

int store_feed_get(struct store *s, const char *name, struct arena *a, struct store_feed *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT " COLUMNS " FROM feed WHERE name = ?", B_STR(name));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no feed '%.100s'", name);
	read_row(st, ret);
	const char **texts[] = { &ret->name, &ret->url, &ret->format, &ret->etag, &ret->modified, &ret->error };
	if (!arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "feed '%.100s'", name);
	return 0;
}

int store_feeds_each(struct store *s, int (*fn)(void *arg, const struct store_feed *f), void *arg,
		     struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT " COLUMNS " FROM feed ORDER BY name", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_feed f;

		read_row(st, &f);
		r = fn(arg, &f);
		if (r < 0)
			return r;
	}
	return r;
}

int store_vuln_status(struct store *s, struct store_vuln_status *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state,
			   "SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM image WHERE length(sha256) > 0),"
			   " (SELECT count(*) FROM image WHERE hosts > 0),"
			   " coalesce((SELECT value FROM number WHERE name = 'images.dropped'), 0),"
			   " (SELECT count(*) FROM layer), (SELECT count(*) FROM package), (SELECT count(*) FROM vuln),"
			   " (SELECT count(*) FROM finding), (SELECT count(*) FROM package_os WHERE is_due = 1),"
			   " (SELECT count(*) FROM vuln WHERE is_due = 1),"
			   " (SELECT count(*) FROM acceptance WHERE ended = 0),"
			   " (SELECT count(*) FROM vuln WHERE rank >= 1 << 40 AND running > 0 AND is_accepted = 0)",
			   NULL, 0, &st, err);

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret = (struct store_vuln_status){ .images = db_u64(st, 0),
					   .images_known = db_u64(st, 1),
					   .images_running = db_u64(st, 2),
					   .images_dropped = db_u64(st, 3),
					   .layers = db_u64(st, 4),
					   .packages = db_u64(st, 5),
					   .vulns = db_u64(st, 6),
					   .findings = db_u64(st, 7),
					   .packages_due = db_u64(st, 8),
					   .vulns_due = db_u64(st, 9),
					   .acceptances = db_u64(st, 10),
					   .kev_running = db_u64(st, 11) };
	return 0;
}

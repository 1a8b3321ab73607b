/* correlations.c - see store_correlations.h. */
#include "collector/store/store_correlations.h"

#include <inttypes.h>

#include "collector/store/store_priv.h"
#include "collector/store/store_vulns.h"

#define JOURNALED "coalesce((SELECT journal FROM correlation_state WHERE id = 1), 0)"

/* ---- the snapshot ---- */

static int read_parts(struct store *s, int64_t generation, uint64_t parts, struct buf *out, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t count = 0;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT data FROM correlation_part WHERE generation = ? ORDER BY part", B_INT(generation));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		buf_add_slice(out, db_blob(st, 0));
		count++;
	}
	if (r < 0)
		return r;
	if (out->failed)
		return err_set(err, ERR_LIMIT, "the state of correlations is larger than %zu bytes", out->cap);
	return count == parts ? 0 : err_set(err, ERR_CORRUPT, "parts of the state of correlations are missing");
}

int store_correlation_state_get(struct store *s, size_t bytes_max,
				int (*fn)(void *arg, const struct store_correlation_state *st), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	CLEANUP(buf_finip) struct buf snapshot = { 0 };
	int r = db_prepare(&s->state, "SELECT names, generation, parts, journal FROM correlation_state WHERE id = 1", NULL, 0, &st, err);

	buf_init(&snapshot, bytes_max);
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	struct store_correlation_state row = { .names = db_blob(st, 0),
					       .generation = sqlite3_column_int64(st, 1),
					       .journal = sqlite3_column_int64(st, 3) };
	r = read_parts(s, row.generation, db_u64(st, 2), &snapshot, err);
	row.snapshot = buf_slice(&snapshot);
	return r < 0 ? r : fn(arg, &row);
}

int store_correlation_generation(struct store *s, int64_t *ret, struct err *err)
{
	return db_number(&s->state, "SELECT generation FROM correlation_state WHERE id = 1", NULL, 0, ret, err);
}

int store_correlation_part_add(struct store *s, int64_t generation, uint64_t part, struct slice data, struct err *err)
{
	return DB_RUN(&s->state, err, "INSERT INTO correlation_part VALUES (?, ?, ?)", B_INT(generation), B_INT(part), B_BLOB(data));
}

int store_correlation_state_put(struct store *s, struct slice names, int64_t generation, uint64_t parts, int64_t journal,
				struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO correlation_state VALUES (1, ?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO UPDATE SET names = ?1,"
		      " generation = ?2, parts = ?3, journal = ?4, taken = ?5",
		      B_BLOB(names), B_INT(generation), B_INT(parts), B_INT(journal), B_INT(clock_unix_ns(s->clk)));
}

int store_correlation_parts_drop(struct store *s, struct err *err)
{
	return db_run(&s->state,
		      "DELETE FROM correlation_part WHERE generation > coalesce((SELECT generation FROM correlation_state WHERE id = 1), 0)",
		      NULL, 0, err);
}

int store_correlation_tidy(struct store *s, uint64_t limit, bool *ret_more, struct err *err)
{
	int r = DB_RUN(&s->state, err,
		       "DELETE FROM correlation_journal WHERE id IN (SELECT id FROM correlation_journal WHERE id <= " JOURNALED
		       " ORDER BY id LIMIT ?)",
		       B_INT(limit));

	if (r < 0)
		return r;
	*ret_more = (uint64_t)sqlite3_changes(s->state.h) == limit;
	r = db_run(&s->state,
		   "DELETE FROM correlation_part WHERE rowid = (SELECT rowid FROM correlation_part WHERE generation <"
		   " (SELECT generation FROM correlation_state WHERE id = 1) LIMIT 1)",
		   NULL, 0, err);
	*ret_more |= r >= 0 && sqlite3_changes(s->state.h) > 0;
	return r;
}

/* ---- the journal ---- */

int store_correlation_journal_last(struct store *s, int64_t *ret, struct err *err)
{
	return db_number(&s->state, "SELECT max(coalesce((SELECT max(id) FROM correlation_journal), 0), " JOURNALED ")", NULL, 0, ret, err);
}

int store_correlation_journal_add(struct store *s, int64_t number, struct slice row, struct err *err)
{
	return DB_RUN(&s->state, err, "INSERT INTO correlation_journal VALUES (?, ?)", B_INT(number), B_BLOB(row));
}

int store_correlation_journal_each(struct store *s, int (*fn)(void *arg, struct slice row), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT row FROM correlation_journal WHERE id > " JOURNALED " ORDER BY id", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		r = fn(arg, db_blob(st, 0));
	return r;
}

int store_correlation_size(struct store *s, struct store_correlation_size *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state,
			   "SELECT count(*), coalesce(sum(length(row)), 0),"
			   " coalesce((SELECT sum(length(data)) FROM correlation_part), 0) FROM correlation_journal",
			   NULL, 0, &st, err);

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret = (struct store_correlation_size){ db_u64(st, 0), db_u64(st, 1), db_u64(st, 2) };
	return 0;
}

int store_rule_fired(struct store *s, const char *rule, uint64_t time_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO correlation_rule VALUES (?1, 1, ?2) ON CONFLICT(rule) DO UPDATE SET fired = fired + 1,"
		      " last = max(last, ?2)",
		      B_STR(rule), B_INT(time_unix_ns));
}

int store_rule_last(struct store *s, const char *rule, uint64_t *ret_count, uint64_t *ret_unix_ns, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT fired, last FROM correlation_rule WHERE rule = ?", B_STR(rule));

	*ret_count = *ret_unix_ns = 0;
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	*ret_count = db_u64(st, 0);
	*ret_unix_ns = db_u64(st, 1);
	return 0;
}

int store_container_brief(struct store *s, const char *agent, const char *id, struct arena *a,
			  struct store_container_brief *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT c.name, c.image, c.image_id, c.is_privileged, length(c.config) > 0,"
			   " coalesce(length(i.sha256) > 0 AND i.worst_at > 0, 0), coalesce(i.worst, 0),"
			   " EXISTS (SELECT 1 FROM vuln_alert va JOIN vuln v ON v.id = va.vuln WHERE va.image = i.id"
			   " AND va.state = ?3 AND (v.is_kev = 1 OR v.epss >= 0.5))"
			   " FROM container c LEFT JOIN image i ON i.image_id = c.image_id AND length(c.image_id) > 0"
			   " WHERE c.agent = ?1 AND c.id = ?2",
			   B_STR(agent), B_STR(id), B_INT(TOLD_OPEN));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no container '%.64s'", id);
	struct slice name = db_blob(st, 0), image = db_blob(st, 1);
	const char *n = arena_dup(a, name), *i = arena_dup(a, image), *image_id = arena_dup(a, slice_of(db_text(st, 2)));
	if (!n || !i || !image_id)
		return err_set(err, ERR_LIMIT, "container '%.64s'", id);
	uint64_t worst = db_u64(st, 6);
	*ret = (struct store_container_brief){ .name = slice_from(n, name.n),
					       .image = slice_from(i, image.n),
					       .image_id = image_id,
					       .worst = worst ? vuln_severity_name((enum vuln_severity)(worst - 1)) : "",
					       .is_privileged = db_u64(st, 3) != 0,
					       .has_config = db_u64(st, 4) != 0,
					       .is_scanned = db_u64(st, 5) != 0,
					       .is_exploited = db_u64(st, 7) != 0 };
	return 0;
}

/* ---- what runs unscanned ---- */

struct unscanned {
	struct store_unscanned *rows;
	size_t count;
	struct arena *a;
};

static bool keep_unscanned(struct unscanned *u, sqlite3_stmt *st)
{
	struct store_unscanned *row = &u->rows[u->count];
	struct slice image = db_blob(st, 5);
	const char *copy = arena_dup(u->a, image);

	*row = (struct store_unscanned){ db_text(st, 0), db_text(st, 1), db_text(st, 2), db_text(st, 3), db_text(st, 4), { copy, image.n } };
	const char **texts[] = { &row->agent, &row->host, &row->container, &row->name, &row->image_id };
	if (!copy || !arena_keep(u->a, texts, ARRAY_LEN(texts)))
		return false;
	u->count++;
	return true;
}

int store_unscanned_each(struct store *s, uint64_t age_s, uint64_t limit,
			 int (*fn)(void *arg, const struct store_unscanned *row), void *arg, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(16 << 20);
	struct unscanned u = { .a = a, .rows = a ? arena_zalloc(a, limit + 1, sizeof(*u.rows)) : NULL };
	uint64_t now_s = clock_unix_ns(s->clk) / 1000000000;
	sqlite3_stmt *st = NULL;

	if (!u.rows)
		return err_set(err, ERR_LIMIT, "%" PRIu64 " containers", limit);
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT cu.agent, ag.host, cu.container, cu.name, i.image_id, coalesce(c.image, x'') FROM container_use cu"
			   " JOIN image i ON i.id = cu.image JOIN agent ag ON ag.id = cu.agent"
			   " LEFT JOIN container c ON c.agent = cu.agent AND c.id = cu.container"
			   " WHERE cu.started > 0 AND cu.started < ?1 AND (length(i.sha256) = 0 OR i.worst_at = 0) LIMIT ?2",
			   B_INT(now_s > age_s ? now_s - age_s : 0), B_INT(limit));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		if (!keep_unscanned(&u, st))
			break;
	db_resetp(&st);
	for (size_t i = 0; i < u.count && r >= 0; i++)
		r = fn(arg, &u.rows[i]);
	return r;
}

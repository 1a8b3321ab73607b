/* vulns_judge.c - one vulnerability and all its places: how urgent it is, and what was told of it. */
#include <errno.h>

#include "collector/store/vulns_priv.h"

void vulns_read_row(sqlite3_stmt *st, struct store_vuln *ret)
{
	*ret = (struct store_vuln){
		.row = sqlite3_column_int64(st, 0),
		.id = db_text(st, 1),
		.aliases = db_text(st, 2),
		.title = db_text(st, 3),
		.description = db_text(st, 4),
		.urls = db_text(st, 5),
		.vector = db_text(st, 6),
		.score = sqlite3_column_double(st, 7),
		.epss = sqlite3_column_double(st, 8),
		.percentile = sqlite3_column_double(st, 9),
		.is_kev = db_u64(st, 10) != 0,
		.is_ransomware = db_u64(st, 11) != 0,
		.kev_added = db_text(st, 12),
		.kev_due = db_text(st, 13),
		.published_unix_s = db_u64(st, 14),
		.modified_unix_s = db_u64(st, 15),
		.first_seen_unix_ns = db_u64(st, 16),
		.severity = (enum vuln_severity)db_u64(st, 17),
		.packages = db_text(st, 18),
		.is_fixable = db_u64(st, 19) != 0,
		.is_exposed = db_u64(st, 20) != 0,
		.is_accepted = db_u64(st, 21) != 0,
		.images = db_u64(st, 22),
		.running = db_u64(st, 23),
		.hosts = db_u64(st, 24),
		.used = (unsigned)db_u64(st, 25),
	};
}

int vulns_keep_row(struct store_vuln *row, struct arena *a, struct err *err)
{
	const char **texts[] = { &row->id,     &row->aliases,	&row->title,   &row->description, &row->urls,
				 &row->vector, &row->kev_added, &row->kev_due, &row->packages };

	if (!arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "vulnerability");
	return 0;
}

void vulns_read_place(sqlite3_stmt *st, int n, struct store_place *ret)
{
	*ret = (struct store_place){
		.image = sqlite3_column_int64(st, n),
		.image_id = db_text(st, n + 1),
		.names = db_text(st, n + 2),
		.hosts = db_u64(st, n + 3),
		.containers = db_u64(st, n + 4),
		.is_exposed = db_u64(st, n + 5) != 0,
		.ecosystem = db_text(st, n + 6),
		.package = db_text(st, n + 7),
		.version = db_text(st, n + 8),
		.arch = db_text(st, n + 9),
		.fixed = db_text(st, n + 10),
		.note = db_text(st, n + 11),
		.feed = db_text(st, n + 12),
		.record = db_text(st, n + 13),
		.severity_source = db_text(st, n + 14),
		.path = db_blob(st, n + 15),
		.layer = (unsigned)db_u64(st, n + 16),
		.severity = (enum vuln_severity)db_u64(st, n + 17),
		.status = (enum vuln_status)db_u64(st, n + 18),
		.first_seen_unix_ns = db_u64(st, n + 19),
		.used = (unsigned)db_u64(st, n + 20),
		.used_unix_ns = db_u64(st, n + 21),
		.used_agent = db_text(st, n + 22),
		.used_container = db_text(st, n + 23),
		.used_path = db_blob(st, n + 24),
	};
}

/* From the most weighing down: exploited, likely to be, used or running, exposed, severity, EPSS itself. */
int64_t vulns_rank(const struct store_vuln *v)
{
	double epss = v->epss > 1 ? 1 : v->epss > 0 ? v->epss : 0;
	int64_t tier = epss >= 0.5 ? 3 : epss >= 0.1 ? 2 : epss >= 0.01 ? 1 : 0;
	int64_t runs = !v->running ? 0 : v->used & STORE_USED_EXECUTED ? 3 : v->used ? 2 : 1;

	return (int64_t)v->is_kev << 40 | tier << 36 | runs << 32 | (int64_t)(v->running && v->is_exposed) << 28 |
	       (int64_t)v->severity << 24 | (int64_t)(epss * 100000);
}

static int one_vuln(struct store *s, sqlite3_stmt *st, struct arena *a, struct store_vuln *ret, struct err *err)
{
	int r = db_step(&s->state, st, err);

	if (r <= 0)
		return r;
	vulns_read_row(st, ret);
	r = vulns_keep_row(ret, a, err);
	return r < 0 ? r : 1;
}

int store_vuln_get(struct store *s, const char *id, struct arena *a, struct store_vuln *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " VULN_COLUMNS " FROM vuln v WHERE v.name = ?1 OR v.id IN (SELECT vuln FROM vuln_alias"
			   " WHERE alias = ?1) ORDER BY v.name <> ?1, v.rank DESC LIMIT 1",
			   B_STR(id));

	if (r >= 0)
		r = one_vuln(s, st, a, ret, err);
	if (r < 0)
		return r;
	return r ? 0 : err_set(err, ERR_NOT_FOUND, "no image here has '%.100s'", id);
}

int store_vuln_next_due(struct store *s, struct arena *a, struct store_vuln *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT " VULN_COLUMNS " FROM vuln v WHERE is_due = 1 ORDER BY rank DESC LIMIT 1",
			   NULL, 0, &st, err);

	*ret = (struct store_vuln){ 0 };
	if (r >= 0)
		r = one_vuln(s, st, a, ret, err);
	return r < 0 ? r : 0;
}

int store_vuln_hosts(struct store *s, int64_t vuln, uint64_t *ret, struct err *err)
{
	int64_t n;
	int r = DB_NUMBER(&s->state, &n, err,
			  "SELECT count(DISTINCT u.agent) FROM image_use u WHERE u.image IN (SELECT il.image FROM finding f"
			  " JOIN layer_package lp ON lp.package = f.package JOIN image_layer il ON il.layer = lp.layer"
			  " WHERE f.vuln = ? AND f.resolved = 0)",
			  B_INT(vuln));

	if (r >= 0)
		*ret = (uint64_t)n;
	return r;
}

int store_vuln_judged(struct store *s, const struct store_vuln *v, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE vuln SET severity = ?2, packages = ?3, is_fixable = ?4, is_exposed = ?5, is_accepted = ?6,"
		      " images = ?7, running = ?8, hosts = ?9, used = ?10, rank = ?11, is_due = 0 WHERE id = ?1",
		      B_INT(v->row), B_INT(v->severity), B_STR(v->packages), B_INT(v->is_fixable),
		      B_INT(v->is_exposed), B_INT(v->is_accepted), B_INT(v->images), B_INT(v->running),
		      B_INT(v->hosts), B_INT(v->used), B_INT(vulns_rank(v)));
}

int store_vuln_places(struct store *s, int64_t vuln, int64_t image, uint64_t limit,
		      int (*fn)(void *arg, const struct store_place *p), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " PLACE_COLUMNS " FROM finding f JOIN layer_package lp ON lp.package = f.package"
			   " JOIN image_layer il ON il.layer = lp.layer JOIN image i ON i.id = il.image"
			   " JOIN package p ON p.id = f.package" PLACE_JOINS
			   " WHERE f.vuln = ?1 AND f.resolved = 0 AND (f.os = 0 OR f.os = i.os) AND (?2 = 0 OR i.id = ?2)"
			   " ORDER BY i.hosts > 0 DESC, i.id, p.name, il.position LIMIT ?3",
			   B_INT(vuln), B_INT(image), B_INT(limit ? (int64_t)limit : -1));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_place p;

		vulns_read_place(st, 0, &p);
		r = fn(arg, &p);
		if (r < 0)
			return r;
	}
	return r;
}

int store_image_vulns(struct store *s, int64_t image, uint64_t from, uint64_t limit,
		      int (*fn)(void *arg, const struct store_vuln *v, const struct store_place *p), void *arg,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " VULN_COLUMNS ", " PLACE_COLUMNS " FROM image i JOIN image_layer il ON il.image = i.id"
			   " JOIN layer_package lp ON lp.layer = il.layer JOIN finding f ON f.package = lp.package"
			   " AND (f.os = 0 OR f.os = i.os) AND f.resolved = 0 JOIN vuln v ON v.id = f.vuln"
			   " JOIN package p ON p.id = f.package" PLACE_JOINS " WHERE i.id = ?1"
			   " ORDER BY v.is_kev DESC, (v.epss >= 0.5) + (v.epss >= 0.1) + (v.epss >= 0.01) DESC,"
			   " coalesce(u.how, 0) DESC, f.severity DESC, v.epss DESC, v.name, p.name, il.position"
			   " LIMIT ?2 OFFSET ?3",
			   B_INT(image), B_INT(limit), B_INT(from));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_vuln v;
		struct store_place p;

		vulns_read_row(st, &v);
		vulns_read_place(st, VULN_COLUMN_COUNT, &p);
		r = fn(arg, &v, &p);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- counts for lists of images ---- */

static int count_image(struct store *s, int64_t image, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE image SET is_counted = 1, (critical, high, medium, low, other, fixable, kev) ="
		      " (SELECT coalesce(sum(f.severity = 5), 0), coalesce(sum(f.severity = 4), 0),"
		      " coalesce(sum(f.severity = 3), 0), coalesce(sum(f.severity = 2), 0),"
		      " coalesce(sum(f.severity < 2), 0), coalesce(sum(f.fixed <> ''), 0), coalesce(sum(v.is_kev), 0)"
		      " FROM image_layer il JOIN layer_package lp ON lp.layer = il.layer JOIN finding f ON"
		      " f.package = lp.package AND (f.os = 0 OR f.os = image.os) AND f.resolved = 0"
		      " JOIN vuln v ON v.id = f.vuln WHERE il.image = ?1) WHERE id = ?1",
		      B_INT(image));
}

_Static_assert(VULN_CRITICAL == 5 && VULN_HIGH == 4 && VULN_MEDIUM == 3 && VULN_LOW == 2,
	       "count_image's numbers of severities");

int store_image_counts(struct store *s, unsigned limit, bool *ret_more, struct err *err)
{
	*ret_more = true;
	for (unsigned i = 0; i < limit; i++) {
		int64_t image;
		int r = db_number(&s->state, "SELECT id FROM image WHERE is_counted = 0 LIMIT 1", NULL, 0, &image, err);

		if (r < 0)
			return r;
		*ret_more = image != 0;
		if (!image)
			return 0;
		r = count_image(s, image, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what was told ---- */

static void read_told(sqlite3_stmt *st, struct store_told_row *ret)
{
	*ret = (struct store_told_row){ .image = sqlite3_column_int64(st, 0),
					.alert = sqlite3_column_int64(st, 1),
					.severity = (enum msg_severity)db_u64(st, 2),
					.state = (enum store_told)db_u64(st, 3),
					.use = (unsigned)db_u64(st, 4) };
}

int store_told_get(struct store *s, int64_t vuln, int64_t image, struct store_told_row *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT image, alert, severity, state, told_use FROM vuln_alert WHERE vuln = ? AND image = ?",
			   B_INT(vuln), B_INT(image));

	*ret = (struct store_told_row){ .image = image };
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r > 0)
		read_told(st, ret);
	return r < 0 ? r : 0;
}

int store_told_set(struct store *s, int64_t vuln, const struct store_told_row *row, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO vuln_alert VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT(vuln, image) DO UPDATE SET alert = ?3,"
		      " severity = ?4, state = ?5, told_use = ?6",
		      B_INT(vuln), B_INT(row->image), B_INT(row->alert), B_INT(row->severity), B_INT(row->state), B_INT(row->use));
}

int store_told_each(struct store *s, int64_t vuln, int (*fn)(void *arg, const struct store_told_row *row),
		    void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT image, alert, severity, state, told_use FROM vuln_alert WHERE vuln = ?",
			   B_INT(vuln));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_told_row row;

		read_told(st, &row);
		r = fn(arg, &row);
		if (r < 0)
			return r;
	}
	return r;
}

/* vulns.c - what the vulnerability database says of the fleet's packages, kept as findings.
 *
 * A package is matched again and again with the same answer, so everything is compared first: an import that
 * changes nothing here writes next to nothing. */
#include <errno.h>
#include <math.h>

#include "collector/store/vulns_priv.h"
#include "common/json.h"

enum { SAID_MAX = 1 << 17, TITLE_BYTES = 200, DESCRIPTION_BYTES = 4000, LIST_MAX = 32, LIST_BYTES = 64 * 1024 };

/* ---- what is due ---- */

int store_match_due(struct store *s, struct slice ecosystem, struct slice name, struct err *err)
{
	static const char *const by[] = {
		"UPDATE package_os SET is_due = 1 WHERE is_due = 0 AND package IN (SELECT id FROM package"
		" WHERE key = ?1 AND (?2 = '' OR ecosystem = ?2))",
		/* a file of the distribution's package: its ecosystem is another */
		"UPDATE package_os SET is_due = 1 WHERE is_due = 0 AND package IN (SELECT id FROM package"
		" WHERE owner = ?1 AND owner <> '' AND ?2 = ?2)",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(by) && r >= 0; i++)
		r = DB_RUN(&s->state, err, by[i], B_TEXT(name), B_TEXT(ecosystem));
	return r;
}

int store_match_all_due(struct store *s, struct err *err)
{
	return db_run(&s->state, "UPDATE package_os SET is_due = 1 WHERE is_due = 0", NULL, 0, err);
}

int store_match_is_due(struct store *s, bool *ret, struct err *err)
{
	int64_t some;
	int r = db_number(&s->state, "SELECT EXISTS (SELECT 1 FROM package_os WHERE is_due = 1)", NULL, 0, &some, err);

	if (r >= 0)
		*ret = some != 0;
	return r;
}

static struct slice keep(struct arena *a, sqlite3_stmt *st, int column, bool *ok)
{
	char *copy = arena_dup(a, slice_of(db_text(st, column)));

	*ok &= copy != NULL;
	return slice_of(copy ? copy : "");
}

static int read_packages(struct store *s, size_t limit, struct store_match *m, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	bool ok = true;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT p.id, p.ecosystem, p.name, p.version, p.arch, p.source, p.source_version, p.owner,"
			   " o.name, o.version, o.codename, o.os_like FROM package_os po INDEXED BY package_os_due JOIN package p ON"
			   " p.id = po.package JOIN os o ON o.id = po.os WHERE po.is_due = 1 AND po.os = ?"
			   " ORDER BY po.package LIMIT ?",
			   B_INT(m->os), B_INT(limit));

	while (r >= 0 && ok && (r = db_step(&s->state, st, err)) > 0) {
		struct slice t[11];

		for (int i = 0; i < 11; i++)
			t[i] = i < 7 || !m->count ? keep(m->arena, st, i + 1, &ok) : SLICE_NONE;
		if (!m->count)
			m->os_text = (struct vulndb_os){ t[7], t[8], t[9], t[10] };
		m->packages[m->count] = (struct vulndb_package){ .ecosystem = t[0],
								 .name = t[1],
								 .version = t[2],
								 .arch = t[3],
								 .source = t[4],
								 .source_version = t[5],
								 .owner = t[6] };
		m->rows[m->count++] = sqlite3_column_int64(st, 0);
	}
	return ok ? r : err_set(err, ERR_LIMIT, "packages to match");
}

int store_match_next(struct store *s, size_t limit, struct arena *a, struct store_match *ret, struct err *err)
{
	*ret = (struct store_match){ .arena = a,
				     .rows = arena_zalloc(a, limit, sizeof(*ret->rows)),
				     .packages = arena_zalloc(a, limit, sizeof(*ret->packages)) };
	if (!ret->rows || !ret->packages)
		return err_set(err, ERR_LIMIT, "packages to match");
	int r = db_number(&s->state, "SELECT coalesce((SELECT os FROM package_os WHERE is_due = 1 LIMIT 1), -1)", NULL, 0,
			  &ret->os, err);
	return r < 0 || ret->os < 0 ? r : read_packages(s, limit, ret, err);
}

/* ---- the vulnerability ---- */

static uint64_t mix(uint64_t h, struct slice s)
{
	return (h ^ slice_hash(s)) * 0x9e3779b97f4a7c15ull + s.n;
}

static int64_t digest_of(const struct vulndb_found *f)
{
	const double numbers[] = { f->cvss, f->epss, f->epss_percentile };
	const uint64_t more[] = { f->kev, f->kev_ransomware, f->published_unix_s, f->modified_unix_s };
	uint64_t h = mix(1, f->title);

	h = mix(mix(h, f->description), f->cvss_vector);
	h = mix(mix(h, f->kev_added), f->kev_due);
	for (size_t i = 0; i < f->alias_count; i++)
		h = mix(h, f->aliases[i]);
	for (size_t i = 0; i < f->url_count; i++)
		h = mix(h, f->urls[i]);
	h = mix(mix(h, slice_from(numbers, sizeof(numbers))), slice_from(more, sizeof(more)));
	return (int64_t)h;
}

static void write_list(struct buf *out, const struct slice *texts, size_t count)
{
	struct json j;

	buf_init(out, LIST_BYTES);
	json_init(&j, out);
	json_array_open(&j);
	for (size_t i = 0; i < count && i < LIST_MAX; i++)
		json_str(&j, slice_sub(texts[i], 0, 1000));
	json_array_close(&j);
}

static int put_aliases(struct store *s, int64_t vuln, const struct vulndb_found *f, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < f->alias_count && i < LIST_MAX && r >= 0; i++)
		r = DB_RUN(&s->state, err, "INSERT OR IGNORE INTO vuln_alias VALUES (?,?)",
			   B_TEXT(slice_sub(f->aliases[i], 0, LIMIT_NAME_BYTES)), B_INT(vuln));
	return r;
}

/* What a list says of it. Debian's tracker gives no titles, only descriptions. */
static struct slice title_of(const struct vulndb_found *f)
{
	struct slice t = f->title.n ? f->title : f->description;
	ptrdiff_t end = slice_find_char(t, '\n');

	t = slice_trim(slice_sub(t, 0, end < 0 ? t.n : (size_t)end));
	if (t.n <= TITLE_BYTES)
		return t;
	t.n = TITLE_BYTES;
	while (t.n && ((unsigned char)t.p[t.n] & 0xc0) == 0x80) /* between characters */
		t.n--;
	return t;
}

/* Column by column: real numbers have no bind of their own, as everything else is text or whole. */
static void print_real(char dst[32], double d)
{
	snprintf(dst, 32, "%.6g", isfinite(d) ? d : 0);
}

enum { VULN_NEW, VULN_AGAIN, VULN_MORE };

/* NEW: a row. AGAIN: first said in this generation, so it replaces what was. MORE: another advisory of the same
 * says more; the longer text stays, so that the order of advisories doesn't matter. */
static int write_vuln(struct store *s, int how, int64_t *row, const struct vulndb_found *f, uint64_t generation,
		      struct err *err)
{
	static const char *const sql[] = {
		[VULN_NEW] = "INSERT INTO vuln(name, aliases, title, description, urls, vector, score, epss, percentile,"
			     " is_kev, kev_added, kev_due, is_ransomware, published, modified, first_seen, digest,"
			     " generation, rank) VALUES (?2,?3,?4,?5,?6,?7,?8 + 0.0,?9 + 0.0,?10 + 0.0,?11,?12,?13,?14,?15,"
			     "?16,?17,?18,?19,?20)",
		[VULN_AGAIN] =
			"UPDATE vuln SET is_due = CASE WHEN is_kev <> ?11 OR epss <> ?9 + 0.0 OR score <> ?8 + 0.0 THEN 1"
			" ELSE is_due END, aliases = ?3, title = ?4, description = ?5, urls = ?6, vector = ?7,"
			" score = ?8 + 0.0, epss = ?9 + 0.0, percentile = ?10 + 0.0, is_kev = ?11, kev_added = ?12,"
			" kev_due = ?13, is_ransomware = ?14, published = ?15, modified = ?16, digest = ?18,"
			" generation = ?19 WHERE id = ?1",
		[VULN_MORE] =
			"UPDATE vuln SET aliases = CASE WHEN length(?3) > length(aliases) THEN ?3 ELSE aliases END,"
			" title = CASE WHEN length(?4) > length(title) THEN ?4 ELSE title END,"
			" description = CASE WHEN length(?5) > length(description) THEN ?5 ELSE description END,"
			" urls = CASE WHEN length(?6) > length(urls) THEN ?6 ELSE urls END,"
			" vector = CASE WHEN ?8 + 0.0 > score THEN ?7 ELSE vector END, score = max(score, ?8 + 0.0),"
			" epss = max(epss, ?9 + 0.0), percentile = max(percentile, ?10 + 0.0), is_kev = max(is_kev, ?11),"
			" kev_added = CASE WHEN ?11 THEN ?12 ELSE kev_added END,"
			" kev_due = CASE WHEN ?11 THEN ?13 ELSE kev_due END, is_ransomware = max(is_ransomware, ?14),"
			" published = CASE WHEN published = 0 THEN ?15 ELSE published END, modified = max(modified, ?16)"
			" WHERE id = ?1",
	};
	/* numbers that the statement has: the last ones are not for all */
	static const size_t given[] = { [VULN_NEW] = 20, [VULN_AGAIN] = 19, [VULN_MORE] = 16 };
	CLEANUP(buf_finip) struct buf aliases = { 0 }, urls = { 0 };
	const struct store_vuln v = { .epss = f->epss, .is_kev = f->kev, .severity = f->severity };
	char score[32], epss[32], percentile[32];

	print_real(score, f->cvss);
	print_real(epss, f->epss);
	print_real(percentile, f->epss_percentile);
	write_list(&aliases, f->aliases, f->alias_count);
	write_list(&urls, f->urls, f->url_count);
	const struct bind b[] = { B_INT(*row),
				  B_TEXT(f->id),
				  B_TEXT(buf_slice(&aliases)),
				  B_TEXT(title_of(f)),
				  B_TEXT(slice_sub(f->description, 0, DESCRIPTION_BYTES)),
				  B_TEXT(buf_slice(&urls)),
				  B_TEXT(f->cvss_vector),
				  B_STR(score),
				  B_STR(epss),
				  B_STR(percentile),
				  B_INT(f->kev),
				  B_TEXT(f->kev_added),
				  B_TEXT(f->kev_due),
				  B_INT(f->kev_ransomware),
				  B_INT(f->published_unix_s),
				  B_INT(f->modified_unix_s),
				  B_INT(clock_unix_ns(s->clk)),
				  B_INT(digest_of(f)),
				  B_INT(generation),
				  B_INT(vulns_rank(&v)) };
	int r = db_run(&s->state, sql[how], b, given[how], err);
	if (r < 0)
		return r;
	if (how == VULN_NEW)
		*row = sqlite3_last_insert_rowid(s->state.h);
	return put_aliases(s, *row, f, err);
}

/* Was this said of this vulnerability already, in this generation? A place that another took only costs
 * saying it again. */
static bool is_said(struct store *s, struct slice id, int64_t digest, uint64_t generation)
{
	uint64_t h = mix(mix(mix(generation | 1, id), slice_from(&digest, sizeof(digest))), SLICE_NONE) | 1;
	uint64_t *place = &s->said[h % ARRAY_LEN(s->said)];

	if (*place == h)
		return true;
	*place = h;
	return false;
}

static int vuln_row(struct store *s, const struct vulndb_found *f, uint64_t generation, int64_t *ret,
		    struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t digest = digest_of(f);
	int r = DB_PREPARE(&s->state, &st, err, "SELECT id, digest, generation FROM vuln WHERE name = ?",
			   B_TEXT(f->id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret = r ? sqlite3_column_int64(st, 0) : 0;
	if (!r)
		return write_vuln(s, VULN_NEW, ret, f, generation, err);
	bool is_old = db_u64(st, 2) != generation;
	if (!is_old && (sqlite3_column_int64(st, 1) == digest || is_said(s, f->id, digest, generation)))
		return 0;
	return write_vuln(s, is_old ? VULN_AGAIN : VULN_MORE, ret, f, generation, err);
}

static int vuln_due(struct store *s, int64_t vuln, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE vuln SET is_due = 1 WHERE id = ? AND is_due = 0", B_INT(vuln));
}

static int images_uncounted(struct store *s, int64_t package, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE image SET is_counted = 0, is_judged = 0 WHERE (is_counted = 1 OR is_judged = 1) AND id IN (SELECT il.image FROM"
		      " layer_package lp JOIN image_layer il ON il.layer = lp.layer WHERE lp.package = ?)",
		      B_INT(package));
}

/* ---- findings ---- */

static bool is_same(sqlite3_stmt *st, const struct vulndb_found *f)
{
	return db_u64(st, 0) == (uint64_t)f->severity && slice_is(f->fixed, db_text(st, 1)) &&
	       db_u64(st, 2) == (uint64_t)f->status && slice_is(f->status_note, db_text(st, 3)) &&
	       slice_is(f->record, db_text(st, 4)) && slice_is(f->feed, db_text(st, 5)) && !db_u64(st, 6);
}

static int put_finding(struct store *s, struct store_match *m, int64_t vuln, const struct vulndb_found *f,
		       struct err *err)
{
	const int64_t package = m->rows[m->at];
	{
		CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
		int r = DB_PREPARE(&s->state, &st, err,
				   "SELECT severity, fixed, status, note, record, feed, resolved FROM finding WHERE"
				   " package = ? AND os = ? AND vuln = ?",
				   B_INT(package), B_INT(m->os), B_INT(vuln));

		if (r >= 0)
			r = db_step(&s->state, st, err);
		if (r < 0 || (r > 0 && is_same(st, f)))
			return r < 0 ? r : 0;
	}
	int r = DB_RUN(&s->state, err,
		       "INSERT INTO finding VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,0) ON CONFLICT DO UPDATE SET"
		       " record = ?4, severity = ?5, severity_source = ?6, fixed = ?7, status = ?8, note = ?9,"
		       " feed = ?10, first_seen = CASE WHEN resolved THEN ?11 ELSE first_seen END, resolved = 0",
		       B_INT(package), B_INT(m->os), B_INT(vuln), B_TEXT(f->record), B_INT(f->severity),
		       B_TEXT(f->severity_source), B_TEXT(f->fixed), B_INT(f->status), B_TEXT(f->status_note),
		       B_TEXT(f->feed), B_INT(clock_unix_ns(s->clk)));
	m->is_changed = true;
	return r < 0 ? r : vuln_due(s, vuln, err);
}

static bool was_said(const struct store_match *m, int64_t vuln)
{
	for (size_t i = 0; i < m->said; i++)
		if (m->said_rows[i] == vuln)
			return true;
	return false;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Findings of the package that the database doesn't have any more. */
static int resolve_rest(struct store *s, struct store_match *m, struct err *err)
{
	enum { AT_ONCE = 256 };
	int64_t gone[AT_ONCE];
	const struct bind b[] = { B_INT(m->rows[m->at]), B_INT(m->os), B_INT(0), B_INT(clock_unix_ns(s->clk)) };
	size_t n;

	if (m->said > 1)
		qsort(m->said_rows, m->said, sizeof(*m->said_rows), by_number);
	do {
		n = 0;
		{
			CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
			int r = db_prepare(&s->state,
					   "SELECT vuln FROM finding WHERE package = ? AND os = ? AND resolved = 0", b, 2,
					   &st, err);

			while (r >= 0 && n < AT_ONCE && (r = db_step(&s->state, st, err)) > 0) {
				int64_t v = sqlite3_column_int64(st, 0);

				if (!(m->said && bsearch(&v, m->said_rows, m->said, sizeof(v), by_number)))
					gone[n++] = v;
			}
			if (r < 0)
				return r;
		}
		for (size_t i = 0; i < n; i++) {
			struct bind one[] = { b[0], b[1], B_INT(gone[i]), b[3] };
			int r = db_run(&s->state,
				       "UPDATE finding SET resolved = ?4 WHERE package = ?1 AND os = ?2 AND vuln = ?3", one,
				       4, err);

			if (r >= 0)
				r = vuln_due(s, gone[i], err);
			if (r < 0)
				return r;
			m->is_changed = true;
		}
	} while (n == AT_ONCE);
	return 0;
}

/* The packages before this one are answered. */
static int close_before(struct store *s, struct store_match *m, size_t package, struct err *err)
{
	for (; m->at < package; m->at++, m->said = 0, m->is_changed = false) {
		int r = resolve_rest(s, m, err);

		if (r >= 0 && m->is_changed)
			r = images_uncounted(s, m->rows[m->at], err);
		if (r >= 0)
			r = DB_RUN(&s->state, err, "UPDATE package_os SET is_due = 0 WHERE package = ? AND os = ?",
				   B_INT(m->rows[m->at]), B_INT(m->os));
		if (r < 0)
			return r;
	}
	return 0;
}

static int note_said(struct store_match *m, int64_t vuln, struct err *err)
{
	if (m->said == m->said_room) {
		size_t room = m->said_room ? 2 * m->said_room : 64;
		int64_t *more = room > SAID_MAX ? NULL : arena_zalloc(m->arena, room, sizeof(*more));

		if (!more)
			return err_set(err, ERR_LIMIT, "vulnerabilities of one package");
		if (m->said)
			memcpy(more, m->said_rows, m->said * sizeof(*more));
		m->said_rows = more;
		m->said_room = room;
	}
	m->said_rows[m->said++] = vuln;
	return 0;
}

int store_match_found(struct store *s, struct store_match *m, size_t package, const struct vulndb_found *f,
		      uint64_t generation, struct err *err)
{
	int64_t vuln;

	if (package < m->at || package >= m->count || !f->id.n || f->id.n > LIMIT_NAME_BYTES)
		return err_set(err, EINVAL, "a finding out of order, or without a name");
	int r = close_before(s, m, package, err);
	if (r >= 0)
		r = vuln_row(s, f, generation, &vuln, err);
	if (r < 0 || was_said(m, vuln))
		return r;
	r = put_finding(s, m, vuln, f, err);
	return r < 0 ? r : note_said(m, vuln, err);
}

int store_match_done(struct store *s, struct store_match *m, struct err *err)
{
	return close_before(s, m, m->count, err);
}

int store_match_skip(struct store *s, const struct store_match *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < m->count && r >= 0; i++)
		r = DB_RUN(&s->state, err, "UPDATE package_os SET is_due = 0 WHERE package = ? AND os = ?",
			   B_INT(m->rows[i]), B_INT(m->os));
	return r;
}

/* ---- what else makes a vulnerability due ---- */

int vulns_due_of_image(struct store *s, int64_t image, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE vuln SET is_due = 1 WHERE is_due = 0 AND id IN (SELECT f.vuln FROM image_layer il JOIN"
		      " layer_package lp ON lp.layer = il.layer JOIN finding f ON f.package = lp.package"
		      " WHERE il.image = ?)",
		      B_INT(image));
}

int vulns_due_of_package(struct store *s, const char *ecosystem, const char *name, const char *version,
			 struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE vuln SET is_due = 1 WHERE is_due = 0 AND id IN (SELECT f.vuln FROM package p JOIN finding f"
		      " ON f.package = p.id WHERE p.name = ? AND p.version = ? AND p.ecosystem = ?)",
		      B_STR(name), B_STR(version), B_STR(ecosystem));
}

int vulns_prune(struct store *s, int64_t bite, struct err *err)
{
	const uint64_t month_ns = 30ull * 24 * 3600 * 1000000000, now = clock_unix_ns(s->clk);
	/* judged with no place, so that its alerts are closed */
	static const char *const steps[] = {
		"DELETE FROM vuln_alias WHERE vuln IN (SELECT id FROM vuln v WHERE is_due = 0 AND images = 0 AND NOT"
		" EXISTS (SELECT 1 FROM finding f WHERE f.vuln = v.id) ORDER BY id LIMIT ?)",
		"DELETE FROM vuln_alert WHERE vuln IN (SELECT id FROM vuln v WHERE is_due = 0 AND images = 0 AND NOT"
		" EXISTS (SELECT 1 FROM finding f WHERE f.vuln = v.id) ORDER BY id LIMIT ?)",
		"DELETE FROM vuln WHERE id IN (SELECT id FROM vuln v WHERE is_due = 0 AND images = 0 AND NOT"
		" EXISTS (SELECT 1 FROM finding f WHERE f.vuln = v.id) ORDER BY id LIMIT ?)",
	};
	int r = DB_RUN(&s->state, err, "DELETE FROM finding WHERE resolved > 0 AND resolved < ?",
		       B_INT(now > month_ns ? now - month_ns : 0));

	for (size_t i = 0; i < ARRAY_LEN(steps) && r >= 0; i++)
		r = DB_RUN(&s->state, err, steps[i], B_INT(bite));
	return r;
}

/* images_query.c - images for people: one, a list by filter, what is in one, where it runs. */
#include <errno.h>

#include "collector/store/images_priv.h"
#include "collector/store/paging.h"
#include "collector/store/store_vulns.h"
#include "collector/store/terms.h"
#include "common/json.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 16, LIST_BYTES = 1024 * 1024, SHORT_ID = 12 };

static const char *const image_keys[] = { "image",   "host",	"container", "os",	 "arch", "package",
					  "running", "exposed", "known",     "newer",	 "severity", "kev",
					  "fixable", "risk", "text",	NULL };

#define COLUMNS                                                                                            \
	"i.id, i.image_id, i.sha256, i.agent, i.kind, i.arch, i.os_type, o.name, o.version, o.codename, "    \
	"i.os_title, i.names, i.digests, i.problems, i.config, i.created, i.size, i.taken, i.stored, "       \
	"i.first_seen, i.seen, i.packages, i.hosts, i.containers, i.is_exposed, i.critical, i.high, "        \
	"i.medium, i.low, i.other, i.fixable, i.kev, i.is_newer, coalesce(r.score, 0)"
#define FROM " FROM image i JOIN os o ON o.id = i.os LEFT JOIN risk_image r ON r.image = i.id"
#define RISK_FROM " FROM risk_image r JOIN image i ON i.id = r.image JOIN os o ON o.id = i.os"

static void read_row(sqlite3_stmt *st, struct store_image *ret)
{
	*ret = (struct store_image){
		.row = sqlite3_column_int64(st, 0),
		.image_id = db_text(st, 1),
		.is_known = db_blob(st, 2).n > 0,
		.agent = db_text(st, 3),
		.kind = db_text(st, 4),
		.arch = db_text(st, 5),
		.os_type = db_text(st, 6),
		.os = db_text(st, 7),
		.os_version = db_text(st, 8),
		.os_codename = db_text(st, 9),
		.os_title = db_text(st, 10),
		.names = db_text(st, 11),
		.digests = db_text(st, 12),
		.problems = db_text(st, 13),
		.config = db_blob(st, 14),
		.created_unix_s = db_u64(st, 15),
		.size_bytes = db_u64(st, 16),
		.taken_unix_s = db_u64(st, 17),
		.stored_unix_ns = db_u64(st, 18),
		.first_seen_unix_ns = db_u64(st, 19),
		.seen_unix_ns = db_u64(st, 20),
		.packages = db_u64(st, 21),
		.hosts = db_u64(st, 22),
		.containers = db_u64(st, 23),
		.is_exposed = db_u64(st, 24) != 0,
		.critical = db_u64(st, 25),
		.high = db_u64(st, 26),
		.medium = db_u64(st, 27),
		.low = db_u64(st, 28),
		.other = db_u64(st, 29),
		.fixable = db_u64(st, 30),
		.kev = db_u64(st, 31),
		.is_newer = db_u64(st, 32) != 0,
		.risk = db_u64(st, 33),
	};
}

static int keep_row(struct store_image *row, struct arena *a, struct err *err)
{
	const char **texts[] = { &row->image_id,    &row->agent,    &row->kind,	 &row->arch,	&row->os_type, &row->os,
				 &row->os_version,  &row->os_codename, &row->os_title, &row->names,
				 &row->digests, &row->problems };
	const char *config = arena_dup(a, row->config);

	if (!config || !arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "image");
	row->config = slice_from(config, row->config.n);
	return 0;
}

const char *store_image_name(struct store *s, const struct store_image *im, char *dst, size_t size)
{
	CLEANUP(cJSON_Deletep) cJSON *names = NULL;
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;

	slice_copy(slice_of(im->image_id), dst, size);
	if (json_parse(slice_of(im->names), LIST_BYTES, &names, NULL) >= 0 && cJSON_IsString(cJSON_GetArrayItem(names, 0))) {
		slice_copy(slice_of(cJSON_GetArrayItem(names, 0)->valuestring), dst, size);
	} else if (DB_PREPARE(&s->state, &st, NULL,
			      "SELECT reference FROM image_use WHERE image = ? AND reference <> '' LIMIT 1",
			      B_INT(im->row)) >= 0 &&
		   db_step(&s->state, st, NULL) > 0) {
		slice_copy(slice_of(db_text(st, 0)), dst, size);
	}
	return dst;
}

/* ---- one ---- */

/* How many rows sql has for the name, and the first one's id. */
static int find_by(struct store *s, const char *sql, const char *name, int64_t *ret, int64_t *ret_count,
		   struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, sql, B_STR(name));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret = r ? sqlite3_column_int64(st, 0) : 0;
	*ret_count = r ? sqlite3_column_int64(st, 1) : 0;
	return 0;
}

static int find_image(struct store *s, const char *name, int64_t *ret, struct err *err)
{
	static const char *const by[] = {
		"SELECT id, 1 FROM image WHERE image_id = ?",
		"SELECT image, count(DISTINCT image) FROM image_digest WHERE digest = ?",
		"SELECT min(id), count(*) FROM image WHERE length(?1) >= 12 AND (image_id GLOB 'sha256:' || ?1 || '*' OR"
		" image_id GLOB ?1 || '*') AND ?1 NOT GLOB '*[^0-9a-zA-Z:]*'",
		"SELECT id, count(*) FROM (SELECT id, hosts > 0 AS runs FROM image i WHERE EXISTS (SELECT 1 FROM"
		" json_each(i.names) n WHERE n.value = ?1) OR EXISTS (SELECT 1 FROM image_use u WHERE u.image = i.id AND"
		" u.reference = ?1))",
	};
	int64_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		int r = find_by(s, by[i], name, ret, &count, err);

		if (r < 0)
			return r;
		if (count == 1)
			return 0;
		if (count > 1)
			return err_set(err, ERR_USAGE,
				       "%lld images go by '%.100s'; name one by its id: picketctl image list image=%.60s",
				       (long long)count, name, name);
	}
	return err_set(err, ERR_NOT_FOUND, "no image '%.100s'", name);
}

static int get_row(struct store *s, int64_t row, struct arena *a, struct store_image *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT " COLUMNS FROM " WHERE i.id = ?", B_INT(row));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no image %lld", (long long)row);
	read_row(st, ret);
	return keep_row(ret, a, err);
}

int store_image_get(struct store *s, const char *name, struct arena *a, struct store_image *ret,
		    struct err *err)
{
	int64_t row;
	int r = find_image(s, name, &row, err);

	return r < 0 ? r : get_row(s, row, a, ret, err);
}

/* ---- a list ---- */

static const char *highest(const struct store_image *im)
{
	return im->critical ? "critical" : im->high ? "high" : im->medium ? "medium" : im->low ? "low" : "info";
}

static bool match_os(const struct filter_term *t, const struct store_image *im)
{
	char text[256];

	snprintf(text, sizeof(text), "%.100s %.100s", im->os, im->os_version);
	return filter_match_text(t, slice_of(strchr(t->value, ' ') ? text : im->os));
}

static int match_text(struct store *s, const struct filter_term *t, const struct store_image *im, bool *ret,
		      struct err *err)
{
	struct filter_term p = *t;

	p.op = FILTER_CONTAINS;
	p.is_negated = false;
	int r = terms_match_image(s, &p, im->row, im->image_id, im->names, ret, err);
	*ret = (*ret || filter_match_text(&p, slice_of(im->os_title))) != t->is_negated;
	return r;
}

static int match_term(struct store *s, const struct filter_term *t, const struct store_image *im, bool *ret,
		      struct err *err)
{
	const char *key = t->key ? t->key : "text";
	const struct {
		const char *key;
		bool value;
	} flags[] = { { "running", im->hosts > 0 },   { "exposed", im->is_exposed }, { "known", im->is_known },
		      { "newer", im->is_newer },      { "kev", im->kev > 0 },	     { "fixable", im->fixable > 0 } };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (!strcmp(key, flags[i].key)) {
			*ret = terms_match_flag(t, flags[i].value);
			return 0;
		}
	if (!strcmp(key, "risk")) {
		*ret = filter_match_number(t, (int64_t)im->risk);
		return 0;
	}
	if (!strcmp(key, "image"))
		return terms_match_image(s, t, im->row, im->image_id, im->names, ret, err);
	if (!strcmp(key, "host"))
		return terms_match_hosts(s, t, "SELECT agent FROM image_use WHERE image = ?", im->row, ret, err);
	if (!strcmp(key, "container"))
		return terms_match_any(s, t, "SELECT name FROM container_use WHERE image = ?", im->row, ret, err);
	if (!strcmp(key, "package"))
		return terms_match_any(s, t,
				       "SELECT DISTINCT p.name FROM image_layer il JOIN layer_package lp ON lp.layer = il.layer"
				       " JOIN package p ON p.id = lp.package WHERE il.image = ?",
				       im->row, ret, err);
	if (!strcmp(key, "text"))
		return match_text(s, t, im, ret, err);
	if (!strcmp(key, "os"))
		*ret = match_os(t, im);
	else if (!strcmp(key, "arch"))
		*ret = filter_match_text(t, slice_of(im->arch));
	else
		*ret = filter_match_text(t, slice_of(highest(im)));
	return 0;
}

struct run {
	const struct filter *filter;
	int (*fn)(void *arg, const struct store_image *im);
	void *arg;
	bool by_risk;
	int64_t at[3]; /* does it run (or its risk), when it was seen, the row: of the one we are at */
};

static int match_row(struct store *s, const struct filter *f, const struct store_image *im, struct err *err)
{
	for (size_t i = 0; i < f->count; i++) {
		bool is_met = false;
		int r = match_term(s, &f->terms[i], im, &is_met, err);

		if (r < 0 || !is_met)
			return r < 0 ? r : 0;
	}
	return 1;
}

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	struct store_image im;
	struct run *run = arg;

	read_row(st, &im);
	run->at[0] = run->by_risk ? (int64_t)im.risk : im.hosts > 0;
	run->at[1] = run->by_risk ? im.row : (int64_t)im.seen_unix_ns;
	run->at[2] = im.row;
	int met = match_row(s, run->filter, &im, err);
	int r = met > 0 ? run->fn(run->arg, &im) : met;
	return r < 0 ? r : met;
}

int store_image_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_image *im), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t at[3] = { q->by_risk ? INT64_MAX : 2, INT64_MAX, INT64_MAX };
	char kind = q->by_risk ? 'r' : 'i';
	struct filter f;

	int r = paging_filter(q, image_keys, a, &f, err);
	if (r >= 0)
		r = paging_cursor(q, kind, at, 3, err);
	if (r >= 0)
		r = DB_PREPARE(&s->state, &st, err,
			       q->by_risk ? "SELECT " COLUMNS RISK_FROM " WHERE (r.score, r.image) < (?1, ?2) AND ?3 >= 0"
					    " ORDER BY r.score DESC, r.image DESC" :
					    "SELECT " COLUMNS FROM " WHERE (i.hosts > 0, i.seen, i.id) < (?1, ?2, ?3)"
					    " ORDER BY i.hosts > 0 DESC, i.seen DESC, i.id DESC",
			       B_INT(at[0]), B_INT(at[1]), B_INT(at[2]));
	if (r < 0)
		return r;
	struct run run = { &f, fn, arg, q->by_risk, { 0 } };
	const struct paging p = { q->limit, BUDGET_EVERY, give_row, &run };
	r = paging_run(s, st, &p, err);
	if (r < 0)
		return r;
	ret_cursor[0] = 0;
	if (r)
		snprintf(ret_cursor, cursor_size, "%c%lld.%lld.%lld", kind, (long long)run.at[0], (long long)run.at[1],
			 (long long)run.at[2]);
	return 0;
}

/* ---- what is in it, where it runs ---- */

int store_image_layers(struct store *s, int64_t image, int (*fn)(void *arg, const struct store_layer *l),
		       void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT il.position, il.diff_id, il.digest, il.created_by, il.size, l.packages FROM image_layer il"
			   " JOIN layer l ON l.id = il.layer WHERE il.image = ? ORDER BY il.position",
			   B_INT(image));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_layer l = { .position = (unsigned)db_u64(st, 0),
					       .diff_id = db_text(st, 1),
					       .digest = db_text(st, 2),
					       .created_by = db_text(st, 3),
					       .size_bytes = db_u64(st, 4),
					       .packages = db_u64(st, 5) };

		r = fn(arg, &l);
		if (r < 0)
			return r;
	}
	return r;
}

int store_image_packages(struct store *s, int64_t image, uint64_t from, uint64_t limit,
			 int (*fn)(void *arg, const struct store_package *p), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT p.id, p.ecosystem, p.name, p.version, p.arch, p.source, p.source_version, p.owner,"
			   " lp.path, il.position, lp.is_dev, coalesce((SELECT max(u.how) FROM package_use u WHERE"
			   " u.image = il.image AND u.name = p.name AND u.version = p.version AND u.ecosystem = p.ecosystem), 0)"
			   " FROM image_layer il JOIN layer_package lp ON lp.layer = il.layer JOIN package p ON"
			   " p.id = lp.package WHERE il.image = ? ORDER BY p.name, il.position, p.id, lp.path LIMIT ? OFFSET ?",
			   B_INT(image), B_INT(limit), B_INT(from));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		unsigned how = (unsigned)db_u64(st, 11);
		const struct store_package p = { .row = sqlite3_column_int64(st, 0),
						 .ecosystem = db_text(st, 1),
						 .name = db_text(st, 2),
						 .version = db_text(st, 3),
						 .arch = db_text(st, 4),
						 .source = db_text(st, 5),
						 .source_version = db_text(st, 6),
						 .owner = db_text(st, 7),
						 .path = db_blob(st, 8),
						 .layer = (unsigned)db_u64(st, 9),
						 .is_dev = db_u64(st, 10) != 0,
						 .is_executed = how & STORE_USED_EXECUTED,
						 .is_loaded = how & STORE_USED_LOADED };

		r = fn(arg, &p);
		if (r < 0)
			return r;
	}
	return r;
}

int store_image_uses(struct store *s, int64_t image, uint64_t limit, int (*fn)(void *arg, const struct store_use *u),
		     void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = agents_refresh(s, err);

	if (r >= 0)
		r = DB_PREPARE(&s->state, &st, err,
			       "SELECT u.agent, u.reference, coalesce(c.container, ''), coalesce(c.name, ''),"
			       " coalesce(c.ports, '[]'), coalesce(c.started, 0) FROM image_use u LEFT JOIN container_use c ON"
			       " c.agent = u.agent AND c.image = u.image WHERE u.image = ? ORDER BY u.agent, c.name, c.container"
			       " LIMIT ?",
			       B_INT(image), B_INT(limit));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct agent_brief *a = agents_find(s, db_text(st, 0));
		const struct store_use u = { .agent = db_text(st, 0),
					     .host = a ? a->host : db_text(st, 0),
					     .reference = db_text(st, 1),
					     .container = db_text(st, 2),
					     .container_name = db_text(st, 3),
					     .ports = db_text(st, 4),
					     .started_unix_s = db_u64(st, 5) };

		r = fn(arg, &u);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- the newer image ---- */

/* A finding of the one image that the other hasn't: the vulnerability in a package of that name. */
#define FINDINGS_OF(n)                                                                                     \
	"SELECT DISTINCT f.vuln AS vuln, p.name AS name FROM image i JOIN image_layer il ON il.image = i.id" \
	" JOIN layer_package lp ON lp.layer = il.layer JOIN finding f ON f.package = lp.package AND"         \
	" (f.os = 0 OR f.os = i.os) AND f.resolved = 0 JOIN package p ON p.id = f.package WHERE i.id = " n

static int count_fixes(struct store *s, int64_t image, int64_t other, uint64_t *ret, struct err *err)
{
	int64_t n;
	int r = DB_NUMBER(&s->state, &n, err, "SELECT count(*) FROM (" FINDINGS_OF("?1") " EXCEPT " FINDINGS_OF("?2") ")",
			  B_INT(image), B_INT(other));

	*ret = r < 0 ? 0 : (uint64_t)n;
	return r;
}

int store_image_fixes(struct store *s, int64_t image, int64_t other, uint64_t limit,
		      int (*fn)(void *arg, const char *vuln, const char *package), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT v.name, x.name FROM (" FINDINGS_OF("?1") " EXCEPT " FINDINGS_OF("?2") ") x"
			   " JOIN vuln v ON v.id = x.vuln ORDER BY v.rank DESC, v.name LIMIT ?3",
			   B_INT(image), B_INT(other), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		r = fn(arg, db_text(st, 0), db_text(st, 1));
		if (r < 0)
			return r;
	}
	return r;
}

int store_image_bases(struct store *s, int64_t image, int (*fn)(void *arg, const struct store_base *b), void *arg,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT b.reference, b.running, b.current, b.error, b.checked, coalesce(n.id, 0),"
			   " coalesce(n.image_id, '') FROM base_image b LEFT JOIN image n ON n.id = (SELECT d.image FROM"
			   " image_digest d JOIN image x ON x.id = d.image WHERE d.digest = b.current AND"
			   " length(x.sha256) > 0 ORDER BY x.stored DESC LIMIT 1) WHERE b.image = ? ORDER BY b.checked DESC",
			   B_INT(image));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_base b = { .reference = db_text(st, 0),
					.running_digest = db_text(st, 1),
					.current_digest = db_text(st, 2),
					.error = db_text(st, 3),
					.checked_unix_s = db_u64(st, 4),
					.image_id = db_text(st, 6) };
		int64_t other = sqlite3_column_int64(st, 5);

		b.is_newer = b.current_digest[0] && b.running_digest[0] && strcmp(b.current_digest, b.running_digest) != 0;
		if (!b.is_newer)
			b.image_id = "";
		else if (other && other != image) {
			r = count_fixes(s, image, other, &b.fixes, err);
			if (r >= 0)
				r = count_fixes(s, other, image, &b.adds, err);
			if (r < 0)
				return r;
		}
		r = fn(arg, &b);
		if (r < 0)
			return r;
	}
	return r;
}

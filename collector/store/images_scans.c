/* images_scans.c - what an image's vulnerabilities come to, for policies that ask: the worst of those nobody accepts.
 *
 *   findings, names or acceptances of an image change -> is_judged = 0 -> the first finding, most severe first, that no
 *   acceptance covers -> image.worst; a number that rises with each change tells who asks that there is news */
#include <errno.h>

#include "collector/store/vulns_priv.h"

static const char generation_name[] = "images.scans";
static const uint64_t second_ns = 1000000000ull, seen_every_ns = 60 * 1000000000ull;

int images_unjudged(struct store *s, const char *vuln, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE image SET is_judged = 0 WHERE is_judged = 1 AND id IN (SELECT il.image FROM finding f JOIN"
		      " layer_package lp ON lp.package = f.package JOIN image_layer il ON il.layer = lp.layer WHERE"
		      " f.resolved = 0 AND f.vuln IN (SELECT id FROM vuln WHERE name = ?1 UNION SELECT vuln FROM vuln_alias"
		      " WHERE alias = ?1))",
		      B_STR(vuln));
}

/* ---- the worst ---- */

struct covering {
	const struct store_place *place;
	bool is_covered;
};

static int on_acceptance(void *arg, const struct store_acceptance *a)
{
	struct covering *c = arg;

	c->is_covered |= store_acceptance_covers(a, c->place);
	return 0;
}

static int is_accepted(struct store *s, sqlite3_stmt *st, bool *ret, struct err *err)
{
	enum { ACCEPTANCES = 1000 }; /* of one vulnerability; as many as are looked at when it is judged */
	struct store_place place;
	struct store_vuln vuln = { .row = sqlite3_column_int64(st, 1), .id = db_text(st, 2) };
	struct covering c = { .place = &place };

	vulns_read_place(st, 3, &place);
	int r = store_acceptances_each(s, &vuln, false, ACCEPTANCES, on_acceptance, &c, err);
	*ret = c.is_covered;
	return r;
}

/* *ret: the severity + 1; 0: none is open. */
static int find_worst(struct store *s, int64_t image, uint64_t *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT EXISTS (SELECT 1 FROM acceptance a WHERE a.ended = 0 AND (a.vuln = v.name OR a.vuln IN"
			   " (SELECT alias FROM vuln_alias WHERE vuln = v.id))), v.id, v.name, " PLACE_COLUMNS
			   " FROM image i JOIN image_layer il ON il.image = i.id JOIN layer_package lp ON lp.layer = il.layer"
			   " JOIN finding f ON f.package = lp.package AND (f.os = 0 OR f.os = i.os) AND f.resolved = 0"
			   " JOIN vuln v ON v.id = f.vuln JOIN package p ON p.id = f.package" PLACE_JOINS
			   " WHERE i.id = ?1 ORDER BY f.severity DESC, v.id",
			   B_INT(image));

	*ret = 0;
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		enum { SEVERITY = 3 + 17 }; /* of PLACE_COLUMNS */
		bool is_covered = false;

		if (db_u64(st, 0))
			r = is_accepted(s, st, &is_covered, err);
		if (r < 0)
			return r;
		if (is_covered)
			continue;
		*ret = db_u64(st, SEVERITY) + 1;
		return 0;
	}
	return r;
}

static int judge_image(struct store *s, int64_t image, struct err *err)
{
	uint64_t worst;
	int64_t before, at;
	int r = find_worst(s, image, &worst, err);

	if (r >= 0)
		r = DB_NUMBER(&s->state, &before, err, "SELECT worst FROM image WHERE id = ?", B_INT(image));
	if (r >= 0)
		r = DB_NUMBER(&s->state, &at, err, "SELECT worst_at FROM image WHERE id = ?", B_INT(image));
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE image SET worst = ?2, worst_at = ?3, is_judged = 1 WHERE id = ?1",
			   B_INT(image), B_INT(worst), B_INT(at ? (uint64_t)at : clock_unix_ns(s->clk)));
	return r < 0 || (at && (uint64_t)before == worst) ? r : numbers_add(s, generation_name, 1, err);
}

int store_image_scans_judge(struct store *s, unsigned limit, bool *ret_more, struct err *err)
{
	*ret_more = true;
	for (unsigned i = 0; i < limit; i++) {
		int64_t image;
		int r = db_number(&s->state, "SELECT id FROM image WHERE is_judged = 0 LIMIT 1", NULL, 0, &image, err);

		if (r < 0)
			return r;
		*ret_more = image != 0;
		if (!image)
			return 0;
		r = judge_image(s, image, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- asked ---- */

int store_image_scan_get(struct store *s, const char *image_id, struct store_image_scan *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t now = clock_unix_ns(s->clk);
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, length(sha256) > 0, worst, worst_at, seen FROM image WHERE image_id = ?", B_STR(image_id));

	*ret = (struct store_image_scan){ .worst = "" };
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	uint64_t worst = db_u64(st, 2), at = db_u64(st, 3);
	ret->is_known = db_u64(st, 1) != 0;
	ret->is_scanned = ret->is_known && at;
	ret->worst = worst ? vuln_severity_name((enum vuln_severity)(worst - 1)) : "";
	ret->scanned_unix_s = at / second_ns;
	if (now < db_u64(st, 4) + seen_every_ns)
		return 0;
	return DB_RUN(&s->state, err, "UPDATE image SET seen = ?2 WHERE id = ?1", B_INT(sqlite3_column_int64(st, 0)), B_INT(now));
}

int store_image_scans_generation(struct store *s, uint64_t *ret, struct err *err)
{
	return store_number_get(s, generation_name, ret, err);
}

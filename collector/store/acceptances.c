/* acceptances.c - vulnerabilities that a person accepts: who, why, until when. */
#include <errno.h>

#include "collector/store/vulns_priv.h"
#include "common/json.h"
#include "common/text.h"

enum { ACCEPTANCES_MAX = 10000, SHORT_ID = 12, NAMES_BYTES = 1024 * 1024 };

/* All that a change of it may concern. */
static int due(struct store *s, const char *vuln, struct err *err)
{
	int r = images_unjudged(s, vuln, err);

	return r < 0 ? r : DB_RUN(&s->state, err,
		      "UPDATE vuln SET is_due = 1 WHERE is_due = 0 AND (name = ?1 OR id IN (SELECT vuln FROM vuln_alias"
		      " WHERE alias = ?1))",
		      B_STR(vuln));
}

static int add(struct store *s, const struct store_acceptance *a, int64_t *ret_id, struct err *err)
{
	int64_t count;
	int r = db_number(&s->state, "SELECT count(*) FROM acceptance WHERE ended = 0", NULL, 0, &count, err);

	if (r < 0)
		return r;
	if (count >= ACCEPTANCES_MAX)
		return err_set(err, ERR_LIMIT, "%d acceptances are in force", ACCEPTANCES_MAX);
	r = DB_RUN(&s->state, err,
		   "INSERT INTO acceptance(vuln, image, package, reason, who, created, until) VALUES (?,?,?,?,?,?,?)",
		   B_STR(a->vuln), B_STR(a->image), B_STR(a->package), B_STR(a->reason), B_STR(a->who),
		   B_INT(clock_unix_ns(s->clk)), B_INT(a->until_unix_ns));
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(s->state.h);
	return due(s, a->vuln, err);
}

int store_acceptance_add(struct store *s, const struct store_acceptance *a, int64_t *ret_id, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, add(s, a, ret_id, err), err);
}

static int end(struct store *s, int64_t id, const char *by, struct err *err)
{
	char vuln[LIMIT_NAME_BYTES + 1];
	{
		CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
		int r = DB_PREPARE(&s->state, &st, err, "SELECT vuln FROM acceptance WHERE id = ? AND ended = 0",
				   B_INT(id));

		if (r >= 0)
			r = db_step(&s->state, st, err);
		if (r < 0)
			return r;
		if (!r)
			return err_set(err, ERR_NOT_FOUND, "no acceptance %lld is in force", (long long)id);
		slice_copy(slice_of(db_text(st, 0)), vuln, sizeof(vuln));
	}
	int r = DB_RUN(&s->state, err, "UPDATE acceptance SET ended = ?2, ended_by = ?3 WHERE id = ?1", B_INT(id),
		       B_INT(clock_unix_ns(s->clk)), B_STR(by));
	return r < 0 ? r : due(s, vuln, err);
}

int store_acceptance_end(struct store *s, int64_t id, const char *by, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, end(s, id, by, err), err);
}

static int expire(struct store *s, struct err *err)
{
	for (;;) {
		char subject[64];
		int64_t id;
		int r = DB_NUMBER(&s->state, &id, err,
				  "SELECT id FROM acceptance WHERE ended = 0 AND until <= ? LIMIT 1",
				  B_INT(clock_unix_ns(s->clk)));

		if (r < 0 || !id)
			return r;
		snprintf(subject, sizeof(subject), "acceptance %lld expired", (long long)id);
		r = end(s, id, "expired", err);
		if (r >= 0)
			r = store_audit_log(s, "picket", "vuln.accept.end", subject, err);
		if (r < 0)
			return r;
	}
}

int store_acceptances_expire(struct store *s, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, expire(s, err), err);
}

int store_acceptances_each(struct store *s, const struct store_vuln *vuln, bool is_ended, uint64_t limit,
			   int (*fn)(void *arg, const struct store_acceptance *a), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, vuln, image, package, reason, who, ended_by, created, until, ended FROM acceptance"
			   " WHERE (?1 OR (ended = 0 AND until > ?2)) AND (?3 = '' OR vuln = ?3 OR vuln IN"
			   " (SELECT alias FROM vuln_alias WHERE vuln = ?4)) ORDER BY id DESC LIMIT ?5",
			   B_INT(is_ended), B_INT(clock_unix_ns(s->clk)), B_STR(vuln ? vuln->id : ""),
			   B_INT(vuln ? vuln->row : 0), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_acceptance a = { .id = sqlite3_column_int64(st, 0),
						    .vuln = db_text(st, 1),
						    .image = db_text(st, 2),
						    .package = db_text(st, 3),
						    .reason = db_text(st, 4),
						    .who = db_text(st, 5),
						    .ended_by = db_text(st, 6),
						    .created_unix_ns = db_u64(st, 7),
						    .until_unix_ns = db_u64(st, 8),
						    .ended_unix_ns = db_u64(st, 9) };

		r = fn(arg, &a);
		if (r < 0)
			return r;
	}
	return r;
}

/* The name, with or without its tag; the tag's colon is behind the last slash. */
static bool is_name(struct slice pattern, const char *name)
{
	const char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');

	return text_glob(pattern, slice_of(name)) ||
	       (colon && text_glob(pattern, slice_from(name, (size_t)(colon - name))));
}

static bool is_image(const char *pattern, const struct store_place *p)
{
	CLEANUP(cJSON_Deletep) cJSON *names = NULL;
	struct slice want = slice_of(pattern), id = slice_of(p->image_id);
	const cJSON *item;
	ptrdiff_t colon = slice_find_char(id, ':');
	struct slice digits = slice_sub(id, (size_t)(colon + 1), id.n);

	if (!want.n || slice_eq(want, id) ||
	    (want.n >= SHORT_ID && (slice_starts(id, want) || slice_starts(digits, want))))
		return true;
	if (json_parse(slice_of(p->names), NAMES_BYTES, &names, NULL) < 0)
		return false;
	cJSON_ArrayForEach(item, names)
	{
		if (cJSON_IsString(item) && is_name(want, item->valuestring))
			return true;
	}
	return false;
}

bool store_acceptance_covers(const struct store_acceptance *a, const struct store_place *p)
{
	if (a->package[0] && !text_glob(slice_of(a->package), slice_of(p->package)))
		return false;
	return is_image(a->image, p);
}

/* waivers.c - findings that a person lives with: which, why, who says so, until when. */
#include "collector/store/checks_priv.h"

struct scope {
	int64_t id;
	char check[LIMIT_NAME_BYTES + 1], subject[LIMIT_NAME_BYTES + 1], host[LIMIT_NAME_BYTES + 1];
};

#define IN_SCOPE                                                                                                 \
	" FROM check_finding f JOIN check_subject s ON s.id = f.subject JOIN agent a ON a.id = s.agent WHERE"    \
	" f.mended = 0 AND f.waiver = ?1 AND (?2 = '' OR f.check_id GLOB ?2) AND (?3 = '' OR s.name GLOB ?3) AND" \
	" (?4 = '' OR a.host GLOB ?4)"

/* Findings that nobody waived yet and that are in its scope are its own from now on; people hear no more of them. */
static int take(struct store *s, const struct scope *w, uint64_t *ret_count, struct err *err)
{
	const struct bind b[] = { B_INT(0), B_STR(w->check), B_STR(w->subject), B_STR(w->host), B_INT(w->id),
				  B_INT(clock_unix_ns(s->clk)), B_INT(CHECKS_TOLD_FROM) };
	int r = db_run(&s->state,
		       "INSERT OR REPLACE INTO check_due SELECT DISTINCT s.agent, f.check_id, ?6" IN_SCOPE
		       " AND f.severity >= ?7 AND ?5 > 0",
		       b, 7, err);

	if (r >= 0)
		r = db_run(&s->state, "UPDATE check_finding SET waiver = ?5 WHERE id IN (SELECT f.id" IN_SCOPE ")", b, 5, err);
	if (r < 0)
		return r;
	*ret_count = (uint64_t)sqlite3_changes(s->state.h);
	r = DB_RUN(&s->state, err, "UPDATE check_finding SET rank = " CHECKS_RANK " WHERE waiver = ?", B_INT(w->id));
	if (r >= 0 && *ret_count)
		r = DB_RUN(&s->state, err, "UPDATE check_waiver SET used = 1 WHERE id = ?", B_INT(w->id));
	return r;
}

static int add(struct store *s, const struct store_waiver *w, int64_t *ret_id, struct err *err)
{
	struct scope scope = { 0 };
	uint64_t count;
	int64_t have;
	int r = db_number(&s->state, "SELECT count(*) FROM check_waiver WHERE ended = 0", NULL, 0, &have, err);

	if (r < 0)
		return r;
	if (have >= STORE_WAIVERS_MAX)
		return err_set(err, ERR_LIMIT, "%d waivers are in force", STORE_WAIVERS_MAX);
	r = DB_RUN(&s->state, err,
		   "INSERT INTO check_waiver(check_id, subject, host, reason, who, created, until) VALUES (?,?,?,?,?,?,?)",
		   B_STR(w->check), B_STR(w->subject), B_STR(w->host), B_STR(w->reason), B_STR(w->who),
		   B_INT(clock_unix_ns(s->clk)), B_INT(w->until_unix_ns));
	if (r < 0)
		return r;
	scope.id = *ret_id = sqlite3_last_insert_rowid(s->state.h);
	slice_copy(slice_of(w->check), scope.check, sizeof(scope.check));
	slice_copy(slice_of(w->subject), scope.subject, sizeof(scope.subject));
	slice_copy(slice_of(w->host), scope.host, sizeof(scope.host));
	return take(s, &scope, &count, err);
}

int store_waiver_add(struct store *s, const struct store_waiver *w, int64_t *ret_id, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, add(s, w, ret_id, err), err);
}

/* What it covered is open again, but for what another one covers. *ret_open: how many those are. */
static int end(struct store *s, int64_t id, const char *by, uint64_t *ret_open, struct err *err)
{
	int64_t other = 0, covered;
	int r = DB_RUN(&s->state, err, "UPDATE check_waiver SET ended = ?2, ended_by = ?3 WHERE id = ?1 AND ended = 0", B_INT(id),
		       B_INT(clock_unix_ns(s->clk)), B_STR(by));

	if (r >= 0 && !sqlite3_changes(s->state.h))
		return err_set(err, ERR_NOT_FOUND, "no waiver %lld is in force", (long long)id);
	if (r >= 0)
		r = DB_NUMBER(&s->state, &covered, err, "SELECT count(*) FROM check_finding WHERE waiver = ? AND mended = 0",
			      B_INT(id));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT OR REPLACE INTO check_due SELECT DISTINCT s.agent, f.check_id, ?2 FROM check_finding f JOIN"
			   " check_subject s ON s.id = f.subject WHERE f.waiver = ?1 AND f.mended = 0 AND f.severity >= ?3",
			   B_INT(id), B_INT(clock_unix_ns(s->clk)), B_INT(CHECKS_TOLD_FROM));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "UPDATE check_finding SET waiver = 0, rank = ((mended = 0) * 24 + severity) WHERE waiver = ?", B_INT(id));
	if (r < 0)
		return r;
	*ret_open = (uint64_t)covered;
	/* Few waivers overlap: each of the others takes what is its own. */
	while (r >= 0) {
		struct scope w = { 0 };
		uint64_t taken = 0;
		{
			CLEANUP(db_resetp) sqlite3_stmt *st = NULL;

			r = DB_PREPARE(&s->state, &st, err,
				       "SELECT id, check_id, subject, host FROM check_waiver WHERE ended = 0 AND until > ?1 AND id > ?2"
				       " ORDER BY id LIMIT 1",
				       B_INT(clock_unix_ns(s->clk)), B_INT(other));
			if (r >= 0)
				r = db_step(&s->state, st, err);
			if (r <= 0 || !covered)
				return r < 0 ? r : 0;
			w.id = other = sqlite3_column_int64(st, 0);
			slice_copy(slice_of(db_text(st, 1)), w.check, sizeof(w.check));
			slice_copy(slice_of(db_text(st, 2)), w.subject, sizeof(w.subject));
			slice_copy(slice_of(db_text(st, 3)), w.host, sizeof(w.host));
		}
		r = take(s, &w, &taken, err);
		*ret_open -= taken < *ret_open ? taken : *ret_open;
	}
	return r;
}

int store_waiver_end(struct store *s, int64_t id, const char *by, struct err *err)
{
	uint64_t open;
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, end(s, id, by, &open, err), err);
}

#define WAIVER_COLUMNS                                                                                          \
	"id, check_id, subject, host, reason, who, ended_by, created, until, ended, used,"                      \
	" (SELECT count(*) FROM check_finding f WHERE f.waiver = w.id AND f.mended = 0)"

static void read_row(sqlite3_stmt *st, struct store_waiver *ret)
{
	*ret = (struct store_waiver){ .id = sqlite3_column_int64(st, 0),
				      .check = db_text(st, 1),
				      .subject = db_text(st, 2),
				      .host = db_text(st, 3),
				      .reason = db_text(st, 4),
				      .who = db_text(st, 5),
				      .ended_by = db_text(st, 6),
				      .created_unix_ns = db_u64(st, 7),
				      .until_unix_ns = db_u64(st, 8),
				      .ended_unix_ns = db_u64(st, 9),
				      .was_used = db_u64(st, 10) != 0,
				      .findings = db_u64(st, 11) };
}

/* 1: one was over. */
static int expire_one(struct store *s, int (*told)(void *arg, const struct store_waiver *w), void *arg, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 * 1024);
	struct store_waiver w;
	char subject[64];

	if (!a)
		return err_set(err, ERR_LIMIT, "waivers");
	{
		CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
		const char **texts[] = { &w.check, &w.subject, &w.host, &w.reason, &w.who, &w.ended_by };
		int r = DB_PREPARE(&s->state, &st, err,
				   "SELECT " WAIVER_COLUMNS " FROM check_waiver w WHERE ended = 0 AND until <= ? LIMIT 1",
				   B_INT(clock_unix_ns(s->clk)));

		if (r >= 0)
			r = db_step(&s->state, st, err);
		if (r <= 0)
			return r;
		read_row(st, &w);
		if (!arena_keep(a, texts, ARRAY_LEN(texts)))
			return err_set(err, ERR_LIMIT, "waiver %lld", (long long)w.id);
	}
	snprintf(subject, sizeof(subject), "waiver %lld expired", (long long)w.id);
	int r = end(s, w.id, "expired", &w.findings, err);
	if (r >= 0)
		r = store_audit_log(s, "picket", "finding.waive.end", subject, err);
	if (r >= 0 && told)
		r = told(arg, &w);
	return r < 0 ? r : 1;
}

int store_waivers_expire(struct store *s, int (*told)(void *arg, const struct store_waiver *w), void *arg, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	do {
		r = expire_one(s, told, arg, err);
	} while (r > 0);
	return store_own_end(s, is_own, r, err);
}

int store_waivers_each(struct store *s, bool is_ended, uint64_t limit,
		       int (*fn)(void *arg, const struct store_waiver *w), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " WAIVER_COLUMNS " FROM check_waiver w WHERE ?1 OR ended = 0 ORDER BY id DESC LIMIT ?2",
			   B_INT(is_ended), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_waiver w;

		read_row(st, &w);
		r = fn(arg, &w);
		if (r < 0)
			return r;
	}
	return r;
}

/* checks_cases.c - one check on one host, with everything of it that people should hear of. */
#include "collector/store/checks_priv.h"

/* What runs, or is the host's own: a container that is stopped and an image that nobody runs can wait. "warn" and
 * "error" are not faults for sure. */
#define TOLD_FINDINGS                                                                                          \
	" FROM check_finding f JOIN check_subject s ON s.id = f.subject JOIN agent a ON a.id = s.agent WHERE"  \
	" s.agent = ?1 AND f.check_id = ?2 AND f.mended = 0 AND f.waiver = 0 AND f.severity >= ?3 AND"         \
	" f.status = 'fail' AND s.is_here = 1 AND a.is_revoked = 0 AND (s.kind IN ('host', 'daemon') OR"       \
	" (s.kind = 'container' AND NOT EXISTS (SELECT 1 FROM container c WHERE c.agent = s.agent AND"          \
	" c.id = s.last_id AND c.life = 2)) OR (s.kind = 'image' AND EXISTS (SELECT 1 FROM image i JOIN"        \
	" image_use u ON u.image = i.id WHERE i.image_id = s.key AND u.agent = s.agent)))"

static int dup_all(struct arena *a, const char **const *texts, size_t count, struct err *err)
{
	return arena_keep(a, texts, count) ? 0 : err_set(err, ERR_LIMIT, "a case of checks");
}

/* 1: *ret has agent and check. */
static int find_due(struct store *s, struct arena *a, struct store_check_case *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const char **texts[] = { &ret->agent, &ret->check };
	int r = DB_PREPARE(&s->state, &st, err, "SELECT agent, check_id FROM check_due WHERE at <= ? LIMIT 1",
			   B_INT(clock_unix_ns(s->clk)));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	ret->agent = db_text(st, 0);
	ret->check = db_text(st, 1);
	r = dup_all(a, texts, ARRAY_LEN(texts), err);
	return r < 0 ? r : 1;
}

static int read_told(struct store *s, struct store_check_case *c, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT alert, severity, state, newest FROM check_alert WHERE agent = ? AND check_id = ?",
			   B_STR(c->agent), B_STR(c->check));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	c->alert = sqlite3_column_int64(st, 0);
	c->told_severity = (enum msg_severity)db_u64(st, 1);
	c->told_state = (enum store_check_told)db_u64(st, 2);
	c->told_newest = sqlite3_column_int64(st, 3);
	return 0;
}

static int read_sums(struct store *s, struct store_check_case *c, struct arena *a, char catalogue[65], struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	/* newest: rises with every new finding and every one that is back */
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT count(*), coalesce(max(f.severity), 0), coalesce(max(f.opened), 0), coalesce(max(f.catalogue), ''),"
			   " coalesce((SELECT host FROM agent WHERE id = ?1), '')" TOLD_FINDINGS,
			   B_STR(c->agent), B_STR(c->check), B_INT(CHECKS_TOLD_FROM));
	const char **texts[] = { &c->host };

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	c->count = db_u64(st, 0);
	c->severity = (enum msg_severity)db_u64(st, 1);
	c->newest = sqlite3_column_int64(st, 2);
	(void)slice_copy(slice_of(db_text(st, 3)), catalogue, 65);
	c->host = db_text(st, 4);
	return dup_all(a, texts, 1, err);
}

static int read_subjects(struct store *s, struct store_check_case *c, struct arena *a, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT s.kind, s.name, s.last_id, s.image, f.evidence, f.fix, f.id, f.severity" TOLD_FINDINGS
			   " ORDER BY f.severity DESC, f.opened DESC, f.id DESC LIMIT ?4",
			   B_STR(c->agent), B_STR(c->check), B_INT(CHECKS_TOLD_FROM), B_INT(STORE_CASE_SUBJECTS));

	while (r >= 0 && c->subject_count < STORE_CASE_SUBJECTS && (r = db_step(&s->state, st, err)) > 0) {
		struct store_case_subject *x = &c->subjects[c->subject_count++];
		const char **texts[] = { &x->kind, &x->name, &x->id, &x->image, &x->evidence, &x->fix };

		for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
			*texts[i] = db_text(st, i);
		x->finding = sqlite3_column_int64(st, 6);
		x->severity = (enum msg_severity)db_u64(st, 7);
		r = dup_all(a, texts, ARRAY_LEN(texts), err);
	}
	return r < 0 ? r : 0;
}

/* Of what was open and is not any more: waived, mended, or its subject no longer runs. */
static int read_why_over(struct store *s, struct store_check_case *c, uint64_t *ret_since, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT coalesce(max(f.mended), 0), coalesce(max(f.mended = 0 AND f.waiver > 0), 0),"
			   " coalesce(max(f.mended = 0 AND f.waiver = 0 AND f.severity >= ?3 AND f.status = 'fail'), 0),"
			   " coalesce(max(c.life_at), 0) FROM check_finding f JOIN check_subject s ON s.id = f.subject LEFT JOIN"
			   " container c ON c.agent = s.agent AND c.id = s.last_id WHERE s.agent = ?1 AND f.check_id = ?2",
			   B_STR(c->agent), B_STR(c->check), B_INT(CHECKS_TOLD_FROM));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	bool is_waived = db_u64(st, 1) != 0, is_stopped = db_u64(st, 2) != 0;
	*ret_since = is_waived ? 0 : db_u64(st, is_stopped ? 3 : 0);
	c->why_over = is_waived ? "waived" : is_stopped ? "nothing that runs has it" : "mended";
	return 0;
}

static int undue(struct store *s, const struct store_check_case *c, struct err *err)
{
	return DB_RUN(&s->state, err, "DELETE FROM check_due WHERE agent = ? AND check_id = ?", B_STR(c->agent),
		      B_STR(c->check));
}

/* 1: it is left for later, as a successor may come at once. */
static int waits(struct store *s, struct store_check_case *c, uint64_t grace_ns, struct err *err)
{
	uint64_t since = 0, now = clock_unix_ns(s->clk);
	int r = read_why_over(s, c, &since, err);

	if (r < 0 || since + grace_ns <= now)
		return r;
	r = DB_RUN(&s->state, err, "UPDATE check_due SET at = ?3 WHERE agent = ?1 AND check_id = ?2", B_STR(c->agent),
		   B_STR(c->check), B_INT(since + grace_ns));
	return r < 0 ? r : 1;
}

int store_check_case_next(struct store *s, uint64_t grace_ns, struct arena *a, struct store_check_case *ret, struct err *err)
{
	for (;;) {
		char catalogue[65] = "";

		*ret = (struct store_check_case){ .why_over = "" };
		int r = find_due(s, a, ret, err);
		if (r <= 0)
			return r;
		r = read_told(s, ret, err);
		if (r >= 0)
			r = read_sums(s, ret, a, catalogue, err);
		if (r < 0)
			return r;
		if (!ret->count) {
			r = ret->told_state == CHECK_TOLD || ret->told_state == CHECK_WITHHELD ? waits(s, ret, grace_ns, err) :
											       undue(s, ret, err);
			if (r < 0)
				return r;
			if (r > 0 || (ret->told_state != CHECK_TOLD && ret->told_state != CHECK_WITHHELD))
				continue;
		} else {
			r = read_subjects(s, ret, a, err);
		}
		if (r >= 0)
			r = store_check_get(s, catalogue, ret->check, a, &ret->text, err);
		return r < 0 ? r : 1;
	}
}

int store_check_case_done(struct store *s, const struct store_check_case *c, struct err *err)
{
	int r = undue(s, c, err);

	return r < 0 ? r :
		       DB_RUN(&s->state, err, "INSERT OR REPLACE INTO check_alert VALUES (?,?,?,?,?,?)", B_STR(c->agent),
			      B_STR(c->check), B_INT(c->alert), B_INT(c->told_severity), B_INT(c->told_state),
			      B_INT(c->told_newest));
}

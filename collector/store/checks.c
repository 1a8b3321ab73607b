/* checks.c - reports of checks become findings: new, still there, mended, back again.
 *
 *   report -> its subject's row -> each result: a row -> what the report did not name is mended
 *             -> (host, check) of what is grave is due: people may have to hear of it
 *
 * A report's number on every row it named tells what it did not name. */
#include "collector/store/checks_priv.h"

#include "common/text.h"

enum { KEY_BYTES = 1024 };

/* ---- words ---- */

static const char *const severities[] = { "info", "low", "medium", "high", "critical" };

enum msg_severity checks_severity(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(severities); i++)
		if (!strcmp(severities[i], word))
			return (enum msg_severity)i;
	return SEVERITY_INFO; /* of a newer agent: the mildest */
}

/* Up to a NUL: what stands behind it would be seen by some readers only. */
static struct slice text_of(ProtobufCBinaryData d)
{
	struct slice s = msg_slice(d);
	ptrdiff_t end = slice_find_char(s, 0);

	return end < 0 ? s : slice_sub(s, 0, (size_t)end);
}

/* "registry:5000/team/app:1.2@sha256:…" -> "registry:5000/team/app" */
static struct slice repository_of(struct slice image)
{
	ptrdiff_t at = slice_find_char(image, '@');
	size_t end = at < 0 ? image.n : (size_t)at;

	for (size_t i = end; i > 0 && image.p[i - 1] != '/'; i--)
		if (image.p[i - 1] == ':')
			end = i - 1;
	return slice_sub(image, 0, end);
}

/* What findings of its successors are told by. A name has no blank. */
static void key_of(const Picket__AuditReport *m, char dst[KEY_BYTES])
{
	struct slice name = text_of(m->subject_name), image = text_of(m->image);

	if (!strcmp(m->subject, "container") && name.n) {
		image = repository_of(image);
		snprintf(dst, KEY_BYTES, "%.*s %.*s", SLICE_FMT(slice_sub(name, 0, 256)), SLICE_FMT(slice_sub(image, 0, 512)));
		return;
	}
	snprintf(dst, KEY_BYTES, "%s", m->subject_id);
}

/* ---- how many a host has ---- */

struct counts {
	int64_t subjects, findings;
};

static int read_counts(struct store *s, const char *agent, struct counts *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT subjects, findings FROM check_count WHERE agent = ?", B_STR(agent));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret = (struct counts){ r ? sqlite3_column_int64(st, 0) : 0, r ? sqlite3_column_int64(st, 1) : 0 };
	return 0;
}

static int write_counts(struct store *s, const char *agent, const struct counts *c, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO check_count VALUES (?1, ?2, ?3) ON CONFLICT(agent) DO UPDATE SET subjects = ?2, findings = ?3",
		      B_STR(agent), B_INT(c->subjects), B_INT(c->findings));
}

/* Forgets the finding of the host that was mended first. false: none was. */
static int forget_finding(struct store *s, const char *agent, struct counts *c, struct err *err)
{
	int64_t id;
	int r = DB_NUMBER(&s->state, &id, err,
			  "SELECT f.id FROM check_finding f JOIN check_subject s ON s.id = f.subject WHERE s.agent = ?"
			  " AND f.mended > 0 ORDER BY f.mended LIMIT 1",
			  B_STR(agent));

	if (r < 0 || !id)
		return r;
	r = DB_RUN(&s->state, err, "DELETE FROM check_finding WHERE id = ?", B_INT(id));
	c->findings -= r >= 0;
	return r < 0 ? r : 1;
}

/* The subject that went first, with its findings. */
static int forget_subject(struct store *s, const char *agent, struct counts *c, struct err *err)
{
	int64_t id;
	int r = DB_NUMBER(&s->state, &id, err,
			  "SELECT id FROM check_subject WHERE agent = ? AND is_here = 0 ORDER BY seen LIMIT 1", B_STR(agent));

	if (r < 0 || !id)
		return r;
	r = DB_RUN(&s->state, err, "DELETE FROM check_finding WHERE subject = ?", B_INT(id));
	if (r < 0)
		return r;
	c->findings -= sqlite3_changes(s->state.h);
	r = DB_RUN(&s->state, err, "DELETE FROM check_subject WHERE id = ?", B_INT(id));
	c->subjects -= r >= 0;
	return r < 0 ? r : 1;
}

/* ---- one report ---- */

struct put {
	struct store *s;
	const char *agent;
	char host[STORE_NAME_MAX];
	const Picket__AuditReport *m;
	uint64_t now;
	int64_t subject, report;
	struct counts counts;
	struct store_report *out;
};

int checks_due(struct store *s, const char *agent, const char *check, struct err *err)
{
	return DB_RUN(&s->state, err, "INSERT OR REPLACE INTO check_due VALUES (?, ?, ?)", B_STR(agent), B_STR(check),
		      B_INT(clock_unix_ns(s->clk)));
}

int checks_due_of_subject(struct store *s, int64_t subject, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT OR REPLACE INTO check_due SELECT DISTINCT s.agent, f.check_id, ?2 FROM check_finding f"
		      " JOIN check_subject s ON s.id = f.subject WHERE f.subject = ?1 AND f.severity >= ?3",
		      B_INT(subject), B_INT(clock_unix_ns(s->clk)), B_INT(CHECKS_TOLD_FROM));
}

static int rank_subject(struct put *p, struct err *err)
{
	return DB_RUN(&p->s->state, err, "UPDATE check_finding SET rank = " CHECKS_RANK " WHERE subject = ?", B_INT(p->subject));
}

/* 0 and subject 0: the host has too many. */
static int find_subject(struct put *p, const char *key, char last_id[LIMIT_NAME_BYTES + 1], struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&p->s->state, &st, err,
			   "SELECT id, last_id, report FROM check_subject WHERE agent = ? AND kind = ? AND key = ?",
			   B_STR(p->agent), B_STR(p->m->subject), B_STR(key));

	last_id[0] = 0;
	p->subject = p->report = 0;
	if (r >= 0)
		r = db_step(&p->s->state, st, err);
	if (r <= 0)
		return r;
	p->subject = sqlite3_column_int64(st, 0);
	(void)slice_copy(slice_of(db_text(st, 1)), last_id, LIMIT_NAME_BYTES + 1);
	p->report = sqlite3_column_int64(st, 2);
	return 0;
}

static int put_subject(struct put *p, const char *key, struct err *err)
{
	const Picket__AuditReport *m = p->m;
	struct slice name = text_of(m->subject_name);
	int r = 0;

	if (!p->subject) {
		if (p->counts.subjects >= STORE_SUBJECTS_MAX)
			r = forget_subject(p->s, p->agent, &p->counts, err);
		if (r < 0 || p->counts.subjects >= STORE_SUBJECTS_MAX)
			return r;
		r = DB_RUN(&p->s->state, err,
			   "INSERT INTO check_subject(agent, kind, key, name, image, image_id, last_id, is_here, seen)"
			   " VALUES (?,?,?,'','','','',1,0)",
			   B_STR(p->agent), B_STR(m->subject), B_STR(key));
		if (r < 0)
			return r;
		p->subject = sqlite3_last_insert_rowid(p->s->state.h);
		p->counts.subjects++;
	}
	p->report++;
	return DB_RUN(&p->s->state, err,
		      "UPDATE check_subject SET name = ?2, image = ?3, image_id = ?4, last_id = ?5, is_here = 1, seen = ?6,"
		      " passed = ?7, report = ?8 WHERE id = ?1",
		      B_INT(p->subject), B_TEXT(name.n ? name : slice_of(m->subject_id)), B_TEXT(text_of(m->image)),
		      B_STR(m->image_id), B_STR(m->subject_id), B_INT(p->now), B_INT(m->n_passed), B_INT(p->report));
}

int checks_find_waiver(struct store *s, const char *check, struct slice name, const char *host, int64_t *ret,
		       struct err *err)
{
	return DB_NUMBER(&s->state, ret, err,
			 "SELECT id FROM check_waiver WHERE ended = 0 AND until > ?1 AND (check_id = '' OR ?2 GLOB check_id)"
			 " AND (subject = '' OR ?3 GLOB subject) AND (host = '' OR ?4 GLOB host) ORDER BY until DESC LIMIT 1",
			 B_INT(clock_unix_ns(s->clk)), B_STR(check), B_TEXT(name), B_STR(host));
}

/* It was not there, or had been mended. */
static int open_finding(struct put *p, const Picket__AuditResult *x, int64_t old, struct err *err)
{
	struct slice name = text_of(p->m->subject_name);
	int64_t waiver;
	int r = checks_find_waiver(p->s, x->check_id, name.n ? name : slice_of(p->m->subject_id), p->host, &waiver, err);

	if (r >= 0 && waiver)
		r = DB_RUN(&p->s->state, err, "UPDATE check_waiver SET used = 1 WHERE id = ? AND used = 0", B_INT(waiver));
	if (r >= 0 && !old && p->counts.findings >= STORE_CHECK_FINDINGS_MAX)
		r = forget_finding(p->s, p->agent, &p->counts, err);
	if (r < 0)
		return r;
	if (!old && p->counts.findings >= STORE_CHECK_FINDINGS_MAX) {
		p->out->refused++;
		return 0;
	}
	if (old) {
		p->out->reopened++;
		return DB_RUN(&p->s->state, err,
			      "UPDATE check_finding SET mended = 0, mended_why = '', state = 2, reopened = reopened + 1,"
			      " opened = ?2, last_seen = ?2, waiver = ?3, report = ?4, catalogue = ?5, status = ?6, severity = ?7,"
			      " evidence = ?8, fix = ?9, differs = ?10 WHERE id = ?1",
			      B_INT(old), B_INT(p->now), B_INT(waiver), B_INT(p->report), B_STR(p->m->catalogue),
			      B_STR(x->status), B_INT(checks_severity(x->severity)), B_TEXT(text_of(x->evidence)),
			      B_TEXT(text_of(x->fix)), B_INT(x->differs));
	}
	p->counts.findings++;
	p->out->appeared++;
	return DB_RUN(&p->s->state, err,
		      "INSERT INTO check_finding(subject, check_id, catalogue, status, severity, evidence, fix, differs, trigger,"
		      " first_seen, opened, last_seen, waiver, report) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?10,?10,?11,?12)",
		      B_INT(p->subject), B_STR(x->check_id), B_STR(p->m->catalogue), B_STR(x->status),
		      B_INT(checks_severity(x->severity)), B_TEXT(text_of(x->evidence)), B_TEXT(text_of(x->fix)),
		      B_INT(x->differs), B_STR(p->m->trigger), B_INT(p->now), B_INT(waiver), B_INT(p->report));
}

static int put_result(struct put *p, const Picket__AuditResult *x, struct err *err)
{
	enum msg_severity severity = checks_severity(x->severity), before = SEVERITY_INFO;
	bool is_error = !strcmp(x->status, "error"), is_open, was_named;
	int64_t old = 0;
	int r;

	if (!strcmp(x->status, "na") || !strcmp(x->status, "pass"))
		return 0; /* no finding; what was one is mended */
	{
		CLEANUP(db_resetp) sqlite3_stmt *st = NULL;

		r = DB_PREPARE(&p->s->state, &st, err,
			       "SELECT id, mended, severity, report FROM check_finding WHERE subject = ? AND check_id = ?",
			       B_INT(p->subject), B_STR(x->check_id));
		if (r >= 0)
			r = db_step(&p->s->state, st, err);
		if (r < 0)
			return r;
		old = r ? sqlite3_column_int64(st, 0) : 0;
		is_open = r && !db_u64(st, 1);
		before = r ? (enum msg_severity)db_u64(st, 2) : SEVERITY_INFO;
		was_named = r && sqlite3_column_int64(st, 3) == p->report;
	}
	if (is_open && was_named)
		return 0; /* twice in one report: the first word counts */
	if (is_open && is_error) /* what can't be told mends nothing */
		return DB_RUN(&p->s->state, err, "UPDATE check_finding SET report = ?2 WHERE id = ?1", B_INT(old),
			      B_INT(p->report));
	if (!is_open) {
		r = open_finding(p, x, old, err);
	} else {
		p->out->still++;
		r = DB_RUN(&p->s->state, err,
			   "UPDATE check_finding SET state = 1, last_seen = ?2, report = ?3, catalogue = ?4, status = ?5,"
			   " severity = ?6, evidence = ?7, fix = ?8, differs = ?9 WHERE id = ?1",
			   B_INT(old), B_INT(p->now), B_INT(p->report), B_STR(p->m->catalogue), B_STR(x->status),
			   B_INT(severity), B_TEXT(text_of(x->evidence)), B_TEXT(text_of(x->fix)), B_INT(x->differs));
	}
	if (r >= 0 && ((severity > before ? severity : before) >= CHECKS_TOLD_FROM))
		r = checks_due(p->s, p->agent, x->check_id, err);
	return r;
}

/* Those that the report did not name; all of them where the subject is gone. */
static int mend_rest(struct put *p, const char *why, struct err *err)
{
	const struct bind b[] = { B_INT(p->subject), B_INT(p->report), B_INT(p->now), B_STR(why), B_INT(CHECKS_TOLD_FROM),
				  B_STR(p->agent), B_INT(clock_unix_ns(p->s->clk)) };
	int r = db_run(&p->s->state,
		       "INSERT OR REPLACE INTO check_due SELECT ?6, check_id, ?7 FROM check_finding WHERE subject = ?1 AND"
		       " mended = 0 AND report <> ?2 AND severity >= ?5",
		       b, 7, err);

	if (r >= 0)
		r = db_run(&p->s->state,
			   "UPDATE check_finding SET mended = ?3, mended_why = ?4 WHERE subject = ?1 AND mended = 0 AND"
			   " report <> ?2",
			   b, 4, err);
	if (r >= 0)
		p->out->mended += (uint32_t)sqlite3_changes(p->s->state.h);
	return r;
}

static int put_gone(struct put *p, const char *last_id, struct err *err)
{
	/* Its successor may have been told of before its end was. */
	if (!p->subject || (!strcmp(p->m->subject, "container") && strcmp(last_id, p->m->subject_id) != 0))
		return 0;
	p->report++;
	int r = DB_RUN(&p->s->state, err, "UPDATE check_subject SET is_here = 0, seen = ?2, report = ?3 WHERE id = ?1",
		       B_INT(p->subject), B_INT(p->now), B_INT(p->report));
	if (r >= 0)
		r = mend_rest(p, "it is gone", err);
	return r < 0 ? r : rank_subject(p, err);
}

static int put(struct put *p, struct err *err)
{
	char key[KEY_BYTES], last_id[LIMIT_NAME_BYTES + 1];
	int r = store_agent_host(p->s, p->agent, p->host, err);

	key_of(p->m, key);
	if (r >= 0)
		r = read_counts(p->s, p->agent, &p->counts, err);
	if (r >= 0)
		r = find_subject(p, key, last_id, err);
	if (r < 0)
		return r;
	if (p->m->is_gone)
		return put_gone(p, last_id, err);
	r = put_subject(p, key, err);
	if (r < 0)
		return r;
	if (!p->subject) {
		p->out->refused += (uint32_t)p->m->n_results;
		return 0;
	}
	for (size_t i = 0; i < p->m->n_results && i < LIMIT_CHECKS && r >= 0; i++)
		r = put_result(p, p->m->results[i], err);
	if (r >= 0)
		r = mend_rest(p, "it is no longer so", err);
	if (r >= 0)
		r = rank_subject(p, err);
	if (r >= 0)
		r = DB_RUN(&p->s->state, err, "UPDATE agent SET catalogue = ?2 WHERE id = ?1 AND catalogue <> ?2",
			   B_STR(p->agent), B_STR(p->m->catalogue));
	return r < 0 ? r : write_counts(p->s, p->agent, &p->counts, err);
}

int store_report_put(struct store *s, const char *agent, uint64_t time_unix_ns, const Picket__AuditReport *m,
		     struct store_report *ret, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	struct put p = { .s = s, .agent = agent, .m = m, .now = time_unix_ns && time_unix_ns < now ? time_unix_ns : now,
			 .out = ret };
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	*ret = (struct store_report){ 0 };
	return r < 0 ? r : store_own_end(s, is_own, put(&p, err), err);
}

/* ---- tidying ---- */

static int mend_where(struct store *s, const char *due_sql, const char *mend_sql, const struct bind *b, size_t count,
		      struct err *err)
{
	int r = db_run(&s->state, due_sql, b, count, err);

	return r < 0 ? r : db_run(&s->state, mend_sql, b, count, err);
}

/* Hosts whose word no longer counts: revoked, silent for long, or enrolled anew under another identity. */
#define GONE_SUBJECTS                                                                                              \
	"(SELECT s.id FROM check_subject s JOIN agent a ON a.id = s.agent WHERE s.is_here = 1 AND (a.is_revoked = 1 OR" \
	" (a.last_seen > 0 AND a.last_seen < ?3) OR EXISTS (SELECT 1 FROM agent b WHERE b.machine_id = a.machine_id AND" \
	" b.machine_id <> '' AND b.id <> a.id AND b.enrolled > a.enrolled AND b.last_seen > a.last_seen AND"       \
	" b.is_revoked = 0)))"

static int tidy(struct store *s, uint64_t quiet_ns, uint64_t keep_ns, struct err *err)
{
	enum { BITE = 2000 };
	uint64_t now = clock_unix_ns(s->clk);
	const struct bind b[] = { B_INT(now), B_INT(CHECKS_TOLD_FROM), B_INT(now > quiet_ns ? now - quiet_ns : 0) };
	const struct bind old[] = { B_INT(now > keep_ns ? now - keep_ns : 0), B_INT(BITE) };
	int r = mend_where(s,
			   "INSERT OR REPLACE INTO check_due SELECT s.agent, f.check_id, ?1 FROM check_finding f JOIN"
			   " check_subject s ON s.id = f.subject WHERE f.mended = 0 AND f.severity >= ?2 AND f.subject IN " GONE_SUBJECTS,
			   "UPDATE check_finding SET mended = ?1, mended_why = 'its host is gone',"
			   " rank = severity WHERE mended = 0 AND subject IN " GONE_SUBJECTS,
			   b, 3, err);

	if (r >= 0)
		r = db_run(&s->state, "UPDATE check_subject SET is_here = 0, seen = ?1 WHERE id IN " GONE_SUBJECTS, b, 3, err);
	if (r >= 0)
		r = db_run(&s->state,
			   "DELETE FROM check_finding WHERE id IN (SELECT id FROM check_finding WHERE mended > 0 AND mended < ?1"
			   " LIMIT ?2)",
			   old, 2, err);
	if (r >= 0)
		r = db_run(&s->state,
			   "DELETE FROM check_subject WHERE id IN (SELECT id FROM check_subject s WHERE is_here = 0 AND seen < ?1 AND"
			   " NOT EXISTS (SELECT 1 FROM check_finding f WHERE f.subject = s.id) LIMIT ?2)",
			   old, 2, err);
	if (r >= 0)
		r = db_run(&s->state,
			   "UPDATE check_count SET subjects = (SELECT count(*) FROM check_subject s WHERE s.agent = check_count.agent),"
			   " findings = (SELECT count(*) FROM check_finding f JOIN check_subject s ON s.id = f.subject WHERE"
			   " s.agent = check_count.agent)",
			   NULL, 0, err);
	if (r >= 0)
		r = DB_RUN(&s->state, err, "DELETE FROM check_waiver WHERE ended > 0 AND ended < ?", old[0]);
	return r;
}

int store_checks_tidy(struct store *s, uint64_t quiet_ns, uint64_t keep_ns, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, tidy(s, quiet_ns, keep_ns, err), err);
}

/* ---- catalogues ---- */

int store_catalogue_is_known(struct store *s, const char *agent, const char *key, bool *ret, struct err *err)
{
	int64_t n;
	int r = DB_NUMBER(&s->state, &n, err, "SELECT count(*) FROM check_catalogue WHERE key = ?", B_STR(key));

	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE agent SET catalogue = ?2 WHERE id = ?1 AND catalogue <> ?2", B_STR(agent),
			   B_STR(key));
	*ret = r >= 0 && n > 0;
	return r;
}

/* What this agent brought before and nobody else speaks of goes, but for the newest. */
static int drop_catalogues(struct store *s, const char *agent, struct err *err)
{
	const struct bind b[] = { B_STR(agent), B_INT(STORE_CATALOGUES_MAX) };
#define OLD_CATALOGUES                                                                                         \
	"(SELECT key FROM check_catalogue c WHERE c.agent = ?1 AND NOT EXISTS (SELECT 1 FROM agent a WHERE a.catalogue =" \
	" c.key AND a.id <> ?1 AND a.is_revoked = 0) ORDER BY c.stored DESC, c.key LIMIT -1 OFFSET ?2)"
	int r = db_run(&s->state, "DELETE FROM check_text WHERE catalogue IN " OLD_CATALOGUES, b, 2, err);

	return r < 0 ? r : db_run(&s->state, "DELETE FROM check_catalogue WHERE key IN " OLD_CATALOGUES, b, 2, err);
}

static int put_catalogue(struct store *s, const char *agent, const Picket__CheckCatalogue *c, struct err *err)
{
	int r = DB_RUN(&s->state, err, "INSERT OR REPLACE INTO check_catalogue VALUES (?, ?, ?)", B_STR(c->key), B_STR(agent),
		       B_INT(clock_unix_ns(s->clk)));

	for (size_t i = 0; i < c->n_checks && i < LIMIT_CHECKS && r >= 0; i++) {
		const Picket__Check *x = c->checks[i];

		r = DB_RUN(&s->state, err, "INSERT OR REPLACE INTO check_text VALUES (?,?,?,?,?,?,?,?,?)", B_STR(c->key),
			   B_STR(x->id), B_STR(x->title), B_STR(x->subject), B_INT(checks_severity(x->severity)), B_STR(x->cis),
			   B_STR(x->mitre), B_STR(x->why), B_STR(x->fix));
	}
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE agent SET catalogue = ?2 WHERE id = ?1", B_STR(agent), B_STR(c->key));
	return r < 0 ? r : drop_catalogues(s, agent, err);
}

int store_catalogue_put(struct store *s, const char *agent, const Picket__CheckCatalogue *c, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, put_catalogue(s, agent, c, err), err);
}

int store_check_get(struct store *s, const char *catalogue, const char *id, struct arena *a, struct store_check *ret,
		    struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, title, subject, cis, mitre, why, fix, severity FROM check_text WHERE catalogue = ? AND id = ?",
			   B_STR(catalogue), B_STR(id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	const char **texts[] = { &ret->id, &ret->title, &ret->subject, &ret->cis, &ret->mitre, &ret->why, &ret->fix };
	for (int i = 0; i < (int)ARRAY_LEN(texts); i++) {
		*texts[i] = arena_dup(a, slice_of(r ? db_text(st, i) : i ? "" : id));
		if (!*texts[i])
			return err_set(err, ERR_LIMIT, "check '%.64s'", id);
	}
	ret->severity = r ? (enum msg_severity)db_u64(st, 7) : SEVERITY_INFO;
	return 0;
}

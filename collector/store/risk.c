/* risk.c - see store_risk.h.
 *
 *   image:     vulnerabilities ----------------------+--> score = vulns + exposure + the worst container's own
 *                                                    |
 *   container: configuration, alerts = own ----------+--> score = own + exposure + the image's vulns
 *
 * A part that changes makes the other side due; no part is made of the other, so it comes to rest. */
#include <errno.h>
#include <inttypes.h>

#include "collector/store/risk_score.h"
#include "collector/store/store_priv.h"
#include "collector/store/store_risk.h"
#include "collector/store/store_vulns.h"
#include "common/json.h"

enum { VULNS_LOOKED_AT = 200, ALERTS_LOOKED_AT = 50, REASONS_BYTES = 32 * 1024, EXPOSED_POINTS = 5, SCORE_MAX = 100 };
static const uint64_t alerts_ns = 14ull * 24 * 3600 * 1000000000, day_ns = 24ull * 3600 * 1000000000,
		      fading_ns = 6ull * 3600 * 1000000000;

struct due {
	char agent[64], container[LIMIT_NAME_BYTES + 1];
	int64_t image;
};

/* ---- vulnerabilities of an image ---- */

struct looking {
	struct store *store;
	struct risk_part *part;
	bool is_used_known;
	char last[64]; /* one vulnerability counts once, whatever the number of packages; they come in its order */
	struct err *err;
};

struct coverage {
	const struct store_place *place;
	bool is_covered;
};
static int on_acceptance(void *arg, const struct store_acceptance *a)
{
	struct coverage *c = arg;

	c->is_covered |= store_acceptance_covers(a, c->place);
	return 0;
}

static int on_vuln(void *arg, const struct store_vuln *v, const struct store_place *p)
{
	struct looking *l = arg;
	struct coverage c = { p, v->is_accepted };
	char text[RISK_TEXT_BYTES], epss[24] = "";
	const struct risk_vuln x = { .severity = p->severity,
				     .is_kev = v->is_kev,
				     .epss = v->epss,
				     .is_executed = (p->used & STORE_USED_EXECUTED) != 0,
				     .is_loaded = (p->used & STORE_USED_LOADED) != 0,
				     .is_used_known = l->is_used_known };

	if (!strcmp(v->id, l->last))
		return 0;
	int r = c.is_covered ? 0 : store_acceptances_each(l->store, v, false, 1000, on_acceptance, &c, l->err);
	if (r < 0 || c.is_covered)
		return r;
	slice_copy(slice_of(v->id), l->last, sizeof(l->last));
	if (v->epss >= 0.01)
		snprintf(epss, sizeof(epss), ", EPSS %.2f", v->epss);
	snprintf(text, sizeof(text), "%.60s in %.80s %.40s (%s%s%s%s)", v->id, p->package, p->version,
		 vuln_severity_name(p->severity), v->is_kev ? ", known to be exploited" : "", epss,
		 x.is_executed ? ", executed" : x.is_loaded ? ", loaded" : "");
	risk_add(l->part, risk_vuln_points(&x), text);
	return 0;
}

static int judge_vulns(struct store *s, int64_t image, unsigned *ret, struct buf *out, struct err *err)
{
	struct risk_part *part = calloc(1, sizeof(*part));
	struct looking l = { .store = s, .part = part, .err = err };
	int64_t n;

	if (!part)
		return err_set(err, ENOMEM, "risk");
	part->kind = &risk_vulnerability;
	int r = DB_NUMBER(&s->state, &n, err, "SELECT EXISTS (SELECT 1 FROM package_use WHERE image = ?)", B_INT(image));
	l.is_used_known = r >= 0 && n;
	if (r >= 0)
		r = store_image_vulns(s, image, 0, VULNS_LOOKED_AT, on_vuln, &l, err);
	if (r >= 0)
		*ret = risk_write(part, out);
	free(part);
	return r;
}

/* ---- a container's own ---- */

static int judge_findings(struct store *s, const struct due *d, unsigned *ret, struct buf *out, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct risk_part *part = calloc(1, sizeof(*part));
	char text[RISK_TEXT_BYTES];

	if (!part)
		return err_set(err, ENOMEM, "risk");
	part->kind = &risk_configuration;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT f.check_id, f.severity, f.evidence FROM check_subject s JOIN check_finding f ON f.subject = s.id"
			   " WHERE s.agent = ? AND s.last_id = ? AND s.kind = 'container' AND f.mended = 0 AND f.waiver = 0"
			   " AND f.status <> 'error' ORDER BY f.severity DESC LIMIT 200",
			   B_STR(d->agent), B_STR(d->container));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		enum msg_severity severity = (enum msg_severity)db_u64(st, 1);

		snprintf(text, sizeof(text), "%.40s (%s): %.160s", db_text(st, 0), msg_severity_name(severity), db_text(st, 2));
		risk_add(part, risk_finding_points(severity), text);
	}
	if (r >= 0)
		*ret += risk_write(part, out);
	free(part);
	return r;
}

/* Open ones of the last days; scans' and checks' are counted by what they are of. */
static int judge_alerts(struct store *s, const struct due *d, uint64_t now, unsigned *ret, struct buf *out, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct risk_part *part = calloc(1, sizeof(*part));
	char text[RISK_TEXT_BYTES];

	if (!part)
		return err_set(err, ENOMEM, "risk");
	part->kind = &risk_alert;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, severity, rule, last_seen FROM alert WHERE container_id = ?2 AND container_id <> ''"
			   " AND agent = ?1 AND last_seen >= ?3 AND status <> 'resolved' AND source NOT IN ('scan', 'audit')"
			   " ORDER BY last_seen DESC LIMIT ?4",
			   B_STR(d->agent), B_STR(d->container), B_INT(now > alerts_ns ? now - alerts_ns : 0),
			   B_INT(ALERTS_LOOKED_AT));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		enum msg_severity severity = (enum msg_severity)db_u64(st, 1);
		uint64_t seen = db_u64(st, 3), age = now > seen ? now - seen : 0;

		snprintf(text, sizeof(text), "alert %lld (%s, %" PRIu64 " h ago): %.160s", (long long)sqlite3_column_int64(st, 0),
			 msg_severity_name(severity), age / (day_ns / 24), db_text(st, 2));
		risk_add(part, risk_alert_points(severity, age), text);
	}
	if (r >= 0)
		*ret += risk_write(part, out);
	free(part);
	return r;
}

static void add_exposure(unsigned *score, struct buf *out, const char *ports)
{
	if (!ports[0] || !strcmp(ports, "[]"))
		return;
	buf_printf(out, "%s{\"points\":%d,\"what\":\"exposure\",\"text\":\"a port is published\"}", out->n ? "," : "",
		   EXPOSED_POINTS);
	*score += EXPOSED_POINTS;
}

static void add_part(unsigned *score, struct buf *out, unsigned points, const char *reasons)
{
	if (!points)
		return;
	if (out->n && reasons[0])
		buf_add_char(out, ',');
	buf_add_str(out, reasons);
	*score += points;
}

/* ---- rows ---- */

static int put_container(struct store *s, const struct due *d, unsigned score, unsigned own, struct slice reasons,
			 uint64_t next, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT OR REPLACE INTO risk_container(agent, container, score, own, reasons, next) VALUES (?,?,?,?,?,?)",
		      B_STR(d->agent), B_STR(d->container), B_INT(score < SCORE_MAX ? score : SCORE_MAX), B_INT(own),
		      B_TEXT(reasons), B_INT(next));
}

struct container_facts {
	bool runs;
	int64_t image, own; /* own: as it was */
	char ports[256];
	unsigned vulns;
	struct buf vuln_reasons;
};

static int read_container(struct store *s, const struct due *d, struct container_facts *x, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT c.life = 1 OR (c.life = 0 AND u.agent IS NOT NULL), coalesce(u.image, i.id, 0),"
			   " coalesce(u.ports, ''), coalesce(o.own, -1), coalesce(r.vulns, 0), coalesce(r.vuln_reasons, '')"
			   " FROM container c LEFT JOIN container_use u ON u.agent = c.agent AND u.container = c.id"
			   " LEFT JOIN image i ON i.image_id = c.image_id AND c.image_id <> ''"
			   " LEFT JOIN risk_container o ON o.agent = c.agent AND o.container = c.id"
			   " LEFT JOIN risk_image r ON r.image = coalesce(u.image, i.id, 0) WHERE c.agent = ? AND c.id = ?",
			   B_STR(d->agent), B_STR(d->container));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	x->runs = db_u64(st, 0) != 0;
	x->image = sqlite3_column_int64(st, 1);
	slice_copy(db_blob(st, 2), x->ports, sizeof(x->ports));
	x->own = sqlite3_column_int64(st, 3);
	x->vulns = (unsigned)db_u64(st, 4);
	buf_add_str(&x->vuln_reasons, db_text(st, 5));
	return 0;
}

static int make_due(struct store *s, const char *agent, const char *container, int64_t image, struct err *err)
{
	return DB_RUN(&s->state, err, "INSERT OR IGNORE INTO risk_due VALUES (?,?,?)", B_STR(agent), B_STR(container),
		      B_INT(image));
}

static int judge_container(struct store *s, const struct due *d, struct err *err)
{
	CLEANUP(buf_finip) struct buf reasons = { 0 };
	struct container_facts x = { 0 };
	uint64_t now = clock_unix_ns(s->clk);
	unsigned score = 0, findings = 0, alerts = 0;

	buf_init(&reasons, REASONS_BYTES);
	buf_init(&x.vuln_reasons, REASONS_BYTES);
	int r = read_container(s, d, &x, err);
	if (r >= 0 && !x.runs)
		r = DB_RUN(&s->state, err, "DELETE FROM risk_container WHERE agent = ? AND container = ?", B_STR(d->agent),
			   B_STR(d->container));
	if (r >= 0 && x.runs)
		r = judge_alerts(s, d, now, &alerts, &reasons, err);
	if (r >= 0 && x.runs)
		r = judge_findings(s, d, &findings, &reasons, err);
	score = alerts + findings;
	if (r >= 0 && x.runs) {
		unsigned own = score;

		add_part(&score, &reasons, x.vulns, x.vuln_reasons.n ? x.vuln_reasons.p : "");
		add_exposure(&score, &reasons, x.ports);
		r = put_container(s, d, score, own, buf_slice(&reasons), now + (alerts ? fading_ns : day_ns), err);
	}
	if (r >= 0 && x.image && (!x.runs || x.own != (int64_t)(alerts + findings)))
		r = make_due(s, "", "", x.image, err);
	buf_fini(&x.vuln_reasons);
	return r;
}

/* ---- an image ---- */

struct image_facts {
	bool is_here, is_exposed;
	int64_t vulns; /* as they were */
	/* of the worst container */
	unsigned own;
	char worst[RISK_TEXT_BYTES];
};

static int read_image(struct store *s, int64_t image, struct image_facts *x, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT i.is_exposed, coalesce(r.vulns, -1) FROM image i LEFT JOIN risk_image r ON r.image = i.id"
			   " WHERE i.id = ?",
			   B_INT(image));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	x->is_here = true;
	x->is_exposed = db_u64(st, 0) != 0;
	x->vulns = sqlite3_column_int64(st, 1);
	return 0;
}

static int read_worst(struct store *s, int64_t image, struct image_facts *x, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT r.own, u.name, a.host FROM container_use u JOIN risk_container r ON r.agent = u.agent AND"
			   " r.container = u.container JOIN agent a ON a.id = u.agent WHERE u.image = ? AND r.own > 0"
			   " ORDER BY r.own DESC, u.agent, u.container LIMIT 1",
			   B_INT(image));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	x->own = (unsigned)db_u64(st, 0);
	snprintf(x->worst, sizeof(x->worst), "configuration and alerts of its worst container: %.80s on %.80s", db_text(st, 1),
		 db_text(st, 2));
	return 0;
}

static void add_worst(const struct image_facts *x, unsigned *score, struct buf *out)
{
	struct json j;

	if (!x->own)
		return;
	if (out->n)
		buf_add_char(out, ',');
	json_init(&j, out);
	json_object_open(&j);
	json_kv_u64(&j, "points", x->own);
	json_kv_str(&j, "what", "container");
	json_kv_str(&j, "text", x->worst);
	json_object_close(&j);
	*score += x->own;
}

static int judge_image(struct store *s, int64_t image, struct err *err)
{
	CLEANUP(buf_finip) struct buf reasons = { 0 }, vulns = { 0 };
	struct image_facts x = { 0 };
	unsigned score = 0, points = 0;
	uint64_t now = clock_unix_ns(s->clk);

	buf_init(&reasons, REASONS_BYTES);
	buf_init(&vulns, REASONS_BYTES);
	int r = read_image(s, image, &x, err);
	if (r < 0 || !x.is_here)
		return r;
	r = judge_vulns(s, image, &points, &vulns, err);
	if (r >= 0)
		r = read_worst(s, image, &x, err);
	if (r < 0)
		return r;
	add_part(&score, &reasons, points, vulns.n ? vulns.p : "");
	add_worst(&x, &score, &reasons);
	add_exposure(&score, &reasons, x.is_exposed ? "yes" : "");
	r = DB_RUN(&s->state, err,
		   "INSERT OR REPLACE INTO risk_image(image, score, vulns, vuln_reasons, reasons, next) VALUES (?,?,?,?,?,?)",
		   B_INT(image), B_INT(score < SCORE_MAX ? score : SCORE_MAX), B_INT(points), B_TEXT(buf_slice(&vulns)),
		   B_TEXT(buf_slice(&reasons)), B_INT(now + day_ns));
	if (r >= 0 && x.vulns != (int64_t)points)
		r = DB_RUN(&s->state, err,
			   "INSERT OR IGNORE INTO risk_due SELECT agent, container, 0 FROM container_use WHERE image = ?", B_INT(image));
	return r;
}

/* ---- what is due ---- */

/* Images first, as containers are made of them: 1; 0: nothing is. */
static int next_due(struct store *s, struct due *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT agent, container, image FROM risk_due ORDER BY agent, container LIMIT 1", NULL, 0, &st,
			   err);

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	*ret = (struct due){ .image = sqlite3_column_int64(st, 2) };
	/* One that is cut is no container that there is. */
	(void)slice_copy(db_blob(st, 0), ret->agent, sizeof(ret->agent));
	(void)slice_copy(db_blob(st, 1), ret->container, sizeof(ret->container));
	return 1;
}

/* Those whose time has come are due, a bite. */
static int wind(struct store *s, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int r = DB_RUN(&s->state, err,
		       "INSERT OR IGNORE INTO risk_due SELECT agent, container, 0 FROM risk_container WHERE next <= ? LIMIT 100",
		       B_INT(now));

	if (r >= 0)
		r = DB_RUN(&s->state, err, "INSERT OR IGNORE INTO risk_due SELECT '', '', image FROM risk_image WHERE next <= ? LIMIT 100",
			   B_INT(now));
	return r;
}

static int judge(struct store *s, unsigned limit, bool *ret_more, struct err *err)
{
	struct due d;
	int r = wind(s, err);

	while (r >= 0 && limit-- && (r = next_due(s, &d, err)) > 0) {
		/* The first of its order goes, whatever was cut of its names. */
		r = db_run(&s->state,
			   "DELETE FROM risk_due WHERE (agent, container, image) = (SELECT agent, container, image FROM risk_due"
			   " ORDER BY agent, container LIMIT 1)", NULL, 0, err);
		if (r >= 0)
			r = d.image ? judge_image(s, d.image, err) : judge_container(s, &d, err);
	}
	int64_t more = 0;
	if (r >= 0)
		r = db_number(&s->state, "SELECT EXISTS (SELECT 1 FROM risk_due)", NULL, 0, &more, err);
	*ret_more = more;
	return r;
}

int store_risk_judge(struct store *s, unsigned limit, bool *ret_more, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	r = store_own_end(s, is_own, judge(s, limit, ret_more, err), err);
	return r < 0 ? r : 0;
}

static int read_reasons(struct store *s, sqlite3_stmt *st, uint64_t *ret_score, struct buf *out, struct err *err)
{
	int r = db_step(&s->state, st, err);

	if (r < 0)
		return r;
	*ret_score = r ? db_u64(st, 0) : 0;
	buf_add_char(out, '[');
	buf_add_str(out, r ? db_text(st, 1) : "");
	buf_add_char(out, ']');
	return 0;
}

int store_risk_container(struct store *s, const char *agent, const char *id, uint64_t *ret_score, struct buf *out,
			 struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT score, reasons FROM risk_container WHERE agent = ? AND container = ?",
			   B_STR(agent), B_STR(id));

	return r < 0 ? r : read_reasons(s, st, ret_score, out, err);
}

int store_risk_image(struct store *s, int64_t image, uint64_t *ret_score, struct buf *out, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT score, reasons FROM risk_image WHERE image = ?", B_INT(image));

	return r < 0 ? r : read_reasons(s, st, ret_score, out, err);
}

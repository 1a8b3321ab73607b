/* alert.c - see alert.h.
 *
 *   finding, gap -> fold key -> is there one, last seen within fold_ms?
 *     no        insert: new
 *     open      count + what it stands for, newest evidence, newest document but of a summary;
 *               severity only ever rises
 *     resolved  the same, and its status is "new" again
 */
#include "collector/alert/alert.h"

#include <errno.h>

#include "collector/alert/alert_kept.h"
#include "collector/alert/alert_loss.h"
#include "collector/alert/alert_policy.h"
#include "collector/alert/alert_text.h"
#include "collector/store/record_json.h"
#include "collector/store/store_exceptions.h"
#include "collector/store/store_triage.h"
#include "common/show.h"

enum {
	DOCUMENT_BYTES = 128 * 1024,
	EVIDENCE_MAX = 20,
	ROW_ARENA_BYTES = 4 * DOCUMENT_BYTES, /* document, and actions of at most 320 KiB */
};

/* One finding, made ready; buffers live on the caller's stack. */
struct draft {
	struct store_alert row; /* borrows the buffers; count: matches that it stands for */
	const Picket__Container *container; /* nullable */
	const Picket__Gap *gap; /* nullable: title and document are made with what was lost before */
	const char *evidence_id; /* "" = none */
	bool is_summary; /* of folded matches: their example must not take the place of a match's own words */
	struct buf title, document, fold_key, evidence;
};

static void draft_init(struct draft *d)
{
	*d = (struct draft){ .evidence_id = "" };
	buf_init(&d->title, 4096);
	buf_init(&d->document, DOCUMENT_BYTES);
	buf_init(&d->fold_key, 8192);
	buf_init(&d->evidence, 8192);
}

static void draft_fini(struct draft *d)
{
	buf_fini(&d->title);
	buf_fini(&d->document);
	buf_fini(&d->fold_key);
	buf_fini(&d->evidence);
}

static int add_new(struct store *s, struct draft *d, struct alert_change *ret, struct err *err)
{
	int64_t id;

	if (d->evidence_id[0]) {
		int r = alert_text_evidence(&d->evidence, "", d->evidence_id, EVIDENCE_MAX, err);
		if (r < 0)
			return r;
	}
	d->row.evidence = d->evidence.n ? d->evidence.p : "[]";
	d->row.status = "new";
	d->row.assignee = "";
	int r = store_alert_insert(s, &d->row, &id, err);
	if (r < 0)
		return r;
	*ret = (struct alert_change){ .id = id, .is_new = true, .count = d->row.count };
	return 0;
}

/* Each power of ten that a count passes stands in the trail. */
static int note_count(struct store *s, int64_t id, uint64_t before, uint64_t now, struct err *err)
{
	char text[64];
	uint64_t step = 10;

	while (step <= before && step < 1ull << 53)
		step *= 10;
	if (now < step)
		return 0;
	while (step * 10 <= now)
		step *= 10;
	snprintf(text, sizeof(text), "%llu times", (unsigned long long)step);
	return store_trail_add(s, id, TRAIL_SYSTEM, "folded", text, err);
}

/* What a person put aside is there again when it got worse. */
static int note_worse(struct store *s, const struct store_alert *old, enum msg_severity severity, struct err *err)
{
	char text[64];
	int r = 0;

	snprintf(text, sizeof(text), "%s, was %s", msg_severity_name(severity), msg_severity_name(old->severity));
	r = store_trail_add(s, old->id, TRAIL_SYSTEM, "worse", text, err);
	if (r >= 0 && !strcmp(old->status, "snoozed"))
		r = store_alert_set_status(s, old->id, "new", NULL, "picket: it got worse", err);
	return r;
}

static int fold(struct store *s, struct draft *d, const struct store_alert *old,
		struct alert_change *ret, struct err *err)
{
	/* Far beyond what can be, and exact in every JSON reader. */
	const uint64_t most = 1ull << 53;
	struct alert_change c = { .id = old->id, .count = old->count + d->row.count };
	struct store_alert row = d->row;
	int r;

	c.count = c.count < most ? c.count : most;
	row.id = old->id;
	row.count = c.count;
	row.status = old->status;
	row.assignee = old->assignee;
	/* Deliveries may come late and out of order: the span only grows. */
	if (old->first_seen_unix_ns < row.first_seen_unix_ns)
		row.first_seen_unix_ns = old->first_seen_unix_ns;
	if (old->last_seen_unix_ns > row.last_seen_unix_ns)
		row.last_seen_unix_ns = old->last_seen_unix_ns;
	if (row.severity > old->severity) {
		c.is_escalated = true;
	} else {
		row.severity = old->severity;
		row.priority = old->priority;
	}
	if (d->is_summary) {
		row.title = old->title;
		row.document = old->document;
	}
	if (d->evidence_id[0]) {
		r = alert_text_evidence(&d->evidence, old->evidence, d->evidence_id, EVIDENCE_MAX, err);
		if (r < 0)
			return r;
		row.evidence = d->evidence.p;
	} else {
		row.evidence = old->evidence;
	}
	r = store_alert_update(s, &row, err);
	if (r >= 0)
		r = note_count(s, old->id, old->count, c.count, err);
	if (r >= 0 && c.is_escalated)
		r = note_worse(s, old, row.severity, err);
	if (r < 0)
		return r;
	if (!strcmp(old->status, "resolved")) {
		c.is_reopened = true;
		r = store_alert_set_status(s, old->id, "new", NULL, "picket: seen again", err);
		if (r < 0)
			return r;
	}
	*ret = c;
	return 0;
}

/* Findings that people know are counted there, and become nothing. What names a container has in the document, it has
 * in the columns of the row to be. */
static int except(struct store *s, const struct draft *d, const Picket__Container *c, int64_t *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf name = { 0 }, image = { 0 };
	struct store_alert al = d->row;

	*ret = 0;
	if (!store_exceptions_has(s, al.rule))
		return 0;
	buf_init(&name, 8192);
	buf_init(&image, 8192);
	if (c) {
		buf_add_slice(&name, msg_slice(c->name));
		buf_add_slice(&image, msg_slice(c->image));
	}
	al.container = name.n && !name.failed ? name.p : "";
	al.image = image.n && !image.failed ? image.p : "";
	al.title = d->title.n ? d->title.p : "";
	al.document = d->document.n ? d->document.p : "";
	al.status = "new";
	al.assignee = al.resolution = "";
	*ret = store_exception_of(s, &al);
	return *ret ? store_exception_hit(s, *ret, al.count, err) : 0;
}

static void write_excess(struct draft *d, const char *const key[static 3])
{
	struct json j;

	buf_reset(&d->fold_key);
	json_init(&j, &d->fold_key);
	json_array_open(&j);
	for (size_t i = 0; i < 3; i++)
		json_str(&j, slice_of(key[i]));
	json_str(&j, SLICE_LIT("")); /* four parts, which no finding's key has */
	json_array_close(&j);
	buf_reset(&d->title);
	buf_add_char(&d->title, '`');
	alert_text_name(&d->title, slice_of(d->row.rule), 120);
	buf_add_str(&d->title, "` on ");
	alert_text_name(&d->title, slice_of(d->row.host), 120);
	buf_add_str(&d->title, ": more than alerts are made of, in one; each is in the history");
}

/* What a host raises beyond its share is not lost from the inbox: it counts on one alert of its rule, whose document is
 * the first one's. */
static int fold_by_rule(struct store *s, const struct alert_config *cfg, struct draft *d, struct alert_change *ret,
			struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	uint64_t fold_ns = alert_fold_ns(cfg), when = d->row.last_seen_unix_ns;
	struct store_alert old;

	*ret = (struct alert_change){ 0 };
	if (!a)
		return err_set(err, ENOMEM, "alert");
	write_excess(d, (const char *const[]){ "excess", d->row.agent, d->row.rule });
	if (d->fold_key.failed || d->title.failed)
		return err_set(err, ERR_LIMIT, "alert of rule '%.64s' is too large", d->row.rule);
	d->row.fold_key = d->fold_key.p;
	d->row.title = d->title.p;
	d->row.container_id = "";
	d->is_summary = true;
	int r = store_alert_find_last(s, d->fold_key.p, when > fold_ns ? when - fold_ns : 0, a, &old, err);
	if (r == -ERR_NOT_FOUND && !cfg->may_sum)
		return 0;
	r = r == -ERR_NOT_FOUND ? add_new(s, d, ret, err) : r < 0 ? r : fold(s, d, &old, ret, err);
	ret->is_excess = r >= 0;
	return r;
}

static int put(struct store *s, const struct alert_config *cfg, struct draft *d,
	       struct alert_change *ret, struct err *err)
{
	uint64_t fold_ns = alert_fold_ns(cfg);
	uint64_t when = alert_when(cfg, d->row.last_seen_unix_ns);
	struct store_alert old;

	d->row.last_seen_unix_ns = when;
	d->row.first_seen_unix_ns = alert_when(cfg, d->row.first_seen_unix_ns);
	if (d->fold_key.failed)
		return err_set(err, ERR_LIMIT, "alert of rule '%.64s' is too large", d->row.rule);
	d->row.fold_key = d->fold_key.p;
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	if (!a)
		return err_set(err, ENOMEM, "alert");
	int r = store_alert_find_last(s, d->fold_key.p, when > fold_ns ? when - fold_ns : 0, a, &old, err);
	if (d->gap)
		alert_loss_write(d->gap, d->row.host, r == 0 ? old.document : NULL, &d->title, &d->document);
	if (d->title.failed || d->document.failed)
		return err_set(err, ERR_LIMIT, "alert of rule '%.64s' is too large", d->row.rule);
	d->row.title = d->title.p;
	d->row.document = d->document.p;
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	int64_t exception;
	int e = except(s, d, d->container, &exception, err);
	if (e < 0 || exception) {
		*ret = (struct alert_change){ .exception = exception };
		return e;
	}
	if (r == -ERR_NOT_FOUND && cfg->is_full)
		return fold_by_rule(s, cfg, d, ret, err);
	if (r == -ERR_NOT_FOUND)
		return add_new(s, d, ret, err);
	return fold(s, d, &old, ret, err);
}

int alert_from_finding(struct store *s, const struct alert_config *cfg, const char *agent,
		       const char *host, uint64_t epoch, uint64_t seq, const Picket__Record *rec,
		       struct alert_change *ret, struct err *err)
{
	char id[RECORD_ID_MAX];
	const Picket__Finding *f = rec->finding;
	struct draft d;

	if (rec->body_case != PICKET__RECORD__BODY_FINDING || !f)
		return err_set(err, EINVAL, "record %llu is no finding", (unsigned long long)seq);
	draft_init(&d);
	d.evidence_id = record_json_id(agent, epoch, f->event_seq ? f->event_seq : seq, id);
	d.is_summary = f->count > 1;
	d.container = f->container;
	d.row = (struct store_alert){
		.first_seen_unix_ns = f->first_unix_ns && f->first_unix_ns < rec->time_unix_ns ?
					      f->first_unix_ns :
					      rec->time_unix_ns,
		.last_seen_unix_ns = rec->time_unix_ns,
		.count = f->count ? f->count : 1,
		.severity = msg_severity(slice_of(f->priority)),
		.priority = f->priority,
		.source = "runtime",
		.rule = f->rule,
		.host = host,
		.agent = agent,
		.container_id = f->container ? f->container->id : "",
	};
	alert_text_title(&d.title, host, f);
	alert_text_document(&d.document, f, DOCUMENT_BYTES);
	alert_text_fold_key(&d.fold_key, f->rule, host, d.row.container_id);
	int r = put(s, cfg, &d, ret, err);
	draft_fini(&d);
	return r < 0 ? err_wrap(err, r, "alert") : 0;
}

int alert_from_gap(struct store *s, const struct alert_config *cfg, const char *agent, const char *host,
		   uint64_t epoch, uint64_t seq, const Picket__Record *rec, struct alert_change *ret,
		   struct err *err)
{
	char id[RECORD_ID_MAX];
	const Picket__Gap *gap = rec->gap;
	struct draft d;

	if (rec->body_case != PICKET__RECORD__BODY_GAP || !gap)
		return err_set(err, EINVAL, "record %llu is no gap", (unsigned long long)seq);
	/* Without exec and exit there is no telling what a process was; the rest may be noise. */
	enum msg_severity severity = gap->loss_class == PICKET__LOSS_CLASS__LOSS_PROCESS ? SEVERITY_HIGH :
											   SEVERITY_MEDIUM;
	draft_init(&d);
	d.gap = gap;
	d.evidence_id = record_json_id(agent, epoch, seq, id);
	d.row = (struct store_alert){
		.first_seen_unix_ns = gap->from_unix_ns < rec->time_unix_ns ? gap->from_unix_ns : rec->time_unix_ns,
		.last_seen_unix_ns = rec->time_unix_ns,
		.count = 1,
		.severity = severity,
		.priority = alert_priority(severity),
		.source = "system",
		.rule = ALERT_LOSS_RULE,
		.host = host,
		.agent = agent,
		.container_id = "",
	};
	alert_loss_fold_key(&d.fold_key, host, gap);
	int r = put(s, cfg, &d, ret, err);
	draft_fini(&d);
	return r < 0 ? err_wrap(err, r, "loss alert") : 0;
}

int alert_from_admission(struct store *s, const struct alert_config *cfg, const char *agent, const char *host,
			 uint64_t epoch, uint64_t seq, const Picket__Record *rec, struct alert_change *ret, struct err *err)
{
	char id[RECORD_ID_MAX];
	const Picket__Event *ev = rec->body_case == PICKET__RECORD__BODY_EVENT ? rec->event : NULL;
	struct draft d;

	if (!ev || !ev->admission)
		return err_set(err, EINVAL, "record %llu is no admission", (unsigned long long)seq);
	draft_init(&d);
	d.evidence_id = record_json_id(agent, epoch, seq, id);
	d.container = ev->container;
	d.row = (struct store_alert){
		.first_seen_unix_ns = rec->time_unix_ns,
		.last_seen_unix_ns = rec->time_unix_ns,
		.count = ev->admission->count ? ev->admission->count : 1,
		.severity = SEVERITY_MEDIUM,
		.priority = alert_priority(SEVERITY_MEDIUM),
		.source = "policy",
		.rule = ev->admission->rule[0] ? ev->admission->rule : ALERT_POLICY_RULE,
		.host = host,
		.agent = agent,
		.container_id = ev->container ? ev->container->id : "",
	};
	alert_policy_title(&d.title, host, ev);
	alert_policy_document(&d.document, ev, buf_slice(&d.title));
	alert_policy_fold_key(&d.fold_key, host, ev);
	int r = put(s, cfg, &d, ret, err);
	draft_fini(&d);
	return r < 0 ? err_wrap(err, r, "policy alert") : 0;
}

/* A finding's key has three parts, an agent says the first of them. This one has four, and an agent chooses none: so no
 * rule that is called as ours folds into what the collector says itself. */
static void system_fold_key(struct buf *out, const char *rule, const char *host)
{
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	json_str(&j, SLICE_LIT("system"));
	json_str(&j, slice_of(rule));
	json_str(&j, slice_of(host));
	json_str(&j, SLICE_LIT(""));
	json_array_close(&j);
}

int alert_from_system(struct store *s, const struct alert_config *cfg, const struct clock *clk,
		      const char *rule, enum msg_severity severity, const char *host,
		      const char *title, const char *detail, struct alert_change *ret,
		      struct err *err)
{
	uint64_t now = clock_unix_ns(clk);
	Picket__Finding f = PICKET__FINDING__INIT;
	struct draft d;

	draft_init(&d);
	d.row = (struct store_alert){
		.first_seen_unix_ns = now,
		.last_seen_unix_ns = now,
		.count = 1,
		.severity = severity,
		.priority = alert_priority(severity),
		.source = "system",
		.rule = rule,
		.host = host,
		.agent = "",
		.container_id = "",
	};
	f.output = (char *)(uintptr_t)detail;
	f.description = (char *)(uintptr_t)detail;
	show_text(&d.title, slice_of(title), 500);
	alert_text_document(&d.document, &f, DOCUMENT_BYTES);
	system_fold_key(&d.fold_key, rule, host);
	int r = put(s, cfg, &d, ret, err);
	draft_fini(&d);
	return r < 0 ? err_wrap(err, r, "system alert") : 0;
}

void alert_json(struct json *j, const struct store_alert *al)
{
	record_json_alert(j, al);
}

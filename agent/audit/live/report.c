/* report.c - see report.h. */
#include "agent/audit/live/report.h"

#include <errno.h>

#include "common/policy/rule_text.h"

enum { EVIDENCE_BYTES = 1024, FIX_BYTES = 1024 };

const char *report_subject_name(enum audit_subject s)
{
	static const char *const names[SUBJECT_COUNT] = { [SUBJECT_HOST] = "host",
							  [SUBJECT_DAEMON] = "daemon",
							  [SUBJECT_IMAGE] = "image",
							  [SUBJECT_CONTAINER] = "container" };

	return names[s];
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

static ProtobufCBinaryData cut(const char *s, size_t max)
{
	struct slice t = slice_of(s ? s : "");

	/* Between characters: what goes on is UTF-8. */
	if (t.n > max)
		for (t.n = max; t.n && ((unsigned char)t.p[t.n] & 0xc0) == 0x80;)
			t.n--;
	return msg_bytes(t);
}

static void add_result(const struct audit_result *from, Picket__AuditResult *to)
{
	picket__audit_result__init(to);
	to->check_id = text(from->check->id);
	to->status = text(audit_status_name(from->status));
	to->severity = text(audit_severity_name(from->severity));
	to->evidence = cut(from->evidence, EVIDENCE_BYTES);
	to->fix = cut(from->fix, FIX_BYTES);
	to->differs = from->differs;
}

/* What the policy refuses and is there all the same: it was made before, or past the plugin. */
static bool add_denial(const struct policy_denial *d, struct arena *scratch, Picket__AuditResult *to)
{
	char *id = arena_printf(scratch, REPORT_POLICY_PREFIX "%s", d->rule);
	char *evidence = arena_printf(scratch, "admitted, yet against policy: %s", d->reason);

	picket__audit_result__init(to);
	to->check_id = id;
	to->status = text(d->is_enforced ? "fail" : "warn");
	to->severity = text(d->is_enforced ? "high" : "medium");
	to->evidence = cut(evidence, EVIDENCE_BYTES);
	to->fix = cut(d->way_out, FIX_BYTES);
	return id && evidence;
}

int report_pack(const struct report_subject *s, const struct audit_result *results, size_t count,
		const struct policy_verdict *verdict, struct arena *scratch, struct buf *out, struct err *err)
{
	Picket__AuditReport m = PICKET__AUDIT_REPORT__INIT;
	size_t room = count + (verdict ? verdict->count : 0) + 1;
	Picket__AuditResult *rows = arena_zalloc(scratch, room, sizeof(*rows));
	m.results = arena_zalloc(scratch, room, sizeof(*m.results));
	m.passed = arena_zalloc(scratch, count + 1, sizeof(*m.passed));

	if (!rows || !m.results || !m.passed)
		return err_set(err, ENOMEM, "report of an audit");
	m.subject = text(report_subject_name(s->kind));
	m.subject_id = text(s->id);
	m.subject_name = cut(s->name, LIMIT_NAME_BYTES);
	m.image = cut(s->image, LIMIT_TEXT_BYTES);
	m.image_id = text(s->image_id);
	m.trigger = text(s->trigger);
	m.catalogue = text(s->catalogue);
	for (size_t i = 0; i < count; i++) {
		if (results[i].status == AUDIT_PASS) {
			m.passed[m.n_passed++] = text(results[i].check->id);
			continue;
		}
		add_result(&results[i], &rows[m.n_results]);
		m.results[m.n_results] = &rows[m.n_results];
		m.n_results++;
	}
	for (size_t i = 0; verdict && i < verdict->count; i++) {
		if (verdict->denials[i].exception && *verdict->denials[i].exception)
			continue;
		if (!add_denial(&verdict->denials[i], scratch, &rows[m.n_results]))
			return err_set(err, ENOMEM, "report of an audit");
		m.results[m.n_results] = &rows[m.n_results];
		m.n_results++;
	}
	size_t n = picket__audit_report__get_packed_size(&m);
	char *to = buf_reserve(out, n);
	if (!to)
		return err_set(err, ENOMEM, "report of an audit");
	picket__audit_report__pack(&m, (uint8_t *)to);
	buf_written(out, n);
	return 0;
}

/* "image comes from $1" -> "image comes from …" */
static char *without_places(struct arena *scratch, const char *s)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, EVIDENCE_BYTES);
	for (; *s; s++) {
		bool is_place = s[0] == '$' && s[1] >= '1' && s[1] <= '9';

		if (is_place)
			buf_add_str(&b, "…");
		else
			buf_add_char(&b, *s);
		s += is_place;
	}
	return arena_dup(scratch, buf_slice(&b));
}

int report_catalogue(struct arena *scratch, struct buf *out, char ret_key[MSG_CATALOGUE_KEY_MAX], struct err *err)
{
	Picket__CheckCatalogue m = PICKET__CHECK_CATALOGUE__INIT;
	size_t count = audit_check_count(), rules = policy_rule_count();
	Picket__Check *rows = arena_zalloc(scratch, count + rules + 1, sizeof(*rows));
	m.checks = arena_zalloc(scratch, count + rules + 1, sizeof(*m.checks));

	if (!rows || !m.checks)
		return err_set(err, ENOMEM, "catalogue of checks");
	for (size_t i = 0; i < count + rules; i++) {
		picket__check__init(&rows[i]);
		m.checks[i] = &rows[i];
	}
	for (size_t i = 0; i < count; i++) {
		const struct audit_check *c = audit_check_at(i);

		rows[i].id = text(c->id);
		rows[i].title = text(c->title);
		rows[i].subject = text(report_subject_name(c->subject));
		rows[i].severity = text(audit_severity_name(c->severity));
		rows[i].cis = text(c->cis);
		rows[i].mitre = text(c->mitre);
		rows[i].why = text(c->why);
		rows[i].fix = text(c->fix);
	}
	for (size_t i = 0; i < rules; i++) {
		Picket__Check *to = &rows[count + i];
		struct policy_rule_text t = policy_rule_at(i);

		to->id = arena_printf(scratch, REPORT_POLICY_PREFIX "%s", t.id);
		to->title = without_places(scratch, t.reason);
		to->fix = without_places(scratch, t.way_out);
		if (!to->id || !to->title || !to->fix)
			return err_set(err, ENOMEM, "catalogue of checks");
		to->subject = text("container");
		to->severity = text("high");
		to->why = text("The policy of this host refuses it; it was started before the policy was, or past it.");
	}
	m.n_checks = count + rules;
	int r = msg_catalogue_key(m.checks, m.n_checks, ret_key, err);
	if (r < 0)
		return r;
	m.key = ret_key;
	size_t n = picket__check_catalogue__get_packed_size(&m);
	char *to = buf_reserve(out, n);
	if (!to)
		return err_set(err, ENOMEM, "catalogue of checks");
	picket__check_catalogue__pack(&m, (uint8_t *)to);
	buf_written(out, n);
	return 0;
}

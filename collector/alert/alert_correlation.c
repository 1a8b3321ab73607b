/* alert_correlation.c - see alert_correlation.h. */
#include "collector/alert/alert_correlation.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/alert/alert_kept.h"
#include "collector/alert/alert_text.h"
#include "collector/store/record_json.h"

enum { NAME_CHARS = 64, TITLE_CHARS = 160, TEXT_BYTES = 1024, SHOWN_MAX = 32, EVIDENCE_KEPT = 20, ROW_ARENA_BYTES = 1 << 20 };

/* ---- words ---- */

static bool has_name_beside(const struct alert_correlated *x)
{
	for (size_t i = 0; i < x->group_count; i++)
		if (!strcmp(x->group[i].name, "container.name") && x->group[i].value.n)
			return true;
	return false;
}

/* "host=web-1, container.name=shop" */
static void add_group(struct buf *out, const struct alert_correlated *x)
{
	bool is_first = true, has_name = has_name_beside(x);

	for (size_t i = 0; i < x->group_count; i++) {
		struct slice value = x->group[i].value;
		bool is_id = !strcmp(x->group[i].name, "container.id");

		if (!value.n || (is_id && has_name))
			continue;
		buf_add_str(out, is_first ? "" : ", ");
		buf_add_str(out, x->group[i].name);
		buf_add_char(out, '=');
		alert_text_name(out, is_id ? slice_sub(value, 0, 12) : value, NAME_CHARS);
		is_first = false;
	}
}

static void add_span(struct buf *out, uint64_t s)
{
	static const struct {
		uint64_t s;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (s % units[i].s == 0 && s >= units[i].s) {
			buf_printf(out, "%" PRIu64 " %s", s / units[i].s, units[i].unit);
			return;
		}
}

/* "20 within 5 min" */
static void add_count(struct buf *out, const struct alert_correlated *x)
{
	bool is_steps = !strncmp(x->type, "temporal", 8);

	if (is_steps)
		buf_printf(out, "%zu rules%s", x->rule_count, !strcmp(x->type, "temporal_ordered") ? " in this order" : "");
	else
		buf_printf(out, "%s%.12g", x->is_approx ? "about " : "", x->value);
	if (x->timespan_s) {
		buf_add_str(out, " within ");
		add_span(out, x->timespan_s);
	}
}

static void write_title(struct buf *out, const struct alert_correlated *x, const Picket__Finding *f)
{
	if (!x->type) {
		/* alert_text_title's sentence of an exec leaves the rule out; here it is what people know. */
		if (f->event_type == PICKET__EVENT_TYPE__EVENT_EXEC && f->process) {
			alert_text_name(out, slice_of(x->title), TITLE_CHARS);
			buf_add_str(out, ": ");
		}
		alert_text_title(out, x->host, f);
		return;
	}
	alert_text_name(out, slice_of(x->title), TITLE_CHARS);
	buf_add_str(out, x->group_count ? ": " : "");
	add_group(out, x);
	buf_add_str(out, "; ");
	add_count(out, x);
}

/* One line that says what was counted. */
static void write_output(struct buf *out, const struct alert_correlated *x, struct slice title)
{
	if (!x->type) {
		buf_add_slice(out, title);
		return;
	}
	buf_printf(out, "%s of ", x->type);
	for (size_t i = 0; i < x->rule_count && i < SHOWN_MAX; i++) {
		buf_add_str(out, i ? ", " : "");
		alert_text_name(out, slice_of(x->rules[i]), NAME_CHARS);
	}
	buf_printf(out, ": %s%.12g", x->is_approx ? "about " : "", x->value);
	if (x->condition[0])
		buf_printf(out, " (%s)", x->condition);
	buf_add_str(out, x->group_count ? " for " : "");
	add_group(out, x);
	if (x->timespan_s) {
		buf_add_str(out, " within ");
		add_span(out, x->timespan_s);
	}
}

/* ---- the document ---- */

static void add_texts(struct json *j, const char *key, const char *const *items, size_t count)
{
	json_kv_array(j, key);
	for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
		json_str(j, slice_sub(slice_of(items[i]), 0, TEXT_BYTES));
	json_array_close(j);
}

static void add_correlation(struct json *j, const struct alert_correlated *x)
{
	json_kv_object(j, "correlation");
	json_kv_str(j, "rule", x->name);
	json_kv_str(j, "type", x->type ? x->type : "detection");
	add_texts(j, "references", x->references, x->reference_count);
	add_texts(j, "falsepositives", x->falsepositives, x->falsepositive_count);
	if (x->type) {
		add_texts(j, "rules", x->rules, x->rule_count);
		json_kv_str(j, "condition", x->condition);
		json_kv_u64(j, "timespan_seconds", x->timespan_s);
		json_kv_object(j, "group");
		for (size_t i = 0; i < x->group_count; i++)
			record_json_text(j, x->group[i].name, x->group[i].value, TEXT_BYTES);
		json_object_close(j);
		json_key(j, "value");
		json_f64(j, x->value);
		json_kv_bool(j, "approximate", x->is_approx);
		json_kv_time(j, "from", x->from_unix_ns);
		json_kv_time(j, "to", x->time_unix_ns);
	}
	json_object_close(j);
	if (x->score > 0) {
		json_key(j, "score");
		json_f64(j, x->score);
	}
}

/* A finding's document, and what was counted before its closing brace. */
static void write_document(struct buf *out, const struct alert_correlated *x, const Picket__Finding *f)
{
	struct buf more = { 0 };
	struct json j;

	buf_init(&more, ALERT_DOCUMENT_BYTES / 2);
	json_init(&j, &more);
	json_object_open(&j);
	add_correlation(&j, x);
	json_object_close(&j);
	alert_text_document(out, f, ALERT_DOCUMENT_BYTES / 2);
	if (more.failed || out->failed || more.n < 3) {
		out->failed = true;
	} else {
		out->p[--out->n] = ',';
		out->n++;
		buf_add_slice(out, slice_sub(buf_slice(&more), 1, more.n - 1));
	}
	buf_fini(&more);
}

/* Groups of five parts and more: no other kind of alert has such a key. */
static void write_key(struct buf *out, const struct alert_correlated *x)
{
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	json_str(&j, SLICE_LIT("correlation"));
	json_str(&j, slice_of(x->name));
	json_str(&j, slice_of(x->type ? "" : x->host));
	json_str(&j, slice_of(x->type ? "" : x->container_id));
	json_str(&j, SLICE_LIT(""));
	for (size_t i = 0; i < x->group_count; i++) {
		struct slice v = x->group[i].value;
		char hash[24] = "";

		/* Cut texts are told apart by what they were. */
		if (v.n > TEXT_BYTES / 4)
			snprintf(hash, sizeof(hash), "#%016" PRIx64, slice_hash(v));
		json_str(&j, slice_sub(v, 0, TEXT_BYTES / 4));
		if (hash[0])
			json_str(&j, slice_of(hash));
	}
	json_array_close(&j);
}

/* ---- one event as a finding, for the words that findings have ---- */

struct likeness {
	Picket__Finding f;
	Picket__Container c;
	Picket__Finding__FieldsEntry entries[ALERT_GROUP_MAX], *fields[ALERT_GROUP_MAX];
};

static char *text(const char *s)
{
	return (char *)(uintptr_t)s; /* protobuf-c's structs are not const; nobody writes */
}

static void make_likeness(struct likeness *k, const struct alert_correlated *x)
{
	*k = (struct likeness){ .f = PICKET__FINDING__INIT, .c = PICKET__CONTAINER__INIT };
	k->f.rule = text(x->title);
	k->f.priority = text(alert_priority(x->severity));
	k->f.description = text(x->description);
	k->f.tags = (char **)(uintptr_t)x->tags;
	k->f.n_tags = x->tag_count;
	k->f.event_type = x->event_type;
	k->f.process = (Picket__Process *)(uintptr_t)x->process;
	k->f.container = (Picket__Container *)(uintptr_t)x->container;
	k->f.file = (Picket__File *)(uintptr_t)x->file;
	k->f.network = (Picket__Network *)(uintptr_t)x->network;
	k->f.call = text(x->call);
	k->f.result = x->result;
	k->c.id = text(x->container_id);
	k->c.name = msg_bytes(slice_of(x->container_name));
	k->c.image = msg_bytes(slice_of(x->container_image));
	if (x->container_id[0] && (!x->container || strcmp(x->container->id, x->container_id) != 0 || !x->container->name.len))
		k->f.container = &k->c;
	for (size_t i = 0; i < x->group_count; i++) {
		k->entries[i] = (Picket__Finding__FieldsEntry)PICKET__FINDING__FIELDS_ENTRY__INIT;
		k->entries[i].key = text(x->group[i].name);
		k->entries[i].value = msg_bytes(x->group[i].value);
		k->fields[i] = &k->entries[i];
	}
	k->f.fields = k->fields;
	k->f.n_fields = x->group_count;
}

/* ---- into the store ---- */

static int add_evidence(const struct alert_correlated *x, const char *old, struct buf *out, struct err *err)
{
	CLEANUP(buf_finip) struct buf list = { 0 };
	int r = 0;

	buf_init(&list, 16384);
	buf_add_str(&list, old);
	for (size_t i = x->evidence_count; i-- > 0 && r >= 0;) {
		buf_reset(out);
		r = alert_text_evidence(out, list.n ? list.p : "", x->evidence[i], EVIDENCE_KEPT, err);
		buf_reset(&list);
		buf_add_slice(&list, buf_slice(out));
	}
	if (r >= 0 && !x->evidence_count)
		buf_add_str(out, old[0] ? old : "[]");
	return r >= 0 && (out->failed || list.failed) ? err_set(err, ERR_LIMIT, "evidence of '%.64s'", x->name) : r;
}

static int open_new(struct store *s, struct store_alert *row, struct alert_change *ret, struct err *err)
{
	int64_t id;

	row->status = "new";
	row->assignee = "";
	int r = store_alert_insert(s, row, &id, err);
	if (r >= 0)
		*ret = (struct alert_change){ .id = id, .is_new = true, .count = row->count };
	return r;
}

static int fold(struct store *s, struct store_alert *row, const struct store_alert *old, struct alert_change *ret, struct err *err)
{
	*ret = (struct alert_change){ .id = old->id, .count = old->count + 1, .is_escalated = row->severity > old->severity };
	row->id = old->id;
	row->count = ret->count;
	if (!ret->is_escalated) {
		row->severity = old->severity;
		row->priority = old->priority;
	}
	if (old->first_seen_unix_ns < row->first_seen_unix_ns)
		row->first_seen_unix_ns = old->first_seen_unix_ns;
	if (old->last_seen_unix_ns > row->last_seen_unix_ns)
		row->last_seen_unix_ns = old->last_seen_unix_ns;
	int r = store_alert_update(s, row, err);
	if (r < 0 || strcmp(old->status, "resolved") != 0)
		return r;
	ret->is_reopened = true;
	return store_alert_set_status(s, old->id, "new", NULL, "picket: seen again", err);
}

static int put(struct store *s, const struct alert_config *cfg, const struct alert_correlated *x, struct store_alert *row,
	       struct alert_change *ret, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf evidence = { 0 };
	uint64_t fold_ns = alert_fold_ns(cfg), when = alert_when(cfg, x->time_unix_ns);
	struct store_alert old;

	if (!a)
		return err_set(err, ENOMEM, "alert");
	buf_init(&evidence, 16384);
	int found = store_alert_find_last(s, row->fold_key, when > fold_ns ? when - fold_ns : 0, a, &old, err);
	if (found < 0 && found != -ERR_NOT_FOUND)
		return found;
	if (found < 0 && cfg->is_full) {
		*ret = (struct alert_change){ 0 };
		return 0;
	}
	int r = add_evidence(x, found < 0 ? "" : old.evidence, &evidence, err);
	row->evidence = evidence.p;
	if (r < 0)
		return r;
	return found < 0 ? open_new(s, row, ret, err) : fold(s, row, &old, ret, err);
}

int alert_from_correlation(struct store *s, const struct alert_config *cfg, const struct alert_correlated *x,
			   struct alert_change *ret, struct err *err)
{
	CLEANUP(alert_draft_finip) struct alert_draft d = { 0 };
	CLEANUP(buf_finip) struct buf output = { 0 };
	struct likeness k;

	buf_init(&d.title, 8192);
	buf_init(&d.document, ALERT_DOCUMENT_BYTES);
	buf_init(&d.key, 32768);
	buf_init(&output, 16384);
	make_likeness(&k, x);
	write_title(&d.title, x, &k.f);
	write_output(&output, x, buf_slice(&d.title));
	k.f.output = output.n ? output.p : text("");
	write_document(&d.document, x, &k.f);
	write_key(&d.key, x);
	if (d.title.failed || d.document.failed || d.key.failed || output.failed)
		return err_set(err, ERR_LIMIT, "alert of rule '%.64s' is too large", x->name);
	struct store_alert row = { .first_seen_unix_ns = alert_when(cfg, x->time_unix_ns), /* the window began before its first event */
				   .last_seen_unix_ns = alert_when(cfg, x->time_unix_ns),
				   .count = 1,
				   .severity = x->severity,
				   .priority = alert_priority(x->severity),
				   .source = "correlation",
				   .rule = x->title,
				   .title = d.title.p,
				   .host = x->host,
				   .agent = x->agent,
				   .container_id = x->container_id,
				   .document = d.document.p,
				   .fold_key = d.key.p };
	int r = put(s, cfg, x, &row, ret, err);
	return r < 0 ? err_wrap(err, r, "correlation alert") : 0;
}

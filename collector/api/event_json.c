/* event_json.c - see event_json.h. */
#include "collector/api/event_json.h"

#include <inttypes.h>

#include "collector/store/record_json.h"

static void add_deed(struct json *j, const Picket__Event *ev)
{
	const struct record_json_deed deed = {
		.call = ev->call,
		.result = ev->result,
		.args = msg_slice(ev->args),
		.file = ev->file,
		.network = ev->network,
	};

	record_json_deed(j, &deed);
}

static void add_action(struct json *j, const Picket__Event *ev)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	json_kv_object(j, "action");
	record_json_action(j, ev->action);
	json_object_close(j);
	buf_init(&text, LIMIT_RECORD_BYTES);
	record_json_action_text(&text, ev->action, ev->process, ev->container);
	record_json_text(j, "summary", buf_slice(&text), LIMIT_RECORD_BYTES);
}

static void add_summary(struct json *j, struct buf *text)
{
	record_json_text(j, "summary", buf_slice(text), LIMIT_RECORD_BYTES);
}

static void add_admission(struct json *j, const Picket__Event *ev)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	record_json_admission(j, "admission", ev->admission);
	if (ev->network)
		record_json_network(j, "network", ev->network);
	buf_init(&text, LIMIT_RECORD_BYTES);
	record_json_admission_text(&text, ev->admission, ev->container);
	add_summary(j, &text);
}

static void add_traffic(struct json *j, const Picket__Event *ev)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const Picket__Traffic *t = ev->traffic;

	record_json_traffic(j, "traffic", t);
	buf_printf(&text, "received %" PRIu64 ", sent %" PRIu64 " bytes in %.0f s, %zu peers", t->rx_bytes, t->tx_bytes,
		   (double)(t->to_unix_ns - t->from_unix_ns) / 1e9, t->n_peers);
	add_summary(j, &text);
}

static void add_report(struct json *j, const Picket__AuditReport *m)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	json_kv_str(j, "type", "audit");
	record_json_report(j, "audit", m);
	buf_init(&text, LIMIT_RECORD_BYTES);
	buf_printf(&text, "%s ", m->subject);
	buf_add_slice(&text, msg_slice(m->subject_name));
	if (m->is_gone)
		buf_add_str(&text, " is gone");
	else
		buf_printf(&text, ": %zu of %zu checks do not pass", m->n_results, m->n_results + m->n_passed);
	add_summary(j, &text);
}

static void add_event(struct json *j, const Picket__Event *ev)
{
	json_kv_str(j, "type", msg_event_type_name((int)ev->type));
	record_json_container(j, "container", ev->container);
	record_json_process(j, "process", ev->process);
	if (ev->action)
		add_action(j, ev);
	else if (ev->admission)
		add_admission(j, ev);
	else if (ev->traffic)
		add_traffic(j, ev);
	else
		add_deed(j, ev);
	if (ev->type != PICKET__EVENT_TYPE__EVENT_EXIT || !ev->exit)
		return;
	json_kv_object(j, "exit");
	json_kv_i64(j, "code", ev->exit->code);
	json_kv_u64(j, "signal", ev->exit->signal);
	json_kv_u64(j, "duration_ns", ev->exit->duration_ns);
	json_object_close(j);
}

static void add_finding(struct json *j, const Picket__Finding *f)
{
	json_kv_str(j, "type", "finding");
	record_json_container(j, "container", f->container);
	record_json_process(j, "process", f->process);
	json_kv_object(j, "finding");
	json_kv_str(j, "rule", f->rule);
	json_kv_str(j, "priority", f->priority);
	json_kv_str(j, "severity", msg_severity_name(msg_severity(slice_of(f->priority))));
	record_json_text(j, "output", slice_of(f->output), LIMIT_OUTPUT_BYTES);
	json_kv_array(j, "tags");
	for (size_t i = 0; i < f->n_tags && i < LIMIT_TAGS; i++)
		json_str(j, slice_of(f->tags[i]));
	json_array_close(j);
	json_kv_u64(j, "count", f->count ? f->count : 1);
	if (f->first_unix_ns)
		json_kv_time(j, "first", f->first_unix_ns);
	json_object_close(j);
	const struct record_json_deed deed = {
		.call = f->call, .result = f->result, .file = f->file, .network = f->network
	};
	record_json_deed(j, &deed);
}

static void add_gap(struct json *j, const Picket__Gap *g)
{
	json_kv_str(j, "type", "gap");
	json_kv_object(j, "gap");
	json_kv_str(j, "class", msg_loss_class_name((int)g->loss_class));
	json_kv_u64(j, "lost", g->lost);
	json_kv_time(j, "from", g->from_unix_ns);
	json_kv_time(j, "to", g->to_unix_ns);
	json_kv_str(j, "reason", g->reason);
	record_json_text(j, "noisiest", msg_slice(g->noisiest), LIMIT_NAME_BYTES);
	json_object_close(j);
}

void event_json(struct json *j, const struct store_event *e)
{
	const Picket__Record *rec = e->record;
	char id[RECORD_ID_MAX];

	json_object_open(j);
	json_kv_str(j, "id", record_json_id(e->agent, e->epoch, e->seq, id));
	json_kv_time(j, "time", rec->time_unix_ns);
	json_kv_str(j, "host", e->host);
	if (rec->body_case == PICKET__RECORD__BODY_EVENT) {
		add_event(j, rec->event);
	} else if (rec->body_case == PICKET__RECORD__BODY_FINDING) {
		add_finding(j, rec->finding);
	} else if (rec->body_case == PICKET__RECORD__BODY_GAP) {
		add_gap(j, rec->gap);
	} else if (rec->body_case == PICKET__RECORD__BODY_CONTAINER) {
		json_kv_str(j, "type", "container");
		record_json_container(j, "container", rec->container);
	} else if (rec->body_case == PICKET__RECORD__BODY_AUDIT) {
		add_report(j, rec->audit);
	} else {
		json_kv_str(j, "type", "unknown");
	}
	json_object_close(j);
}

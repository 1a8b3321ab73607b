/* alert_policy.c - see alert_policy.h. */
#include "collector/alert/alert_policy.h"

#include "collector/alert/alert_text.h"
#include "collector/store/record_json.h"

enum { NAME_CHARS = 80, REASON_CHARS = 300 };

static struct slice container_of(const Picket__Event *ev)
{
	const Picket__Container *c = ev->container;

	if (!c)
		return SLICE_NONE;
	return c->name.len ? msg_slice(c->name) : slice_sub(slice_of(c->id), 0, 12);
}

void alert_policy_title(struct buf *out, const char *host, const Picket__Event *ev)
{
	const Picket__Admission *a = ev->admission;
	struct slice name = container_of(ev);

	buf_add_str(out, a->is_allowed ? "Would be refused: " : "Refused: ");
	alert_text_name(out, slice_of(a->kind), NAME_CHARS);
	if (name.n) {
		buf_add_str(out, " of `");
		alert_text_name(out, name, NAME_CHARS);
		buf_add_char(out, '`');
	}
	buf_add_str(out, " on ");
	alert_text_name(out, slice_of(host), NAME_CHARS);
	buf_add_str(out, " (rule ");
	alert_text_name(out, slice_of(a->rule[0] ? a->rule : "?"), NAME_CHARS);
	if (a->user.len) {
		buf_add_str(out, ", asked by ");
		alert_text_name(out, msg_slice(a->user), NAME_CHARS);
	}
	buf_add_char(out, ')');
	if (a->reason.len) {
		buf_add_str(out, ": ");
		alert_text_name(out, msg_slice(a->reason), REASON_CHARS);
	}
}

static void add_fields(struct json *j, const Picket__Event *ev)
{
	const Picket__Admission *a = ev->admission;

	json_kv_object(j, "fields");
	record_json_text(j, "rule", slice_of(a->rule), LIMIT_NAME_BYTES);
	record_json_text(j, "kind", slice_of(a->kind), LIMIT_NAME_BYTES);
	record_json_text(j, "user", msg_slice(a->user), LIMIT_NAME_BYTES);
	record_json_text(j, "reason", msg_slice(a->reason), LIMIT_TEXT_BYTES);
	json_object_close(j);
}

void alert_policy_document(struct buf *out, const Picket__Event *ev, struct slice title)
{
	/* Without the configuration, which stands in the history: it alone may be as long as a record. */
	Picket__Container c = PICKET__CONTAINER__INIT;
	const struct record_json_deed deed = { .call = ev->call, .result = ev->result, .network = ev->network };
	struct json j;

	if (ev->container) {
		c = *ev->container;
		c.config = NULL;
	}
	json_init(&j, out);
	json_object_open(&j);
	record_json_container(&j, "container", ev->container ? &c : NULL);
	record_json_process(&j, "process", ev->process);
	record_json_admission(&j, "admission", ev->admission);
	if (ev->network)
		record_json_deed(&j, &deed);
	add_fields(&j, ev);
	json_kv_array(&j, "tags");
	json_str(&j, SLICE_LIT("policy"));
	json_array_close(&j);
	json_kv_slice(&j, "output", title);
	json_kv_str(&j, "description",
		    ev->admission->is_allowed ?
			    "The policy only watches here: it was let through, and would be refused were it enforced." :
			    "The policy refused it. If it is meant to be, the policy needs an exception with a reason and an end.");
	json_kv_str(&j, "event_type", "admission");
	json_object_close(&j);
}

void alert_policy_fold_key(struct buf *out, const char *host, const Picket__Event *ev)
{
	const Picket__Admission *a = ev->admission;
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	json_str(&j, SLICE_LIT("policy"));
	json_str(&j, slice_of(host));
	json_str(&j, slice_of(a->rule));
	json_str(&j, slice_of(a->is_allowed ? "monitored" : "refused"));
	json_str(&j, msg_slice(a->user));
	json_str(&j, a->user.len ? SLICE_NONE : container_of(ev));
	json_array_close(&j);
}

/* alert_action.c - a response of an agent: onto its alert, and into the audit log. */
#include <errno.h>

#include "collector/alert/alert.h"
#include "collector/alert/alert_text.h"
#include "collector/store/record_json.h"
#include "common/show.h"

enum { WHY_BYTES = 512, WHO_CHARS = 300, SUBJECT_CHARS = 600, ACTION_BYTES = 16 * 1024 };

/* One element of the alert's "actions". */
static void write_action(struct buf *out, const char *id, uint64_t time_unix_ns, const Picket__Event *ev)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char why[WHY_BYTES];
	Picket__Action a = *ev->action;
	struct json j;

	slice_copy(slice_of(a.why), why, sizeof(why));
	a.why = why;
	buf_init(&text, ACTION_BYTES);
	record_json_action_text(&text, &a, ev->process, ev->container);
	json_init(&j, out);
	json_object_open(&j);
	json_kv_time(&j, "time", time_unix_ns);
	json_kv_str(&j, "event", id);
	record_json_action(&j, &a);
	record_json_text(&j, "text", buf_slice(&text), ACTION_BYTES);
	json_object_close(&j);
}

static int log_action(struct store *s, const char *host, const Picket__Event *ev, struct err *err)
{
	CLEANUP(buf_finip) struct buf who = { 0 }, what = { 0 }, subject = { 0 }, text = { 0 };
	const Picket__Container *c = ev->container;

	buf_init(&who, 4096);
	buf_init(&what, 4096);
	buf_init(&subject, 16 * 1024);
	buf_init(&text, ACTION_BYTES);
	buf_add_str(&who, "agent ");
	show_text(&who, slice_of(host), WHO_CHARS);
	buf_add_str(&who, " (rule ");
	show_text(&who, slice_of(ev->action->rule), WHO_CHARS);
	buf_add_char(&who, ')');
	buf_add_str(&what, "action.");
	show_text(&what, slice_of(ev->action->kind), 64);
	if (ev->action->dry_run)
		buf_add_str(&what, " (dry run)");
	record_json_action_text(&text, ev->action, ev->process, c);
	show_text(&subject, buf_slice(&text), SUBJECT_CHARS);
	if (c && c->id && c->id[0] && !strcmp(ev->action->kind, "kill")) {
		buf_add_str(&subject, " in container ");
		show_text(&subject, c->name.len ? msg_slice(c->name) : slice_sub(slice_of(c->id), 0, 12), 100);
	}
	if (who.failed || what.failed || subject.failed)
		return err_set(err, ERR_LIMIT, "action");
	return store_audit_log_agent(s, who.p, what.p, subject.p, err);
}

int alert_add_action(struct store *s, const struct alert_config *cfg, const char *agent, const char *host,
		     uint64_t epoch, uint64_t seq, const Picket__Record *rec, struct err *err)
{
	CLEANUP(buf_finip) struct buf key = { 0 }, action = { 0 };
	char id[RECORD_ID_MAX];
	uint64_t fold_ns = alert_fold_ns(cfg);
	const Picket__Event *ev = rec->body_case == PICKET__RECORD__BODY_EVENT ? rec->event : NULL;

	if (!ev || !ev->action)
		return err_set(err, EINVAL, "record %llu is no action", (unsigned long long)seq);
	buf_init(&key, 8192);
	buf_init(&action, ACTION_BYTES);
	alert_text_fold_key(&key, ev->action->rule, host, ev->container ? ev->container->id : "");
	write_action(&action, record_json_id(agent, epoch, seq, id), rec->time_unix_ns, ev);
	if (key.failed || action.failed)
		return err_set(err, ERR_LIMIT, "action of rule '%.64s'", ev->action->rule);
	uint64_t when = rec->time_unix_ns;
	int r = store_alert_action(s, key.p, when > fold_ns ? when - fold_ns : 0, action.p, err);
	if (r >= 0)
		r = log_action(s, host, ev, err);
	return r < 0 ? err_wrap(err, r, "action") : 0;
}

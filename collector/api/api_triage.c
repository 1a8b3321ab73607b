/* api_triage.c - what people do with alerts: one by its number, or many by a filter, slice by slice. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/filter.h"
#include "collector/store/store_triage.h"
#include "common/text.h"

enum { ASSIGNEE_MAX = 64, REASON_MAX = 64, BULK_MAX = 200 };
static const uint64_t day_ns = 24ull * 3600 * 1000000000;

static const struct deed_kind {
	const char *verb, *status; /* status NULL: it stays */
} kinds[] = { { "ack", "acknowledged" }, { "resolve", "resolved" }, { "snooze", "snoozed" },
	      { "reopen", "new" },	 { "assign", NULL },	    { "comment", NULL } };

/* What a person sends along: {"comment":…, "assignee":…, "reason":…, "until":…}. */
struct deed {
	const struct deed_kind *kind;
	char comment[STORE_COMMENT_MAX + 1], assignee[ASSIGNEE_MAX + 1], reason[REASON_MAX + 1];
	struct store_triage triage;
};

/* "duplicate_of:42"; a word without a number is the store's to judge. */
static int read_reason(struct deed *d, struct err *err)
{
	ptrdiff_t colon = slice_find_char(slice_of(d->reason), ':');
	uint64_t of;

	d->triage.resolution = d->reason;
	if (colon < 0)
		return 0;
	if (!slice_to_u64(slice_of(d->reason + colon + 1), &of) || of > INT64_MAX)
		return err_set(err, ERR_SYNTAX, "reason: duplicate_of:ID needs an alert's number");
	d->reason[colon] = 0;
	d->triage.duplicate_of = (int64_t)of;
	return 0;
}

int api_read_until(const char *key, struct slice text, uint64_t now, uint64_t *ret, struct err *err)
{
	uint64_t ms;

	if (text_duration_parse(text, &ms) && ms <= 366ull * 86400000)
		*ret = now + ms * 1000000;
	else if (!filter_time_parse(text, now, ret))
		return err_set(err, ERR_SYNTAX, "%s: '%.*s' is no time (4h, 30d, 2027-01-31T08:00:00Z)", key,
			       SLICE_FMT(slice_sub(text, 0, 40)));
	if (*ret <= now || *ret > now + 366 * day_ns)
		return err_set(err, ERR_SYNTAX, "%s: a time within the next 366 days", key);
	return 0;
}

static int read_texts(const cJSON *doc, struct deed *d, struct err *err)
{
	struct slice comment = json_get_str(doc, "comment");

	if (!slice_copy(comment, d->comment, sizeof(d->comment)))
		return err_set(err, ERR_SYNTAX, "comment: at most %d bytes", STORE_COMMENT_MAX);
	int r = api_read_text(doc, "assignee", d->assignee, sizeof(d->assignee), err);
	if (r >= 0)
		r = api_read_text(doc, "reason", d->reason, sizeof(d->reason), err);
	for (char *c = d->reason; r >= 0 && *c; c++)
		*c = *c == '-' ? '_' : *c; /* duplicate-of, as people type it */
	return r;
}

static int read_deed(const struct api_call *c, const char *verb, const cJSON *doc, struct deed *d, struct err *err)
{
	*d = (struct deed){ .kind = NULL };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].verb, verb))
			d->kind = &kinds[i];
	if (!d->kind)
		return err_set(err, ERR_SYNTAX, "do: '%.20s' is none of ack, resolve, snooze, reopen, assign, comment", verb);
	d->triage = (struct store_triage){ .status = d->kind->status, .comment = d->comment, .who = c->user };
	int r = read_texts(doc, d, err);
	if (r >= 0 && d->reason[0] && !strcmp(verb, "resolve"))
		r = read_reason(d, err);
	else if (r >= 0 && d->reason[0])
		r = err_set(err, ERR_SYNTAX, "a reason is for resolving; for the rest there is comment");
	if (r >= 0 && !strcmp(verb, "snooze"))
		r = api_read_until("until", json_get_str(doc, "until"), clock_unix_ns(c->api->clk), &d->triage.wake_unix_ns, err);
	if (r >= 0 && !strcmp(verb, "comment") && !d->comment[0])
		r = err_set(err, ERR_SYNTAX, "body: {\"comment\":\"…\"} is needed");
	if (!strcmp(verb, "assign"))
		d->triage.assignee = d->assignee;
	return r < 0 ? r : 0;
}

/* Resolved with a reason: it stands in the audit log as a word of its own, where scripts look for it. */
static int do_one(struct api_call *c, int64_t id, const struct deed *d, struct err *err)
{
	char subject[REASON_MAX + 64];
	int r = store_alert_triage(c->api->store, id, &d->triage, err);

	if (r < 0 || !d->reason[0])
		return r;
	snprintf(subject, sizeof(subject), "alert %" PRId64 ": %s", id, d->reason);
	return store_audit_log(c->api->store, c->user, "alert.reason", subject, err);
}

static int act(struct api_call *c, const char *verb, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct deed d;
	int64_t id;
	int r = api_number(c, "alert", &id, err);

	if (r >= 0)
		r = api_body(c, &doc, err);
	if (r >= 0)
		r = read_deed(c, verb, doc, &d, err);
	/* The deed and what is said about it: both or neither. */
	if (r >= 0)
		r = store_begin(c->api->store, err);
	if (r >= 0)
		r = store_end(c->api->store, do_one(c, id, &d, err), err);
	return r < 0 ? r : api_alert_write(c, id, err);
}

int api_alert_ack(struct api_call *c, struct err *err)
{
	return act(c, "ack", err);
}

int api_alert_resolve(struct api_call *c, struct err *err)
{
	return act(c, "resolve", err);
}

int api_alert_snooze(struct api_call *c, struct err *err)
{
	return act(c, "snooze", err);
}

int api_alert_reopen(struct api_call *c, struct err *err)
{
	return act(c, "reopen", err);
}

int api_alert_assign(struct api_call *c, struct err *err)
{
	return act(c, "assign", err);
}

int api_alert_comment(struct api_call *c, struct err *err)
{
	return act(c, "comment", err);
}

/* ---- many ---- */

struct bulk {
	int64_t ids[BULK_MAX];
	size_t count;
};

static int keep_id(void *arg, const struct store_alert *al)
{
	struct bulk *b = arg;

	b->ids[b->count++] = al->id;
	return 0;
}

static int do_all(struct api_call *c, const struct bulk *b, const struct deed *d, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < b->count && r >= 0; i++)
		r = do_one(c, b->ids[i], d, err);
	return r;
}

/* {"do":"ack", "filter":…, "limit":200, "cursor":…, …} -> {"changed":n, "cursor":…}. The newest first, so that what
 * comes meanwhile is not touched. */
int api_alerts_bulk(struct api_call *c, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	char verb[20], filter[4097], from[64], cursor[64] = "";
	struct bulk b = { .count = 0 };
	struct deed d;
	struct json j;
	int r = api_body(c, &doc, err);

	if (r >= 0)
		r = api_read_text(doc, "do", verb, sizeof(verb), err);
	if (r >= 0)
		r = api_read_text(doc, "filter", filter, sizeof(filter), err);
	if (r >= 0)
		r = api_read_text(doc, "cursor", from, sizeof(from), err);
	if (r >= 0)
		r = read_deed(c, verb, doc, &d, err);
	if (r >= 0 && !filter[0])
		r = err_set(err, ERR_SYNTAX, "which? \"filter\": as in the list; time>=… is the least for all");
	if (r < 0)
		return r;
	struct store_query q = { .filter = slice_of(filter), .cursor = from, .limit = json_get_u64(doc, "limit", BULK_MAX) };
	if (!q.limit || q.limit > BULK_MAX)
		return err_set(err, ERR_SYNTAX, "limit: 1 to %d at once; follow the cursor for more", BULK_MAX);
	r = store_alert_query(c->api->store, &q, keep_id, &b, cursor, sizeof(cursor), err);
	if (r >= 0)
		r = store_begin(c->api->store, err);
	if (r >= 0)
		r = store_end(c->api->store, do_all(c, &b, &d, err), err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_u64(&j, "changed", b.count);
	json_kv_str(&j, "cursor", cursor);
	json_object_close(&j);
	return 0;
}

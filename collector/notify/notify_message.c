/* notify_message.c - a message as JSON, whatever becomes of it: {"version":1,"group":…,"alerts":[…]}, digests, tests. */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/store/record_json.h"
#include "common/text.h"

enum { ALERT_BYTES = 1024 * 1024, DIGEST_NAMES = 10, DIGEST_WORST = 10, TALLY_MAX = 100000 };

/* ---- of parts ---- */

struct parts {
	struct store_part all[NOTIFY_MAIL_ALERTS];
	size_t count;
};

static int on_part(void *arg, const struct store_part *p)
{
	struct parts *ps = arg;

	ps->all[ps->count++] = *p;
	return 0;
}

static int add_alert(struct notify *n, const struct store_part *p, struct json *j, size_t *ret_count, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ALERT_BYTES);
	struct store_alert al;

	if (!a)
		return err_set(err, ENOMEM, "notify");
	int r = store_alert_get(n->store, p->alert, a, &al, err);
	if (r == -ERR_NOT_FOUND) /* too old to be kept: nobody can ask for it either */
		return 0;
	if (r < 0)
		return r;
	json_object_open(j);
	record_json_alert_members(j, &al);
	json_kv_str(j, "why", notify_why_name((enum notify_why)p->why));
	json_object_close(j);
	++*ret_count;
	return 0;
}

static void add_head(struct json *j, const struct lane *l, const char *group)
{
	json_object_open(j);
	json_kv_u64(j, "version", 1);
	json_kv_str(j, "group", group);
	json_kv_str(j, "route", l->route->name);
	json_kv_str(j, "receiver", l->to->name);
}

int notify_message_text(struct notify *n, const struct lane *l, const struct store_outbox *o, struct buf *out,
			struct err *err)
{
	struct parts parts = { .count = 0 };
	bool is_resolved = true;
	size_t count = 0;
	struct json j;
	int r = store_notify_parts(n->store, o->id, NOTIFY_MAIL_ALERTS, on_part, &parts, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < parts.count; i++)
		is_resolved &= parts.all[i].why == NOTIFY_RESOLVED;
	json_init(&j, out);
	add_head(&j, l, o->group);
	json_kv_str(&j, "status", is_resolved ? "resolved" : "firing");
	json_kv_array(&j, "alerts");
	for (size_t i = 0; i < parts.count && r >= 0; i++)
		r = add_alert(n, &parts.all[i], &j, &count, err);
	json_array_close(&j);
	json_object_close(&j);
	if (r >= 0 && out->failed)
		return err_set(err, ERR_LIMIT, "message %" PRId64, o->id);
	return r < 0 || count ? r : err_set(err, ERR_NOT_FOUND, "its alerts are gone");
}

/* ---- digests ---- */

struct tally {
	struct json *j;
	uint64_t distinct, total;
};

static int on_name(void *arg, const char *name, uint64_t count)
{
	struct tally *t = arg;

	t->total += count;
	if (!name[0] || t->distinct++ >= DIGEST_NAMES)
		return 0;
	json_object_open(t->j);
	json_kv_str(t->j, "name", name);
	json_kv_u64(t->j, "count", count);
	json_object_close(t->j);
	return 0;
}

static int add_tally(struct notify *n, int64_t message, const char *what, const char *list, const char *number,
		     struct json *j, struct err *err)
{
	struct tally t = { .j = j };

	json_kv_array(j, list);
	int r = store_notify_tally(n->store, message, what, TALLY_MAX, on_name, &t, err);
	json_array_close(j);
	json_kv_u64(j, number, t.distinct);
	if (!strcmp(what, "severity"))
		json_kv_u64(j, "count", t.total);
	return r;
}

static int on_worst(void *arg, const struct store_alert *al)
{
	struct json *j = arg;

	json_object_open(j);
	record_json_alert_members(j, al);
	json_kv_str(j, "why", notify_why_name(NOTIFY_NEW));
	json_object_close(j);
	return 0;
}

int notify_digest_text(struct notify *n, const struct lane *l, int64_t message, uint64_t from_ns, struct buf *out,
		       struct err *err)
{
	struct json j;

	json_init(&j, out);
	add_head(&j, l, "digest");
	json_kv_str(&j, "status", "firing");
	json_kv_object(&j, "digest");
	json_kv_time(&j, "from", from_ns);
	json_kv_time(&j, "until", notify_now(n));
	int r = add_tally(n, message, "severity", "severities", "severity_count", &j, err);
	if (r >= 0)
		r = add_tally(n, message, "rule", "rules", "rule_count", &j, err);
	if (r >= 0)
		r = add_tally(n, message, "host", "hosts", "host_count", &j, err);
	if (r >= 0)
		r = add_tally(n, message, "image", "images", "image_count", &j, err);
	json_object_close(&j);
	json_kv_array(&j, "alerts");
	if (r >= 0)
		r = store_notify_worst(n->store, message, DIGEST_WORST, on_worst, &j, err);
	json_array_close(&j);
	json_object_close(&j);
	return r >= 0 && out->failed ? err_set(err, ERR_LIMIT, "digest %" PRId64, message) : r;
}

/* ---- tests ---- */

int notify_test_text(struct notify *n, const struct receiver *to, struct buf *out, struct err *err)
{
	static const char document[] =
		"{\"description\":\"Somebody asked for it: picketctl notify test. Nothing happened on any host.\","
		"\"output\":\"This is a test of picket's notifications.\",\"process\":null,\"container\":null,"
		"\"fields\":{\"picket.test\":\"yes\"},\"tags\":[\"test\"]}";
	uint64_t now = notify_now(n);
	const struct store_alert al = { .first_seen_unix_ns = now,
					.last_seen_unix_ns = now,
					.count = 1,
					.severity = SEVERITY_INFO,
					.priority = "informational",
					.status = "new",
					.assignee = "",
					.source = "system",
					.rule = "Test notification",
					.title = "This is a test of picket's notifications; nothing happened",
					.host = "picket",
					.agent = "",
					.container_id = "",
					.document = document,
					.evidence = "[]",
					.actions = "[]",
					.fold_key = "" };
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	json_kv_u64(&j, "version", 1);
	json_kv_str(&j, "group", "test");
	json_kv_str(&j, "receiver", to->name);
	json_kv_str(&j, "status", "firing");
	json_kv_bool(&j, "test", true);
	json_kv_array(&j, "alerts");
	on_worst(&j, &al);
	json_array_close(&j);
	json_object_close(&j);
	return out->failed ? err_set(err, ERR_LIMIT, "test message") : 0;
}

/* ---- looking into it ---- */

const char *notify_alert_id(const cJSON *al, char dst[32])
{
	const cJSON *id = notify_member(al, "id");

	dst[0] = 0;
	if (cJSON_IsString(id))
		slice_copy(slice_of(id->valuestring), dst, 32);
	else if (cJSON_IsNumber(id))
		snprintf(dst, 32, "%.0f", id->valuedouble);
	return dst;
}

const char *notify_time_shown(const char *time, char dst[32])
{
	if (strlen(time) < 19 || time[10] != 'T')
		slice_copy(slice_of(time), dst, 32);
	else
		snprintf(dst, 32, "%.10s %.8s UTC", time, time + 11);
	return dst;
}

unsigned notify_rank(const char *severity)
{
	for (unsigned i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++)
		if (!strcmp(severity, msg_severity_name((enum msg_severity)i)))
			return i;
	return SEVERITY_INFO;
}

const char *notify_worst(const cJSON *doc)
{
	const cJSON *al;
	unsigned worst = SEVERITY_INFO;

	/* A digest's worst alerts are among its alerts. */
	cJSON_ArrayForEach(al, notify_member(doc, "alerts"))
	{
		unsigned one = notify_rank(notify_str(al, "severity"));

		worst = one > worst ? one : worst;
	}
	return msg_severity_name((enum msg_severity)worst);
}

bool notify_is_resolved(const cJSON *doc)
{
	return !strcmp(notify_str(doc, "status"), "resolved");
}

static void add_count(struct buf *out, uint64_t n, const char *what)
{
	buf_printf(out, "%" PRIu64 " %s%s", n, what, n == 1 ? "" : "s");
}

void notify_digest_title(const cJSON *doc, struct buf *out)
{
	const cJSON *d = notify_member(doc, "digest");
	uint64_t from = 0, until = 0;

	text_time_parse(slice_of(notify_str(d, "from")), &from);
	text_time_parse(slice_of(notify_str(d, "until")), &until);
	add_count(out, json_get_u64(d, "count", 0), "alert");
	if (until > from)
		buf_printf(out, " in %" PRIu64 " s", (uint64_t)((until - from + NOTIFY_SECOND / 2) / NOTIFY_SECOND));
	buf_add_str(out, ": ");
	add_count(out, json_get_u64(d, "rule_count", 0), "rule");
	buf_add_str(out, " on ");
	add_count(out, json_get_u64(d, "host_count", 0), "host");
}

static void add_names(struct buf *out, const cJSON *d, const char *list, const char *what)
{
	const cJSON *row;
	bool is_first = true;

	cJSON_ArrayForEach(row, notify_member(d, list))
	{
		buf_printf(out, "%s%s %s (%" PRIu64 ")", is_first ? what : ",", is_first ? ":" : "", notify_str(row, "name"),
			   json_get_u64(row, "count", 0));
		is_first = false;
	}
	if (!is_first)
		buf_add_str(out, ". ");
}

cJSON *notify_digest_alert(const cJSON *doc)
{
	CLEANUP(buf_finip) struct buf title = { 0 }, text = { 0 };
	const cJSON *d = notify_member(doc, "digest");
	cJSON *al = d ? cJSON_CreateObject() : NULL;

	if (!al)
		return NULL;
	buf_init(&title, 4096);
	buf_init(&text, NOTIFY_BODY_BYTES);
	notify_digest_title(doc, &title);
	add_names(&text, d, "severities", "Severities");
	add_names(&text, d, "rules", "Rules");
	add_names(&text, d, "hosts", "Hosts");
	add_names(&text, d, "images", "Images");
	cJSON_AddStringToObject(al, "id", "");
	cJSON_AddStringToObject(al, "time", notify_str(d, "until"));
	cJSON_AddStringToObject(al, "first_seen", notify_str(d, "from"));
	cJSON_AddStringToObject(al, "last_seen", notify_str(d, "until"));
	cJSON_AddNumberToObject(al, "count", (double)json_get_u64(d, "count", 0));
	cJSON_AddStringToObject(al, "severity", notify_worst(doc));
	cJSON_AddStringToObject(al, "priority", "warning");
	cJSON_AddStringToObject(al, "source", "system");
	cJSON_AddStringToObject(al, "rule", "Alert storm");
	cJSON_AddStringToObject(al, "title", title.n ? title.p : "");
	cJSON_AddStringToObject(al, "description", text.n ? text.p : "");
	cJSON_AddStringToObject(al, "output", title.n ? title.p : "");
	cJSON_AddStringToObject(al, "why", "new");
	cJSON_AddItemToObject(al, "digest", cJSON_Duplicate(d, true));
	return al;
}

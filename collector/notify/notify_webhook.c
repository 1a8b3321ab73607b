/* notify_webhook.c - alerts in the words of programs: picket's own, Alertmanager's (v2) and Falco's JSON line. Pure. */
#include <ctype.h>
#include <errno.h>

#include "collector/notify/notify_priv.h"

#include "common/show.h"
#include "common/text.h"
#include "common/tls.h"

enum { LABEL_CHARS = 512 };
#define FIRING_NS (30ull * 86400 * NOTIFY_SECOND)

static void label(struct json *j, const char *name, const char *value)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	if (!value[0])
		return;
	buf_init(&shown, 16 * 1024);
	show_text(&shown, slice_of(value), LABEL_CHARS);
	json_kv_slice(j, name, buf_slice(&shown));
}

static void add_labels(struct json *j, const struct outgoing *m, const cJSON *al)
{
	char id[32];

	json_kv_object(j, "labels");
	label(j, "alertname", notify_str(al, "rule"));
	label(j, "severity", notify_str(al, "severity"));
	label(j, "host", notify_str(al, "host"));
	label(j, "container", notify_str(notify_member(al, "container"), "name"));
	label(j, "image", notify_str(notify_member(al, "container"), "image"));
	label(j, "source", notify_str(al, "source"));
	/* what makes it one alert there, from its begin to its end */
	label(j, "picket_id", notify_alert_id(al, id)[0] ? id : m->key);
	json_object_close(j);
	json_kv_object(j, "annotations");
	label(j, "summary", notify_str(al, "title"));
	label(j, "description", notify_str(al, "description"));
	label(j, "command", notify_str(notify_member(al, "process"), "cmdline"));
	label(j, "call", notify_str(al, "summary"));
	json_object_close(j);
}

/* A host's clock may be ahead of ours, or lie. Alertmanager refuses a whole request for one begin after its end. */
static void add_begin(struct json *j, const struct outgoing *m, const char *first_seen)
{
	uint64_t begin = m->now_unix_ns;

	if (text_time_parse(slice_of(first_seen), &begin) && begin <= m->now_unix_ns)
		json_kv_str(j, "startsAt", first_seen);
	else
		json_kv_time(j, "startsAt", m->now_unix_ns);
}

static void alertmanager(struct json *j, const struct outgoing *m, const cJSON *alerts)
{
	const cJSON *al;
	char link[1024], id[32];

	json_array_open(j);
	cJSON_ArrayForEach(al, alerts)
	{
		bool is_resolved = !strcmp(notify_str(al, "why"), "resolved");

		json_object_open(j);
		add_labels(j, m, al);
		add_begin(j, m, notify_str(al, "first_seen"));
		/* Without an end Alertmanager takes it for over after its resolve_timeout (5 min); we say when it is. */
		json_kv_time(j, "endsAt", m->now_unix_ns + (is_resolved ? 0 : FIRING_NS));
		if (m->inbox_url && notify_alert_id(al, id)[0]) {
			snprintf(link, sizeof(link), "%s/alerts/%s", m->inbox_url, id);
			json_kv_str(j, "generatorURL", link);
		}
		json_object_close(j);
	}
	json_array_close(j);
}

static void raw_member(struct json *j, const char *key, const cJSON *v, const char *otherwise)
{
	char *text = v ? cJSON_PrintUnformatted(v) : NULL;

	json_key(j, key);
	json_raw(j, slice_of(text ? text : otherwise));
	free(text);
}

/* falcosidekick refuses what has no fields: so there are always some. */
static void add_output_fields(struct json *j, const cJSON *al)
{
	const cJSON *fields = notify_member(al, "fields"), *container = notify_member(al, "container"), *f;
	char id[32];

	json_kv_object(j, "output_fields");
	cJSON_ArrayForEach(f, fields)
	{
		if (f->string)
			raw_member(j, f->string, f, "null");
	}
	if (notify_str(container, "id")[0] && !notify_member(fields, "container.id"))
		json_kv_str(j, "container.id", notify_str(container, "id"));
	if (notify_str(container, "name")[0] && !notify_member(fields, "container.name"))
		json_kv_str(j, "container.name", notify_str(container, "name"));
	json_kv_str(j, "picket.id", notify_alert_id(al, id));
	json_kv_str(j, "picket.severity", notify_str(al, "severity"));
	json_kv_str(j, "picket.status", notify_str(al, "why"));
	json_kv_u64(j, "picket.count", json_get_u64(al, "count", 1));
	json_object_close(j);
}

/* Falco's own line, one object a request. */
static void falco(struct json *j, const cJSON *al)
{
	const char *output = notify_str(al, "output");
	char priority[32];

	slice_copy(slice_of(notify_str(al, "priority")), priority, sizeof(priority));
	for (size_t i = 0; priority[i]; i++) {
		int c = (unsigned char)priority[i];

		priority[i] = (char)(i ? tolower(c) : toupper(c));
	}
	json_object_open(j);
	json_kv_str(j, "time", notify_str(al, "last_seen"));
	json_kv_str(j, "rule", notify_str(al, "rule"));
	json_kv_str(j, "priority", priority[0] ? priority : "Notice");
	json_kv_str(j, "source", strcmp(notify_str(al, "source"), "runtime") ? notify_str(al, "source") : "syscall");
	json_kv_str(j, "hostname", notify_str(al, "host"));
	json_kv_str(j, "output", output[0] ? output : notify_str(al, "title"));
	raw_member(j, "tags", notify_member(al, "tags"), "[]");
	add_output_fields(j, al);
	json_object_close(j);
}

/* Those who know of no digest get it as one alert. */
static int write_preset(struct json *j, const struct outgoing *m, struct slice secret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *list = NULL;
	const cJSON *alerts = notify_member(m->doc, "alerts");

	if (notify_member(m->doc, "digest")) {
		list = cJSON_CreateArray();
		cJSON *one = notify_digest_alert(m->doc);
		if (!list || !one || !cJSON_AddItemToArray(list, one)) {
			cJSON_Delete(one);
			return err_set(err, ENOMEM, "digest");
		}
		alerts = list;
	}
	switch ((enum notify_preset)m->to->webhook->preset) {
	case NOTIFY_SLACK:
		notify_slack(j, m);
		break;
	case NOTIFY_TEAMS:
		notify_teams(j, m);
		break;
	case NOTIFY_PAGERDUTY:
		notify_pagerduty(j, m, cJSON_GetArrayItem(alerts, 0), secret);
		break;
	case NOTIFY_ALERTMANAGER:
		alertmanager(j, m, alerts);
		break;
	case NOTIFY_FALCO:
		falco(j, cJSON_GetArrayItem(alerts, 0));
		break;
	case NOTIFY_PICKET:
		json_raw(j, m->text);
		break;
	}
	return 0;
}

int notify_webhook_body(const struct outgoing *m, struct slice secret, struct buf *out, struct err *err)
{
	struct json j;

	json_init(&j, out);
	int r = write_preset(&j, m, secret, err);
	return r >= 0 && out->failed ? err_set(err, ERR_LIMIT, "webhook body") : r;
}

void notify_webhook_signature(struct slice secret, struct slice body, char dst[72])
{
	uint8_t mac[32];

	tls_hmac(secret, body, mac);
	memcpy(dst, "sha256=", 7);
	text_hex(mac, sizeof(mac), dst + 7);
}

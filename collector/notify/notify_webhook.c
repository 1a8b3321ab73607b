/* notify_webhook.c - an alert in each receiver's own words: picket's, Slack's, Alertmanager's (v2) and
 * Falco's JSON line. Pure. */
#include <ctype.h>

#include "collector/notify/notify_priv.h"

#include "common/show.h"
#include "common/text.h"
#include "common/tls.h"

enum { LABEL_CHARS = 512 };

static const char *str(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static const cJSON *member(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

/* Slack's text: three characters are markup; the rest is shown as common/show.h does. */
static void slack_text(struct buf *out, const char *s, size_t max_chars)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	buf_init(&shown, NOTIFY_BODY_BYTES);
	show_text(&shown, slice_of(s), max_chars);
	for (size_t i = 0; i < shown.n; i++) {
		char c = shown.p[i];

		if (c == '&')
			buf_add_str(out, "&amp;");
		else if (c == '<')
			buf_add_str(out, "&lt;");
		else if (c == '>')
			buf_add_str(out, "&gt;");
		else
			buf_add_char(out, c);
	}
}

static void slack_field(struct json *j, const char *title, const char *value, bool is_short)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (!value[0])
		return;
	buf_init(&text, NOTIFY_BODY_BYTES);
	slack_text(&text, value, 1500);
	json_object_open(j);
	json_kv_str(j, "title", title);
	json_kv_slice(j, "value", buf_slice(&text));
	json_kv_bool(j, "short", is_short);
	json_object_close(j);
}

static const char *slack_colour(const char *severity)
{
	if (!strcmp(severity, "critical") || !strcmp(severity, "high"))
		return "danger";
	return !strcmp(severity, "medium") ? "warning" : "#4a7ebb";
}

static void slack(struct json *j, const cJSON *alerts, const char *inbox_url)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const cJSON *al;

	buf_init(&text, NOTIFY_BODY_BYTES);
	const cJSON *first = cJSON_GetArrayItem(alerts, 0);
	buf_printf(&text, "*[%s]* ", str(first, "severity"));
	slack_text(&text, str(first, "title"), 1000);
	json_object_open(j);
	json_kv_slice(j, "text", buf_slice(&text));
	json_kv_array(j, "attachments");
	cJSON_ArrayForEach(al, alerts)
	{
		json_object_open(j);
		json_kv_str(j, "color", slack_colour(str(al, "severity")));
		if (inbox_url) {
			buf_reset(&text);
			buf_printf(&text, "%s/alerts/%s", inbox_url, str(al, "id"));
			CLEANUP(buf_finip) struct buf rule = { 0 };

			buf_init(&rule, NOTIFY_BODY_BYTES);
			slack_text(&rule, str(al, "rule"), 200);
			json_kv_slice(j, "title", buf_slice(&rule));
			json_kv_slice(j, "title_link", buf_slice(&text));
		}
		json_kv_array(j, "fields");
		slack_field(j, "Host", str(al, "host"), true);
		slack_field(j, "Container", str(member(al, "container"), "name"), true);
		slack_field(j, "Image", str(member(al, "container"), "image"), true);
		slack_field(j, "Command", str(member(al, "process"), "cmdline"), false);
		const cJSON *parent = member(member(al, "process"), "parent");
		slack_field(j, "Parent", str(parent, "cmdline"), false);
		slack_field(j, member(al, "network") ? "Connection" : member(al, "file") ? "File" : "Call",
			    str(al, "summary"), false);
		json_array_close(j);
		json_object_close(j);
	}
	json_array_close(j);
	json_object_close(j);
}

static void label(struct json *j, const char *name, const char *value)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	if (!value[0])
		return;
	buf_init(&shown, 16 * 1024);
	show_text(&shown, slice_of(value), LABEL_CHARS);
	json_kv_slice(j, name, buf_slice(&shown));
}

static void alertmanager(struct json *j, const cJSON *alerts, const char *inbox_url)
{
	const cJSON *al;
	char link[512];

	json_array_open(j);
	cJSON_ArrayForEach(al, alerts)
	{
		json_object_open(j);
		json_kv_object(j, "labels");
		label(j, "alertname", str(al, "rule"));
		label(j, "severity", str(al, "severity"));
		label(j, "host", str(al, "host"));
		label(j, "container", str(member(al, "container"), "name"));
		label(j, "image", str(member(al, "container"), "image"));
		label(j, "source", str(al, "source"));
		label(j, "picket_id", str(al, "id"));
		json_object_close(j);
		json_kv_object(j, "annotations");
		label(j, "summary", str(al, "title"));
		label(j, "description", str(al, "description"));
		label(j, "command", str(member(al, "process"), "cmdline"));
		label(j, "call", str(al, "summary"));
		json_object_close(j);
		json_kv_str(j, "startsAt", str(al, "last_seen"));
		if (inbox_url) {
			snprintf(link, sizeof(link), "%s/alerts/%s", inbox_url, str(al, "id"));
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

/* Falco's own line. Its consumers take one object a request, so a group's further alerts would be
 * lost on them: each outbox row holds one. */
static void falco(struct json *j, const cJSON *alerts)
{
	const cJSON *al = cJSON_GetArrayItem(alerts, 0);
	char priority[32];

	slice_copy(slice_of(str(al, "priority")), priority, sizeof(priority));
	for (size_t i = 0; priority[i]; i++) {
		int c = (unsigned char)priority[i];

		priority[i] = (char)(i ? tolower(c) : toupper(c));
	}
	json_object_open(j);
	json_kv_str(j, "time", str(al, "last_seen"));
	json_kv_str(j, "rule", str(al, "rule"));
	json_kv_str(j, "priority", priority);
	json_kv_str(j, "source", strcmp(str(al, "source"), "runtime") ? str(al, "source") : "syscall");
	json_kv_str(j, "hostname", str(al, "host"));
	json_kv_str(j, "output", str(al, "output"));
	raw_member(j, "tags", member(al, "tags"), "[]");
	raw_member(j, "output_fields", member(al, "fields"), "{}");
	json_object_close(j);
}

int notify_webhook_body(const struct notify_webhook *w, struct slice outbox_body,
			const char *inbox_url, struct buf *out, struct err *err)
{
	struct json j;
	cJSON *doc = NULL;

	if (w->preset == NOTIFY_PICKET) {
		buf_add_slice(out, outbox_body);
		return out->failed ? err_set(err, ERR_LIMIT, "webhook body") : 0;
	}
	int r = json_parse(outbox_body, NOTIFY_BODY_BYTES, &doc, err);
	if (r < 0)
		return err_wrap(err, r, "outbox body");
	const cJSON *alerts = member(doc, "alerts");
	json_init(&j, out);
	if (w->preset == NOTIFY_SLACK)
		slack(&j, alerts, inbox_url);
	else if (w->preset == NOTIFY_ALERTMANAGER)
		alertmanager(&j, alerts, inbox_url);
	else
		falco(&j, alerts);
	cJSON_Delete(doc);
	return out->failed ? err_set(err, ERR_LIMIT, "webhook body") : 0;
}

void notify_webhook_signature(struct slice secret, struct slice body, char dst[72])
{
	uint8_t mac[32];

	tls_hmac(secret, body, mac);
	memcpy(dst, "sha256=", 7);
	text_hex(mac, sizeof(mac), dst + 7);
}

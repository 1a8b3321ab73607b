/* notify_pager.c - one alert as an event of PagerDuty's Events API v2. Pure. */
#include "collector/notify/notify_priv.h"

#include <errno.h>

#include "common/show.h"
#include "common/text.h"
#include "common/tls.h"

/* Their bounds: 1,024 characters of summary and source, 255 of dedup_key, 512 KB in all. */
enum { SUMMARY_CHARS = 1000, SOURCE_CHARS = 255, DETAIL_CHARS = 2000, ANSWER_MAX = 480 * 1024 };

static void shown(struct json *j, const char *key, const char *value, size_t max_chars)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (!value[0])
		return;
	buf_init(&text, NOTIFY_BODY_BYTES);
	show_text(&text, slice_of(value), max_chars);
	json_kv_slice(j, key, buf_slice(&text));
}

/* The same for all events of one alert at one receiver, so that they make one incident. */
static void add_dedup_key(struct json *j, const struct outgoing *m, const cJSON *al)
{
	char id[32], key[128];

	if (notify_alert_id(al, id)[0] && strcmp(id, "0") != 0)
		snprintf(key, sizeof(key), "picket-alert-%s-%.40s", id, notify_str(al, "first_seen"));
	else
		snprintf(key, sizeof(key), "picket-%.64s", m->key);
	json_kv_str(j, "dedup_key", key);
}

static void add_payload(struct json *j, const cJSON *al)
{
	static const char *const severities[] = { [SEVERITY_INFO] = "info",	[SEVERITY_LOW] = "info",
						  [SEVERITY_MEDIUM] = "warning", [SEVERITY_HIGH] = "error",
						  [SEVERITY_CRITICAL] = "critical" };
	const cJSON *container = notify_member(al, "container"), *process = notify_member(al, "process");
	const char *host = notify_str(al, "host");

	json_kv_object(j, "payload");
	shown(j, "summary", notify_str(al, "title"), SUMMARY_CHARS);
	shown(j, "source", host[0] ? host : "picket", SOURCE_CHARS);
	json_kv_str(j, "severity", severities[notify_rank(notify_str(al, "severity"))]);
	json_kv_str(j, "timestamp", notify_str(al, "last_seen"));
	shown(j, "component", notify_str(container, "name"), SOURCE_CHARS);
	shown(j, "group", notify_str(container, "image"), SOURCE_CHARS);
	shown(j, "class", notify_str(al, "rule"), SOURCE_CHARS);
	json_kv_object(j, "custom_details");
	json_kv_str(j, "why_told", notify_str(al, "why"));
	shown(j, "description", notify_str(al, "description"), DETAIL_CHARS);
	shown(j, "container", notify_str(container, "name"), DETAIL_CHARS);
	shown(j, "image", notify_str(container, "image"), DETAIL_CHARS);
	shown(j, "command", notify_str(process, "cmdline"), DETAIL_CHARS);
	shown(j, "started_by", notify_str(notify_member(process, "parent"), "cmdline"), DETAIL_CHARS);
	shown(j, "call", notify_str(al, "summary"), DETAIL_CHARS);
	shown(j, "output", notify_str(al, "output"), DETAIL_CHARS);
	json_kv_u64(j, "count", json_get_u64(al, "count", 1));
	json_object_close(j);
	json_object_close(j);
}

void notify_pagerduty(struct json *j, const struct outgoing *m, const cJSON *al, struct slice routing_key)
{
	const char *why = notify_str(al, "why");
	bool is_trigger = strcmp(why, "resolved") != 0 && strcmp(why, "acknowledged") != 0;
	char link[1024], id[32];

	json_object_open(j);
	json_kv_slice(j, "routing_key", routing_key);
	json_kv_str(j, "event_action", is_trigger ? "trigger" : !strcmp(why, "resolved") ? "resolve" : "acknowledge");
	add_dedup_key(j, m, al);
	if (is_trigger) {
		add_payload(j, al);
		json_kv_str(j, "client", "picket");
		if (m->inbox_url && notify_alert_id(al, id)[0] && strcmp(id, "0") != 0) {
			snprintf(link, sizeof(link), "%.900s/alerts/%s", m->inbox_url, id);
			json_kv_str(j, "client_url", link);
			json_kv_array(j, "links");
			json_object_open(j);
			json_kv_str(j, "href", link);
			json_kv_str(j, "text", "The alert in picket");
			json_object_close(j);
			json_array_close(j);
		}
	}
	json_object_close(j);
}

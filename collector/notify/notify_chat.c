/* notify_chat.c - alerts for people in chats: Slack's blocks, Teams' adaptive card. Pure.
 *
 * What a container can name is never markup: Slack's three characters are escaped and its links are not looked for
 * (verbatim); the card has text runs only, which know no markdown. */
#include "collector/notify/notify_priv.h"

#include "common/show.h"

/* Slack takes 3,000 characters a section, 2,000 a field, 10 fields, 50 blocks; Teams 28 KB in all. What is larger is
 * refused for good, and whoever chooses a name could see to that. So bounds are of what is written. */
enum { SLACK_ALERTS = 10, SLACK_CHARS = 1500, TEAMS_ALERTS = 6, TEAMS_CHARS = 300, TEAMS_NAME_CHARS = 100 };
/* No alert is begun above the first, no line of a digest above the second. */
enum { TEAMS_ALERT_BYTES = 14 * 1024, TEAMS_LINE_BYTES = 26 * 1024 };

struct fact {
	const char *name, *value;
};
enum { FACTS = 8 };

/* What a person wants to know of an alert, the same everywhere. */
static size_t facts_of(const cJSON *al, struct fact facts[FACTS], char when[32])
{
	const cJSON *container = notify_member(al, "container"), *process = notify_member(al, "process");
	const struct fact all[FACTS] = {
		{ "Host", notify_str(al, "host") },
		{ "Container", notify_str(container, "name") },
		{ "Image", notify_str(container, "image") },
		{ "Command", notify_str(process, "cmdline") },
		{ "Started by", notify_str(notify_member(process, "parent"), "cmdline") },
		{ notify_member(al, "network") ? "Connection" : notify_member(al, "file") ? "File" : "Call",
		  notify_str(al, "summary") },
		{ "Action", notify_str(cJSON_GetArrayItem(notify_member(al, "actions"), 0), "text") },
		{ "Time", notify_time_shown(notify_str(al, "last_seen"), when) },
	};
	size_t n = 0;

	for (size_t i = 0; i < FACTS; i++)
		if (all[i].value[0])
			facts[n++] = all[i];
	return n;
}

static const char *heading_of(const cJSON *doc)
{
	const char *why = notify_str(cJSON_GetArrayItem(notify_member(doc, "alerts"), 0), "why");

	if (cJSON_IsTrue(notify_member(doc, "test")))
		return "test";
	if (notify_is_resolved(doc))
		return "resolved";
	return !strcmp(why, "unacknowledged") ? "nobody took it" : !strcmp(why, "repeated") ? "still open" : NULL;
}

static const char *colour_of(const char *severity)
{
	if (!strcmp(severity, "critical") || !strcmp(severity, "high"))
		return "#d1242f";
	return !strcmp(severity, "medium") ? "#d4a72c" : "#4a7ebb";
}

/* ---- Slack ---- */

/* max_chars: of what is written, "&amp;" being five; and the "…" where that cuts it. */
static void slack_text(struct buf *out, const char *s, size_t max_chars)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };
	size_t chars = 0;

	buf_init(&shown, NOTIFY_BODY_BYTES);
	show_text(&shown, slice_of(s), max_chars);
	for (size_t i = 0; i < shown.n; i++) {
		char c = shown.p[i];
		const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
		bool begins = ((unsigned char)c & 0xc0) != 0x80;

		chars += entity ? strlen(entity) : begins;
		if (begins && chars > max_chars) {
			buf_add_str(out, "…");
			return;
		}
		if (entity)
			buf_add_str(out, entity);
		else
			buf_add_char(out, c);
	}
}

static void slack_mrkdwn(struct json *j, struct slice text)
{
	json_object_open(j);
	json_kv_str(j, "type", "mrkdwn");
	json_kv_slice(j, "text", text);
	json_kv_bool(j, "verbatim", true);
	json_object_close(j);
}

static void slack_section_open(struct json *j)
{
	json_object_open(j);
	json_kv_str(j, "type", "section");
}

static void slack_alert(struct json *j, const struct outgoing *m, const cJSON *al, bool has_title)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct fact facts[FACTS];
	char id[32], when[32];
	size_t count = facts_of(al, facts, when);

	buf_init(&text, NOTIFY_BODY_BYTES);
	if (has_title) {
		buf_printf(&text, "*%s* ", notify_str(al, "severity"));
		slack_text(&text, notify_str(al, "title"), SLACK_CHARS);
		slack_section_open(j);
		json_key(j, "text");
		slack_mrkdwn(j, buf_slice(&text));
		json_object_close(j);
	}
	if (count) {
		slack_section_open(j);
		json_kv_array(j, "fields");
		for (size_t i = 0; i < count; i++) {
			buf_reset(&text);
			buf_printf(&text, "*%s*\n", facts[i].name);
			slack_text(&text, facts[i].value, SLACK_CHARS / 4);
			slack_mrkdwn(j, buf_slice(&text));
		}
		json_array_close(j);
		json_object_close(j);
	}
	notify_alert_id(al, id);
	if (!id[0] || !strcmp(id, "0"))
		return;
	buf_reset(&text);
	slack_text(&text, notify_str(al, "rule"), 150);
	if (m->inbox_url)
		buf_printf(&text, "  <%s/alerts/%s|alert %s>", m->inbox_url, id, id);
	json_object_open(j);
	json_kv_str(j, "type", "context");
	json_kv_array(j, "elements");
	slack_mrkdwn(j, buf_slice(&text));
	json_array_close(j);
	json_object_close(j);
}

static void slack_tally(struct json *j, const cJSON *digest, const char *list, const char *title)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const cJSON *row;

	if (!cJSON_GetArraySize(notify_member(digest, list)))
		return;
	buf_init(&text, NOTIFY_BODY_BYTES);
	buf_printf(&text, "*%s*", title);
	cJSON_ArrayForEach(row, notify_member(digest, list))
	{
		buf_printf(&text, "\n%llu  ", (unsigned long long)json_get_u64(row, "count", 0));
		slack_text(&text, notify_str(row, "name"), 120);
	}
	slack_mrkdwn(j, buf_slice(&text));
}

static void slack_digest(struct json *j, const cJSON *doc)
{
	const cJSON *d = notify_member(doc, "digest"), *al;
	CLEANUP(buf_finip) struct buf text = { 0 };
	char id[32];

	slack_section_open(j);
	json_kv_array(j, "fields");
	slack_tally(j, d, "severities", "Severities");
	slack_tally(j, d, "rules", "Rules");
	slack_tally(j, d, "hosts", "Hosts");
	slack_tally(j, d, "images", "Images");
	json_array_close(j);
	json_object_close(j);
	buf_init(&text, NOTIFY_BODY_BYTES);
	buf_add_str(&text, "*The worst*");
	cJSON_ArrayForEach(al, notify_member(doc, "alerts"))
	{
		buf_printf(&text, "\n%s: ", notify_str(al, "severity"));
		slack_text(&text, notify_str(al, "title"), 200);
		buf_printf(&text, " (%s)", notify_alert_id(al, id));
	}
	slack_section_open(j);
	json_key(j, "text");
	slack_mrkdwn(j, buf_slice(&text));
	json_object_close(j);
}

/* "*[high]* what happened": what a phone shows. */
static void slack_title(const cJSON *doc, struct buf *out)
{
	const cJSON *alerts = notify_member(doc, "alerts");
	const char *heading = heading_of(doc);
	int count = cJSON_GetArraySize(alerts);

	buf_printf(out, "*[%s%s%s]* ", heading ? heading : "", heading ? ", " : "", notify_worst(doc));
	if (notify_member(doc, "digest")) {
		notify_digest_title(doc, out);
		return;
	}
	slack_text(out, notify_str(cJSON_GetArrayItem(alerts, 0), "title"), 1000);
	if (count > 1)
		buf_printf(out, " and %d more", count - 1);
}

void notify_slack(struct json *j, const struct outgoing *m)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const cJSON *alerts = notify_member(m->doc, "alerts"), *al;
	int count = cJSON_GetArraySize(alerts), given = 0;

	buf_init(&text, NOTIFY_BODY_BYTES);
	slack_title(m->doc, &text);
	json_object_open(j);
	json_kv_slice(j, "text", buf_slice(&text));
	json_kv_array(j, "attachments");
	json_object_open(j);
	json_kv_str(j, "color", notify_is_resolved(m->doc) ? "#2da44e" : colour_of(notify_worst(m->doc)));
	json_kv_array(j, "blocks");
	if (notify_member(m->doc, "digest"))
		slack_digest(j, m->doc);
	else
		cJSON_ArrayForEach(al, alerts)
		{
			if (given++ < SLACK_ALERTS)
				slack_alert(j, m, al, count > 1);
		}
	if (given > SLACK_ALERTS) {
		buf_reset(&text);
		buf_printf(&text, "and %d more: %s/", given - SLACK_ALERTS, m->inbox_url ? m->inbox_url : "");
		slack_section_open(j);
		json_key(j, "text");
		slack_mrkdwn(j, buf_slice(&text));
		json_object_close(j);
	}
	json_array_close(j);
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
}

/* ---- Teams ---- */

static void run(struct json *j, const char *value, size_t max_chars, bool is_bold, const char *colour)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	buf_init(&shown, NOTIFY_BODY_BYTES);
	show_text(&shown, slice_of(value), max_chars);
	json_object_open(j);
	json_kv_str(j, "type", "TextRun");
	json_kv_slice(j, "text", buf_slice(&shown));
	if (is_bold)
		json_kv_str(j, "weight", "Bolder");
	if (colour)
		json_kv_str(j, "color", colour);
	json_object_close(j);
}

static void runs_open(struct json *j, bool has_line)
{
	json_object_open(j);
	json_kv_str(j, "type", "RichTextBlock");
	json_kv_str(j, "spacing", has_line ? "Medium" : "None");
	if (has_line)
		json_kv_bool(j, "separator", true);
	json_kv_array(j, "inlines");
}

static void runs_close(struct json *j)
{
	json_array_close(j);
	json_object_close(j);
}

static void teams_fact(struct json *j, const char *name, const char *value)
{
	char label[64];

	snprintf(label, sizeof(label), "%s: ", name);
	runs_open(j, false);
	run(j, label, sizeof(label), true, NULL);
	run(j, value, TEAMS_CHARS, false, NULL);
	runs_close(j);
}

static const char *teams_colour(const char *severity)
{
	return notify_rank(severity) >= SEVERITY_HIGH ? "Attention" : notify_rank(severity) == SEVERITY_MEDIUM ? "Warning" : "Accent";
}

static void teams_alert(struct json *j, const cJSON *al)
{
	struct fact facts[FACTS];
	char when[32];
	size_t count = facts_of(al, facts, when);

	runs_open(j, true);
	run(j, notify_str(al, "severity"), 16, true, teams_colour(notify_str(al, "severity")));
	run(j, "  ", 2, false, NULL);
	run(j, notify_str(al, "title"), TEAMS_CHARS, true, NULL);
	runs_close(j);
	teams_fact(j, "Rule", notify_str(al, "rule"));
	for (size_t i = 0; i < count; i++)
		teams_fact(j, facts[i].name, facts[i].value);
}

static void teams_digest(struct json *j, const cJSON *doc)
{
	static const struct {
		const char *list, *title;
	} lists[] = { { "severities", "Severities" }, { "rules", "Rules" }, { "hosts", "Hosts" }, { "images", "Images" } };
	const cJSON *d = notify_member(doc, "digest"), *row, *al;
	CLEANUP(buf_finip) struct buf line = { 0 };

	buf_init(&line, NOTIFY_BODY_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		cJSON_ArrayForEach(row, notify_member(d, lists[i].list))
		{
			buf_reset(&line);
			buf_printf(&line, "%llu  ", (unsigned long long)json_get_u64(row, "count", 0));
			show_text(&line, slice_of(notify_str(row, "name")), TEAMS_NAME_CHARS);
			teams_fact(j, lists[i].title, line.p);
		}
	cJSON_ArrayForEach(al, notify_member(doc, "alerts"))
	{
		if (j->out->n > TEAMS_LINE_BYTES)
			break;
		runs_open(j, false);
		run(j, notify_str(al, "severity"), 16, true, teams_colour(notify_str(al, "severity")));
		run(j, "  ", 2, false, NULL);
		run(j, notify_str(al, "title"), 150, false, NULL);
		runs_close(j);
	}
}

static void teams_title(struct json *j, const cJSON *doc)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const char *heading = heading_of(doc);
	int count = cJSON_GetArraySize(notify_member(doc, "alerts"));

	buf_init(&text, 4096);
	buf_printf(&text, "picket%s%s: ", heading ? ", " : "", heading ? heading : "");
	if (notify_member(doc, "digest"))
		notify_digest_title(doc, &text);
	else
		buf_printf(&text, "%d alert%s", count, count == 1 ? "" : "s");
	json_object_open(j);
	json_kv_str(j, "type", "RichTextBlock");
	json_kv_array(j, "inlines");
	run(j, text.p, 300, true, notify_is_resolved(doc) ? "Good" : teams_colour(notify_worst(doc)));
	json_array_close(j);
	json_object_close(j);
}

static void teams_actions(struct json *j, const struct outgoing *m)
{
	const cJSON *al = cJSON_GetArrayItem(notify_member(m->doc, "alerts"), 0);
	char url[1024], id[32];

	if (!m->inbox_url)
		return;
	bool is_one = cJSON_GetArraySize(notify_member(m->doc, "alerts")) == 1 && notify_alert_id(al, id)[0] && strcmp(id, "0") != 0;
	snprintf(url, sizeof(url), "%.900s/%s%s", m->inbox_url, is_one ? "alerts/" : "", is_one ? id : "");
	json_kv_array(j, "actions");
	json_object_open(j);
	json_kv_str(j, "type", "Action.OpenUrl");
	json_kv_str(j, "title", is_one ? "Open the alert" : "Open the inbox");
	json_kv_str(j, "url", url);
	json_object_close(j);
	json_array_close(j);
}

void notify_teams(struct json *j, const struct outgoing *m)
{
	const cJSON *alerts = notify_member(m->doc, "alerts"), *al;
	int given = 0, left = cJSON_GetArraySize(alerts);
	char more[64];

	json_object_open(j);
	json_kv_str(j, "type", "message");
	json_kv_array(j, "attachments");
	json_object_open(j);
	json_kv_str(j, "contentType", "application/vnd.microsoft.card.adaptive");
	json_key(j, "contentUrl");
	json_null(j);
	json_kv_object(j, "content");
	json_kv_str(j, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
	json_kv_str(j, "type", "AdaptiveCard");
	json_kv_str(j, "version", "1.4");
	json_kv_object(j, "msteams");
	json_kv_str(j, "width", "Full");
	json_object_close(j);
	json_kv_array(j, "body");
	teams_title(j, m->doc);
	if (notify_member(m->doc, "digest"))
		teams_digest(j, m->doc);
	else
		cJSON_ArrayForEach(al, alerts)
		{
			if (given == TEAMS_ALERTS || j->out->n > TEAMS_ALERT_BYTES)
				break;
			teams_alert(j, al);
			given++;
		}
	if (left > given && !notify_member(m->doc, "digest")) {
		snprintf(more, sizeof(more), "%d more", left - given);
		teams_fact(j, "And", more);
	}
	json_array_close(j);
	teams_actions(j, m);
	json_object_close(j);
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
}

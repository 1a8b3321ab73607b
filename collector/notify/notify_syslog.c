/* notify_syslog.c - alerts as syslog messages (RFC 5424), framed by their length (RFC 6587), the text in words or in
 * CEF. Pure. */
#include "collector/notify/notify_priv.h"

#include <errno.h>

#include "common/show.h"
#include "common/text.h"

enum { LINE_BYTES = 16 * 1024, VALUE_CHARS = 1000, HOST_CHARS = 255, FACILITY_AUDIT = 13 };

/* ---- escaping ---- */

static void add_shown(struct buf *out, const char *s, size_t max_chars, void (*add)(struct buf *out, char c))
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	buf_init(&shown, NOTIFY_BODY_BYTES);
	show_text(&shown, slice_of(s), max_chars); /* no line ends, no control characters */
	for (size_t i = 0; i < shown.n; i++)
		add(out, shown.p[i]);
}

/* RFC 5424, 6.3.3: three characters of a parameter's value. */
static void add_param_char(struct buf *out, char c)
{
	if (c == '"' || c == '\\' || c == ']')
		buf_add_char(out, '\\');
	buf_add_char(out, c);
}

static void add_cef_head_char(struct buf *out, char c)
{
	if (c == '|' || c == '\\')
		buf_add_char(out, '\\');
	buf_add_char(out, c);
}

static void add_cef_char(struct buf *out, char c)
{
	if (c == '=' || c == '\\')
		buf_add_char(out, '\\');
	buf_add_char(out, c);
}

/* A field of the header: printable ASCII without blanks. */
static void add_word(struct buf *out, const char *s, size_t max)
{
	size_t n = 0;

	for (; *s && n < max; s++, n++)
		buf_add_char(out, *s > 0x20 && *s < 0x7f ? *s : '_');
	if (!n)
		buf_add_char(out, '-');
}

/* ---- in words ---- */

static void param(struct buf *out, const char *name, const char *value)
{
	if (!value[0])
		return;
	buf_printf(out, " %s=\"", name);
	add_shown(out, value, VALUE_CHARS, add_param_char);
	buf_add_char(out, '"');
}

static void add_plain_char(struct buf *out, char c)
{
	buf_add_char(out, c);
}

static void add_structured(const cJSON *al, struct buf *out)
{
	const cJSON *container = notify_member(al, "container"), *process = notify_member(al, "process");
	char id[32], number[32];

	/* 32473 is the number that RFC 5612 keeps for those who have none of their own. */
	buf_add_str(out, "[picket@32473");
	param(out, "id", notify_alert_id(al, id));
	param(out, "why", notify_str(al, "why"));
	param(out, "severity", notify_str(al, "severity"));
	param(out, "rule", notify_str(al, "rule"));
	param(out, "host", notify_str(al, "host"));
	param(out, "source", notify_str(al, "source"));
	param(out, "container", notify_str(container, "name"));
	param(out, "containerId", notify_str(container, "id"));
	param(out, "image", notify_str(container, "image"));
	param(out, "process", notify_str(process, "name"));
	param(out, "command", notify_str(process, "cmdline"));
	param(out, "user", notify_str(process, "user"));
	snprintf(number, sizeof(number), "%llu", (unsigned long long)json_get_u64(al, "count", 1));
	param(out, "count", number);
	buf_add_str(out, "] ");
	add_shown(out, notify_str(al, "title"), VALUE_CHARS, add_plain_char);
}

/* ---- CEF ---- */

static void ext(struct buf *out, const char *name, const char *value)
{
	if (!value[0])
		return;
	buf_printf(out, "%s=", name);
	add_shown(out, value, VALUE_CHARS, add_cef_char);
	buf_add_char(out, ' ');
}

static void ext_labelled(struct buf *out, const char *name, const char *label, const char *value)
{
	if (!value[0])
		return;
	ext(out, name, value);
	buf_printf(out, "%sLabel=%s ", name, label);
}

static void add_cef_network(const cJSON *net, struct buf *out)
{
	char number[32];

	if (!net)
		return;
	ext(out, "src", notify_str(net, "local_address"));
	ext(out, "dst", notify_str(net, "remote_address"));
	ext(out, "proto", notify_str(net, "protocol"));
	if (json_get_u64(net, "remote_port", 0)) {
		snprintf(number, sizeof(number), "%u", (unsigned)json_get_u64(net, "remote_port", 0));
		ext(out, "dpt", number);
	}
}

static void add_cef(const cJSON *al, const struct outgoing *m, struct buf *out)
{
	static const int severities[] = { [SEVERITY_INFO] = 1, [SEVERITY_LOW] = 3, [SEVERITY_MEDIUM] = 5,
					  [SEVERITY_HIGH] = 8, [SEVERITY_CRITICAL] = 10 };
	const cJSON *container = notify_member(al, "container"), *process = notify_member(al, "process");
	uint64_t seen = m->now_unix_ns;
	char id[32], number[32], link[1024];

	buf_add_str(out, "CEF:0|picket|collector|" PICKET_VERSION "|");
	add_shown(out, notify_str(al, "rule"), 512, add_cef_head_char);
	buf_add_char(out, '|');
	add_shown(out, notify_str(al, "title"), 512, add_cef_head_char);
	buf_printf(out, "|%d|", severities[notify_rank(notify_str(al, "severity"))]);
	text_time_parse(slice_of(notify_str(al, "last_seen")), &seen);
	buf_printf(out, "rt=%llu ", (unsigned long long)(seen / 1000000));
	ext(out, "externalId", notify_alert_id(al, id));
	ext(out, "dvchost", notify_str(al, "host"));
	ext(out, "cat", notify_str(al, "source"));
	ext(out, "act", notify_str(al, "why"));
	snprintf(number, sizeof(number), "%llu", (unsigned long long)json_get_u64(al, "count", 1));
	ext(out, "cnt", number);
	ext(out, "sproc", notify_str(process, "name"));
	ext(out, "suser", notify_str(process, "user"));
	if (json_get_u64(process, "pid", 0)) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)json_get_u64(process, "pid", 0));
		ext(out, "spid", number);
	}
	ext(out, "filePath", notify_str(notify_member(al, "file"), "path"));
	add_cef_network(notify_member(al, "network"), out);
	ext_labelled(out, "cs1", "container", notify_str(container, "name"));
	ext_labelled(out, "cs2", "containerId", notify_str(container, "id"));
	ext_labelled(out, "cs3", "image", notify_str(container, "image"));
	ext_labelled(out, "cs4", "command", notify_str(process, "cmdline"));
	if (m->inbox_url && id[0] && strcmp(id, "0") != 0) {
		snprintf(link, sizeof(link), "%.900s/alerts/%s", m->inbox_url, id);
		ext_labelled(out, "cs5", "link", link);
	}
	ext(out, "msg", notify_str(al, "description"));
	if (out->n && out->p[out->n - 1] == ' ')
		out->p[--out->n] = 0;
}

/* ---- frames ---- */

static int severity_of(const cJSON *al)
{
	static const int severities[] = { [SEVERITY_INFO] = 6, [SEVERITY_LOW] = 5, [SEVERITY_MEDIUM] = 4,
					  [SEVERITY_HIGH] = 3, [SEVERITY_CRITICAL] = 2 };

	return severities[notify_rank(notify_str(al, "severity"))];
}

/* Microseconds at most: RFC 5424, 6.2.3. */
static void add_time(const char *time, uint64_t now_ns, struct buf *out)
{
	char text[TEXT_TIME_MAX];
	uint64_t seen = now_ns;

	text_time_parse(slice_of(time), &seen);
	text_time(seen, text, sizeof(text));
	buf_printf(out, "%.26sZ", text);
}

static int add_frame(const struct outgoing *m, const cJSON *al, struct buf *out, struct err *err)
{
	const struct notify_syslog *s = m->to->syslog;
	unsigned facility = s->facility ? (unsigned)s->facility : FACILITY_AUDIT;
	CLEANUP(buf_finip) struct buf line = { 0 };

	buf_init(&line, 8 * LINE_BYTES);
	buf_printf(&line, "<%u>1 ", facility * 8 + (unsigned)severity_of(al));
	add_time(notify_str(al, "last_seen"), m->now_unix_ns, &line);
	buf_add_char(&line, ' ');
	add_word(&line, notify_str(al, "host"), HOST_CHARS);
	buf_printf(&line, " picket - %s ", s->format == NOTIFY_CEF ? "cef" : "alert");
	if (s->format == NOTIFY_CEF) {
		buf_add_str(&line, "- ");
		add_cef(al, m, &line);
	} else {
		add_structured(al, &line);
	}
	if (line.failed)
		return err_set(err, ERR_LIMIT, "syslog line");
	buf_printf(out, "%zu ", line.n);
	buf_add_slice(out, buf_slice(&line));
	return 0;
}

int notify_syslog_write(const struct outgoing *m, struct buf *out, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *digest = notify_digest_alert(m->doc);
	const cJSON *al;
	int r = digest ? add_frame(m, digest, out, err) : 0;

	if (!digest)
		cJSON_ArrayForEach(al, notify_member(m->doc, "alerts"))
		{
			if (r >= 0)
				r = add_frame(m, al, out, err);
		}
	return r >= 0 && out->failed ? err_set(err, ERR_LIMIT, "syslog message") : r;
}

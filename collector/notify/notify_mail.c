/* notify_mail.c - one message for one group of alerts: RFC 5322 headers, multipart/alternative with
 * plain text and HTML, quoted-printable. Pure.
 *
 * Nothing a container can name reaches a header or the HTML as it is: names are shown
 * (common/show.h: no control characters, no line ends), encoded (RFC 2047) and escaped. */
#include <ctype.h>
#include <time.h>

#include "collector/notify/notify_priv.h"

#include "common/show.h"
#include "common/text.h"
#include "common/tls.h"

enum { LINE_MAX_CHARS = 72, SUBJECT_CHARS = 160 };
/* Of one value: what a few alerts may take, and what each of many may. A mail stays well below the
 * 10 MB that servers take, whatever containers are named. */
enum { VALUE_CHARS = 2000, VALUE_CHARS_OF_MANY = 300, MANY = 4, OUTPUT_FACTOR = 2 };

int notify_mail_address(const char *text, char *dst, size_t size, struct err *err)
{
	struct slice s = slice_trim(slice_of(text));
	ptrdiff_t from = slice_find_char(s, '<');

	if (!text_is_clean(slice_of(text)))
		return err_set(err, ERR_SYNTAX, "mail address holds control characters");
	if (from >= 0 && s.p[s.n - 1] == '>')
		s = slice_sub(s, (size_t)from + 1, s.n - (size_t)from - 2);
	bool is_one = slice_find_char(s, '@') >= 1 && slice_copy(s, dst, size);
	for (size_t i = 0; i < s.n; i++)
		is_one &= !strchr(" \t<>,;", s.p[i]); /* what a request would refuse, too */
	if (!is_one)
		return err_set(err, ERR_SYNTAX, "'%.100s' is no mail address", text);
	return 0;
}

/* RFC 2045, 6.7: what isn't plain printable ASCII becomes =XX; lines end with a soft break. */
static void add_quoted_printable(struct buf *out, struct slice s)
{
	size_t column = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bool ends_line = i + 1 == s.n || s.p[i + 1] == '\n';
		bool is_plain = (c > 0x20 && c < 0x7f && c != '=') || (c == ' ' && !ends_line);

		if (c == '\n') {
			buf_add_str(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (is_plain ? 1 : 3) > LINE_MAX_CHARS) {
			buf_add_str(out, "=\r\n");
			column = 0;
		}
		/* A lone dot starts no line: not every relay stuffs it. */
		if (is_plain && !(c == '.' && !column)) {
			buf_add_char(out, (char)c);
			column++;
		} else {
			buf_printf(out, "=%02X", c);
			column += 3;
		}
	}
	buf_add_str(out, "\r\n");
}

/* "Name: value", the value in encoded words (RFC 2047, Q) where it isn't plain ASCII. s: shown text. */
static void add_header(struct buf *out, const char *name, struct slice s)
{
	bool is_ascii = true;

	for (size_t i = 0; i < s.n; i++)
		is_ascii &= s.p[i] >= 0x20 && s.p[i] < 0x7f;
	buf_printf(out, "%s: ", name);
	if (is_ascii && slice_find(s, SLICE_LIT("=?")) < 0 && s.n < 700) {
		buf_add_slice(out, s);
		buf_add_str(out, "\r\n");
		return;
	}
	size_t used = 0; /* characters of the encoded word's text, at most 60 of 75 - "=?UTF-8?Q??=" */
	buf_add_str(out, "=?UTF-8?Q?");
	while (s.n) {
		uint32_t c;
		size_t n = text_utf8(s, &c);

		if (!n)
			n = 1; /* can't be, in shown text; encoded all the same */
		if (used + 3 * n > 60) {
			buf_add_str(out, "?=\r\n =?UTF-8?Q?");
			used = 0;
		}
		for (size_t i = 0; i < n; i++) {
			uint8_t b = (uint8_t)s.p[i];

			if (isalnum(b)) {
				buf_add_char(out, (char)b);
				used++;
			} else {
				buf_printf(out, "=%02X", b);
				used += 3;
			}
		}
		s = slice_sub(s, n, s.n);
	}
	buf_add_str(out, "?=\r\n");
}

static void add_html(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			buf_add_str(out, "&amp;");
			break;
		case '<':
			buf_add_str(out, "&lt;");
			break;
		case '>':
			buf_add_str(out, "&gt;");
			break;
		case '"':
			buf_add_str(out, "&quot;");
			break;
		case '\'':
			buf_add_str(out, "&#39;");
			break;
		default:
			buf_add_char(out, s.p[i]);
		}
	}
}

/* The two bodies grow together. */
struct bodies {
	struct buf text, html;
	size_t value_chars;
};

static void add_row(struct bodies *b, const char *name, const char *value, size_t max_chars)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	if (!value[0])
		return;
	buf_init(&shown, 64 * 1024);
	show_text(&shown, slice_of(value), max_chars);
	buf_printf(&b->text, "  %-11s%s\n", name, shown.p);
	buf_printf(&b->html, "<tr><th align=\"left\" valign=\"top\">%s</th><td>", name);
	add_html(&b->html, buf_slice(&shown));
	buf_add_str(&b->html, "</td></tr>\n");
}

static void container_text(const cJSON *al, struct buf *out)
{
	const cJSON *c = notify_member(al, "container");
	const char *name = notify_str(c, "name"), *id = notify_str(c, "id");

	if (!id[0])
		return;
	buf_printf(out, "%s (%.12s)", name[0] ? name : "unnamed", id);
}

/* "name  pid 42  command line", as somebody at a terminal would say it. */
static void process_text(const cJSON *p, struct buf *out)
{
	const char *cmdline = notify_str(p, "cmdline");

	if (!cJSON_IsObject(p))
		return;
	buf_add_str(out, cmdline[0] ? cmdline : notify_str(p, "name"));
	buf_printf(out, " (pid %llu", (unsigned long long)json_get_u64(p, "pid", 0));
	if (notify_str(p, "exe")[0])
		buf_printf(out, ", %s", notify_str(p, "exe"));
	buf_add_char(out, ')');
}

static void add_made_row(struct bodies *b, const char *name, struct buf *value)
{
	if (value->n)
		add_row(b, name, value->p, b->value_chars);
	buf_reset(value);
}

static const char *heading_of(const char *why)
{
	static const struct {
		const char *why, *heading;
	} all[] = { { "resolved", "Resolved: " },	     { "unacknowledged", "Nobody took it: " },
		    { "repeated", "Still open: " },	     { "worse", "Worse: " },
		    { "reopened", "It happened again: " }, { "acknowledged", "Somebody is on it: " } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i].why, why))
			return all[i].heading;
	return "";
}

/* The one thing in a mail that can be clicked on; made of the configuration and a number. */
static void add_link(struct bodies *b, const char *inbox_url, const char *id)
{
	CLEANUP(buf_finip) struct buf link = { 0 };

	buf_init(&link, 4096);
	buf_printf(&link, "%s/alerts/%s", inbox_url, id);
	buf_printf(&b->text, "  %-11s%s\n", "Inbox", link.p);
	buf_add_str(&b->html, "<tr><th align=\"left\" valign=\"top\">Inbox</th><td><a href=\"");
	add_html(&b->html, buf_slice(&link));
	buf_add_str(&b->html, "\">");
	add_html(&b->html, buf_slice(&link));
	buf_add_str(&b->html, "</a></td></tr>\n");
}

static void add_alert(struct bodies *b, const cJSON *al, const char *inbox_url)
{
	CLEANUP(buf_finip) struct buf s = { 0 };
	const cJSON *process = notify_member(al, "process");
	const char *why = notify_str(al, "why"), *heading = heading_of(why);
	unsigned long long count = (unsigned long long)json_get_u64(al, "count", 1);
	char id[32], when[32];

	notify_alert_id(al, id);
	buf_init(&s, 128 * 1024);
	show_text(&s, slice_of(notify_str(al, "title")), b->value_chars);
	buf_printf(&b->text, "%s%s.\n\n", heading, s.n ? s.p : "");
	buf_printf(&b->html, "<p><strong>%s", heading);
	add_html(&b->html, buf_slice(&s));
	buf_add_str(&b->html, ".</strong></p>\n<table cellpadding=\"3\">\n");
	buf_reset(&s);

	add_row(b, "Severity", notify_str(al, "severity"), 32);
	add_row(b, "Rule", notify_str(al, "rule"), b->value_chars);
	add_row(b, "Host", notify_str(al, "host"), b->value_chars);
	container_text(al, &s);
	add_made_row(b, "Container", &s);
	add_row(b, "Image", notify_str(notify_member(al, "container"), "image"), b->value_chars);
	process_text(process, &s);
	add_made_row(b, "Process", &s);
	add_row(b, "User", notify_str(process, "user"), b->value_chars);
	process_text(notify_member(process, "parent"), &s);
	add_made_row(b, "Started by", &s);
	add_row(b, notify_member(al, "network") ? "Connection" : notify_member(al, "file") ? "File" : "Call", notify_str(al, "summary"),
		b->value_chars);
	add_row(b, "Action", notify_str(cJSON_GetArrayItem(notify_member(al, "actions"), 0), "text"), b->value_chars);
	add_row(b, "Time", notify_time_shown(notify_str(al, "last_seen"), when), 64);
	if (count > 1) {
		buf_printf(&s, "%llu times since %s", count, notify_time_shown(notify_str(al, "first_seen"), when));
		add_made_row(b, "Seen", &s);
	}
	add_row(b, "Why", notify_str(al, "description"), b->value_chars);
	add_row(b, "Output", notify_str(al, "output"), OUTPUT_FACTOR * b->value_chars);
	if (!id[0] || !strcmp(id, "0")) { /* a test: there is none to be shown */
		buf_add_str(&b->html, "</table>\n");
		return;
	}
	buf_printf(&s, "picketctl alert show %s", id);
	add_made_row(b, "More", &s);
	if (inbox_url)
		add_link(b, inbox_url, id);
	buf_add_str(&b->text, "\n");
	buf_add_str(&b->html, "</table>\n");
}

/* "[picket high] Download tool in container: web-1 on host-07"; of several alerts the worst severity and how many
 * more. */
static void add_subject(struct buf *out, const struct outgoing *m)
{
	CLEANUP(buf_finip) struct buf s = { 0 };
	const cJSON *alerts = notify_member(m->doc, "alerts"), *first = cJSON_GetArrayItem(alerts, 0);
	const char *name = notify_str(notify_member(first, "container"), "name"), *why = notify_str(first, "why");
	int count = cJSON_GetArraySize(alerts);

	buf_init(&s, 8192);
	buf_printf(&s, "[picket %s] ", cJSON_IsTrue(notify_member(m->doc, "test")) ? "test" : notify_worst(m->doc));
	if (notify_member(m->doc, "digest")) {
		notify_digest_title(m->doc, &s);
		add_header(out, "Subject", buf_slice(&s));
		return;
	}
	if (notify_is_resolved(m->doc))
		buf_add_str(&s, "Resolved: ");
	else if (!strcmp(why, "unacknowledged"))
		buf_add_str(&s, "Nobody took it: ");
	else if (!strcmp(why, "repeated"))
		buf_add_str(&s, "Still open: ");
	show_text(&s, slice_of(notify_str(first, "rule")), SUBJECT_CHARS);
	if (name[0]) {
		buf_add_str(&s, ": ");
		show_text(&s, slice_of(name), 64);
	}
	if (count > 1)
		buf_printf(&s, " and %d more", count - 1);
	buf_add_str(&s, " on ");
	show_text(&s, slice_of(notify_str(first, "host")), 64);
	add_header(out, "Subject", buf_slice(&s));
}

static void add_date(struct buf *out, uint64_t unix_ns)
{
	/* strftime would speak the operator's language. */
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(unix_ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return;
	buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
		   months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A group's first message has the thread's id, the others refer to it. The same message has the same id however
 * often it is sent, so that a reader's program drops a second one. */
static void add_ids(struct buf *out, const struct outgoing *m, const char *domain)
{
	uint8_t hash[32];
	char id[65];

	tls_sha256(slice_of(m->key), hash);
	if (m->serial == 1 && m->thread[0]) {
		buf_printf(out, "Message-ID: <%.32s@%s>\r\n", m->thread, domain);
		return;
	}
	buf_printf(out, "Message-ID: <%.32s@%s>\r\n", text_hex(hash, sizeof(hash), id), domain);
	if (m->thread[0])
		buf_printf(out, "In-Reply-To: <%.32s@%s>\r\nReferences: <%.32s@%s>\r\n", m->thread, domain, m->thread, domain);
}

static int add_headers(const struct outgoing *m, const char *boundary, struct buf *out, struct err *err)
{
	const struct notify_mail *mail = m->to->mail;
	const char *const *to = mail->to.items;
	char from[256];

	int r = notify_mail_address(mail->from, from, sizeof(from), err);
	if (r < 0)
		return r;
	add_date(out, m->now_unix_ns);
	buf_printf(out, "From: %s\r\nTo: ", mail->from);
	for (size_t i = 0; i < mail->to.count; i++)
		buf_printf(out, "%s%s", i ? ",\r\n " : "", to[i]);
	buf_add_str(out, "\r\n");
	add_subject(out, m);
	add_ids(out, m, strchr(from, '@') + 1);
	buf_printf(out, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nX-Picket-Severity: %s\r\n"
			"MIME-Version: 1.0\r\n"
			"Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
		   notify_worst(m->doc), boundary);
	return 0;
}

static void add_part(struct buf *out, const char *boundary, const char *type, struct slice body)
{
	buf_printf(out, "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\n", boundary, type);
	add_quoted_printable(out, body);
}

/* ---- a digest ---- */

static void add_tally(struct bodies *b, const cJSON *digest, const char *list, const char *number, const char *title)
{
	CLEANUP(buf_finip) struct buf name = { 0 };
	const cJSON *row;
	uint64_t all = json_get_u64(digest, number, 0);
	int given = cJSON_GetArraySize(notify_member(digest, list));

	if (!given)
		return;
	buf_init(&name, 64 * 1024);
	buf_printf(&b->text, "%s\n", title);
	buf_printf(&b->html, "<h4>%s</h4>\n<table cellpadding=\"3\">\n", title);
	cJSON_ArrayForEach(row, notify_member(digest, list))
	{
		unsigned long long count = (unsigned long long)json_get_u64(row, "count", 0);

		buf_reset(&name);
		show_text(&name, slice_of(notify_str(row, "name")), b->value_chars);
		buf_printf(&b->text, "  %7llu  %s\n", count, name.p);
		buf_printf(&b->html, "<tr><td align=\"right\">%llu</td><td>", count);
		add_html(&b->html, buf_slice(&name));
		buf_add_str(&b->html, "</td></tr>\n");
	}
	if (all > (uint64_t)given) {
		buf_printf(&b->text, "           and %llu more\n", (unsigned long long)(all - (uint64_t)given));
		buf_printf(&b->html, "<tr><td></td><td>and %llu more</td></tr>\n", (unsigned long long)(all - (uint64_t)given));
	}
	buf_add_str(&b->text, "\n");
	buf_add_str(&b->html, "</table>\n");
}

static void add_worst(struct bodies *b, const cJSON *doc, const char *inbox_url)
{
	CLEANUP(buf_finip) struct buf line = { 0 };
	const cJSON *al;
	char id[32];

	buf_init(&line, 64 * 1024);
	buf_add_str(&b->text, "The worst\n");
	buf_add_str(&b->html, "<h4>The worst</h4>\n<ul>\n");
	cJSON_ArrayForEach(al, notify_member(doc, "alerts"))
	{
		buf_reset(&line);
		buf_printf(&line, "%s: ", notify_str(al, "severity"));
		show_text(&line, slice_of(notify_str(al, "title")), VALUE_CHARS_OF_MANY);
		buf_printf(&line, " (%s)", notify_alert_id(al, id));
		buf_printf(&b->text, "  %s\n", line.p);
		buf_add_str(&b->html, "<li>");
		if (inbox_url)
			buf_printf(&b->html, "<a href=\"%s/alerts/%s\">", inbox_url, id);
		add_html(&b->html, buf_slice(&line));
		buf_printf(&b->html, "%s</li>\n", inbox_url ? "</a>" : "");
	}
	buf_add_str(&b->text, "\n");
	buf_add_str(&b->html, "</ul>\n");
}

static void add_digest(struct bodies *b, const struct outgoing *m)
{
	CLEANUP(buf_finip) struct buf title = { 0 };
	const cJSON *d = notify_member(m->doc, "digest");

	buf_init(&title, 4096);
	notify_digest_title(m->doc, &title);
	buf_printf(&b->text, "%s. This one mail stands for all of them.\n\n", title.p);
	buf_printf(&b->html, "<p><strong>%s.</strong> This one mail stands for all of them.</p>\n", title.p);
	add_tally(b, d, "severities", "severity_count", "Severities");
	add_tally(b, d, "rules", "rule_count", "Rules");
	add_tally(b, d, "hosts", "host_count", "Hosts");
	add_tally(b, d, "images", "image_count", "Images");
	add_worst(b, m->doc, m->inbox_url);
	buf_printf(&b->text, "  picketctl alert list --since %.19sZ\n", notify_str(d, "from"));
	buf_printf(&b->html, "<p><code>picketctl alert list --since %.19sZ</code></p>\n", notify_str(d, "from"));
	if (m->inbox_url) {
		buf_printf(&b->text, "  %s/\n", m->inbox_url);
		buf_printf(&b->html, "<p><a href=\"%s/\">%s/</a></p>\n", m->inbox_url, m->inbox_url);
	}
}

int notify_mail_write(const struct outgoing *m, struct buf *out, struct err *err)
{
	const cJSON *alerts = notify_member(m->doc, "alerts"), *al;
	struct bodies b;
	char boundary[37 + 8] = "picket-";

	if (!cJSON_IsObject(cJSON_GetArrayItem(alerts, 0)))
		return err_set(err, ERR_CORRUPT, "nothing to mail");
	b.value_chars = cJSON_GetArraySize(alerts) > MANY ? VALUE_CHARS_OF_MANY : VALUE_CHARS;
	buf_init(&b.text, 2 * NOTIFY_BODY_BYTES);
	buf_init(&b.html, 4 * NOTIFY_BODY_BYTES);
	buf_add_str(&b.html, "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n");
	if (notify_member(m->doc, "digest"))
		add_digest(&b, m);
	else
		cJSON_ArrayForEach(al, alerts)
			add_alert(&b, al, m->inbox_url);
	buf_add_str(&b.html, "</body></html>\n");
	text_uuid(boundary + 7);
	int r = add_headers(m, boundary, out, err);
	if (r == 0) {
		add_part(out, boundary, "text/plain", buf_slice(&b.text));
		add_part(out, boundary, "text/html", buf_slice(&b.html));
		buf_printf(out, "--%s--\r\n", boundary);
		if (b.text.failed || b.html.failed || out->failed)
			r = err_set(err, ERR_LIMIT, "mail is too large");
	}
	buf_fini(&b.text);
	buf_fini(&b.html);
	return r;
}

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

static const char *str(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static const cJSON *member(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

int notify_mail_address(const char *text, char *dst, size_t size, struct err *err)
{
	struct slice s = slice_trim(slice_of(text));
	ptrdiff_t from = slice_find_char(s, '<');

	if (!text_is_clean(slice_of(text)))
		return err_set(err, ERR_SYNTAX, "mail address holds control characters");
	if (from >= 0 && s.p[s.n - 1] == '>')
		s = slice_sub(s, (size_t)from + 1, s.n - (size_t)from - 2);
	if (slice_find_char(s, '@') < 1 || slice_find_char(s, ' ') >= 0 ||
	    slice_find_char(s, '<') >= 0 || slice_find_char(s, '>') >= 0 ||
	    !slice_copy(s, dst, size))
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
	const cJSON *c = member(al, "container");
	const char *name = str(c, "name"), *id = str(c, "id");

	if (!id[0])
		return;
	buf_printf(out, "%s (%.12s)", name[0] ? name : "unnamed", id);
}

/* "name  pid 42  command line", as somebody at a terminal would say it. */
static void process_text(const cJSON *p, struct buf *out)
{
	const char *cmdline = str(p, "cmdline");

	if (!cJSON_IsObject(p))
		return;
	buf_add_str(out, cmdline[0] ? cmdline : str(p, "name"));
	buf_printf(out, " (pid %llu", (unsigned long long)json_get_u64(p, "pid", 0));
	if (str(p, "exe")[0])
		buf_printf(out, ", %s", str(p, "exe"));
	buf_add_char(out, ')');
}

static void add_made_row(struct bodies *b, const char *name, struct buf *value)
{
	if (value->n)
		add_row(b, name, value->p, b->value_chars);
	buf_reset(value);
}

static void add_alert(struct bodies *b, const cJSON *al, const char *inbox_url)
{
	CLEANUP(buf_finip) struct buf s = { 0 };
	const cJSON *process = member(al, "process");
	unsigned long long count = (unsigned long long)json_get_u64(al, "count", 1);

	buf_init(&s, 128 * 1024);
	show_text(&s, slice_of(str(al, "title")), b->value_chars);
	buf_printf(&b->text, "%s.\n\n", s.n ? s.p : "");
	buf_add_str(&b->html, "<p><strong>");
	add_html(&b->html, buf_slice(&s));
	buf_add_str(&b->html, ".</strong></p>\n<table cellpadding=\"3\">\n");
	buf_reset(&s);

	add_row(b, "Severity", str(al, "severity"), 32);
	add_row(b, "Rule", str(al, "rule"), b->value_chars);
	add_row(b, "Host", str(al, "host"), b->value_chars);
	container_text(al, &s);
	add_made_row(b, "Container", &s);
	add_row(b, "Image", str(member(al, "container"), "image"), b->value_chars);
	process_text(process, &s);
	add_made_row(b, "Process", &s);
	add_row(b, "User", str(process, "user"), b->value_chars);
	process_text(member(process, "parent"), &s);
	add_made_row(b, "Started by", &s);
	add_row(b, member(al, "network") ? "Connection" : member(al, "file") ? "File" : "Call", str(al, "summary"),
		b->value_chars);
	add_row(b, "Action", str(cJSON_GetArrayItem(member(al, "actions"), 0), "text"), b->value_chars);
	add_row(b, "Time", str(al, "last_seen"), 64);
	if (count > 1) {
		buf_printf(&s, "%llu times since %s", count, str(al, "first_seen"));
		add_made_row(b, "Seen", &s);
	}
	add_row(b, "Why", str(al, "description"), b->value_chars);
	add_row(b, "Output", str(al, "output"), OUTPUT_FACTOR * b->value_chars);
	buf_printf(&s, "picketctl alert show %s", str(al, "id"));
	add_made_row(b, "More", &s);
	if (inbox_url) {
		buf_printf(&s, "%s/alerts/%s", inbox_url, str(al, "id"));
		add_made_row(b, "Inbox", &s);
	}
	buf_add_str(&b->text, "\n");
	buf_add_str(&b->html, "</table>\n");
}

static unsigned rank(const char *severity)
{
	for (unsigned i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
		if (!strcmp(severity, msg_severity_name(i)))
			return i;
	}
	return 0;
}

static const char *worst_severity(const cJSON *const *alerts, size_t count)
{
	unsigned worst = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned one = rank(str(alerts[i], "severity"));

		worst = one > worst ? one : worst;
	}
	return msg_severity_name(worst);
}

/* "[picket high] Download tool in container: web-1 on host-07"; of several alerts the worst severity
 * and how many more. */
static void add_subject(struct buf *out, const cJSON *const *alerts, size_t count)
{
	CLEANUP(buf_finip) struct buf s = { 0 };
	const char *name = str(member(alerts[0], "container"), "name");

	buf_init(&s, 8192);
	buf_printf(&s, "[picket %s] ", worst_severity(alerts, count));
	show_text(&s, slice_of(str(alerts[0], "rule")), SUBJECT_CHARS);
	if (name[0]) {
		buf_add_str(&s, ": ");
		show_text(&s, slice_of(name), 64);
	}
	if (count > 1)
		buf_printf(&s, " and %zu more", count - 1);
	buf_add_str(&s, " on ");
	show_text(&s, slice_of(str(alerts[0], "host")), 64);
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

static int add_headers(const struct notify_mail_parts *p, const cJSON *const *alerts, size_t count,
		       const char *boundary, struct buf *out, struct err *err)
{
	const char *const *to = p->mail->to.items;
	char from[256];
	uint8_t hash[32];
	char id[65];

	int r = notify_mail_address(p->mail->from, from, sizeof(from), err);
	if (r < 0)
		return r;
	add_date(out, p->now_unix_ns);
	buf_printf(out, "From: %s\r\nTo: ", p->mail->from);
	for (size_t i = 0; i < p->mail->to.count; i++)
		buf_printf(out, "%s%s", i ? ",\r\n " : "", to[i]);
	buf_add_str(out, "\r\n");
	add_subject(out, alerts, count);
	/* The same first row gives the same id, so that a reader's program drops a second send. */
	tls_sha256(slice_of(p->key), hash);
	buf_printf(out, "Message-ID: <%.32s@%s>\r\n", text_hex(hash, sizeof(hash), id),
		   strchr(from, '@') + 1);
	buf_printf(out, "Auto-Submitted: auto-generated\r\nX-Picket-Severity: %s\r\n"
			"MIME-Version: 1.0\r\n"
			"Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
		   worst_severity(alerts, count), boundary);
	return 0;
}

static void add_part(struct buf *out, const char *boundary, const char *type, struct slice body)
{
	buf_printf(out, "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\n", boundary, type);
	add_quoted_printable(out, body);
}

static int write_alerts(const struct notify_mail_parts *p, const cJSON *const *alerts, size_t count,
			struct buf *out, struct err *err)
{
	struct bodies b;
	char boundary[37 + 8] = "picket-";

	b.value_chars = count > MANY ? VALUE_CHARS_OF_MANY : VALUE_CHARS;
	buf_init(&b.text, 2 * NOTIFY_BODY_BYTES);
	buf_init(&b.html, 4 * NOTIFY_BODY_BYTES);
	buf_add_str(&b.html, "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n");
	for (size_t i = 0; i < count; i++)
		add_alert(&b, alerts[i], p->inbox_url);
	buf_add_str(&b.html, "</body></html>\n");
	text_uuid(boundary + 7);
	int r = add_headers(p, alerts, count, boundary, out, err);
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

int notify_mail_write(const struct notify_mail_parts *p, struct buf *out, struct err *err)
{
	cJSON *docs[NOTIFY_MAIL_ALERTS] = { NULL };
	const cJSON *alerts[NOTIFY_MAIL_ALERTS];
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < p->count && i < NOTIFY_MAIL_ALERTS && r == 0; i++) {
		r = json_parse(p->bodies[i], NOTIFY_BODY_BYTES, &docs[i], err);
		const cJSON *al = r == 0 ? cJSON_GetArrayItem(member(docs[i], "alerts"), 0) : NULL;
		if (cJSON_IsObject(al))
			alerts[count++] = al;
	}
	if (r == 0)
		r = count ? write_alerts(p, alerts, count, out, err) :
			    err_set(err, ERR_CORRUPT, "nothing to mail");
	for (size_t i = 0; i < NOTIFY_MAIL_ALERTS; i++)
		cJSON_Delete(docs[i]);
	return r;
}

/* ctl_text.c - rows as JSON, YAML and CSV; ages. */
#include "collector/ctl/ctl.h"

#include "common/show.h"
#include "common/text.h"

void ctl_json_safe(struct slice json, struct buf *out)
{
	while (json.n) {
		uint32_t c;
		size_t n = text_utf8(json, &c);

		/* Outside of strings JSON has no such characters, inside \u is the same. */
		if (n && c >= 0x7f && text_is_control(c))
			buf_printf(out, "\\u%04x", (unsigned)c);
		else
			buf_add(out, json.p, n ? n : 1);
		json = slice_sub(json, n ? n : 1, json.n);
	}
}

static void yaml_scalar(const cJSON *v, struct buf *out)
{
	struct buf text = { 0 };
	struct json j;

	if (cJSON_IsString(v)) {
		/* A JSON string is a double-quoted YAML scalar. */
		json_init(&j, &text);
		json_str(&j, slice_of(v->valuestring));
		ctl_json_safe(buf_slice(&text), out);
		buf_fini(&text);
	} else if (cJSON_IsNumber(v)) {
		ctl_value(v, out);
	} else {
		buf_add_str(out, cJSON_IsTrue(v) ? "true" : cJSON_IsFalse(v) ? "false" : "null");
	}
}

static bool is_block(const cJSON *v)
{
	return (cJSON_IsObject(v) || cJSON_IsArray(v)) && v->child;
}

static void yaml_key(const cJSON *v, struct buf *out)
{
	struct json j;
	struct buf text = { 0 };

	json_init(&j, &text);
	json_str(&j, slice_of(v->string));
	/* Our own keys are plain words; a rule's field names may be anything. */
	if (v->string[0] && !v->string[strspn(v->string, "abcdefghijklmnopqrstuvwxyz_.0123456789")])
		buf_add_str(out, v->string);
	else
		ctl_json_safe(buf_slice(&text), out);
	buf_fini(&text);
}

void ctl_yaml(const cJSON *v, unsigned indent, struct buf *out)
{
	const cJSON *item;
	bool is_first = true;

	cJSON_ArrayForEach(item, v)
	{
		/* The first line of an item stands behind its parent's "- ". */
		if (!is_first || !out->n || out->p[out->n - 1] == '\n')
			buf_printf(out, "%*s", (int)indent, "");
		is_first = false;
		if (cJSON_IsArray(v)) {
			buf_add_str(out, "- ");
		} else {
			yaml_key(item, out);
			buf_add_str(out, ":");
			buf_add_str(out, is_block(item) ? "\n" : " ");
		}
		if (is_block(item)) {
			ctl_yaml(item, indent + 2, out);
			continue;
		}
		if (cJSON_IsObject(item))
			buf_add_str(out, "{}");
		else if (cJSON_IsArray(item))
			buf_add_str(out, "[]");
		else
			yaml_scalar(item, out);
		buf_add_char(out, '\n');
	}
}

static void csv_cell(struct slice text, struct buf *out)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	buf_init(&shown, 0);
	show_text(&shown, text, 32000);
	buf_add_char(out, '"');
	/* A spreadsheet runs what begins so. */
	if (shown.n && strchr("=+-@\t\r|", shown.p[0]))
		buf_add_char(out, '\'');
	for (size_t i = 0; i < shown.n; i++) {
		if (shown.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, shown.p[i]);
	}
	buf_add_char(out, '"');
}

void ctl_csv_header(const struct ctl_view *view, struct buf *out)
{
	for (size_t i = 0; i < view->column_count; i++)
		buf_printf(out, "%s%s", i ? "," : "", view->columns[i].title);
	buf_add_str(out, "\r\n");
}

void ctl_csv_row(const struct ctl_view *view, const cJSON *row, struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	for (size_t i = 0; i < view->column_count; i++) {
		const struct ctl_column *col = &view->columns[i];

		buf_reset(&text);
		/* Where a path is given too, the value is only a shorter form for the table. */
		if (col->path)
			ctl_value(ctl_at(row, col->path), &text);
		else
			col->value(row, &text);
		if (i)
			buf_add_char(out, ',');
		csv_cell(buf_slice(&text), out);
	}
	buf_add_str(out, "\r\n");
}

/* SOURCE_DATE_EPOCH stands for now where output must be the same every day. */
static uint64_t now_unix(void)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	uint64_t s;

	return fixed && slice_to_u64(slice_of(fixed), &s) ? s : (uint64_t)time(NULL);
}

void ctl_age(const char *when, struct buf *out)
{
	uint64_t ns, now = now_unix();

	if (!text_time_parse(slice_of(when), &ns))
		return;
	uint64_t s = ns / 1000000000 < now ? now - ns / 1000000000 : 0;
	if (s < 120)
		buf_printf(out, "%llus", (unsigned long long)s);
	else if (s < 2 * 3600)
		buf_printf(out, "%llum", (unsigned long long)s / 60);
	else if (s < 2 * 86400)
		buf_printf(out, "%lluh", (unsigned long long)s / 3600);
	else
		buf_printf(out, "%llud", (unsigned long long)s / 86400);
}

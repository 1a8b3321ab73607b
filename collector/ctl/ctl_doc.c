/* ctl_doc.c - one document for people: its values, lines and lists; and what verbs on one thing do alike. */
#include <errno.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

enum { VALUE_CHARS = 4000, SHORT_ID = 12 };

const char *ctl_str(const cJSON *row, const char *path)
{
	const cJSON *v = ctl_at(row, path);

	return cJSON_IsString(v) ? v->valuestring : "";
}

bool ctl_is_true(const cJSON *row, const char *path)
{
	return cJSON_IsTrue(ctl_at(row, path));
}

/* ---- values ---- */

void ctl_short_id(const char *id, struct buf *out)
{
	struct slice whole = slice_of(id);
	ptrdiff_t colon = slice_find_char(whole, ':');

	buf_add_slice(out, slice_sub(whole, (size_t)(colon + 1), SHORT_ID));
}

void ctl_container(const cJSON *row, struct buf *out)
{
	const char *name = ctl_str(row, "container.name");

	if (name[0])
		buf_add_str(out, name);
	else
		ctl_short_id(ctl_str(row, "container.id"), out);
}

void ctl_endpoint(const cJSON *row, const char *address, const char *port, struct buf *out)
{
	const char *text = ctl_str(row, address);

	if (!text[0])
		return;
	buf_printf(out, strchr(text, ':') ? "[%s]:" : "%s:", text);
	ctl_value(ctl_at(row, port), out);
}

void ctl_join(const cJSON *list, struct buf *out)
{
	const cJSON *item;
	unsigned n = 0;

	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsString(item))
			buf_printf(out, "%s%s", n++ ? " " : "", item->valuestring);
	}
}

/* ---- lines ---- */

void ctl_line(struct buf *out, unsigned indent, const char *name, const char *value)
{
	if (!value[0])
		return;
	buf_printf(out, "%*s%-*s", (int)indent, "", 14 - (int)indent, name);
	show_text(out, slice_of(value), VALUE_CHARS);
	buf_add_char(out, '\n');
}

void ctl_line_buf(struct buf *out, unsigned indent, const char *name, const struct buf *value)
{
	ctl_line(out, indent, name, value->n ? value->p : "");
}

void ctl_lines(struct buf *out, unsigned indent, const cJSON *doc, const struct ctl_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_finip) struct buf value = { 0 };

		ctl_value(ctl_at(doc, fields[i].path), &value);
		ctl_line_buf(out, indent, fields[i].name, &value);
	}
}

void ctl_line_each(struct buf *out, const char *name, const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		ctl_line(out, 0, name, cJSON_IsString(item) ? item->valuestring : "");
		name = "";
	}
}

void ctl_heading(struct buf *out, const char *what, const char *title)
{
	show_text(out, slice_of(what), 300);
	buf_add_str(out, "  ");
	show_text(out, slice_of(title), 500);
	buf_add_str(out, "\n\n");
}

void ctl_risk(struct buf *out, const cJSON *doc)
{
	const cJSON *item;

	ctl_lines(out, 0, doc, &(const struct ctl_field){ "risk", "risk" }, 1);
	cJSON_ArrayForEach(item, ctl_at(doc, "risk_reasons"))
	{
		buf_printf(out, "  %+4.0f  ", ctl_at(item, "points") ? ctl_at(item, "points")->valuedouble : 0);
		show_text(out, slice_of(ctl_str(item, "what")), 40);
		buf_add_str(out, ": ");
		show_text(out, slice_of(ctl_str(item, "text")), 400);
		buf_add_char(out, '\n');
	}
}

size_t ctl_print_list(struct ctl *c, const char *title, const struct ctl_view *view, const cJSON *list)
{
	struct ctl_table t = { .view = view };
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0;
	cJSON **rows = n ? calloc(n, sizeof(*rows)) : NULL, *item;

	cJSON_ArrayForEach(item, (cJSON *)(uintptr_t)list)
	{
		if (rows)
			rows[i++] = item;
	}
	if (i) {
		if (title)
			fprintf(c->out, "%s\n", title);
		ctl_table_print(c, &t, rows, i);
	}
	free(rows);
	return i;
}

void ctl_print_csv(struct ctl *c, const struct ctl_view *view, const cJSON *list)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	const cJSON *item;

	ctl_csv_header(view, &out);
	cJSON_ArrayForEach(item, list)
		ctl_csv_row(view, item, &out);
	fwrite(out.p, 1, out.n, c->out);
}

/* ---- asking for one, changing one ---- */

bool ctl_is_table(const struct ctl *c)
{
	return c->format == CTL_TABLE || c->format == CTL_WIDE;
}

int ctl_print_doc(struct ctl *c, struct slice raw, const cJSON *doc, void (*print)(struct ctl *c, const cJSON *doc),
		  struct err *err)
{
	if (c->format == CTL_CSV)
		return err_set(err, ERR_USAGE, "%s %s has no columns: -o table, json, ndjson or yaml", c->noun, c->verb);
	if (ctl_is_table(c))
		print(c, doc);
	else
		ctl_print_one(c, raw, doc);
	return 0;
}

int ctl_get(struct ctl *c, const char *path, const struct slice *body, struct buf *ret_raw, cJSON **ret,
	    struct err *err)
{
	int r = ctl_request(c, path, body, ret_raw, err);

	return r < 0 ? r : json_parse(buf_slice(ret_raw), ret_raw->n, ret, err);
}

int ctl_one_path(const struct ctl *c, const char *before, const char *needs, struct buf *ret, struct err *err)
{
	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "%s %s needs one %s", c->noun, c->verb, needs);
	buf_add_str(ret, before);
	ctl_escape_path(ret, c->args[0]);
	return 0;
}

int ctl_needs_reason(const struct ctl *c, struct err *err)
{
	if (c->reason && c->reason[0])
		return 0;
	return err_set(err, ERR_USAGE, "%s %s needs --reason: whoever comes after you wants to know why", c->noun,
		       c->verb);
}

void ctl_wish(struct json *j, const char *key, const char *value)
{
	if (value)
		json_kv_str(j, key, value);
}

int ctl_list_ends(struct ctl *c, const struct ctl_view *view, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 };
	struct ctl_view v = *view;

	if (c->arg_count)
		return err_set(err, ERR_USAGE, "%s %s takes no filter", c->noun, c->verb);
	buf_add_str(&path, view->path);
	ctl_query(&path, "ended", c->wants_ended ? "yes" : NULL);
	v.path = path.p;
	return ctl_list(c, &v, err);
}

int ctl_end_each(struct ctl *c, const char *before, const char *what, const char *list, struct err *err)
{
	static const struct slice body = SLICE_LIT("{}");
	int r = c->arg_count ? 0 : err_set(err, ERR_USAGE, "%s %s needs a number; see picketctl %s %s", c->noun, c->verb,
					   c->noun, list);

	for (size_t i = 0; i < c->arg_count && r >= 0; i++) {
		CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };

		buf_add_str(&path, before);
		ctl_escape_path(&path, c->args[i]);
		buf_add_str(&path, "/end");
		r = ctl_request(c, path.p, &body, &raw, err);
		if (r >= 0)
			fprintf(c->out, "%s %s ended\n", what, c->args[i]);
	}
	return r;
}

/* ctl_vuln.c - vuln list, show, accept, accepted, unaccept. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

static const char *str(const cJSON *row, const char *path)
{
	const cJSON *v = ctl_at(row, path);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static bool is_true(const cJSON *row, const char *path)
{
	return cJSON_IsTrue(ctl_at(row, path));
}

/* In percent, as people say it; nothing without one. */
void ctl_epss(const cJSON *row, struct buf *out)
{
	const cJSON *v = ctl_at(row, "epss");

	if (cJSON_IsNumber(v))
		buf_printf(out, v->valuedouble >= 0.1 ? "%.0f%%" : "%.1f%%", 100 * v->valuedouble);
}

static void kev(const cJSON *row, struct buf *out)
{
	buf_add_str(out, is_true(row, "kev") ? "yes" : "");
}

/* ---- of one image ---- */

static const struct ctl_column image_vuln_columns[] = {
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "ID", .path = "id", .may_shrink = true },
	{ .title = "PACKAGE", .path = "package", .may_shrink = true },
	{ .title = "INSTALLED", .path = "installed", .may_shrink = true },
	{ .title = "FIXED", .path = "fixed", .may_shrink = true },
	{ .title = "STATUS", .path = "status", .may_shrink = true, .hide = 3 },
	{ .title = "KEV", .path = "kev", .value = kev },
	{ .title = "EPSS", .path = "epss", .value = ctl_epss },
	{ .title = "USED", .path = "used" },
	{ .title = "TITLE", .path = "title", .may_shrink = true, .hide = 2 },
	{ .title = "SCORE", .path = "score", .is_wide = true },
	{ .title = "LAYER", .path = "layer", .is_wide = true },
	{ .title = "PATH", .path = "path", .is_wide = true },
	{ .title = "NOTE", .path = "note", .is_wide = true },
	{ .title = "FEED", .path = "feed", .is_wide = true },
	{ .title = "FIRST_SEEN", .path = "first_seen", .is_wide = true },
};
const struct ctl_view ctl_image_vuln_view = { .path = "",
					      .columns = image_vuln_columns,
					      .column_count = ARRAY_LEN(image_vuln_columns) };

/* ---- list ---- */

static void names(const cJSON *row, struct buf *out)
{
	const cJSON *item;
	unsigned n = 0;

	cJSON_ArrayForEach(item, ctl_at(row, "packages"))
	{
		if (cJSON_IsString(item))
			buf_printf(out, "%s%s", n++ ? " " : "", item->valuestring);
	}
}

static void fixable(const cJSON *row, struct buf *out)
{
	buf_add_str(out, is_true(row, "fixable") ? "yes" : "");
}

static void exposed(const cJSON *row, struct buf *out)
{
	buf_add_str(out, is_true(row, "exposed") ? "yes" : "");
}

static void first_seen(const cJSON *row, struct buf *out)
{
	ctl_age(str(row, "first_seen"), out);
}

static const struct ctl_column vuln_columns[] = {
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "ID", .path = "id", .may_shrink = true },
	{ .title = "KEV", .path = "kev", .value = kev },
	{ .title = "EPSS", .path = "epss", .value = ctl_epss },
	{ .title = "PACKAGES", .path = "packages", .value = names, .may_shrink = true },
	{ .title = "FIXABLE", .path = "fixable", .value = fixable },
	{ .title = "IMAGES", .path = "images" },
	{ .title = "RUNNING", .path = "running" },
	{ .title = "HOSTS", .path = "hosts" },
	{ .title = "USED", .path = "used" },
	{ .title = "EXPOSED", .path = "exposed", .value = exposed, .hide = 1 },
	{ .title = "AGE", .path = "first_seen", .value = first_seen, .hide = 2 },
	{ .title = "TITLE", .path = "title", .may_shrink = true, .hide = 3 },
	{ .title = "SCORE", .path = "score", .is_wide = true },
	{ .title = "KEV_DUE", .path = "kev_due", .is_wide = true },
	{ .title = "PUBLISHED", .path = "published", .is_wide = true },
};
static const struct ctl_view vuln_view = { .path = "/api/v1/vulns",
					   .columns = vuln_columns,
					   .column_count = ARRAY_LEN(vuln_columns),
					   .has_times = true };

int ctl_vuln_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &vuln_view, err);
}

/* ---- show ---- */

static void image_name(const cJSON *row, struct buf *out)
{
	buf_add_str(out, str(row, "image.name"));
}

static void where(const cJSON *row, struct buf *out)
{
	const cJSON *hosts = ctl_at(row, "image.hosts"), *boxes = ctl_at(row, "image.containers");

	if (is_true(row, "image.running"))
		buf_printf(out, "%.0f on %.0f%s", cJSON_IsNumber(boxes) ? boxes->valuedouble : 0,
			   cJSON_IsNumber(hosts) ? hosts->valuedouble : 0, is_true(row, "image.exposed") ? ", exposed" : "");
}

static void accepted(const cJSON *row, struct buf *out)
{
	ctl_value(ctl_at(row, "accepted"), out);
}

static const struct ctl_column place_columns[] = {
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "IMAGE", .value = image_name, .may_shrink = true },
	{ .title = "RUNS", .value = where },
	{ .title = "PACKAGE", .path = "package", .may_shrink = true },
	{ .title = "INSTALLED", .path = "installed", .may_shrink = true },
	{ .title = "FIXED", .path = "fixed", .may_shrink = true },
	{ .title = "STATUS", .path = "status", .may_shrink = true, .hide = 1 },
	{ .title = "USED", .path = "used" },
	{ .title = "ACCEPTED", .path = "accepted", .value = accepted, .hide = 2 },
	{ .title = "USED_PATH", .path = "use.path", .is_wide = true },
	{ .title = "USED_HOST", .path = "use.host", .is_wide = true },
	{ .title = "USED_TIME", .path = "use.time", .is_wide = true },
	{ .title = "NOTE", .path = "note", .is_wide = true },
	{ .title = "IMAGE_ID", .path = "image.id", .is_wide = true },
};
static const struct ctl_view place_view = { .path = "", .columns = place_columns, .column_count = ARRAY_LEN(place_columns) };

static void add_value(const cJSON *v, const char *path, const char *name, struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	ctl_value(ctl_at(v, path), &text);
	ctl_line(out, 0, name, text.n ? text.p : "");
}

static void add_list(const cJSON *v, const char *path, const char *name, struct buf *out)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, ctl_at(v, path))
	{
		ctl_line(out, 0, name, cJSON_IsString(item) ? item->valuestring : "");
		name = "";
	}
}

static void add_kev(const cJSON *v, struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (!is_true(v, "kev"))
		return;
	buf_printf(&text, "known to be exploited since %s, mend it until %s%s", str(v, "kev_added"), str(v, "kev_due"),
		   is_true(v, "ransomware") ? "; used by ransomware" : "");
	ctl_line(out, 0, "KEV", text.p);
}

static void add_acceptances(const cJSON *v, struct buf *out)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, ctl_at(v, "acceptances"))
	{
		CLEANUP(buf_finip) struct buf text = { 0 };

		ctl_value(ctl_at(item, "id"), &text);
		buf_printf(&text, ": by %s until %.10s%s%s%s%s: %s", str(item, "who"), str(item, "until"),
			   str(item, "image")[0] ? ", image " : "", str(item, "image"),
			   str(item, "package")[0] ? ", package " : "", str(item, "package"), str(item, "reason"));
		ctl_line(out, 0, "accepted", text.p);
	}
}

static void print_vuln(struct ctl *c, const cJSON *v)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, epss = { 0 };
	struct ctl_table t = { .view = &place_view };
	size_t n = (size_t)cJSON_GetArraySize(ctl_at(v, "places")), i = 0;
	cJSON **rows = n ? calloc(n, sizeof(*rows)) : NULL, *item;

	show_text(&out, slice_of(str(v, "id")), 100);
	buf_add_str(&out, "  ");
	show_text(&out, slice_of(str(v, "title")), 500);
	buf_add_str(&out, "\n\n");
	add_value(v, "severity", "severity", &out);
	add_value(v, "score", "CVSS", &out);
	ctl_line(&out, 0, "vector", str(v, "vector"));
	ctl_epss(v, &epss);
	ctl_line(&out, 0, "EPSS", epss.n ? epss.p : "");
	add_kev(v, &out);
	add_list(v, "aliases", "aliases", &out);
	ctl_line(&out, 0, "published", str(v, "published"));
	ctl_line(&out, 0, "first seen", str(v, "first_seen"));
	add_acceptances(v, &out);
	ctl_line(&out, 0, "what", str(v, "description"));
	add_list(v, "urls", "more", &out);
	fwrite(out.p, 1, out.n, c->out);
	cJSON_ArrayForEach(item, (cJSON *)(uintptr_t)ctl_at(v, "places"))
	{
		if (rows)
			rows[i++] = item;
	}
	if (i) {
		fputs("\nPlaces\n", c->out);
		ctl_table_print(c, &t, rows, i);
	}
	if (is_true(v, "places_cut"))
		fprintf(stderr, "picketctl: there are more places than %zu: picketctl vuln list vuln=… image~…\n", i);
	free(rows);
}

static int print(struct ctl *c, struct slice raw, const cJSON *doc, struct err *err)
{
	if (c->format == CTL_CSV)
		return err_set(err, ERR_USAGE, "vuln %s has no columns: -o table, json, ndjson or yaml", c->verb);
	if (c->format == CTL_TABLE || c->format == CTL_WIDE)
		print_vuln(c, doc);
	else
		ctl_print_one(c, raw, doc);
	return 0;
}

int ctl_vuln_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "vuln show needs one ID");
	buf_add_str(&path, "/api/v1/vulns/");
	ctl_escape_path(&path, c->args[0]);
	int r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : print(c, buf_slice(&raw), doc, err);
}

/* ---- accepting ---- */

int ctl_vuln_accept(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct json j;

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "vuln accept needs one ID");
	if (!c->reason || !c->reason[0])
		return err_set(err, ERR_USAGE, "vuln accept needs --reason: whoever comes after you wants to know why");
	buf_add_str(&path, "/api/v1/vulns/");
	ctl_escape_path(&path, c->args[0]);
	buf_add_str(&path, "/accept");
	json_init(&j, &body);
	json_object_open(&j);
	json_kv_str(&j, "reason", c->reason);
	if (c->image)
		json_kv_str(&j, "image", c->image);
	if (c->package)
		json_kv_str(&j, "package", c->package);
	if (c->until)
		json_kv_str(&j, "until", c->until);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	int r = ctl_get(c, path.p, &text, &raw, &doc, err);
	if (r < 0)
		return r;
	if (c->format != CTL_TABLE && c->format != CTL_WIDE)
		return print(c, buf_slice(&raw), doc, err);
	const cJSON *newest = cJSON_GetArrayItem(ctl_at(doc, "acceptances"), 0);
	CLEANUP(buf_finip) struct buf out = { 0 };
	show_text(&out, slice_of(str(doc, "id")), 100);
	buf_add_str(&out, " is accepted until ");
	show_text(&out, slice_sub(slice_of(str(newest, "until")), 0, 10), 20);
	buf_add_str(&out, " (");
	ctl_value(ctl_at(newest, "id"), &out);
	fprintf(c->out, "%s)\n", out.p);
	return 0;
}

static const struct ctl_column accepted_columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "VULNERABILITY", .path = "vulnerability", .may_shrink = true },
	{ .title = "IMAGE", .path = "image", .may_shrink = true },
	{ .title = "PACKAGE", .path = "package", .may_shrink = true },
	{ .title = "UNTIL", .path = "until" },
	{ .title = "WHO", .path = "who", .may_shrink = true },
	{ .title = "REASON", .path = "reason", .may_shrink = true },
	{ .title = "CREATED", .path = "created", .is_wide = true },
	{ .title = "ENDED", .path = "ended", .is_wide = true },
	{ .title = "ENDED_BY", .path = "ended_by", .is_wide = true },
};
static const struct ctl_view accepted_view = { .path = "/api/v1/acceptances",
					       .columns = accepted_columns,
					       .column_count = ARRAY_LEN(accepted_columns) };
static const struct ctl_view ended_view = { .path = "/api/v1/acceptances?ended=yes",
					    .columns = accepted_columns,
					    .column_count = ARRAY_LEN(accepted_columns) };

int ctl_vuln_accepted(struct ctl *c, struct err *err)
{
	if (c->arg_count)
		return err_set(err, ERR_USAGE, "vuln accepted takes no filter");
	return ctl_list(c, c->wants_ended ? &ended_view : &accepted_view, err);
}

int ctl_vuln_unaccept(struct ctl *c, struct err *err)
{
	static const struct slice body = SLICE_LIT("{}");
	int r = c->arg_count ? 0 : err_set(err, ERR_USAGE, "vuln unaccept needs a number; see picketctl vuln accepted");

	for (size_t i = 0; i < c->arg_count && r >= 0; i++) {
		CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };

		buf_add_str(&path, "/api/v1/acceptances/");
		ctl_escape_path(&path, c->args[i]);
		buf_add_str(&path, "/end");
		r = ctl_request(c, path.p, &body, &raw, err);
		if (r >= 0)
			fprintf(c->out, "acceptance %s ended\n", c->args[i]);
	}
	return r;
}

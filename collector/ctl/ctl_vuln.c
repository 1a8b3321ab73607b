/* ctl_vuln.c - vuln list, show, accept, accepted, unaccept. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

/* In percent, as people say it; nothing without one. */
void ctl_epss(const cJSON *row, struct buf *out)
{
	const cJSON *v = ctl_at(row, "epss");

	if (cJSON_IsNumber(v))
		buf_printf(out, v->valuedouble >= 0.1 ? "%.0f%%" : "%.1f%%", 100 * v->valuedouble);
}

/* ---- of one image ---- */

static const struct ctl_column image_vuln_columns[] = {
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "ID", .path = "id", .may_shrink = true },
	{ .title = "PACKAGE", .path = "package", .may_shrink = true },
	{ .title = "INSTALLED", .path = "installed", .may_shrink = true },
	{ .title = "FIXED", .path = "fixed", .may_shrink = true },
	{ .title = "STATUS", .path = "status", .may_shrink = true, .hide = 3 },
	{ .title = "KEV", .path = "kev", .form = CTL_YES },
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

static void packages(const cJSON *row, struct buf *out)
{
	ctl_join(ctl_at(row, "packages"), out);
}

static const struct ctl_column vuln_columns[] = {
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "ID", .path = "id", .may_shrink = true },
	{ .title = "KEV", .path = "kev", .form = CTL_YES },
	{ .title = "EPSS", .path = "epss", .value = ctl_epss },
	{ .title = "PACKAGES", .path = "packages", .value = packages, .may_shrink = true },
	{ .title = "FIXABLE", .path = "fixable", .form = CTL_YES },
	{ .title = "IMAGES", .path = "images" },
	{ .title = "RUNNING", .path = "running" },
	{ .title = "HOSTS", .path = "hosts" },
	{ .title = "USED", .path = "used" },
	{ .title = "EXPOSED", .path = "exposed", .form = CTL_YES, .hide = 1 },
	{ .title = "AGE", .path = "first_seen", .form = CTL_AGE, .hide = 2 },
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

static void where(const cJSON *row, struct buf *out)
{
	const cJSON *hosts = ctl_at(row, "image.hosts"), *boxes = ctl_at(row, "image.containers");

	if (ctl_is_true(row, "image.running"))
		buf_printf(out, "%.0f on %.0f%s", cJSON_IsNumber(boxes) ? boxes->valuedouble : 0,
			   cJSON_IsNumber(hosts) ? hosts->valuedouble : 0, ctl_is_true(row, "image.exposed") ? ", exposed" : "");
}

static const struct ctl_column place_columns[] = {
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "IMAGE", .path = "image.name", .may_shrink = true },
	{ .title = "RUNS", .value = where },
	{ .title = "PACKAGE", .path = "package", .may_shrink = true },
	{ .title = "INSTALLED", .path = "installed", .may_shrink = true },
	{ .title = "FIXED", .path = "fixed", .may_shrink = true },
	{ .title = "STATUS", .path = "status", .may_shrink = true, .hide = 1 },
	{ .title = "USED", .path = "used" },
	{ .title = "ACCEPTED", .path = "accepted", .hide = 2 },
	{ .title = "USED_PATH", .path = "use.path", .is_wide = true },
	{ .title = "USED_HOST", .path = "use.host", .is_wide = true },
	{ .title = "USED_TIME", .path = "use.time", .is_wide = true },
	{ .title = "NOTE", .path = "note", .is_wide = true },
	{ .title = "IMAGE_ID", .path = "image.id", .is_wide = true },
};
static const struct ctl_view place_view = { .path = "", .columns = place_columns, .column_count = ARRAY_LEN(place_columns) };

static void add_kev(const cJSON *v, struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (!ctl_is_true(v, "kev"))
		return;
	buf_printf(&text, "known to be exploited since %s, mend it until %s%s", ctl_str(v, "kev_added"), ctl_str(v, "kev_due"),
		   ctl_is_true(v, "ransomware") ? "; used by ransomware" : "");
	ctl_line(out, 0, "KEV", text.p);
}

static void add_acceptances(const cJSON *v, struct buf *out)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, ctl_at(v, "acceptances"))
	{
		CLEANUP(buf_finip) struct buf text = { 0 };

		ctl_value(ctl_at(item, "id"), &text);
		buf_printf(&text, ": by %s until %.10s%s%s%s%s: %s", ctl_str(item, "who"), ctl_str(item, "until"),
			   ctl_str(item, "image")[0] ? ", image " : "", ctl_str(item, "image"),
			   ctl_str(item, "package")[0] ? ", package " : "", ctl_str(item, "package"), ctl_str(item, "reason"));
		ctl_line(out, 0, "accepted", text.p);
	}
}

static void print_vuln(struct ctl *c, const cJSON *v)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, epss = { 0 };

	ctl_heading(&out, ctl_str(v, "id"), ctl_str(v, "title"));
	CTL_LINES(&out, 0, v, { "severity", "severity" }, { "CVSS", "score" }, { "vector", "vector" });
	ctl_epss(v, &epss);
	ctl_line_buf(&out, 0, "EPSS", &epss);
	add_kev(v, &out);
	ctl_line_each(&out, "aliases", ctl_at(v, "aliases"));
	CTL_LINES(&out, 0, v, { "published", "published" }, { "first seen", "first_seen" });
	add_acceptances(v, &out);
	ctl_line(&out, 0, "what", ctl_str(v, "description"));
	ctl_line_each(&out, "more", ctl_at(v, "urls"));
	fwrite(out.p, 1, out.n, c->out);
	size_t n = ctl_print_list(c, "\nPlaces", &place_view, ctl_at(v, "places"));
	if (ctl_is_true(v, "places_cut"))
		fprintf(stderr, "picketctl: there are more places than %zu: picketctl vuln list vuln=… image~…\n", n);
}

int ctl_vuln_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	int r = ctl_one_path(c, "/api/v1/vulns/", "ID", &path, err);
	if (r >= 0)
		r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_vuln, err);
}

/* ---- accepting ---- */

int ctl_vuln_accept(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct json j;

	int r = ctl_one_path(c, "/api/v1/vulns/", "ID", &path, err);
	if (r >= 0)
		r = ctl_needs_reason(c, err);
	if (r < 0)
		return r;
	buf_add_str(&path, "/accept");
	json_init(&j, &body);
	json_object_open(&j);
	json_kv_str(&j, "reason", c->reason);
	ctl_wish(&j, "image", c->image);
	ctl_wish(&j, "package", c->package);
	ctl_wish(&j, "until", c->until);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	r = ctl_get(c, path.p, &text, &raw, &doc, err);
	if (r < 0)
		return r;
	if (!ctl_is_table(c))
		return ctl_print_doc(c, buf_slice(&raw), doc, print_vuln, err);
	const cJSON *newest = cJSON_GetArrayItem(ctl_at(doc, "acceptances"), 0);
	CLEANUP(buf_finip) struct buf out = { 0 };
	show_text(&out, slice_of(ctl_str(doc, "id")), 100);
	buf_add_str(&out, " is accepted until ");
	show_text(&out, slice_sub(slice_of(ctl_str(newest, "until")), 0, 10), 20);
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

int ctl_vuln_accepted(struct ctl *c, struct err *err)
{
	return ctl_list_ends(c, &accepted_view, err);
}

int ctl_vuln_unaccept(struct ctl *c, struct err *err)
{
	return ctl_end_each(c, "/api/v1/acceptances/", "acceptance", "accepted", err);
}

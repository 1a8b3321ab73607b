/* ctl_image.c - image list, show. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

enum { PAGE_MAX = 1000, PACKAGES_MAX = 100000, RUNS_SHOWN = 20, FIXES_SHOWN = 10 };

static uint64_t num(const cJSON *row, const char *path)
{
	const cJSON *v = ctl_at(row, path);

	return cJSON_IsNumber(v) && v->valuedouble > 0 ? (uint64_t)v->valuedouble : 0;
}

int ctl_rows(struct ctl *c, const char *path, uint64_t limit, cJSON **ret, bool *ret_has_more, struct err *err)
{
	cJSON *all = cJSON_CreateArray(), *item;
	char cursor[256] = "", text[24];
	uint64_t left = limit;
	int r = 0;

	do {
		CLEANUP(buf_finip) struct buf full = { 0 }, raw = { 0 };
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

		buf_add_str(&full, path);
		snprintf(text, sizeof(text), "%" PRIu64, left > PAGE_MAX ? PAGE_MAX : left);
		ctl_query(&full, "limit", text);
		ctl_query(&full, "cursor", cursor);
		r = ctl_get(c, full.p, NULL, &raw, &doc, err);
		if (r >= 0 && !slice_copy(json_get_str(doc, "cursor"), cursor, sizeof(cursor)))
			r = err_set(err, ERR_PEER, "the collector's answer is no list");
		cJSON *items = r < 0 ? NULL : cJSON_GetObjectItemCaseSensitive(doc, "items");
		while (left && (item = cJSON_DetachItemFromArray(items, 0))) {
			cJSON_AddItemToArray(all, item);
			left--;
		}
	} while (r >= 0 && cursor[0] && left);
	if (r < 0) {
		cJSON_Delete(all);
		return r;
	}
	*ret = all;
	*ret_has_more = cursor[0] != 0;
	return 0;
}

/* ---- list ---- */

static void short_id(const cJSON *row, struct buf *out)
{
	ctl_short_id(ctl_str(row, "id"), out);
}

static void image_name(const cJSON *row, struct buf *out)
{
	if (strcmp(ctl_str(row, "name"), ctl_str(row, "id")) != 0)
		buf_add_str(out, ctl_str(row, "name"));
}

static void runs(const cJSON *row, struct buf *out)
{
	if (ctl_is_true(row, "running"))
		buf_printf(out, "%" PRIu64 " on %" PRIu64 "%s", num(row, "containers"), num(row, "hosts"),
			   ctl_is_true(row, "exposed") ? ", exposed" : "");
}

static void packages(const cJSON *row, struct buf *out)
{
	if (ctl_is_true(row, "known"))
		buf_printf(out, "%" PRIu64, num(row, "packages"));
	else
		buf_add_str(out, "no inventory yet");
}

static const struct ctl_column image_columns[] = {
	{ .title = "NAME", .path = "name", .value = image_name, .may_shrink = true },
	{ .title = "ID", .path = "id", .value = short_id },
	{ .title = "OS", .path = "os.name", .may_shrink = true, .hide = 3 },
	{ .title = "RUNS", .path = "containers", .value = runs },
	{ .title = "RISK", .path = "risk" },
	{ .title = "KEV", .path = "kev" },
	{ .title = "CRITICAL", .path = "summary.critical" },
	{ .title = "HIGH", .path = "summary.high" },
	{ .title = "MEDIUM", .path = "summary.medium" },
	{ .title = "LOW", .path = "summary.low", .hide = 4 },
	{ .title = "FIXABLE", .path = "fixable" },
	{ .title = "NEWER", .path = "newer_image", .form = CTL_YES, .hide = 1 },
	{ .title = "PACKAGES", .path = "packages", .value = packages, .hide = 2 },
	{ .title = "SEEN", .path = "seen", .form = CTL_AGE },
	{ .title = "ARCH", .path = "arch", .is_wide = true },
	{ .title = "SIZE_BYTES", .path = "size_bytes", .is_wide = true },
	{ .title = "CREATED", .path = "created", .is_wide = true },
	{ .title = "WHOLE_ID", .path = "id", .is_wide = true },
};
static const struct ctl_view image_view = { .path = "/api/v1/images",
					    .columns = image_columns,
					    .column_count = ARRAY_LEN(image_columns),
					    .has_risk = true };

int ctl_image_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &image_view, err);
}

/* ---- show ---- */

static void add_counts(const cJSON *im, struct buf *out)
{
	static const char *const words[] = { "critical", "high", "medium", "low", "unknown" };
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[32];

	buf_add_str(&text, "");
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		snprintf(path, sizeof(path), "summary.%s", words[i]);
		if (num(im, path))
			buf_printf(&text, "%s%" PRIu64 " %s", text.n ? ", " : "", num(im, path), words[i]);
	}
	if (text.n)
		buf_printf(&text, "; %" PRIu64 " can be fixed, %" PRIu64 " known to be exploited", num(im, "fixable"),
			   num(im, "kev"));
	ctl_line(out, 0, "holes", text.n ? text.p : ctl_is_true(im, "known") ? "none known" : "no inventory yet");
}

static void add_head(const cJSON *im, struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	show_text(out, slice_of(ctl_str(im, "name")), 300);
	buf_add_str(out, "\n\n");
	ctl_line(out, 0, "id", ctl_str(im, "id"));
	ctl_line_each(out, "names", ctl_at(im, "names"));
	ctl_line_each(out, "digests", ctl_at(im, "digests"));
	buf_printf(&text, "%s%s%s", ctl_str(im, "os.name")[0] ? ctl_str(im, "os.name") : ctl_str(im, "os.id"),
		   ctl_str(im, "arch")[0] ? ", " : "", ctl_str(im, "arch"));
	ctl_line(out, 0, "os", text.p);
	ctl_line(out, 0, "created", ctl_str(im, "created"));
	buf_reset(&text);
	buf_printf(&text, "%" PRIu64 " in %d layers", num(im, "packages"), cJSON_GetArraySize(ctl_at(im, "layers")));
	ctl_line(out, 0, "packages", ctl_is_true(im, "known") ? text.p : "");
	add_counts(im, out);
	ctl_line_each(out, "not read", ctl_at(im, "problems"));
}

static void add_runs(const cJSON *im, struct buf *out)
{
	const cJSON *item, *port;
	unsigned shown = 0;

	if (!cJSON_GetArraySize(ctl_at(im, "runs")))
		return;
	buf_add_str(out, "\nRuns on\n");
	cJSON_ArrayForEach(item, ctl_at(im, "runs"))
	{
		CLEANUP(buf_finip) struct buf text = { 0 };

		if (shown++ == RUNS_SHOWN) {
			buf_printf(out, "  and %d more: -o json\n", cJSON_GetArraySize(ctl_at(im, "runs")) - RUNS_SHOWN);
			return;
		}
		buf_add_str(&text, ctl_str(item, "container.name")[0] ? ctl_str(item, "container.name") : "(just ended)");
		cJSON_ArrayForEach(port, ctl_at(item, "ports"))
		{
			buf_printf(&text, " %s", cJSON_IsString(port) ? port->valuestring : "");
		}
		ctl_line(out, 2, ctl_str(item, "host"), text.p);
	}
}

static void add_base(const cJSON *b, struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (ctl_is_true(b, "newer"))
		buf_printf(&text, "a newer image exists: %s", ctl_str(b, "current_digest"));
	else
		buf_add_str(&text, ctl_str(b, "current_digest")[0] ? "the newest" : "not known");
	if (ctl_str(b, "image")[0])
		buf_printf(&text, "; it fixes %" PRIu64 " of these and adds %" PRIu64, num(b, "fixes"), num(b, "adds"));
	else if (ctl_is_true(b, "newer"))
		buf_add_str(&text, "; what it fixes is known once its inventory is here");
	buf_add_str(&text, " (looked ");
	ctl_age(ctl_str(b, "checked"), &text);
	buf_add_str(&text, " ago");
	if (ctl_str(b, "error")[0])
		buf_printf(&text, ", last failed: %s", ctl_str(b, "error"));
	buf_add_char(&text, ')');
	buf_add_str(out, "  ");
	show_text(out, slice_of(ctl_str(b, "reference")), 200);
	buf_add_str(out, ": ");
	show_text(out, buf_slice(&text), 1000);
	buf_add_char(out, '\n');
}

static void add_registry(const cJSON *im, struct buf *out)
{
	const cJSON *item;
	unsigned shown = 0;

	if (!cJSON_GetArraySize(ctl_at(im, "registry")))
		return;
	buf_add_str(out, "\nRegistry\n");
	cJSON_ArrayForEach(item, ctl_at(im, "registry"))
	{
		add_base(item, out);
	}
	cJSON_ArrayForEach(item, ctl_at(im, "fixed_by_newer"))
	{
		if (shown++ == FIXES_SHOWN) {
			buf_printf(out, "    and %d more: -o json\n",
				   cJSON_GetArraySize(ctl_at(im, "fixed_by_newer")) - FIXES_SHOWN);
			return;
		}
		buf_add_str(out, "    fixes ");
		show_text(out, slice_of(ctl_str(item, "id")), 100);
		buf_add_str(out, " in ");
		show_text(out, slice_of(ctl_str(item, "package")), 100);
		buf_add_char(out, '\n');
	}
}

static void add_config(const cJSON *im, struct buf *out)
{
	static const struct ctl_field lists[] = { { "entrypoint", "entrypoint" }, { "command", "cmd" },
						  { "ports", "exposed_ports" },	  { "volumes", "volumes" },
						  { "secrets in", "secret_env" } };
	const cJSON *c = ctl_at(im, "config");
	char count[32];

	if (!cJSON_IsObject(c))
		return;
	buf_add_str(out, "\nConfiguration\n");
	ctl_line(out, 2, "user", ctl_str(c, "user")[0] ? ctl_str(c, "user") : "root (none is set)");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };

		ctl_join(ctl_at(c, lists[i].path), &text);
		ctl_line_buf(out, 2, lists[i].name, &text);
	}
	ctl_line(out, 2, "healthcheck", ctl_str(c, "healthcheck"));
	snprintf(count, sizeof(count), "%d", cJSON_GetArraySize(ctl_at(c, "setid_files")));
	ctl_line(out, 2, "setuid", count);
}

static void print_table(struct ctl *c, const cJSON *im, const cJSON *vulns, bool has_more)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	add_head(im, &out);
	ctl_risk(&out, im);
	add_runs(im, &out);
	add_registry(im, &out);
	add_config(im, &out);
	fwrite(out.p, 1, out.n, c->out);
	size_t n = ctl_print_list(c, "\nVulnerabilities", &ctl_image_vuln_view, vulns);
	if (has_more)
		fprintf(stderr, "picketctl: there are more than %zu vulnerabilities: --limit\n", n);
}

static int read_all(struct ctl *c, const char *path, const char *what, uint64_t limit, cJSON **ret, bool *ret_more,
		    struct err *err)
{
	CLEANUP(buf_finip) struct buf full = { 0 };

	buf_printf(&full, "%s/%s", path, what);
	return ctl_rows(c, full.p, limit, ret, ret_more, err);
}

/* One document of all three. */
static int print_whole(struct ctl *c, const char *path, cJSON *im, cJSON *vulns, struct err *err)
{
	cJSON *list = NULL;
	bool has_more;
	int r = read_all(c, path, "packages", PACKAGES_MAX, &list, &has_more, err);

	if (r < 0)
		return r;
	cJSON_AddItemToObject(im, "package_list", list);
	cJSON_AddItemToObject(im, "vulnerabilities", cJSON_Duplicate(vulns, true));
	char *text = cJSON_PrintUnformatted(im);
	if (!text)
		return err_set(err, ENOMEM, "image");
	ctl_print_one(c, slice_of(text), im);
	cJSON_free(text);
	return 0;
}

int ctl_image_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *im = NULL, *vulns = NULL;
	bool has_more;

	int r = ctl_one_path(c, "/api/v1/images/", "name or id", &path, err);
	if (r >= 0)
		r = ctl_get(c, path.p, NULL, &raw, &im, err);
	if (r >= 0)
		r = read_all(c, path.p, "vulns", c->limit, &vulns, &has_more, err);
	if (r < 0)
		return r;
	if (ctl_is_table(c))
		print_table(c, im, vulns, has_more);
	else if (c->format == CTL_CSV)
		ctl_print_csv(c, &ctl_image_vuln_view, vulns);
	else
		return print_whole(c, path.p, im, vulns, err);
	return 0;
}

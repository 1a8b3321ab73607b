/* ctl_policy.c - policy show, apply, diff. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/file.h"
#include "common/show.h"

enum { POLICY_BYTES = 1024 * 1024 };

/* ---- show ---- */

static const struct ctl_column host_columns[] = {
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "POLICY", .path = "state" },
	{ .title = "SOURCE", .path = "source" },
	{ .title = "MODE", .path = "mode", .may_shrink = true },
	{ .title = "ADMISSION", .path = "admission" },
	{ .title = "NETWORK", .path = "network" },
	{ .title = "DENIED", .path = "denied" },
	{ .title = "WOULD_DENY", .path = "would_deny" },
	{ .title = "ERROR", .path = "error", .may_shrink = true },
	{ .title = "DIGEST", .path = "digest", .is_wide = true },
};
static const struct ctl_view hosts_view = { .path = "", .columns = host_columns, .column_count = ARRAY_LEN(host_columns) };

static const struct ctl_column version_columns[] = {
	{ .title = "VERSION", .path = "version" },
	{ .title = "APPLIED", .path = "applied" },
	{ .title = "WHO", .path = "who", .may_shrink = true },
	{ .title = "COMMENT", .path = "comment", .may_shrink = true },
	{ .title = "DIGEST", .path = "digest", .may_shrink = true },
};
static const struct ctl_view versions_view = { .path = "", .columns = version_columns,
					       .column_count = ARRAY_LEN(version_columns) };

/* The text is a person's, and goes to a terminal: what it obeys is shown, lines stay lines. */
static void print_text(struct ctl *c, struct slice text)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct slice one;

	while (slice_split(&text, '\n', &one)) {
		buf_add_str(&out, "  ");
		show_text(&out, one, one.n + 16);
		buf_add_char(&out, '\n');
	}
	fwrite(out.p ? out.p : "", 1, out.n, c->out);
}

static void print_policy(struct ctl *c, const cJSON *p)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, text = { 0 };

	ctl_value(ctl_at(p, "version"), &text);
	ctl_line(&out, 0, "version", strcmp(text.p, "0") ? text.p : "none");
	CTL_LINES(&out, 0, p, { "applied", "applied" }, { "by", "who" }, { "comment", "comment" },
		  { "digest", "digest" });
	fwrite(out.p ? out.p : "", 1, out.n, c->out);
	if (ctl_str(p, "text")[0]) {
		fputs("\nPolicy\n", c->out);
		print_text(c, slice_of(ctl_str(p, "text")));
	}
	(void)ctl_print_list(c, "\nHosts", &hosts_view, ctl_at(p, "hosts"));
	(void)ctl_print_list(c, "\nVersions", &versions_view, ctl_at(p, "versions"));
}

int ctl_policy_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	if (c->arg_count > 1)
		return err_set(err, ERR_USAGE, "policy show takes at most one version");
	buf_add_str(&path, "/api/v1/policy");
	ctl_query(&path, "version", c->arg_count ? c->args[0] : NULL);
	int r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_policy, err);
}

/* ---- apply, diff ---- */

static int write_body(const struct ctl *c, struct slice text, const char *cursor, struct buf *out, struct err *err)
{
	const char *slash = strrchr(c->args[0], '/');
	struct json j;

	buf_reset(out);
	json_init(&j, out);
	json_object_open(&j);
	json_kv_str(&j, "name", slash ? slash + 1 : c->args[0]);
	json_kv_slice(&j, "text", text);
	ctl_wish(&j, "comment", c->comment);
	ctl_wish(&j, "cursor", cursor);
	json_object_close(&j);
	return out->failed ? err_set(err, ENOMEM, "policy") : 0;
}

static int read_file(const struct ctl *c, struct buf *ret, struct err *err)
{
	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "policy %s needs one file", c->verb);
	return file_read(c->args[0], POLICY_BYTES, ret, err);
}

int ctl_policy_apply(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf file = { 0 }, body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = read_file(c, &file, err);

	if (r >= 0)
		r = write_body(c, buf_slice(&file), NULL, &body, err);
	if (r < 0)
		return r;
	struct slice text = buf_slice(&body);
	r = ctl_get(c, "/api/v1/policy", &text, &raw, &doc, err);
	if (r < 0)
		return r;
	if (!ctl_is_table(c))
		return ctl_print_doc(c, buf_slice(&raw), doc, print_policy, err);
	fprintf(c->out, "version %" PRIu64 " (%.12s) is in force; hosts take it with their next heartbeat\n",
		json_get_u64(doc, "version", 0), ctl_str(doc, "digest"));
	return 0;
}

static const struct ctl_column diff_columns[] = {
	{ .title = "CHANGE", .path = "change" },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "CONTAINER", .path = "container.name", .may_shrink = true },
	{ .title = "RULE", .path = "rule" },
	{ .title = "REASON", .path = "reason", .may_shrink = true },
	{ .title = "WAY_OUT", .path = "way_out", .may_shrink = true, .hide = 1 },
	{ .title = "LINE", .path = "line" },
	{ .title = "IMAGE", .path = "container.image", .is_wide = true },
	{ .title = "ID", .path = "container.id", .is_wide = true },
};
static const struct ctl_view diff_view = { .path = "", .columns = diff_columns, .column_count = ARRAY_LEN(diff_columns) };

static const char *const sums[] = { "judged", "refused", "monitored", "allowed", "unknown" };

struct diff {
	cJSON *all; /* {"items":[…], sums} */
	uint64_t sums[ARRAY_LEN(sums)];
};

/* Page after page into one document. */
static int read_diff(struct ctl *c, struct slice file, struct diff *d, struct err *err)
{
	char cursor[300] = "";
	cJSON *items = cJSON_AddArrayToObject(d->all, "items"), *item;
	int r = items ? 0 : err_set(err, ENOMEM, "policy");

	do {
		CLEANUP(buf_finip) struct buf body = { 0 }, raw = { 0 };
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

		if (r >= 0)
			r = write_body(c, file, cursor, &body, err);
		struct slice text = buf_slice(&body);
		if (r >= 0)
			r = ctl_get(c, "/api/v1/policy/diff", &text, &raw, &doc, err);
		if (r >= 0 && !slice_copy(json_get_str(doc, "cursor"), cursor, sizeof(cursor)))
			r = err_set(err, ERR_PEER, "the collector's answer is no list");
		if (r < 0)
			return r;
		cJSON *from = cJSON_GetObjectItemCaseSensitive(doc, "items");
		while ((item = cJSON_DetachItemFromArray(from, 0)))
			cJSON_AddItemToArray(items, item);
		for (size_t i = 0; i < ARRAY_LEN(sums); i++)
			d->sums[i] += json_get_u64(doc, sums[i], 0);
	} while (cursor[0]);
	for (size_t i = 0; i < ARRAY_LEN(sums); i++)
		cJSON_AddNumberToObject(d->all, sums[i], (double)d->sums[i]);
	return 0;
}

/* A row for each rule that a container runs into. */
static cJSON *rows_of(const cJSON *items)
{
	cJSON *rows = cJSON_CreateArray(), *row;
	const cJSON *item, *denial;

	cJSON_ArrayForEach(item, items)
	{
		cJSON_ArrayForEach(denial, ctl_at(item, "denials"))
		{
			row = cJSON_Duplicate(denial, true);
			cJSON_AddStringToObject(row, "change", ctl_str(item, "change"));
			cJSON_AddStringToObject(row, "host", ctl_str(item, "host"));
			cJSON_AddItemToObject(row, "container", cJSON_Duplicate(ctl_at(item, "container"), true));
			cJSON_AddItemToArray(rows, row);
		}
	}
	return rows;
}

static void print_diff(struct ctl *c, const struct diff *d)
{
	CLEANUP(cJSON_Deletep) cJSON *rows = rows_of(ctl_at(d->all, "items"));

	if (c->format == CTL_CSV) {
		ctl_print_csv(c, &diff_view, rows);
		return;
	}
	(void)ctl_print_list(c, "Containers that run", &diff_view, rows);
	fprintf(c->out,
		"%s%" PRIu64 " judged: %" PRIu64 " would be refused, %" PRIu64 " would be told of, %" PRIu64
		" would be allowed again, %" PRIu64 " can't be judged\n",
		cJSON_GetArraySize(rows) ? "\n" : "", d->sums[0], d->sums[1], d->sums[2], d->sums[3], d->sums[4]);
}

int ctl_policy_diff(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf file = { 0 };
	struct diff d = { .all = cJSON_CreateObject() };
	int r = read_file(c, &file, err);

	if (r >= 0)
		r = read_diff(c, buf_slice(&file), &d, err);
	if (r >= 0 && (c->format == CTL_TABLE || c->format == CTL_WIDE || c->format == CTL_CSV)) {
		print_diff(c, &d);
	} else if (r >= 0) {
		char *raw = cJSON_PrintUnformatted(d.all);

		if (raw)
			ctl_print_one(c, slice_of(raw), d.all);
		free(raw);
	}
	cJSON_Delete(d.all);
	return r;
}

/* ctl_backtest.c - what asks the collector about rules: backtest, explain. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "collector/ctl/ctl.h"
#include "common/show.h"
#include "common/text.h"

enum { POLL_MS = 300 };

/* An age, or a time, as a time. */
static int write_time(struct json *j, const char *key, const char *text, struct err *err)
{
	char out[TEXT_TIME_MAX];
	uint64_t ns, ms;

	if (!text)
		return 0;
	if (!text_time_parse(slice_of(text), &ns)) {
		uint64_t now_ms = (uint64_t)time(NULL) * 1000;

		if (!text_duration_parse(slice_of(text), &ms) || ms > now_ms)
			return err_set(err, ERR_USAGE, "--%s %.60s: not a time (2026-11-23T20:00:00Z) nor an age (24h)", key, text);
		ns = (now_ms - ms) * 1000000;
	}
	json_kv_str(j, key, text_time(ns, out, sizeof(out)));
	return 0;
}

/* ---- backtest ---- */

static const struct ctl_column sum_columns[] = {
	{ .title = "RULE", .path = "rule", .may_shrink = true },
	{ .title = "FIRED", .path = "fired" },
	{ .title = "FIRST", .path = "first" },
	{ .title = "LAST", .path = "last" },
};
static const struct ctl_view sum_view = { .path = "", .columns = sum_columns, .column_count = ARRAY_LEN(sum_columns) };

static void add_group(const cJSON *row, struct buf *out)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, ctl_at(row, "group"))
	{
		buf_printf(out, "%s%s=", out->n ? " " : "", one->string);
		ctl_value(one, out);
	}
}

static const struct ctl_column item_columns[] = {
	{ .title = "TIME", .path = "time" },
	{ .title = "RULE", .path = "rule", .may_shrink = true },
	{ .title = "VALUE", .path = "value" },
	{ .title = "GROUP", .value = add_group, .may_shrink = true },
};
static const struct ctl_view item_view = { .path = "", .columns = item_columns, .column_count = ARRAY_LEN(item_columns) };

static void print_backtest(struct ctl *c, const cJSON *doc)
{
	(void)ctl_print_list(c, "Rules", &sum_view, ctl_at(doc, "rules"));
	(void)ctl_print_list(c, "\nFirings", &item_view, ctl_at(doc, "items"));
	fprintf(c->out, "%" PRIu64 " events from %s to %s, %" PRIu64 " firings", json_get_u64(doc, "events", 0), ctl_str(doc, "since"),
		ctl_str(doc, "until"), json_get_u64(doc, "fired", 0));
	if (json_get_u64(doc, "late", 0))
		fprintf(c->out, ", %" PRIu64 " events were too late to count", json_get_u64(doc, "late", 0));
	if (json_get_u64(doc, "evicted", 0))
		fprintf(c->out, ", %" PRIu64 " groups were given up for want of room", json_get_u64(doc, "evicted", 0));
	fputc('\n', c->out);
}

static int write_ask(const struct ctl *c, const struct ctl_files *files, struct buf *out, struct err *err)
{
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	int r = write_time(&j, "since", c->since ? c->since : "24h", err);
	if (r >= 0)
		r = write_time(&j, "until", c->until, err);
	json_kv_array(&j, "rules");
	for (size_t i = 0; i < files->count; i++) {
		json_object_open(&j);
		json_kv_str(&j, "name", files->items[i].name);
		json_kv_slice(&j, "text", buf_slice(&files->items[i].text));
		json_object_close(&j);
	}
	json_array_close(&j);
	json_object_close(&j);
	return r < 0 ? r : out->failed ? err_set(err, ENOMEM, "rules") : 0;
}

static void show_progress(const struct ctl *c, const cJSON *doc)
{
	const cJSON *part = ctl_at(doc, "progress");

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%3.0f %%, %" PRIu64 " events, %" PRIu64 " firings ", cJSON_IsNumber(part) ? part->valuedouble * 100 : 0,
			json_get_u64(doc, "events", 0), json_get_u64(doc, "fired", 0));
	(void)c;
}

/* Asks until it is over. */
static int follow(struct ctl *c, struct buf *raw, cJSON **doc, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 };
	int r = 0;

	buf_add_str(&path, "/api/v1/backtests/");
	ctl_escape_path(&path, ctl_str(*doc, "id"));
	while (r >= 0 && !strcmp(ctl_str(*doc, "state"), "running")) {
		show_progress(c, *doc);
		usleep(POLL_MS * 1000);
		cJSON_Delete(*doc);
		*doc = NULL;
		buf_fini(raw);
		r = ctl_get(c, path.p, NULL, raw, doc, err);
	}
	if (isatty(STDERR_FILENO))
		fputc('\r', stderr);
	if (r >= 0 && ctl_str(*doc, "error")[0])
		return err_set(err, EIO, "the backtest failed: %.200s", ctl_str(*doc, "error"));
	return r;
}

int ctl_rule_backtest(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf ask = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct ctl_files files = { 0 };

	if (!c->arg_count)
		return err_set(err, ERR_USAGE, "%s backtest needs files of rules", c->noun);
	int r = ctl_files_read(c->args, c->arg_count, &files, err);
	if (r >= 0)
		r = write_ask(c, &files, &ask, err);
	ctl_files_fini(&files);
	if (r < 0)
		return r;
	struct slice body = buf_slice(&ask);
	r = ctl_get(c, "/api/v1/backtests", &body, &raw, &doc, err);
	if (r >= 0)
		r = follow(c, &raw, &doc, err);
	if (r >= 0 && c->format == CTL_CSV)
		return ctl_print_rows(c, &item_view, doc, ctl_at(doc, "items"), err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_backtest, err);
}

/* ---- explain ---- */

static const struct ctl_column group_columns[] = {
	{ .title = "EVENTS", .path = "events" },
	{ .title = "ACTIVE", .path = "active", .form = CTL_YES },
	{ .title = "GROUP", .value = add_group, .may_shrink = true },
};
static const struct ctl_view group_view = { .path = "", .columns = group_columns, .column_count = ARRAY_LEN(group_columns) };

static void print_explain(struct ctl *c, const cJSON *doc)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, group = { 0 }, value = { 0 };
	const cJSON *one;

	if (ctl_at(doc, "groups")) {
		if (!ctl_print_list(c, ctl_str(doc, "rule"), &group_view, ctl_at(doc, "groups")))
			fprintf(c->out, "no group is counted now\n");
		return;
	}
	add_group(doc, &group);
	ctl_value(ctl_at(doc, "value"), &value);
	CTL_LINES(&out, 0, doc, { "rule", "rule" }, { "type", "type" });
	ctl_line_buf(&out, 0, "group", &group);
	CTL_LINES(&out, 0, doc, { "condition", "condition" }, { "from", "from" }, { "to", "to" }, { "events", "events" });
	ctl_line_buf(&out, 0, "value", &value);
	ctl_line_each(&out, "matched", ctl_at(doc, "matched"));
	ctl_line_each(&out, "missing", ctl_at(doc, "missing"));
	CTL_LINES(&out, 0, doc, { "last fired", "last_fired" }, { "why", "why" });
	cJSON_ArrayForEach(one, ctl_at(doc, "newest"))
	{
		buf_reset(&value);
		ctl_value(ctl_at(one, "value"), &value);
		buf_printf(&out, "  %s  %s%s\n", ctl_str(one, "time"), ctl_str(one, "rule"), value.n ? value.p : "");
	}
	fwrite(out.p ? out.p : "", 1, out.n, c->out);
}

int ctl_correlation_explain(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf ask = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	char name[128];
	struct json j;

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "correlation explain needs one rule, by id or name");
	json_init(&j, &ask);
	json_object_open(&j);
	json_kv_str(&j, "rule", c->args[0]);
	json_kv_object(&j, "group");
	for (size_t i = 0; i < c->group_count; i++) {
		const char *eq = strchr(c->groups[i], '=');

		(void)slice_copy(slice_from(c->groups[i], (size_t)(eq - c->groups[i])), name, sizeof(name));
		json_kv_str(&j, name, eq + 1);
	}
	json_object_close(&j);
	int r = write_time(&j, "at", c->at, err);
	json_object_close(&j);
	if (r < 0)
		return r;
	struct slice body = buf_slice(&ask);
	r = ctl_get(c, "/api/v1/correlations/explain", &body, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_explain, err);
}

/* ctl_exception.c - alert except, exception list and end; alert noise. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

static int write_wish(const struct ctl *c, const char *cursor, struct buf *out, struct err *err)
{
	uint64_t id;
	struct json j;

	if (!slice_to_u64(slice_of(c->args[0]), &id))
		return err_set(err, ERR_NOT_FOUND, "no alert '%.40s'", c->args[0]);
	json_init(&j, out);
	json_object_open(&j);
	json_kv_u64(&j, "alert", id);
	ctl_wish(&j, "fields", c->fields);
	ctl_wish(&j, "cursor", cursor);
	ctl_wish(&j, "reason", c->reason);
	ctl_wish(&j, "until", c->until);
	if (c->wants_force)
		json_kv_bool(&j, "force", true);
	json_object_close(&j);
	return 0;
}

static int post(struct ctl *c, const char *path, const char *cursor, struct buf *raw, cJSON **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	int r = write_wish(c, cursor, &body, err);

	if (r < 0)
		return r;
	struct slice text = buf_slice(&body);
	return ctl_get(c, path, &text, raw, ret, err);
}

static int ask_preview(struct ctl *c, const char *cursor, void *arg, cJSON **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf raw = { 0 };

	(void)arg;
	return post(c, "/api/v1/exceptions/preview", cursor, &raw, ret, err);
}

static void print_falco(struct ctl *c, const cJSON *proposal)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct slice rest = slice_of(ctl_str(proposal, "falco")), line;

	if (!rest.n)
		return;
	buf_add_str(&out, "\nThe same in the agents' rules (then nothing is sent):\n");
	while (slice_split(&rest, '\n', &line)) {
		show_text(&out, line, 4000);
		buf_add_char(&out, '\n');
	}
	fwrite(out.p, 1, out.n, c->out);
}

static void print_proposal(struct ctl *c, const cJSON *all)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	const cJSON *proposal = ctl_at(all, "proposal"), *hidden = ctl_at(all, "would_have_hidden");

	show_text(&out, slice_of(ctl_str(proposal, "conditions")), 4000);
	fprintf(c->out, "Exception\n  %s\n\nIn the last 30 days this would have hidden %" PRIu64 " findings of the history, and ",
		out.p, json_get_u64(hidden, "history_findings", 0));
	ctl_sum_print(c, hidden);
	print_falco(c, proposal);
	fputs("\nNothing was made. To make it: the same with --reason TEXT --yes", c->out);
	fputs(ctl_is_true(proposal, "needs_force") ? " --force\n" : "\n", c->out);
}

static int propose(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *all = cJSON_CreateObject();
	cJSON *proposal = NULL, *sum = NULL;
	int r = all ? post(c, "/api/v1/exceptions/propose", NULL, &raw, &proposal, err) : err_set(err, ENOMEM, "exception");

	if (r < 0)
		return r;
	cJSON_AddItemToObject(all, "proposal", proposal);
	r = ctl_sum(c, ask_preview, NULL, &sum, err);
	if (r < 0)
		return r;
	cJSON_AddItemToObject(all, "would_have_hidden", sum);
	char *text = cJSON_PrintUnformatted(all);
	r = ctl_print_doc(c, slice_of(text), all, print_proposal, err);
	free(text);
	return r;
}

static void print_made(struct ctl *c, const cJSON *x)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	buf_printf(&out, "exception %" PRIu64 ": ", json_get_u64(x, "id", 0));
	show_text(&out, slice_of(ctl_str(x, "conditions")), 2000);
	if (ctl_str(x, "until")[0])
		buf_printf(&out, ", until %.19sZ", ctl_str(x, "until"));
	fprintf(c->out, "%s\n", out.p);
}

/* What it would be and would have hidden; with --yes it is made. */
int ctl_alert_except(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = ctl_one_id(c, err);

	if (r < 0)
		return r;
	if (!c->wants_yes)
		return propose(c, err);
	r = ctl_needs_reason(c, err);
	if (r >= 0)
		r = post(c, "/api/v1/exceptions", NULL, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_made, err);
}

static const struct ctl_column columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "HITS", .path = "hits" },
	{ .title = "LAST_HIT", .path = "last_hit", .form = CTL_AGE },
	{ .title = "UNTIL", .path = "until" },
	{ .title = "CONDITIONS", .path = "conditions", .may_shrink = true },
	{ .title = "WHO", .path = "who", .may_shrink = true },
	{ .title = "REASON", .path = "reason", .may_shrink = true },
	{ .title = "STATE", .path = "state", .is_wide = true },
	{ .title = "ALERT", .path = "alert", .is_wide = true },
	{ .title = "CREATED", .path = "created", .is_wide = true },
	{ .title = "ENDED", .path = "ended", .is_wide = true },
	{ .title = "ENDED_BY", .path = "ended_by", .is_wide = true },
};
static const struct ctl_view view = { .path = "/api/v1/exceptions", .columns = columns, .column_count = ARRAY_LEN(columns) };

int ctl_exception_list(struct ctl *c, struct err *err)
{
	return ctl_list_ends(c, &view, err);
}

int ctl_exception_end(struct ctl *c, struct err *err)
{
	return ctl_end_each(c, "/api/v1/exceptions/", "exception", "list", err);
}

/* ---- noise ---- */

static double number(const cJSON *row, const char *key)
{
	return (double)json_get_u64(row, key, 0);
}

/* What to do with a rule, by what people said of it and how much of the inbox it is. */
static const char *suggestion(const cJSON *rule, double all)
{
	double alerts = number(rule, "alerts"), wrong = number(rule, "false_positive") + number(rule, "benign");
	double judged = wrong + number(rule, "true_positive");

	if (judged >= 3 && wrong >= 0.8 * judged)
		return "an exception: picketctl alert except ID";
	if (all > 0 && alerts >= 20 && alerts >= 0.25 * all && judged <= 0)
		return "most of the inbox, and nobody judged it: look at three, resolve with a reason";
	if (alerts > 0 && number(rule, "findings") >= 1000 * alerts)
		return "always on: mend the cause, or an exception";
	if (alerts >= 5 && number(rule, "open") >= alerts)
		return "nobody works on it: assign, or silence for a time";
	return "";
}

static int add_shares(cJSON *sum)
{
	double all = number(sum, "alerts");
	cJSON *rule;

	cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(sum, "rules"))
	{
		char share[16];

		snprintf(share, sizeof(share), "%.1f %%", all > 0 ? 100 * number(rule, "alerts") / all : 0);
		if (!cJSON_AddStringToObject(rule, "share", share) ||
		    !cJSON_AddStringToObject(rule, "suggestion", suggestion(rule, all)))
			return -ENOMEM;
	}
	return 0;
}

/* The most alerts first. */
static int by_alerts(const void *a, const void *b)
{
	double x = number(*(cJSON *const *)a, "alerts"), y = number(*(cJSON *const *)b, "alerts");

	return x < y ? 1 : x > y ? -1 : strcmp(ctl_str(*(cJSON *const *)a, "rule"), ctl_str(*(cJSON *const *)b, "rule"));
}

static int sort_rules(cJSON *sum)
{
	cJSON *list = cJSON_DetachItemFromObjectCaseSensitive(sum, "rules"), *sorted = cJSON_AddArrayToObject(sum, "rules"), *item;
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0;
	CLEANUP(freep) cJSON **rows = calloc(n + 1, sizeof(*rows));

	while (rows && sorted && i < n && (item = cJSON_DetachItemFromArray(list, 0)))
		rows[i++] = item;
	cJSON_Delete(list);
	if (!rows || !sorted)
		return -ENOMEM;
	qsort(rows, i, sizeof(*rows), by_alerts);
	for (size_t k = 0; k < i; k++)
		cJSON_AddItemToArray(sorted, rows[k]);
	return 0;
}

static const struct ctl_column noise_columns[] = {
	{ .title = "ALERTS", .path = "alerts" },
	{ .title = "SHARE", .path = "share" },
	{ .title = "FINDINGS", .path = "findings" },
	{ .title = "OPEN", .path = "open" },
	{ .title = "FALSE", .path = "false_positive" },
	{ .title = "BENIGN", .path = "benign" },
	{ .title = "TRUE", .path = "true_positive" },
	{ .title = "SEVERITY", .path = "severity", .hide = 1 },
	{ .title = "RULE", .path = "rule", .may_shrink = true },
	{ .title = "SUGGESTION", .path = "suggestion", .may_shrink = true },
};
static const struct ctl_view noise_view = { .columns = noise_columns, .column_count = ARRAY_LEN(noise_columns) };

int ctl_alert_noise(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf filter = { 0 }, line = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *sum = NULL;

	ctl_filter(c, &filter);
	if (!c->since)
		c->since = "30d";
	int r = ctl_sum(c, ctl_sum_alerts, filter.p, &sum, err);
	if (r >= 0 && (sort_rules(sum) < 0 || add_shares(sum) < 0))
		r = err_set(err, ENOMEM, "noise");
	if (r < 0)
		return r;
	if (c->format == CTL_CSV) {
		ctl_print_csv(c, &noise_view, ctl_at(sum, "rules"));
	} else if (ctl_is_table(c)) {
		ctl_sum_line(sum, &line);
		fprintf(c->out, "%s\n", line.p);
		(void)ctl_print_list(c, "", &noise_view, ctl_at(sum, "rules"));
	} else {
		char *text = cJSON_PrintUnformatted(sum);

		ctl_print_one(c, slice_of(text), sum);
		free(text);
	}
	return 0;
}

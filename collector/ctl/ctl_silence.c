/* ctl_silence.c - silence list, create, preview, expire. */
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

static const struct ctl_column columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "STATE", .path = "state" },
	{ .title = "UNTIL", .path = "until" },
	{ .title = "HITS", .path = "hits" },
	{ .title = "MATCHERS", .path = "matchers", .may_shrink = true },
	{ .title = "WHO", .path = "who", .may_shrink = true },
	{ .title = "REASON", .path = "reason", .may_shrink = true },
	{ .title = "FROM", .path = "from", .is_wide = true },
	{ .title = "LAST_HIT", .path = "last_hit", .is_wide = true },
	{ .title = "CREATED", .path = "created", .is_wide = true },
	{ .title = "ENDED", .path = "ended", .is_wide = true },
	{ .title = "ENDED_BY", .path = "ended_by", .is_wide = true },
};
static const struct ctl_view view = { .path = "/api/v1/silences", .columns = columns, .column_count = ARRAY_LEN(columns) };

int ctl_silence_list(struct ctl *c, struct err *err)
{
	return ctl_list_ends(c, &view, err);
}

static int need_matchers(struct ctl *c, struct buf *ret, struct err *err)
{
	if (!c->arg_count)
		return err_set(err, ERR_USAGE, "silence %s needs matchers: 'rule=\"Shell in container\" host=ci-*'", c->verb);
	ctl_filter(c, ret);
	return 0;
}

static int ask_preview(struct ctl *c, const char *cursor, void *arg, cJSON **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 }, raw = { 0 };
	struct json j;

	json_init(&j, &body);
	json_object_open(&j);
	json_kv_str(&j, "matchers", arg);
	json_kv_str(&j, "cursor", cursor);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	return ctl_get(c, "/api/v1/silences/preview", &text, &raw, ret, err);
}

static void print_preview(struct ctl *c, const cJSON *sum)
{
	fputs("In the last 30 days this would have hidden ", c->out);
	ctl_sum_print(c, sum);
}

int ctl_silence_preview(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf matchers = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *sum = NULL;
	int r = need_matchers(c, &matchers, err);

	if (r >= 0)
		r = ctl_sum(c, ask_preview, matchers.p, &sum, err);
	if (r < 0)
		return r;
	char *text = cJSON_PrintUnformatted(sum);
	r = ctl_print_doc(c, slice_of(text), sum, print_preview, err);
	free(text);
	return r;
}

static void print_made(struct ctl *c, const cJSON *x)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	buf_printf(&out, "silence %" PRIu64 " of ", json_get_u64(x, "id", 0));
	show_text(&out, slice_of(ctl_str(x, "matchers")), 300);
	buf_printf(&out, " until %.19sZ", ctl_str(x, "until"));
	fprintf(c->out, "%s\n", out.p);
}

/* A warning where something bad would have gone by unheard. */
static int warn(struct ctl *c, char *matchers, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *sum = NULL;
	CLEANUP(buf_finip) struct buf line = { 0 };
	int r = ctl_sum(c, ask_preview, matchers, &sum, err);

	if (r < 0)
		return r;
	const cJSON *n = ctl_at(sum, "severities");
	if (!json_get_u64(n, "critical", 0) && !json_get_u64(n, "high", 0))
		return 0;
	ctl_sum_line(sum, &line);
	fprintf(stderr, "picketctl: warning: in the last 30 days this would have hidden %s\n", line.p);
	return 0;
}

int ctl_silence_create(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf matchers = { 0 }, body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct json j;
	int r = need_matchers(c, &matchers, err);

	if (r >= 0)
		r = ctl_needs_reason(c, err);
	if (r >= 0 && !c->until)
		r = err_set(err, ERR_USAGE, "silence create needs --until: 4h, 2027-01-31T08:00:00Z; at most 366 days");
	if (r >= 0)
		r = warn(c, matchers.p, err);
	if (r < 0)
		return r;
	json_init(&j, &body);
	json_object_open(&j);
	json_kv_str(&j, "matchers", matchers.p);
	ctl_wish(&j, "reason", c->reason);
	ctl_wish(&j, "from", c->from);
	ctl_wish(&j, "until", c->until);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	r = ctl_get(c, "/api/v1/silences", &text, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_made, err);
}

int ctl_silence_expire(struct ctl *c, struct err *err)
{
	return ctl_end_each(c, "/api/v1/silences/", "silence", "list", err);
}

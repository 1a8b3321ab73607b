/* ctl_notify.c - notify list, waiting, dead, resend, drop, test. */
#include <errno.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

enum { TEST_WAIT_MS = 200, TEST_TIMEOUT_MS = 70 * 1000 };

static const struct ctl_column lane_columns[] = {
	{ .title = "ROUTE", .path = "route", .may_shrink = true },
	{ .title = "RECEIVER", .path = "receiver", .may_shrink = true },
	{ .title = "KIND", .path = "kind" },
	{ .title = "STATE", .path = "state" },
	{ .title = "SENT", .path = "sent" },
	{ .title = "WAITING", .path = "waiting" },
	{ .title = "PENDING", .path = "pending", .hide = 2 },
	{ .title = "DEAD", .path = "dead" },
	{ .title = "LAST_SUCCESS", .path = "last_success", .form = CTL_AGE },
	{ .title = "LAST_FAILURE", .path = "last_failure", .form = CTL_AGE, .hide = 1 },
	{ .title = "LAST_ERROR", .path = "last_error", .may_shrink = true },
	{ .title = "FAILURES", .path = "failures", .is_wide = true },
	{ .title = "DIGESTS", .path = "digests", .is_wide = true },
	{ .title = "OLDEST", .path = "oldest", .form = CTL_AGE, .is_wide = true },
	{ .title = "FAILING_SINCE", .path = "failing_since", .is_wide = true },
	{ .title = "STORM", .path = "storm", .form = CTL_YES, .is_wide = true },
};
static const struct ctl_view lane_view = { .path = "/api/v1/notify",
					   .columns = lane_columns,
					   .column_count = ARRAY_LEN(lane_columns) };

int ctl_notify_list(struct ctl *c, struct err *err)
{
	if (c->arg_count)
		return err_set(err, ERR_USAGE, "notify list takes no filter");
	return ctl_list(c, &lane_view, err);
}

/* ---- messages ---- */

static void alerts(const cJSON *row, struct buf *out)
{
	const cJSON *list = ctl_at(row, "alerts");
	int count = cJSON_GetArraySize(list);

	ctl_value(cJSON_GetArrayItem(list, 0), out);
	if (count > 1)
		buf_printf(out, " +%d", count - 1);
}

static const struct ctl_column message_columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "ROUTE", .path = "route", .may_shrink = true },
	{ .title = "RECEIVER", .path = "receiver", .may_shrink = true },
	{ .title = "GROUP", .path = "group", .may_shrink = true },
	{ .title = "ALERTS", .path = "alerts", .value = alerts },
	{ .title = "STATE", .path = "state" },
	{ .title = "ATTEMPTS", .path = "attempts", .hide = 1 },
	{ .title = "AGE", .path = "created", .form = CTL_AGE },
	{ .title = "LAST_ERROR", .path = "last_error", .may_shrink = true },
	{ .title = "DUE", .path = "due", .is_wide = true },
	{ .title = "KEY", .path = "key", .is_wide = true },
};

static int list_messages(struct ctl *c, const char *path, struct err *err)
{
	const struct ctl_view view = { .path = path, .columns = message_columns, .column_count = ARRAY_LEN(message_columns) };

	if (c->arg_count)
		return err_set(err, ERR_USAGE, "notify %s takes no filter", c->verb);
	return ctl_list(c, &view, err);
}

int ctl_notify_dead(struct ctl *c, struct err *err)
{
	return list_messages(c, "/api/v1/notify/messages?dead=yes", err);
}

int ctl_notify_waiting(struct ctl *c, struct err *err)
{
	return list_messages(c, "/api/v1/notify/messages?dead=no", err);
}

/* Posts to before + each id + "/" + verb. */
static int each(struct ctl *c, const char *said, struct err *err)
{
	static const struct slice body = SLICE_LIT("{}");
	int r = 0;

	for (size_t i = 0; i < c->arg_count && r >= 0; i++) {
		CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };

		buf_add_str(&path, "/api/v1/notify/messages/");
		ctl_escape_path(&path, c->args[i]);
		buf_printf(&path, "/%s", c->verb);
		r = ctl_request(c, path.p, &body, &raw, err);
		if (r >= 0)
			fprintf(c->out, "%s %s\n", c->args[i], said);
	}
	return r;
}

static int resend_all(struct ctl *c, struct err *err)
{
	static const struct slice body = SLICE_LIT("{}");
	CLEANUP(buf_finip) struct buf raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = ctl_get(c, "/api/v1/notify/resend", &body, &raw, &doc, err);

	if (r >= 0)
		fprintf(c->out, "%.0f on their way\n", (double)json_get_u64(doc, "resent", 0));
	return r;
}

int ctl_notify_resend(struct ctl *c, struct err *err)
{
	if (c->wants_all == (c->arg_count > 0))
		return err_set(err, ERR_USAGE, "notify resend needs numbers, or --all; see picketctl notify dead");
	return c->wants_all ? resend_all(c, err) : each(c, "is on its way", err);
}

int ctl_notify_drop(struct ctl *c, struct err *err)
{
	if (!c->arg_count)
		return err_set(err, ERR_USAGE, "notify drop needs numbers; see picketctl notify dead");
	return each(c, "is gone", err);
}

/* ---- test ---- */

static void print_test(struct ctl *c, const cJSON *doc)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, ctl_at(doc, "results"))
	{
		CLEANUP(buf_finip) struct buf line = { 0 };

		show_text(&line, slice_of(ctl_str(row, "receiver")), 64);
		buf_printf(&line, ": %s after %.0f ms: ", ctl_str(row, "result"), (double)json_get_u64(row, "took_ms", 0));
		show_text(&line, slice_of(ctl_str(row, "answer")), 300);
		fprintf(c->out, "%s\n", line.p);
	}
}

static bool all_ok(const cJSON *doc)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, ctl_at(doc, "results"))
	{
		if (strcmp(ctl_str(row, "result"), "ok") != 0)
			return false;
	}
	return true;
}

static int begin_test(struct ctl *c, struct buf *path, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct json j;

	json_init(&j, &body);
	json_object_open(&j);
	json_kv_str(&j, "name", c->args[0]);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	int r = ctl_get(c, "/api/v1/notify/test", &text, &raw, &doc, err);
	if (r >= 0)
		buf_printf(path, "/api/v1/notify/tests/%.0f", (double)json_get_u64(doc, "id", 0));
	return r;
}

int ctl_notify_test(struct ctl *c, struct err *err)
{
	const struct timespec pause = { .tv_nsec = TEST_WAIT_MS * 1000000L };
	CLEANUP(buf_finip) struct buf path = { 0 };

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "notify test needs a ROUTE or RECEIVER; see picketctl notify list");
	int r = begin_test(c, &path, err);
	if (r < 0)
		return r;
	for (unsigned waited = 0;; waited += TEST_WAIT_MS) {
		CLEANUP(buf_finip) struct buf raw = { 0 };
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

		r = ctl_get(c, path.p, NULL, &raw, &doc, err);
		if (r < 0)
			return r;
		bool is_late = waited >= TEST_TIMEOUT_MS;
		if (!ctl_is_true(doc, "done") && !is_late) {
			nanosleep(&pause, NULL);
			continue;
		}
		r = ctl_print_doc(c, buf_slice(&raw), doc, print_test, err);
		if (r < 0 || all_ok(doc))
			return r;
		return is_late ? err_set(err, ETIMEDOUT, "no answer yet") : err_set(err, EIO, "not every receiver took it");
	}
}

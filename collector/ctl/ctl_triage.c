/* ctl_triage.c - alert ack, resolve, snooze, reopen, assign, comment: of alerts by their numbers, or by a filter. */
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

enum { MANY = 1000, AT_ONCE = 200 };

struct deed {
	const char *assignee, *comment;
	struct buf filter; /* of many */
};

static void write_deed(const struct ctl *c, const struct deed *d, struct json *j)
{
	ctl_wish(j, "assignee", d->assignee);
	ctl_wish(j, "comment", d->comment);
	ctl_wish(j, "reason", c->reason);
	ctl_wish(j, "until", c->until);
}

static int change_one(struct ctl *c, const char *id, const struct deed *d, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct json j;

	buf_add_str(&path, "/api/v1/alerts/");
	ctl_escape_path(&path, id);
	buf_printf(&path, "/%s", c->verb);
	json_init(&j, &body);
	json_object_open(&j);
	write_deed(c, d, &j);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	int r = ctl_get(c, path.p, &text, &raw, &doc, err);
	if (r < 0)
		return err_wrap(err, r, "alert %.40s", id);
	if (!ctl_is_table(c)) {
		ctl_alert_print(c, buf_slice(&raw), doc);
		return 0;
	}
	buf_reset(&body);
	buf_printf(&body, "alert %s: ", ctl_str(doc, "id"));
	show_text(&body, slice_of(ctl_str(doc, "status")), 40);
	if (ctl_str(doc, "resolved_as")[0])
		buf_printf(&body, " (%s)", ctl_str(doc, "resolved_as"));
	if (ctl_str(doc, "snoozed_until")[0])
		buf_printf(&body, " until %.19sZ", ctl_str(doc, "snoozed_until"));
	if (ctl_str(doc, "assignee")[0]) {
		buf_add_str(&body, ", assigned to ");
		show_text(&body, slice_of(ctl_str(doc, "assignee")), 80);
	}
	fprintf(c->out, "%s\n", body.p);
	return 0;
}

/* ---- many ---- */

static int change_slice(struct ctl *c, const struct deed *d, uint64_t most, char *cursor, size_t size, uint64_t *done,
			struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct json j;

	json_init(&j, &body);
	json_object_open(&j);
	json_kv_str(&j, "do", c->verb);
	json_kv_str(&j, "filter", d->filter.p);
	json_kv_u64(&j, "limit", most < AT_ONCE ? most : AT_ONCE);
	json_kv_str(&j, "cursor", cursor);
	write_deed(c, d, &j);
	json_object_close(&j);
	struct slice text = buf_slice(&body);
	int r = ctl_get(c, "/api/v1/alerts/bulk", &text, &raw, &doc, err);
	if (r < 0)
		return r;
	*done += json_get_u64(doc, "changed", 0);
	return slice_copy(json_get_str(doc, "cursor"), cursor, size) ? 0 : err_set(err, ERR_PEER, "the collector's answer has no end");
}

/* First how many; then, with --yes, at most --limit of them. */
static int change_many(struct ctl *c, const struct deed *d, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *sum = NULL;
	const char *until = c->until; /* the deed's, not the filter's */
	char cursor[256] = "";
	uint64_t most = c->has_limit ? c->limit : MANY, count, done = 0;

	c->until = NULL;
	int r = ctl_sum(c, ctl_sum_alerts, d->filter.p, &sum, err);
	c->until = until;
	if (r < 0)
		return r;
	count = json_get_u64(sum, "alerts", 0);
	if (!c->wants_yes) {
		ctl_sum_print(c, sum);
		fprintf(c->out, "\nNothing was changed. To %s them: the same with --yes%s\n", c->verb,
			count > most ? " and a higher --limit" : "");
		return 0;
	}
	if (count > most)
		return err_set(err, ERR_USAGE, "%" PRIu64 " alerts match, and at most %" PRIu64 " are changed at once: --limit %" PRIu64
					     ", or a narrower filter", count, most, count);
	do {
		r = change_slice(c, d, most - done, cursor, sizeof(cursor), &done, err);
	} while (r >= 0 && cursor[0] && done < most);
	if (r >= 0 || done)
		fprintf(r < 0 ? stderr : c->out, "%" PRIu64 " alerts changed\n", done);
	return r < 0 ? r : 0;
}

static bool are_numbers(const struct ctl *c, size_t count)
{
	uint64_t n;

	for (size_t i = 0; i < count; i++)
		if (!slice_to_u64(slice_of(c->args[i]), &n) && strpbrk(c->args[i], ":=~<>!*? "))
			return false;
	return true;
}

int ctl_alert_change(struct ctl *c, struct err *err)
{
	bool is_assign = !strcmp(c->verb, "assign"), is_comment = !strcmp(c->verb, "comment");
	const char *last = c->arg_count ? c->args[c->arg_count - 1] : NULL;
	struct deed d = { .assignee = is_assign ? last : NULL, .comment = is_comment ? last : c->comment };
	int r = 0;

	if (is_assign || is_comment) {
		if (c->arg_count < 2)
			return err_set(err, ERR_USAGE, "alert %s needs an ID (or a filter) and a %s", c->verb,
				       is_assign ? "name" : "text in quotes");
		c->arg_count--;
	}
	if (!c->arg_count)
		return err_set(err, ERR_USAGE, "alert %s needs at least one ID, or a filter", c->verb);
	if (!strcmp(c->verb, "snooze") && !c->until)
		return err_set(err, ERR_USAGE, "alert snooze needs --until: 4h, 2027-01-31T08:00:00Z");
	if (c->since)
		return err_set(err, ERR_USAGE, "alert %s takes no --since; in a filter: since=24h", c->verb);
	if (!are_numbers(c, c->arg_count)) {
		ctl_filter(c, &d.filter);
		r = change_many(c, &d, err);
		buf_fini(&d.filter);
		return r;
	}
	for (size_t i = 0; i < c->arg_count && r >= 0; i++)
		r = change_one(c, c->args[i], &d, err);
	return r;
}

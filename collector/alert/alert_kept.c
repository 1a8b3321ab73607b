/* alert_kept.c - see alert_kept.h. */
#include "collector/alert/alert_kept.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/store/store_triage.h"

enum { ROW_ARENA_BYTES = 2 * 1024 * 1024 };

const char *alert_priority(enum msg_severity severity)
{
	static const char *const words[] = { "informational", "notice", "warning", "error", "critical" };

	return (size_t)severity < ARRAY_LEN(words) ? words[severity] : "critical";
}

static int open_new(struct store *s, struct store_alert *row, struct alert_change *ret, struct err *err)
{
	int64_t id;
	int r;

	row->status = "new";
	row->assignee = "";
	row->evidence = "[]";
	r = store_alert_insert(s, row, &id, err);
	if (r >= 0)
		*ret = (struct alert_change){ .id = id, .is_new = true, .count = 1 };
	return r;
}

static int renew(struct store *s, struct store_alert *row, int64_t id, enum alert_renewal how, struct alert_change *ret,
		struct err *err)
{
	bool is_news = how != ALERT_SAME;
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_alert old;
	int r = a ? store_alert_get(s, id, a, &old, err) : err_set(err, ENOMEM, "alert");

	if (r < 0)
		return r;
	bool is_resolved = !strcmp(old.status, "resolved");
	*ret = (struct alert_change){ .id = id, .count = old.count };
	if (is_resolved && !is_news)
		return 0;
	row->id = id;
	row->count = old.count + is_news;
	row->evidence = old.evidence;
	if (!is_news) {
		row->last_seen_unix_ns = old.last_seen_unix_ns;
		if (!strcmp(old.title, row->title) && !strcmp(old.document, row->document) && old.severity == row->severity)
			return 0;
	}
	r = store_alert_update(s, row, err);
	if (r >= 0 && is_news && is_resolved)
		r = store_alert_set_status(s, id, "new", NULL, "picket: there again", err);
	if (r >= 0 && how == ALERT_NEWS && !is_resolved)
		r = store_trail_add(s, id, TRAIL_SYSTEM, "worse", "", err);
	if (r >= 0 && how == ALERT_NEWS && !strcmp(old.status, "snoozed"))
		r = store_alert_set_status(s, id, "new", NULL, "picket: it got worse", err);
	ret->is_escalated = how == ALERT_NEWS && !is_resolved;
	ret->is_reopened = is_news && is_resolved;
	return r;
}

void alert_draft_init(struct alert_draft *d, const char *const key[static 4])
{
	struct json j;

	buf_init(&d->title, 8192);
	buf_init(&d->document, ALERT_DOCUMENT_BYTES);
	buf_init(&d->key, 8192);
	json_init(&j, &d->key);
	json_array_open(&j);
	for (size_t i = 0; i < 4; i++)
		json_str(&j, slice_of(key[i]));
	json_array_close(&j);
}

int alert_draft_tell(struct alert_draft *d, struct store *s, const struct clock *clk, int64_t id,
		     enum alert_renewal how, struct alert_change *ret, struct err *err)
{
	struct store_alert *row = &d->row;

	if (d->title.failed || d->document.failed || d->key.failed)
		return err_set(err, ERR_LIMIT, "alert on '%.60s' is too large", d->about);
	row->first_seen_unix_ns = row->last_seen_unix_ns = clock_unix_ns(clk);
	row->count = 1;
	row->priority = alert_priority(row->severity);
	row->title = d->title.p;
	row->document = d->document.p;
	row->fold_key = d->key.p;
	return id ? renew(s, row, id, how, ret, err) : open_new(s, row, ret, err);
}

int alert_close(struct store *s, const struct clock *clk, int64_t id, const char *why, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf document = { 0 };
	struct store_alert row;
	char by[256];
	struct json j;
	int r = a ? store_alert_get(s, id, a, &row, err) : err_set(err, ENOMEM, "alert");

	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0 || !strcmp(row.status, "resolved"))
		return r;
	/* Our own document: why goes before its closing brace. */
	struct slice old = slice_of(row.document);
	buf_init(&document, ALERT_DOCUMENT_BYTES + 4096);
	buf_add_slice(&document, slice_sub(old, 0, old.n - 1));
	buf_add_str(&document, old.n > 2 ? ",\"resolution\":" : "\"resolution\":");
	json_init(&j, &document);
	json_object_open(&j);
	json_kv_str(&j, "why", why);
	json_kv_time(&j, "time", clock_unix_ns(clk));
	json_object_close(&j);
	buf_add_char(&document, '}');
	if (document.failed || old.n < 2)
		return err_set(err, ERR_LIMIT, "alert %" PRId64 " is too large", id);
	row.document = document.p;
	r = store_alert_update(s, &row, err);
	snprintf(by, sizeof(by), "picket: %.240s", why);
	return r < 0 ? r : store_alert_set_status(s, id, "resolved", NULL, by, err);
}

/* triage.c - what people do with an alert, and what time does: it wakes.
 *
 *   new --- acknowledged --- resolved      any of them may become any other;
 *     \________ snoozed ________/          a snoozed one is "new" again when its time has come
 */
#include <inttypes.h>

#include "collector/store/alerts_priv.h"
#include "collector/store/store_triage.h"
#include "common/text.h"

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static int check_resolution(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	static const char *const words[] = { "", "true_positive", "false_positive", "benign", "duplicate_of" };
	bool is_duplicate = t->resolution && !strcmp(t->resolution, "duplicate_of");
	int64_t is_there = 1;

	if (t->resolution && !is_one_of(t->resolution, words, ARRAY_LEN(words)))
		return err_set(err, ERR_SYNTAX,
			       "'%.40s' is no reason: true_positive, false_positive, benign, duplicate_of:ID", t->resolution);
	if (is_duplicate != (t->duplicate_of != 0) || t->duplicate_of == id)
		return err_set(err, ERR_SYNTAX, "duplicate_of needs the number of another alert");
	if (is_duplicate) {
		int r = DB_NUMBER(&s->state, &is_there, err, "SELECT count(*) FROM alert WHERE id = ?", B_INT(t->duplicate_of));
		if (r < 0)
			return r;
	}
	return is_there ? 0 : err_set(err, ERR_NOT_FOUND, "no alert %" PRId64 " to be a duplicate of", t->duplicate_of);
}

static int check(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	static const char *const words[] = { "new", "acknowledged", "resolved", "snoozed" };

	if (t->status && !is_one_of(t->status, words, ARRAY_LEN(words)))
		return err_set(err, ERR_SYNTAX, "'%.40s' is no status of an alert", t->status);
	if (t->status && !strcmp(t->status, "snoozed") != (t->wake_unix_ns > clock_unix_ns(s->clk)))
		return err_set(err, ERR_SYNTAX, "snoozed needs a time to wake, in the future");
	if (t->comment && strlen(t->comment) > STORE_COMMENT_MAX)
		return err_set(err, ERR_LIMIT, "a comment of more than %d bytes", STORE_COMMENT_MAX);
	return t->status && !strcmp(t->status, "resolved") ? check_resolution(s, id, t, err) : 0;
}

/* "picket: seen again" -> picket, "seen again"; anybody else is a person. */
static const char *system_why(const char *who)
{
	return strncmp(who, TRAIL_SYSTEM ": ", 8) ? NULL : who + 8;
}

static int log_comment(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	char subject[STORE_COMMENT_MAX + 64];

	if (!t->comment || !t->comment[0])
		return 0;
	snprintf(subject, sizeof(subject), "alert %" PRId64 ": %s", id, t->comment);
	int r = store_audit_log(s, t->who, "alert.comment", subject, err);
	return r < 0 ? r : store_trail_add(s, id, t->who, "commented", t->comment, err);
}

static int log_status(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	const char *why = system_why(t->who), *what = strcmp(t->status, "new") ? t->status : "reopened";
	char subject[256], text[128] = "", until[TEXT_TIME_MAX];

	if (t->wake_unix_ns)
		snprintf(text, sizeof(text), "until %s", text_time(t->wake_unix_ns, until, sizeof(until)));
	else if (t->duplicate_of)
		snprintf(text, sizeof(text), "duplicate of %" PRId64, t->duplicate_of);
	else if (t->resolution)
		snprintf(text, sizeof(text), "%s", t->resolution);
	int r = store_trail_add(s, id, why ? TRAIL_SYSTEM : t->who, what, why ? why : text, err);
	snprintf(subject, sizeof(subject), "alert %" PRId64 " -> %s%s%s%s%.100s", id, t->status, text[0] ? " " : "", text,
		 t->assignee ? ", assigned to " : "", t->assignee ? t->assignee : "");
	return r < 0 ? r : store_audit_log(s, t->who, "alert.status", subject, err);
}

static int log_assignee(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	char subject[256];
	int r = store_trail_add(s, id, t->who, "assigned", t->assignee[0] ? t->assignee : "to nobody", err);

	if (r < 0 || t->status) /* the status says it too */
		return r;
	snprintf(subject, sizeof(subject), "alert %" PRId64 ", assigned to %.100s", id, t->assignee);
	return store_audit_log(s, t->who, "alert.status", subject, err);
}

static int triage(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	int r = check(s, id, t, err);

	if (r < 0)
		return r;
	r = DB_RUN(&s->state, err,
		   "UPDATE alert SET status = CASE WHEN ?2 THEN ?3 ELSE status END,"
		   " resolution = CASE WHEN ?2 THEN ?4 ELSE resolution END,"
		   " duplicate_of = CASE WHEN ?2 THEN ?5 ELSE duplicate_of END,"
		   " wake = CASE WHEN ?2 THEN ?6 ELSE wake END, assignee = CASE WHEN ?7 THEN ?8 ELSE assignee END"
		   " WHERE id = ?1",
		   B_INT(id), B_INT(t->status != NULL), B_STR(t->status), B_STR(t->resolution), B_INT(t->duplicate_of),
		   B_INT(t->wake_unix_ns), B_INT(t->assignee != NULL), B_STR(t->assignee));
	if (r >= 0 && !sqlite3_changes(s->state.h))
		return err_set(err, ERR_NOT_FOUND, "no alert %" PRId64, id);
	/* Somebody has seen it, or it is over. */
	if (r >= 0 && t->status && strcmp(t->status, "new") != 0)
		r = DB_RUN(&s->state, err, "DELETE FROM escalation WHERE alert = ?", B_INT(id));
	if (r >= 0 && t->status)
		r = log_status(s, id, t, err);
	if (r >= 0 && t->assignee)
		r = log_assignee(s, id, t, err);
	return r < 0 ? r : log_comment(s, id, t, err);
}

int store_alert_triage(struct store *s, int64_t id, const struct store_triage *t, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	return store_own_end(s, is_own, triage(s, id, t, err), err);
}

int store_alert_set_status(struct store *s, int64_t id, const char *status, const char *assignee, const char *by,
			   struct err *err)
{
	const struct store_triage t = { .status = status, .assignee = assignee, .who = by };

	return store_alert_triage(s, id, &t, err);
}

static int wake_one(struct store *s, int (*fn)(void *arg, int64_t id), void *arg, struct err *err)
{
	int64_t id;
	/* By the index of its time; one that is no longer snoozed has none. */
	int r = DB_NUMBER(&s->state, &id, err, "SELECT id FROM alert WHERE wake > 0 AND wake <= ? ORDER BY wake LIMIT 1",
			  B_INT(clock_unix_ns(s->clk)));

	if (r < 0 || !id)
		return r;
	r = DB_RUN(&s->state, err, "UPDATE alert SET wake = 0, status = 'new' WHERE id = ?", B_INT(id));
	if (r >= 0)
		r = store_trail_add(s, id, TRAIL_SYSTEM, "woke", "", err);
	if (r >= 0)
		r = fn(arg, id);
	return r < 0 ? r : 1;
}

int store_alerts_wake(struct store *s, size_t limit, int (*fn)(void *arg, int64_t id), void *arg, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	while (limit-- && (r = wake_one(s, fn, arg, err)) > 0)
		;
	return store_own_end(s, is_own, r, err);
}

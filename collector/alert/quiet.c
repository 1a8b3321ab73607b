/* quiet.c - see quiet.h.
 *
 *   worth telling -> snoozed? silenced? inhibited? -- no --> told
 *                        | yes
 *                        v
 *                    held (a row)  -- its holder is over --> quiet for another reason: held by that
 *                                                            resolved, seen by somebody: nothing
 *                                                            else: told, once for each rule
 */
#include "collector/alert/quiet.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/alert/alert_kept.h"
#include "collector/alert/alert_text.h"
#include "collector/store/store_triage.h"
#include "common/show.h"
#include "common/text.h"

enum { SLICE_ALERTS = 100, ROW_ARENA_BYTES = 2 * 1024 * 1024, TEXT_BYTES = 512 };

int alert_quiet(struct store *s, const struct store_alert *al, uint64_t now_unix_ns, struct alert_quiet *ret,
		struct err *err)
{
	char until[TEXT_TIME_MAX], reason[160];
	uint64_t until_unix_ns = 0;
	const char *rule = "";
	int64_t by = 0;

	*ret = (struct alert_quiet){ 0 };
	if (!strcmp(al->status, "snoozed") && al->wake_unix_ns > now_unix_ns) {
		ret->is_quiet = true;
		snprintf(ret->why, sizeof(ret->why), "snoozed until %.19sZ", text_time(al->wake_unix_ns, until, sizeof(until)));
		return 0;
	}
	by = store_silence_of(s, al, &until_unix_ns, reason);
	if (by) {
		ret->is_quiet = true;
		ret->by = (struct store_held){ HOLD_SILENCE, by };
		snprintf(ret->why, sizeof(ret->why), "silence %" PRId64 " until %.19sZ: %s", by,
			 text_time(until_unix_ns, until, sizeof(until)), reason);
		return 0;
	}
	int r = store_inhibit_by(s, al, &by, &rule, err);
	if (r > 0) {
		ret->is_quiet = true;
		ret->by = (struct store_held){ HOLD_INHIBITION, by };
		snprintf(ret->why, sizeof(ret->why), "inhibited by alert %" PRId64 " (%s)", by, rule);
	}
	return r < 0 ? r : 0;
}

int alert_quiet_hold(struct store *s, const struct store_alert *al, uint64_t now_unix_ns, struct alert_quiet *ret,
		     struct err *err)
{
	int r = alert_quiet(s, al, now_unix_ns, ret, err);

	return r < 0 || !ret->by.kind ? r : store_alert_hold(s, al->id, ret->by, ret->why, err);
}

/* ---- when it is over ---- */

struct teller {
	struct store *store;
	const struct clock *clk;
	alert_quiet_tell_fn *fn;
	void *arg;
	struct err *err;
	struct store_held by;
	/* of store_held_rules, whose callback may not write */
	struct arena *arena;
	struct store_held_rule *rules;
	size_t count;
};

/* Is it still worth telling, and free to be? */
static int look_again(struct teller *t, int64_t id, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct alert_quiet q = { 0 };
	struct store_alert al;
	int r = a ? store_alert_get(t->store, id, a, &al, err) : err_set(err, ENOMEM, "held alert");

	if (r == -ERR_NOT_FOUND || (r >= 0 && strcmp(al.status, "new") != 0))
		return store_alert_unhold(t->store, id, err);
	if (r >= 0)
		r = alert_quiet_hold(t->store, &al, clock_unix_ns(t->clk), &q, err);
	/* What is over can't hold it any more, whatever is said of it: it would be looked at for ever. */
	bool is_same = q.by.kind == t->by.kind && q.by.holder == t->by.holder;
	if (r < 0 || (q.is_quiet && !is_same))
		return r;
	return store_held_due(t->store, id, err);
}

static int keep_rule(void *arg, const struct store_held_rule *x)
{
	struct teller *t = arg;

	struct store_held_rule *mine = &t->rules[t->count];

	*mine = *x;
	mine->rule = arena_dup(t->arena, slice_of(x->rule));
	if (!mine->rule)
		return -ENOMEM;
	t->count++;
	return 0;
}

static void write_document(struct buf *out, const struct teller *t, const struct store_held_rule *x, const char *why,
			   struct slice title)
{
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	json_key(&j, "container");
	json_null(&j);
	json_key(&j, "process");
	json_null(&j);
	json_kv_object(&j, "fields");
	json_kv_str(&j, "held.rule", x->rule);
	json_kv_u64(&j, "held.count", x->count);
	json_kv_i64(&j, "held.newest", x->alert);
	json_kv_i64(&j, t->by.kind == HOLD_SILENCE ? "held.silence" : "held.inhibited_by", t->by.holder);
	json_object_close(&j);
	json_kv_array(&j, "tags");
	json_str(&j, SLICE_LIT("held"));
	json_array_close(&j);
	json_kv_slice(&j, "output", title);
	json_kv_str(&j, "description", why);
	json_kv_str(&j, "event_type", "system");
	json_object_close(&j);
}

/* One alert for all of a rule that were not told. */
static int tell_sum(struct teller *t, const struct store_held_rule *x, const char *why, struct err *err)
{
	CLEANUP(alert_draft_finip) struct alert_draft d = { .about = x->rule };
	struct alert_change change;
	char holder[32];

	snprintf(holder, sizeof(holder), "%d:%" PRId64, t->by.kind, t->by.holder);
	alert_draft_init(&d, (const char *const[]){ "held", holder, x->rule, "" });
	buf_printf(&d.title, "%" PRIu64 " open alerts of rule `", x->count);
	alert_text_name(&d.title, slice_of(x->rule), 120);
	buf_printf(&d.title, "` were not told: %s", why);
	write_document(&d.document, t, x, why, buf_slice(&d.title));
	d.row = (struct store_alert){ .severity = x->severity, .source = "system", .rule = "Alerts were held back",
				      .host = "", .agent = "", .container_id = "" };
	int r = alert_draft_tell(&d, t->store, t->clk, 0, ALERT_NEWS, &change, err);
	return r < 0 ? r : t->fn(t->arg, change.id, false, err);
}

static int tell_rules(struct teller *t, struct err *err)
{
	char why[80];
	int r = 0;

	snprintf(why, sizeof(why), t->by.kind == HOLD_SILENCE ? "silence %" PRId64 " has ended" : "alert %" PRId64 " is resolved",
		 t->by.holder);
	for (size_t i = 0; i < t->count && r >= 0; i++) {
		const struct store_held_rule *x = &t->rules[i];

		r = store_trail_add(t->store, x->alert, TRAIL_SYSTEM, "released", why, err);
		if (r >= 0)
			r = x->count == 1 ? t->fn(t->arg, x->alert, false, err) : tell_sum(t, x, why, err);
	}
	return r;
}

/* One slice for a holder that is over: looks again, then tells, so many rules at once. */
static int release(struct teller *t, struct err *err)
{
	enum { RULES_AT_ONCE = 50 };
	int64_t ids[SLICE_ALERTS];
	size_t count;
	int r = store_held_ids(t->store, t->by, ARRAY_LEN(ids), ids, &count, err);

	for (size_t i = 0; i < count && r >= 0; i++)
		r = look_again(t, ids[i], err);
	if (r < 0 || count)
		return r;
	CLEANUP(arena_freep) struct arena *a = arena_new(1024 * 1024);
	t->arena = a;
	t->rules = a ? arena_zalloc(a, RULES_AT_ONCE, sizeof(*t->rules)) : NULL;
	if (!t->rules)
		return err_set(err, ENOMEM, "held alerts");
	r = store_held_rules(t->store, t->by, RULES_AT_ONCE, keep_rule, t, err);
	if (r >= 0)
		r = tell_rules(t, err);
	if (r < 0 || t->count < RULES_AT_ONCE)
		return r < 0 ? r : store_holder_done(t->store, t->by, err);
	return store_held_told(t->store, t->by, t->rules[t->count - 1].rule, err);
}

static int on_woken(void *arg, int64_t id)
{
	struct teller *t = arg;

	return t->fn(t->arg, id, true, t->err);
}

static int tick(struct teller *t, struct err *err)
{
	int r = store_silences_expire(t->store, err);

	if (r >= 0)
		r = store_alerts_wake(t->store, SLICE_ALERTS, on_woken, t, err);
	bool is_more = r > 0;
	if (r >= 0)
		r = store_holder_over(t->store, &t->by, err);
	if (r <= 0)
		return r < 0 ? r : is_more;
	r = release(t, err);
	return r < 0 ? r : 1;
}

int alert_quiet_tick(struct store *s, const struct clock *clk, alert_quiet_tell_fn *tell, void *arg, struct err *err)
{
	struct err own = { 0 };
	struct teller t = { .store = s, .clk = clk, .fn = tell, .arg = arg, .err = err ? err : &own };
	int r = store_begin(s, err);

	return r < 0 ? r : store_end(s, tick(&t, err), err);
}

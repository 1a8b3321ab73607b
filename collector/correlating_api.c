/* correlating_api.c - people's questions: lists, explanations, backtests that run beside the rest. */
#include <errno.h>
#include <inttypes.h>

#include "collector/correlating_priv.h"
#include "common/log.h"
#include "common/text.h"

enum { STEP_PAUSE_MS = 5, NAME_BYTES = 128, GROUP_FIELDS = 2 * CORRELATION_GROUP_MAX, FILES_MAX = 100 };

int correlating_list(struct correlating *c, bool is_correlations, struct buf *out, struct err *err)
{
	return live_list_json(c->live, is_correlations, out, err);
}

/* {"rule":…, "group":{name: value}, "at":time} */
int correlating_explain(struct correlating *c, const cJSON *ask, struct buf *out, struct err *err)
{
	struct slice group[GROUP_FIELDS];
	const cJSON *at = cJSON_GetObjectItemCaseSensitive(ask, "at"), *o = cJSON_GetObjectItemCaseSensitive(ask, "group"), *one;
	uint64_t time_unix_ns = 0;
	size_t count = 0;

	if (at && (!cJSON_IsString(at) || !text_time_parse(slice_of(at->valuestring), &time_unix_ns)))
		return err_set(err, ERR_SYNTAX, "at: a time like 2026-12-01T10:00:00Z");
	cJSON_ArrayForEach(one, o)
	{
		if (!cJSON_IsString(one) || count == GROUP_FIELDS)
			return err_set(err, ERR_SYNTAX, "group: a text for each field, at most %d", CORRELATION_GROUP_MAX);
		group[count++] = slice_of(one->string);
		group[count++] = slice_of(one->valuestring);
	}
	struct slice rule = json_get_str(ask, "rule");
	if (!rule.n)
		return err_set(err, ERR_SYNTAX, "rule: the id or name of a correlation");
	return live_explain(c->live, rule, group, count, time_unix_ns, out, err);
}

/* ---- backtests ---- */

static void end_job(struct correlating_job *j)
{
	backtest_free(j->test);
	*j = (struct correlating_job){ 0 };
}

void correlating_jobs_free(struct correlating *c)
{
	for (size_t i = 0; i < CORRELATING_JOBS; i++)
		end_job(&c->jobs[i]);
}

/* One slice of each; batches come between. */
void correlating_work(void *arg)
{
	struct correlating *c = arg;
	bool is_more = false;

	for (size_t i = 0; i < CORRELATING_JOBS; i++) {
		struct correlating_job *j = &c->jobs[i];
		struct err err = { 0 };

		if (!j->is_running)
			continue;
		int r = backtest_step(j->test, &err);
		if (r < 0) {
			(void)slice_copy(slice_of(err.msg), j->error, sizeof(j->error));
			LOG(ERROR, "correlate.backtest", KV_STR("why", err.msg));
		}
		j->is_running = r > 0;
		is_more |= j->is_running;
	}
	if (is_more)
		loop_timer_once(c->work, STEP_PAUSE_MS);
}

static void write_job(const struct correlating_job *j, struct buf *out)
{
	char id[24];
	struct json js;

	snprintf(id, sizeof(id), "%" PRId64, j->id);
	json_init(&js, out);
	json_object_open(&js);
	json_kv_str(&js, "id", id);
	json_kv_str(&js, "who", j->who);
	json_kv_str(&js, "state", j->error[0] ? "failed" : j->is_running ? "running" : j->was_ended ? "ended" : "done");
	json_kv_str(&js, "error", j->error);
	backtest_json(j->test, &js);
	json_object_close(&js);
}

/* A free one, else that which has been over the longest. */
static struct correlating_job *place_for_job(struct correlating *c)
{
	struct correlating_job *best = NULL;
	size_t running = 0;

	for (size_t i = 0; i < CORRELATING_JOBS; i++) {
		struct correlating_job *j = &c->jobs[i];

		running += j->is_running;
		if (!j->is_running && (!best || j->id < best->id))
			best = j;
	}
	return running < CORRELATING_RUNNING ? best : NULL;
}

/* [{name, text}] -> texts; names live in a. */
static int read_files(const cJSON *files, struct arena *a, struct ruleset_text texts[FILES_MAX], size_t *ret_count, struct err *err)
{
	const cJSON *f;
	size_t count = 0;

	cJSON_ArrayForEach(f, files)
	{
		struct slice n = json_get_str(f, "name");

		if (count == FILES_MAX)
			return err_set(err, ERR_LIMIT, "at most %d files", FILES_MAX);
		if (!text_is_clean(n))
			return err_set(err, ERR_SYNTAX, "rules: names without control characters");
		texts[count] = (struct ruleset_text){ arena_dup(a, n.n ? slice_sub(n, 0, NAME_BYTES) : SLICE_LIT("rules.yaml")),
						      json_get_str(f, "text") };
		if (!texts[count++].name)
			return err_set(err, ERR_LIMIT, "rules");
	}
	*ret_count = count;
	return count ? 0 : err_set(err, ERR_SYNTAX, "rules: [{name, text}], at least one");
}

static int read_time(const cJSON *ask, const char *key, uint64_t fallback, uint64_t *ret, struct err *err)
{
	struct slice s = json_get_str(ask, key);

	*ret = fallback;
	if (!s.n || text_time_parse(s, ret))
		return 0;
	return err_set(err, ERR_SYNTAX, "%s: a time like 2026-12-01T10:00:00Z", key);
}

/* {"rules":[{name, text}], "since":…, "until":…} */
int correlating_backtest(struct correlating *c, const cJSON *ask, const char *who, struct buf *out, struct err *err)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct ruleset_text texts[FILES_MAX];
	size_t count = 0;
	uint64_t now = clock_unix_ns(c->clk);
	struct backtest_config cfg = { .bytes_max = c->bytes_max,
				       .lateness_ns = (int64_t)(c->lateness_ms * 1000000),
				       .world = live_world(c->live) };
	struct correlating_job *j = place_for_job(c);

	if (!j)
		return err_set(err, ERR_LIMIT, "%d backtests are running; wait for one, or end it", CORRELATING_RUNNING);
	int r = a ? 0 : err_set(err, ENOMEM, "rules");
	if (r >= 0)
		r = read_time(ask, "since", now - 86400ull * 1000000000, &cfg.since_unix_ns, err);
	if (r >= 0)
		r = read_time(ask, "until", now, &cfg.until_unix_ns, err);
	if (r >= 0 && (cfg.since_unix_ns >= cfg.until_unix_ns || cfg.until_unix_ns > now + 86400ull * 1000000000))
		r = err_set(err, ERR_SYNTAX, "since lies before until, and until not in the future");
	if (r >= 0)
		r = read_files(cJSON_GetObjectItemCaseSensitive(ask, "rules"), a, texts, &count, err);
	if (r >= 0)
		r = ruleset_of_texts(texts, count, false, &rs, err);
	if (r < 0)
		return r;
	end_job(j);
	r = backtest_new(c->store, &cfg, rs, &j->test, err);
	if (r < 0)
		return r;
	(void)take_ptr(rs);
	j->id = c->next_job++;
	j->is_running = true;
	(void)slice_copy(slice_of(who), j->who, sizeof(j->who));
	loop_timer_soon(c->work, 1);
	write_job(j, out);
	return 0;
}

int correlating_backtest_show(struct correlating *c, int64_t id, bool must_end, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < CORRELATING_JOBS; i++) {
		struct correlating_job *j = &c->jobs[i];

		if (!j->id || j->id != id)
			continue;
		j->was_ended |= must_end && j->is_running;
		j->is_running &= !must_end;
		write_job(j, out);
		return out->failed ? err_set(err, ERR_LIMIT, "the answer is too large") : 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no backtest %" PRId64 ": the collector keeps the last %d", id, CORRELATING_JOBS);
}

/* ---- figures ---- */

void correlating_metrics(struct correlating *c, struct buf *out)
{
	struct live_stats st;

	live_stats(c->live, &st);
	const struct {
		const char *name, *kind, *help;
		uint64_t value;
	} rows[] = {
		{ "rules", "gauge", "Sigma detection rules in force.", st.detections },
		{ "correlations", "gauge", "Sigma correlations in force.", st.correlations },
		{ "errors", "gauge", "Files or rules that could not be loaded.", st.error_count },
		{ "events_total", "counter", "Events looked at.", st.events },
		{ "skipped_total", "counter", "Of them those for which no rule asks.", st.skipped },
		{ "matched_total", "counter", "Events that a rule matched.", st.matched },
		{ "hits_total", "counter", "Events given to correlations.", st.hits },
		{ "firings_total", "counter", "Correlations that fired.", st.firings },
		{ "rule_alerts_total", "counter", "Matches of rules that raise alerts themselves.", st.alerts_of_rules },
		{ "withheld_total", "counter", "Matches and firings not added to alerts: a rule had too many.", c->withheld },
		{ "groups", "gauge", "Groups that are counted.", st.groups },
		{ "bytes", "gauge", "Memory of the groups.", st.bytes },
		{ "bytes_max", "gauge", "Its bound.", st.bytes_max },
		{ "evicted_total", "counter", "Groups that went before their time, for want of room.", st.evicted },
		{ "overflowed_total", "counter", "Hits that went before their time: one group had too many.", st.overflowed },
		{ "late_total", "counter", "Events beyond the lateness.", st.late },
		{ "without_group_total", "counter", "Hits that lack a field of group-by.", st.no_group },
		{ "overruns_total", "counter", "Regular expressions that took too long, and so did not match.", st.overruns },
		{ "journal_bytes", "gauge", "What is journaled since the last snapshot.", st.journal_bytes },
		{ "snapshot_bytes", "gauge", "Size of the last snapshot.", st.snapshot_bytes },
		{ "rebuilt_total", "counter", "States rebuilt after a transaction that failed.", st.rebuilt },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_printf(out,
			   "# HELP picket_correlation_%s %s\n# TYPE picket_correlation_%s %s\npicket_correlation_%s %" PRIu64 "\n",
			   rows[i].name, rows[i].help, rows[i].name, rows[i].kind, rows[i].name, rows[i].value);
}

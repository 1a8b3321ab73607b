/* api_history_state.c - questions that rows answer: vulnerabilities of a day, silences. */
#include <errno.h>

#include "collector/api/api_history.h"
#include "collector/store/filter.h"
#include "collector/store/store_vulns.h"

static const uint64_t day_ns = 24 * 3600ull * 1000000000;

/* {"items":[…],"cursor":""}; each writes a row, at most limit. */
struct list {
	struct json j;
	uint64_t rows, limit;
	bool has_more;
};

static void begin(struct list *l, struct asked *a)
{
	*l = (struct list){ .limit = a->q.limit };
	json_init(&l->j, &a->c->out);
	json_object_open(&l->j);
	json_kv_array(&l->j, "items");
}

static int end(struct list *l, struct asked *a, int r, struct err *err)
{
	json_array_close(&l->j);
	json_kv_str(&l->j, "cursor", "");
	json_kv_bool(&l->j, "more", l->has_more);
	json_object_close(&l->j);
	if (r >= 0 && a->c->out.failed)
		return err_set(err, ERR_LIMIT, "the answer is too large");
	return r < 0 ? r : 0;
}

/* These lists are short: there is no going on. */
static int refuse_paging(const struct asked *a, struct err *err)
{
	if (a->q.cursor || asked_param(a, "order"))
		return err_set(err, ERR_USAGE, "this question has neither cursor nor order");
	return 0;
}

/* ---- vulnerability ---- */

static int on_had(void *arg, const struct store_had_vuln *x)
{
	struct list *l = arg;
	struct json *j = &l->j;

	json_object_open(j);
	json_kv_str(j, "image_id", x->image_id);
	json_kv_str(j, "image", x->reference);
	json_kv_str(j, "host", x->host);
	json_kv_str(j, "package", x->package);
	json_kv_str(j, "version", x->version);
	json_kv_str(j, "fixed", x->fixed);
	json_kv_time(j, "ran_from", x->ran_from_unix_ns);
	json_kv_time(j, "ran_to", x->ran_to_unix_ns);
	json_kv_time(j, "found", x->found_unix_ns);
	json_kv_time(j, "resolved", x->resolved_unix_ns);
	json_object_close(j);
	return 0;
}

static int answer_vulnerability(struct asked *a, struct err *err)
{
	const char *day = asked_param(a, "day");
	uint64_t now = clock_unix_ns(a->c->api->clk);
	struct list l;
	int r = refuse_paging(a, err);

	if (r < 0)
		return r;
	if (day && (a->q.since_unix_ns || a->q.until_unix_ns))
		return err_set(err, ERR_USAGE, "day, or since and until");
	if (day) {
		if (strlen(day) != 10 || !filter_time_parse(slice_of(day), now, &a->q.since_unix_ns))
			return err_set(err, ERR_SYNTAX, "day=%.20s: like 2026-11-23", day);
		a->q.until_unix_ns = a->q.since_unix_ns + day_ns - 1;
	} else if (!a->q.since_unix_ns && !a->q.until_unix_ns) {
		a->q.since_unix_ns = now; /* at this time */
	}
	begin(&l, a);
	r = store_had_vuln_each(a->c->api->store, asked_param(a, "vuln"), a->q.since_unix_ns, a->q.until_unix_ns,
				l.limit, on_had, &l, &l.has_more, err);
	return end(&l, a, r, err);
}

const struct question question_vulnerability = { "vulnerability", "which images that ran on a day had a vulnerability",
						 { "vuln!", "day" },
						 "picketctl history vulnerability vuln=CVE-2024-3094 day=2026-11-23",
						 answer_vulnerability };

/* ---- silence ---- */

static int on_silence(void *arg, const struct store_agent_silence *x)
{
	struct list *l = arg;
	struct json *j = &l->j;

	if (l->rows++ >= l->limit) {
		l->has_more = true;
		return 0;
	}
	json_object_open(j);
	json_kv_str(j, "host", x->agent[0] ? x->host : NULL);
	json_kv_str(j, "agent", x->agent[0] ? x->agent : NULL);
	json_kv_time(j, "from", x->from_unix_ns);
	json_kv_time(j, "to", x->to_unix_ns);
	json_kv_str(j, "what", x->agent[0] ? "agent silent" : "collector not running");
	json_object_close(j);
	return 0;
}

static int answer_silence(struct asked *a, struct err *err)
{
	struct list l;
	int r = refuse_paging(a, err);

	if (r < 0)
		return r;
	begin(&l, a);
	r = store_agent_silences_each(a->c->api->store, asked_param(a, "host"), a->q.since_unix_ns, a->q.until_unix_ns,
				on_silence, &l, err);
	return end(&l, a, r, err);
}

const struct question question_silence = { "silence", "when agents were not heard of, and the collector did not run",
					   { "host" },
					   "picketctl history silence host=node-1 since=30d", answer_silence };

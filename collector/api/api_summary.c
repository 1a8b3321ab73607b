/* api_summary.c - what a filter over alerts comes to: how many, of which rules, how bad, what people said of them. One
 * answer holds what there was time to look at; sums of several are whoever asks to make. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "common/text.h"

enum { RULES_MAX = 512, EXAMPLES = 5, ARENA_BYTES = 1024 * 1024, LOOK_AT = 100000 };

static const char *const verdicts[] = { "true_positive", "false_positive", "benign", "duplicate_of" };
static const char *const statuses[] = { "new", "acknowledged", "snoozed", "resolved" };

struct rule_sum {
	const char *name;
	uint64_t hash, alerts, findings, open, verdicts[ARRAY_LEN(verdicts)];
	enum msg_severity worst;
};

struct summary {
	struct arena *arena;
	uint64_t alerts, findings, severities[5], statuses[ARRAY_LEN(statuses)], silenced, other_rules;
	struct rule_sum rules[RULES_MAX]; /* open addressing by the name's hash */
	size_t rule_count;
	struct json examples;
	size_t example_count;
};

static struct rule_sum *rule_of(struct summary *sum, const char *name)
{
	uint64_t hash = slice_hash(slice_of(name));

	for (size_t i = 0; i < RULES_MAX; i++) {
		struct rule_sum *r = &sum->rules[(hash + i) % RULES_MAX];

		if (r->name && r->hash == hash && !strcmp(r->name, name))
			return r;
		if (r->name)
			continue;
		r->name = sum->rule_count < RULES_MAX / 2 ? arena_dup(sum->arena, slice_of(name)) : NULL;
		r->hash = hash;
		sum->rule_count += r->name != NULL;
		return r->name ? r : NULL;
	}
	return NULL;
}

static void add_example(struct summary *sum, const struct store_alert *al)
{
	struct json *j = &sum->examples;

	if (sum->example_count++ >= EXAMPLES)
		return;
	json_object_open(j);
	json_kv_i64(j, "id", al->id);
	json_kv_time(j, "last_seen", al->last_seen_unix_ns);
	json_kv_str(j, "severity", msg_severity_name(al->severity));
	json_kv_slice(j, "title", slice_sub(slice_of(al->title), 0, 300));
	json_object_close(j);
}

static int on_alert(void *arg, const struct store_alert *al)
{
	struct summary *sum = arg;
	struct rule_sum *r = rule_of(sum, al->rule);

	sum->alerts++;
	sum->findings += al->count;
	sum->severities[al->severity < ARRAY_LEN(sum->severities) ? al->severity : 0]++;
	sum->silenced += al->silence != 0;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		sum->statuses[i] += !strcmp(al->status, statuses[i]);
	add_example(sum, al);
	if (!r) {
		sum->other_rules++;
		return 0;
	}
	r->alerts++;
	r->findings += al->count;
	r->open += strcmp(al->status, "resolved") != 0;
	r->worst = al->severity > r->worst ? al->severity : r->worst;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		r->verdicts[i] += !strcmp(al->resolution, verdicts[i]);
	return 0;
}

static void write_rule(struct json *j, const struct rule_sum *r)
{
	json_object_open(j);
	json_kv_str(j, "rule", r->name);
	json_kv_str(j, "severity", msg_severity_name(r->worst));
	json_kv_u64(j, "alerts", r->alerts);
	json_kv_u64(j, "findings", r->findings);
	json_kv_u64(j, "open", r->open);
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		json_kv_u64(j, verdicts[i], r->verdicts[i]);
	json_object_close(j);
}

static void write_summary(struct json *j, const struct summary *sum)
{
	json_kv_u64(j, "alerts", sum->alerts);
	json_kv_u64(j, "findings", sum->findings);
	json_kv_object(j, "severities");
	for (size_t i = ARRAY_LEN(sum->severities); i-- > 0;)
		json_kv_u64(j, msg_severity_name((enum msg_severity)i), sum->severities[i]);
	json_object_close(j);
	json_kv_object(j, "statuses");
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		json_kv_u64(j, statuses[i], sum->statuses[i]);
	json_object_close(j);
	json_kv_u64(j, "silenced", sum->silenced);
	json_kv_array(j, "rules");
	for (size_t i = 0; i < RULES_MAX; i++)
		if (sum->rules[i].name)
			write_rule(j, &sum->rules[i]);
	json_array_close(j);
	json_kv_u64(j, "other_rules", sum->other_rules);
}

int api_summary_write(struct api *a, const struct store_query *asked, struct buf *out, struct err *err)
{
	return api_summary_write_more(a, asked, "", "", out, err);
}

int api_summary_write_more(struct api *a, const struct store_query *asked, const char *members, const char *last_cursor,
			   struct buf *out, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
	CLEANUP(buf_finip) struct buf examples = { 0 };
	struct summary *sum = arena ? arena_zalloc(arena, 1, sizeof(*sum)) : NULL;
	struct store_query q = *asked;
	char cursor[64] = "";
	struct json j;

	if (!sum)
		return err_set(err, ERR_LIMIT, "out of memory");
	sum->arena = arena;
	buf_init(&examples, 64 * 1024);
	json_init(&sum->examples, &examples);
	json_array_open(&sum->examples);
	q.limit = LOOK_AT;
	int r = store_alert_query(a->store, &q, on_alert, sum, cursor, sizeof(cursor), err);
	json_array_close(&sum->examples);
	if (r < 0)
		return r;
	json_init(&j, out);
	json_object_open(&j);
	write_summary(&j, sum);
	json_key(&j, "examples");
	json_raw(&j, buf_slice(&examples));
	json_kv_str(&j, "cursor", cursor[0] ? cursor : last_cursor);
	buf_add_str(out, members);
	json_object_close(&j);
	return out->failed || examples.failed ? err_set(err, ERR_LIMIT, "the answer is too large") : 0;
}

int api_alerts_summary(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_summary_write(c->api, &q, &c->out, err);
}

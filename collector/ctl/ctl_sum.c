/* ctl_sum.c - sums over answers that each hold a slice: the API looks at what there is time for, and says where to go on. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

enum { EXAMPLES = 5 };

static bool is_worse(const char *a, const char *b)
{
	static const char *const order[] = { "info", "low", "medium", "high", "critical" };
	size_t at[2] = { 0, 0 };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		at[0] = !strcmp(a, order[i]) ? i : at[0];
		at[1] = !strcmp(b, order[i]) ? i : at[1];
	}
	return at[0] > at[1];
}

static void merge(cJSON *to, cJSON *from);

/* Rules by their name, examples as many as fit. */
static void merge_list(cJSON *to, cJSON *from)
{
	cJSON *item, *mine;

	while ((item = cJSON_DetachItemFromArray(from, 0))) {
		const char *rule = ctl_str(item, "rule");
		bool is_merged = false;

		cJSON_ArrayForEach(mine, to)
		{
			is_merged = rule[0] && !strcmp(ctl_str(mine, "rule"), rule);
			if (is_merged)
				break;
		}
		if (is_merged)
			merge(mine, item);
		if (!is_merged && (rule[0] || cJSON_GetArraySize(to) < EXAMPLES))
			cJSON_AddItemToArray(to, item);
		else
			cJSON_Delete(item);
	}
}

static void merge(cJSON *to, cJSON *from)
{
	cJSON *mine, *theirs;

	cJSON_ArrayForEach(mine, to)
	{
		theirs = mine->string ? cJSON_GetObjectItemCaseSensitive(from, mine->string) : NULL;
		if (cJSON_IsNumber(mine) && cJSON_IsNumber(theirs))
			cJSON_SetNumberValue(mine, mine->valuedouble + theirs->valuedouble);
		else if (cJSON_IsObject(mine) && cJSON_IsObject(theirs))
			merge(mine, theirs);
		else if (cJSON_IsArray(mine) && cJSON_IsArray(theirs))
			merge_list(mine, theirs);
		else if (cJSON_IsString(mine) && cJSON_IsString(theirs) && !strcmp(mine->string, "severity") &&
			 is_worse(theirs->valuestring, mine->valuestring))
			cJSON_SetValuestring(mine, theirs->valuestring);
	}
}

int ctl_sum(struct ctl *c, int (*ask)(struct ctl *c, const char *cursor, void *arg, cJSON **ret, struct err *err), void *arg,
	    cJSON **ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *all = NULL;
	char cursor[256] = "";

	do {
		CLEANUP(cJSON_Deletep) cJSON *page = NULL;
		int r = ask(c, cursor, arg, &page, err);

		if (r < 0)
			return r;
		if (!slice_copy(json_get_str(page, "cursor"), cursor, sizeof(cursor)))
			return err_set(err, ERR_PEER, "the collector's answer has no end");
		if (!all)
			all = take_ptr(page);
		else
			merge(all, page);
	} while (cursor[0]);
	cJSON_DeleteItemFromObjectCaseSensitive(all, "cursor");
	*ret = take_ptr(all);
	return 0;
}

int ctl_sum_alerts(struct ctl *c, const char *cursor, void *arg, cJSON **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	const char *filter = arg;

	buf_add_str(&path, "/api/v1/alerts/summary");
	ctl_query(&path, "filter", filter);
	ctl_query(&path, "since", c->since);
	ctl_query(&path, "until", c->until);
	ctl_query(&path, "cursor", cursor);
	return ctl_get(c, path.p, NULL, &raw, ret, err);
}

/* "12 alerts (340 findings): 2 critical, 10 high" */
void ctl_sum_line(const cJSON *sum, struct buf *out)
{
	static const char *const order[] = { "critical", "high", "medium", "low", "info" };
	unsigned n = 0;

	buf_printf(out, "%" PRIu64 " alerts (%" PRIu64 " findings)", json_get_u64(sum, "alerts", 0),
		   json_get_u64(sum, "findings", 0));
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		uint64_t count = json_get_u64(ctl_at(sum, "severities"), order[i], 0);

		if (count)
			buf_printf(out, "%s%" PRIu64 " %s", n++ ? ", " : ": ", count, order[i]);
	}
}

static const struct ctl_column rule_columns[] = {
	{ .title = "ALERTS", .path = "alerts" },
	{ .title = "FINDINGS", .path = "findings" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "RULE", .path = "rule", .may_shrink = true },
};
static const struct ctl_view rule_view = { .columns = rule_columns, .column_count = ARRAY_LEN(rule_columns) };
static const struct ctl_column example_columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "AGE", .path = "last_seen", .form = CTL_AGE },
	{ .title = "TITLE", .path = "title", .may_shrink = true },
};
static const struct ctl_view example_view = { .columns = example_columns, .column_count = ARRAY_LEN(example_columns) };

void ctl_sum_print(struct ctl *c, const cJSON *sum)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	ctl_sum_line(sum, &out);
	fprintf(c->out, "%s\n", out.p);
	(void)ctl_print_list(c, "\nBy rule", &rule_view, ctl_at(sum, "rules"));
	(void)ctl_print_list(c, "\nThe newest", &example_view, ctl_at(sum, "examples"));
	uint64_t high = json_get_u64(ctl_at(sum, "severities"), "high", 0), critical = json_get_u64(ctl_at(sum, "severities"), "critical", 0);
	if (high || critical)
		fprintf(c->out, "\nWarning: %" PRIu64 " critical and %" PRIu64 " high alerts are among them.\n", critical, high);
}

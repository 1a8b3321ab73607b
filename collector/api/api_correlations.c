/* api_correlations.c - rules of the collector: those in force, why one fired or did not, what one would have done. */
#include "collector/api/api_priv.h"

#include <errno.h>

static int no_rules(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "this collector has no rules");
}

static int list(struct api_call *c, bool is_correlations, struct err *err)
{
	const struct api_ops *ops = &c->api->ops;

	return ops->on_rules ? ops->on_rules(c->api->arg, is_correlations, &c->out, err) : no_rules(err);
}

int api_rules_list(struct api_call *c, struct err *err)
{
	return list(c, false, err);
}

int api_correlations_list(struct api_call *c, struct err *err)
{
	return list(c, true, err);
}

/* Only these keys, in an object. */
static int read_ask(const struct api_call *c, const char *const *keys, size_t count, cJSON **ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	const cJSON *one;
	int r = api_body(c, &doc, err);

	if (r < 0)
		return r;
	if (!cJSON_IsObject(doc))
		return err_set(err, ERR_SYNTAX, "a JSON object is needed");
	cJSON_ArrayForEach(one, doc)
	{
		bool is_known = false;

		for (size_t i = 0; i < count; i++)
			is_known |= !strcmp(one->string, keys[i]);
		if (!is_known)
			return err_set(err, ERR_SYNTAX, "no member '%.40s' here", one->string);
	}
	*ret = take_ptr(doc);
	return 0;
}

int api_correlation_explain(struct api_call *c, struct err *err)
{
	static const char *const keys[] = { "rule", "group", "at" };
	CLEANUP(cJSON_Deletep) cJSON *ask = NULL;
	int r = read_ask(c, keys, ARRAY_LEN(keys), &ask, err);

	if (r < 0)
		return r;
	return c->api->ops.on_explain ? c->api->ops.on_explain(c->api->arg, ask, &c->out, err) : no_rules(err);
}

int api_backtest_begin(struct api_call *c, struct err *err)
{
	static const char *const keys[] = { "rules", "since", "until" };
	CLEANUP(cJSON_Deletep) cJSON *ask = NULL;
	int r = read_ask(c, keys, ARRAY_LEN(keys), &ask, err);

	if (r < 0)
		return r;
	return c->api->ops.on_backtest ? c->api->ops.on_backtest(c->api->arg, ask, c->user, &c->out, err) : no_rules(err);
}

static int show(struct api_call *c, bool must_end, struct err *err)
{
	int64_t id;
	int r = api_number(c, "backtest", &id, err);

	if (r < 0)
		return r;
	if (!c->api->ops.on_backtest_show)
		return no_rules(err);
	return c->api->ops.on_backtest_show(c->api->arg, id, must_end, &c->out, err);
}

int api_backtest_show(struct api_call *c, struct err *err)
{
	return show(c, false, err);
}

int api_backtest_end(struct api_call *c, struct err *err)
{
	return show(c, true, err);
}

/* facts_out.c - texts and lists in the arena, and JSON into them. A value of the wrong type counts as absent. */
#include "agent/audit/facts_priv.h"

#include <math.h>
#include <stdarg.h>

#include "common/json.h"
#include "common/text.h"

const char *facts_text(struct facts_out *o, struct slice s)
{
	if (!s.n)
		return "";
	const char *nul = memchr(s.p, 0, s.n);
	if (nul)
		s.n = (size_t)(nul - s.p);
	const char *r = arena_dup(o->a, s);
	if (r)
		return r;
	o->failed = true;
	return "";
}

const char *facts_format(struct facts_out *o, const char *fmt, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		o->failed = true;
		return "";
	}
	return facts_text(o, slice_from(text, (size_t)n));
}

void *facts_rows(struct facts_out *o, size_t count, size_t size)
{
	if (!count)
		return NULL;
	void *p = arena_zalloc(o->a, count, size);
	if (!p)
		o->failed = true;
	return p;
}

bool facts_texts_open(struct facts_out *o, struct facts_texts *t, size_t count)
{
	*t = (struct facts_texts){ 0 };
	t->v = facts_rows(o, count < FACTS_LIST_MAX ? count : FACTS_LIST_MAX, sizeof(*t->v));
	return t->v;
}

void facts_texts_add(struct facts_texts *t, const char *s)
{
	if (t->count < FACTS_LIST_MAX)
		t->v[t->count++] = s;
}

int facts_done(const struct facts_out *o, struct err *err)
{
	return o->failed ? err_set(err, ERR_LIMIT, "the facts take more memory than is allowed") : 0;
}

const cJSON *facts_get(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

const char *facts_json_text(struct facts_out *o, const cJSON *obj, const char *key)
{
	return facts_text(o, json_get_str(obj, key));
}

void facts_json_texts(struct facts_out *o, const cJSON *array, struct facts_texts *ret)
{
	const cJSON *v;

	*ret = (struct facts_texts){ 0 };
	if (!cJSON_IsArray(array) || !facts_texts_open(o, ret, (size_t)cJSON_GetArraySize(array)))
		return;
	cJSON_ArrayForEach(v, array)
	{
		if (ret->count == FACTS_LIST_MAX)
			return;
		if (cJSON_IsString(v))
			facts_texts_add(ret, facts_text(o, slice_of(v->valuestring)));
	}
}

void facts_json_keys(struct facts_out *o, const cJSON *obj, struct facts_texts *ret)
{
	const cJSON *v;

	*ret = (struct facts_texts){ 0 };
	if (!cJSON_IsObject(obj) || !facts_texts_open(o, ret, (size_t)cJSON_GetArraySize(obj)))
		return;
	cJSON_ArrayForEach(v, obj)
	{
		if (ret->count == FACTS_LIST_MAX)
			return;
		if (v->string)
			facts_texts_add(ret, facts_text(o, slice_of(v->string)));
	}
}

int64_t facts_json_i64(const cJSON *obj, const char *key, int64_t fallback)
{
	const cJSON *v = facts_get(obj, key);

	if (!cJSON_IsNumber(v) || isnan(v->valuedouble))
		return fallback;
	/* 2^63 as a double: from there on it does not fit. */
	if (v->valuedouble >= 9223372036854775808.0)
		return INT64_MAX;
	if (v->valuedouble <= -9223372036854775808.0)
		return INT64_MIN;
	return (int64_t)v->valuedouble;
}

enum facts_tri facts_json_tri(const cJSON *obj, const char *key)
{
	const cJSON *v = facts_get(obj, key);

	return !cJSON_IsBool(v) ? FACTS_UNKNOWN : cJSON_IsTrue(v) ? FACTS_YES : FACTS_NO;
}

uint64_t facts_json_time_s(const cJSON *obj, const char *key)
{
	struct slice s = json_get_str(obj, key);
	uint64_t ns = 0;

	return !slice_starts(s, SLICE_LIT("0001-")) && text_time_parse(s, &ns) ? ns / 1000000000 : 0;
}

int facts_json_object(struct slice body, cJSON **ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = json_parse(body, FACTS_BODY_BYTES, &doc, err);

	if (r < 0)
		return r;
	if (!cJSON_IsObject(doc))
		return err_set(err, ERR_SYNTAX, "1:1: not a JSON object");
	*ret = take_ptr(doc);
	return 0;
}

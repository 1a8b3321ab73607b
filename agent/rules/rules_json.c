/* rules_json.c - see rules_json.h. */
#include "agent/rules/rules_json.h"

#include "agent/rules/rules_fields.h"

enum { LEVELS_MAX = 32, KEY_MAX = 256 };

static bool is_number_type(enum rules_type t)
{
	return t != RT_STRING && t != RT_PATH && t != RT_BYTES && t != RT_IPADDR && t != RT_IPNET;
}

/* A number given as a string ("1000", "-1"). */
static bool parse_number(struct slice s, int64_t *ret)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;

	if (slice_is(s, "true") || slice_is(s, "false")) {
		*ret = s.p[0] == 't';
		return true;
	}
	if (!slice_to_u64(slice_sub(s, negative, s.n), &v))
		return false;
	*ret = (int64_t)(negative ? 0 - v : v);
	return true;
}

static int64_t to_int(double d)
{
	return d >= 9223372036854775807.0 ? INT64_MAX : d <= -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
}

/* A number where the field is text: as people write it. */
static struct slice number_text(double d, struct arena *scratch)
{
	const char *s = d == (double)to_int(d) ? arena_printf(scratch, "%lld", (long long)to_int(d)) :
						 arena_printf(scratch, "%g", d);

	return slice_of(s);
}

static struct slice text_of(const cJSON *v, struct arena *scratch)
{
	if (cJSON_IsString(v))
		return slice_of(v->valuestring);
	if (cJSON_IsBool(v))
		return cJSON_IsTrue(v) ? SLICE_LIT("true") : SLICE_LIT("false");
	return cJSON_IsNumber(v) ? number_text(v->valuedouble, scratch) : SLICE_NONE;
}

static bool scalar(const cJSON *v, enum rules_type type, struct arena *scratch, struct rules_value *ret)
{
	if (!is_number_type(type)) {
		ret->str = text_of(v, scratch);
		return ret->str.p;
	}
	if (cJSON_IsString(v))
		return parse_number(slice_of(v->valuestring), &ret->num);
	ret->num = cJSON_IsBool(v) ? cJSON_IsTrue(v) : to_int(v->valuedouble);
	return cJSON_IsNumber(v) || cJSON_IsBool(v);
}

static bool array(const cJSON *v, struct arena *scratch, struct rules_value *ret)
{
	int count = cJSON_GetArraySize(v);
	struct slice *all = arena_alloc(scratch, ((size_t)count + 1) * sizeof(*all));
	const cJSON *x;

	if (!all)
		return false;
	ret->list = all;
	cJSON_ArrayForEach(x, v)
		all[ret->list_count++] = text_of(x, scratch);
	return true;
}

static const cJSON *lookup(const cJSON *event, const char *name, const char *open, int index, struct slice arg,
			   const char *close)
{
	char key[KEY_MAX];

	if (index >= 0)
		snprintf(key, sizeof(key), "%s%s%d%s", name, open, index, close);
	else
		snprintf(key, sizeof(key), "%s%s%.*s%s", name, open, SLICE_FMT(arg), close);
	return cJSON_GetObjectItemCaseSensitive(event, key);
}

static const cJSON *find(const cJSON *event, const struct rules_field *f, int index, struct slice arg)
{
	const char *name = rules_field_name(f);

	if (index < 0 && !arg.n)
		return cJSON_GetObjectItemCaseSensitive(event, name);
	const cJSON *v = lookup(event, name, "[", index, arg, "]");
	if (!v)
		v = lookup(event, name, ".", index, arg, "");
	if (v || index < 0)
		return v;
	v = cJSON_GetObjectItemCaseSensitive(event, name);
	int at = f->flags & FIELD_IS_ANCESTOR ? index - 1 : index;
	return cJSON_IsArray(v) && at >= 0 ? cJSON_GetArrayItem(v, at) : NULL;
}

/* proc.aname without an index, from the ones with. */
static bool ancestors(const cJSON *event, const struct rules_field *f, struct arena *scratch,
		      struct rules_value *ret)
{
	struct slice *all = arena_alloc(scratch, LEVELS_MAX * sizeof(*all));

	for (int i = 1; all && i <= LEVELS_MAX; i++) {
		const cJSON *v = lookup(event, rules_field_name(f), "[", i, SLICE_NONE, "]");

		if (v)
			all[ret->list_count++] = text_of(v, scratch);
	}
	ret->list = all;
	return ret->list_count;
}

/* Both ends of a connection under the names a and b, where they are given. */
static bool ends(const cJSON *event, const char *const *names, size_t count, struct arena *scratch,
		 struct rules_value *ret)
{
	struct slice *all = arena_alloc(scratch, count * sizeof(*all));

	for (size_t i = 0; all && i < count; i++) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(event, names[i]);

		if (v && !cJSON_IsNull(v))
			all[ret->list_count++] = text_of(v, scratch);
	}
	ret->list = all;
	if (ret->list_count == 1)
		(void)parse_number(all[0], &ret->num);
	return ret->list_count;
}

static bool implied(const cJSON *event, const struct rules_field *f, struct arena *scratch,
		    struct rules_value *ret)
{
	static const char *const ips[] = { "fd.cip", "fd.sip", "fd.lip", "fd.rip" };
	static const char *const ports[] = { "fd.cport", "fd.sport", "fd.lport", "fd.rport" };
	static const char *const either_ip[] = { "fd.ip" };

	switch (rules_field_id(f)) {
	case FIELD_FD_IP:
		return ends(event, ips, 4, scratch, ret);
	case FIELD_FD_NET:
		return ends(event, either_ip, 1, scratch, ret) || ends(event, ips, 4, scratch, ret);
	case FIELD_FD_PORT:
		return ends(event, ports, 4, scratch, ret);
	case FIELD_FD_CNET:
	case FIELD_FD_SNET:
	case FIELD_FD_LNET:
	case FIELD_FD_RNET: {
		const char *one = rules_field_id(f) == FIELD_FD_CNET ? ips[0] :
				  rules_field_id(f) == FIELD_FD_SNET ? ips[1] :
				  rules_field_id(f) == FIELD_FD_LNET ? ips[2] : ips[3];
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(event, one);

		return v && scalar(v, RT_IPADDR, scratch, ret);
	}
	default:
		return false;
	}
}

static bool get(void *ctx, const struct rules_field *f, int index, struct slice arg, struct arena *scratch,
		struct rules_value *ret)
{
	const cJSON *event = ctx, *v = find(event, f, index, arg);

	*ret = (struct rules_value){ 0 };
	ret->is_list = f->flags & FIELD_IS_LIST;
	if (!v && f->flags & FIELD_IS_ANCESTOR && index < 0)
		return ancestors(event, f, scratch, ret);
	if (!v)
		return implied(event, f, scratch, ret);
	if (cJSON_IsArray(v)) {
		if (!array(v, scratch, ret))
			return false;
		/* Arguments are a text of words too. */
		if (!(f->flags & (FIELD_IS_LIST | FIELD_IS_ANCESTOR | FIELD_IS_EITHER))) {
			size_t n = 0;

			for (size_t i = 0; i < ret->list_count; i++)
				n += ret->list[i].n + 1;
			char *text = arena_alloc(scratch, n + 1), *at = text;
			for (size_t i = 0; text && i < ret->list_count; i++) {
				if (i)
					*at++ = ' ';
				at = mempcpy(at, ret->list[i].p ? ret->list[i].p : "", ret->list[i].n);
			}
			ret->str = slice_from(text, (size_t)(at - text));
			return text;
		}
		return true;
	}
	if (ret->is_list) {
		struct slice *one = arena_alloc(scratch, sizeof(*one));

		if (!one)
			return false;
		*one = text_of(v, scratch);
		ret->list = one;
		ret->list_count = 1;
		return one->p;
	}
	return scalar(v, f->flags & FIELD_IS_DYNAMIC && cJSON_IsString(v) ? RT_STRING : f->type, scratch, ret);
}

struct rules_source rules_json_source(const cJSON *event)
{
	union {
		const void *from;
		void *to;
	} ctx = { .from = event };

	return (struct rules_source){ get, ctx.to };
}

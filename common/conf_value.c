/* conf_value.c - one YAML value into one field of a struct; see conf.h for the kinds. */
#include <inttypes.h>

#include "common/conf_priv.h"
#include "common/log.h"
#include "common/text.h"

enum { SHOWN_MAX = 60 };

static void *field(const struct conf_key *key, void *target)
{
	return (char *)target + key->offset;
}

static void list_fini(const struct conf_key *key, struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (key->kind == CONF_STR_LIST)
			free(((char **)list->items)[i]);
		else
			conf_fini(key->sub, key->sub_count,
				  (char *)list->items + i * key->item_size);
	}
	free(list->items);
	*list = (struct conf_list){ 0 };
}

void conf_fini(const struct conf_key *keys, size_t count, void *target)
{
	for (size_t i = 0; i < count; i++) {
		void *f = field(&keys[i], target);

		if (keys[i].kind == CONF_STR) {
			free(*(char **)f);
			*(char **)f = NULL;
		} else if (keys[i].kind == CONF_LIST || keys[i].kind == CONF_STR_LIST) {
			list_fini(&keys[i], f);
		}
	}
}

char *conf_strdup(const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		abort();
	return copy;
}

/* "'spool.max_size' must be a size like 64MiB, not 'big'" */
static int wrong_kind(struct conf_reader *r, const struct conf_key *key, const char *expected)
{
	char shown[SHOWN_MAX];

	if (r->ev.type != YAML_SCALAR_EVENT)
		return conf_fail(r, "'%s' must be %s, not a %s", key->name, expected,
				 r->ev.type == YAML_MAPPING_START_EVENT ? "mapping" : "list");
	if (conf_is_null(r))
		return conf_fail(r, "'%s' has no value: expected %s", key->name, expected);
	log_escape(conf_scalar(r), shown, sizeof(shown));
	return conf_fail(r, "'%s' must be %s, not '%s'", key->name, expected, shown);
}

static int read_text(struct conf_reader *r, const struct conf_key *key, char **ret)
{
	if (r->ev.type != YAML_SCALAR_EVENT || conf_is_null(r))
		return wrong_kind(r, key, "text (\"\" for none)");
	struct slice s = conf_scalar(r);
	if (slice_find_char(s, 0) >= 0)
		return conf_fail(r, "'%s' contains a NUL", key->name);
	*ret = slice_dup(s);
	return *ret ? 0 : conf_fail(r, "out of memory");
}

static int read_bool(struct conf_reader *r, const struct conf_key *key, bool *ret)
{
	bool is_plain = r->ev.type == YAML_SCALAR_EVENT &&
			r->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (is_plain && slice_is(conf_scalar(r), "true"))
		*ret = true;
	else if (is_plain && slice_is(conf_scalar(r), "false"))
		*ret = false;
	else
		return wrong_kind(r, key, "true or false");
	return 0;
}

/* A bound as a person would write it: the largest unit that divides it. */
static const char *show_amount(enum conf_kind kind, uint64_t v, char *dst, size_t size)
{
	static const struct {
		enum conf_kind kind;
		uint64_t factor;
		const char *unit;
	} units[] = {
		{ CONF_SIZE, 1ULL << 40, "TiB" },   { CONF_SIZE, 1ULL << 30, "GiB" },
		{ CONF_SIZE, 1ULL << 20, "MiB" },   { CONF_SIZE, 1ULL << 10, "KiB" },
		{ CONF_DURATION, 86400000, "d" },   { CONF_DURATION, 3600000, "h" },
		{ CONF_DURATION, 60000, "m" },	    { CONF_DURATION, 1000, "s" },
		{ CONF_DURATION, 1, "ms" },
	};

	for (size_t i = 0; v && i < ARRAY_LEN(units); i++) {
		if (units[i].kind != kind || v % units[i].factor)
			continue;
		snprintf(dst, size, "%" PRIu64 "%s", v / units[i].factor, units[i].unit);
		return dst;
	}
	snprintf(dst, size, "%" PRIu64, v);
	return dst;
}

static int read_amount(struct conf_reader *r, const struct conf_key *key, uint64_t *ret)
{
	bool is_scalar = r->ev.type == YAML_SCALAR_EVENT && !conf_is_null(r), ok = false;
	struct slice s = is_scalar ? conf_scalar(r) : SLICE_NONE;
	const char *expected = "a whole number";
	char min[32], max[32];
	uint64_t v = 0;

	if (key->kind == CONF_SIZE) {
		expected = "a size like 64MiB";
		ok = text_size_parse(s, &v);
	} else if (key->kind == CONF_DURATION) {
		expected = "a duration like 30s, 15m or 24h";
		ok = text_duration_parse(s, &v);
	} else {
		ok = slice_to_u64(s, &v);
	}
	if (!ok)
		return wrong_kind(r, key, expected);
	show_amount(key->kind, key->min, min, sizeof(min));
	show_amount(key->kind, key->max, max, sizeof(max));
	if (key->max && (v < key->min || v > key->max))
		return conf_fail(r, "'%s' must be between %s and %s", key->name, min, max);
	if (v < key->min)
		return conf_fail(r, "'%s' must be at least %s", key->name, min);
	*ret = v;
	return 0;
}

static int read_enum(struct conf_reader *r, const struct conf_key *key, int *ret)
{
	struct slice s = SLICE_NONE;
	char expected[160] = "one of";
	size_t count = 0, n = strlen(expected);

	if (r->ev.type == YAML_SCALAR_EVENT)
		s = conf_scalar(r);
	for (; key->names[count]; count++) {
		if (s.p && slice_is(s, key->names[count])) {
			*ret = (int)count;
			return 0;
		}
		if (n < sizeof(expected))
			n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%s %s",
					      count ? "," : "", key->names[count]);
	}
	return wrong_kind(r, key, expected);
}

/* Room for one more element, cleared; NULL when out of memory. */
static void *list_add(struct conf_list *list, size_t item_size)
{
	/* Powers of two, and the count says when the next one is due. */
	if (!(list->count & (list->count - 1))) {
		size_t size = list->count ? list->count * 2 : 1;
		void *items = reallocarray(list->items, size, item_size);

		if (!items)
			return NULL;
		list->items = items;
	}
	void *item = (char *)list->items + list->count * item_size;
	memset(item, 0, item_size);
	list->count++; /* before it is filled, so that conf_fini frees half an element too */
	return item;
}

static int read_list(struct conf_reader *r, const struct conf_key *key, struct conf_list *list)
{
	bool is_text = key->kind == CONF_STR_LIST;

	if (r->ev.type != YAML_SEQUENCE_START_EVENT)
		return wrong_kind(r, key, is_text ? "a list of texts ([] for none)" :
						    "a list of mappings ([] for none)");
	list_fini(key, list);
	for (;;) {
		int e = conf_next(r);

		if (e < 0)
			return e;
		if (r->ev.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (!is_text && r->ev.type != YAML_MAPPING_START_EVENT)
			return conf_fail(r, "each element of '%s' must be a mapping", key->name);
		void *item = list_add(list, is_text ? sizeof(char *) : key->item_size);
		if (!item)
			return conf_fail(r, "out of memory");
		e = is_text ? read_text(r, key, item) :
			      conf_read_mapping(r, key->sub, key->sub_count, item);
		if (e < 0)
			return e;
	}
}

/* The current event and what belongs to it, within conf_next's bounds. */
static int skip_value(struct conf_reader *r)
{
	unsigned depth = r->depth; /* inside of it, if it has an inside */
	bool has_inside = r->ev.type != YAML_SCALAR_EVENT;

	while (has_inside && r->depth >= depth) {
		int e = conf_next(r);

		if (e < 0)
			return e;
	}
	return 0;
}

int conf_read_value(struct conf_reader *r, const struct conf_key *key, void *target)
{
	void *f = field(key, target);
	char *text;
	int e;

	switch (key->kind) {
	case CONF_STR:
		e = read_text(r, key, &text);
		if (e < 0)
			return e;
		free(*(char **)f);
		*(char **)f = text;
		return 0;
	case CONF_BOOL:
		return read_bool(r, key, f);
	case CONF_U64:
	case CONF_SIZE:
	case CONF_DURATION:
		return read_amount(r, key, f);
	case CONF_STR_LIST:
	case CONF_LIST:
		return read_list(r, key, f);
	case CONF_ENUM:
		return read_enum(r, key, f);
	case CONF_SKIP:
		return skip_value(r);
	}
	return conf_fail(r, "'%s' has a kind that is none", key->name);
}

/* fuzz_conf.c - hostile YAML through the configuration reader. FUZZ_LINK: picket_common */
#include "common/conf.h"

struct item {
	char *to;
	struct conf_list tags, items;
};

struct settings {
	char *s;
	bool b;
	uint64_t u, size, ms;
	struct conf_list names, items;
	int e;
};

static const struct conf_key inner[] = {
	{ .name = "to", .kind = CONF_STR, .offset = offsetof(struct item, to) },
	{ .name = "a.tags", .kind = CONF_STR_LIST, .offset = offsetof(struct item, tags) },
};
static const struct conf_key item_keys[] = {
	{ .name = "to", .kind = CONF_STR, .offset = offsetof(struct item, to) },
	{ .name = "a.tags", .kind = CONF_STR_LIST, .offset = offsetof(struct item, tags) },
	{ .name = "a.items", .kind = CONF_LIST, .offset = offsetof(struct item, items),
	  .sub = inner, .sub_count = ARRAY_LEN(inner), .item_size = sizeof(struct item) },
};
static const char *const names[] = { "low", "high", NULL };
static const struct conf_key keys[] = {
	{ .name = "s", .kind = CONF_STR, .offset = offsetof(struct settings, s) },
	{ .name = "b", .kind = CONF_BOOL, .offset = offsetof(struct settings, b) },
	{ .name = "a.u", .kind = CONF_U64, .offset = offsetof(struct settings, u), .max = 99 },
	{ .name = "a.b.size", .kind = CONF_SIZE, .offset = offsetof(struct settings, size) },
	{ .name = "a.b.ms", .kind = CONF_DURATION, .offset = offsetof(struct settings, ms), .min = 5 },
	{ .name = "names", .kind = CONF_STR_LIST, .offset = offsetof(struct settings, names) },
	{ .name = "items", .kind = CONF_LIST, .offset = offsetof(struct settings, items),
	  .sub = item_keys, .sub_count = ARRAY_LEN(item_keys), .item_size = sizeof(struct item) },
	{ .name = "e", .kind = CONF_ENUM, .offset = offsetof(struct settings, e), .names = names },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings s = { .s = conf_strdup("default") };
	struct err err = { 0 };
	int r = conf_parse("fuzz.yaml", slice_from(data, size), keys, ARRAY_LEN(keys), &s, &err);

	/* A refusal has a place and words; what was accepted is inside its bounds. */
	if (r < 0 && (r != -ERR_SYNTAX || strncmp(err.msg, "fuzz.yaml:", 10)))
		abort();
	if (s.u > 99 || s.e < 0 || s.e > 1 || !s.s)
		abort();
	conf_fini(keys, ARRAY_LEN(keys), &s);
	return 0;
}

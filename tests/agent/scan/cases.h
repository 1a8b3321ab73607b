/* cases.h - a scan's result made from a small JSON file, so that formats are tested without an image and
 * without a database. Whatever a file names must be there: a mistyped key fails the test. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/scan/ignore.h"
#include "agent/scan/result.h"
#include "agent/scan/vex.h"
#include "common/file.h"
#include "common/json.h"
#include "common/text.h"

struct test_case {
	cJSON *doc; /* texts live here */
	struct arena *arena;
	Picket__Inventory *inventory;
	struct scan_result result;
	struct ignore *ignore;
	struct vex *vex;
};

static inline char *case_str(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : (char *)(uintptr_t)protobuf_c_empty_string;
}

static inline struct slice case_slice(const cJSON *o, const char *key)
{
	return slice_of(case_str(o, key));
}

static inline char **case_strings(struct test_case *c, const cJSON *o, const char *key, size_t *count)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, key), *v;
	char **out = arena_zalloc(c->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof(*out));

	cJSON_ArrayForEach(v, list)
		out[(*count)++] = v->valuestring;
	return out;
}

static inline uint64_t case_time(const cJSON *o, const char *key)
{
	uint64_t ns = 0;
	struct slice s = case_slice(o, key);

	if (s.n && !text_time_parse(s, &ns))
		fail_msg("%s: '%s' is no time", key, s.p);
	return ns / 1000000000;
}

static inline void case_keys(const cJSON *o, const char *const *known, size_t count)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, o) {
		size_t i = 0;

		while (i < count && strcmp(v->string, known[i]) != 0)
			i++;
		if (i == count)
			fail_msg("unknown key '%s'", v->string);
	}
}

static inline Picket__Package *case_package(struct test_case *c, const cJSON *o)
{
	static const char *const known[] = { "ecosystem", "name", "version", "arch", "source", "source_version",
					     "path", "owner", "dev" };
	Picket__Package *p = arena_alloc(c->arena, sizeof(*p));

	case_keys(o, known, ARRAY_LEN(known));
	picket__package__init(p);
	p->ecosystem = case_str(o, "ecosystem");
	p->name = case_str(o, "name");
	p->version = case_str(o, "version");
	p->arch = case_str(o, "arch");
	p->source = case_str(o, "source");
	p->source_version = case_str(o, "source_version");
	p->owner = case_str(o, "owner");
	p->is_dev = json_get_bool(o, "dev", false);
	p->path = (ProtobufCBinaryData){ strlen(case_str(o, "path")), (uint8_t *)case_str(o, "path") };
	return p;
}

static inline Picket__Layer *case_layer(struct test_case *c, const cJSON *o)
{
	static const char *const known[] = { "diff_id", "digest", "created_by", "packages" };
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, "packages"), *v;
	Picket__Layer *l = arena_alloc(c->arena, sizeof(*l));

	case_keys(o, known, ARRAY_LEN(known));
	picket__layer__init(l);
	l->diff_id = case_str(o, "diff_id");
	l->digest = case_str(o, "digest");
	l->created_by = case_str(o, "created_by");
	l->packages = arena_zalloc(c->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof(*l->packages));
	cJSON_ArrayForEach(v, list)
		l->packages[l->n_packages++] = case_package(c, v);
	return l;
}

static inline Picket__ImageConfig *case_config(struct test_case *c, const cJSON *o)
{
	static const char *const known[] = { "user", "cmd", "entrypoint", "exposed_ports" };
	Picket__ImageConfig *k = arena_alloc(c->arena, sizeof(*k));

	if (!o)
		return NULL;
	case_keys(o, known, ARRAY_LEN(known));
	picket__image_config__init(k);
	k->user = case_str(o, "user");
	k->cmd = case_strings(c, o, "cmd", &k->n_cmd);
	k->entrypoint = case_strings(c, o, "entrypoint", &k->n_entrypoint);
	k->exposed_ports = case_strings(c, o, "exposed_ports", &k->n_exposed_ports);
	return k;
}

static inline Picket__OsRelease *case_os(struct test_case *c, const cJSON *o)
{
	static const char *const known[] = { "id", "version_id", "codename", "id_like", "pretty_name" };
	Picket__OsRelease *os = arena_alloc(c->arena, sizeof(*os));

	if (!o)
		return NULL;
	case_keys(o, known, ARRAY_LEN(known));
	picket__os_release__init(os);
	os->id = case_str(o, "id");
	os->version_id = case_str(o, "version_id");
	os->codename = case_str(o, "codename");
	os->id_like = case_str(o, "id_like");
	os->pretty_name = case_str(o, "pretty_name");
	return os;
}

static inline void case_inventory(struct test_case *c, const cJSON *o)
{
	static const char *const known[] = { "kind", "target", "image_id", "arch", "names", "repo_digests", "os",
					     "layers", "problems", "config", "os_type", "created" };
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, "layers"), *v;
	Picket__Inventory *inv = arena_alloc(c->arena, sizeof(*inv));

	case_keys(o, known, ARRAY_LEN(known));
	picket__inventory__init(inv);
	inv->kind = case_str(o, "kind");
	inv->target = case_str(o, "target");
	inv->image_id = case_str(o, "image_id");
	inv->arch = case_str(o, "arch");
	inv->os_type = case_str(o, "os_type");
	inv->created_unix_s = case_time(o, "created");
	inv->names = case_strings(c, o, "names", &inv->n_names);
	inv->repo_digests = case_strings(c, o, "repo_digests", &inv->n_repo_digests);
	inv->problems = case_strings(c, o, "problems", &inv->n_problems);
	inv->os = case_os(c, cJSON_GetObjectItemCaseSensitive(o, "os"));
	inv->config = case_config(c, cJSON_GetObjectItemCaseSensitive(o, "config"));
	inv->layers = arena_zalloc(c->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof(*inv->layers));
	cJSON_ArrayForEach(v, list)
		inv->layers[inv->n_layers++] = case_layer(c, v);
	c->inventory = inv;
}

static inline int case_word(const char *word, const char *(*name)(int), int last)
{
	for (int i = 0; i <= last; i++) {
		if (!strcmp(word, name(i)))
			return i;
	}
	fail_msg("unknown word '%s'", word);
	return 0;
}

static inline const char *case_severity(int i)
{
	return vuln_severity_name((enum vuln_severity)i);
}

static inline const char *case_status(int i)
{
	return vuln_status_name((enum vuln_status)i);
}

static inline double case_number(const cJSON *o, const char *key, double otherwise)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsNumber(v) ? v->valuedouble : otherwise;
}

static inline struct slice *case_slices(struct test_case *c, const cJSON *o, const char *key, size_t *count)
{
	char **texts = case_strings(c, o, key, count);
	struct slice *out = arena_zalloc(c->arena, *count + 1, sizeof(*out));

	for (size_t i = 0; i < *count; i++)
		out[i] = slice_of(texts[i]);
	return out;
}

static inline void case_finding(struct test_case *c, struct scan_collector *to, const cJSON *o)
{
	static const char *const known[] = {
		"package", "id",     "record",	   "aliases",	      "title", "description", "urls",  "fixed",	  "severity",
		"source",  "cvss",   "vector",	   "epss",	      "kev",   "due",	      "status", "note", "feed",
		"range",   "published", "modified", "percentile",
	};
	struct vulndb_found f = { .id = case_slice(o, "id"),
				  .record = case_slice(o, "record").n ? case_slice(o, "record") : case_slice(o, "id"),
				  .title = case_slice(o, "title"),
				  .description = case_slice(o, "description"),
				  .fixed = case_slice(o, "fixed"),
				  .severity_source = case_slice(o, "source"),
				  .cvss = case_number(o, "cvss", 0),
				  .cvss_vector = case_slice(o, "vector"),
				  .epss = case_number(o, "epss", -1),
				  .epss_percentile = case_number(o, "percentile", -1),
				  .kev = json_get_bool(o, "kev", false),
				  .kev_due = case_slice(o, "due"),
				  .status_note = case_slice(o, "note"),
				  .feed = case_slice(o, "feed"),
				  .range = case_slice(o, "range"),
				  .published_unix_s = case_time(o, "published"),
				  .modified_unix_s = case_time(o, "modified") };
	size_t n = 0;

	case_keys(o, known, ARRAY_LEN(known));
	f.severity = (enum vuln_severity)case_word(case_str(o, "severity"), case_severity, VULN_CRITICAL);
	f.status = (enum vuln_status)case_word(case_str(o, "status"), case_status, VULN_INVESTIGATING);
	f.aliases = case_slices(c, o, "aliases", &f.alias_count);
	f.urls = case_slices(c, o, "urls", &f.url_count);
	for (size_t i = 0; i < c->result.package_count; i++) {
		if (strcmp(c->result.packages[i].pkg->name, case_str(o, "package")) != 0)
			continue;
		n++;
		assert_int_equal(scan_collect(to, i, &f), 0);
	}
	if (!n)
		fail_msg("no package '%s'", case_str(o, "package"));
}

/* name: for messages. Release with case_fini. */
static inline void case_init(struct test_case *c, const char *name, struct slice text)
{
	CLEANUP(scan_collector_freep) struct scan_collector *collector = NULL;
	const cJSON *v;
	struct err err = { 0 };

	*c = (struct test_case){ .arena = arena_new(32 << 20) };
	if (json_parse(text, 4 << 20, &c->doc, &err) < 0)
		fail_msg("%s:%s", name, err.msg);
	case_inventory(c, cJSON_GetObjectItemCaseSensitive(c->doc, "inventory"));
	assert_int_equal(scan_result_init(&c->result, c->arena, c->inventory,
					  json_get_bool(c->doc, "include_dev", false), &err), 0);
	c->result.now_unix_s = case_time(c->doc, "now");
	c->result.database_unix_s = case_time(c->doc, "database");
	c->result.has_database = c->result.database_unix_s > 0;
	c->result.uuid = "3e671687-395b-41f5-a30f-a58921a69b79";
	assert_int_equal(scan_collector_new(&c->result, &collector, &err), 0);
	cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(c->doc, "findings"))
		case_finding(c, collector, v);
	assert_int_equal(scan_collector_end(collector, &err), 0);
	v = cJSON_GetObjectItemCaseSensitive(c->doc, "ignore");
	if (v && ignore_parse(".picketignore.yaml", slice_of(v->valuestring), &c->ignore, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	if (c->ignore)
		ignore_apply(c->ignore, &c->result);
	v = cJSON_GetObjectItemCaseSensitive(c->doc, "vex");
	if (v) {
		CLEANUP(freep) char *vex = cJSON_PrintUnformatted(v);

		assert_int_equal(vex_new(&c->vex, &err), 0);
		if (vex_parse(c->vex, "vendor.vex.json", slice_of(vex), &err) < 0)
			fail_msg("%s: %s", name, err.msg);
		vex_apply(c->vex, &c->result);
	}
	scan_finish(&c->result);
}

static inline void case_fini(struct test_case *c)
{
	ignore_free(c->ignore);
	vex_free(c->vex);
	arena_free(c->arena);
	cJSON_Delete(c->doc);
}

static inline void case_read(struct test_case *c, const char *name)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct err err;
	char path[512];

	snprintf(path, sizeof(path), TEST_DATA "/golden/%s.in", name);
	if (file_read(path, 1 << 20, &text, &err) < 0)
		fail_msg("%s", err.msg);
	case_init(c, name, buf_slice(&text));
}

/* The project's replay vectors: ours (vectors.yml beside this file) and the shared 38 with their oracle, where they are at
 * hand; each once as it is and once with a snapshot and a restore before every event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <yaml.h>

#include "tests/collector/correlate/replay.h"

/* ---- YAML with anchors -> JSON ---- */

static cJSON *scalar(const yaml_node_t *n)
{
	const char *s = (const char *)n->data.scalar.value;
	char *end;
	double v = strtod(s, &end);

	if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && *s && !*end)
		return cJSON_CreateNumber(v);
	if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!strcmp(s, "true") || !strcmp(s, "false")))
		return cJSON_CreateBool(*s == 't');
	return cJSON_CreateString(s);
}

static cJSON *to_json(yaml_document_t *d, int at)
{
	yaml_node_t *n = yaml_document_get_node(d, at);

	if (n->type == YAML_SCALAR_NODE)
		return scalar(n);
	cJSON *out = n->type == YAML_MAPPING_NODE ? cJSON_CreateObject() : cJSON_CreateArray();
	if (n->type == YAML_MAPPING_NODE)
		for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
			cJSON_AddItemToObject(out, (const char *)yaml_document_get_node(d, p->key)->data.scalar.value, to_json(d, p->value));
	else
		for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
			cJSON_AddItemToArray(out, to_json(d, *i));
	return out;
}

static cJSON *read_yaml(const char *path)
{
	FILE *f = fopen(path, "rb");
	yaml_parser_t p;
	yaml_document_t d;

	if (!f)
		return NULL;
	assert_true(yaml_parser_initialize(&p));
	yaml_parser_set_input_file(&p, f);
	assert_true(yaml_parser_load(&p, &d));
	cJSON *out = to_json(&d, 1);
	yaml_document_delete(&d);
	yaml_parser_delete(&p);
	fclose(f);
	return out;
}

/* ---- a case ---- */

static void want_text(const cJSON *row, char *dst, size_t size)
{
	const cJSON *value = cJSON_GetArrayItem(row, 3);
	char *group = cJSON_PrintUnformatted(cJSON_GetArrayItem(row, 2));

	snprintf(dst, size, "%.9g %s %s %.12g", cJSON_GetArrayItem(row, 0)->valuedouble, cJSON_GetArrayItem(row, 1)->valuestring, group,
		 value->valuedouble);
	cJSON_free(group);
}

static bool take_fire(struct replay *r, const char *text)
{
	for (size_t i = 0; i < r->fire_count; i++) {
		if (strcmp(r->fires[i].text, text))
			continue;
		r->fires[i] = r->fires[--r->fire_count];
		return true;
	}
	return false;
}

static bool run_case(const cJSON *c, bool restarts)
{
	struct engine_config config = { .lateness_ns = 24 * 3600 * 1000000000ll };
	const cJSON *row;
	struct replay r;
	struct err err = { 0 };
	char want[600];
	bool ok = true;

	if (cJSON_GetObjectItem(c, "close"))
		config.close_ns = (int64_t)(cJSON_GetObjectItem(c, "close")->valuedouble * 1e9);
	if (cJSON_GetObjectItem(c, "lateness"))
		config.lateness_ns = (int64_t)(cJSON_GetObjectItem(c, "lateness")->valuedouble * 1e9);
	if (replay_begin(&r, json_get_str(c, "rules"), json_get_bool(c, "refire", false), &config, &err) < 0)
		fail_msg("%s: %s", cJSON_GetObjectItem(c, "id")->valuestring, err.msg);
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(c, "events")) {
		if (restarts && replay_restart(&r, &err) < 0)
			fail_msg("%s: %s", cJSON_GetObjectItem(c, "id")->valuestring, err.msg);
		replay_row(&r, row);
	}
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(c, "expect")) {
		want_text(row, want, sizeof(want));
		if (take_fire(&r, want))
			continue;
		print_error("%s: did not fire: %s\n", cJSON_GetObjectItem(c, "id")->valuestring, want);
		ok = false;
	}
	for (size_t i = 0; i < r.fire_count; i++) {
		print_error("%s: fired: %s\n", cJSON_GetObjectItem(c, "id")->valuestring, r.fires[i].text);
		ok = false;
	}
	replay_end(&r);
	return ok;
}

static void run_file(const char *path, int least)
{
	cJSON *cases = read_yaml(path);
	const cJSON *c;
	bool ok = true;

	if (!cases) {
		print_message("skip: no %s\n", path);
		skip();
	}
	assert_in_range(cJSON_GetArraySize(cases), least, 10000);
	cJSON_ArrayForEach(c, cases) {
		ok = run_case(c, false) && ok;
		ok = run_case(c, true) && ok;
	}
	print_message("%d cases, each twice\n", cJSON_GetArraySize(cases));
	cJSON_Delete(cases);
	assert_true(ok);
}

static void our_vectors_fire_as_they_say(void **state)
{
	(void)state;
	run_file(TEST_DATA "/vectors.yml", 20);
}

static void shared_vectors_fire_as_they_say(void **state)
{
	(void)state;
	run_file(TEST_ROOT "/../shared/vectors/correlation/vectors.yml", 38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_vectors_fire_as_they_say),
		cmocka_unit_test(shared_vectors_fire_as_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

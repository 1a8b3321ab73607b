/* replay_cases - timelines from standard input, one JSON object a line: {"rules": TEXT, "refire": BOOL, "close": SECONDS,
 * "events": [[t, {…}] | {"now": t}], "restart": [event numbers before which the state goes through a snapshot]}. What fired
 * goes to standard output, one JSON array of texts a line; a case that can't be loaded gives {"error": TEXT}. */
#include "tests/collector/correlate/replay.h"

static void print_fires(const struct replay *r)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct json j;

	json_init(&j, &b);
	json_array_open(&j);
	for (size_t i = 0; i < r->fire_count; i++)
		json_str(&j, slice_of(r->fires[i].text));
	json_array_close(&j);
	puts(b.p);
}

static bool is_in(const cJSON *list, int n)
{
	const cJSON *i;

	cJSON_ArrayForEach(i, list)
		if (i->valueint == n)
			return true;
	return false;
}

static int run(const cJSON *c, struct replay *r, struct err *err)
{
	struct engine_config config = { .lateness_ns = 24 * 3600 * 1000000000ll };
	const cJSON *close = cJSON_GetObjectItem(c, "close"), *row;
	int n = 0;

	if (close)
		config.close_ns = (int64_t)(close->valuedouble * 1e9);
	int e = replay_begin(r, json_get_str(c, "rules"), json_get_bool(c, "refire", false), &config, err);
	if (e < 0)
		return e;
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(c, "events")) {
		if (is_in(cJSON_GetObjectItem(c, "restart"), n++)) {
			e = replay_restart(r, err);
			if (e < 0)
				return e;
		}
		replay_row(r, row);
	}
	return 0;
}

int main(void)
{
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		CLEANUP(cJSON_Deletep) cJSON *c = cJSON_Parse(line);
		struct replay r = { 0 };
		struct err err = { 0 };

		if (!c)
			return 2;
		if (run(c, &r, &err) < 0)
			printf("{\"error\": \"%s\"}\n", err.msg);
		else
			print_fires(&r);
		fflush(stdout);
		replay_end(&r);
	}
	return 0;
}

/* asked.h - the real HTTPS API asked as a program does, and its answers looked at. */
#pragma once
#include "tests/collector/served.h"

#include "common/fetch.h"

static struct served srv;

static inline int asked_stop(void **state)
{
	usleep(100 * 1000); /* the last connection's end */
	served_stop(&srv);
	return 0;
}

/* Returns the status; *ret (nullable): the answer, caller deletes. */
static inline long ask(const char *method, const char *path, const char *token, const char *body, cJSON **ret)
{
	char url[512], auth[1024];
	const char *headers[] = { auth, NULL };
	struct fetch_request rq = { .url = url, .method = method, .headers = token ? headers : NULL,
				    .ca_file = srv.ca, .body = slice_of(body), .timeout_ms = 10000 };
	struct buf answer;
	long status = 0;

	snprintf(url, sizeof(url), "%s%s", srv.url, path);
	snprintf(auth, sizeof(auth), "Authorization: Bearer %s", token ? token : "");
	MUST(fetch_wait(&rq, &status, &answer, &must_err));
	if (ret)
		MUST(json_parse(buf_slice(&answer), answer.n, ret, &must_err));
	buf_fini(&answer);
	return status;
}

/* A viewer's; caller deletes. */
static inline cJSON *get_doc(const char *path)
{
	cJSON *doc = NULL;
	long status = ask("GET", path, "viewer-token", NULL, &doc);

	if (status != 200)
		fail_msg("%s: %ld", path, status);
	return doc;
}

/* "a.0.b" */
static inline const cJSON *at(const cJSON *o, const char *path)
{
	struct slice rest = slice_of(path), part;
	char key[64];

	while (o && slice_split(&rest, '.', &part)) {
		uint64_t i;

		slice_copy(part, key, sizeof(key));
		o = cJSON_IsArray(o) && slice_to_u64(part, &i) ? cJSON_GetArrayItem(o, (int)i) :
								 cJSON_GetObjectItemCaseSensitive(o, key);
	}
	return o;
}

static inline void text_is(const cJSON *o, const char *path, const char *want)
{
	const cJSON *v = at(o, path);

	if (!cJSON_IsString(v) || strcmp(v->valuestring, want) != 0)
		fail_msg("%s: %s, not %s", path, cJSON_IsString(v) ? v->valuestring : "(none)", want);
}

static inline void number_is(const cJSON *o, const char *path, double want)
{
	const cJSON *v = at(o, path);

	if (!cJSON_IsNumber(v) || v->valuedouble < want || v->valuedouble > want)
		fail_msg("%s: %g, not %g", path, cJSON_IsNumber(v) ? v->valuedouble : -1.0, want);
}

static inline void status_is(const char *method, const char *path, const char *token, const char *body, long want)
{
	long status = ask(method, path, token, body, NULL);

	if (status != want)
		fail_msg("%s %s: %ld, not %ld", method, path, status, want);
}

static inline void metrics_have(const char *const *lines, size_t count)
{
	char url[512];
	const char *headers[] = { "Authorization: Bearer viewer-token", NULL };
	struct fetch_request rq = { .url = url, .headers = headers, .ca_file = srv.ca, .timeout_ms = 10000 };
	struct buf answer;
	long status = 0;

	snprintf(url, sizeof(url), "%s/metrics", srv.url);
	MUST(fetch_wait(&rq, &status, &answer, &must_err));
	assert_int_equal(status, 200);
	for (size_t i = 0; i < count; i++)
		if (!strstr(answer.p, lines[i]))
			fail_msg("no %s in %s", lines[i], answer.p);
	buf_fini(&answer);
}

/* json.h - JSON out as a stream into a buf; JSON in through cJSON, with bounds. */
#pragma once
#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"

/* A writer: commas and escapes look after themselves. Invalid UTF-8 becomes U+FFFD. */
struct json {
	struct buf *out;  /* borrowed */
	unsigned depth;	  /* open objects and arrays, at most 63 */
	uint64_t started; /* bit d: the level d has an element already */
	bool after_key;
};

void json_init(struct json *j, struct buf *out);
void json_object_open(struct json *j);
void json_object_close(struct json *j);
void json_array_open(struct json *j);
void json_array_close(struct json *j);
void json_key(struct json *j, const char *key);
void json_str(struct json *j, struct slice s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_f64(struct json *j, double v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* Already valid JSON, put in as it is. */
void json_raw(struct json *j, struct slice s);
/* key + value in one; a NULL str writes null. */
void json_kv_str(struct json *j, const char *key, const char *s);
void json_kv_slice(struct json *j, const char *key, struct slice s);
void json_kv_u64(struct json *j, const char *key, uint64_t v);
void json_kv_i64(struct json *j, const char *key, int64_t v);
void json_kv_bool(struct json *j, const char *key, bool v);
/* key and what opens. */
void json_kv_object(struct json *j, const char *key);
void json_kv_array(struct json *j, const char *key);
/* RFC 3339 UTC with nanoseconds; 0 writes null. */
void json_kv_time(struct json *j, const char *key, uint64_t unix_ns);

/* Parses text (borrowed): at most max_bytes, nesting at most 64. *ret: caller frees with
 * cJSON_Delete; set only on success. Error: ERR_SYNTAX with line:col, ERR_LIMIT. */
int json_parse(struct slice text, size_t max_bytes, cJSON **ret, struct err *err) WARN_UNUSED;
/* Borrowed until the document is deleted; an empty slice if absent or of another type. */
struct slice json_get_str(const cJSON *o, const char *key);
uint64_t json_get_u64(const cJSON *o, const char *key, uint64_t fallback);
bool json_get_bool(const cJSON *o, const char *key, bool fallback);
static inline void cJSON_Deletep(cJSON **p)
{
	cJSON_Delete(*p);
}

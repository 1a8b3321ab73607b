/* json.c - see json.h. */
#include "common/json.h"

#include <inttypes.h>

#include "common/text.h"

enum { DEPTH_MAX = 63, PARSE_DEPTH_MAX = 64 };

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

/* The comma before a value or key; too deep is a failure of the whole text. */
static void begin(struct json *j)
{
	if (j->depth > DEPTH_MAX) {
		j->out->failed = true;
		return;
	}
	uint64_t bit = 1ULL << j->depth;
	if (!j->after_key && (j->started & bit))
		buf_add_char(j->out, ',');
	j->started |= bit;
	j->after_key = false;
}

static void open_level(struct json *j, char c)
{
	begin(j);
	buf_add_char(j->out, c);
	j->depth++; /* past the maximum too, so that the closes still match */
	if (j->depth <= DEPTH_MAX)
		j->started &= ~(1ULL << j->depth);
	else
		j->out->failed = true;
}

static void close_level(struct json *j, char c)
{
	if (j->depth)
		j->depth--;
	else
		j->out->failed = true;
	j->after_key = false;
	buf_add_char(j->out, c);
}

void json_object_open(struct json *j)
{
	open_level(j, '{');
}

void json_object_close(struct json *j)
{
	close_level(j, '}');
}

void json_array_open(struct json *j)
{
	open_level(j, '[');
}

void json_array_close(struct json *j)
{
	close_level(j, ']');
}

static void add_escaped(struct buf *b, uint32_t c)
{
	switch (c) {
	case '"':
		buf_add_str(b, "\\\"");
		return;
	case '\\':
		buf_add_str(b, "\\\\");
		return;
	case '\n':
		buf_add_str(b, "\\n");
		return;
	case '\r':
		buf_add_str(b, "\\r");
		return;
	case '\t':
		buf_add_str(b, "\\t");
		return;
	default:
		buf_printf(b, "\\u%04x", (unsigned)c);
	}
}

static void add_string(struct buf *b, struct slice s)
{
	size_t plain = 0; /* bytes before s.p that go out unchanged, in one piece */

	buf_add_char(b, '"');
	while (s.n > plain) {
		uint32_t c;
		size_t n = text_utf8(slice_sub(s, plain, s.n), &c);

		if (n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			plain += n;
			continue;
		}
		buf_add(b, s.p, plain);
		if (n)
			add_escaped(b, c);
		else
			buf_add_str(b, "\xef\xbf\xbd");
		s = slice_sub(s, plain + (n ? n : 1), s.n);
		plain = 0;
	}
	buf_add(b, s.p, plain);
	buf_add_char(b, '"');
}

void json_key(struct json *j, const char *key)
{
	begin(j);
	add_string(j->out, slice_of(key));
	buf_add_char(j->out, ':');
	j->after_key = true;
}

void json_str(struct json *j, struct slice s)
{
	begin(j);
	add_string(j->out, s);
}

void json_u64(struct json *j, uint64_t v)
{
	begin(j);
	buf_printf(j->out, "%" PRIu64, v);
}

void json_i64(struct json *j, int64_t v)
{
	begin(j);
	buf_printf(j->out, "%" PRId64, v);
}

void json_f64(struct json *j, double v)
{
	char text[40];

	begin(j);
	if (!__builtin_isfinite(v)) {
		buf_add_str(j->out, "null"); /* JSON has no word for it */
		return;
	}
	/* The shorter form if it reads back as the same number. */
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_add_str(j->out, text);
}

void json_bool(struct json *j, bool v)
{
	begin(j);
	buf_add_str(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
	begin(j);
	buf_add_str(j->out, "null");
}

void json_raw(struct json *j, struct slice s)
{
	begin(j);
	buf_add_slice(j->out, s);
}

void json_kv_str(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	if (s)
		json_str(j, slice_of(s));
	else
		json_null(j);
}

void json_kv_slice(struct json *j, const char *key, struct slice s)
{
	json_key(j, key);
	json_str(j, s);
}

void json_kv_u64(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

void json_kv_i64(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_i64(j, v);
}

void json_kv_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}

void json_kv_object(struct json *j, const char *key)
{
	json_key(j, key);
	json_object_open(j);
}

void json_kv_array(struct json *j, const char *key)
{
	json_key(j, key);
	json_array_open(j);
}

void json_kv_time(struct json *j, const char *key, uint64_t unix_ns)
{
	char when[TEXT_TIME_MAX];

	json_key(j, key);
	if (unix_ns)
		json_str(j, slice_of(text_time(unix_ns, when, sizeof(when))));
	else
		json_null(j);
}

static int syntax_at(struct slice text, size_t at, const char *what, struct err *err)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i < at && i < text.n; i++) {
		if (text.p[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	return err_set(err, ERR_SYNTAX, "%zu:%zu: %s", line, at - start + 1, what);
}

/* What cJSON lets through and we don't: nesting deeper than ours (its limit is 1,000), control
 * characters in strings, and \u0000, which would end its C string early and hide the rest. */
static int check_text(struct slice text, struct err *err)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!quoted) {
			quoted = c == '"';
			if ((c == '{' || c == '[') && ++depth > PARSE_DEPTH_MAX)
				return err_set(err, ERR_LIMIT, "JSON is nested deeper than %d",
					       PARSE_DEPTH_MAX);
			if ((c == '}' || c == ']') && depth)
				depth--;
			if (!c)
				return syntax_at(text, i, "a NUL byte", err);
			continue;
		}
		if ((uint8_t)c < 0x20)
			return syntax_at(text, i, "a control character in a string", err);
		if (c == '"')
			quoted = false;
		if (c != '\\')
			continue;
		if (slice_starts(slice_sub(text, i, text.n), SLICE_LIT("\\u0000")))
			return syntax_at(text, i, "\\u0000 is not allowed", err);
		i++;
	}
	return 0;
}

int json_parse(struct slice text, size_t max_bytes, cJSON **ret, struct err *err)
{
	if (text.n > max_bytes)
		return err_set(err, ERR_LIMIT, "JSON is larger than %zu bytes", max_bytes);
	int r = check_text(text, err);
	if (r < 0)
		return r;
	const char *end = text.p;
	cJSON *doc = text.n ? cJSON_ParseWithLengthOpts(text.p, text.n, &end, 0) : NULL;
	size_t at = end && text.n ? (size_t)(end - text.p) : 0;
	if (!doc)
		return syntax_at(text, at, text.n ? "not JSON" : "nothing here", err);
	struct slice rest = slice_trim(slice_sub(text, at, text.n));
	if (rest.n) {
		cJSON_Delete(doc);
		return syntax_at(text, (size_t)(rest.p - text.p), "more text after the JSON", err);
	}
	*ret = doc;
	return 0;
}

struct slice json_get_str(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? slice_of(v->valuestring) : SLICE_NONE;
}

uint64_t json_get_u64(const cJSON *o, const char *key, uint64_t fallback)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	/* 2^64 as a double; a negative, fractional or larger number is none of ours. */
	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || v->valuedouble >= 18446744073709551616.0)
		return fallback;
	uint64_t n = (uint64_t)v->valuedouble;
	return (double)n == v->valuedouble ? n : fallback;
}

bool json_get_bool(const cJSON *o, const char *key, bool fallback)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : fallback;
}

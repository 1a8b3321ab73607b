/* doc_json.c - yajl's events, with a path. */
#include <yajl/yajl_parse.h>

#include "agent/image/lang/doc_priv.h"

struct reader {
	struct doc d;
	int result; /* why a callback ended the parse */
};

/* yajl goes on for 1 and stops for 0. */
static int go_on(struct reader *r, int result)
{
	r->result = result;
	return !result;
}

static int word(struct reader *r, struct slice text)
{
	return go_on(r, doc_value(&r->d, DOC_WORD, text));
}

static int on_null(void *arg)
{
	return word(arg, SLICE_LIT("null"));
}

static int on_bool(void *arg, int is_true)
{
	return word(arg, is_true ? SLICE_LIT("true") : SLICE_LIT("false"));
}

static int on_number(void *arg, const char *p, size_t n)
{
	return word(arg, slice_from(p, n));
}

static int on_string(void *arg, const unsigned char *p, size_t n)
{
	struct reader *r = arg;

	return go_on(r, doc_value(&r->d, DOC_TEXT, slice_from(p, n)));
}

static int on_key(void *arg, const unsigned char *p, size_t n)
{
	struct reader *r = arg;

	return go_on(r, doc_set_key(&r->d, slice_from(p, n)));
}

static int on_map(void *arg)
{
	struct reader *r = arg;

	return go_on(r, doc_open_map(&r->d));
}

static int on_list(void *arg)
{
	struct reader *r = arg;

	return go_on(r, doc_open_list(&r->d));
}

static int on_end(void *arg)
{
	struct reader *r = arg;

	return go_on(r, doc_close(&r->d));
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_map_key = on_key,
	.yajl_start_map = on_map,
	.yajl_end_map = on_end,
	.yajl_start_array = on_list,
	.yajl_end_array = on_end,
};

static int wrong(yajl_handle h, struct slice text, size_t at, struct err *err)
{
	size_t line = doc_line(text, at);
	unsigned char *why = yajl_get_error(h, 0, NULL, 0);
	struct slice s = slice_trim(slice_of((const char *)why));
	int r = err_set(err, ERR_SYNTAX, "line %zu: %.*s", line, SLICE_FMT(s));

	yajl_free_error(h, why);
	return r;
}

int doc_json(struct slice text, doc_fn fn, void *arg, struct err *err)
{
	struct reader r = { 0 };

	if (slice_starts(text, SLICE_LIT("\xef\xbb\xbf"))) /* .NET writes one */
		text = slice_sub(text, 3, text.n);
	doc_init(&r.d, fn, arg, err);
	yajl_handle h = yajl_alloc(&callbacks, NULL, &r);
	if (!h) {
		doc_fini(&r.d);
		return err_set(err, ERR_LIMIT, "no memory for JSON");
	}
	yajl_status s = yajl_parse(h, (const unsigned char *)(text.n ? text.p : ""), text.n);
	size_t at = s == yajl_status_ok ? text.n : yajl_get_bytes_consumed(h);
	if (s == yajl_status_ok)
		s = yajl_complete_parse(h);
	int result = s == yajl_status_ok ? 0 : r.result ? r.result : wrong(h, text, at, err);
	yajl_free(h);
	doc_fini(&r.d);
	return result;
}

/* doc_yaml.c - libyaml's events, with a path.
 *
 * libyaml keeps a list of %TAG directives and searches it for each one, so that a file of directives costs
 * the square of its size before the first event (128 KiB: 0.2 s, 8 MiB: a quarter of an hour): lines that begin with "%" are looked for beforehand. */
#include <yaml.h>

#include "agent/image/lang/doc_priv.h"

struct reader {
	yaml_parser_t parser;
	struct doc d;
	bool wants_key[DOC_DEPTH_MAX + 1]; /* by depth: in a map, the next scalar is a key */
};

/* The line ends of YAML 1.1, all of which put what follows in column 0. */
static bool ends_line(struct slice before)
{
	static const struct slice ends[] = { { "\n", 1 }, { "\r", 1 }, { "\xc2\x85", 2 },
					     { "\xe2\x80\xa8", 3 }, { "\xe2\x80\xa9", 3 } };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (slice_ends(before, ends[i]))
			return true;
	return !before.n;
}

static int refuse_directives(struct slice text, struct err *err)
{
	for (size_t at = 0; at < text.n; at++) {
		ptrdiff_t i = slice_find_char(slice_sub(text, at, text.n), '%');

		if (i < 0)
			return 0;
		at += (size_t)i;
		if (ends_line(slice_sub(text, 0, at)))
			return err_set(err, ERR_SYNTAX, "line %zu: a lock file has no directives",
				       doc_line(text, at));
	}
	return 0;
}

static int wrong(const struct reader *r, const yaml_mark_t *at, const char *what)
{
	return err_set(r->d.err, ERR_SYNTAX, "line %zu: %s", at->line + 1, what);
}

static int read_scalar(struct reader *r, const yaml_event_t *e)
{
	struct slice s = slice_from(e->data.scalar.value, e->data.scalar.length);
	bool is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (r->wants_key[r->d.depth]) {
		r->wants_key[r->d.depth] = false;
		return doc_set_key(&r->d, s);
	}
	return doc_value(&r->d, is_plain ? DOC_WORD : DOC_TEXT, s);
}

/* After a value comes the next key. */
static void value_done(struct reader *r)
{
	r->wants_key[r->d.depth] = r->d.depth && !doc_in_list(&r->d);
}

static int open_level(struct reader *r, const yaml_event_t *e)
{
	bool is_map = e->type == YAML_MAPPING_START_EVENT;

	if (r->wants_key[r->d.depth])
		return wrong(r, &e->start_mark, "a name that is not text");
	int result = is_map ? doc_open_map(&r->d) : doc_open_list(&r->d);
	r->wants_key[r->d.depth] = is_map;
	return result;
}

static int read_event(struct reader *r, const yaml_event_t *e)
{
	bool was_key = r->wants_key[r->d.depth];
	int result = 0;

	if (e->type == YAML_ALIAS_EVENT)
		return wrong(r, &e->start_mark, "a lock file has no aliases");
	if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT)
		return open_level(r, e);
	if (e->type == YAML_SCALAR_EVENT) {
		result = read_scalar(r, e);
		if (was_key)
			return result;
	} else if (e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT) {
		result = doc_close(&r->d);
	} else {
		return 0;
	}
	value_done(r);
	return result;
}

static int read_all(struct reader *r)
{
	for (;;) {
		yaml_event_t e;

		if (!yaml_parser_parse(&r->parser, &e))
			return wrong(r, &r->parser.problem_mark,
				     r->parser.problem ? r->parser.problem : "not YAML");
		yaml_event_type_t type = e.type;
		int result = read_event(r, &e);
		yaml_event_delete(&e);
		if (result || type == YAML_STREAM_END_EVENT)
			return result;
	}
}

int doc_yaml(struct slice text, doc_fn fn, void *arg, struct err *err)
{
	struct reader r = { 0 };
	int result = refuse_directives(text, err);

	if (result < 0)
		return result;
	if (!yaml_parser_initialize(&r.parser))
		return err_set(err, ERR_LIMIT, "no memory for YAML");
	/* Not left to a byte order mark: directives were looked for in UTF-8. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	doc_init(&r.d, fn, arg, err);
	result = read_all(&r);
	doc_fini(&r.d);
	yaml_parser_delete(&r.parser);
	return result;
}

/* conf.c - see conf.h. libyaml's events drive a walk down the table: nothing is built that the table
 * does not ask for, so a hostile file costs no more than its own size. */
#include "common/conf.h"

#include <stdarg.h>

#include "common/conf_priv.h"
#include "common/file.h"
#include "common/log.h"
#include "common/text.h"

enum { TEXT_MAX = 1 << 20, DEPTH_MAX = 16, NODES_MAX = 10000, SHOWN_MAX = 60 };

int conf_fail(struct conf_reader *r, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_SYNTAX, "%s:%zu:%zu: %s", r->name, r->ev.start_mark.line + 1,
		       r->ev.start_mark.column + 1, what);
}

static int fail_at(struct conf_reader *r, size_t offset, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset && i < r->text.n; i++) {
		column++;
		if (r->text.p[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(r->err, ERR_SYNTAX, "%s:%zu:%zu: %s", r->name, line, column, what);
}

/* libyaml's own complaint. Its reader (bad UTF-8) knows an offset, its scanner a mark. */
static int fail_yaml(struct conf_reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *what = p->problem ? p->problem : "not YAML";

	if (p->error == YAML_READER_ERROR)
		return fail_at(r, p->problem_offset, what);
	return err_set(r->err, ERR_SYNTAX, "%s:%zu:%zu: %s%s%s", r->name, p->problem_mark.line + 1,
		       p->problem_mark.column + 1, what, p->context ? " " : "",
		       p->context ? p->context : "");
}

/* libyaml 0.2.5 compares each %TAG line with all before it, before we see an event: 1 MiB of them
 * took 35 s (sanitizers on). We allow no tags, so none is needed. Its line ends are LF, CR, NEL, LS and PS, of which
 * the last bytes are looked at here; 0xbf ends a byte order mark. */
static int check_directives(struct conf_reader *r)
{
	const struct slice tag = SLICE_LIT("%TAG");
	ptrdiff_t i;

	for (size_t at = 0; (i = slice_find(slice_sub(r->text, at, r->text.n), tag)) >= 0; at++) {
		at += (size_t)i;
		if (!at || strchr("\n\r\x85\xa8\xa9\xbf", r->text.p[at - 1]))
			return fail_at(r, at, "tags are not allowed here");
	}
	return 0;
}

static int check_node(struct conf_reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	/* Aliases make a small file large, and tags would choose our types. */
	if (anchor)
		return conf_fail(r, "anchors are not allowed here");
	if (tag)
		return conf_fail(r, "tags are not allowed here");
	unsigned max = r->nodes_max ? r->nodes_max : NODES_MAX;
	if (++r->nodes > max)
		return conf_fail(r, "more than %u values", max);
	return 0;
}

int conf_next(struct conf_reader *r)
{
	int e = 0;

	yaml_event_delete(&r->ev);
	if (!yaml_parser_parse(&r->parser, &r->ev))
		return fail_yaml(r);
	switch (r->ev.type) {
	case YAML_ALIAS_EVENT:
		return conf_fail(r, "aliases are not allowed here");
	case YAML_SCALAR_EVENT:
		return check_node(r, r->ev.data.scalar.anchor, r->ev.data.scalar.tag);
	case YAML_SEQUENCE_START_EVENT:
		e = check_node(r, r->ev.data.sequence_start.anchor, r->ev.data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		e = check_node(r, r->ev.data.mapping_start.anchor, r->ev.data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
	if (e < 0)
		return e;
	if (++r->depth > DEPTH_MAX)
		return conf_fail(r, "nested deeper than %d", DEPTH_MAX);
	return 0;
}

struct slice conf_scalar(const struct conf_reader *r)
{
	return slice_from(r->ev.data.scalar.value, r->ev.data.scalar.length);
}

bool conf_is_null(const struct conf_reader *r)
{
	struct slice s = conf_scalar(r);

	return r->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!s.n || slice_is(s, "~") || slice_is(s, "null"));
}

/* A table being filled. seen[i] has bit d set when row i's name was used as far as its part d, so it
 * tells duplicates of keys ("spool.max_size") and of sections ("spool") alike. */
struct scope {
	const struct conf_key *keys;
	size_t count;
	void *target;
	uint32_t *seen;
};

/* The part of row i's name that stands under prefix, up to the next dot; false if it is elsewhere. */
static bool part_under(const struct scope *s, size_t i, struct slice prefix, struct slice *ret,
		       bool *ret_is_leaf)
{
	struct slice rest = slice_of(s->keys[i].name);

	if (!slice_starts(rest, prefix))
		return false;
	rest = slice_sub(rest, prefix.n, rest.n);
	ptrdiff_t dot = slice_find_char(rest, '.');
	*ret_is_leaf = dot < 0;
	*ret = dot < 0 ? rest : slice_sub(rest, 0, (size_t)dot);
	return true;
}

static int unknown_key(struct conf_reader *r, const struct scope *s, struct slice prefix)
{
	struct slice key = conf_scalar(r), part, best = SLICE_NONE;
	unsigned best_distance = (unsigned)(key.n / 3);
	char shown[SHOWN_MAX];
	bool is_leaf;

	for (size_t i = 0; i < s->count; i++) {
		if (!part_under(s, i, prefix, &part, &is_leaf))
			continue;
		unsigned d = text_distance(key, part);
		if (d < best_distance || (d == best_distance && !best.n)) {
			best_distance = d;
			best = part;
		}
	}
	log_escape(key, shown, sizeof(shown));
	if (best.n)
		return conf_fail(r, "unknown key '%s', did you mean '%.*s'?", shown,
				 SLICE_FMT(best));
	if (prefix.n)
		return conf_fail(r, "unknown key '%s' in '%.*s'", shown, (int)prefix.n - 1,
				 prefix.p);
	return conf_fail(r, "unknown key '%s'", shown);
}

static int read_section(struct conf_reader *r, const struct scope *s, struct slice prefix,
			unsigned level);

/* The current event is a key under prefix. */
static int read_entry(struct conf_reader *r, const struct scope *s, struct slice prefix,
		      unsigned level)
{
	struct slice part = SLICE_NONE;
	bool is_leaf = false;
	size_t i = 0;

	if (r->ev.type != YAML_SCALAR_EVENT)
		return conf_fail(r, "a key must be text");
	while (i < s->count && !(part_under(s, i, prefix, &part, &is_leaf) &&
				 slice_eq(part, conf_scalar(r))))
		i++;
	if (i == s->count)
		return unknown_key(r, s, prefix);
	if (s->seen[i] & 1U << level)
		return conf_fail(r, "duplicate key '%.*s'", SLICE_FMT(part));
	s->seen[i] |= 1U << level;
	int e = conf_next(r);
	if (e < 0)
		return e;
	if (is_leaf)
		return conf_read_value(r, &s->keys[i], s->target);
	if (r->ev.type == YAML_SCALAR_EVENT && conf_is_null(r))
		return 0; /* a section whose keys are all commented out */
	struct slice path = slice_from(s->keys[i].name, prefix.n + part.n);
	if (r->ev.type != YAML_MAPPING_START_EVENT)
		return conf_fail(r, "'%.*s' must be a mapping", SLICE_FMT(path));
	path.n++; /* with its dot */
	return read_section(r, s, path, level + 1);
}

/* After a mapping's start, to its end. Depth is bounded by DEPTH_MAX, through conf_next. */
static int read_section(struct conf_reader *r, const struct scope *s, struct slice prefix,
			unsigned level)
{
	for (;;) {
		int e = conf_next(r);

		if (e < 0)
			return e;
		if (r->ev.type == YAML_MAPPING_END_EVENT)
			return 0;
		e = read_entry(r, s, prefix, level);
		if (e < 0)
			return e;
	}
}

int conf_read_mapping(struct conf_reader *r, const struct conf_key *keys, size_t count, void *target)
{
	CLEANUP(freep) uint32_t *seen = calloc(count + 1, sizeof(*seen));
	struct scope s = { .keys = keys, .count = count, .target = target, .seen = seen };

	if (!seen)
		return conf_fail(r, "out of memory");
	return read_section(r, &s, SLICE_NONE, 0);
}

static int next_of_type(struct conf_reader *r, yaml_event_type_t type, const char *otherwise)
{
	int e = conf_next(r);

	if (e < 0)
		return e;
	return r->ev.type == type ? 0 : conf_fail(r, "%s", otherwise);
}

static int too_many_documents(struct conf_reader *r)
{
	if (!r->documents_max)
		return conf_fail(r, "more than one document");
	return conf_fail(r, "more than %u documents", r->documents_max);
}

static int read_stream(struct conf_reader *r, int (*root)(struct conf_reader *r, void *arg), void *arg)
{
	unsigned max = r->documents_max ? r->documents_max : 1;
	int e = next_of_type(r, YAML_STREAM_START_EVENT, "not YAML");

	for (unsigned n = 0;; n++) {
		if (e >= 0)
			e = conf_next(r);
		if (e < 0 || r->ev.type == YAML_STREAM_END_EVENT)
			return e; /* only comments: the defaults stand */
		if (n == max)
			return too_many_documents(r);
		e = conf_next(r);
		if (e >= 0)
			e = root(r, arg);
		if (e >= 0)
			e = next_of_type(r, YAML_DOCUMENT_END_EVENT, "expected the end");
	}
}

int conf_document(struct conf_reader *r, int (*root)(struct conf_reader *r, void *arg), void *arg)
{
	if (r->text.n > TEXT_MAX)
		return err_set(r->err, ERR_SYNTAX, "%s:1:1: larger than 1 MiB", r->name);
	int e = check_directives(r);
	if (e < 0)
		return e;
	if (!yaml_parser_initialize(&r->parser))
		return err_set(r->err, ERR_SYNTAX, "%s:1:1: out of memory", r->name);
	/* UTF-8 said outright: libyaml would otherwise guess UTF-16 from the first bytes. */
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(r->text.p ? r->text.p : ""), r->text.n);
	e = read_stream(r, root, arg);
	yaml_event_delete(&r->ev);
	yaml_parser_delete(&r->parser);
	return e;
}

struct table {
	const struct conf_key *keys;
	size_t count;
	void *target;
};

static int read_table(struct conf_reader *r, void *arg)
{
	const struct table *t = arg;

	if (r->ev.type == YAML_MAPPING_START_EVENT)
		return conf_read_mapping(r, t->keys, t->count, t->target);
	if (r->ev.type == YAML_SCALAR_EVENT && conf_is_null(r))
		return 0;
	return conf_fail(r, "expected \"key: value\" lines");
}

int conf_parse(const char *name, struct slice text, const struct conf_key *keys, size_t count,
	       void *target, struct err *err)
{
	struct conf_reader r = { .name = name, .text = text, .err = err };
	struct table t = { .keys = keys, .count = count, .target = target };

	return conf_document(&r, read_table, &t);
}

int conf_read(const char *path, const struct conf_key *keys, size_t count, void *target,
	      struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	int r = file_read(path, TEXT_MAX, &text, err);

	if (r < 0)
		return r;
	return conf_parse(path, buf_slice(&text), keys, count, target, err);
}

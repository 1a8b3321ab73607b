/* output.c - "%proc.name spawned by %proc.pname": parsed once, formatted for each match. */
#include <errno.h>

#include "agent/rules/rules_priv.h"
#include "common/text.h"

enum { PARTS_MAX = 512 };

/* What Falco's container plugin adds to every output. */
static const char suggested[] =
	" container_id=%container.id container_name=%container.name"
	" container_image_repository=%container.image.repository container_image_tag=%container.image.tag"
	" k8s_ns_name=%k8s.ns.name k8s_pod_name=%k8s.pod.name";

struct builder {
	struct pool *pool;
	struct arena *arena;
	struct output_part *parts;
	size_t count;
	bool is_deprecated;
	struct err *err;
};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Length of what begins at s and can be a field: a name, a transformer's call, brackets behind. */
static size_t token_length(struct slice s)
{
	size_t n = 0;
	unsigned depth = 0;

	while (n < s.n && is_name_char(s.p[n]))
		n++;
	if (n < s.n && s.p[n] == '(' && !memchr(s.p, '.', n)) {
		do {
			depth += s.p[n] == '(';
			depth -= s.p[n] == ')';
			n++;
		} while (n < s.n && depth);
	}
	if (n < s.n && s.p[n] == '[') {
		ptrdiff_t close = slice_find_char(slice_sub(s, n, s.n), ']');

		n += close < 0 ? 0 : (size_t)close + 1;
	}
	return n;
}

/* The operand that the longest beginning of token names: "%fd.name." ends with a stop. */
static int add_operand(struct builder *b, struct slice token, size_t *ret_length, uint32_t *ret)
{
	for (size_t n = token.n; n; n--) {
		struct cond *c;
		bool unknown = false;

		if (token.p[n - 1] == '.' || (n < token.n && is_name_char(token.p[n]) && token.p[n] != '.' &&
					      token.p[n - 1] != ']' && token.p[n - 1] != ')'))
			continue;
		if (!cond_parse_operand(b->arena, slice_sub(token, 0, n), &c) ||
		    pool_add_operand(b->pool, c, ret, &unknown, NULL) < 0)
			continue;
		struct rules_field_ref ref;
		if (c->kind == COND_FIELD &&
		    rules_field_resolve(c->text, c->has_arg, c->arg, &ref, NULL) == FIELD_OK &&
		    rules_field_id(ref.field) == FIELD_EVT_DIR)
			b->is_deprecated = true;
		*ret_length = n;
		return 0;
	}
	return err_set(b->err, ERR_SYNTAX, "invalid formatting token %.*s", SLICE_FMT(slice_sub(token, 0, 80)));
}

static int add_part(struct builder *b, struct slice literal, int32_t operand)
{
	if (!literal.n && operand < 0)
		return 0;
	if (b->count == PARTS_MAX)
		return err_set(b->err, ERR_LIMIT, "the output has more than %d fields", PARTS_MAX);
	b->parts[b->count++] = (struct output_part){ literal, operand };
	return 0;
}

static int parse(struct builder *b, struct slice text)
{
	size_t start = 0, i = 0;
	int r = 0;

	while (i < text.n && r >= 0) {
		struct slice rest = slice_sub(text, i + 1, text.n);
		uint32_t operand;
		size_t length = 0;

		if (text.p[i] != '%') {
			i++;
			continue;
		}
		if (rest.n && rest.p[0] == '%') {
			r = add_part(b, slice_sub(text, start, i + 1 - start), -1);
			start = i += 2;
			continue;
		}
		r = add_operand(b, slice_sub(rest, 0, token_length(rest)), &length, &operand);
		if (r >= 0)
			r = add_part(b, slice_sub(text, start, i - start), (int32_t)operand);
		start = i += 1 + length;
	}
	return r < 0 ? r : add_part(b, slice_sub(text, start, text.n), -1);
}

/* Each field once, in order. */
static int name_fields(struct builder *b, struct output *o)
{
	struct output_name *names = arena_alloc(b->arena, (b->count + 1) * sizeof(*names));

	if (!names)
		return err_set(b->err, ERR_LIMIT, "the rules are too large");
	for (size_t i = 0; i < b->count; i++) {
		int32_t operand = b->parts[i].operand;
		bool is_known = operand < 0;

		for (size_t k = 0; k < o->name_count && !is_known; k++)
			is_known = names[k].operand == (uint32_t)operand;
		const char *name = is_known ? NULL : pool_field_name(b->pool, (size_t)operand);
		if (name)
			names[o->name_count++] = (struct output_name){ name, (uint32_t)operand };
	}
	o->names = names;
	return 0;
}

int output_compile(struct pool *p, struct arena *a, struct slice text, struct output *ret,
		   bool *ret_deprecated, struct err *err)
{
	CLEANUP(freep) struct output_part *parts = calloc(PARTS_MAX, sizeof(*parts));
	struct builder b = { .pool = p, .arena = a, .parts = parts, .err = err };
	struct output o = { 0 };

	if (!parts)
		return err_set(err, ENOMEM, "read an output");
	/* "*": also if a field is missing, which is always so. */
	if (slice_starts(text, SLICE_LIT("*")))
		text = slice_sub(text, 1, text.n);
	char *copy = arena_dup(a, text);
	if (!copy)
		return err_set(err, ERR_LIMIT, "the rules are too large");
	int r = parse(&b, slice_from(copy, text.n));
	if (r >= 0)
		r = parse(&b, slice_from(suggested, sizeof(suggested) - 1));
	if (r >= 0)
		r = name_fields(&b, &o);
	struct output_part *kept = arena_alloc(a, (b.count + 1) * sizeof(*kept));
	if (r < 0 || !kept)
		return r < 0 ? r : err_set(err, ERR_LIMIT, "the rules are too large");
	memcpy(kept, parts, b.count * sizeof(*kept));
	o.parts = kept;
	o.count = b.count;
	*ret = o;
	*ret_deprecated = b.is_deprecated;
	return 0;
}

/* What a container can name must not steer the terminal or the log that shows it. */
static void add_clean(struct buf *out, struct slice s)
{
	while (s.n) {
		uint32_t c = 0;
		size_t n = text_utf8(s, &c);

		if (!n)
			buf_printf(out, "\\x%02x", (unsigned char)s.p[0]);
		else if (text_is_control(c))
			buf_printf(out, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
		else
			buf_add(out, s.p, n);
		s = slice_sub(s, n ? n : 1, s.n);
	}
}

size_t output_format(struct pool *p, const struct output *o, struct buf *out, struct rules_output_field *fields)
{
	size_t count = 0;

	buf_reset(out);
	for (size_t i = 0; i < o->count; i++) {
		struct slice value = SLICE_LIT("<NA>");

		buf_add_slice(out, o->parts[i].literal);
		if (o->parts[i].operand < 0)
			continue;
		if (pool_text(p, (uint32_t)o->parts[i].operand, &value))
			add_clean(out, value);
		else
			buf_add_slice(out, value);
	}
	for (size_t i = 0; i < o->name_count; i++) {
		struct slice value;

		if (pool_text(p, o->names[i].operand, &value))
			fields[count++] = (struct rules_output_field){ o->names[i].name, value };
	}
	return count;
}

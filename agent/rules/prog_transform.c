/* prog_transform.c - transformers: values made from values, in the scratch of the event. */
#include <ctype.h>

#include "agent/rules/prog_priv.h"

static bool map_case(struct pool *p, struct slice s, bool to_upper, struct slice *ret)
{
	char *out = arena_alloc(p->scratch, s.n + 1);

	if (!out)
		return false;
	for (size_t i = 0; i < s.n; i++)
		out[i] = (char)(to_upper ? toupper((unsigned char)s.p[i]) : tolower((unsigned char)s.p[i]));
	*ret = slice_from(out, s.n);
	return true;
}

static int b64_digit(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	       c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* false: not base64, then there is no value. */
static bool decode_b64(struct pool *p, struct slice s, struct slice *ret)
{
	while (s.n && s.p[s.n - 1] == '=')
		s.n--;
	char *out = arena_alloc(p->scratch, s.n * 3 / 4 + 1);
	uint32_t bits = 0;
	size_t n = 0;

	if (!out || s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = b64_digit(s.p[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4)
			out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	*ret = slice_from(out, n);
	return true;
}

static struct slice base_name(struct slice s)
{
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == '/')
			return slice_from(s.p + i + 1, s.n - i - 1);
	return s;
}

static bool apply(struct pool *p, enum transform t, struct slice s, struct slice *ret)
{
	if (t == TR_TOLOWER || t == TR_TOUPPER)
		return map_case(p, s, t == TR_TOUPPER, ret);
	if (t == TR_B64)
		return decode_b64(p, s, ret);
	*ret = base_name(s);
	return true;
}

/* tolower, toupper, b64, basename: of a string, or of each string of a list. */
static bool map_value(struct pool *p, const struct operand *o, struct rules_value *v)
{
	if (!v->is_list)
		return apply(p, o->transform, v->str, &v->str);
	struct slice *all = arena_alloc(p->scratch, (v->list_count + 1) * sizeof(*all));
	if (!all)
		return false;
	for (size_t i = 0; i < v->list_count; i++)
		if (!apply(p, o->transform, v->list[i], &all[i]))
			return false;
	v->list = all;
	return true;
}

/* parts with the separator between, in the scratch. */
static bool join_slices(struct pool *p, const struct slice *parts, size_t count, struct slice separator,
			struct slice *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += parts[i].n + (i ? separator.n : 0);
	char *out = arena_alloc(p->scratch, n + 1), *at = out;
	if (!out)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (i && separator.n)
			at = mempcpy(at, separator.p, separator.n);
		if (parts[i].n)
			at = mempcpy(at, parts[i].p, parts[i].n);
	}
	*ret = slice_from(out, n);
	return true;
}

static bool join(struct pool *p, const struct operand *o, struct rules_value *ret)
{
	struct rules_value list;
	struct slice separator;

	return pool_text(p, o->args[0], &separator) && operand_value(p, o->args[1], &list) &&
	       join_slices(p, list.list, list.list_count, separator, &ret->str);
}

static bool concat(struct pool *p, const struct operand *o, struct rules_value *ret)
{
	struct slice *parts = arena_alloc(p->scratch, o->arg_count * sizeof(*parts));

	if (!parts)
		return false;
	for (uint32_t i = 0; i < o->arg_count; i++)
		if (!pool_text(p, o->args[i], &parts[i]))
			return false;
	return join_slices(p, parts, o->arg_count, SLICE_NONE, &ret->str);
}

/* ---- getopt: POSIX rules, as getopt(3) with a leading '+' ---- */

struct options {
	struct slice spec; /* "nt:" */
	struct slice *out; /* names and values as they come */
	size_t count, size;
	struct slice wanted, wanted_value; /* the value of one option: the last one given */
	bool is_wanted_found;
};

static void add(struct options *o, struct slice s)
{
	if (o->count < o->size)
		o->out[o->count++] = s;
}

static void found(struct options *o, struct slice name, struct slice value, bool has_value)
{
	add(o, name);
	if (has_value)
		add(o, value);
	if (o->wanted.n && slice_eq(name, o->wanted)) {
		o->wanted_value = has_value ? value : name;
		o->is_wanted_found = true;
	}
}

/* One word of options, "-xzf". Returns true if its last option took the next word. */
static bool read_word(struct options *o, struct slice word, const struct slice *next)
{
	for (size_t i = 1; i < word.n; i++) {
		struct slice name = slice_sub(word, i, 1);
		ptrdiff_t at = name.p[0] == ':' ? -1 : slice_find(o->spec, name);

		if (at < 0) {
			add(o, SLICE_LIT("?"));
			continue;
		}
		if ((size_t)at + 1 >= o->spec.n || o->spec.p[at + 1] != ':') {
			found(o, name, SLICE_NONE, false);
			continue;
		}
		if (i + 1 < word.n) {
			found(o, name, slice_from(word.p + i + 1, word.n - i - 1), true);
			return false;
		}
		found(o, name, next ? *next : SLICE_LIT(""), true);
		return next;
	}
	return false;
}

static bool getopt_value(struct pool *p, const struct operand *op, struct rules_value *ret)
{
	struct rules_value words;
	struct options o = { .wanted = op->arg };
	size_t letters = 0;

	if (!operand_value(p, op->args[0], &words) || !pool_text(p, op->args[1], &o.spec))
		return false;
	if (o.spec.n && (o.spec.p[0] == ':' || o.spec.p[0] == '+'))
		o.spec = slice_sub(o.spec, 1, o.spec.n);
	for (size_t i = 0; i < words.list_count; i++)
		letters += words.list[i].n + 1;
	o.size = letters + 1;
	o.out = arena_alloc(p->scratch, o.size * sizeof(*o.out));
	if (!o.out)
		return false;
	for (size_t i = 0; i < words.list_count; i++) {
		struct slice w = words.list[i];

		if (w.n < 2 || w.p[0] != '-' || slice_is(w, "--"))
			break;
		i += read_word(&o, w, i + 1 < words.list_count ? &words.list[i + 1] : NULL);
	}
	if (op->has_arg) {
		ret->str = o.wanted_value;
		return o.is_wanted_found;
	}
	*ret = (struct rules_value){ .list = o.out, .list_count = o.count, .is_list = true };
	return true;
}

bool transform_value(struct pool *p, const struct operand *o, struct rules_value *ret)
{
	switch (o->transform) {
	case TR_JOIN:
		return join(p, o, ret);
	case TR_CONCAT:
		return concat(p, o, ret);
	case TR_GETOPT:
		return getopt_value(p, o, ret);
	case TR_VAL:
		return operand_value(p, o->args[0], ret);
	case TR_LEN:
		if (!operand_value(p, o->args[0], ret))
			return false;
		ret->num = (int64_t)(ret->is_list ? ret->list_count : ret->str.n);
		*ret = (struct rules_value){ .num = ret->num };
		return true;
	case TR_TOLOWER:
	case TR_TOUPPER:
	case TR_B64:
	case TR_BASENAME:
		return operand_value(p, o->args[0], ret) && map_value(p, o, ret);
	case TR_COUNT:
		break;
	}
	return false;
}

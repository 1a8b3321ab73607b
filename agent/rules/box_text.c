/* box_text.c - comparisons of a text as lists of texts, of which one must be in it. */
#include "agent/rules/box.h"

static const struct box_texts any = { .is_any = true };

bool box_text_holds(const struct filter_text *t, struct slice s)
{
	switch (t->kind) {
	case FILTER_EXACT:
		return slice_eq(s, t->text);
	case FILTER_PREFIX:
		return slice_starts(s, t->text);
	case FILTER_SUFFIX:
		return slice_ends(s, t->text);
	case FILTER_CONTAINS:
		return slice_find(s, t->text) >= 0;
	}
	return true;
}

/* The longest run of ordinary characters of a glob. Behind a class nothing is said. */
static bool of_glob(struct arena *a, struct slice glob, struct filter_text *ret)
{
	char *copy = arena_alloc(a, glob.n + 1);
	size_t start = 0, n = 0, i = 0;

	ret->text = SLICE_NONE;
	for (; copy && i <= glob.n; i++) {
		bool is_end = i == glob.n || strchr("*?[", glob.p[i]);

		if (!is_end) {
			i += glob.p[i] == '\\' && i + 1 < glob.n;
			copy[n++] = glob.p[i];
			continue;
		}
		if (n - start > ret->text.n) {
			ret->text = slice_from(copy + start, n - start);
			ret->kind = !start && n == i ? FILTER_PREFIX : FILTER_CONTAINS;
			if (i == glob.n)
				ret->kind = ret->kind == FILTER_PREFIX ? FILTER_EXACT : FILTER_SUFFIX;
		}
		start = n;
		if (i < glob.n && glob.p[i] == '[')
			break;
	}
	return ret->text.n;
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("*?[\\", s.p[i]))
			return false;
	return true;
}

/* A path by its parts: the whole beginning where it is written as paths are, else its longest part. */
static bool of_prefix(struct slice path, struct filter_text *ret)
{
	struct slice rest = path, part;

	*ret = (struct filter_text){ FILTER_CONTAINS, SLICE_NONE };
	if (path.n > 1 && path.p[0] == '/' && slice_find(path, SLICE_LIT("//")) < 0 && is_plain(path)) {
		*ret = (struct filter_text){ FILTER_PREFIX, path };
		ret->text.n -= slice_ends(path, SLICE_LIT("/"));
		return true;
	}
	while (slice_split(&rest, '/', &part))
		if (part.n > ret->text.n && is_plain(part))
			ret->text = part;
	return ret->text.n;
}

static bool of_value(struct arena *a, enum cond_op op, struct slice value, struct filter_text *ret)
{
	ret->text = value;
	switch (op) {
	case OP_EQ:
	case OP_EQ2:
	case OP_IN:
	case OP_INTERSECTS:
		ret->kind = FILTER_EXACT;
		return value.n;
	case OP_STARTSWITH:
		ret->kind = FILTER_PREFIX;
		return value.n;
	case OP_ENDSWITH:
		ret->kind = FILTER_SUFFIX;
		return value.n;
	case OP_CONTAINS:
		ret->kind = FILTER_CONTAINS;
		return value.n;
	case OP_GLOB:
		return of_glob(a, value, ret);
	case OP_PMATCH:
		return of_prefix(value, ret);
	case OP_EXISTS:
	case OP_LE:
	case OP_LT:
	case OP_GE:
	case OP_GT:
	case OP_NE:
	case OP_IGLOB:
	case OP_ICONTAINS:
	case OP_BCONTAINS:
	case OP_BSTARTSWITH:
	case OP_REGEX:
	case OP_COUNT:
		break;
	}
	return false;
}

struct box_texts box_texts_of(struct arena *a, const struct cond *check)
{
	const struct cond *right = check->child->next, *v;
	size_t count = 0, n = 0;

	if (!right || (right->kind != COND_VALUE && right->kind != COND_LIST))
		return any;
	v = right->kind == COND_LIST ? right->child : right;
	for (const struct cond *x = v; x; x = right->kind == COND_LIST ? x->next : NULL)
		count++;
	if (count > BOX_LIST_MAX)
		return any;
	struct filter_text *all = arena_alloc(a, (count + 1) * sizeof(*all));
	for (; v && all; v = right->kind == COND_LIST ? v->next : NULL) {
		bool is_said = of_value(a, check->op, v->text, &all[n]);

		/* Of "all of them" each is true. */
		if (check->mod == MOD_ALLOF && is_said)
			return (struct box_texts){ all, 1, false };
		if (check->mod != MOD_ALLOF && !is_said)
			return any;
		n += check->mod != MOD_ALLOF;
	}
	return all && check->mod != MOD_ALLOF ? (struct box_texts){ all, n, false } : any;
}

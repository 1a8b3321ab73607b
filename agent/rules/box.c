/* box.c - see box.h: unions and intersections, and how to make a union smaller at the least cost. */
#include "agent/rules/box.h"

/* Where two boxes differ, as bits. */
enum { DIM_CALLS = 1, DIM_OUTCOME = 2, DIM_MODE = 4, DIM_WHERE = 8, DIM_SOCK = 16, DIM_COMMS = 32,
       DIM_PORTS = 64, DIM_PATHS = 128, DIM_RAWS = 256 };
enum { OF_OPEN = DIM_MODE | DIM_PATHS | DIM_RAWS, OF_SOCKET = DIM_SOCK | DIM_PORTS,
       OF_ALL = DIM_OUTCOME | DIM_WHERE | DIM_COMMS };

/* The calls of one or two families, as a row has them. */
#define CALL_BIT(id, family, half, one, two)                                                       \
	| (uint64_t)((FAMILY_##family == (one) || FAMILY_##family == (two)) && CALL_##id / 64 == (half)) \
		  << CALL_##id % 64
static const uint64_t open_calls[2] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) CALL_BIT(id, family, 0, FAMILY_OPEN, FAMILY_OPEN)
	0
#include "agent/calls.def"
#undef CALL
	,
#define CALL(id, name, family, class, x86_64, i386, arm64) CALL_BIT(id, family, 1, FAMILY_OPEN, FAMILY_OPEN)
	0
#include "agent/calls.def"
#undef CALL
};
static const uint64_t socket_calls[2] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) CALL_BIT(id, family, 0, FAMILY_SOCK, FAMILY_FD)
	0
#include "agent/calls.def"
#undef CALL
	,
#define CALL(id, name, family, class, x86_64, i386, arm64) CALL_BIT(id, family, 1, FAMILY_SOCK, FAMILY_FD)
	0
#include "agent/calls.def"
#undef CALL
};

_Static_assert(CALL_COUNT > 64 && CALL_COUNT < 128, "the masks of every call");
static const struct box every = {
	.calls = { UINT64_MAX, (1ULL << (CALL_COUNT - 64)) - 1 },
	.outcome = FILTER_ANY_OUTCOME,
	.mode = MODE_ANY,
	.where = FILTER_ANYWHERE,
	.sock = SOCK_ANY,
	.comms.is_any = true,
	.ports.is_any = true,
	.paths.is_any = true,
	.raws.is_any = true,
};

struct box box_any(void)
{
	return every;
}

struct boxes boxes_any(void)
{
	return (struct boxes){ &every, 1 };
}

bool boxes_is_any(struct boxes s)
{
	return s.n == 1 && s.p == &every;
}

static bool meets(const uint64_t a[2], const uint64_t b[2])
{
	return (a[0] & b[0]) | (a[1] & b[1]);
}

/* What the kernel asks of at least one of the box's calls; the rest of the box means nothing. */
static unsigned asked(const struct box *b)
{
	return OF_ALL | (meets(b->calls, open_calls) ? OF_OPEN : 0) |
	       (meets(b->calls, socket_calls) ? OF_SOCKET : 0);
}

static bool is_nothing(const struct box_texts *s)
{
	return !s->is_any && !s->n;
}

/* Calls for which a set of theirs is empty are taken out. false: nothing is left. */
static bool settle(struct box *b)
{
	bool no_open = !b->mode || is_nothing(&b->paths) || is_nothing(&b->raws);

	for (unsigned i = 0; i < 2; i++) {
		b->calls[i] &= no_open ? ~open_calls[i] : UINT64_MAX;
		b->calls[i] &= b->sock ? UINT64_MAX : ~socket_calls[i];
	}
	return (b->calls[0] | b->calls[1]) && b->outcome && b->where && (b->comms.is_any || b->comms.n);
}

/* ---- lists ---- */

static bool has_comm(const struct box_comms *s, struct slice x)
{
	for (size_t i = 0; i < s->n; i++)
		if (slice_eq(s->p[i], x))
			return true;
	return s->is_any;
}

static bool has_port(const struct box_ports *s, uint16_t x)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->p[i] == x)
			return true;
	return s->is_any;
}

/* Does every text that b asks for fit a too? */
static bool text_covers(const struct filter_text *a, const struct filter_text *b)
{
	switch (a->kind) {
	case FILTER_EXACT:
		return b->kind == FILTER_EXACT && slice_eq(a->text, b->text);
	case FILTER_PREFIX:
		return (b->kind == FILTER_EXACT || b->kind == FILTER_PREFIX) && slice_starts(b->text, a->text);
	case FILTER_SUFFIX:
		return (b->kind == FILTER_EXACT || b->kind == FILTER_SUFFIX) && slice_ends(b->text, a->text);
	case FILTER_CONTAINS:
		return slice_find(b->text, a->text) >= 0;
	}
	return false;
}

static bool has_text(const struct box_texts *s, const struct filter_text *x)
{
	for (size_t i = 0; i < s->n; i++)
		if (text_covers(&s->p[i], x))
			return true;
	return s->is_any;
}

static bool comms_cover(const struct box_comms *a, const struct box_comms *b)
{
	for (size_t i = 0; i < b->n && !a->is_any; i++)
		if (!has_comm(a, b->p[i]))
			return false;
	return a->is_any || !b->is_any;
}

static bool ports_cover(const struct box_ports *a, const struct box_ports *b)
{
	for (size_t i = 0; i < b->n && !a->is_any; i++)
		if (!has_port(a, b->p[i]))
			return false;
	return a->is_any || !b->is_any;
}

static bool texts_cover(const struct box_texts *a, const struct box_texts *b)
{
	for (size_t i = 0; i < b->n && !a->is_any && a->p != b->p; i++)
		if (!has_text(a, &b->p[i]))
			return false;
	return a->is_any || !b->is_any;
}

/* How many paths a list lets through, roughly. The kernel looks for four bytes of each text: a shorter one
 * lets everything through. */
static unsigned texts_cost(const struct box_texts *s)
{
	unsigned cost = 0;

	if (s->is_any)
		return 1000000;
	for (size_t i = 0; i < s->n; i++) {
		const struct filter_text *t = &s->p[i];

		if (t->text.n < 4)
			return 500000;
		cost += t->kind == FILTER_EXACT ? 1 : t->text.n >= 8 ? 8 : t->text.n >= 6 ? 32 : 128;
	}
	return cost;
}

/* ---- both ---- */

/* The better list of two that must both hold; an exact text of it must fit the other. */
static bool texts_both(struct arena *a, struct box_texts *x, const struct box_texts *y)
{
	const struct box_texts *best = texts_cost(y) < texts_cost(x) ? y : x, *other = best == x ? y : x;

	if (other->is_any || best->is_any) {
		*x = *best;
		return true;
	}
	struct filter_text *kept = arena_alloc(a, (best->n + 1) * sizeof(*kept));
	size_t n = 0;
	if (!kept)
		return false;
	for (size_t i = 0; i < best->n; i++) {
		bool fits = best->p[i].kind != FILTER_EXACT;

		for (size_t k = 0; k < other->n && !fits; k++)
			fits = box_text_holds(&other->p[k], best->p[i].text);
		if (fits)
			kept[n++] = best->p[i];
	}
	*x = (struct box_texts){ kept, n, false };
	return true;
}

static bool comms_both(struct arena *a, struct box_comms *x, const struct box_comms *y)
{
	if (y->is_any)
		return true;
	struct slice *kept = arena_alloc(a, (y->n + 1) * sizeof(*kept));
	size_t n = 0;
	if (!kept)
		return false;
	for (size_t i = 0; i < y->n; i++)
		if (has_comm(x, y->p[i]))
			kept[n++] = y->p[i];
	*x = (struct box_comms){ kept, n, false };
	return true;
}

static bool box_both(struct arena *a, struct box *x, const struct box *y)
{
	x->calls[0] &= y->calls[0];
	x->calls[1] &= y->calls[1];
	x->outcome &= y->outcome;
	x->mode &= y->mode;
	x->where &= y->where;
	x->sock &= y->sock;
	/* Each list may be about another end of the socket, so both can hold without a port in common. */
	if (!y->ports.is_any && (x->ports.is_any || y->ports.n < x->ports.n))
		x->ports = y->ports;
	return comms_both(a, &x->comms, &y->comms) && texts_both(a, &x->paths, &y->paths) &&
	       texts_both(a, &x->raws, &y->raws);
}

struct boxes boxes_both(struct arena *a, struct boxes x, struct boxes y)
{
	if (boxes_is_any(x) || !y.n)
		return y;
	if (boxes_is_any(y) || !x.n)
		return x;
	if (x.n * y.n > BOXES_PRODUCT_MAX)
		y = boxes_reduce(a, y, BOXES_PRODUCT_MAX / BOXES_MAX);
	struct box *all = arena_alloc(a, x.n * y.n * sizeof(*all));
	size_t n = 0;
	if (!all)
		return boxes_any();
	for (size_t i = 0; i < x.n; i++)
		for (size_t k = 0; k < y.n; k++) {
			all[n] = x.p[i];
			if (!box_both(a, &all[n], &y.p[k]))
				return boxes_any();
			n += settle(&all[n]);
		}
	return boxes_reduce(a, (struct boxes){ all, n }, BOXES_MAX);
}

/* ---- either ---- */

static bool texts_either(struct arena *a, struct box_texts *x, const struct box_texts *y)
{
	if (texts_cover(x, y))
		return true;
	if (texts_cover(y, x)) {
		*x = *y;
		return true;
	}
	if (x->n + y->n > BOX_LIST_MAX) {
		*x = (struct box_texts){ .is_any = true };
		return true;
	}
	struct filter_text *all = arena_alloc(a, (x->n + y->n) * sizeof(*all));
	size_t n = 0;
	if (!all)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!has_text(y, &x->p[i]))
			all[n++] = x->p[i];
	memcpy(all + n, y->p, y->n * sizeof(*all));
	*x = (struct box_texts){ all, n + y->n, false };
	return true;
}

static bool comms_either(struct arena *a, struct box_comms *x, const struct box_comms *y)
{
	if (comms_cover(x, y))
		return true;
	if (y->is_any || x->n + y->n > BOX_LIST_MAX) {
		*x = (struct box_comms){ .is_any = true };
		return true;
	}
	struct slice *all = arena_alloc(a, (x->n + y->n) * sizeof(*all));
	size_t n = x->n;
	if (!all)
		return false;
	if (n)
		memcpy(all, x->p, n * sizeof(*all));
	for (size_t i = 0; i < y->n; i++)
		if (!has_comm(x, y->p[i]))
			all[n++] = y->p[i];
	*x = (struct box_comms){ all, n, false };
	return true;
}

static bool ports_either(struct arena *a, struct box_ports *x, const struct box_ports *y)
{
	if (ports_cover(x, y))
		return true;
	if (y->is_any || x->n + y->n > BOX_LIST_MAX) {
		*x = (struct box_ports){ .is_any = true };
		return true;
	}
	uint16_t *all = arena_alloc(a, (x->n + y->n) * sizeof(*all));
	size_t n = x->n;
	if (!all)
		return false;
	if (n)
		memcpy(all, x->p, n * sizeof(*all));
	for (size_t i = 0; i < y->n; i++)
		if (!has_port(x, y->p[i]))
			all[n++] = y->p[i];
	*x = (struct box_ports){ all, n, false };
	return true;
}

/* What only one of the two is asked comes from that one. */
static bool box_either(struct arena *a, struct box *x, const struct box *y)
{
	unsigned ofx = asked(x), ofy = asked(y);

	if (!(ofx & OF_OPEN)) {
		x->mode = y->mode;
		x->paths = y->paths;
		x->raws = y->raws;
	} else if (ofy & OF_OPEN) {
		x->mode |= y->mode;
		if (!texts_either(a, &x->paths, &y->paths) || !texts_either(a, &x->raws, &y->raws))
			return false;
	}
	if (!(ofx & OF_SOCKET)) {
		x->sock = y->sock;
		x->ports = y->ports;
	} else if (ofy & OF_SOCKET) {
		x->sock |= y->sock;
		if (!ports_either(a, &x->ports, &y->ports))
			return false;
	}
	x->calls[0] |= y->calls[0];
	x->calls[1] |= y->calls[1];
	x->outcome |= y->outcome;
	x->where |= y->where;
	return comms_either(a, &x->comms, &y->comms);
}

struct boxes boxes_either(struct arena *a, struct boxes x, struct boxes y)
{
	if (boxes_is_any(x) || !y.n)
		return x;
	if (boxes_is_any(y) || !x.n)
		return y;
	struct box *all = arena_alloc(a, (x.n + y.n) * sizeof(*all));
	if (!all)
		return boxes_any();
	memcpy(all, x.p, x.n * sizeof(*all));
	memcpy(all + x.n, y.p, y.n * sizeof(*all));
	return boxes_reduce(a, (struct boxes){ all, x.n + y.n }, BOXES_MAX);
}

/* ---- fewer ---- */

/* Where a has not all that b has. */
static unsigned lacks(const struct box *a, const struct box *b)
{
	unsigned dims = 0;

	dims |= (b->calls[0] & ~a->calls[0]) | (b->calls[1] & ~a->calls[1]) ? DIM_CALLS : 0;
	dims |= b->outcome & ~a->outcome ? DIM_OUTCOME : 0;
	dims |= b->mode & ~a->mode ? DIM_MODE : 0;
	dims |= b->where & ~a->where ? DIM_WHERE : 0;
	dims |= b->sock & ~a->sock ? DIM_SOCK : 0;
	dims |= comms_cover(&a->comms, &b->comms) ? 0 : DIM_COMMS;
	dims |= ports_cover(&a->ports, &b->ports) ? 0 : DIM_PORTS;
	dims |= texts_cover(&a->paths, &b->paths) ? 0 : DIM_PATHS;
	dims |= texts_cover(&a->raws, &b->raws) ? 0 : DIM_RAWS;
	return dims & (DIM_CALLS | (asked(a) & asked(b)));
}

/* What is let through besides, if the two become one: 0 when they differ in one thing alone. */
static unsigned merge_cost(const struct box *x, const struct box *y)
{
	unsigned dims = lacks(x, y) | lacks(y, x), cost = 0;

	if (!(dims & (dims - 1)) || !lacks(x, y) || !lacks(y, x))
		return 0;
	for (unsigned i = 0; i < 2; i++)
		cost += 4 * (unsigned)__builtin_popcountll(x->calls[i] ^ y->calls[i]);
	cost += dims & DIM_OUTCOME ? 6 : 0;
	cost += dims & DIM_MODE ? 200 : 0;
	cost += dims & DIM_WHERE ? 40 : 0;
	cost += dims & DIM_SOCK ? 30 : 0;
	cost += dims & DIM_COMMS ? (x->comms.is_any || y->comms.is_any ? 100 : 8) : 0;
	cost += dims & DIM_PORTS ? (x->ports.is_any || y->ports.is_any ? 300 : 4) : 0;
	cost += dims & DIM_PATHS ? (x->paths.is_any || y->paths.is_any ? 3000 : 8) : 0;
	cost += dims & DIM_RAWS ? (x->raws.is_any || y->raws.is_any ? 500 : 8) : 0;
	/* Volume calls with everything of a rare one. */
	return cost + (asked(x) != asked(y) ? 100 : 0);
}

struct boxes boxes_reduce(struct arena *a, struct boxes s, size_t max)
{
	struct box *all = s.n ? arena_alloc(a, s.n * sizeof(*all)) : NULL;

	if (!s.n)
		return s;
	if (!all)
		return boxes_any();
	memcpy(all, s.p, s.n * sizeof(*all));
	while (s.n > 1) {
		unsigned best = UINT32_MAX;
		size_t one = 0, two = 0;

		for (size_t i = 0; i < s.n && best; i++)
			for (size_t k = i + 1; k < s.n && best; k++) {
				unsigned cost = merge_cost(&all[i], &all[k]);

				if (cost < best) {
					best = cost;
					one = i;
					two = k;
				}
			}
		if (best && s.n <= max)
			break;
		if (!box_either(a, &all[one], &all[two]))
			return boxes_any();
		memmove(&all[two], &all[two + 1], (--s.n - two) * sizeof(*all));
	}
	return (struct boxes){ all, s.n };
}

/* ---- copies ---- */

static bool copy_texts(struct arena *a, struct box_texts *s)
{
	struct filter_text *all = arena_zalloc(a, s->n + 1, sizeof(*all));

	for (size_t i = 0; all && i < s->n; i++) {
		char *text = arena_dup(a, s->p[i].text);

		if (!text)
			return false;
		all[i] = (struct filter_text){ s->p[i].kind, { text, s->p[i].text.n } };
	}
	s->p = all;
	return all;
}

static bool copy_comms(struct arena *a, struct box_comms *s)
{
	struct slice *all = arena_zalloc(a, s->n + 1, sizeof(*all));

	for (size_t i = 0; all && i < s->n; i++) {
		char *text = arena_dup(a, s->p[i]);

		if (!text)
			return false;
		all[i] = slice_from(text, s->p[i].n);
	}
	s->p = all;
	return all;
}

struct boxes boxes_copy(struct arena *a, struct boxes s)
{
	struct box *all = arena_alloc(a, (s.n + 1) * sizeof(*all));

	for (size_t i = 0; all && i < s.n; i++) {
		uint16_t *ports = arena_alloc(a, (s.p[i].ports.n + 1) * sizeof(*ports));

		all[i] = s.p[i];
		if (!ports || !copy_texts(a, &all[i].paths) || !copy_texts(a, &all[i].raws) ||
		    !copy_comms(a, &all[i].comms))
			return (struct boxes){ NULL, s.n };
		if (s.p[i].ports.n)
			memcpy(ports, s.p[i].ports.p, s.p[i].ports.n * sizeof(*ports));
		all[i].ports.p = ports;
	}
	return (struct boxes){ all, s.n };
}

/* ---- conditions ---- */

static struct boxes of(struct arena *a, const struct cond *c, bool negated)
{
	struct boxes all;

	switch (c->kind) {
	case COND_AND:
	case COND_OR:
		all = of(a, c->child, negated);
		for (const struct cond *x = c->child->next; x; x = x->next)
			all = (c->kind == COND_AND) != negated ? boxes_both(a, all, of(a, x, negated)) :
								 boxes_either(a, all, of(a, x, negated));
		return all;
	case COND_NOT:
		return of(a, c->child, !negated);
	case COND_MACRO:
		return c->child ? of(a, c->child, negated) : boxes_any();
	case COND_CHECK:
		return boxes_of_check(a, c, negated);
	case COND_FIELD:
	case COND_TRANSFORM:
	case COND_VALUE:
	case COND_LIST:
		break;
	}
	return boxes_any();
}

struct boxes boxes_of(struct arena *a, const struct cond *c)
{
	return boxes_reduce(a, of(a, c, false), BOXES_OF_RULE);
}

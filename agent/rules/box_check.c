/* box_check.c - one comparison as boxes, by its field. What a field's absence means: the comparison is
 * false, its negation true; so a negation says something only where the field is always there. */
#include "agent/call_names.h"
#include "agent/rules/box.h"
#include "agent/rules/prog_priv.h"

/* ---- the right side ---- */

enum compared { AMONG, NOT_AMONG, OTHERWISE };

static bool has_constants(const struct cond *c)
{
	const struct cond *right = c->child->next;

	return right && (right->kind == COND_VALUE || right->kind == COND_LIST);
}

static const struct cond *first_value(const struct cond *c)
{
	const struct cond *right = c->child->next;

	return right->kind == COND_LIST ? right->child : right;
}

static const struct cond *next_value(const struct cond *c, const struct cond *value)
{
	return c->child->next->kind == COND_LIST ? value->next : NULL;
}

/* Is it a comparison for being one of the constants? */
static enum compared compared(const struct cond *c)
{
	if (!has_constants(c))
		return OTHERWISE;
	switch (c->op) {
	case OP_EQ:
	case OP_EQ2:
	case OP_IN:
	case OP_INTERSECTS:
		/* One of them exactly, is none when a constant stands there twice. */
		return c->mod == MOD_NONE || c->mod == MOD_ANYOF ? AMONG : OTHERWISE;
	case OP_NE:
		return c->mod || c->child->next->kind == COND_LIST ? OTHERWISE : NOT_AMONG;
	case OP_EXISTS:
	case OP_LE:
	case OP_LT:
	case OP_GE:
	case OP_GT:
	case OP_GLOB:
	case OP_IGLOB:
	case OP_CONTAINS:
	case OP_ICONTAINS:
	case OP_BCONTAINS:
	case OP_STARTSWITH:
	case OP_BSTARTSWITH:
	case OP_ENDSWITH:
	case OP_REGEX:
	case OP_PMATCH:
	case OP_COUNT:
		break;
	}
	return OTHERWISE;
}

/* ---- results ---- */

static struct boxes one(struct arena *a, const struct box *b)
{
	struct box *kept = arena_alloc(a, sizeof(*kept));

	if (!kept)
		return boxes_any();
	*kept = *b;
	return (struct boxes){ kept, 1 };
}

static const struct boxes nothing = { NULL, 0 };

static void keep_calls(struct box *b, bool open, bool sock, bool others)
{
	for (unsigned c = 0; c < CALL_COUNT; c++) {
		enum call_family f = call_family((enum call)c);
		bool is_sock = f == FAMILY_SOCK || f == FAMILY_FD || f == FAMILY_PLAIN;

		if (f == FAMILY_OPEN ? !open : is_sock ? !sock : !others)
			b->calls[c / 64] &= ~(1ULL << c % 64);
	}
}

static void keep_family(struct box *b, enum call_family family)
{
	for (unsigned c = 0; c < CALL_COUNT; c++)
		if (call_family((enum call)c) != family)
			b->calls[c / 64] &= ~(1ULL << c % 64);
}

/* ---- evt.type ---- */

static struct boxes of_type(struct arena *a, const struct cond *c, bool negated)
{
	struct box b = box_any();
	uint64_t calls[2] = { 0, 0 };
	enum compared how = compared(c);

	if (how == OTHERWISE)
		return boxes_any();
	for (const struct cond *v = first_value(c); v; v = next_value(c, v))
		for (unsigned i = 0; i < CALL_COUNT; i++)
			if (slice_is(v->text, call_name((enum call)i)))
				calls[i / 64] |= 1ULL << i % 64;
	for (unsigned i = 0; i < 2; i++)
		b.calls[i] &= (how == NOT_AMONG) != negated ? ~calls[i] : calls[i];
	return b.calls[0] | b.calls[1] ? one(a, &b) : nothing;
}

/* Numbered from 1. */
static struct boxes of_number(struct arena *a, const struct cond *c, bool negated)
{
	(void)a;
	return !negated && compared(c) == AMONG && c->child->next->kind == COND_VALUE &&
			       slice_is(c->child->next->text, "0") ?
		       nothing :
		       boxes_any();
}

/* ---- outcome ---- */

static struct boxes of_outcome(struct arena *a, unsigned outcome)
{
	struct box b = box_any();

	b.outcome = outcome;
	return outcome ? one(a, &b) : nothing;
}

/* evt.res: SUCCESS, or the name of an error. Always there. */
static struct boxes of_res(struct arena *a, const struct cond *c, bool negated)
{
	unsigned outcome = 0;
	bool has_success = false;
	enum compared how = compared(c);

	if (c->op == OP_STARTSWITH && !c->mod && has_constants(c) && slice_starts(first_value(c)->text, SLICE_LIT("E")))
		return negated ? boxes_any() : of_outcome(a, FILTER_FAILED);
	if (how == OTHERWISE)
		return boxes_any();
	for (const struct cond *v = first_value(c); v; v = next_value(c, v)) {
		bool is_success = slice_is(v->text, "SUCCESS");

		has_success |= is_success;
		outcome |= is_success ? FILTER_OK : FILTER_FAILED;
	}
	if ((how == NOT_AMONG) != negated)
		outcome = has_success ? FILTER_FAILED : FILTER_ANY_OUTCOME;
	return of_outcome(a, outcome);
}

/* Can a number below 0 (FAILED), and one from 0 on (OK), compare true with n? */
static unsigned signs(enum cond_op op, int64_t n)
{
	unsigned ok = 0, failed = 0;

	switch (op) {
	case OP_LT:
		failed = true;
		ok = n > 0;
		break;
	case OP_LE:
		failed = true;
		ok = n >= 0;
		break;
	case OP_GT:
		failed = n < -1;
		ok = true;
		break;
	case OP_GE:
		failed = n < 0;
		ok = true;
		break;
	case OP_EQ:
	case OP_EQ2:
	case OP_IN:
	case OP_INTERSECTS:
		failed = n < 0;
		ok = n >= 0;
		break;
	case OP_NE:
	case OP_EXISTS:
	case OP_GLOB:
	case OP_IGLOB:
	case OP_CONTAINS:
	case OP_ICONTAINS:
	case OP_BCONTAINS:
	case OP_STARTSWITH:
	case OP_BSTARTSWITH:
	case OP_ENDSWITH:
	case OP_REGEX:
	case OP_PMATCH:
	case OP_COUNT:
		return FILTER_ANY_OUTCOME;
	}
	return (ok ? FILTER_OK : 0) | (failed ? FILTER_FAILED : 0);
}

static unsigned outcome_of_number(const struct cond *c, bool negated)
{
	unsigned outcome = 0;

	if (negated || c->mod || !has_constants(c))
		return FILTER_ANY_OUTCOME;
	for (const struct cond *v = first_value(c); v; v = next_value(c, v)) {
		int64_t n;

		if (!constant_number(v->text, &n))
			return FILTER_ANY_OUTCOME;
		outcome |= signs(c->op, n);
	}
	return outcome;
}

static struct boxes of_rawres(struct arena *a, const struct cond *c, bool negated)
{
	return of_outcome(a, outcome_of_number(c, negated));
}

/* The descriptor: for an open its result, elsewhere an argument that says nothing of the outcome. */
static struct boxes of_fd(struct arena *a, const struct cond *c, bool negated)
{
	struct box open = box_any(), others = box_any();

	open.outcome = outcome_of_number(c, negated);
	if (open.outcome == FILTER_ANY_OUTCOME)
		return boxes_any();
	keep_calls(&open, true, false, false);
	keep_calls(&others, false, true, true);
	struct boxes rest = one(a, &others);
	return open.outcome ? boxes_either(a, one(a, &open), rest) : rest;
}

/* ---- booleans ---- */

/* Bit 1: true makes the comparison true, bit 0: false does. */
static unsigned truths(const struct cond *c)
{
	unsigned values = 0;
	enum compared how = compared(c);

	if (how == OTHERWISE)
		return 3;
	for (const struct cond *v = first_value(c); v; v = next_value(c, v))
		values |= slice_is(v->text, "true") || slice_is(v->text, "1") ? 2 : 1;
	return how == NOT_AMONG ? 3 & ~values : values;
}

static struct boxes of_failed(struct arena *a, const struct cond *c, bool negated)
{
	unsigned values = truths(c);

	/* More than one of the constants may be wanted, so only one value's negation is exact. */
	if (values == 3)
		return boxes_any();
	if (negated)
		values = 3 & ~values;
	return of_outcome(a, (values & 2 ? FILTER_FAILED : 0) | (values & 1 ? FILTER_OK : 0));
}

/* True only of an open; of others it is false or not there. */
static struct boxes of_mode(struct arena *a, const struct cond *c, bool negated, unsigned modes)
{
	unsigned values = truths(c);
	struct box b = box_any();

	if (values == 3)
		return boxes_any();
	if (!values && !negated)
		return nothing;
	/* Of an open the field is always there. */
	if (negated)
		values = 3 & ~values;
	b.mode = (values & 2 ? modes : 0) | (values & 1 ? MODE_ANY & ~modes : 0);
	if (values == 2 && !negated)
		keep_calls(&b, true, false, false);
	return one(a, &b);
}

static struct boxes of_read(struct arena *a, const struct cond *c, bool negated)
{
	return of_mode(a, c, negated, MODE_READ | MODE_BOTH);
}

static struct boxes of_write(struct arena *a, const struct cond *c, bool negated)
{
	return of_mode(a, c, negated, MODE_WRITE | MODE_BOTH);
}

/* ---- where ---- */

/* "host", or a container's id. Always there. */
static struct boxes of_container(struct arena *a, const struct cond *c, bool negated)
{
	struct box b = box_any();
	bool has_host = false, has_other = false;
	enum compared how = compared(c);

	if (how == OTHERWISE)
		return boxes_any();
	for (const struct cond *v = first_value(c); v; v = next_value(c, v)) {
		has_host |= slice_is(v->text, "host");
		has_other |= !slice_is(v->text, "host");
	}
	if ((how == NOT_AMONG) != negated)
		b.where = FILTER_CONTAINER | (has_host ? 0 : FILTER_HOST);
	else
		b.where = (has_host ? FILTER_HOST : 0) | (has_other ? FILTER_CONTAINER : 0);
	return b.where ? one(a, &b) : nothing;
}

/* ---- who ---- */

static struct boxes of_comm(struct arena *a, const struct cond *c, bool negated)
{
	struct box b = box_any();
	size_t n = 0;

	if (negated || compared(c) != AMONG)
		return boxes_any();
	for (const struct cond *v = first_value(c); v; v = next_value(c, v))
		n++;
	if (!n || n > BOX_LIST_MAX)
		return n ? boxes_any() : nothing;
	struct slice *all = arena_alloc(a, n * sizeof(*all));
	if (!all)
		return boxes_any();
	n = 0;
	for (const struct cond *v = first_value(c); v; v = next_value(c, v))
		all[n++] = slice_sub(v->text, 0, FILTER_COMM_MAX);
	b.comms = (struct box_comms){ all, n, false };
	return one(a, &b);
}

/* ---- sockets ---- */

static struct boxes of_socket(struct arena *a, unsigned sock)
{
	struct box b = box_any();

	b.sock = sock;
	/* Only those who have a descriptor can have a socket. */
	if (!(sock & SOCK_NONE))
		keep_calls(&b, false, true, false);
	return sock ? one(a, &b) : nothing;
}

/* Fields that only a socket of the internet has. */
static struct boxes of_inet(struct arena *a, const struct cond *c, bool negated)
{
	(void)c;
	return negated ? boxes_any() : of_socket(a, FILTER_INET);
}

static struct boxes of_port(struct arena *a, const struct cond *c, bool negated)
{
	struct boxes inet = of_inet(a, c, negated);
	size_t n = 0;

	if (negated || compared(c) != AMONG || boxes_is_any(inet))
		return inet;
	for (const struct cond *v = first_value(c); v; v = next_value(c, v))
		n++;
	uint16_t *all = n && n <= BOX_LIST_MAX ? arena_alloc(a, n * sizeof(*all)) : NULL;
	n = 0;
	for (const struct cond *v = first_value(c); v && all; v = next_value(c, v)) {
		int64_t port;

		if (!constant_port(v->text, &port))
			return inet;
		all[n++] = (uint16_t)port;
	}
	if (!all)
		return inet;
	struct box b = inet.p[0];
	b.ports = (struct box_ports){ all, n, false };
	return one(a, &b);
}

static unsigned sock_of(struct slice s)
{
	static const struct {
		const char *text;
		unsigned sock;
	} names[] = { { "4", FILTER_INET },    { "6", FILTER_INET },	    { "u", FILTER_UNIX },
		      { "f", SOCK_NONE },      { "d", SOCK_NONE },	    { "ipv4", FILTER_INET },
		      { "ipv6", FILTER_INET }, { "unix", FILTER_UNIX },	    { "file", SOCK_NONE },
		      { "ip", FILTER_INET },   { "directory", SOCK_NONE } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_is(s, names[i].text))
			return names[i].sock;
	return SOCK_ANY;
}

/* fd.typechar, fd.type, fd.sockfamily: no two of them use one word for different things. */
static struct boxes of_kind(struct arena *a, const struct cond *c, bool negated)
{
	unsigned sock = 0;

	if (negated || compared(c) != AMONG)
		return boxes_any();
	for (const struct cond *v = first_value(c); v; v = next_value(c, v))
		sock |= sock_of(v->text);
	if (sock == SOCK_ANY)
		return boxes_any();
	struct boxes all = of_socket(a, sock);
	/* u is userfaultfd's letter, too, of which a descriptor may be a copy. */
	if (sock & FILTER_UNIX) {
		struct box copies = box_any();

		keep_family(&copies, FAMILY_FD);
		all = boxes_either(a, all, one(a, &copies));
	}
	return all;
}

/* evt.arg.domain of socket and socketpair: none of the families that most sockets have. */
static struct boxes of_domain(struct arena *a, const struct cond *c, bool negated)
{
	static const char *const usual[] = { "AF_INET", "AF_INET6", "AF_UNIX", "AF_LOCAL" };
	struct box sockets = box_any(), others = box_any();

	if (negated || !has_constants(c) || (compared(c) != AMONG && c->op != OP_CONTAINS && c->op != OP_STARTSWITH))
		return boxes_any();
	for (const struct cond *v = first_value(c); v; v = next_value(c, v)) {
		if (!slice_starts(v->text, SLICE_LIT("AF_")))
			return boxes_any();
		for (size_t i = 0; i < ARRAY_LEN(usual); i++)
			if (slice_find(slice_of(usual[i]), v->text) >= 0)
				return boxes_any();
	}
	sockets.calls[0] = sockets.calls[1] = 0;
	sockets.calls[CALL_SOCKET / 64] |= 1ULL << CALL_SOCKET % 64;
	sockets.calls[CALL_SOCKETPAIR / 64] |= 1ULL << CALL_SOCKETPAIR % 64;
	sockets.sock = FILTER_OTHER_SOCK;
	others.calls[0] &= ~sockets.calls[0];
	others.calls[1] &= ~sockets.calls[1];
	return boxes_either(a, one(a, &sockets), one(a, &others));
}

/* ---- paths ---- */

static struct boxes of_paths(struct arena *a, struct box_texts texts, bool is_raw)
{
	struct box b = box_any();

	if (texts.is_any)
		return boxes_any();
	*(is_raw ? &b.raws : &b.paths) = texts;
	return texts.n ? one(a, &b) : nothing;
}

static struct boxes of_name(struct arena *a, const struct cond *c, bool negated)
{
	return negated ? boxes_any() : of_paths(a, box_texts_of(a, c), false);
}

/* The longest piece of a text that is there, too, where the caller gave more slashes in a row, which the
 * field doesn't show: slashes only at its ends. */
static struct filter_text of_slashes(const struct filter_text *t)
{
	struct filter_text best = { FILTER_CONTAINS, SLICE_NONE };
	size_t start = 0;

	if (!memchr(t->text.p, '/', t->text.n))
		return *t;
	for (size_t i = 1; i <= t->text.n; i++) {
		if (i < t->text.n && t->text.p[i - 1] != '/')
			continue;
		if (i - start > best.text.n)
			best.text = slice_sub(t->text, start, i - start);
		start = i - 1;
	}
	return best;
}

static struct boxes of_raw_name(struct arena *a, const struct cond *c, bool negated)
{
	struct box_texts texts = box_texts_of(a, c);
	struct filter_text *all = arena_alloc(a, (texts.n + 1) * sizeof(*all));

	if (negated || texts.is_any || !all)
		return boxes_any();
	for (size_t i = 0; i < texts.n; i++)
		all[i] = of_slashes(&texts.p[i]);
	return of_paths(a, (struct box_texts){ all, texts.n, false }, true);
}

/* The directory is the path's beginning: what it is, the path has with a slash behind. That of a directory
 * is its own path. */
static struct boxes of_directory(struct arena *a, const struct cond *c, bool negated)
{
	struct box_texts texts = box_texts_of(a, c);
	struct filter_text *all = arena_alloc(a, (2 * texts.n + 1) * sizeof(*all));
	size_t n = 0;

	if (negated || texts.is_any || !all || texts.n > BOX_LIST_MAX / 2)
		return boxes_any();
	for (size_t i = 0; i < texts.n; i++) {
		struct filter_text t = texts.p[i];

		/* What has no directory has "/". */
		if (slice_is(t.text, "/"))
			return boxes_any();
		if (t.kind == FILTER_EXACT && !slice_ends(t.text, SLICE_LIT("/"))) {
			all[n++] = t;
			t.text = slice_of(arena_printf(a, "%.*s/", SLICE_FMT(t.text)));
		}
		if (!t.text.p)
			return boxes_any();
		t.kind = t.kind == FILTER_EXACT || t.kind == FILTER_PREFIX ? FILTER_PREFIX : FILTER_CONTAINS;
		all[n++] = t;
	}
	return of_paths(a, (struct box_texts){ all, n, false }, false);
}

/* The file's name is the path's end. */
static struct boxes of_filename(struct arena *a, const struct cond *c, bool negated)
{
	struct box_texts texts = box_texts_of(a, c);
	struct filter_text *all = arena_alloc(a, (texts.n + 1) * sizeof(*all));

	if (negated || texts.is_any || !all)
		return boxes_any();
	for (size_t i = 0; i < texts.n; i++) {
		struct filter_text t = texts.p[i];

		if (slice_is(t.text, "/"))
			return boxes_any();
		t.kind = t.kind == FILTER_EXACT || t.kind == FILTER_SUFFIX ? FILTER_SUFFIX : FILTER_CONTAINS;
		all[i] = t;
	}
	return of_paths(a, (struct box_texts){ all, texts.n, false }, false);
}

/* ---- the table ---- */

static const struct {
	const char *field;
	struct boxes (*of)(struct arena *a, const struct cond *c, bool negated);
} fields[] = {
	{ "evt.type", of_type },	 { "syscall.type", of_type },
	{ "evt.num", of_number },	 { "evt.res", of_res },
	{ "evt.rawres", of_rawres },	 { "evt.failed", of_failed },
	{ "fd.num", of_fd },		 { "evt.is_open_read", of_read },
	{ "evt.is_open_write", of_write }, { "container.id", of_container },
	{ "proc.name", of_comm },	 { "fd.sport", of_port },
	{ "fd.cport", of_port },	 { "fd.lport", of_port },
	{ "fd.rport", of_port },	 { "fd.port", of_port },
	{ "fd.typechar", of_kind },	 { "fd.type", of_kind },
	{ "fd.sockfamily", of_kind },	 { "fd.l4proto", of_inet },
	{ "fd.ip", of_inet },		 { "fd.cip", of_inet },
	{ "fd.sip", of_inet },		 { "fd.lip", of_inet },
	{ "fd.rip", of_inet },		 { "fd.net", of_inet },
	{ "fd.cnet", of_inet },		 { "fd.snet", of_inet },
	{ "fd.lnet", of_inet },		 { "fd.rnet", of_inet },
	{ "fd.cip.name", of_inet },	 { "fd.sip.name", of_inet },
	{ "fd.lip.name", of_inet },	 { "fd.rip.name", of_inet },
	{ "evt.arg.domain", of_domain }, { "fd.name", of_name },
	{ "fs.path.name", of_name },	 { "fd.nameraw", of_raw_name },
	{ "fd.directory", of_directory }, { "fd.filename", of_filename },
};

struct boxes boxes_of_check(struct arena *a, const struct cond *c, bool negated)
{
	if (c->child->kind == COND_FIELD && !c->child->has_arg)
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			if (slice_is(c->child->text, fields[i].field))
				return fields[i].of(a, c, negated);
	return boxes_any();
}

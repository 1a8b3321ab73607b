/* rules_filter.c - what the enabled rules could match as rows of the kernel's filter. See filter.h. */
#include <errno.h>

#include "agent/call_names.h"
#include "agent/rules/rules_priv.h"

enum { ROWS_BATCH = 128 };

/* ---- a rule ---- */

/* Does the tree name a field that begins so? */
static bool names_field(const struct cond *c, const char *beginning)
{
	for (; c; c = c->next) {
		if (c->kind == COND_FIELD && slice_starts(c->text, slice_of(beginning)))
			return true;
		if (names_field(c->child, beginning))
			return true;
	}
	return false;
}

static bool wants_data(const struct rule *rule, const struct cond *c)
{
	static const char *const fields[] = { "evt.buffer", "evt.arg.data", "evt.rawarg.data" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (names_field(c, fields[i]))
			return true;
		for (size_t k = 0; k < rule->output.name_count; k++)
			if (slice_starts(slice_of(rule->output.names[k].name), slice_of(fields[i])))
				return true;
	}
	return false;
}

/* Counts the names of hosts in c and keeps them where there is room for them. */
static size_t host_names(struct arena *a, const struct cond *c, const char **ret, size_t n)
{
	for (; c; c = c->next) {
		bool is_name = c->kind == COND_CHECK && c->child->kind == COND_FIELD &&
			       slice_starts(c->child->text, SLICE_LIT("fd.")) &&
			       slice_ends(c->child->text, SLICE_LIT("ip.name"));
		const struct cond *right = is_name ? c->child->next : NULL;

		for (const struct cond *v = right && right->kind == COND_LIST ? right->child : right; v;
		     v = v == right ? NULL : v->next) {
			if (v->kind == COND_VALUE && ret)
				ret[n] = arena_dup(a, v->text);
			n += v->kind == COND_VALUE;
		}
		if (c->kind != COND_CHECK)
			n = host_names(a, c->child, ret, n);
	}
	return n;
}

bool rules_narrow(struct rules *r, struct rule *rule, const struct cond *c)
{
	CLEANUP(arena_freep) struct arena *work = arena_new(BOX_ARENA_MAX);

	if (!work)
		return false;
	rule->wants_data = wants_data(rule, c);
	rule->boxes = boxes_copy(r->arena, boxes_of(work, c));
	if (!rule->boxes.p)
		return false;
	rule->host_name_count = host_names(NULL, c, NULL, 0);
	const char **names = arena_zalloc(r->arena, rule->host_name_count + 1, sizeof(char *));
	if (!names)
		return false;
	(void)host_names(r->arena, c, names, 0);
	for (size_t i = 0; i < rule->host_name_count; i++)
		if (!names[i])
			return false;
	rule->host_names = names;
	return kill_of(r->arena, c, rule->name, &rule->may_kill, &rule->kill);
}

/* ---- rows ---- */

static unsigned access_of(unsigned modes)
{
	if (modes & MODE_NEITHER || (modes & MODE_READ && modes & MODE_WRITE))
		return FILTER_ANY_ACCESS;
	return modes & MODE_READ ? FILTER_READ : FILTER_WRITE;
}

/* A box without what none of its calls is asked. false: no call is left. */
static bool make_row(struct arena *a, const struct box *b, struct filter_row *row)
{
	bool has_open = false, has_socket = false;

	*row = (struct filter_row){ .outcome = b->outcome, .access = FILTER_ANY_ACCESS, .where = b->where,
				    .sock = FILTER_ANY_SOCK };
	for (unsigned c = 0; c < CALL_COUNT; c++) {
		enum call_family f = call_family((enum call)c);

		/* A program that was started is no call; only one that could not be is. */
		if (!(b->calls[c / 64] >> c % 64 & 1) || (f == FAMILY_EXEC && !(b->outcome & FILTER_FAILED)))
			continue;
		filter_row_add_call(row, (enum call)c);
		has_open |= f == FAMILY_OPEN;
		has_socket |= f == FAMILY_SOCK || f == FAMILY_FD;
	}
	if (has_open) {
		row->access = access_of(b->mode);
		if (!b->paths.is_any && b->outcome & FILTER_OK) {
			row->paths = b->paths.p;
			row->path_count = b->paths.n;
		}
		row->raws = b->raws.is_any ? NULL : b->raws.p;
		row->raw_count = b->raws.is_any ? 0 : b->raws.n;
		row->raws_bind_success = row->raw_count > 0;
	}
	if (has_socket) {
		row->sock = b->sock & SOCK_NONE ? FILTER_ANY_SOCK : b->sock;
		row->ports = b->ports.is_any ? NULL : b->ports.p;
		row->port_count = b->ports.is_any ? 0 : b->ports.n;
	}
	const char **comms = arena_zalloc(a, b->comms.n + 1, sizeof(char *));
	for (size_t i = 0; comms && !b->comms.is_any && i < b->comms.n; i++) {
		comms[i] = b->comms.p[i].p;
		row->comm_count++;
	}
	row->comms = row->comm_count ? comms : NULL;
	return (row->calls[0] | row->calls[1]) && comms;
}

static int make_rows(struct arena *work, const struct rules *r, struct filter *f, struct err *err)
{
	struct boxes all = { NULL, 0 };
	struct box *joined = arena_alloc(work, (ROWS_BATCH + BOXES_OF_RULE) * sizeof(*joined));

	for (size_t i = 0; i < r->count && joined; i++) {
		const struct boxes *more = &r->all[i].boxes;

		if (!r->all[i].enabled || !more->n)
			continue;
		f->wants_data |= r->all[i].wants_data;
		if (all.n)
			memmove(joined, all.p, all.n * sizeof(*joined));
		memcpy(joined + all.n, more->p, more->n * sizeof(*joined));
		all = (struct boxes){ joined, all.n + more->n };
		if (all.n > ROWS_BATCH)
			all = boxes_reduce(work, all, FILTER_ROWS_MAX);
	}
	all = boxes_copy(f->arena, boxes_reduce(work, all, FILTER_ROWS_MAX));
	if (!joined || !all.p)
		return err_set(err, ERR_LIMIT, "the filter of %zu rules is too large", r->count);
	for (size_t i = 0; i < all.n; i++)
		f->row_count += make_row(f->arena, &all.p[i], &f->rows[f->row_count]);
	return 0;
}

int rules_filter(const struct rules *r, struct filter *f, struct err *err)
{
	CLEANUP(arena_freep) struct arena *work = arena_new(2 * BOX_ARENA_MAX);

	*f = (struct filter){ .arena = arena_new(BOX_ARENA_MAX) };
	int result = work && f->arena ? make_rows(work, r, f, err) : err_set(err, ENOMEM, "derive a filter");
	if (result < 0)
		filter_fini(f);
	return result;
}

void rules_each_host_name(const struct rules *r, void (*fn)(void *arg, const char *name), void *arg)
{
	for (size_t i = 0; i < r->count; i++)
		for (size_t k = 0; r->all[i].enabled && k < r->all[i].host_name_count; k++) {
			const char *name = r->all[i].host_names[k];
			bool is_known = false;

			for (size_t x = 0; x <= i && !is_known; x++)
				for (size_t y = 0; r->all[x].enabled && y < (x < i ? r->all[x].host_name_count : k); y++)
					is_known |= !strcmp(r->all[x].host_names[y], name);
			if (!is_known)
				fn(arg, name);
		}
}

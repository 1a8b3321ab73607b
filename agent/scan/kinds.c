/* kinds.c - see kinds.h. */
#include "agent/scan/kinds.h"

#include "agent/scan/purl.h"

static const struct kind kinds[] = {
#define KIND(ecosystem, file, type, together, people) { ecosystem, file, type, together, people },
#include "agent/scan/kinds.def"
#undef KIND
};

static bool is_file(const struct kind *k, struct slice path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	struct slice name = slash ? slice_sub(path, (size_t)(slash - path.p) + 1, path.n) : path;

	if (!k->file[0])
		return true;
	return k->file[0] == '*' ? slice_ends(name, slice_of(k->file + 1)) : slice_is(name, k->file);
}

const struct kind *kind_of(const Picket__Package *p)
{
	struct slice path = slice_from(p->path.data, p->path.len);

	for (size_t i = 0; i + 1 < ARRAY_LEN(kinds); i++) {
		if (!strcmp(kinds[i].ecosystem, p->ecosystem) && is_file(&kinds[i], path))
			return &kinds[i];
	}
	return &kinds[ARRAY_LEN(kinds) - 1];
}

bool kind_is_os(const struct kind *k)
{
	return purl_is_os(slice_of(k->ecosystem));
}

struct sorted {
	const struct kind *kind;
	struct slice target;
	uint32_t package;
};

static int compare_targets(const struct sorted *a, const struct sorted *b)
{
	struct slice s = a->target, t = b->target;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int order = memcmp(s.p ? s.p : "", t.p ? t.p : "", s.n < t.n ? s.n : t.n);
	return order ? order : (s.n > t.n) - (s.n < t.n);
}

static int compare(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int order = compare_targets(a, b);

	return order ? order : (a->package > b->package) - (a->package < b->package);
}

static struct sorted sorted_of(const Picket__Package *p, size_t i)
{
	const struct kind *k = kind_of(p);
	struct sorted s = { .kind = k, .package = (uint32_t)i };

	if (kind_is_os(k))
		return s;
	s.target = k->together ? slice_of(k->together) : slice_from(p->path.data, p->path.len);
	/* an SBOM that does not say where: all of a kind */
	if (!s.target.n)
		s.target = slice_of(k->people);
	return s;
}

static int fill(const struct scan_result *r, const struct sorted *all, struct groups *ret, struct err *err)
{
	size_t n = r->package_count;

	ret->groups = arena_zalloc(r->arena, n + 1, sizeof(*ret->groups));
	ret->order = arena_zalloc(r->arena, n + 1, sizeof(*ret->order));
	ret->group_of = arena_zalloc(r->arena, n + 1, sizeof(*ret->group_of));
	if (!ret->groups || !ret->order || !ret->group_of)
		return err_set(err, ERR_LIMIT, "no room for %zu packages", n);
	for (size_t i = 0; i < n; i++) {
		if (!i || compare_targets(&all[i - 1], &all[i]))
			ret->groups[ret->count++] = (struct group){ all[i].kind, all[i].target, i, 0 };
		ret->groups[ret->count - 1].count++;
		ret->order[i] = all[i].package;
		ret->group_of[all[i].package] = (uint32_t)(ret->count - 1);
	}
	return 0;
}

int groups_of(const struct scan_result *r, struct groups *ret, struct err *err)
{
	size_t n = r->package_count;
	CLEANUP(freep) struct sorted *all = calloc(n + 1, sizeof(*all));
	struct groups g = { 0 };

	if (!all)
		return err_set(err, ERR_LIMIT, "no room for %zu packages", n);
	for (size_t i = 0; i < n; i++)
		all[i] = sorted_of(r->packages[i].pkg, i);
	if (n)
		qsort(all, n, sizeof(*all), compare);
	int e = fill(r, all, &g, err);
	if (e >= 0)
		*ret = g;
	return e;
}

/* inventory_owners.c - files that packages own, found by one parser, to the packages, found by the same or
 * another one: both name a key. */
#include <errno.h>

#include "agent/image/image_limits.h"
#include "agent/image/inventory.h"
#include "agent/image/path.h"

/* A package by its ecosystem and key; number: in the table of owners, once it owns something. */
struct named {
	uint64_t hash;
	struct facts_package p;
	uint32_t number;
	bool is_numbered;
};

struct names {
	struct named *list;
	size_t count;
};

static uint64_t name_hash(struct slice ecosystem, struct slice key)
{
	return path_hash_more(path_hash_more(path_hash_more(PATH_HASH_START, ecosystem), SLICE_LIT("\n")), key);
}

static int by_hash(const void *va, const void *vb)
{
	const struct named *a = va, *b = vb;

	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static bool owns_any(const struct merged *m)
{
	for (size_t i = 0; i < m->file_count; i++)
		if (m->files[i].owned_count)
			return true;
	return false;
}

static int list_names(const struct merged *m, struct names *ret, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < m->file_count; i++)
		n += m->files[i].package_count;
	ret->list = owns_any(m) ? calloc(n + 1, sizeof(*ret->list)) : NULL;
	if (!ret->list)
		return owns_any(m) ? err_set(err, ENOMEM, "find the owners of files") : 0;
	for (size_t i = 0; i < m->file_count; i++) {
		struct slice rest = buf_slice(&m->files[i].packages);
		struct named *p = &ret->list[ret->count];

		for (uint32_t k = 0; k < m->files[i].package_count && facts_next_package(&rest, &p->p); k++) {
			p->hash = name_hash(p->p.ecosystem, p->p.key.n ? p->p.key : p->p.name);
			p = &ret->list[++ret->count];
		}
	}
	qsort(ret->list, ret->count, sizeof(*ret->list), by_hash);
	return 0;
}

static int add_group(struct owners_maker *mk, struct names *names, const struct facts_owned *g, struct err *err)
{
	const struct named key = { .hash = name_hash(g->ecosystem, g->key) };
	struct named *p = names->count ? bsearch(&key, names->list, names->count, sizeof(key), by_hash) : NULL;
	int r = 0;

	if (!p || !g->count)
		return 0; /* of a package that is not installed any more */
	if (!p->is_numbered) {
		const struct owners_package op = { p->p.ecosystem, p->p.name, p->p.version };

		r = owners_add_package(mk, &op, &p->number, err);
		p->is_numbered = r >= 0;
	}
	for (uint32_t i = 0; r >= 0 && i < g->count; i++) {
		uint64_t hash;

		memcpy(&hash, g->hashes + i * sizeof(hash), sizeof(hash));
		r = owners_add_file(mk, hash & ~1ULL, hash & 1, p->number, err);
	}
	return r;
}

static bool is_distribution(struct slice ecosystem)
{
	return slice_is(ecosystem, "deb") || slice_is(ecosystem, "apk") || slice_is(ecosystem, "rpm");
}

/* The distribution's first: of several owners the first stays. */
static int add_files(struct owners_maker *mk, const struct merged *m, struct names *names, bool distribution,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->file_count; i++) {
		struct slice rest = buf_slice(&m->files[i].owned);
		struct facts_owned g;

		while (r >= 0 && facts_next_owned(&rest, &g))
			if (is_distribution(g.ecosystem) == distribution)
				r = add_group(mk, names, &g, err);
	}
	return r;
}

static int add_aliases(struct owners_maker *mk, const struct merged *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->link_count; i++) {
		char dst[4096 + 1];
		struct slice link = slice_of(m->links[i].path), target;

		if (!m->links[i].is_hard && !path_folder(link).n && merged_resolve(m, link, dst, &target) && target.n)
			r = owners_add_alias(mk, link, target, err);
	}
	return r;
}

int inventory_owners(const struct merged *m, struct owners **ret, struct err *err)
{
	CLEANUP(owners_maker_freep) struct owners_maker *mk = NULL;
	struct names names = { 0 };

	int r = owners_maker_new(&mk, err);
	if (r >= 0)
		r = list_names(m, &names, err);
	if (r >= 0)
		r = add_files(mk, m, &names, true, err);
	if (r >= 0)
		r = add_files(mk, m, &names, false, err);
	if (r >= 0)
		r = add_aliases(mk, m, err);
	if (r >= 0)
		r = owners_make(mk, ret, err);
	free(names.list);
	return r;
}

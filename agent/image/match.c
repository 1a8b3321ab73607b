/* match.c - see match.h. Whole paths and names are looked up by hash; globs are few, and most paths differ
 * from them in their last bytes already. */
#include "agent/image/match.h"

#include <errno.h>
#include <fnmatch.h>

#include "agent/image/path.h"
#include "proto/limits.h"

enum { SLOTS = 2048 }; /* of each table, a power of two, far more than rows */

struct row {
	const struct pkg_parser *parser;
	struct slice head, tail; /* of a glob: what stands before its first and after its last special character */
	uint16_t next;		 /* row + 1 with the same hash slot, 0: none */
};

struct matcher {
	struct row rows[MATCH_ROWS_MAX];
	size_t count;
	uint16_t paths[SLOTS], names[SLOTS]; /* row + 1 */
	uint16_t globs[MATCH_ROWS_MAX], elfs[MATCH_FOUND_MAX];
	size_t glob_count, elf_count;
	uint64_t ways[SLOTS]; /* hashes, open addressing; 0: free */
	size_t way_count;
};

static const char specials[] = "*?[\\";

static void chain(struct matcher *m, uint16_t *slots, uint64_t hash, uint16_t row)
{
	m->rows[row].next = slots[hash % SLOTS];
	slots[hash % SLOTS] = row + 1;
}

static void add_way(struct matcher *m, uint64_t hash)
{
	size_t i = hash % SLOTS;

	while (m->ways[i] && m->ways[i] != hash)
		i = (i + 1) % SLOTS;
	if (m->ways[i] || m->way_count == SLOTS / 2)
		return;
	m->ways[i] = hash;
	m->way_count++;
}

static void add_ways(struct matcher *m, struct slice path)
{
	for (; path.n; path = path_folder(path))
		add_way(m, path_hash(path));
}

static void add_glob(struct matcher *m, uint16_t row)
{
	struct row *r = &m->rows[row];
	const char *p = r->parser->pattern;
	size_t n = strlen(p), tail = n;

	r->head = slice_from(p, strcspn(p, specials));
	while (tail && !strchr("*?[]\\", p[tail - 1]))
		tail--;
	r->tail = slice_from(p + tail, n - tail);
	m->globs[m->glob_count++] = row;
	add_ways(m, path_folder(r->head));
}

static int add_row(struct matcher *m, const struct pkg_parser *p, struct err *err)
{
	uint16_t row = (uint16_t)m->count;

	if (m->count == MATCH_ROWS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d parsers", MATCH_ROWS_MAX);
	m->rows[row].parser = p;
	m->count++;
	switch (p->match) {
	case PKG_PATH:
		chain(m, m->paths, path_hash(slice_of(p->pattern)), row);
		add_ways(m, slice_of(p->pattern));
		break;
	case PKG_NAME:
		chain(m, m->names, path_hash(slice_of(p->pattern)), row);
		break;
	case PKG_GLOB:
		add_glob(m, row);
		break;
	case PKG_ELF:
		if (m->elf_count < MATCH_FOUND_MAX)
			m->elfs[m->elf_count++] = row;
		break;
	}
	return 0;
}

int matcher_new(const struct pkg_table *tables, size_t count, bool with_lockfiles, struct matcher **ret,
		struct err *err)
{
	CLEANUP(matcher_freep) struct matcher *m = calloc(1, sizeof(*m));
	int r = m ? 0 : err_set(err, ENOMEM, "prepare the parsers");

	for (size_t t = 0; r >= 0 && t < count; t++)
		for (size_t i = 0; r >= 0 && i < tables[t].count; i++)
			if (with_lockfiles || !tables[t].rows[i].is_lockfile)
				r = add_row(m, &tables[t].rows[i], err);
	if (r >= 0)
		*ret = take_ptr(m);
	return r;
}

static void find_in(const struct matcher *m, const uint16_t *slots, struct slice text, uint16_t *found, size_t *n)
{
	for (uint16_t i = slots[path_hash(text) % SLOTS]; i; i = m->rows[i - 1].next)
		if (*n < MATCH_FOUND_MAX && slice_is(text, m->rows[i - 1].parser->pattern))
			found[(*n)++] = i - 1;
}

static bool is_glob_match(const struct row *r, struct slice path)
{
	char text[LIMIT_PATH_BYTES + 1];

	return slice_ends(path, r->tail) && slice_starts(path, r->head) && slice_copy(path, text, sizeof(text)) &&
	       !fnmatch(r->parser->pattern, text, 0);
}

size_t matcher_find(const struct matcher *m, struct slice path, uint16_t found[MATCH_FOUND_MAX])
{
	size_t n = 0;

	find_in(m, m->paths, path, found, &n);
	find_in(m, m->names, path_name(path), found, &n);
	for (size_t i = 0; i < m->glob_count && n < MATCH_FOUND_MAX; i++)
		if (is_glob_match(&m->rows[m->globs[i]], path))
			found[n++] = m->globs[i];
	return n;
}

size_t matcher_elf(const struct matcher *m, uint16_t found[MATCH_FOUND_MAX])
{
	memcpy(found, m->elfs, m->elf_count * sizeof(*found));
	return m->elf_count;
}

const struct pkg_parser *matcher_row(const struct matcher *m, uint16_t row)
{
	return row < m->count ? m->rows[row].parser : NULL;
}

bool matcher_is_way(const struct matcher *m, uint64_t hash)
{
	size_t i = hash % SLOTS;

	while (m->ways[i] && m->ways[i] != hash)
		i = (i + 1) % SLOTS;
	return m->ways[i];
}

bool matcher_fixed(const struct matcher *m, size_t i, struct slice *ret)
{
	if (i >= m->count)
		return false;
	*ret = SLICE_NONE;
	if (m->rows[i].parser->match == PKG_PATH)
		*ret = slice_of(m->rows[i].parser->pattern);
	if (m->rows[i].parser->match == PKG_GLOB)
		*ret = path_folder(m->rows[i].head);
	return true;
}

void matcher_free(struct matcher *m)
{
	free(m);
}

/* match.c - packages against the database: where each is looked up; see match_priv.h for the rest. */
#include <ctype.h>
#include <errno.h>

#include "common/vulndb/advisory.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/match_priv.h"

void match_free(struct match *m)
{
	if (!m)
		return;
	arena_free(m->arena);
	arena_free(m->texts);
	buf_fini(&m->range);
	free(m);
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_LIMIT, "a package has advisories of over %d MiB", MATCH_ARENA >> 20);
}

int match_grow(struct arena *a, void **items, size_t count, size_t size, struct err *err)
{
	int r = advisory_grow(a, items, count, size, err);

	return r < 0 ? no_memory(err) : 0;
}

int match_keep(struct arena *a, struct slice s, struct slice *ret, struct err *err)
{
	char *p = s.n ? arena_alloc(a, s.n) : NULL;

	*ret = SLICE_NONE;
	if (!s.n)
		return 0;
	if (!p)
		return no_memory(err);
	memcpy(p, s.p, s.n);
	*ret = slice_from(p, s.n);
	return 0;
}

/* ---- where a package is looked up ---- */

static int find_space(struct vulndb *db, struct slice name, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_SPACE_FIND, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, name);
	r = sql_step(db, st, err);
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

/* Only the spaces that are in the database. */
static int add_space(struct vulndb *db, struct asked *a, struct slice name, struct err *err)
{
	int64_t id;
	int r = find_space(db, name, &id, err);

	if (r >= 0 && id)
		a->spaces[a->count++] = id;
	return r;
}

static int resolve(struct vulndb *db, struct match *m, struct slice purl, struct asked *a, struct err *err)
{
	struct ecosystem_spaces spaces;
	char text[SPACE_MAX];
	int r = 0;

	*a = (struct asked){ .ecosystem = ecosystem_of_purl(purl) };
	(void)slice_copy(purl, a->purl, sizeof(a->purl));
	if (a->ecosystem)
		return add_space(db, a, ecosystem_space(a->ecosystem, slice_of(a->ecosystem->osv), text), err);
	a->ecosystem = ecosystem_of_os(m->os, purl);
	if (!a->ecosystem)
		return 0;
	snprintf(a->source, sizeof(a->source), "%s", a->ecosystem->osv);
	for (char *p = a->source; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	ecosystem_spaces_of_os(a->ecosystem, m->os, &spaces);
	for (size_t i = 0; i < spaces.count && r >= 0; i++)
		r = add_space(db, a, slice_of(spaces.name[i]), err);
	return r;
}

/* NULL: of no known type. */
static int asked_of(struct vulndb *db, struct match *m, struct slice purl, const struct asked **ret, struct err *err)
{
	*ret = NULL;
	for (size_t i = 0; i < m->asked_count && !*ret; i++)
		if (slice_is(purl, m->asked[i].purl))
			*ret = &m->asked[i];
	if (*ret || !purl.n || purl.n >= sizeof(m->asked[0].purl) || m->asked_count == MATCH_PURLS)
		return 0;
	struct asked *a = &m->asked[m->asked_count];
	int r = resolve(db, m, purl, a, err);
	if (r < 0)
		return r;
	m->asked_count++;
	*ret = a;
	return 0;
}

/* Has the distribution a word on what its packages hold? Then what a package of it owns is that word's. */
static int is_spoken_for(struct vulndb *db, struct match *m, struct err *err)
{
	static const char *const types[] = { "deb", "apk", "rpm" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct asked *a;
		int r = asked_of(db, m, slice_of(types[i]), &a, err);

		if (r < 0)
			return r;
		if (a && a->count)
			return 1;
	}
	return 0;
}

/* ---- a package ---- */

static bool is_by_source(const struct ecosystem *e)
{
	return strcmp(e->purl, "deb") == 0 || strcmp(e->purl, "apk") == 0;
}

static int match_package(struct vulndb *db, struct match *m, const struct vulndb_package *p, struct err *err)
{
	char name[VULNDB_NAME_MAX];

	int r = asked_of(db, m, p->ecosystem, &m->in, err);
	if (r < 0 || !m->in || !m->in->count)
		return r;
	const struct ecosystem *e = m->in->ecosystem;
	if (p->owner.n && !ecosystem_is_distro(e)) {
		r = is_spoken_for(db, m, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	bool by_source = is_by_source(e) && p->source.n;
	m->name = ecosystem_name(e, by_source ? p->source : p->name, name, sizeof(name));
	m->version = ecosystem_version(e, by_source && p->source_version.n ? p->source_version : p->version);
	arena_reset(m->arena);
	r = match_gather(db, m, err);
	if (r >= 0)
		r = match_merge(db, m, err);
	return r < 0 ? r : match_tell(db, m, err);
}

static int match_all(struct vulndb *db, struct match *m, const struct vulndb_package *packages, size_t count,
		     struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		m->package = i;
		int r = match_package(db, m, &packages[i], err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

int match_prepare(struct vulndb *db, struct err *err)
{
	if (db->match)
		return 0;
	struct match *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, ENOMEM, "match");
	db->match = m;
	m->arena = arena_new(MATCH_ARENA);
	m->texts = arena_new(MATCH_TEXTS);
	buf_init(&m->range, 65536);
	return m->arena && m->texts ? 0 : err_set(err, ENOMEM, "match");
}

int vulndb_match(struct vulndb *db, const struct vulndb_os *os, const struct vulndb_package *packages,
		 size_t count, vulndb_found_fn found, void *arg, struct err *err)
{
	int r = match_prepare(db, err);

	if (r >= 0)
		r = read_begin(db, err);
	if (r < 0)
		return r;
	struct match *m = db->match;
	m->asked_count = 0;
	m->os = os;
	m->found = found;
	m->arg = arg;
	return read_end(db, match_all(db, m, packages, count, err), err);
}

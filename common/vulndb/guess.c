/* guess.c - see guess.h. */
#include "common/vulndb/guess.h"

#include "common/vulndb/advisory.h"
#include "common/vulndb/walk.h"

/* ---- the format ---- */

struct signs {
	bool is_osv, is_secdb, is_kev, is_debian;
};

static int on_sign(void *arg, const struct walk_event *e, struct err *err)
{
	*(bool *)((char *)arg + e->at) = true;
	return 0;
}

/* {source: {"CVE-2024-1": … */
static int on_inner(void *arg, const struct walk_event *e, struct err *err)
{
	struct signs *s = arg;

	if (e->what == WALK_OPEN && !e->is_array &&
	    (slice_starts(e->text, SLICE_LIT("CVE-")) || slice_starts(e->text, SLICE_LIT("TEMP-"))))
		s->is_debian = true;
	return 0;
}

enum place { DOCUMENT, ELEMENT, OUTER, VALUE };

#define SIGN(name) on_sign, offsetof(struct signs, name)

static const struct walk_place places[] = {
	{ DOCUMENT, ELEMENT, "[]" },
	{ DOCUMENT, VALUE, "schema_version", SIGN(is_osv) },
	{ DOCUMENT, VALUE, "modified", SIGN(is_osv) },
	{ DOCUMENT, VALUE, "affected", SIGN(is_osv) },
	{ DOCUMENT, VALUE, "aliases", SIGN(is_osv) },
	{ DOCUMENT, VALUE, "apkurl", SIGN(is_secdb) },
	{ DOCUMENT, VALUE, "packages", SIGN(is_secdb) },
	{ DOCUMENT, VALUE, "catalogVersion", SIGN(is_kev) },
	{ DOCUMENT, VALUE, "vulnerabilities", SIGN(is_kev) },
	{ DOCUMENT, OUTER, "*" },
	{ ELEMENT, VALUE, "schema_version", SIGN(is_osv) },
	{ ELEMENT, VALUE, "modified", SIGN(is_osv) },
	{ ELEMENT, VALUE, "affected", SIGN(is_osv) },
	{ OUTER, VALUE, "*", on_inner },
};

enum vulndb_format guess_format(struct slice start)
{
	struct signs s = { 0 };
	CLEANUP(walk_freep) struct walk *w = NULL;
	struct err ignored;

	if (slice_starts(start, SLICE_LIT("#model_version")) || slice_starts(start, SLICE_LIT("cve,epss")))
		return VULNDB_EPSS;
	w = walk_new(places, ARRAY_LEN(places), &s);
	if (!w)
		return VULNDB_GUESS;
	(void)!walk_feed(w, slice_sub(start, 0, GUESS_BYTES), &ignored);
	if (s.is_secdb)
		return VULNDB_ALPINE;
	if (s.is_kev)
		return VULNDB_KEV;
	if (s.is_osv)
		return VULNDB_OSV;
	return s.is_debian ? VULNDB_DEBIAN : VULNDB_GUESS;
}

/* ---- the name ---- */

static bool has_ecosystem(const struct advisory *a, const char *name)
{
	for (size_t i = 0; i < a->affected_count; i++) {
		struct slice rest = a->affected[i].ecosystem, base = SLICE_NONE;

		(void)slice_split(&rest, ':', &base);
		if (slice_is(base, name))
			return true;
	}
	return false;
}

static void start(struct guess_name *g, const struct advisory *a)
{
	struct slice rest = a->key, prefix = SLICE_NONE;

	(void)slice_split(&rest, '-', &prefix);
	if (!slice_copy(prefix, g->prefix, sizeof(g->prefix)))
		g->prefix[0] = 0;
	for (size_t i = 0; i < a->affected_count && g->ecosystem_count < ARRAY_LEN(g->ecosystems); i++) {
		struct slice name = a->affected[i].ecosystem, base = SLICE_NONE;
		char *to = g->ecosystems[g->ecosystem_count];
		bool is_new = true;

		(void)slice_split(&name, ':', &base);
		for (unsigned k = 0; k < g->ecosystem_count; k++)
			is_new &= !slice_is(base, g->ecosystems[k]);
		if (is_new && slice_copy(base, to, sizeof(g->ecosystems[0])))
			g->ecosystem_count++;
	}
}

void guess_name_add(struct guess_name *g, const struct advisory *a)
{
	unsigned kept = 0;

	if (!a->affected_count && a->withdrawn.n)
		return;
	if (!g->count++) {
		start(g, a);
		return;
	}
	for (unsigned i = 0; i < g->ecosystem_count; i++)
		if (has_ecosystem(a, g->ecosystems[i]))
			memmove(g->ecosystems[kept++], g->ecosystems[i], sizeof(g->ecosystems[0]));
	g->ecosystem_count = kept;
	size_t n = strlen(g->prefix);
	if (!slice_starts(a->key, slice_of(g->prefix)) || a->key.n <= n || a->key.p[n] != '-')
		g->prefix[0] = 0;
}

void guess_name_end(const struct guess_name *g, char *dst, size_t size)
{
	const char *name = g->ecosystem_count ? g->ecosystems[0] : g->prefix;

	snprintf(dst, size, "osv%s%s", name[0] ? ":" : "", name);
}

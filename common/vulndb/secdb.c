/* secdb.c - {distroversion, reponame, urlprefix, packages: [{pkg: {name, secfixes: {version: [id]}}}]}; see
 * feeds.h. Walked twice: what the packages are of may be written after them. */
#include <errno.h>

#include "common/vulndb/feeds.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/walk.h"

struct secdb {
	struct arena *arena; /* of the id at hand */
	advisory_fn fn;
	bad_fn bad;
	void *arg;
	struct walk *walk;
	bool has_packages;
	char release[64], repo[64], url[256];
	const char *ecosystem;
	char name[VULNDB_NAME_MAX], version[VULNDB_NAME_MAX];
};

/* ---- whose it is ---- */

static const struct {
	const char *part_of_url, *ecosystem;
} publishers[] = {
	{ "alpine", "Alpine" },	       { "packages.wolfi.dev", "Wolfi" }, { "cgr.dev", "Chainguard" },
	{ "mini.dev", "MinimOS" },     { "cve0.io", "SecureOS" },
};

static int on_head(void *arg, const struct walk_event *e, struct err *err)
{
	struct secdb *s = arg;
	char *to = (char *)s + e->at;

	if (e->what == WALK_TEXT && advisory_is_line(e->text, 200))
		(void)slice_copy(e->text, to, e->at == offsetof(struct secdb, url) ? sizeof(s->url) : 64);
	return 0;
}

static int on_packages(void *arg, const struct walk_event *e, struct err *err)
{
	((struct secdb *)arg)->has_packages |= e->what == WALK_OPEN && e->is_array;
	return 0;
}

static void settle(struct secdb *s)
{
	s->ecosystem = s->has_packages && s->release[0] && !s->url[0] ? "Alpine" : NULL;
	for (size_t i = 0; i < ARRAY_LEN(publishers); i++)
		if (s->has_packages && strstr(s->url, publishers[i].part_of_url))
			s->ecosystem = publishers[i].ecosystem;
}

/* ---- the packages ---- */

static int on_name(void *arg, const struct walk_event *e, struct err *err)
{
	struct secdb *s = arg;

	if (e->what == WALK_TEXT && (!advisory_is_line(e->text, sizeof(s->name) - 1) ||
				     !slice_copy(e->text, s->name, sizeof(s->name))))
		s->name[0] = 0;
	return 0;
}

static int on_package(void *arg, const struct walk_event *e, struct err *err)
{
	if (e->what == WALK_OPEN)
		((struct secdb *)arg)->name[0] = 0;
	return 0;
}

static int on_version(void *arg, const struct walk_event *e, struct err *err)
{
	struct secdb *s = arg;

	if (e->what == WALK_OPEN && (!advisory_is_line(e->text, sizeof(s->version) - 1) ||
				     !slice_copy(e->text, s->version, sizeof(s->version))))
		s->version[0] = 0;
	return 0;
}

static int tell(struct secdb *s, struct slice id, struct err *err)
{
	arena_reset(s->arena);
	struct slice version = slice_of(s->version);
	struct advisory_event v[] = { { ADVISORY_INTRODUCED, SLICE_LIT("0") }, { ADVISORY_FIXED, version } };
	unsigned range[] = { 0, 0 };
	char *part = arena_printf(s->arena, "%s:%s/%s", s->ecosystem, s->release, s->repo);
	char *key = arena_printf(s->arena, "%s:%s/%s/%s/%.*s/%s", s->ecosystem, s->release, s->repo, s->name,
				 SLICE_FMT(id), s->version);
	char *eco = arena_printf(s->arena, "%s%s%s", s->ecosystem, s->release[0] ? ":" : "", s->release);

	if (!part || !key || !eco)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	struct advisory_affected af = {
		.ecosystem = slice_of(eco), .name = slice_of(s->name), .events = { v, range, 2 }, .ranges = 1
	};
	return s->fn(s->arg,
		     &(struct advisory){ .key = slice_of(key),
					 .part = slice_of(part),
					 .record = id,
					 .affected = &af,
					 .affected_count = 1 },
		     err);
}

/* "CVE-2017-2616 (+ regression fix)", "CVE-2019-1 CVE-2019-2", "XSA-201". */
static bool looks_like_id(struct slice word)
{
	return advisory_is_id(word) && word.p[0] >= 'A' && word.p[0] <= 'Z' && slice_find_char(word, '-') > 0 &&
	       word.p[word.n - 1] != ')';
}

static int on_id(void *arg, const struct walk_event *e, struct err *err)
{
	struct secdb *s = arg;
	struct slice rest = e->text, word;
	char what[128];
	int r = 0;

	if (e->what != WALK_TEXT)
		return 0;
	if (!s->name[0] || !s->version[0]) {
		snprintf(what, sizeof(what), "line %lu: a fix without a package's name or a version",
			 walk_line(s->walk));
		return s->bad(s->arg, what, err);
	}
	while (r >= 0 && slice_split(&rest, ' ', &word))
		if (looks_like_id(word))
			r = tell(s, word, err);
	return r;
}

enum place { SECDB, PACKAGES, ENTRY, PKG, FIXES, IDS, VALUE };

static const struct walk_place head_places[] = {
	{ SECDB, VALUE, "distroversion", on_head, offsetof(struct secdb, release) },
	{ SECDB, VALUE, "reponame", on_head, offsetof(struct secdb, repo) },
	{ SECDB, VALUE, "urlprefix", on_head, offsetof(struct secdb, url) },
	{ SECDB, PACKAGES, "packages", on_packages },
};

/* A name after its fixes is not seen: no publisher writes so, and "name" sorts before "secfixes". */
static const struct walk_place places[] = {
	{ SECDB, PACKAGES, "packages" },
	{ PACKAGES, ENTRY, "[]" },
	{ ENTRY, PKG, "pkg", on_package },
	{ PKG, VALUE, "name", on_name },
	{ PKG, FIXES, "secfixes" },
	{ FIXES, IDS, "*", on_version },
	{ IDS, VALUE, "[]", on_id },
};

static int walk_text(struct secdb *s, const struct walk_place *p, size_t count, struct slice text, struct err *err)
{
	CLEANUP(walk_freep) struct walk *w = walk_new(p, count, s);

	if (!w)
		return err_set(err, ENOMEM, "JSON reader");
	s->walk = w;
	int r = walk_feed(w, text, err);
	return r < 0 ? r : walk_end(w, err);
}

int secdb_read(struct slice text, advisory_fn fn, bad_fn bad, void *arg, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
	struct secdb s = { .arena = arena, .fn = fn, .bad = bad, .arg = arg };

	if (!arena)
		return err_set(err, ENOMEM, "secdb reader");
	int r = walk_text(&s, head_places, ARRAY_LEN(head_places), text, err);
	if (r < 0)
		return r;
	settle(&s);
	if (!s.ecosystem)
		return err_set(err, ERR_SYNTAX, "no secdb: no packages, or of no distribution we know");
	return walk_text(&s, places, ARRAY_LEN(places), text, err);
}

const char *secdb_ecosystem(struct slice text)
{
	struct secdb s = { 0 };

	(void)!walk_text(&s, head_places, ARRAY_LEN(head_places), text, NULL);
	settle(&s);
	return s.ecosystem;
}

/* debian.c - Debian's security tracker; see feeds.h. One source and CVE is in memory at a time. */
#include "common/vulndb/feeds.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/walk.h"

enum { RELEASES_MAX = 64 };

struct release {
	struct slice name, status, fixed, urgency, nodsa, reason;
};

struct debian {
	struct walk *walk;
	struct arena *arena; /* of the CVE that is open */
	advisory_fn fn;
	bad_fn bad;
	void *arg;
	char source[VULNDB_NAME_MAX];
	struct slice cve, description;
	struct release releases[RELEASES_MAX];
	size_t count;
	bool is_wrong;
};

static int on_source(void *arg, const struct walk_event *e, struct err *err)
{
	struct debian *d = arg;

	if (e->what == WALK_OPEN && !slice_copy(e->text, d->source, sizeof(d->source)))
		d->source[0] = 0;
	return 0;
}

/* What the tracker says of a release, in the words of the database. */
static enum vuln_status status_of(const struct release *r)
{
	if (slice_is(r->urgency, "end-of-life"))
		return VULN_END_OF_LIFE;
	if (slice_is(r->status, "undetermined"))
		return VULN_INVESTIGATING;
	if (slice_is(r->reason, "ignored"))
		return VULN_WILL_NOT_FIX;
	return r->nodsa.n || slice_is(r->reason, "postponed") ? VULN_FIX_DEFERRED : VULN_AFFECTED;
}

static int add_release(struct debian *d, const struct release *r, struct advisory_affected *to, struct err *err)
{
	bool is_fixed = slice_is(r->status, "resolved") && r->fixed.n;
	const char *eco = arena_printf(d->arena, "Debian:%.*s", SLICE_FMT(r->name));
	struct advisory_event *v = arena_zalloc(d->arena, 2, sizeof(*v));
	unsigned *range = arena_zalloc(d->arena, 2, sizeof(*range));

	if (!eco || !v || !range)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	v[0] = (struct advisory_event){ ADVISORY_INTRODUCED, SLICE_LIT("0") };
	v[1] = (struct advisory_event){ ADVISORY_FIXED, r->fixed };
	*to = (struct advisory_affected){
		.ecosystem = slice_of(eco),
		.name = slice_of(d->source),
		.events = { v, range, is_fixed ? 2 : 1 },
		.ranges = 1,
		.status = is_fixed ? VULN_AFFECTED : status_of(r),
		.note = r->nodsa.n ? r->nodsa :
			slice_is(r->urgency, "unimportant") ? r->urgency :
							      SLICE_NONE,
	};
	to->has_severity = advisory_severity(r->urgency, &to->severity);
	return 0;
}

static int tell(struct debian *d, struct err *err)
{
	char *key = arena_printf(d->arena, "%s/%.*s", d->source, SLICE_FMT(d->cve));
	char *url = arena_printf(d->arena, "https://security-tracker.debian.org/tracker/%.*s", SLICE_FMT(d->cve));
	struct advisory_affected *affected = arena_zalloc(d->arena, d->count + 1, sizeof(*affected));

	if (!key || !url || !affected)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	for (size_t i = 0; i < d->count; i++) {
		int r = add_release(d, &d->releases[i], &affected[i], err);
		if (r < 0)
			return r;
	}
	bool is_rejected = advisory_is_rejected(d->description);
	struct slice link = slice_of(url);
	return d->fn(d->arg,
		     &(struct advisory){ .key = slice_of(key),
					 .record = d->cve,
					 .description = d->description,
					 .urls = &link,
					 .url_count = 1,
					 .withdrawn = is_rejected ? SLICE_LIT("1970-01-01T00:00:00Z") : SLICE_NONE,
					 .affected = affected,
					 .affected_count = d->count },
		     err);
}

static int on_cve(void *arg, const struct walk_event *e, struct err *err)
{
	struct debian *d = arg;
	char what[VULNDB_NAME_MAX + 64];

	if (e->what == WALK_OPEN) {
		arena_reset(d->arena);
		d->description = SLICE_NONE;
		d->count = 0;
		d->is_wrong = false;
		return advisory_text(d->arena, e->text, VULNDB_ID_MAX, &d->cve, err);
	}
	if (e->what != WALK_CLOSE)
		return 0;
	if (!d->is_wrong && advisory_is_line(slice_of(d->source), VULNDB_NAME_MAX) && advisory_is_id(d->cve))
		return tell(d, err);
	snprintf(what, sizeof(what), "line %lu: '%.200s': a source package, an id or a version that is none",
		 walk_line(d->walk), d->source);
	return d->bad(d->arg, what, err);
}

static int on_description(void *arg, const struct walk_event *e, struct err *err)
{
	struct debian *d = arg;

	return e->what == WALK_TEXT ? advisory_text(d->arena, e->text, VULNDB_TEXT_MAX, &d->description, err) : 0;
}

static int on_release(void *arg, const struct walk_event *e, struct err *err)
{
	struct debian *d = arg;

	if (e->what != WALK_OPEN)
		return 0;
	if (d->count == RELEASES_MAX)
		return err_set(err, ERR_LIMIT, "over %d releases", RELEASES_MAX);
	d->releases[d->count] = (struct release){ 0 };
	return advisory_text(d->arena, e->text, 64, &d->releases[d->count++].name, err);
}

static int on_text(void *arg, const struct walk_event *e, struct err *err)
{
	struct debian *d = arg;

	if (e->what != WALK_TEXT || !d->count)
		return 0;
	if (!advisory_is_line(e->text, VULNDB_NOTE_MAX) && e->at == offsetof(struct release, fixed))
		d->is_wrong = true;
	return advisory_text(d->arena, e->text, VULNDB_NOTE_MAX,
			     (struct slice *)((char *)&d->releases[d->count - 1] + e->at), err);
}

enum place { TRACKER, SOURCE, CVE, RELEASES, RELEASE, VALUE };

static const struct walk_place places[] = {
	{ TRACKER, SOURCE, "*", on_source },
	{ SOURCE, CVE, "*", on_cve },
	{ CVE, VALUE, "description", on_description },
	{ CVE, RELEASES, "releases" },
	{ RELEASES, RELEASE, "*", on_release },
	{ RELEASE, VALUE, "status", on_text, offsetof(struct release, status) },
	{ RELEASE, VALUE, "fixed_version", on_text, offsetof(struct release, fixed) },
	{ RELEASE, VALUE, "urgency", on_text, offsetof(struct release, urgency) },
	{ RELEASE, VALUE, "nodsa", on_text, offsetof(struct release, nodsa) },
	{ RELEASE, VALUE, "nodsa_reason", on_text, offsetof(struct release, reason) },
};

struct debian *debian_new(advisory_fn fn, bad_fn bad, void *arg)
{
	struct debian *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct debian){ .fn = fn, .bad = bad, .arg = arg };
	d->arena = arena_new(VULNDB_RECORD_ARENA);
	d->walk = walk_new(places, ARRAY_LEN(places), d);
	if (d->arena && d->walk)
		return d;
	debian_free(d);
	return NULL;
}

int debian_feed(struct debian *d, struct slice bytes, struct err *err)
{
	return walk_feed(d->walk, bytes, err);
}

int debian_end(struct debian *d, struct err *err)
{
	return walk_end(d->walk, err);
}

void debian_free(struct debian *d)
{
	if (!d)
		return;
	walk_free(d->walk);
	arena_free(d->arena);
	free(d);
}

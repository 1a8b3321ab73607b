/* osv.c - see osv.h. One table of places; what it fills lives in the arena. */
#include "common/vulndb/osv.h"

#include "common/version/version.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/walk.h"

struct osv {
	struct walk *walk;
	struct arena *arena;
	struct advisory *out;
	/* of the affected package, range, event and severity that are open */
	struct advisory_affected *affected;
	size_t range_start;
	bool is_git, is_semver;
	size_t total_events, total_versions;
	struct slice word; /* database_specific.severity */
	struct slice severity_type, severity_score;
	struct slice last_known; /* GitHub: "< 1.2", said where no version is fixed */
};

static int keep(struct osv *o, struct slice text, size_t max, struct slice *ret, struct err *err)
{
	return advisory_text(o->arena, text, max, ret, err);
}

/* ---- the record's own fields ---- */

static int on_field(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;
	size_t max = e->at == offsetof(struct advisory, title)	     ? VULNDB_TITLE_MAX :
		     e->at == offsetof(struct advisory, description) ? VULNDB_TEXT_MAX :
								       64;

	if (e->what != WALK_TEXT)
		return 0;
	return keep(o, e->text, max, (struct slice *)((char *)o->out + e->at), err);
}

static int on_id(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (e->what != WALK_TEXT || !advisory_is_id(e->text))
		return err_set(err, ERR_SYNTAX, "the id is none");
	return keep(o, e->text, VULNDB_ID_MAX, &o->out->key, err);
}

/* Appends to a list of the advisory; at: which. What can't be an id is left out. */
struct list {
	size_t items, count;
};

static const struct list lists[] = {
	{ offsetof(struct advisory, aliases), offsetof(struct advisory, alias_count) },
	{ offsetof(struct advisory, upstream), offsetof(struct advisory, upstream_count) },
	{ offsetof(struct advisory, related), offsetof(struct advisory, related_count) },
};
enum { LIST_ALIASES, LIST_UPSTREAM, LIST_RELATED };

static int append(struct osv *o, struct slice **items, size_t *count, struct slice text, struct err *err)
{
	void *grown = *items;
	int r = advisory_grow(o->arena, &grown, *count, sizeof(**items), err);

	*items = grown;
	if (r >= 0)
		r = keep(o, text, text.n, &(*items)[*count], err);
	if (r >= 0)
		(*count)++;
	return r;
}

static int on_listed_id(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;
	struct slice **items = (struct slice **)((char *)o->out + lists[e->at].items);
	size_t *count = (size_t *)((char *)o->out + lists[e->at].count);

	if (e->what != WALK_TEXT || !advisory_is_id(e->text))
		return 0;
	if (*count == VULNDB_IDS_MAX)
		return err_set(err, ERR_LIMIT, "over %d ids in a list", VULNDB_IDS_MAX);
	return append(o, items, count, e->text, err);
}

static int on_url(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;
	bool is_web = slice_starts(e->text, SLICE_LIT("https://")) || slice_starts(e->text, SLICE_LIT("http://"));

	if (e->what != WALK_TEXT || !is_web || !advisory_is_line(e->text, VULNDB_URL_MAX) ||
	    o->out->url_count == VULNDB_URLS_MAX)
		return 0;
	return append(o, &o->out->urls, &o->out->url_count, e->text, err);
}

static int on_word(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	return e->what == WALK_TEXT ? keep(o, e->text, 32, &o->word, err) : 0;
}

/* ---- severity: of the record or of a package ---- */

static int on_severity(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;
	enum vuln_severity s;

	if (e->what == WALK_OPEN)
		o->severity_type = o->severity_score = SLICE_NONE;
	if (e->what != WALK_CLOSE || !o->severity_score.n)
		return 0;
	if (slice_starts(o->severity_type, SLICE_LIT("CVSS_"))) {
		int r = advisory_take_vector(o->arena, o->severity_score, &o->out->vector, &o->out->cvss, &s, err);
		if (r > 0 && !o->out->severity_source.n)
			o->out->severity = s;
		return r;
	}
	if (slice_is(o->severity_type, "Ubuntu") && advisory_severity(o->severity_score, &s)) {
		o->out->severity = s;
		o->out->severity_source = SLICE_LIT("ubuntu");
	}
	return 0;
}

static int on_severity_type(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	return e->what == WALK_TEXT ? keep(o, e->text, 32, &o->severity_type, err) : 0;
}

static int on_severity_score(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	return e->what == WALK_TEXT ? keep(o, e->text, 512, &o->severity_score, err) : 0;
}

/* ---- affected packages ---- */

/* Only "< X" and "<= X" bound what the events leave open. */
static int end_last_known(struct osv *o, struct err *err);

static int on_affected(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;
	struct advisory *a = o->out;
	void *grown = a->affected;

	if (e->what == WALK_CLOSE && o->affected) {
		int r = end_last_known(o, err);
		/* a repository without a package can't be in an inventory */
		if (!o->affected->ecosystem.n || !o->affected->name.n)
			a->affected_count--;
		o->affected = NULL;
		return r;
	}
	if (e->what != WALK_OPEN || e->is_array)
		return 0;
	if (a->affected_count == VULNDB_AFFECTED_MAX)
		return err_set(err, ERR_LIMIT, "over %d packages affected", VULNDB_AFFECTED_MAX);
	int r = advisory_grow(o->arena, &grown, a->affected_count, sizeof(*a->affected), err);
	a->affected = grown;
	if (r < 0)
		return r;
	o->affected = &a->affected[a->affected_count++];
	*o->affected = (struct advisory_affected){ 0 };
	o->last_known = SLICE_NONE;
	return 0;
}

static int on_package(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (e->what != WALK_TEXT || !o->affected || !e->text.n)
		return 0;
	if (!advisory_is_line(e->text, VULNDB_NAME_MAX))
		return err_set(err, ERR_SYNTAX, "a package's name or ecosystem is none");
	return keep(o, e->text, VULNDB_NAME_MAX, (struct slice *)((char *)o->affected + e->at), err);
}

static int add_event(struct osv *o, enum advisory_event_kind kind, struct slice version, struct err *err)
{
	struct advisory_events *ev = &o->affected->events;
	void *v = ev->v, *range = ev->range;

	if (!advisory_is_line(version, VERSION_TEXT_MAX))
		return err_set(err, ERR_SYNTAX, "the version of an event is none");
	if (++o->total_events > VULNDB_EVENTS_MAX)
		return err_set(err, ERR_LIMIT, "over %d events", VULNDB_EVENTS_MAX);
	int r = advisory_grow(o->arena, &v, ev->count, sizeof(*ev->v), err);
	if (r >= 0)
		r = advisory_grow(o->arena, &range, ev->count, sizeof(*ev->range), err);
	ev->v = v;
	ev->range = range;
	if (r < 0)
		return r;
	ev->v[ev->count].kind = kind;
	ev->range[ev->count] = o->affected->ranges;
	r = keep(o, version, version.n, &ev->v[ev->count].version, err);
	if (r >= 0)
		ev->count++;
	return r;
}

static int on_range(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (!o->affected)
		return 0;
	if (e->what == WALK_OPEN) {
		o->range_start = o->affected->events.count;
		o->is_git = o->is_semver = false;
	}
	if (e->what != WALK_CLOSE)
		return 0;
	if (o->is_git) { /* commits are not in an inventory */
		o->affected->events.count = o->range_start;
		return 0;
	}
	o->affected->ranges++;
	o->affected->is_semver |= o->is_semver;
	return 0;
}

static int on_range_type(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	o->is_git = slice_is(e->text, "GIT");
	o->is_semver = slice_is(e->text, "SEMVER");
	return 0;
}

static int on_event(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (!o->affected || e->what == WALK_OPEN || e->what == WALK_CLOSE)
		return 0;
	if (e->what != WALK_TEXT && e->what != WALK_NUMBER)
		return err_set(err, ERR_SYNTAX, "the version of an event is none");
	return add_event(o, (enum advisory_event_kind)e->at, e->text, err);
}

static int on_version(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (!o->affected || (e->what != WALK_TEXT && e->what != WALK_NUMBER))
		return 0;
	if (!advisory_is_line(e->text, VERSION_TEXT_MAX))
		return err_set(err, ERR_SYNTAX, "a listed version is none");
	if (++o->total_versions > VULNDB_VERSIONS_MAX)
		return err_set(err, ERR_LIMIT, "over %d versions listed", VULNDB_VERSIONS_MAX);
	return append(o, &o->affected->versions, &o->affected->version_count, e->text, err);
}

static int on_last_known(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	return e->what == WALK_TEXT ? keep(o, e->text, VERSION_TEXT_MAX, &o->last_known, err) : 0;
}

static int end_last_known(struct osv *o, struct err *err)
{
	const struct advisory_events *ev = &o->affected->events;
	struct slice s = o->last_known;
	bool inclusive = slice_starts(s, SLICE_LIT("<="));

	if (ev->count != 1 || ev->v[0].kind != ADVISORY_INTRODUCED || !slice_starts(s, SLICE_LIT("<")))
		return 0;
	struct slice version = slice_trim(slice_sub(s, inclusive ? 2 : 1, SIZE_MAX));
	if (!version.n || slice_find_char(version, ' ') >= 0)
		return 0;
	o->affected->ranges = 0; /* the same range */
	int r = add_event(o, inclusive ? ADVISORY_LAST_AFFECTED : ADVISORY_LIMIT, version, err);
	o->affected->ranges = 1;
	return r;
}

/* Debian: "unimportant", "end-of-life" … */
static int on_urgency(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (!o->affected || e->what != WALK_TEXT)
		return 0;
	if (slice_is(e->text, "end-of-life"))
		o->affected->status = VULN_END_OF_LIFE;
	if (slice_is(e->text, "unimportant"))
		o->affected->note = SLICE_LIT("unimportant");
	o->affected->has_severity = advisory_severity(e->text, &o->affected->severity);
	return 0;
}

/* RustSec: "unmaintained", "unsound", "notice": no vulnerability, said all the same. */
static int on_informational(void *arg, const struct walk_event *e, struct err *err)
{
	struct osv *o = arg;

	if (!o->affected || e->what != WALK_TEXT)
		return 0;
	return keep(o, e->text, 64, &o->affected->note, err);
}

/* ---- the table ---- */

enum place {
	RECORD, ALIASES, UPSTREAM, RELATED, REFERENCES, REFERENCE, SPECIFIC, SEVERITIES, SEVERITY, AFFECTED, ONE,
	PACKAGE, RANGES, RANGE, EVENTS, EVENT, VERSIONS, ONE_SEVERITIES, ONE_SEVERITY, ONE_ECOSYSTEM, ONE_DATABASE,
	VALUE, /* anything that is no object */
};

#define FIELD(name) offsetof(struct advisory, name)

static const struct walk_place places[] = {
	{ RECORD, VALUE, "id", on_id },
	{ RECORD, VALUE, "summary", on_field, FIELD(title) },
	{ RECORD, VALUE, "details", on_field, FIELD(description) },
	{ RECORD, VALUE, "published", on_field, FIELD(published) },
	{ RECORD, VALUE, "modified", on_field, FIELD(modified) },
	{ RECORD, VALUE, "withdrawn", on_field, FIELD(withdrawn) },
	{ RECORD, ALIASES, "aliases" },
	{ RECORD, UPSTREAM, "upstream" },
	{ RECORD, RELATED, "related" },
	{ RECORD, REFERENCES, "references" },
	{ RECORD, SPECIFIC, "database_specific" },
	{ RECORD, SEVERITIES, "severity" },
	{ RECORD, AFFECTED, "affected" },
	{ ALIASES, VALUE, "[]", on_listed_id, LIST_ALIASES },
	{ UPSTREAM, VALUE, "[]", on_listed_id, LIST_UPSTREAM },
	{ RELATED, VALUE, "[]", on_listed_id, LIST_RELATED },
	{ REFERENCES, REFERENCE, "[]" },
	{ REFERENCE, VALUE, "url", on_url },
	{ SPECIFIC, VALUE, "severity", on_word },
	{ SEVERITIES, SEVERITY, "[]", on_severity },
	{ SEVERITY, VALUE, "type", on_severity_type },
	{ SEVERITY, VALUE, "score", on_severity_score },
	{ AFFECTED, ONE, "[]", on_affected },
	{ ONE, PACKAGE, "package" },
	{ ONE, RANGES, "ranges" },
	{ ONE, VERSIONS, "versions" },
	{ ONE, ONE_SEVERITIES, "severity" },
	{ ONE, ONE_ECOSYSTEM, "ecosystem_specific" },
	{ ONE, ONE_DATABASE, "database_specific" },
	{ PACKAGE, VALUE, "ecosystem", on_package, offsetof(struct advisory_affected, ecosystem) },
	{ PACKAGE, VALUE, "name", on_package, offsetof(struct advisory_affected, name) },
	{ RANGES, RANGE, "[]", on_range },
	{ RANGE, VALUE, "type", on_range_type },
	{ RANGE, EVENTS, "events" },
	{ EVENTS, EVENT, "[]" },
	{ EVENT, VALUE, "introduced", on_event, ADVISORY_INTRODUCED },
	{ EVENT, VALUE, "fixed", on_event, ADVISORY_FIXED },
	{ EVENT, VALUE, "last_affected", on_event, ADVISORY_LAST_AFFECTED },
	{ EVENT, VALUE, "limit", on_event, ADVISORY_LIMIT },
	{ VERSIONS, VALUE, "[]", on_version },
	{ ONE_SEVERITIES, ONE_SEVERITY, "[]", on_severity },
	{ ONE_SEVERITY, VALUE, "type", on_severity_type },
	{ ONE_SEVERITY, VALUE, "score", on_severity_score },
	{ ONE_ECOSYSTEM, VALUE, "urgency", on_urgency },
	{ ONE_DATABASE, VALUE, "informational", on_informational },
	{ ONE_DATABASE, VALUE, "last_known_affected_version_range", on_last_known },
};

/* ---- the whole ---- */

struct osv *osv_new(void)
{
	struct osv *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->walk = walk_new(places, ARRAY_LEN(places), o);
	if (!o->walk) {
		free(o);
		return NULL;
	}
	return o;
}

void osv_free(struct osv *o)
{
	if (!o)
		return;
	walk_free(o->walk);
	free(o);
}

/* "Important: firefox security update" is how AlmaLinux and Rocky tell; GitHub and Bitnami have a word. */
static void settle_severity(struct osv *o)
{
	struct advisory *a = o->out;
	struct slice rest = a->title, first = SLICE_NONE;
	struct slice ecosystem = a->affected_count ? a->affected[0].ecosystem : SLICE_NONE;
	bool is_alma = slice_starts(ecosystem, SLICE_LIT("AlmaLinux"));
	bool is_rocky = slice_starts(ecosystem, SLICE_LIT("Rocky Linux"));

	if (a->severity_source.n)
		return;
	if (slice_starts(a->key, SLICE_LIT("MAL-"))) { /* a malicious package: no score is ever given */
		a->severity = VULN_CRITICAL;
		a->severity_source = SLICE_LIT("osv");
	} else if (advisory_severity(o->word, &a->severity)) {
		a->severity_source = slice_starts(a->key, SLICE_LIT("GHSA-")) ? SLICE_LIT("ghsa") :
				     slice_starts(a->key, SLICE_LIT("BIT-"))  ? SLICE_LIT("bitnami") :
										SLICE_LIT("osv");
	} else if ((is_alma || is_rocky) && slice_split(&rest, ':', &first) && rest.p &&
		   advisory_severity(first, &a->severity)) {
		a->severity_source = is_alma ? SLICE_LIT("almalinux") : SLICE_LIT("rocky");
	} else if (a->vector.n) {
		a->severity_source = SLICE_LIT("cvss");
	} else if (a->affected_count && !a->affected[0].has_severity && a->affected[0].note.n) {
		a->severity = VULN_NONE;
		a->severity_source = SLICE_LIT("osv");
	}
}

int osv_read(struct osv *o, struct slice text, struct arena *arena, struct advisory *ret, struct err *err)
{
	struct walk *walk = o->walk;

	*ret = (struct advisory){ 0 };
	*o = (struct osv){ .walk = walk, .arena = arena, .out = ret };
	int r = walk_reset(walk, err);
	if (r >= 0)
		r = walk_feed(walk, text, err);
	if (r >= 0)
		r = walk_end(walk, err);
	if (r >= 0 && !ret->key.n)
		r = err_set(err, ERR_SYNTAX, "no OSV record: no id");
	if (r < 0)
		return r;
	ret->record = ret->key;
	settle_severity(o);
	return 0;
}

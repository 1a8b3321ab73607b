/* collect.c - what the database says, copied into a scan's result. See result.h. */
#include <errno.h>

#include "agent/scan/result.h"

enum {
	FINDINGS_MAX = 50000, /* some 17 MiB */
	TEXT_MAX = 8192, /* of a description; the longest in OSV's npm data has 28,000 bytes, one in 2,000 passes 8,192 */
	URLS_MAX = 64,
	ALIASES_MAX = 64,
	FULL_BYTES = 20 << 20, /* of the arena, after which titles and descriptions are left out */
};

struct scan_collector {
	struct scan_result *r;
	struct scan_finding *findings;
	size_t count, size;
	struct scan_vuln **vulns; /* open addressing by id, record and feed */
	size_t vuln_count, vuln_slots; /* slots: a power of two */
	bool is_full, failed;
};

int scan_collector_new(struct scan_result *r, struct scan_collector **ret, struct err *err)
{
	struct scan_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, ENOMEM, "collect findings");
	c->r = r;
	*ret = c;
	return 0;
}

void scan_collector_free(struct scan_collector *c)
{
	if (!c)
		return;
	free(c->findings);
	free(c->vulns);
	free(c);
}

/* ---- texts ---- */

static struct slice copy(struct scan_collector *c, struct slice s)
{
	if (!s.n)
		return SLICE_NONE;
	char *p = arena_dup(c->r->arena, s);
	if (!p)
		c->failed = true;
	return p ? (struct slice){ p, s.n } : SLICE_NONE;
}

/* Cut at a character's beginning. */
static struct slice cut(struct slice s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max && ((uint8_t)s.p[max] & 0xc0) == 0x80)
		max--;
	return slice_sub(s, 0, max);
}

static const struct slice *copy_list(struct scan_collector *c, const struct slice *list, size_t *count,
				     size_t max)
{
	*count = *count > max ? max : *count;
	struct slice *out = arena_zalloc(c->r->arena, *count ? *count : 1, sizeof(*out));

	if (!out) {
		c->failed = true;
		*count = 0;
		return NULL;
	}
	for (size_t i = 0; i < *count; i++)
		out[i] = copy(c, list[i]);
	return out;
}

static bool is_full(struct scan_collector *c)
{
	if (!c->is_full && arena_used(c->r->arena) > FULL_BYTES) {
		c->is_full = true;
		scan_warn(c->r, "so many findings that descriptions and links are left out of the later ones");
	}
	return c->is_full;
}

/* ---- vulnerabilities, each once ---- */

static uint64_t hash_of(struct slice id, struct slice record, struct slice feed)
{
	uint64_t h = slice_hash(id);

	h = h * 31 + slice_hash(record);
	h = h * 31 + slice_hash(feed);
	return h ^ h >> 29;
}

static struct scan_vuln **slot_of(struct scan_vuln **slots, size_t count, struct slice id, struct slice record,
				  struct slice feed)
{
	size_t i = hash_of(id, record, feed) & (count - 1);

	while (slots[i] && !(slice_eq(slots[i]->id, id) && slice_eq(slots[i]->record, record) &&
			     slice_eq(slots[i]->feed, feed)))
		i = (i + 1) & (count - 1);
	return &slots[i];
}

static bool grow_slots(struct scan_collector *c)
{
	size_t count = c->vuln_slots ? c->vuln_slots * 2 : 256;
	struct scan_vuln **slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < c->vuln_slots; i++) {
		struct scan_vuln *v = c->vulns[i];

		if (v)
			*slot_of(slots, count, v->id, v->record, v->feed) = v;
	}
	free(c->vulns);
	c->vulns = slots;
	c->vuln_slots = count;
	return true;
}

static struct scan_vuln *new_vuln(struct scan_collector *c, const struct vulndb_found *f)
{
	struct scan_vuln *v = arena_zalloc(c->r->arena, 1, sizeof(*v));
	bool full = is_full(c);

	if (!v)
		return NULL;
	*v = (struct scan_vuln){ .id = copy(c, f->id),
				 .record = copy(c, f->record),
				 .feed = copy(c, f->feed),
				 .alias_count = f->alias_count,
				 .url_count = full ? 0 : f->url_count,
				 .epss = f->epss,
				 .epss_percentile = f->epss_percentile,
				 .kev = f->kev,
				 .kev_ransomware = f->kev_ransomware,
				 .number = (uint32_t)c->vuln_count,
				 .kev_added = copy(c, f->kev_added),
				 .kev_due = copy(c, f->kev_due),
				 .published_unix_s = f->published_unix_s,
				 .modified_unix_s = f->modified_unix_s };
	if (!full) {
		v->title = copy(c, cut(f->title, TEXT_MAX));
		v->description = copy(c, cut(f->description, TEXT_MAX));
	}
	v->aliases = copy_list(c, f->aliases, &v->alias_count, ALIASES_MAX);
	v->urls = copy_list(c, f->urls, &v->url_count, URLS_MAX);
	return v;
}

static struct scan_vuln *vuln_of(struct scan_collector *c, const struct vulndb_found *f)
{
	if (c->vuln_count * 2 >= c->vuln_slots && !grow_slots(c))
		return NULL;
	struct scan_vuln **slot = slot_of(c->vulns, c->vuln_slots, f->id, f->record, f->feed);
	if (!*slot) {
		*slot = new_vuln(c, f);
		c->vuln_count += *slot != NULL;
	}
	return *slot;
}

/* ---- findings ---- */

static bool grow_findings(struct scan_collector *c)
{
	size_t size = c->size ? c->size * 2 : 256;
	struct scan_finding *f = reallocarray(c->findings, size, sizeof(*f));

	if (!f)
		return false;
	c->findings = f;
	c->size = size;
	return true;
}

int scan_collect(void *arg, size_t package, const struct vulndb_found *f)
{
	struct scan_collector *c = arg;

	if (c->count == FINDINGS_MAX)
		return -ERR_LIMIT;
	if (c->count == c->size && !grow_findings(c))
		return -ENOMEM;
	struct scan_vuln *v = vuln_of(c, f);
	if (!v)
		return -ERR_LIMIT;
	c->findings[c->count++] = (struct scan_finding){
		.package = package,
		.vuln = v,
		.severity = f->severity,
		.severity_source = copy(c, f->severity_source),
		.cvss = f->cvss,
		.cvss_vector = copy(c, f->cvss_vector),
		.status = f->status,
		.status_note = copy(c, cut(f->status_note, TEXT_MAX)),
		.fixed = copy(c, f->fixed),
		.range = copy(c, cut(f->range, TEXT_MAX)),
		.scheme = f->scheme,
	};
	return c->failed ? -ERR_LIMIT : 0;
}

int scan_collector_end(struct scan_collector *c, struct err *err)
{
	struct scan_result *r = c->r;

	r->findings = arena_zalloc(r->arena, c->count ? c->count : 1, sizeof(*r->findings));
	if (!r->findings)
		return err_set(err, ERR_LIMIT, "no room for %zu findings", c->count);
	if (c->count)
		memcpy(r->findings, c->findings, c->count * sizeof(*r->findings));
	r->finding_count = c->count;
	r->vuln_count = c->vuln_count;
	return 0;
}

/* result.c - see result.h. Taking findings in is in collect.c. */
#include "agent/scan/result.h"

#include <stdarg.h>

#include "proto/limits.h"

int scan_result_init(struct scan_result *ret, struct arena *a, const Picket__Inventory *inventory,
		     bool include_dev, struct err *err)
{
	struct scan_result r = { .arena = a, .inventory = inventory, .target = inventory->target, .uuid = "" };
	size_t count = 0;

	for (size_t i = 0; i < inventory->n_layers; i++)
		count += inventory->layers[i]->n_packages;
	r.packages = arena_zalloc(a, count ? count : 1, sizeof(*r.packages));
	if (!r.packages)
		return err_set(err, ERR_LIMIT, "no room for %zu packages", count);
	for (size_t i = 0; i < inventory->n_layers; i++) {
		const Picket__Layer *l = inventory->layers[i];

		for (size_t k = 0; k < l->n_packages; k++) {
			struct scan_package *p = &r.packages[r.package_count++];

			*p = (struct scan_package){ .pkg = l->packages[k], .layer = (uint32_t)i };
			p->is_excluded = l->packages[k]->is_dev && !include_dev;
			r.excluded_count += p->is_excluded;
		}
	}
	*ret = r;
	return 0;
}

void scan_warn(struct scan_result *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	char *copy = r->warning_count < SCAN_WARNINGS_MAX ? arena_dup(r->arena, slice_of(text)) : NULL;
	if (copy)
		r->warnings[r->warning_count++] = copy;
	else
		r->warnings_lost++;
}

void scan_filter(struct scan_result *r, const struct scan_filter *f)
{
	size_t n = 0;

	for (size_t i = 0; i < r->finding_count; i++) {
		const struct scan_finding *x = &r->findings[i];

		if (f->severities && !(f->severities & 1U << x->severity))
			continue;
		if (f->fixable_only && x->status != VULN_FIXED)
			continue;
		r->findings[n++] = *x;
	}
	r->finding_count = n;
}

int scan_epss_percent(const struct scan_vuln *v)
{
	return v->epss < 0 ? -1 : (int)(v->epss * 100);
}

static int compare_slices(struct slice a, struct slice b)
{
	int order = memcmp(a.p ? a.p : "", b.p ? b.p : "", a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* "CVE-2023-9" before "CVE-2023-10": digits go by their value. */
static int compare_ids(struct slice a, struct slice b)
{
	while (a.n && b.n) {
		size_t na = 0, nb = 0;

		while (na < a.n && a.p[na] >= '0' && a.p[na] <= '9')
			na++;
		while (nb < b.n && b.p[nb] >= '0' && b.p[nb] <= '9')
			nb++;
		if (na && nb && na != nb)
			return na < nb ? -1 : 1;
		size_t n = na && nb ? na : 1;
		int order = memcmp(a.p, b.p, n);
		if (order)
			return order;
		a = slice_sub(a, n, a.n);
		b = slice_sub(b, n, b.n);
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* qsort has no argument; one thread. */
static const struct scan_result *sorting;

static int compare_findings(const void *x, const void *y)
{
	const struct scan_finding *a = x, *b = y;
	int ea = scan_epss_percent(a->vuln), eb = scan_epss_percent(b->vuln);

	if (!a->hush != !b->hush)
		return a->hush ? 1 : -1;
	if (a->vuln->kev != b->vuln->kev)
		return a->vuln->kev ? -1 : 1;
	/* none and less than one percent are alike */
	ea = ea < 0 ? 0 : ea;
	eb = eb < 0 ? 0 : eb;
	if (ea != eb)
		return ea > eb ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	int order = compare_ids(a->vuln->id, b->vuln->id);
	if (order)
		return order;
	const Picket__Package *pa = sorting->packages[a->package].pkg, *pb = sorting->packages[b->package].pkg;
	order = compare_slices(slice_of(pa->name), slice_of(pb->name));
	return order ? order : (a->package > b->package) - (a->package < b->package);
}

static void count(struct scan_summary *s, const struct scan_finding *f)
{
	if (f->hush) {
		s->suppressed++;
		s->ignored += f->hush == SCAN_IGNORED;
		s->vex += f->hush == SCAN_VEX;
		return;
	}
	s->total++;
	s->by_severity[f->severity]++;
	s->fixable += f->status == VULN_FIXED;
	s->kev += f->vuln->kev;
}

void scan_finish(struct scan_result *r)
{
	sorting = r;
	if (r->finding_count)
		qsort(r->findings, r->finding_count, sizeof(*r->findings), compare_findings);
	sorting = NULL;
	r->summary = (struct scan_summary){ 0 };
	for (size_t i = 0; i < r->finding_count; i++)
		count(&r->summary, &r->findings[i]);
	r->counting = r->summary.total;
}

const char *scan_diff_id(const struct scan_result *r, size_t package)
{
	return r->inventory->layers[r->packages[package].layer]->diff_id;
}

static bool starts(struct slice s, const char *prefix)
{
	return slice_starts(s, slice_of(prefix));
}

static bool is_plain_id(struct slice id)
{
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !memchr("-._:", c, 4))
			return false;
	}
	return id.n && id.n < 128;
}

const char *scan_primary_url(const struct scan_vuln *v, char *buf, size_t size)
{
	bool debian = slice_is(v->feed, "debian");
	const char *where = "https://osv.dev/vulnerability/";

	if (starts(v->id, "CVE-") || debian)
		where = debian ? "https://security-tracker.debian.org/tracker/" : "https://nvd.nist.gov/vuln/detail/";
	else if (starts(v->id, "GHSA-"))
		where = "https://github.com/advisories/";
	if (is_plain_id(v->id))
		snprintf(buf, size, "%s%.*s", where, SLICE_FMT(v->id));
	else
		slice_copy(v->url_count ? v->urls[0] : SLICE_NONE, buf, size);
	return buf;
}

struct slice scan_digest(const struct scan_result *r)
{
	if (r->inventory->n_repo_digests) {
		const char *at = strrchr(r->inventory->repo_digests[0], '@');

		if (at)
			return slice_of(at + 1);
	}
	return slice_of(r->inventory->image_id);
}

/* format_table.c - a scan for a person at a terminal: what matters most first, by where it comes from. */
#include "agent/scan/format.h"
#include "agent/scan/kinds.h"
#include "agent/scan/purl.h"
#include "common/show.h"
#include "common/table.h"

enum { TITLE_MAX = 300, MIN_WIDTH = 60, NAMES_MAX = 36 };

static const char *colour_of(enum vuln_severity s)
{
	static const char *const colours[] = {
		[VULN_UNKNOWN] = "\033[2m", [VULN_NONE] = "\033[2m",	[VULN_LOW] = "\033[36m",
		[VULN_MEDIUM] = "\033[33m", [VULN_HIGH] = "\033[31m", [VULN_CRITICAL] = "\033[1;31m",
	};

	return colours[s];
}

/* ---- findings ---- */

/* A line: one finding, or those of one source package's binaries that differ in nothing else. Four lines
 * for each vulnerability of python3.11 hide what stands between them. */
struct line {
	const struct scan_finding *first;
	size_t count; /* of findings, one after the other in the result */
};

struct section {
	const struct scan_result *r;
	struct line *lines;
	size_t count, findings;
	bool has_layers;
};

enum { COL_LIBRARY, COL_ID, COL_SEVERITY, COL_RISK, COL_INSTALLED, COL_FIXED, COL_LAYER, COL_WHERE, COL_TITLE };

/* The version to go to is what a person came for: it is cut last. */
static const struct table_column columns[] = {
	[COL_LIBRARY] = { .title = "LIBRARY", .cut_turn = 3, .min = 14 },
	[COL_ID] = { .title = "ID" },
	[COL_SEVERITY] = { .title = "SEVERITY" },
	[COL_RISK] = { .title = "EPSS", .is_right = true },
	[COL_INSTALLED] = { .title = "INSTALLED", .cut_turn = 6, .min = 12 },
	[COL_FIXED] = { .title = "FIXED", .cut_turn = 6, .min = 12 },
	[COL_LAYER] = { .title = "LAYER", .hide_turn = 4, .is_right = true },
	[COL_WHERE] = { .title = "WHERE", .cut_turn = 2, .min = 16, .hide_turn = 7, .cut_front = true },
	[COL_TITLE] = { .title = "TITLE", .cut_turn = 1, .min = 16, .hide_turn = 5 },
};

/* What there is instead of a fixed version. */
static const char *status_words(enum vuln_status s)
{
	switch (s) {
	case VULN_AFFECTED:
		return "-";
	case VULN_FIXED:
		return "fixed";
	case VULN_WILL_NOT_FIX:
		return "won't fix";
	case VULN_FIX_DEFERRED:
		return "deferred";
	case VULN_END_OF_LIFE:
		return "end of life";
	case VULN_INVESTIGATING:
		return "investigated";
	}
	return "";
}

static void risk(const struct scan_vuln *v, struct buf *out)
{
	int percent = scan_epss_percent(v);

	if (v->kev)
		buf_add_str(out, percent < 0 ? "KEV" : "KEV ");
	if (percent >= 1)
		buf_printf(out, "%d%%", percent);
	else if (percent == 0)
		buf_add_str(out, "<1%");
}

static const char *source_of(const Picket__Package *p)
{
	return p->source[0] ? p->source : p->name;
}

/* All names where they are short, else the one that the source has, too, and how many more. */
static void names(const struct scan_result *r, const struct line *l, struct buf *out)
{
	const char *known = r->packages[l->first->package].pkg->name;
	size_t start = out->n;

	buf_add_str(out, known);
	for (size_t i = 1; i < l->count; i++) {
		const Picket__Package *p = r->packages[l->first[i].package].pkg;

		if (!strcmp(p->name, source_of(p)))
			known = p->name;
		if (out->n - start <= NAMES_MAX)
			buf_printf(out, ", %s", p->name);
	}
	if (l->count == 1 || out->n - start <= NAMES_MAX)
		return;
	out->n = start;
	buf_printf(out, "%s +%zu", known, l->count - 1);
}

static void finding_cell(void *arg, size_t row, size_t column, struct buf *out, const char **colour)
{
	const struct section *s = arg;
	const struct scan_finding *f = s->lines[row].first;
	const struct scan_package *p = &s->r->packages[f->package];
	/* the same vulnerability in the next package: said once */
	bool again = row && slice_eq(s->lines[row - 1].first->vuln->id, f->vuln->id);

	switch (column) {
	case COL_LIBRARY:
		names(s->r, &s->lines[row], out);
		break;
	case COL_ID:
		buf_add_slice(out, f->vuln->id);
		break;
	case COL_SEVERITY:
		buf_add_str(out, vuln_severity_name(f->severity));
		*colour = colour_of(f->severity);
		break;
	case COL_RISK:
		risk(f->vuln, out);
		*colour = f->vuln->kev ? "\033[1;31m" : NULL;
		break;
	case COL_INSTALLED:
		buf_add_str(out, p->pkg->version);
		break;
	case COL_FIXED:
		if (f->fixed.n)
			buf_add_slice(out, f->fixed);
		else
			buf_add_str(out, status_words(f->status));
		break;
	case COL_LAYER:
		if (s->has_layers)
			buf_printf(out, "%u", p->layer + 1);
		break;
	case COL_WHERE:
		if (!purl_is_os(slice_of(p->pkg->ecosystem)))
			buf_add_slice(out, format_path(p->pkg));
		break;
	case COL_TITLE:
		if (!again)
			buf_add_slice(out, slice_sub(f->vuln->title.n ? f->vuln->title : f->vuln->description, 0,
						     TITLE_MAX));
		break;
	}
}

static void heading(const struct format_options *opts, struct out *o, struct slice text)
{
	if (opts->is_coloured)
		buf_add_str(&o->text, TABLE_BOLD);
	show_text(&o->text, text, 400);
	if (opts->is_coloured)
		buf_add_str(&o->text, TABLE_RESET);
	buf_add_char(&o->text, '\n');
}

static void write_section(const struct scan_result *r, const struct format_options *opts, const char *people,
			  const struct section *s, size_t packages, struct out *o)
{
	const Picket__OsRelease *os = r->inventory->os;
	bool is_os = !strcmp(people, "OS packages") && os;
	struct table t = { .columns = columns,
			   .column_count = ARRAY_LEN(columns),
			   .rows = s->count,
			   .width = opts->columns,
			   .is_coloured = opts->is_coloured,
			   .cell = finding_cell,
			   .arg = (void *)(uintptr_t)s };

	buf_add_char(&o->text, '\n');
	heading(opts, o,
		format_text(o, "%s%s%s%s%s: %zu finding%s in %zu package%s", people, is_os ? ", " : "",
			    is_os ? os->id : "", is_os ? " " : "", is_os ? os->version_id : "", s->findings,
			    s->findings == 1 ? "" : "s", packages, packages == 1 ? "" : "s"));
	table_write(&t, o);
}

static bool one_line(const struct scan_result *r, const struct scan_finding *a, const struct scan_finding *b)
{
	const struct scan_package *p = &r->packages[a->package], *q = &r->packages[b->package];

	return purl_is_os(slice_of(p->pkg->ecosystem)) && slice_eq(a->vuln->id, b->vuln->id) &&
	       !strcmp(p->pkg->ecosystem, q->pkg->ecosystem) && !strcmp(source_of(p->pkg), source_of(q->pkg)) &&
	       !strcmp(p->pkg->version, q->pkg->version) && slice_eq(a->fixed, b->fixed) &&
	       a->severity == b->severity && a->status == b->status && p->layer == q->layer;
}

/* The findings of the groups first .. end - 1, as lines. */
static void gather(struct section *s, const struct groups *g, size_t first, size_t end)
{
	for (size_t k = 0; k < s->r->counting; k++) {
		const struct scan_finding *f = &s->r->findings[k];
		uint32_t group = g->group_of[f->package];
		struct line *last = s->count ? &s->lines[s->count - 1] : NULL;

		if (group < first || group >= end)
			continue;
		s->findings++;
		if (last && last->first + last->count == f && one_line(s->r, last->first, f))
			last->count++;
		else
			s->lines[s->count++] = (struct line){ f, 1 };
	}
}

static void write_findings(const struct scan_result *r, const struct format_options *opts,
			   const struct groups *g, struct line *lines, struct out *o)
{
	for (size_t i = 0, next; i < g->count; i = next) {
		struct section s = { .r = r, .lines = lines, .has_layers = r->inventory->n_layers > 1 };
		const char *people = g->groups[i].kind->people;
		size_t packages = 0;

		for (next = i; next < g->count && !strcmp(g->groups[next].kind->people, people); next++)
			packages += g->groups[next].count;
		gather(&s, g, i, next);
		if (s.count)
			write_section(r, opts, people, &s, packages, o);
	}
}

/* ---- suppressed ---- */

static const struct table_column hushed_columns[] = {
	{ .title = "LIBRARY", .cut_turn = 3, .min = 14 },
	{ .title = "ID" },
	{ .title = "SEVERITY", .hide_turn = 4 },
	{ .title = "STATE" },
	{ .title = "UNTIL" },
	{ .title = "SAYS", .cut_turn = 2, .min = 12, .cut_front = true },
	{ .title = "WHY", .cut_turn = 1, .min = 24 },
};

static void hushed_cell(void *arg, size_t row, size_t column, struct buf *out, const char **colour)
{
	const struct scan_result *r = arg;
	const struct scan_finding *f = &r->findings[r->counting + row];
	struct slice cells[] = {
		slice_of(r->packages[f->package].pkg->name), f->vuln->id,  slice_of(vuln_severity_name(f->severity)),
		f->hush_state,				     f->hush_until, f->hush_source,
		f->hush_why,
	};

	buf_add_slice(out, cells[column]);
}

static void write_suppressed(const struct scan_result *r, const struct format_options *opts, struct out *o)
{
	size_t count = r->finding_count - r->counting;
	struct table t = { .columns = hushed_columns,
			   .column_count = ARRAY_LEN(hushed_columns),
			   .rows = count,
			   .width = opts->columns,
			   .is_coloured = opts->is_coloured,
			   .cell = hushed_cell,
			   .arg = (void *)(uintptr_t)r };

	if (!count || !opts->show_suppressed)
		return;
	buf_add_char(&o->text, '\n');
	heading(opts, o, format_text(o, "Suppressed: %zu", count));
	table_write(&t, o);
}

/* ---- packages ---- */

static const struct table_column package_columns[] = {
	{ .title = "PACKAGE", .cut_turn = 3, .min = 14 },
	{ .title = "VERSION", .cut_turn = 6, .min = 12 },
	{ .title = "ARCH", .hide_turn = 5 },
	{ .title = "TYPE" },
	{ .title = "SOURCE", .cut_turn = 2, .min = 12 },
	{ .title = "LAYER", .hide_turn = 4, .is_right = true },
	{ .title = "PATH", .cut_turn = 1, .min = 16, .hide_turn = 6, .cut_front = true },
};

struct listing {
	const struct scan_result *r;
	const struct groups *g;
};

static void package_cell(void *arg, size_t row, size_t column, struct buf *out, const char **colour)
{
	const struct listing *l = arg;
	const struct scan_package *p = &l->r->packages[l->g->order[row]];
	const char *texts[] = { p->pkg->name, p->pkg->version, p->pkg->arch, p->pkg->ecosystem, p->pkg->source };

	if (column < ARRAY_LEN(texts))
		buf_add_str(out, texts[column]);
	if (column == 3 && p->pkg->is_dev)
		buf_add_str(out, " (dev)");
	if (column == 5 && l->r->inventory->n_layers > 1)
		buf_printf(out, "%u", p->layer + 1);
	if (column == 6)
		buf_add_slice(out, format_path(p->pkg));
}

static void write_packages(const struct scan_result *r, const struct format_options *opts,
			   const struct groups *g, struct out *o)
{
	struct listing l = { r, g };
	struct table t = { .columns = package_columns,
			   .column_count = ARRAY_LEN(package_columns),
			   .rows = r->package_count,
			   .width = opts->columns,
			   .is_coloured = opts->is_coloured,
			   .cell = package_cell,
			   .arg = &l };

	buf_add_char(&o->text, '\n');
	table_write(&t, o);
}

/* ---- around it ---- */

static void write_title(const struct scan_result *r, const struct format_options *opts, struct out *o)
{
	const Picket__OsRelease *os = r->inventory->os;
	const char *name = !os ? "" : os->pretty_name[0] ? os->pretty_name : os->id;

	heading(opts, o, slice_of(r->target));
	CLEANUP(buf_finip) struct buf line = { 0 };
	buf_init(&line, 0);
	if (name[0])
		buf_printf(&line, "%s, ", name);
	buf_printf(&line, "%zu package%s", r->package_count, r->package_count == 1 ? "" : "s");
	if (r->inventory->n_layers > 1)
		buf_printf(&line, " in %zu layers", r->inventory->n_layers);
	struct slice digest = scan_digest(r);
	if (digest.n)
		buf_printf(&line, ", %.*s", (int)(digest.n > 19 ? 19 : digest.n), digest.p);
	show_text(&o->text, buf_slice(&line), 400);
	buf_add_char(&o->text, '\n');
}

static void trim_line(struct buf *b)
{
	while (b->n && b->p[b->n - 1] == ' ')
		b->n--;
	buf_add_char(b, '\n');
}

/* "RUN /bin/sh -c apt-get update # buildkit" without what says nothing. */
static struct slice step_of(const char *created_by)
{
	static const char *const noise[] = { "/bin/sh -c #(nop) ", "RUN /bin/sh -c ", "/bin/sh -c " };
	struct slice s = slice_of(created_by), tail = SLICE_LIT(" # buildkit");

	for (size_t i = 0; i < ARRAY_LEN(noise); i++) {
		struct slice prefix = slice_of(noise[i]);

		if (slice_starts(s, prefix)) {
			s = slice_sub(s, prefix.n, s.n);
			break;
		}
	}
	return slice_trim(slice_ends(s, tail) ? slice_sub(s, 0, s.n - tail.n) : s);
}

/* "sha256:0123456789ab" and the step that made it, of those layers that brought findings. */
static void write_layers(const struct scan_result *r, const struct format_options *opts, struct out *o)
{
	const Picket__Inventory *inv = r->inventory;
	CLEANUP(freep) uint32_t *counts = calloc(inv->n_layers + 1, sizeof(*counts));

	if (inv->n_layers < 2 || !r->counting || !counts)
		return;
	for (size_t i = 0; i < r->counting; i++)
		counts[r->packages[r->findings[i].package].layer]++;
	buf_add_char(&o->text, '\n');
	heading(opts, o, SLICE_LIT("Layers they came with"));
	for (size_t i = 0; i < inv->n_layers; i++) {
		CLEANUP(buf_finip) struct buf safe = { 0 };
		size_t width = opts->columns > MIN_WIDTH ? opts->columns - 50 : 200, unused;

		if (!counts[i])
			continue;
		buf_init(&safe, 0);
		show_text(&safe, step_of(inv->layers[i]->created_by), 400);
		struct slice step = show_fit(buf_slice(&safe), width, &unused);
		buf_printf(&o->text, "%3zu  ", i + 1);
		show_text(&o->text, slice_sub(slice_of(inv->layers[i]->diff_id), 0, 19), 40);
		buf_printf(&o->text, "  %u finding%s  %.*s%s", counts[i], counts[i] == 1 ? "" : "s",
			   SLICE_FMT(step), step.n < safe.n ? "…" : "");
		trim_line(&o->text);
	}
}

static void write_hush_counts(const struct scan_result *r, const struct format_options *opts, struct out *o)
{
	const struct scan_summary *s = &r->summary;

	if (!s->suppressed)
		return;
	buf_printf(&o->text, "; %llu suppressed (", (unsigned long long)s->suppressed);
	if (s->ignored)
		buf_printf(&o->text, "%llu by the ignore file", (unsigned long long)s->ignored);
	if (s->vex)
		buf_printf(&o->text, "%s%llu by VEX", s->ignored ? ", " : "", (unsigned long long)s->vex);
	buf_add_str(&o->text, opts->show_suppressed ? ")" : "; --show-suppressed says why)");
}

static void write_total(const struct scan_result *r, const struct format_options *opts, struct out *o)
{
	const struct scan_summary *s = &r->summary;
	struct buf *b = &o->text;

	buf_add_char(b, '\n');
	if (!s->total)
		buf_add_str(b, "No known vulnerabilities");
	else
		buf_printf(b, "Total %llu:", (unsigned long long)s->total);
	for (int i = VULN_CRITICAL; s->total && i >= VULN_UNKNOWN; i--) {
		bool always = i >= VULN_LOW;

		if (always || s->by_severity[i])
			buf_printf(b, "%s %llu %s", i == VULN_CRITICAL ? "" : ",",
				   (unsigned long long)s->by_severity[i], vuln_severity_name((enum vuln_severity)i));
	}
	if (s->kev)
		buf_printf(b, "; %llu known to be exploited", (unsigned long long)s->kev);
	if (s->total)
		buf_printf(b, "; %llu can be fixed", (unsigned long long)s->fixable);
	write_hush_counts(r, opts, o);
	if (r->excluded_count)
		buf_printf(b, "; %zu package%s for development not judged (--include-dev)", r->excluded_count,
			   r->excluded_count == 1 ? "" : "s");
	buf_add_char(b, '\n');
}

int format_table(const struct scan_result *r, const struct format_options *opts, struct out *o, struct err *err)
{
	CLEANUP(freep) struct line *lines = calloc(r->finding_count + 1, sizeof(*lines));
	struct groups g = { 0 };
	int e = lines ? groups_of(r, &g, err) : err_set(err, ERR_LIMIT, "no room for the findings");

	if (e < 0)
		return e;
	write_title(r, opts, o);
	if (opts->list_packages)
		write_packages(r, opts, &g, o);
	if (r->has_database) {
		write_findings(r, opts, &g, lines, o);
		write_suppressed(r, opts, o);
		write_layers(r, opts, o);
		write_total(r, opts, o);
	}
	return out_end(o, err);
}

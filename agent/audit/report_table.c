/* report_table.c - an audit for a person at a terminal. What is severe stands for itself, one line for each place;
 * what is milder and the same everywhere is one line with the places it was found in: sixty containers without a
 * memory limit are one thing to know, not sixty. */
#include <errno.h>

#include "agent/audit/report.h"
#include "common/show.h"
#include "common/table.h"

enum { PLACES_SHOWN = 2 };

/* A line: results of one check, alike in status and severity. */
struct line {
	const struct report_subject *place;
	const struct audit_result *first;
	size_t order; /* of the check in the table */
	const struct report_subject *more[PLACES_SHOWN - 1];
	size_t count;
	bool is_mixed; /* in evidence */
};

struct lines {
	const struct report *r;
	struct line *v;
	size_t count;
};

static const char *colour_of(enum audit_severity s)
{
	static const char *const colours[] = { "\033[2m", "\033[36m", "\033[33m", "\033[31m", "\033[1;31m" };

	return colours[s];
}

static size_t order_of(const struct audit_check *c)
{
	size_t i = 0;

	while (i < audit_check_count() && audit_check_at(i) != c)
		i++;
	return i;
}

/* ---- gathering ---- */

static bool is_shown(const struct report_options *o, const struct audit_result *x)
{
	return o->show_all || x->status == AUDIT_FAIL || x->status == AUDIT_WARN;
}

static struct line *same_line(struct lines *l, const struct audit_result *x)
{
	if (x->severity >= AUDIT_HIGH && x->status == AUDIT_FAIL)
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		const struct audit_result *f = l->v[i].first;

		if (f->check == x->check && f->status == x->status && f->severity == x->severity)
			return &l->v[i];
	}
	return NULL;
}

static void add(struct lines *l, const struct report_subject *s, const struct audit_result *x)
{
	struct line *line = same_line(l, x);

	if (!line) {
		l->v[l->count++] = (struct line){ .place = s, .first = x, .order = order_of(x->check), .count = 1 };
		return;
	}
	if (line->count < PLACES_SHOWN)
		line->more[line->count - 1] = s;
	line->count++;
	line->is_mixed |= strcmp(line->first->evidence, x->evidence) != 0;
}

/* Findings first, by severity; then what could not be told, and the rest. */
static int rank(const struct line *l)
{
	static const int ranks[] = { [AUDIT_FAIL] = 0, [AUDIT_WARN] = 0, [AUDIT_ERROR] = 1, [AUDIT_PASS] = 2, [AUDIT_NA] = 3 };

	return ranks[l->first->status] * 16 - (ranks[l->first->status] ? 0 : (int)l->first->severity);
}

static int compare(const void *x, const void *y)
{
	const struct line *a = x, *b = y;

	if (rank(a) != rank(b))
		return rank(a) - rank(b);
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	if (a->first->status != b->first->status)
		return (int)a->first->status - (int)b->first->status;
	return strcmp(a->place->name, b->place->name);
}

static void gather(struct lines *l, const struct report_options *o, enum audit_subject subject)
{
	l->count = 0;
	for (size_t i = 0; i < l->r->subject_count; i++) {
		const struct report_subject *s = &l->r->subjects[i];

		for (size_t k = 0; s->subject == subject && k < s->count; k++) {
			if (is_shown(o, &s->results[k]))
				add(l, s, &s->results[k]);
		}
	}
	if (l->count)
		qsort(l->v, l->count, sizeof(*l->v), compare);
}

/* ---- the table ---- */

enum { COL_SEVERITY, COL_CHECK, COL_WHERE, COL_WANTED, COL_SEEN };

static const struct table_column columns[] = {
	[COL_SEVERITY] = { .title = "SEVERITY" },
	[COL_CHECK] = { .title = "CHECK" },
	[COL_WHERE] = { .title = "WHERE", .cut_turn = 1, .min = 18 },
	[COL_WANTED] = { .title = "SHOULD BE", .cut_turn = 3, .min = 18 },
	[COL_SEEN] = { .title = "IS", .cut_turn = 2, .min = 28 },
};

static const char *verdict(const struct audit_result *x)
{
	switch (x->status) {
	case AUDIT_PASS:
		return "pass";
	case AUDIT_NA:
		return "n/a";
	case AUDIT_ERROR:
		return "unknown";
	case AUDIT_FAIL:
	case AUDIT_WARN:
	case AUDIT_STATUS_COUNT:
		break;
	}
	return audit_severity_name(x->severity);
}

static void write_places(const struct line *l, struct buf *out)
{
	buf_add_str(out, l->place->name);
	for (size_t i = 0; i + 1 < l->count && i < PLACES_SHOWN - 1; i++)
		buf_printf(out, ", %s", l->more[i]->name);
}

static void cell(void *arg, size_t row, size_t column, struct buf *out, const char **colour)
{
	const struct lines *lines = arg;
	const struct line *l = &lines->v[row];
	const struct audit_result *x = l->first;
	bool is_finding = x->status == AUDIT_FAIL || x->status == AUDIT_WARN;

	switch (column) {
	case COL_SEVERITY:
		buf_printf(out, "%s%s", verdict(x), x->status == AUDIT_WARN ? "?" : "");
		*colour = is_finding ? colour_of(x->severity) : TABLE_DIM;
		break;
	case COL_CHECK:
		buf_add_str(out, x->check->id);
		break;
	case COL_WHERE:
		if (x->check->subject == SUBJECT_HOST || x->check->subject == SUBJECT_DAEMON)
			break;
		if (l->count > PLACES_SHOWN)
			buf_printf(out, "%zu: ", l->count);
		write_places(l, out);
		if (l->count > PLACES_SHOWN)
			buf_add_str(out, ", …");
		break;
	case COL_WANTED:
		buf_add_str(out, x->check->title);
		break;
	case COL_SEEN:
		buf_printf(out, "%s%s", x->differs ? "(not as asked) " : "", x->evidence);
		if (l->is_mixed)
			buf_add_str(out, " (the first)");
		break;
	}
}

static void heading(const struct report_options *o, struct out *out, const char *text)
{
	buf_add_str(&out->text, o->is_coloured ? TABLE_BOLD : "");
	show_text(&out->text, slice_of(text), 200);
	buf_add_str(&out->text, o->is_coloured ? TABLE_RESET : "");
	buf_add_char(&out->text, '\n');
}

/* ---- why and how ---- */

static void paragraph(struct out *o, const char *head, const char *text, unsigned width)
{
	CLEANUP(buf_finip) struct buf safe = { 0 };
	size_t column = strlen(head), room = width > 40 ? width : 100;

	buf_init(&safe, 65536);
	show_text(&safe, slice_of(text), 2000);
	buf_add_str(&o->text, head);
	for (struct slice rest = buf_slice(&safe), word; slice_split(&rest, ' ', &word);) {
		size_t w = show_width(word);

		if (column + w + 1 > room && column > 8) {
			buf_add_str(&o->text, "\n       ");
			column = 7;
		}
		buf_add_char(&o->text, ' ');
		buf_add_slice(&o->text, word);
		column += w + 1;
	}
	buf_add_char(&o->text, '\n');
}

struct refs {
	struct buf text;
};

static void add_ref(void *arg, struct slice text)
{
	struct refs *r = arg;

	buf_add_str(&r->text, r->text.n ? ", " : "");
	buf_add_slice(&r->text, text);
}

static void write_fix(const struct line *l, const struct report_options *o, struct out *out)
{
	CLEANUP(buf_finip) struct buf title = { 0 };
	struct refs refs = { 0 };

	buf_init(&title, 4096);
	buf_init(&refs.text, 4096);
	report_references(l->first->check, add_ref, &refs);
	buf_printf(&title, "%s  %s", l->first->check->id, l->first->check->title);
	buf_add_char(&out->text, '\n');
	heading(o, out, title.p);
	paragraph(out, "  Why:", l->first->check->why, o->columns);
	paragraph(out, "  Fix:", l->first->fix, o->columns);
	if (refs.text.n)
		paragraph(out, "  See:", refs.text.p, o->columns);
	buf_fini(&refs.text);
	out_flush(out);
}

static void write_fixes(const struct lines *l, const struct report_options *o, struct out *out)
{
	const struct audit_check *last = NULL;

	for (size_t i = 0; o->show_fixes && i < l->count; i++) {
		bool is_finding = l->v[i].first->status == AUDIT_FAIL || l->v[i].first->status == AUDIT_WARN;

		/* once a check: by the order of severity the worst of it comes first */
		bool told = false;
		for (size_t k = 0; k < i && !told; k++)
			told = l->v[k].first->check == l->v[i].first->check;
		if (is_finding && !told && l->v[i].first->check != last)
			write_fix(&l->v[i], o, out);
		last = l->v[i].first->check;
	}
}

/* ---- sections ---- */

static size_t count_subjects(const struct report *r, enum audit_subject s)
{
	size_t n = 0;

	for (size_t i = 0; i < r->subject_count; i++)
		n += r->subjects[i].subject == s;
	return n;
}

/* One line for all: they mostly have one reason. */
static size_t write_unknown(const struct report *r, const struct report_options *o, enum audit_subject subject, struct out *out)
{
	const struct audit_result *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < r->subject_count; i++) {
		for (size_t k = 0; r->subjects[i].subject == subject && k < r->subjects[i].count; k++) {
			const struct audit_result *x = &r->subjects[i].results[k];

			if (x->status != AUDIT_ERROR)
				continue;
			first = first ? first : x;
			count++;
		}
	}
	if (count && !o->show_all)
		buf_printf(&out->text, "%zu could not be told, as %s: %s\n", count, first->check->id, first->evidence);
	return count;
}

static void write_section(struct lines *l, const struct report_options *o, enum audit_subject subject, struct out *out)
{
	static const char *const words[] = { "Host", "Engine", "Images", "Containers" };
	size_t n = count_subjects(l->r, subject);
	struct table t = { .columns = columns,
			   .column_count = ARRAY_LEN(columns),
			   .width = o->columns,
			   .is_coloured = o->is_coloured,
			   .cell = cell,
			   .arg = l };
	char title[300];

	if (!n)
		return;
	gather(l, o, subject);
	t.rows = l->count;
	if (subject == SUBJECT_HOST)
		snprintf(title, sizeof(title), "Host %.200s", l->r->host);
	else if (subject == SUBJECT_DAEMON)
		snprintf(title, sizeof(title), "Engine %.100s", l->r->engine[0] ? l->r->engine : "(no answer)");
	else
		snprintf(title, sizeof(title), "%s: %zu", words[subject], n);
	heading(o, out, title);
	if (l->count)
		table_write(&t, out);
	if (!write_unknown(l->r, o, subject, out) && !l->count)
		buf_add_str(&out->text, "nothing found\n");
	write_fixes(l, o, out);
	buf_add_char(&out->text, '\n');
}

static void write_total(const struct report *r, const struct report_options *o, struct out *out)
{
	struct report_summary s;
	struct buf *b = &out->text;

	report_count(r, &s);
	buf_printf(b, "Total: %zu finding%s", s.by_status[AUDIT_FAIL] + s.by_status[AUDIT_WARN],
		   s.by_status[AUDIT_FAIL] + s.by_status[AUDIT_WARN] == 1 ? "" : "s");
	for (int i = AUDIT_CRITICAL; i >= AUDIT_INFO; i--)
		buf_printf(b, "%s %zu %s", i == AUDIT_CRITICAL ? ":" : ",", s.by_severity[i],
			   audit_severity_name((enum audit_severity)i));
	buf_printf(b, "; %zu pass, %zu do not apply", s.by_status[AUDIT_PASS], s.by_status[AUDIT_NA]);
	if (s.by_status[AUDIT_ERROR])
		buf_printf(b, ", %zu could not be told", s.by_status[AUDIT_ERROR]);
	if (s.differs)
		buf_printf(b, "; %zu not as asked for", s.differs);
	buf_add_char(b, '\n');
	if (s.by_status[AUDIT_WARN])
		buf_add_str(b, "A ? marks what may be meant so.\n");
	if (o->hint && o->hint[0])
		buf_printf(b, "%s\n", o->hint);
}

int report_table(const struct report *r, const struct report_options *o, struct out *out, struct err *err)
{
	size_t most = 0;

	for (size_t i = 0; i < r->subject_count; i++)
		most += r->subjects[i].count;
	CLEANUP(freep) struct line *v = calloc(most + 1, sizeof(*v));
	struct lines lines = { .r = r, .v = v };
	if (!v)
		return err_set(err, ENOMEM, "write");
	for (int s = 0; s < SUBJECT_COUNT; s++)
		write_section(&lines, o, (enum audit_subject)s, out);
	write_total(r, o, out);
	return out_end(out, err);
}

/* ---- the checks themselves ---- */

static const struct table_column check_columns[] = {
	{ .title = "CHECK" },	 { .title = "SUBJECT", .hide_turn = 3 },
	{ .title = "SEVERITY" }, { .title = "SHOULD BE", .cut_turn = 2, .min = 24 },
	{ .title = "CIS", .cut_turn = 1, .min = 10 },
};

/* "1.6: 3.1, 3.2; 1.8: …": the version once, as long as it stays the same. */
static void write_cis(const char *cis, struct buf *out)
{
	struct slice rest = slice_of(cis), one, last = SLICE_NONE;

	while (slice_split(&rest, ',', &one)) {
		struct slice item = slice_trim(one);
		ptrdiff_t colon = slice_find_char(item, ':');
		struct slice version = slice_sub(item, 0, (size_t)colon);

		if (colon < 0)
			continue;
		if (slice_eq(version, last))
			buf_printf(out, ", %.*s", SLICE_FMT(slice_trim(slice_sub(item, (size_t)colon + 1, item.n))));
		else
			buf_printf(out, "%s%.*s", last.n ? "; " : "", SLICE_FMT(item));
		last = version;
	}
}

static void check_cell(void *arg, size_t row, size_t column, struct buf *out, const char **colour)
{
	const struct audit_check *c = audit_check_at(row);
	const char *const texts[] = { c->id, audit_subject_name(c->subject), audit_severity_name(c->severity), c->title };

	(void)arg;
	if (column == ARRAY_LEN(texts))
		write_cis(c->cis, out);
	else
		buf_add_str(out, texts[column]);
	if (column == 2)
		*colour = colour_of(c->severity);
}

int report_checks(const struct report_options *o, struct out *out, struct err *err)
{
	struct table t = { .columns = check_columns,
			   .column_count = ARRAY_LEN(check_columns),
			   .rows = audit_check_count(),
			   .width = o->columns,
			   .is_coloured = o->is_coloured,
			   .cell = check_cell };

	table_write(&t, out);
	return out_end(out, err);
}

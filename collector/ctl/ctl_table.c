/* ctl_table.c - rows as a table that fits the terminal. */
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

enum { CELL_CHARS = 1000, SHRUNK = 8, GAP = 2 };

const cJSON *ctl_at(const cJSON *row, const char *path)
{
	struct slice rest = slice_of(path), part;
	char key[64];

	while (row && slice_split(&rest, '.', &part)) {
		if (!slice_copy(part, key, sizeof(key)))
			return NULL;
		row = cJSON_GetObjectItemCaseSensitive(row, key);
	}
	return row;
}

/* Whole numbers without an exponent, as far as a double is exact about them. */
static void add_number(double d, struct buf *out)
{
	if (d > -9e18 && d < 9e18 && (double)(int64_t)d == d)
		buf_printf(out, "%" PRId64, (int64_t)d);
	else
		buf_printf(out, "%.15g", d);
}

void ctl_value(const cJSON *v, struct buf *out)
{
	if (cJSON_IsString(v))
		buf_add_str(out, v->valuestring);
	else if (cJSON_IsNumber(v))
		add_number(v->valuedouble, out);
	else if (cJSON_IsBool(v))
		buf_add_str(out, cJSON_IsTrue(v) ? "true" : "false");
}

bool ctl_severity(const struct ctl *c, const char *severity, struct buf *out)
{
	static const char *const colours[][2] = { { "critical", "\033[1;31m" }, { "high", "\033[31m" },
						  { "medium", "\033[33m" },	{ "low", "\033[36m" },
						  { "info", "\033[2m" } };

	for (size_t i = 0; i < ARRAY_LEN(colours) && c->has_colour; i++) {
		if (!strcmp(severity, colours[i][0])) {
			buf_add_str(out, colours[i][1]);
			return true;
		}
	}
	return false;
}

static bool is_shown(const struct ctl *c, const struct ctl_table *t, size_t i)
{
	return !t->is_hidden[i] && (!t->view->columns[i].is_wide || c->format == CTL_WIDE);
}

static void cell(const struct ctl_column *col, const cJSON *row, struct buf *out)
{
	CLEANUP(buf_finip) struct buf raw = { 0 };

	buf_init(&raw, 0);
	buf_reset(out);
	if (col->value)
		col->value(row, &raw);
	else if (col->form == CTL_AGE)
		ctl_age(ctl_str(row, col->path), &raw);
	else if (col->form == CTL_YES)
		buf_add_str(&raw, ctl_is_true(row, col->path) ? "yes" : "");
	else
		ctl_value(ctl_at(row, col->path), &raw);
	show_text(out, buf_slice(&raw), CELL_CHARS);
	if (!out->n)
		buf_add_char(out, '-');
}

/* Columns taken with every one that may shrink at its smallest. */
static size_t least_width(const struct ctl *c, const struct ctl_table *t)
{
	size_t total = 0;

	for (size_t i = 0; i < t->view->column_count; i++) {
		bool shrinks = t->view->columns[i].may_shrink && t->widths[i] > SHRUNK;

		if (is_shown(c, t, i))
			total += (shrinks ? SHRUNK : t->widths[i]) + (total ? GAP : 0);
	}
	return total;
}

/* Hides what is least missed, until the rest could fit. */
static void hide(const struct ctl *c, struct ctl_table *t)
{
	while (c->columns && least_width(c, t) > c->columns) {
		size_t least = SIZE_MAX;

		for (size_t i = 0; i < t->view->column_count; i++) {
			unsigned rank = t->view->columns[i].hide;

			if (rank && is_shown(c, t, i) &&
			    (least == SIZE_MAX || rank > t->view->columns[least].hide))
				least = i;
		}
		if (least == SIZE_MAX)
			return;
		t->is_hidden[least] = true;
	}
}

/* The widest column that may shrink gives one away, until all fit or none can. */
static void fit(const struct ctl *c, struct ctl_table *t)
{
	for (;;) {
		size_t total = 0, widest = SIZE_MAX;

		for (size_t i = 0; i < t->view->column_count; i++) {
			if (!is_shown(c, t, i))
				continue;
			total += t->widths[i] + (total ? GAP : 0);
			if (t->view->columns[i].may_shrink && t->widths[i] > SHRUNK &&
			    (widest == SIZE_MAX || t->widths[i] >= t->widths[widest]))
				widest = i;
		}
		if (!c->columns || total <= c->columns || widest == SIZE_MAX)
			return;
		t->widths[widest]--;
	}
}

static void measure(const struct ctl *c, struct ctl_table *t, cJSON *const *rows, size_t count)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	for (size_t i = 0; i < t->view->column_count; i++) {
		size_t width = strlen(t->view->columns[i].title);

		for (size_t k = 0; k < count; k++) {
			cell(&t->view->columns[i], rows[k], &text);
			size_t w = show_width(buf_slice(&text));
			width = w > width ? w : width;
		}
		t->widths[i] = t->widths[i] > width ? t->widths[i] : width;
	}
	hide(c, t);
	fit(c, t);
}

/* text in exactly width columns, "…" where it is cut; the last column isn't padded. */
static void add_padded(struct buf *out, struct slice text, size_t width, bool is_last)
{
	size_t used = show_width(text);

	if (used > width) {
		text = show_fit(text, width - 1, &used);
		buf_add_slice(out, text);
		buf_add_str(out, "…");
		used++;
	} else {
		buf_add_slice(out, text);
	}
	for (; used < width && !is_last; used++)
		buf_add_char(out, ' ');
}

static size_t last_shown(const struct ctl *c, const struct ctl_table *t)
{
	size_t last = 0;

	for (size_t i = 0; i < t->view->column_count; i++)
		last = is_shown(c, t, i) ? i : last;
	return last;
}

static void add_row(struct ctl *c, struct ctl_table *t, const cJSON *row, struct buf *line)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	size_t last = last_shown(c, t);
	bool is_first = true;

	buf_init(&text, 0);
	for (size_t i = 0; i < t->view->column_count; i++) {
		const struct ctl_column *col = &t->view->columns[i];
		bool is_coloured = false;

		if (!is_shown(c, t, i))
			continue;
		if (!is_first)
			buf_add_str(line, "  ");
		is_first = false;
		if (row)
			cell(col, row, &text);
		if (row && !strcmp(col->title, "SEVERITY"))
			is_coloured = ctl_severity(c, text.p, line);
		add_padded(line, row ? buf_slice(&text) : slice_of(col->title), t->widths[i], i == last);
		if (is_coloured)
			buf_add_str(line, "\033[0m");
	}
	buf_add_char(line, '\n');
}

void ctl_table_print(struct ctl *c, struct ctl_table *t, cJSON *const *rows, size_t count)
{
	CLEANUP(buf_finip) struct buf line = { 0 };

	buf_init(&line, 0);
	measure(c, t, rows, count);
	if (!t->has_header)
		add_row(c, t, NULL, &line);
	t->has_header = true;
	for (size_t k = 0; k < count; k++)
		add_row(c, t, rows[k], &line);
	fwrite(line.p, 1, line.n, c->out);
}

/* table.c - see table.h. */
#include "common/table.h"

#include "common/show.h"

struct layout {
	size_t widths[TABLE_COLUMNS_MAX];
	bool is_shown[TABLE_COLUMNS_MAX];
};

/* One cell, made safe. text and safe: the caller's, used again and again. */
static struct slice cell_of(const struct table *t, size_t row, size_t column, struct buf *text, struct buf *safe,
			    const char **colour)
{
	*colour = NULL;
	buf_reset(text);
	buf_reset(safe);
	t->cell(t->arg, row, column, text, colour);
	show_text(safe, buf_slice(text), TABLE_CELL_MAX);
	return buf_slice(safe);
}

static size_t total_of(const struct table *t, const struct layout *l)
{
	size_t total = t->indent;

	for (size_t c = 0, n = 0; c < t->column_count; c++) {
		if (l->is_shown[c])
			total += l->widths[c] + (n++ ? TABLE_GAP : 0);
	}
	return total;
}

/* Columns of one turn give way bit by bit, the widest first, so that versions side by side stay alike. */
static bool cut_one(const struct table *t, struct layout *l, unsigned turn)
{
	size_t widest = TABLE_COLUMNS_MAX;

	for (size_t c = 0; c < t->column_count; c++) {
		if (!l->is_shown[c] || t->columns[c].cut_turn != turn || l->widths[c] <= t->columns[c].min)
			continue;
		if (widest == TABLE_COLUMNS_MAX || l->widths[c] >= l->widths[widest])
			widest = c;
	}
	if (widest == TABLE_COLUMNS_MAX)
		return false;
	l->widths[widest]--;
	return true;
}

/* A hidden column may have made more room than was needed. */
static void grow_back(const struct table *t, struct layout *l, const struct layout *natural)
{
	for (size_t c = 0; c < t->column_count; c++) {
		while (l->is_shown[c] && l->widths[c] < natural->widths[c] && total_of(t, l) < t->width)
			l->widths[c]++;
	}
}

static void give_way(const struct table *t, struct layout *l)
{
	const struct layout natural = *l;

	for (unsigned turn = 1; turn <= TABLE_TURNS; turn++) {
		while (total_of(t, l) > t->width && cut_one(t, l, turn))
			;
		for (size_t c = 0; c < t->column_count && total_of(t, l) > t->width; c++) {
			if (t->columns[c].hide_turn == turn)
				l->is_shown[c] = false;
		}
	}
	grow_back(t, l, &natural);
}

static void measure(const struct table *t, struct layout *l, struct buf *text, struct buf *safe)
{
	for (size_t c = 0; c < t->column_count; c++) {
		for (size_t row = 0; row < t->rows; row++) {
			const char *colour;
			size_t w = show_width(cell_of(t, row, c, text, safe, &colour));

			if (w > l->widths[c])
				l->widths[c] = w;
		}
		size_t title = show_width(slice_of(t->columns[c].title));
		l->is_shown[c] = l->widths[c] > 0;
		if (title > l->widths[c])
			l->widths[c] = title;
	}
	if (t->width)
		give_way(t, l);
}

/* The last columns of s that fit, for a path. */
static struct slice fit_end(struct slice s, size_t columns)
{
	while (s.n && show_width(s) > columns) {
		size_t n = 1;

		while (n < s.n && ((uint8_t)s.p[n] & 0xc0) == 0x80)
			n++;
		s = slice_sub(s, n, s.n);
	}
	return s;
}

static void pad(struct buf *out, size_t n)
{
	while (n--)
		buf_add_char(out, ' ');
}

static void write_cell(const struct table_column *c, struct slice text, size_t width, bool is_last,
		       const char *colour, struct buf *out)
{
	size_t w = show_width(text);
	bool cut = w > width;

	if (cut)
		text = c->cut_front ? fit_end(text, width - 1) : show_fit(text, width - 1, &w);
	w = show_width(text) + cut;
	if (c->is_right)
		pad(out, width - w);
	if (colour)
		buf_add_str(out, colour);
	if (cut && c->cut_front)
		buf_add_str(out, "…");
	buf_add_slice(out, text);
	if (cut && !c->cut_front)
		buf_add_str(out, "…");
	if (colour)
		buf_add_str(out, TABLE_RESET);
	if (!c->is_right && !is_last)
		pad(out, width - w);
}

static void trim_line(struct buf *out)
{
	while (out->n && out->p[out->n - 1] == ' ')
		out->p[--out->n] = 0;
	buf_add_char(out, '\n');
}

static size_t last_shown(const struct table *t, const struct layout *l)
{
	size_t last = 0;

	for (size_t c = 0; c < t->column_count; c++)
		last = l->is_shown[c] ? c : last;
	return last;
}

static void write_head(const struct table *t, const struct layout *l, struct buf *out)
{
	bool first = true;

	pad(out, t->indent);
	if (t->is_coloured)
		buf_add_str(out, TABLE_DIM);
	for (size_t c = 0; c < t->column_count; c++) {
		struct table_column title = t->columns[c];

		if (!l->is_shown[c])
			continue;
		pad(out, first ? 0 : TABLE_GAP);
		title.cut_front = false;
		write_cell(&title, slice_of(t->columns[c].title), l->widths[c], c == last_shown(t, l), NULL, out);
		first = false;
	}
	if (t->is_coloured)
		buf_add_str(out, TABLE_RESET);
	trim_line(out);
}

static void write_row(const struct table *t, const struct layout *l, size_t row, struct buf *text,
		      struct buf *safe, struct buf *out)
{
	bool first = true;

	pad(out, t->indent);
	for (size_t c = 0; c < t->column_count; c++) {
		const char *colour;

		if (!l->is_shown[c])
			continue;
		struct slice s = cell_of(t, row, c, text, safe, &colour);
		pad(out, first ? 0 : TABLE_GAP);
		write_cell(&t->columns[c], s, l->widths[c], c == last_shown(t, l),
			   t->is_coloured ? colour : NULL, out);
		first = false;
	}
	trim_line(out);
}

void table_write(const struct table *t, struct out *o)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(buf_finip) struct buf safe = { 0 };
	struct layout l = { 0 };

	buf_init(&text, 0);
	buf_init(&safe, 0);
	measure(t, &l, &text, &safe);
	write_head(t, &l, &o->text);
	for (size_t row = 0; row < t->rows; row++) {
		write_row(t, &l, row, &text, &safe, &o->text);
		out_flush(o);
	}
}

/* epss.c - FIRST's EPSS scores, line by line; see feeds.h. */
#include "common/vulndb/feeds.h"

/* "0.00126": digits and one dot; strtod would take hex, inf and the locale's comma. */
static bool to_fraction(struct slice s, double *ret)
{
	double v = 0, place = 0;

	if (!s.n || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && place == 0 && s.n > 1) {
			place = 1;
			continue;
		}
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
		place *= 10;
	}
	*ret = place > 0 ? v / place : v;
	return *ret <= 1;
}

/* "#model_version:v2023.03.01,score_date:2024-10-15T00:00:00+0000" */
static void take_date(struct epss *e, struct slice comment)
{
	ptrdiff_t at = slice_find(comment, SLICE_LIT("score_date:"));

	if (at >= 0)
		(void)slice_copy(slice_sub(comment, (size_t)at + 11, sizeof(e->date) - 1), e->date, sizeof(e->date));
}

static int take_line(struct epss *e, struct slice line, struct err *err)
{
	struct slice rest = slice_trim(line), id = SLICE_NONE, score = SLICE_NONE, percentile = SLICE_NONE;
	struct epss_row row;
	char what[128];

	e->number++;
	if (!rest.n)
		return 0;
	if (rest.p[0] == '#') {
		take_date(e, rest);
		return 0;
	}
	if (slice_starts(rest, SLICE_LIT("cve,")))
		return 0;
	(void)slice_split(&rest, ',', &id);
	(void)slice_split(&rest, ',', &score);
	(void)slice_split(&rest, ',', &percentile);
	row.cve = advisory_cve(id);
	if (row.cve && to_fraction(score, &row.score) && to_fraction(percentile, &row.percentile))
		return e->row(e->arg, &row, err);
	snprintf(what, sizeof(what), "line %lu: not \"CVE,score,percentile\"", e->number);
	return e->bad(e->arg, what, err);
}

int epss_feed(struct epss *e, struct slice bytes, struct err *err)
{
	while (bytes.n) {
		ptrdiff_t nl = slice_find_char(bytes, '\n');
		struct slice piece = nl < 0 ? bytes : slice_sub(bytes, 0, (size_t)nl);
		int r = 0;

		if (piece.n > sizeof(e->line) - e->length)
			return err_set(err, ERR_LIMIT, "line %lu: over %d bytes", e->number + 1, EPSS_LINE_MAX);
		memcpy(e->line + e->length, piece.p, piece.n);
		e->length += piece.n;
		if (nl < 0)
			return 0;
		r = take_line(e, slice_from(e->line, e->length), err);
		e->length = 0;
		if (r < 0)
			return r;
		bytes = slice_sub(bytes, (size_t)nl + 1, SIZE_MAX);
	}
	return 0;
}

int epss_end(struct epss *e, struct err *err)
{
	size_t n = e->length;

	e->length = 0;
	return n ? take_line(e, slice_from(e->line, n), err) : 0;
}

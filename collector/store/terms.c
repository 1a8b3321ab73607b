/* terms.c - see terms.h. */
#include "collector/store/terms.h"

#include "common/json.h"

enum { LIST_BYTES = 1024 * 1024, SHORT_ID = 12 };

bool terms_match_flag(const struct filter_term *t, bool value)
{
	return filter_match_text(t, slice_of(value ? "yes" : "no"));
}

bool terms_match_real(const struct filter_term *t, double value)
{
	char *end;
	double want = strtod(t->value, &end);
	bool is_met;

	if (end == t->value || *end)
		return t->is_negated;
	switch (t->op) {
	case FILTER_LT:
		is_met = value < want;
		break;
	case FILTER_LE:
		is_met = value <= want;
		break;
	case FILTER_GT:
		is_met = value > want;
		break;
	case FILTER_GE:
		is_met = value >= want;
		break;
	case FILTER_NE:
		is_met = value < want || value > want;
		break;
	case FILTER_EQ:
	case FILTER_GLOB:
	case FILTER_CONTAINS:
	case FILTER_TEXT:
	default:
		is_met = !(value < want || value > want);
		break;
	}
	return is_met != t->is_negated;
}

bool terms_match_severity(const struct filter_term *t, unsigned severity)
{
	static const char *const words[] = { "info", "info", "low", "medium", "high", "critical" };

	return filter_match_text(t, slice_of(severity < ARRAY_LEN(words) ? words[severity] : "info"));
}

/* The term as "is it this one?", and whether the answer is turned round. */
static struct filter_term positive(const struct filter_term *t, bool *ret_is_not)
{
	struct filter_term p = *t;

	*ret_is_not = t->is_negated != (t->op == FILTER_NE);
	p.is_negated = false;
	if (t->op == FILTER_NE)
		p.op = FILTER_EQ;
	return p;
}

static int any_row(struct store *s, const struct filter_term *t, const char *sql, int64_t number, bool is_agent,
		   bool *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	bool is_not;
	struct filter_term p = positive(t, &is_not);
	int r = DB_PREPARE(&s->state, &st, err, sql, B_INT(number));

	*ret = is_not;
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const char *text = db_text(st, 0);
		const struct agent_brief *a = is_agent ? agents_find(s, text) : NULL;

		if (filter_match_text(&p, slice_of(a ? a->host : text))) {
			*ret = !is_not;
			return 0;
		}
	}
	return r;
}

int terms_match_any(struct store *s, const struct filter_term *t, const char *sql, int64_t number, bool *ret,
		    struct err *err)
{
	return any_row(s, t, sql, number, false, ret, err);
}

int terms_match_hosts(struct store *s, const struct filter_term *t, const char *sql, int64_t number, bool *ret,
		      struct err *err)
{
	int r = agents_refresh(s, err);

	return r < 0 ? r : any_row(s, t, sql, number, true, ret, err);
}

bool terms_match_list(const struct filter_term *t, const char *list)
{
	CLEANUP(cJSON_Deletep) cJSON *all = NULL;
	bool is_not;
	struct filter_term p = positive(t, &is_not);
	const cJSON *item;

	if (json_parse(slice_of(list), LIST_BYTES, &all, NULL) < 0)
		return is_not;
	cJSON_ArrayForEach(item, all)
	{
		if (cJSON_IsString(item) && filter_match_text(&p, slice_of(item->valuestring)))
			return !is_not;
	}
	return is_not;
}

int terms_match_image(struct store *s, const struct filter_term *t, int64_t image, const char *image_id,
		      const char *names, bool *ret, struct err *err)
{
	struct slice want = slice_of(t->value), id = slice_of(image_id), digits;
	bool is_not;
	struct filter_term p = positive(t, &is_not);

	digits = slice_sub(id, (size_t)(slice_find_char(id, ':') + 1), id.n);
	if (filter_match_text(&p, id) || terms_match_list(&p, names) ||
	    (p.op == FILTER_EQ && want.n >= SHORT_ID && (slice_starts(digits, want) || slice_starts(id, want)))) {
		*ret = !is_not;
		return 0;
	}
	int r = terms_match_any(s, &p, "SELECT reference FROM image_use WHERE image = ?", image, ret, err);
	if (r >= 0 && !*ret)
		r = terms_match_any(s, &p, "SELECT digest FROM image_digest WHERE image = ?", image, ret, err);
	*ret = *ret != is_not;
	return r;
}

/* risk_score.c - see risk_score.h. The weights are judgement, not measurement: one thing that is being exploited, or
 * one fresh critical alert, must stand above any heap of things that might matter. */
#include "collector/store/risk_score.h"

#include "common/json.h"

const struct risk_kind risk_vulnerability = { "vulnerability", 45, 0.6 };
const struct risk_kind risk_configuration = { "configuration", 25, 0.6 };
const struct risk_kind risk_alert = { "alert", 50, 0.6 };

void risk_add(struct risk_part *p, double points, const char *text)
{
	if (points <= 0)
		return;
	if (p->count == RISK_REASONS_MAX) {
		p->left_out++;
		return;
	}
	struct risk_item *x = &p->items[p->count++];
	x->points = points;
	slice_copy(slice_of(text), x->text, sizeof(x->text));
}

static int by_points(const void *a, const void *b)
{
	const struct risk_item *x = a, *y = b;

	return x->points < y->points ? 1 : x->points > y->points ? -1 : strcmp(x->text, y->text);
}

static void write_one(struct buf *out, const char *what, unsigned points, const char *text)
{
	struct json j;

	if (out->n)
		buf_add_char(out, ',');
	json_init(&j, out);
	json_object_open(&j);
	json_kv_u64(&j, "points", points);
	json_kv_str(&j, "what", what);
	json_kv_str(&j, "text", text);
	json_object_close(&j);
}

unsigned risk_write(struct risk_part *p, struct buf *out)
{
	double factor = 1, sum = 0;
	unsigned given = 0, shown = 0;

	qsort(p->items, p->count, sizeof(p->items[0]), by_points);
	for (size_t i = 0; i < p->count; i++, factor *= p->kind->next) {
		sum += p->items[i].points * factor;
		if (sum > p->kind->most)
			sum = p->kind->most;
		/* What rounding withholds, the next one gets. */
		unsigned points = (unsigned)(sum + 0.5) - given;

		if (i >= RISK_REASONS_SHOWN || !points)
			continue;
		write_one(out, p->kind->name, points, p->items[i].text);
		given += points;
		shown++;
	}
	unsigned rest = (unsigned)(sum + 0.5) - given;
	if (rest) {
		char text[64];

		snprintf(text, sizeof(text), "%zu more", p->count + p->left_out - shown);
		write_one(out, p->kind->name, rest, text);
	}
	return given + rest;
}

double risk_vuln_points(const struct risk_vuln *v)
{
	static const double of_severity[] = { [VULN_UNKNOWN] = 0.5, [VULN_NONE] = 0,   [VULN_LOW] = 0.3,
					      [VULN_MEDIUM] = 1.5,  [VULN_HIGH] = 5, [VULN_CRITICAL] = 10 };
	double points = (size_t)v->severity < ARRAY_LEN(of_severity) ? of_severity[v->severity] : 0;

	points += v->epss >= 0.5 ? 10 : v->epss >= 0.1 ? 5 : v->epss >= 0.01 ? 1 : 0;
	points += v->is_kev ? 20 : 0;
	if (v->is_executed)
		return points;
	return points * (v->is_loaded ? 0.8 : v->is_used_known ? 0.25 : 0.5);
}

double risk_finding_points(enum msg_severity severity)
{
	static const double of[] = { 0.2, 1, 3, 8, 15 };

	return (size_t)severity < ARRAY_LEN(of) ? of[severity] : 0;
}

double risk_alert_points(enum msg_severity severity, uint64_t age_ns)
{
	static const double of[] = { 0.5, 2, 8, 20, 40 };
	static const double half_ns = 3.0 * 24 * 3600 * 1e9;

	return (size_t)severity < ARRAY_LEN(of) ? of[severity] * half_ns / (half_ns + (double)age_ns) : 0;
}

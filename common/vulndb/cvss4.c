/* cvss4.c - CVSS 4.0: the score of the macro vector, less the way to the next lower one that the vector has
 * gone already (specification, section 8.2). */
#include "common/vulndb/cvss_priv.h"

#include <math.h>

enum metric {
	AV, AC, AT, PR, UI, VC, VI, VA, SC, SI, SA, /* the base; each has a modified one, in the same order */
	E, CR, IR, AR,
	MAV,
	METRIC_LEVELS = MAV,
};

static const struct cvss_metric metrics[] = {
	{ "AV", "N A L P" },
	{ "AC", "L H" },
	{ "AT", "N P" },
	{ "PR", "N L H" },
	{ "UI", "N P A" },
	{ "VC", "H L N" },
	{ "VI", "H L N" },
	{ "VA", "H L N" },
	{ "SC", "H L N" },
	{ "SI", "H L N" },
	{ "SA", "H L N" },
	{ "E", "X A P U", true },
	{ "CR", "X H M L", true },
	{ "IR", "X H M L", true },
	{ "AR", "X H M L", true },
	{ "MAV", "X N A L P", true },
	{ "MAC", "X L H", true },
	{ "MAT", "X N P", true },
	{ "MPR", "X N L H", true },
	{ "MUI", "X N P A", true },
	{ "MVC", "X H L N", true },
	{ "MVI", "X H L N", true },
	{ "MVA", "X H L N", true },
	{ "MSC", "X H L N", true },
	{ "MSI", "X S H L N", true },
	{ "MSA", "X S H L N", true },
	{ "S", "X N P", true },
	{ "AU", "X N Y", true },
	{ "R", "X A U I", true },
	{ "V", "X D C", true },
	{ "RE", "X L M H", true },
	{ "U", "X Clear Green Amber Red", true },
};

/* How far each metric in force is from the worst, in steps: 0 = worst. SC, SI and SA begin at 1: their 0 is
 * "safety", which only the modified ones can say. */
static void levels_of(const uint8_t *at, int level[METRIC_LEVELS])
{
	for (int m = AV; m <= SA; m++) {
		uint8_t modified = at[MAV + m];
		bool is_modified = modified != CVSS_UNSET && modified != 0;

		level[m] = is_modified ? modified - 1 : at[m];
		if (m == SC || ((m == SI || m == SA) && !is_modified))
			level[m]++;
	}
	for (int m = E; m <= AR; m++)
		level[m] = at[m] == CVSS_UNSET || at[m] == 0 ? 0 : at[m] - 1;
}

struct macro {
	int eq[6];
};

static struct macro macro_of(const int l[METRIC_LEVELS])
{
	struct macro m = { 0 };

	if (l[AV] || l[PR] || l[UI])
		m.eq[0] = l[AV] != 3 && (!l[AV] || !l[PR] || !l[UI]) ? 1 : 2;
	m.eq[1] = l[AC] || l[AT];
	if (l[VC] || l[VI])
		m.eq[2] = !l[VC] || !l[VI] || !l[VA] ? 1 : 2;
	if (l[SI] && l[SA])
		m.eq[3] = l[SC] == 1 || l[SI] == 1 || l[SA] == 1 ? 1 : 2;
	m.eq[4] = l[E];
	m.eq[5] = !((!l[CR] && !l[VC]) || (!l[IR] && !l[VI]) || (!l[AR] && !l[VA]));
	return m;
}

/* Tenths; 0 where there is no such macro vector. */
static int macro_score(struct macro m)
{
	static const uint8_t table[3][2][3][3][6] = {
#define MACRO(a, b, c, d, ...) [a][b][c][d] = { __VA_ARGS__ },
#include "common/vulndb/cvss4.def"
#undef MACRO
	};

	if (m.eq[0] > 2 || m.eq[1] > 1 || m.eq[2] > 2 || m.eq[3] > 2 || m.eq[4] > 2 || m.eq[5] > 1)
		return 0;
	return table[m.eq[0]][m.eq[1]][m.eq[2]][m.eq[3]][m.eq[4] * 2 + m.eq[5]];
}

/* ---- the way gone within the macro vector ---- */

/* The worst vectors of a class: which levels its metrics have. depth: steps from there to the mildest. */
struct worst {
	uint8_t eq, value; /* eq 2 is eq3 and eq6 together: value = eq3 * 2 + eq6 */
	uint8_t level[6];
};

static const struct worst worsts[] = {
	{ 0, 0, { 0, 0, 0 } },
	{ 0, 1, { 1, 0, 0 } },
	{ 0, 1, { 0, 1, 0 } },
	{ 0, 1, { 0, 0, 1 } },
	{ 0, 2, { 3, 0, 0 } },
	{ 0, 2, { 1, 1, 1 } },
	{ 1, 0, { 0, 0 } },
	{ 1, 1, { 1, 0 } },
	{ 1, 1, { 0, 1 } },
	{ 2, 0, { 0, 0, 0, 0, 0, 0 } },
	{ 2, 1, { 0, 0, 1, 1, 1, 0 } },
	{ 2, 1, { 0, 0, 0, 1, 1, 1 } },
	{ 2, 2, { 1, 0, 0, 0, 0, 0 } },
	{ 2, 2, { 0, 1, 0, 0, 0, 0 } },
	{ 2, 3, { 1, 0, 1, 0, 1, 0 } },
	{ 2, 3, { 1, 0, 0, 0, 1, 1 } },
	{ 2, 3, { 0, 1, 0, 1, 0, 1 } },
	{ 2, 3, { 0, 1, 1, 1, 0, 0 } },
	{ 2, 3, { 1, 1, 0, 0, 0, 1 } },
	{ 2, 5, { 1, 1, 1, 0, 0, 0 } },
	{ 3, 0, { 1, 0, 0 } },
	{ 3, 1, { 1, 1, 1 } },
	{ 3, 2, { 2, 2, 2 } },
};

static const struct class {
	uint8_t metrics[6], count;
	uint8_t depth[6]; /* by value */
} classes[] = {
	{ { AV, PR, UI }, 3, { 1, 4, 5 } },
	{ { AC, AT }, 2, { 1, 2 } },
	{ { VC, VI, VA, CR, IR, AR }, 6, { 7, 6, 8, 8, 0, 10 } },
	{ { SC, SI, SA }, 3, { 6, 5, 4 } },
};

/* Steps from the first of the class's worst vectors that is nowhere milder than ours. */
static int distance(unsigned eq, int value, const int level[METRIC_LEVELS])
{
	const struct class *c = &classes[eq];

	for (size_t i = 0; i < ARRAY_LEN(worsts); i++) {
		int sum = 0;

		if (worsts[i].eq != eq || worsts[i].value != value)
			continue;
		for (unsigned k = 0; k < c->count && sum >= 0; k++) {
			int step = level[c->metrics[k]] - worsts[i].level[k];
			sum = step < 0 ? -1 : sum + step;
		}
		if (sum >= 0)
			return sum;
	}
	return 0;
}

static int next_lower(struct macro m, unsigned eq)
{
	if (eq != 2) {
		m.eq[eq]++;
		return macro_score(m);
	}
	struct macro by_eq3 = m, by_eq6 = m;
	by_eq3.eq[2]++;
	by_eq6.eq[5]++;
	int a = macro_score(by_eq3), b = macro_score(by_eq6);
	return a > b ? a : b;
}

int cvss4_score(struct slice text, double *ret, struct err *err)
{
	uint8_t at[ARRAY_LEN(metrics)];
	int level[METRIC_LEVELS], n = 0;
	double sum = 0;

	int r = cvss_metrics_read(text, metrics, ARRAY_LEN(metrics), at, err);
	if (r < 0)
		return r;
	levels_of(at, level);
	struct macro m = macro_of(level);
	int score = macro_score(m);
	for (unsigned eq = 0; eq < 5; eq++) {
		int lower = next_lower(m, eq);

		if (!lower)
			continue;
		n++;
		if (eq == 4) /* exploit maturity has one metric: nothing is gone within its class */
			continue;
		int value = eq == 2 ? m.eq[2] * 2 + m.eq[5] : m.eq[eq];
		sum += (double)(score - lower) * distance(eq, value, level) / classes[eq].depth[value];
	}
	bool no_impact = level[VC] == 2 && level[VI] == 2 && level[VA] == 2 && level[SC] == 3 && level[SI] == 3 &&
			 level[SA] == 3;
	double tenths = no_impact ? 0 : score - (n ? sum / n : 0);
	*ret = tenths <= 0 ? 0 : floor(fmin(tenths, 100) + 0.5 + 1e-5) / 10;
	return 0;
}

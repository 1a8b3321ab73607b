/* cvss.c - see cvss.h. Formulas and weights are those of FIRST's specifications 2.0, 3.0 and 3.1. */
#include "common/vulndb/cvss_priv.h"

#include <math.h>

/* ---- reading ---- */

static int find_metric(struct slice name, const struct cvss_metric *metrics, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_is(name, metrics[i].name))
			return (int)i;
	return -1;
}

static int find_value(struct slice value, const char *values)
{
	struct slice rest = slice_of(values), one;

	for (int i = 0; slice_split(&rest, ' ', &one); i++)
		if (slice_eq(one, value))
			return i;
	return -1;
}

static int read_metric(struct slice field, const struct cvss_metric *metrics, size_t count, uint8_t *at,
		       struct err *err)
{
	struct slice rest = field, name = SLICE_NONE;
	int m = slice_split(&rest, ':', &name) ? find_metric(name, metrics, count) : -1;

	if (m < 0)
		return err_set(err, ERR_SYNTAX, "CVSS vector: unknown metric '%.*s'", SLICE_FMT(slice_sub(name, 0, 20)));
	int v = find_value(rest, metrics[m].values);
	if (v < 0)
		return err_set(err, ERR_SYNTAX, "CVSS vector: metric %s has no such value", metrics[m].name);
	if (at[m] != CVSS_UNSET)
		return err_set(err, ERR_SYNTAX, "CVSS vector: metric %s stands twice", metrics[m].name);
	at[m] = (uint8_t)v;
	return 0;
}

int cvss_metrics_read(struct slice text, const struct cvss_metric *metrics, size_t count, uint8_t *at,
		      struct err *err)
{
	struct slice field;

	memset(at, CVSS_UNSET, count);
	while (slice_split(&text, '/', &field)) {
		int r = read_metric(field, metrics, count, at, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++)
		if (at[i] == CVSS_UNSET && !metrics[i].is_optional)
			return err_set(err, ERR_SYNTAX, "CVSS vector: metric %s is missing", metrics[i].name);
	return 0;
}

/* ---- version 2 ---- */

enum { V2_AV, V2_AC, V2_AU, V2_C, V2_I, V2_A };

static const struct cvss_metric v2_metrics[] = {
	{ "AV", "L A N" },
	{ "AC", "H M L" },
	{ "Au", "M S N" },
	{ "C", "N P C" },
	{ "I", "N P C" },
	{ "A", "N P C" },
	{ "E", "U POC F H ND", true },
	{ "RL", "OF TF W U ND", true },
	{ "RC", "UC UR C ND", true },
	{ "CDP", "N L LM MH H ND", true },
	{ "TD", "N L M H ND", true },
	{ "CR", "L M H ND", true },
	{ "IR", "L M H ND", true },
	{ "AR", "L M H ND", true },
};

static int v2_score(struct slice metrics, double *ret, struct err *err)
{
	static const double av[] = { 0.395, 0.646, 1.0 }, ac[] = { 0.35, 0.61, 0.71 };
	static const double au[] = { 0.45, 0.56, 0.704 }, cia[] = { 0, 0.275, 0.660 };
	uint8_t at[ARRAY_LEN(v2_metrics)];

	int r = cvss_metrics_read(metrics, v2_metrics, ARRAY_LEN(v2_metrics), at, err);
	if (r < 0)
		return r;
	double impact = 10.41 * (1 - (1 - cia[at[V2_C]]) * (1 - cia[at[V2_I]]) * (1 - cia[at[V2_A]]));
	double exploitability = 20 * av[at[V2_AV]] * ac[at[V2_AC]] * au[at[V2_AU]];
	double base = (0.6 * impact + 0.4 * exploitability - 1.5) * (impact == 0 ? 0 : 1.176);
	*ret = base <= 0 ? 0 : round(base * 10) / 10;
	return 0;
}

/* ---- version 3 ---- */

enum { V3_AV, V3_AC, V3_PR, V3_UI, V3_S, V3_C, V3_I, V3_A };

static const struct cvss_metric v3_metrics[] = {
	{ "AV", "N A L P" },
	{ "AC", "L H" },
	{ "PR", "N L H" },
	{ "UI", "N R" },
	{ "S", "U C" },
	{ "C", "N L H" },
	{ "I", "N L H" },
	{ "A", "N L H" },
	{ "E", "X U P F H", true },
	{ "RL", "X O T W U", true },
	{ "RC", "X U R C", true },
	{ "CR", "X L M H", true },
	{ "IR", "X L M H", true },
	{ "AR", "X L M H", true },
	{ "MAV", "X N A L P", true },
	{ "MAC", "X L H", true },
	{ "MPR", "X N L H", true },
	{ "MUI", "X N R", true },
	{ "MS", "X U C", true },
	{ "MC", "X N L H", true },
	{ "MI", "X N L H", true },
	{ "MA", "X N L H", true },
};

/* To one decimal, upwards; by integers, so that 4.02 in binary is not seen as 4.0200000001 (3.1, appendix A). */
static double round_up(double x)
{
	long n = lround(x * 100000);

	return n % 10000 == 0 ? (double)n / 100000 : (double)(n / 10000 + 1) / 10;
}

static int v3_score(struct slice metrics, double *ret, struct err *err)
{
	static const double av[] = { 0.85, 0.62, 0.55, 0.2 }, ac[] = { 0.77, 0.44 }, ui[] = { 0.85, 0.62 };
	static const double pr[2][3] = { { 0.85, 0.62, 0.27 }, { 0.85, 0.68, 0.5 } }, cia[] = { 0, 0.22, 0.56 };
	uint8_t at[ARRAY_LEN(v3_metrics)];

	int r = cvss_metrics_read(metrics, v3_metrics, ARRAY_LEN(v3_metrics), at, err);
	if (r < 0)
		return r;
	bool changed = at[V3_S] == 1;
	double iss = 1 - (1 - cia[at[V3_C]]) * (1 - cia[at[V3_I]]) * (1 - cia[at[V3_A]]);
	double impact = changed ? 7.52 * (iss - 0.029) - 3.25 * pow(iss - 0.02, 15) : 6.42 * iss;
	double exploitability = 8.22 * av[at[V3_AV]] * ac[at[V3_AC]] * pr[changed][at[V3_PR]] * ui[at[V3_UI]];
	double sum = changed ? 1.08 * (impact + exploitability) : impact + exploitability;
	*ret = impact <= 0 ? 0 : round_up(fmin(sum, 10));
	return 0;
}

/* ---- all ---- */

static enum vuln_severity severity_of(double score, bool is_v2)
{
	if (is_v2)
		return score >= 7 ? VULN_HIGH : score >= 4 ? VULN_MEDIUM : VULN_LOW;
	if (score >= 7)
		return score >= 9 ? VULN_CRITICAL : VULN_HIGH;
	return score >= 4 ? VULN_MEDIUM : score > 0 ? VULN_LOW : VULN_NONE;
}

static const struct form {
	struct slice prefix;
	unsigned version;
	int (*score)(struct slice metrics, double *ret, struct err *err);
} forms[] = {
	{ { "CVSS:3.1/", 9 }, 3, v3_score },
	{ { "CVSS:3.0/", 9 }, 3, v3_score },
	{ { "CVSS:4.0/", 9 }, 4, cvss4_score },
	{ { "CVSS:2.0/", 9 }, 2, v2_score },
	{ { "AV:", 3 }, 2, v2_score },
};

static const struct form *form_of(struct slice *vector)
{
	if (vector->n > 2 && vector->p[0] == '(' && vector->p[vector->n - 1] == ')')
		*vector = slice_sub(*vector, 1, vector->n - 2);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (slice_starts(*vector, forms[i].prefix))
			return &forms[i];
	return NULL;
}

unsigned cvss_version(struct slice vector)
{
	const struct form *f = form_of(&vector);

	return f ? f->version : 0;
}

int cvss_score(struct slice vector, double *ret, enum vuln_severity *ret_severity, struct err *err)
{
	double score;

	if (vector.n > CVSS_VECTOR_MAX)
		return err_set(err, ERR_LIMIT, "CVSS vector: over %d bytes", CVSS_VECTOR_MAX);
	const struct form *f = form_of(&vector);
	if (!f)
		return err_set(err, ERR_SYNTAX, "CVSS vector: begins like none of 2.0, 3.0, 3.1, 4.0");
	/* a bare v2 vector begins with its first metric */
	int r = f->score(slice_sub(vector, f->prefix.n == 3 ? 0 : f->prefix.n, SIZE_MAX), &score, err);
	if (r < 0)
		return r;
	*ret = score;
	*ret_severity = severity_of(score, f->version == 2);
	return 0;
}

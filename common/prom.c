/* prom.c - see prom.h. */
#include "common/prom.h"

#include <inttypes.h>

static const char *const kinds[] = { "counter", "gauge", "histogram" };
static const uint64_t bounds_ms[PROM_CLASSES] = { 1, 5, 10, 25, 50, 100, 250, 1000, 2500, 10000 };

void prom_family(struct buf *out, const char *name, enum prom_kind kind, const char *help)
{
	buf_printf(out, "# HELP %s ", name);
	for (const char *p = help; *p; p++)
		if (*p == '\\' || *p == '\n')
			buf_add_str(out, *p == '\n' ? "\\n" : "\\\\");
		else
			buf_add_char(out, *p);
	buf_printf(out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

static void add_value(struct buf *out, const char *v)
{
	for (const char *p = v; *p; p++)
		switch (*p) {
		case '"':
			buf_add_str(out, "\\\"");
			break;
		case '\\':
			buf_add_str(out, "\\\\");
			break;
		case '\n':
			buf_add_str(out, "\\n");
			break;
		default:
			buf_add_char(out, *p);
		}
}

static void add_name(struct buf *out, const char *name, const char *const *labels)
{
	buf_add_str(out, name);
	for (size_t i = 0; labels && labels[i]; i += 2) {
		buf_printf(out, "%s%s=\"", i ? "," : "{", labels[i]);
		add_value(out, labels[i + 1]);
		buf_add_char(out, '"');
	}
	if (labels && labels[0])
		buf_add_char(out, '}');
}

void prom_u64(struct buf *out, const char *name, const char *const *labels, uint64_t value)
{
	add_name(out, name, labels);
	buf_printf(out, " %" PRIu64 "\n", value);
}

void prom_f64(struct buf *out, const char *name, const char *const *labels, double value)
{
	add_name(out, name, labels);
	buf_printf(out, " %.9g\n", value);
}

void prom_one(struct buf *out, const char *name, enum prom_kind kind, const char *help, uint64_t value)
{
	prom_family(out, name, kind, help);
	prom_u64(out, name, NULL, value);
}

void prom_durations_add(struct prom_durations *d, uint64_t ns)
{
	size_t i = 0;

	while (i < PROM_CLASSES && ns > bounds_ms[i] * 1000000)
		i++;
	d->count[i]++;
	d->total++;
	d->sum_ns += ns;
}

uint64_t prom_durations_quantile(const struct prom_durations *d, const struct prom_durations *before, double quantile)
{
	uint64_t all = d->total - (before ? before->total : 0), seen = 0;

	if (!all)
		return 0;
	for (size_t i = 0; i <= PROM_CLASSES; i++) {
		seen += d->count[i] - (before ? before->count[i] : 0);
		if ((double)seen >= quantile * (double)all)
			return i < PROM_CLASSES ? bounds_ms[i] * 1000000 : UINT64_MAX;
	}
	return UINT64_MAX;
}

uint64_t prom_durations_over(const struct prom_durations *d, const struct prom_durations *before, uint64_t ns)
{
	uint64_t n = 0;

	for (size_t i = 1; i <= PROM_CLASSES; i++)
		if (bounds_ms[i - 1] * 1000000 >= ns)
			n += d->count[i] - (before ? before->count[i] : 0);
	return n;
}

void prom_durations_write(struct buf *out, const char *name, const char *help, const struct prom_durations *d)
{
	char whole[128], le[32];
	uint64_t sum = 0;

	prom_family(out, name, PROM_HISTOGRAM, help);
	snprintf(whole, sizeof(whole), "%s_bucket", name);
	for (size_t i = 0; i < PROM_CLASSES; i++) {
		sum += d->count[i];
		snprintf(le, sizeof(le), "%g", (double)bounds_ms[i] / 1000);
		prom_u64(out, whole, PROM_LABELS("le", le), sum);
	}
	prom_u64(out, whole, PROM_LABELS("le", "+Inf"), d->total);
	snprintf(whole, sizeof(whole), "%s_sum", name);
	prom_f64(out, whole, NULL, (double)d->sum_ns / 1e9);
	snprintf(whole, sizeof(whole), "%s_count", name);
	prom_u64(out, whole, NULL, d->total);
}

/* prom.h - metrics in Prometheus' text format 0.0.4, written one family after the other into a buf. */
#pragma once
#include "common/buf.h"

enum prom_kind { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

/* Opens a family. name: as it is exposed, of counters with its _total. help: one line. */
void prom_family(struct buf *out, const char *name, enum prom_kind kind, const char *help);
/* One sample of a family. labels: pairs of name and value, NULL-terminated, values escaped; nullable. */
void prom_u64(struct buf *out, const char *name, const char *const *labels, uint64_t value);
void prom_f64(struct buf *out, const char *name, const char *const *labels, double value);
#define PROM_LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A family with one sample. */
void prom_one(struct buf *out, const char *name, enum prom_kind kind, const char *help, uint64_t value);

/* How long something takes, in ten classes from 1 ms to 10 s; the last class is everything. */
enum { PROM_CLASSES = 10 };
struct prom_durations {
	uint64_t count[PROM_CLASSES + 1]; /* not cumulative */
	uint64_t sum_ns, total;
};
void prom_durations_add(struct prom_durations *d, uint64_t ns);
/* The bound of the class that the quantile (0..1) of what came since `before` falls into, ns; of the last class
 * UINT64_MAX; 0 when nothing came. before: an earlier copy; nullable. */
uint64_t prom_durations_quantile(const struct prom_durations *d, const struct prom_durations *before, double quantile);
/* How many of those since `before` were certainly longer than ns (in classes that begin there or above). */
uint64_t prom_durations_over(const struct prom_durations *d, const struct prom_durations *before, uint64_t ns);
/* The whole family, in seconds. */
void prom_durations_write(struct buf *out, const char *name, const char *help, const struct prom_durations *d);

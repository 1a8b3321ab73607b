/* cvss_priv.h - how a vector's metrics reach the formulas. */
#pragma once
#include "common/vulndb/cvss.h"

/* A metric: its name, and its values in the order of the formulas' tables, a blank between them. */
struct cvss_metric {
	const char *name;
	const char *values;
	bool is_optional;
};

enum { CVSS_METRICS_MAX = 40, CVSS_UNSET = 255 };

/* Reads "NAME:VALUE/…" into at[i] = which value of metrics[i] (CVSS_UNSET: optional and absent). */
int cvss_metrics_read(struct slice text, const struct cvss_metric *metrics, size_t count, uint8_t *at,
		      struct err *err) WARN_UNUSED;
int cvss4_score(struct slice metrics, double *ret, struct err *err) WARN_UNUSED;

/* format.h - a scan's result as people and tools want it. Formatters read the result and write; what goes
 * wrong with writing sticks in out. */
#pragma once
#include "agent/scan/result.h"
#include "common/out.h"

struct format_options {
	bool list_packages, show_suppressed;
	unsigned columns; /* of the terminal; 0 = any width */
	bool is_coloured;
};

typedef int (*format_fn)(const struct scan_result *r, const struct format_options *o, struct out *out,
			 struct err *err);

struct format {
	const char *name;
	format_fn write;
	bool needs_database; /* without one there is nothing to say */
};
/* NULL with ERR_USAGE, which names those there are. */
const struct format *format_find(const char *name, struct err *err);

int format_table(const struct scan_result *, const struct format_options *, struct out *,
		 struct err *) WARN_UNUSED;
int format_json(const struct scan_result *, const struct format_options *, struct out *,
		 struct err *) WARN_UNUSED;
int format_trivy(const struct scan_result *, const struct format_options *, struct out *,
		 struct err *) WARN_UNUSED;
int format_sarif(const struct scan_result *, const struct format_options *, struct out *,
		 struct err *) WARN_UNUSED;
int format_cyclonedx(const struct scan_result *, const struct format_options *, struct out *,
		 struct err *) WARN_UNUSED;
int format_spdx(const struct scan_result *, const struct format_options *, struct out *,
		 struct err *) WARN_UNUSED;

/* The package's purl, in out's scratch memory until out_flush. */
struct slice format_purl(const struct scan_result *r, size_t package, struct out *o);
/* Text in scratch memory; empty past its cap. */
struct slice format_text(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct slice format_path(const Picket__Package *p);

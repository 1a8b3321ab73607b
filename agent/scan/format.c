/* format.c - see format.h. */
#include "agent/scan/format.h"

#include <stdarg.h>

#include "agent/scan/purl.h"

static const struct format formats[] = {
	{ "table", format_table, true },	 { "json", format_json, true },
	{ "sarif", format_sarif, true },	 { "cyclonedx", format_cyclonedx, false },
	{ "spdx", format_spdx, false },		 { "trivy-json", format_trivy, true },
};

const struct format *format_find(const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (!strcmp(name, formats[i].name))
			return &formats[i];
	}
	(void)err_set(err, ERR_USAGE,
		      "there is no format '%s': table, json, sarif, cyclonedx, spdx and trivy-json there are", name);
	return NULL;
}

struct slice format_purl(const struct scan_result *r, size_t package, struct out *o)
{
	struct purl p = purl_of_package(r->packages[package].pkg, r->inventory->os, o->scratch);
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	purl_write(&p, &text);
	const char *copy = arena_dup(o->scratch, buf_slice(&text));
	return copy ? (struct slice){ copy, text.n } : SLICE_NONE;
}

struct slice format_text(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *dst = n < 0 ? NULL : arena_alloc(o->scratch, (size_t)n + 1);
	if (!dst)
		return SLICE_NONE;
	va_start(ap, fmt);
	vsnprintf(dst, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct slice){ dst, (size_t)n };
}

struct slice format_path(const Picket__Package *p)
{
	return slice_from(p->path.data, p->path.len);
}

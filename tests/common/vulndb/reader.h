/* reader.h - what a reader tells, as lines of text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/vulndb/feeds.h"

/* key part record: ecosystem name [introduced-fixed] status severity note; … */
static inline int put_advisory(void *arg, const struct advisory *a, struct err *err)
{
	struct buf *b = arg;

	buf_printf(b, "%.*s", SLICE_FMT(a->key));
	if (a->part.n)
		buf_printf(b, " part=%.*s", SLICE_FMT(a->part));
	if (a->withdrawn.n)
		buf_add_str(b, " withdrawn");
	for (size_t i = 0; i < a->affected_count; i++) {
		const struct advisory_affected *af = &a->affected[i];

		buf_printf(b, "; %.*s %.*s %s", SLICE_FMT(af->ecosystem), SLICE_FMT(af->name), vuln_status_name(af->status));
		for (size_t k = 0; k < af->events.count; k++)
			buf_printf(b, "%s%.*s", k ? "-" : " ", SLICE_FMT(af->events.v[k].version));
		if (af->has_severity)
			buf_printf(b, " %s", vuln_severity_name(af->severity));
		if (af->note.n)
			buf_printf(b, " (%.*s)", SLICE_FMT(af->note));
	}
	buf_add_char(b, '\n');
	return 0;
}

static inline int put_bad(void *arg, const char *what, struct err *err)
{
	buf_printf(arg, "bad: %s\n", what);
	return 0;
}

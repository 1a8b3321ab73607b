/* bpf_said.h - why the kernel refused a program: the telling line of what libbpf prints, kept instead of printed.
 * For who links libbpf. */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "common/cleanup.h"
#include "common/slice.h"

struct bpf_said {
	char why[160];
	bool is_verdict; /* why is the verifier's: nothing said after it tells more */
};

/* The body of a libbpf_print_fn_t. */
static inline int bpf_said_keep(struct bpf_said *s, enum libbpf_print_level level, const char *fmt, va_list ap)
{
	CLEANUP(freep) char *text = NULL;

	if (level != LIBBPF_WARN || s->is_verdict)
		return 0;
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		return 0;
	}
	/* The verifier's log: why it refused stands in the line before its count. */
	const char *line = text;
	char *end = strstr(text, "\nprocessed ");
	if (end) {
		*end = 0;
		const char *before = strrchr(text, '\n');
		line = before ? before + 1 : text;
		s->is_verdict = true;
	} else {
		text[strcspn(text, "\n")] = 0;
	}
	(void)slice_copy(slice_of(line), s->why, sizeof(s->why));
	return 0;
}

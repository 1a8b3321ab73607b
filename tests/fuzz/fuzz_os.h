/* fuzz_os.h - a parser of agent/image/os over the fuzzer's bytes: whatever they are, what comes out is text. */
#pragma once
#include <assert.h>

#include "agent/image/os/rpm_header.h"
#include "common/text.h"

typedef int (*fuzz_os_fn)(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);

static int fuzz_package(void *arg, const struct pkg *p)
{
	(void)arg;
	assert(p->name.n && p->name.n <= OS_TEXT_MAX && text_is_clean(p->name));
	assert(p->version.n <= OS_TEXT_MAX && text_is_clean(p->version));
	assert(text_is_clean(p->arch) && text_is_clean(p->source) && text_is_clean(p->source_version));
	return 0;
}

static int fuzz_owned(void *arg, const struct pkg_owned *o)
{
	(void)arg;
	assert(o->path.n && o->path.p[0] != '/' && o->path.p[o->path.n - 1] != '/');
	return 0;
}

static const struct pkg_out fuzz_out = { .package = fuzz_package, .owned = fuzz_owned };

static inline int fuzz_os(const char *path, fuzz_os_fn fn, const uint8_t *data, size_t size)
{
	const struct slice bytes = slice_from(data, size);
	const struct blob b = blob_from_slice(&bytes);
	struct err err;

	(void)fn(slice_of(path), &b, &fuzz_out, &err);
	return 0;
}

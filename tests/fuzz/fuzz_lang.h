/* fuzz_lang.h - a row of the table of languages, by the name a file would have, over the fuzzer's bytes. */
#pragma once
#include <assert.h>
#include <fnmatch.h>

#include "agent/image/lang/give.h"
#include "common/text.h"

static int fuzz_package(void *arg, const struct pkg *p)
{
	(void)arg;
	assert(p->name.n && p->name.n <= GIVE_TEXT_MAX && text_is_clean(p->name));
	assert(p->version.n <= GIVE_TEXT_MAX && text_is_clean(p->version));
	return 0;
}

static int fuzz_owned(void *arg, const struct pkg_owned *o)
{
	(void)arg;
	assert(o->path.n && o->path.p[0] != '/' && slice_find(o->path, SLICE_LIT("../")) != 0);
	return 0;
}

/* *arg: the bytes, as what stands beside the file. */
static struct slice fuzz_sibling(void *arg, const char *name)
{
	(void)name;
	return *(struct slice *)arg;
}

/* The first byte says which of the paths it is. */
static inline int fuzz_lang(const char *const *paths, size_t count, const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	const char *path = paths[data[0] % count], *last = strrchr(path, '/');
	struct slice text = slice_from(data + 1, size - 1);
	struct pkg_out out = { fuzz_package, fuzz_owned, &text, fuzz_sibling };
	struct blob b = blob_from_slice(&text);

	for (size_t i = 0; i < pkg_lang_parser_count; i++) {
		const struct pkg_parser *p = &pkg_lang_parsers[i];

		if (p->match == PKG_NAME ? strcmp(last ? last + 1 : path, p->pattern) : fnmatch(p->pattern, path, 0))
			continue;
		int r = p->parse ? p->parse(slice_of(path), text, &out, NULL) :
				   p->read(slice_of(path), &b, &out, NULL);
		assert(r <= 0);
	}
	return 0;
}

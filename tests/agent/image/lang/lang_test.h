/* lang_test.h - a file as the table's rows read it, and what came out as lines of text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fnmatch.h>

#include "agent/image/pkg.h"
#include "common/buf.h"

enum { GOT_MAX = 20000 };

struct got {
	struct buf packages; /* "name version[ dev]\n", in the order in which they came */
	struct buf owned;    /* "key path\n" */
	size_t count, rows;  /* packages; rows of the table that took the file */
	int result;
	struct err err;
	struct slice (*sibling)(void *arg, const char *name);
};

static int got_package(void *arg, const struct pkg *p)
{
	struct got *g = arg;

	buf_printf(&g->packages, "%.*s %.*s%s\n", SLICE_FMT(p->name), SLICE_FMT(p->version),
		   p->is_dev ? " dev" : "");
	g->count++;
	return 0;
}

static int got_owned(void *arg, const struct pkg_owned *o)
{
	struct got *g = arg;

	buf_printf(&g->owned, "%.*s %.*s\n", SLICE_FMT(o->key), SLICE_FMT(o->path));
	return 0;
}

static inline bool row_matches(const struct pkg_parser *p, const char *path)
{
	const char *last = strrchr(path, '/');

	if (p->match == PKG_NAME)
		return !strcmp(last ? last + 1 : path, p->pattern);
	return p->match == PKG_GLOB && !fnmatch(p->pattern, path, 0);
}

/* By every row that wants the path, in a copy of exactly its size, so that the sanitizer sees a read past
 * the end. The result of the last row that failed stays. */
static inline void get(struct got *g, const char *path, struct slice text)
{
	struct pkg_out out = { got_package, got_owned, g, g->sibling };
	char *copy = malloc(text.n ? text.n : 1);

	assert_non_null(copy);
	if (text.n)
		memcpy(copy, text.p, text.n);
	struct slice exact = { copy, text.n };
	for (size_t i = 0; i < pkg_lang_parser_count; i++) {
		const struct pkg_parser *p = &pkg_lang_parsers[i];
		struct blob b = blob_from_slice(&exact);

		if (!row_matches(p, path))
			continue;
		g->rows++;
		int r = p->parse ? p->parse(slice_of(path), exact, &out, &g->err) :
				   p->read(slice_of(path), &b, &out, &g->err);
		if (r)
			g->result = r;
	}
	free(copy);
}

static inline void got_init(struct got *g)
{
	*g = (struct got){ 0 };
	buf_init(&g->packages, 64 << 20);
	buf_init(&g->owned, 64 << 20);
}

static inline void got_fini(struct got *g)
{
	buf_fini(&g->packages);
	buf_fini(&g->owned);
}

/* owned: NULL where nothing is asked. */
static inline void assert_file(const char *path, const char *text, const char *packages, const char *owned)
{
	struct got g;

	got_init(&g);
	get(&g, path, slice_of(text));
	if (g.result)
		print_error("%s: %s\n", path, g.err.msg);
	assert_int_equal(g.result, 0);
	assert_true(g.rows > 0);
	assert_string_equal(g.packages.n ? g.packages.p : "", packages);
	if (owned)
		assert_string_equal(g.owned.n ? g.owned.p : "", owned);
	got_fini(&g);
}

/* The file is wrong, but what stood before is given; the message has `why` in it. */
static inline void assert_wrong(const char *path, const char *text, const char *packages, int code,
				const char *why)
{
	struct got g;

	got_init(&g);
	get(&g, path, slice_of(text));
	assert_int_equal(g.result, -code);
	if (!strstr(g.err.msg, why))
		fail_msg("%s: \"%s\" has no \"%s\"", path, g.err.msg, why);
	assert_string_equal(g.packages.n ? g.packages.p : "", packages);
	got_fini(&g);
}

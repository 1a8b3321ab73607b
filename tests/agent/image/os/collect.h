/* collect.h - runs the parser that the table names for a path, and keeps what it gives as lines of text:
 * "deb libc6 2.36-9 amd64 glibc 2.36-9" ("-" where there is nothing, " dev" at the end) and "libc6 lib/x". */
#pragma once
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/image/pkg.h"
#include "common/buf.h"

struct collect {
	struct buf packages, owned;
	unsigned package_count, owned_count;
	unsigned stop_after; /* packages; 0: never. The taker then answers STOPPED */
	bool is_counting;    /* keep no text */
	struct err err;
};
enum { STOPPED = -77 };

static inline void collect_init(struct collect *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->packages, 0);
	buf_init(&c->owned, 0);
}

static inline void collect_fini(struct collect *c)
{
	buf_fini(&c->packages);
	buf_fini(&c->owned);
}

static inline void collect_text(struct buf *b, struct slice s, char end)
{
	buf_add_slice(b, s.n ? s : SLICE_LIT("-"));
	buf_add_char(b, end);
}

static inline int collect_package(void *arg, const struct pkg *p)
{
	struct collect *c = arg;

	c->package_count++;
	if (!c->is_counting) {
		collect_text(&c->packages, slice_of(p->ecosystem), ' ');
		collect_text(&c->packages, p->name, ' ');
		collect_text(&c->packages, p->version, ' ');
		collect_text(&c->packages, p->arch, ' ');
		collect_text(&c->packages, p->source, ' ');
		collect_text(&c->packages, p->source_version, p->is_dev ? ' ' : '\n');
		buf_add_str(&c->packages, p->is_dev ? "dev\n" : "");
	}
	return c->package_count == c->stop_after ? STOPPED : 0;
}

static inline int collect_owned(void *arg, const struct pkg_owned *o)
{
	struct collect *c = arg;

	c->owned_count++;
	if (!c->is_counting) {
		collect_text(&c->owned, o->key, ' ');
		collect_text(&c->owned, o->path, '\n');
	}
	return 0;
}

/* path "ELF" asks for the parser of programs. */
static inline const struct pkg_parser *collect_parser(const char *path)
{
	for (size_t i = 0; i < pkg_os_parser_count; i++) {
		const struct pkg_parser *p = &pkg_os_parsers[i];

		if (p->match == PKG_ELF ? !strcmp(path, "ELF") :
		    p->match == PKG_GLOB ? !fnmatch(p->pattern, path, 0) :
					   !strcmp(p->pattern, path))
			return p;
	}
	fail_msg("no parser for %s", path);
	return NULL;
}

static inline int collect_blob(struct collect *c, const char *path, const struct blob *b)
{
	const struct pkg_out out = { collect_package, collect_owned, c };

	memset(&c->err, 0, sizeof(c->err));
	return collect_parser(path)->read(slice_of(path), b, &out, &c->err);
}

static inline int collect_bytes(struct collect *c, const char *path, struct slice bytes)
{
	/* A copy of exactly its size, so that the sanitizer sees a read past the end. */
	char *exact = malloc(bytes.n ? bytes.n : 1);
	struct slice s = { exact, bytes.n };

	assert_non_null(exact);
	if (bytes.n)
		memcpy(exact, bytes.p, bytes.n);
	const struct blob b = blob_from_slice(&s);
	int r = collect_blob(c, path, &b);
	free(exact);
	return r;
}

static inline const char *collect_packages(const struct collect *c)
{
	return c->packages.n ? c->packages.p : "";
}

static inline const char *collect_files(const struct collect *c)
{
	return c->owned.n ? c->owned.p : "";
}

/* All of it, with no error: packages exactly these lines. */
static inline void expect_packages(const char *path, struct slice bytes, const char *want)
{
	struct collect c;

	collect_init(&c);
	int r = collect_bytes(&c, path, bytes);
	if (r)
		fail_msg("%s: %d %s", path, r, c.err.msg);
	assert_string_equal(collect_packages(&c), want);
	collect_fini(&c);
}

/* Every beginning of bytes, and bytes with each one of a sample changed: no crash, no hang; whatever comes out
 * is clean text. step: for large ones. */
static inline void expect_unharmed(const char *path, struct slice bytes, size_t step)
{
	struct collect c;
	char *copy = malloc(bytes.n ? bytes.n : 1);

	assert_non_null(copy);
	collect_init(&c);
	c.is_counting = true;
	for (size_t n = 0; n < bytes.n; n += step)
		(void)collect_bytes(&c, path, slice_sub(bytes, 0, n));
	for (size_t i = 0; i < bytes.n; i += step) {
		static const unsigned char changes[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };

		for (size_t k = 0; k < ARRAY_LEN(changes); k++) {
			memcpy(copy, bytes.p, bytes.n);
			copy[i] = (char)changes[k];
			(void)collect_bytes(&c, path, slice_from(copy, bytes.n));
		}
	}
	collect_fini(&c);
	free(copy);
}

/* The same random bytes in every run, behind what makes the parser look closer. */
static inline void expect_unharmed_by_noise(const char *path, struct slice head)
{
	enum { SIZE = 65536, ROUNDS = 40 };
	static char noise[SIZE];
	struct collect c;
	uint64_t x = 0x9e3779b97f4a7c15ULL;

	collect_init(&c);
	c.is_counting = true;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < SIZE; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			noise[i] = (char)(round % 4 ? x : x % 3 ? 0 : 1);
		}
		if (head.n)
			memcpy(noise, head.p, head.n);
		(void)collect_bytes(&c, path, slice_from(noise, SIZE));
	}
	collect_fini(&c);
}

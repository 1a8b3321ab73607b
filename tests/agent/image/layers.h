/* layers.h - for tests: layers as tars, written with libarchive, and a toy parser whose files are lines of
 * "name version". */
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/image/image_limits.h"
#include "agent/image/merge.h"
#include "common/arena.h"

struct item {
	const char *path;
	const char *content; /* NULL: a folder */
	const char *soft, *hard; /* links */
	unsigned mode;	     /* 0: 0644, 0755 of folders */
};

static inline void tar_add(struct archive *a, const struct item *it)
{
	struct archive_entry *e = archive_entry_new();
	size_t n = it->content ? strlen(it->content) : 0;
	bool is_folder = !it->content && !it->soft && !it->hard;

	archive_entry_set_pathname(e, it->path);
	archive_entry_set_filetype(e, is_folder ? AE_IFDIR : it->soft ? AE_IFLNK : AE_IFREG);
	archive_entry_set_perm(e, (mode_t)(it->mode ? it->mode : is_folder ? 0755 : 0644));
	archive_entry_set_size(e, (la_int64_t)n);
	if (it->soft)
		archive_entry_set_symlink(e, it->soft);
	if (it->hard)
		archive_entry_set_hardlink(e, it->hard);
	assert_true(archive_write_header(a, e) >= ARCHIVE_WARN); /* a name that is no UTF-8 */
	if (n)
		assert_int_equal(archive_write_data(a, it->content, n), n);
	archive_entry_free(e);
}

/* filter: ARCHIVE_FILTER_NONE, _GZIP, _ZSTD. Caller frees with buf_fini. */
static inline struct buf tar_make(const struct item *items, size_t count, int filter)
{
	size_t max = 1 << 20, used = 0;
	struct archive *a = archive_write_new();
	struct buf b = { 0 };

	for (size_t i = 0; i < count; i++)
		max += items[i].content ? strlen(items[i].content) : 0;
	buf_init(&b, max);
	assert_non_null(buf_reserve(&b, max));
	archive_write_set_format_pax_restricted(a);
	archive_write_add_filter(a, filter);
	archive_write_set_bytes_per_block(a, 0);
	assert_int_equal(archive_write_open_memory(a, b.p, max, &used), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++)
		tar_add(a, &items[i]);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	buf_written(&b, used);
	return b;
}

/* ---- the toy parser ---- */

static inline int toy_parse(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct slice line, name;

	while (slice_split(&text, '\n', &line)) {
		if (slice_is(line, "broken"))
			return err_set(err, ERR_SYNTAX, "broken");
		/* "owns NAME /a/file" */
		bool owns = slice_starts(line, SLICE_LIT("owns "));
		if (owns)
			line = slice_sub(line, 5, line.n);
		if (!slice_split(&line, ' ', &name) || !name.n)
			continue;
		struct pkg p = { .ecosystem = slice_ends(path, SLICE_LIT(".lang")) ? "npm" : "deb", .name = name,
				 .version = line };
		struct pkg_owned o = { .ecosystem = p.ecosystem, .key = name, .path = line };
		int r = owns ? (out->owned ? out->owned(out->arg, &o) : 0) : out->package(out->arg, &p);
		if (r)
			return r;
	}
	return 0;
}

/* The same of a file that is read at any offset. */
static inline int toy_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	char text[4096];
	size_t n = 0;

	if (b->size > 4 && b->size < sizeof(text)) {
		int r = b->read_at(b->arg, 4, text, sizeof(text), &n, err);
		if (r < 0)
			return r;
	}
	return toy_parse(path, slice_from(text, n), out, err);
}

static const struct pkg_parser toys[] = {
	{ "toy", PKG_PATH, "var/lib/toy/db", false, 4096, toy_parse, NULL },
	{ "toy-list", PKG_GLOB, "var/lib/toy/info/*.list", false, 4096, toy_parse, NULL },
	{ "toy-lang", PKG_NAME, "toy.lang", false, 4096, toy_parse, NULL },
	{ "toy-lock", PKG_NAME, "toy.lock", true, 4096, toy_parse, NULL },
	{ "toy-elf", PKG_ELF, NULL, false, 0, NULL, toy_read },
	{ "toy-blob", PKG_GLOB, "*.blob", false, 0, NULL, toy_read },
};
static const struct pkg_table toy_table = { toys, ARRAY_LEN(toys) };

/* ---- reading ---- */

struct bench {
	struct matcher *matcher;
	struct budget budget;
	struct facts_room room;
	struct facts_reader fr;
	struct merged merged;
	struct arena *arena;
	struct facts_alias aliases[64];
};

static inline void bench_init(struct bench *b)
{
	*b = (struct bench){ .budget = { 1 << 30, 100000, 1000, 0, NULL }, .room = { 16 << 20, 10000, 100000 } };
	assert_int_equal(matcher_new(&toy_table, 1, false, &b->matcher, NULL), 0);
	b->arena = arena_new(1 << 20);
	b->fr = (struct facts_reader){ .matcher = b->matcher,
				       .parse_bytes = 4096,
				       .spool = { -1, 1 << 20 },
				       .budget = &b->budget,
				       .room = &b->room,
				       .aliases = b->aliases,
				       .wants_owned = true };
	char path[] = "/tmp/image-testXXXXXX";
	b->fr.spool.fd = mkostemp(path, O_CLOEXEC);
	unlink(path);
	merged_init(&b->merged, &b->room);
}

static inline void bench_fini(struct bench *b)
{
	merged_fini(&b->merged);
	assert_int_equal(b->room.bytes_left, 16 << 20); /* all that was taken was given back */
	assert_int_equal(b->room.packages_left, 10000);
	assert_int_equal(b->room.owned_left, 100000);
	matcher_free(b->matcher);
	arena_free(b->arena);
	close(b->fr.spool.fd);
}

static inline int bench_read(struct bench *b, struct slice tar, struct facts *ret, struct err *err)
{
	CLEANUP(stream_closep) struct stream *s = NULL;
	struct stream *plain;

	*ret = (struct facts){ .room = &b->room };
	assert_int_equal(stream_of_slice(tar, &plain, NULL), 0);
	int r = stream_unpacked(plain, &b->budget, &s, err);
	return r < 0 ? r : facts_read_tar(&b->fr, s, ret, err);
}

/* Puts a layer of these items on top. */
static inline void bench_layer(struct bench *b, const struct item *items, size_t count)
{
	struct buf tar = tar_make(items, count, ARCHIVE_FILTER_NONE);
	struct facts f;
	struct err err = { 0 };

	if (bench_read(b, buf_slice(&tar), &f, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(merge_layer(&b->merged, &f, NULL), 0);
	buf_fini(&tar);
}

/* "name version@layer" of all packages, sorted by name, joined by blanks. */
static inline int bench_by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline const char *bench_packages(struct bench *b)
{
	char *list[256], *text = arena_dup(b->arena, SLICE_LIT(""));
	size_t n = 0;

	for (size_t i = 0; i < b->merged.file_count; i++) {
		struct slice rest = buf_slice(&b->merged.files[i].packages);
		struct facts_package p;

		for (size_t k = 0; facts_next_package(&rest, &p) && n < 256; k++)
			list[n++] = arena_printf(b->arena, "%.*s %.*s@%u", SLICE_FMT(p.name), SLICE_FMT(p.version),
						 b->merged.files[i].since[k]);
	}
	qsort(list, n, sizeof(*list), bench_by_text);
	for (size_t i = 0; i < n; i++)
		text = arena_printf(b->arena, "%s%s%s", text, i ? ", " : "", list[i]);
	return text;
}

#define LAYER(b, ...)                                                             \
	do {                                                                      \
		const struct item items_[] = { __VA_ARGS__ };                     \
		bench_layer(b, items_, ARRAY_LEN(items_));                        \
	} while (0)

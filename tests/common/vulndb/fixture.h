/* fixture.h - a database in a folder of its own: small feeds in, findings out as lines of text. */
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/file.h"
#include "common/vulndb/vulndb.h"

enum { NOW = 1800000000 }; /* 2027-01-15 */

struct fixture {
	char dir[64], db[96], source[256];
	struct vulndb_imported last;
	struct err err;
	struct buf found; /* of fixture_match */
};

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int fixture_open(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	/* memory, where there is some: every import waits for the disk else */
	strcpy(f->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/picket-vulndb-XXXXXX" : "/tmp/picket-vulndb-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->db, sizeof(f->db), "%s/v.db", f->dir);
	buf_init(&f->found, 0);
	*state = f;
	return 0;
}

static inline int fixture_close(void **state)
{
	struct fixture *f = *state;

	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	buf_fini(&f->found);
	free(f);
	return 0;
}

static inline const char *fixture_path(struct fixture *f, const char *name)
{
	snprintf(f->source, sizeof(f->source), "%s/%s", f->dir, name);
	return f->source;
}

static inline const char *fixture_write(struct fixture *f, const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(fixture_path(f, name), slice_of(text), 0644, NULL), 0);
	return f->source;
}

/* pairs: name, content, name, content … NULL */
static inline const char *fixture_zip(struct fixture *f, const char *name, const char *const *pairs)
{
	struct archive *a = archive_write_new();

	archive_write_set_format_zip(a);
	archive_write_open_filename(a, fixture_path(f, name));
	for (; *pairs; pairs += 2) {
		struct archive_entry *e = archive_entry_new();

		archive_entry_set_pathname(e, pairs[0]);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_size(e, (la_int64_t)strlen(pairs[1]));
		archive_write_header(a, e);
		archive_write_data(a, pairs[1], strlen(pairs[1]));
		archive_entry_free(e);
	}
	archive_write_free(a);
	return f->source;
}

static inline int fixture_import(struct fixture *f, const char *source, const char *feed)
{
	struct vulndb_import in = { .path = f->db, .source = source, .feed = feed, .now_unix_s = NOW };

	f->err = (struct err){ 0 };
	return vulndb_import(&in, &f->last, &f->err);
}

static inline void fixture_must_import(struct fixture *f, const char *source, const char *feed)
{
	int r = fixture_import(f, source, feed);

	if (r < 0)
		print_message("%s\n", f->err.msg);
	assert_int_equal(r, 0);
}

static inline void fixture_text(struct fixture *f, const char *name, const char *text)
{
	fixture_must_import(f, fixture_write(f, name, text), NULL);
}

static inline void assert_counts(const struct fixture *f, uint64_t added, uint64_t changed, uint64_t removed,
				 uint64_t unchanged, uint64_t bad)
{
	const struct vulndb_imported *i = &f->last;

	if (i->bad != bad)
		print_message("%s\n", i->first_bad);
	assert_int_equal(i->added, added);
	assert_int_equal(i->changed, changed);
	assert_int_equal(i->removed, removed);
	assert_int_equal(i->unchanged, unchanged);
	assert_int_equal(i->bad, bad);
}

/* name id(aliases) fixed severity/source status [note] range */
static inline int put_found(void *arg, size_t package, const struct vulndb_found *f)
{
	struct buf *b = arg;

	(void)package;
	buf_add_slice(b, f->id);
	for (size_t i = 0; i < f->alias_count; i++)
		buf_printf(b, "%s%.*s", i ? "," : "=", SLICE_FMT(f->aliases[i]));
	buf_printf(b, " %.*s", SLICE_FMT(f->record));
	buf_printf(b, " fixed=%.*s %s", SLICE_FMT(f->fixed), vuln_severity_name(f->severity));
	if (f->severity_source.n)
		buf_printf(b, "/%.*s", SLICE_FMT(f->severity_source));
	buf_printf(b, " %s", vuln_status_name(f->status));
	if (f->status_note.n)
		buf_printf(b, " (%.*s)", SLICE_FMT(f->status_note));
	buf_printf(b, " [%.*s]\n", SLICE_FMT(f->range));
	return 0;
}

/* Each package a row of "purl name version [source source_version [owner]]". Opens the database anew. */
static inline const char *fixture_match(struct fixture *f, const struct vulndb_os *os, const char *const *rows,
					size_t count)
{
	struct vulndb_package p[32] = { 0 };
	struct vulndb *db = NULL;

	for (size_t i = 0; i < count; i++) {
		struct slice *fields[] = { &p[i].ecosystem, &p[i].name,		 &p[i].version,
					   &p[i].source,    &p[i].source_version, &p[i].owner };
		struct slice rest = slice_of(rows[i]), one;

		for (size_t k = 0; k < ARRAY_LEN(fields) && slice_split(&rest, ' ', &one); k++)
			*fields[k] = one;
	}
	buf_reset(&f->found);
	buf_add_str(&f->found, "");
	int r = vulndb_open(f->db, NULL, &db, &f->err);
	if (r >= 0)
		r = vulndb_match(db, os, p, count, put_found, &f->found, &f->err);
	if (r < 0)
		print_message("%s\n", f->err.msg);
	assert_int_equal(r, 0);
	vulndb_close(db);
	return f->found.n ? f->found.p : "";
}

static const struct vulndb_os no_os = { 0 };
#define OS(...) (&(const struct vulndb_os){ __VA_ARGS__ })
#define DEBIAN_12 OS(SLICE_LIT("debian"), SLICE_LIT("12"), SLICE_LIT("bookworm"))
#define MATCH(f, os, ...)                                                                                  \
	fixture_match(f, os, (const char *const[]){ __VA_ARGS__ }, ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

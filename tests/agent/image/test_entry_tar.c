/* entry_tar: what a tar says, in order and clean; hostile ones end with an error and cost little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <sys/resource.h>

#include "layers.h"

struct log {
	struct buf text;
	const char *read; /* read the content of this one: as text, head and blob */
	uint64_t max;
};

static int on_entry(void *arg, const struct entry *e, struct err *err)
{
	static const char kinds[] = "fdlhwo?";
	struct log *l = arg;
	struct slice s = SLICE_NONE, again = SLICE_NONE;
	struct blob b = { 0 };
	char bytes[64] = "";

	buf_printf(&l->text, "%c %.*s", kinds[e->kind], SLICE_FMT(e->path));
	if (e->target.n)
		buf_printf(&l->text, " -> %.*s", SLICE_FMT(e->target));
	if (l->read && slice_is(e->path, l->read)) {
		int r = e->head(e->arg, &s, err);
		if (r >= 0)
			buf_printf(&l->text, " head=%.*s", SLICE_FMT(slice_sub(s, 0, 5)));
		r = r < 0 ? r : e->text(e->arg, l->max, &s, err);
		if (r >= 0)
			buf_printf(&l->text, " text=%.*s", SLICE_FMT(slice_sub(s, 0, 60)));
		r = r < 0 ? r : e->blob(e->arg, &b, err);
		r = r < 0 ? r : blob_read(&b, 1, bytes, 4, err);
		if (r >= 0)
			buf_printf(&l->text, " blob=%s", bytes);
		r = r < 0 ? r : e->text(e->arg, l->max, &again, err);
		if (r < 0)
			return r;
		assert_true(slice_eq(s, again));
	}
	buf_add_char(&l->text, '\n');
	return 0;
}

static void on_problem(void *arg, struct slice path, const char *why)
{
	struct log *l = arg;

	buf_printf(&l->text, "! %.*s: %s\n", SLICE_FMT(path), why);
}

static int read_tar(struct slice tar, struct log *l, struct budget *b, struct err *err)
{
	struct stream *s = NULL;
	struct spool spool = { -1, 1 << 20 };
	char path[] = "/tmp/image-testXXXXXX";
	const struct entry_ops ops = { on_entry, on_problem, l };

	spool.fd = mkostemp(path, O_CLOEXEC);
	unlink(path);
	buf_init(&l->text, 1 << 20);
	assert_int_equal(stream_of_slice(tar, &s, NULL), 0);
	int r = entry_read_tar(s, b, &spool, &ops, err);
	stream_close(s);
	close(spool.fd);
	return r;
}

static void check(const struct item *items, size_t n, struct log l, const char *want)
{
	struct buf tar = tar_make(items, n, ARCHIVE_FILTER_NONE);
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	struct err err = { 0 };

	if (read_tar(buf_slice(&tar), &l, &b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(l.text.p, want);
	buf_fini(&l.text);
	buf_fini(&tar);
}

static void entries_come_in_order_with_clean_names(void **state)
{
	const struct item items[] = {
		{ "./", NULL },
		{ "./usr/", NULL },
		{ "./usr/bin/ls", "#!" },
		{ "/bin", .soft = "usr/bin" },
		{ "usr/bin/dir", .hard = "./usr/bin/ls" },
		{ "na\xc3\xafve \xff", "x" }, /* UTF-8, and no UTF-8 */
	};

	check(items, ARRAY_LEN(items), (struct log){ 0 },
	      "d usr\nf usr/bin/ls\nl bin -> usr/bin\nh usr/bin/dir -> usr/bin/ls\nf na\xc3\xafve \xff\n");
}

static void whiteouts_are_told_by_what_they_take_away(void **state)
{
	const struct item items[] = {
		{ "etc/.wh.passwd", "" },  { "var/.wh..wh..opq", "" }, { ".wh..wh..opq", "" },
		{ ".wh.bin", "" },	   { "a/.wh..wh.aufs", "" },   { "a/.wh.", "" },
		{ "a/.whatever", "text" },
	};

	check(items, ARRAY_LEN(items), (struct log){ 0 },
	      "w etc/passwd\no var\no \nw bin\nf a/.whatever\n");
}

static void content_can_be_read_in_any_way(void **state)
{
	const struct item items[] = { { "a", "first" }, { "b", "hello world" }, { "c", "last" } };

	check(items, ARRAY_LEN(items), (struct log){ .read = "b", .max = 100 },
	      "f a\nf b head=hello text=hello world blob=ello\nf c\n");
}

static void a_text_past_the_bound_is_not_read(void **state)
{
	const struct item items[] = { { "b", "hello world" } };
	struct buf tar = tar_make(items, 1, ARCHIVE_FILTER_NONE);
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	struct log l = { .read = "b", .max = 10 };
	struct err err;

	assert_int_equal(read_tar(buf_slice(&tar), &l, &b, &err), -ERR_LIMIT);
	buf_fini(&l.text);
	buf_fini(&tar);
}

static void traversal_is_refused(void **state)
{
	static const struct item rows[] = {
		{ "../etc/passwd", "x" }, { "a/../../b", "x" }, { "a", .hard = "../../etc/shadow" }, { "a/..", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf tar = tar_make(&rows[i], 1, ARCHIVE_FILTER_NONE);
		struct budget b = { 1 << 20, 1000, 100, 0, NULL };
		struct log l = { 0 };
		struct err err;

		assert_int_equal(read_tar(buf_slice(&tar), &l, &b, &err), -ERR_CORRUPT);
		assert_non_null(strstr(err.msg, "out of the image"));
		buf_fini(&l.text);
		buf_fini(&tar);
	}
}

static void too_many_entries_are_refused(void **state)
{
	struct item items[20];
	struct budget b = { 1 << 20, 10, 100, 0, NULL };
	struct log l = { 0 };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = (struct item){ "x", "y" };
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE);
	assert_int_equal(read_tar(buf_slice(&tar), &l, &b, &err), -ERR_LIMIT);
	buf_fini(&l.text);
	buf_fini(&tar);
}

static void a_cut_or_spoilt_tar_is_an_error_or_less(void **state)
{
	const struct item items[] = { { "a", "first" }, { "d/b", "hello world" }, { "c", .soft = "a" } };
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE);
	struct err err;

	for (size_t i = 0; i < tar.n; i += 13) {
		struct budget b = { 1 << 20, 1000, 100, 0, NULL };
		struct log l = { .read = "d/b", .max = 100 };

		(void)!read_tar(slice_sub(buf_slice(&tar), 0, i), &l, &b, &err);
		buf_fini(&l.text);
		tar.p[i] ^= 0x15;
		l = (struct log){ .read = "d/b", .max = 100 };
		(void)!read_tar(buf_slice(&tar), &l, &b, &err);
		buf_fini(&l.text);
		tar.p[i] ^= 0x15;
	}
	/* in the middle of a file: certainly one */
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	struct log l = { 0 };
	assert_int_equal(read_tar(slice_sub(buf_slice(&tar), 0, 512 + 3), &l, &b, &err), -ERR_CORRUPT);
	buf_fini(&l.text);
	assert_int_equal(read_tar(SLICE_LIT("rubbish that is no tar at all"), &l, &b, &err), -ERR_CORRUPT);
	buf_fini(&l.text);
	buf_fini(&tar);
}

static void nothing_and_an_empty_archive_are_layers(void **state)
{
	static const char zeros[1024];
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	struct log l = { 0 };

	assert_int_equal(read_tar(SLICE_NONE, &l, &b, NULL), 0);
	buf_fini(&l.text);
	assert_int_equal(read_tar(slice_from(zeros, sizeof(zeros)), &l, &b, NULL), 0);
	buf_fini(&l.text);
}

/* A file of 10 GB that is all hole but for a byte: three kilobytes of tar. */
static struct buf sparse_tar(uint64_t size)
{
	enum { MAX = 1 << 16 };
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	struct buf b = { 0 };
	size_t used = 0;

	buf_init(&b, MAX);
	assert_non_null(buf_reserve(&b, MAX));
	archive_write_set_format_pax(a);
	archive_write_set_bytes_per_block(a, 0);
	assert_int_equal(archive_write_open_memory(a, b.p, MAX, &used), ARCHIVE_OK);
	archive_entry_set_pathname(e, "huge.blob");
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0755);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_sparse_add_entry(e, 0, 4);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, "abcd", 4), 4);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_entry_free(e);
	archive_write_free(a);
	buf_written(&b, used);
	return b;
}

static void a_sparse_file_costs_nothing(void **state)
{
	struct buf tar = sparse_tar(10ULL << 30);
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	struct log l = { 0 };
	struct err err = { 0 };

	if (read_tar(buf_slice(&tar), &l, &b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(l.text.p, "f huge.blob\n");
	buf_fini(&l.text);
	/* asked for, it is too large for text and spool */
	l = (struct log){ .read = "huge.blob", .max = 100 };
	if (read_tar(buf_slice(&tar), &l, &b, &err) != -ERR_LIMIT)
		fail_msg("%s", err.msg);
	buf_fini(&l.text);
	buf_fini(&tar);
	/* a smaller one is read, holes as zeros */
	tar = sparse_tar(5000);
	l = (struct log){ .read = "huge.blob", .max = 6000 };
	if (read_tar(buf_slice(&tar), &l, &b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(strstr(l.text.p, "head=abcd"));
	buf_fini(&l.text);
	buf_fini(&tar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_in_order_with_clean_names),
		cmocka_unit_test(whiteouts_are_told_by_what_they_take_away),
		cmocka_unit_test(content_can_be_read_in_any_way),
		cmocka_unit_test(a_text_past_the_bound_is_not_read),
		cmocka_unit_test(traversal_is_refused),
		cmocka_unit_test(too_many_entries_are_refused),
		cmocka_unit_test(a_cut_or_spoilt_tar_is_an_error_or_less),
		cmocka_unit_test(nothing_and_an_empty_archive_are_layers),
		cmocka_unit_test(a_sparse_file_costs_nothing),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8"); /* as the worker */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

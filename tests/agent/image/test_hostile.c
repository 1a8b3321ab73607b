/* hostile: images made to hurt, through a real worker: an error with a clear word, or an inventory, in bounded time
 * and memory. (Memory is judged in builds without sanitizers, whose shadow would count.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <zlib.h>

#include "agent/image/image.h"
#include "images.h"

enum { WORKER_MAX_KIB = 64 << 10, SECONDS_MAX = 60 };

static char dir[64];
static struct arena *arena;

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/image-testXXXXXX");
	arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	return mkdtemp(dir) && arena ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	remove_tree(dir);
	return 0;
}

/* Layers are made by a child: what this process holds would count as its worker's, which it is for a moment. */
static void in_child(void (*make)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		make();
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid && !status);
}

/* An OCI layout of one layer: these bytes, packed as they are, with this digest of what they unpack to. */
static void write_layout(struct slice layer, const char *diff_id)
{
	struct test_image im = { .count = 1, .packed = { { .p = (char *)(uintptr_t)layer.p, .n = layer.n } } };
	char path[128];

	im.plain[0] = im.packed[0];
	memcpy(im.diff_ids[0], diff_id, 71);
	assert_int_equal(meta_digest(layer, im.digests[0], NULL), 0);
	image_finish(&im);
	snprintf(path, sizeof(path), "%s/oci", dir);
	image_write_oci(&im, path);
	buf_fini(&im.config_json);
	buf_fini(&im.manifest_json);
}

static int take(Picket__Inventory **ret, struct err *err)
{
	char target[128];
	struct rusage use;
	time_t begun = time(NULL);

	*err = (struct err){ 0 };
	snprintf(target, sizeof(target), "oci:%s/oci", dir);
	int r = image_take_stock(target, NULL, arena, ret, NULL, err);
	assert_true(time(NULL) - begun < SECONDS_MAX);
	getrusage(RUSAGE_CHILDREN, &use);
#if !defined(__SANITIZE_ADDRESS__)
	if (use.ru_maxrss > WORKER_MAX_KIB)
		fail_msg("the worker took %ld KiB", use.ru_maxrss);
#endif
	return r;
}

static void expect(int code, const char *word)
{
	Picket__Inventory *inv = NULL;
	struct err err;
	int r = take(&inv, &err);

	if (r != -code || !strstr(err.msg, word))
		fail_msg("%d '%s', not %d '%s'", r, err.msg, code, word);
}

/* ---- tars by hand ---- */

static void put_octal(char *at, size_t n, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)n - 1, (unsigned long long)v);
	memcpy(at, text, n);
}

static void put_header(struct buf *b, const char *name, char type, uint64_t size)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	put_octal(h + 100, 8, 0755);
	put_octal(h + 108, 8, 0);
	put_octal(h + 116, 8, 0);
	if (size < 1ULL << 33) {
		put_octal(h + 124, 12, size);
	} else { /* base 256 */
		h[124] = (char)0x80;
		for (unsigned i = 0; i < 8; i++)
			h[135 - i] = (char)(size >> 8 * i);
	}
	put_octal(h + 136, 12, 0);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (uint8_t)h[i];
	put_octal(h + 148, 7, sum);
	h[155] = ' ';
	buf_add(b, h, sizeof(h));
}

static void put_content(struct buf *b, const void *p, size_t n)
{
	static const char zeros[512];

	buf_add(b, p, n);
	buf_add(b, zeros, (512 - n % 512) % 512);
}

static void write_plain(const struct buf *tar)
{
	char diff_id[72];

	assert_false(tar->failed);
	assert_int_equal(meta_digest(buf_slice(tar), diff_id, NULL), 0);
	write_layout(buf_slice(tar), diff_id);
}

/* ---- cases ---- */

/* 300 MB of zeros in 300 KB. */
static void make_bomb(void)
{
	enum { MIB = 300 };
	CLEANUP(freep) char *packed = malloc(1 << 20);
	static char zeros[1 << 20];
	struct buf head;
	z_stream z = { .next_out = (Bytef *)packed, .avail_out = 1 << 20 };

	buf_init(&head, 1024);
	put_header(&head, "zeros", '0', (uint64_t)MIB << 20);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)head.p;
	z.avail_in = (uInt)head.n;
	assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
	for (unsigned i = 0; i < MIB; i++) {
		z.next_in = (Bytef *)zeros;
		z.avail_in = sizeof(zeros);
		assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
	}
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	buf_fini(&head);
	write_layout(slice_from(packed, (1 << 20) - z.avail_out),
		     "sha256:0000000000000000000000000000000000000000000000000000000000000000");
}

static void a_bomb_is_refused(void **state)
{
	in_child(make_bomb);
	expect(ERR_LIMIT, "bomb");
}

static void make_many(void)
{
	enum { FILES = 50000 };
	struct buf tar;
	char name[64];

	buf_init(&tar, 64 << 20);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d%u/e%u/f%u", i % 7, i % 1000, i);
		put_header(&tar, name, '0', 0);
	}
	write_plain(&tar);
	buf_fini(&tar);
}

static void many_small_files_are_read_in_little_memory(void **state)
{
	Picket__Inventory *inv = NULL;
	struct err err;

	in_child(make_many);
	if (take(&inv, &err) < 0)
		fail_msg("%s", err.msg);
}

static void absurd_sizes_are_cut_archives(void **state)
{
	static const uint64_t sizes[] = { 1ULL << 33, 1ULL << 40, INT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf tar;

		buf_init(&tar, 4096);
		put_header(&tar, "var/lib/dpkg/status", '0', sizes[i]);
		put_content(&tar, "x", 1);
		write_plain(&tar);
		expect(ERR_CORRUPT, "tar");
		buf_fini(&tar);
	}
}

static void absurd_names_are_refused(void **state)
{
	static char record[70000];
	struct buf tar;

	/* a pax header: "70000 path=aaaa…\n" */
	memset(record, 'a', sizeof(record));
	memcpy(record, "70000 path=", 11);
	record[sizeof(record) - 1] = '\n';
	buf_init(&tar, 1 << 20);
	put_header(&tar, "pax", 'x', sizeof(record));
	put_content(&tar, record, sizeof(record));
	put_header(&tar, "a", '0', 0);
	write_plain(&tar);
	expect(ERR_CORRUPT, "longer than");
	buf_fini(&tar);
	/* GNU's long name of 1 GB */
	buf_init(&tar, 1 << 20);
	put_header(&tar, "long", 'L', 1 << 30);
	put_content(&tar, record, sizeof(record));
	write_plain(&tar);
	expect(ERR_CORRUPT, "tar");
	buf_fini(&tar);
}

/* GNU's old map of a sparse file may go on for ever: 21 pieces in each block of 512 bytes. */
static void make_sparse(void)
{
	enum { BLOCKS = 20000 }; /* 10 MB */
	char h[512];
	struct buf tar;

	buf_init(&tar, 64 << 20);
	put_header(&tar, "sparse", 'S', 512);
	char *first = tar.p + tar.n - 512;
	memcpy(first + 257, "ustar  \0", 8);
	put_octal(first + 386, 12, 0);
	put_octal(first + 398, 12, 512);
	first[482] = 1; /* more follows */
	put_octal(first + 483, 12, 1ULL << 32);
	memset(first + 148, ' ', 8);
	unsigned sum = 0;
	for (size_t i = 0; i < 512; i++)
		sum += (uint8_t)first[i];
	put_octal(first + 148, 7, sum);
	memset(h, 0, sizeof(h));
	for (unsigned i = 0; i < 21; i++) {
		put_octal(h + 24 * i, 12, 1024 + i);
		put_octal(h + 24 * i + 12, 12, 0);
	}
	h[504] = 1;
	for (unsigned i = 0; i < BLOCKS; i++)
		buf_add(&tar, h, sizeof(h));
	write_plain(&tar);
	buf_fini(&tar);
}

static void a_sparse_map_without_end_is_bounded(void **state)
{
	Picket__Inventory *inv;
	struct err err;

	in_child(make_sparse);
	int r = take(&inv, &err);
	assert_true(r == -ERR_CORRUPT || r == -ERR_LIMIT);
}

static void make_packages(void)
{
	struct buf status, tar;

	buf_init(&status, 16 << 20);
	for (unsigned i = 0; i < IMAGE_PACKAGES + 10; i++)
		buf_printf(&status, "Package: p%u\nStatus: install ok installed\nVersion: 1\n\n", i);
	buf_init(&tar, 32 << 20);
	put_header(&tar, "var/lib/dpkg/status", '0', status.n);
	put_content(&tar, status.p, status.n);
	write_plain(&tar);
	buf_fini(&tar);
	buf_fini(&status);
}

static void more_packages_than_an_image_has_are_refused(void **state)
{
	in_child(make_packages);
	expect(ERR_LIMIT, "more packages");
}

/* As many packages as are allowed, with long names: what is too much for memory is told, not tried. */
static void make_long_names(void)
{
	CLEANUP(freep) char *name = malloc(1001);
	struct buf status, tar;

	memset(name, 'n', 1000);
	name[1000] = 0;
	buf_init(&status, 15 << 20);
	for (unsigned i = 0; i < 6; i++) {
		char path[64];

		buf_reset(&status);
		for (unsigned k = 0; k < 5000; k++)
			buf_printf(&status, "Package: %s%u\nStatus: install ok installed\nVersion: %u\n\n", name, k, i);
		if (!i)
			buf_init(&tar, 64 << 20);
		snprintf(path, sizeof(path), "var/lib/dpkg/status.d/%u", i);
		put_header(&tar, path, '0', status.n);
		put_content(&tar, status.p, status.n);
	}
	write_plain(&tar);
	buf_fini(&tar);
	buf_fini(&status);
}

static void packages_that_fill_the_memory_are_refused(void **state)
{
	in_child(make_long_names);
	expect(ERR_LIMIT, "memory");
}

static void make_large(void)
{
	enum { BYTES = 17 << 20 };
	CLEANUP(freep) char *text = calloc(1, BYTES);
	struct buf tar;

	buf_init(&tar, 32 << 20);
	put_header(&tar, "app/node_modules/x/package.json", '0', BYTES);
	put_content(&tar, text, BYTES);
	write_plain(&tar);
	buf_fini(&tar);
}

static void a_file_larger_than_a_parser_reads_is_a_problem(void **state)
{
	Picket__Inventory *inv = NULL;
	struct err err;

	in_child(make_large);
	if (take(&inv, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(inv->n_problems, 1);
	assert_non_null(strstr(inv->problems[0], "at most"));
}

static void a_cut_layer_is_told(void **state)
{
	struct test_image im = { 0 };
	Picket__Inventory *inv;
	struct err err;

	IMAGE_LAYER(&im, ARCHIVE_FILTER_GZIP, { "var/lib/dpkg/status", "Package: a\nVersion: 1\n" });
	/* every digest right, the content cut: as its maker meant it */
	write_layout(slice_sub(buf_slice(&im.packed[0]), 0, im.packed[0].n - 20), im.diff_ids[0]);
	assert_int_equal(take(&inv, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "cut short"));
	image_fini(&im);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_bomb_is_refused),
		T(many_small_files_are_read_in_little_memory),
		T(absurd_sizes_are_cut_archives),
		T(absurd_names_are_refused),
		T(a_sparse_map_without_end_is_bounded),
		T(more_packages_than_an_image_has_are_refused),
		T(packages_that_fill_the_memory_are_refused),
		T(a_file_larger_than_a_parser_reads_is_a_problem),
		T(a_cut_layer_is_told),
#undef T
	};

	image_worker_if_asked(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

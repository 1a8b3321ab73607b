/* stream: digests, gzip and zstd, and what pretends to be either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "agent/image/image_limits.h"
#include "agent/image/stream.h"
#include "common/buf.h"

static const char hello_digest[] = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

static struct budget budget(uint64_t bytes)
{
	return (struct budget){ .unpacked_left = bytes, .entries_left = 100, .ratio = 100 };
}

/* Everything of s, which is closed. */
static int read_all(struct stream *s, struct buf *ret, struct err *err)
{
	struct slice piece;
	int r;

	buf_init(ret, 0);
	while ((r = s->read(s, &piece, err)) >= 0 && piece.n)
		buf_add_slice(ret, piece);
	if (r >= 0)
		assert_int_equal(s->read(s, &piece, NULL), 0), assert_int_equal(piece.n, 0);
	stream_close(s);
	return r;
}

static struct stream *of(struct slice s)
{
	struct stream *ret = NULL;

	assert_int_equal(stream_of_slice(s, &ret, NULL), 0);
	return ret;
}

static int unpack(struct slice s, struct budget *b, struct buf *ret, struct err *err)
{
	struct stream *u = NULL;
	int r = stream_unpacked(of(s), b, &u, err);

	buf_init(ret, 0);
	return r < 0 ? r : read_all(u, ret, err);
}

static size_t gzip(const void *p, size_t n, char *dst, size_t size)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)p,
		       .avail_in = (uInt)n,
		       .next_out = (Bytef *)dst,
		       .avail_out = (uInt)size };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return size - z.avail_out;
}

static void what_matches_its_digest_passes(void **state)
{
	struct stream *s = NULL;
	struct buf got;
	char digest[73] = "";
	struct err err;

	assert_int_equal(stream_checked(of(SLICE_LIT("hello")), slice_of(hello_digest), 5, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, NULL), 0);
	assert_true(slice_is(buf_slice(&got), "hello"));
	buf_fini(&got);
	assert_int_equal(stream_hashed(of(SLICE_LIT("hello")), digest, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, NULL), 0);
	assert_string_equal(digest, hello_digest);
	buf_fini(&got);

	assert_int_equal(stream_checked(of(SLICE_LIT("hellp")), slice_of(hello_digest), 5, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, &err), -ERR_CORRUPT);
	buf_fini(&got);
	assert_int_equal(stream_checked(of(SLICE_LIT("hello")), slice_of(hello_digest), 6, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, &err), -ERR_CORRUPT);
	buf_fini(&got);
	assert_int_equal(stream_checked(of(SLICE_LIT("hello")), slice_of(hello_digest), 4, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, &err), -ERR_CORRUPT);
	buf_fini(&got);
	assert_int_equal(stream_checked(of(SLICE_LIT("hello")), SLICE_LIT("md5:abc"), 5, &s, &err), -ERR_CORRUPT);
}

static void packed_and_plain_bytes_come_out_the_same(void **state)
{
	static char text[300000], packed[400000], two[800000];
	struct budget b = budget(1 << 30);
	struct buf got;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * i >> 7);
	struct slice want = slice_from(text, sizeof(text));
	assert_int_equal(unpack(want, &b, &got, NULL), 0);
	assert_true(slice_eq(buf_slice(&got), want));
	buf_fini(&got);
	size_t n = gzip(text, sizeof(text), packed, sizeof(packed));
	assert_int_equal(unpack(slice_from(packed, n), &b, &got, NULL), 0);
	assert_true(slice_eq(buf_slice(&got), want));
	buf_fini(&got);
	/* two members, and rubbish behind them */
	memcpy(two, packed, n);
	memcpy(two + n, packed, n);
	memset(two + 2 * n, 0, 512);
	assert_int_equal(unpack(slice_from(two, 2 * n + 512), &b, &got, NULL), 0);
	assert_int_equal(got.n, 2 * sizeof(text));
	buf_fini(&got);
	n = ZSTD_compress(packed, sizeof(packed), text, sizeof(text), 3);
	memcpy(two, packed, n);
	memcpy(two + n, packed, n);
	assert_int_equal(unpack(slice_from(two, 2 * n), &b, &got, NULL), 0);
	assert_int_equal(got.n, 2 * sizeof(text));
	buf_fini(&got);
	assert_int_equal(unpack(SLICE_NONE, &b, &got, NULL), 0);
	assert_int_equal(got.n, 0);
	buf_fini(&got);
}

/* Cut anywhere: an error, or (between members) fewer bytes; never a wait, never a fault. */
static void cut_streams_are_told(void **state)
{
	static char text[5000], packed[9000];
	struct budget b = budget(1 << 30);
	struct buf got;
	struct err err;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 2654435761u >> 13);
	for (unsigned kind = 0; kind < 2; kind++) {
		size_t n = kind ? ZSTD_compress(packed, sizeof(packed), text, sizeof(text), 3) :
				  gzip(text, sizeof(text), packed, sizeof(packed));

		for (size_t cut = 4; cut < n; cut += 7) {
			if (unpack(slice_from(packed, cut), &b, &got, &err) != -ERR_CORRUPT)
				fail_msg("%s of %zu bytes cut to %zu: %zu bytes", kind ? "zstd" : "gzip", n, cut, got.n);
			buf_fini(&got);
		}
	}
}

static void a_bomb_is_refused_early(void **state)
{
	enum { UNPACKED = 200 << 20 };
	CLEANUP(freep) char *packed = malloc(1 << 20);
	static char zeros[1 << 20];
	z_stream z = { .next_out = (Bytef *)packed, .avail_out = 1 << 20 };
	struct budget b = budget(UINT64_MAX);
	struct buf got;
	struct err err;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
	for (size_t i = 0; i <= UNPACKED >> 20; i++) {
		z.next_in = (Bytef *)zeros;
		z.avail_in = sizeof(zeros);
		assert_true(deflate(&z, i == UNPACKED >> 20 ? Z_FINISH : Z_NO_FLUSH) >= 0);
	}
	deflateEnd(&z);
	struct slice bomb = slice_from(packed, (1 << 20) - z.avail_out);
	struct stream *u = NULL;
	assert_int_equal(stream_unpacked(of(bomb), &b, &u, NULL), 0);
	assert_int_equal(stream_drain(u, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.msg, "bomb"));
	stream_close(u);
	/* and what unpacks to more than is left, whatever its ratio */
	b = budget(1000);
	assert_int_equal(unpack(bomb, &b, &got, &err), -ERR_LIMIT);
	buf_fini(&got);
	b = budget(4);
	assert_int_equal(unpack(SLICE_LIT("hello"), &b, &got, &err), -ERR_LIMIT);
	buf_fini(&got);
}

static void a_frame_that_wants_much_memory_is_refused(void **state)
{
	/* a zstd frame header whose window is 2 GiB */
	static const char frame[] = "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
	struct budget b = budget(1 << 30);
	struct buf got;
	struct err err;

	assert_int_equal(unpack(slice_from(frame, sizeof(frame) - 1), &b, &got, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "memory"));
	buf_fini(&got);
}

static void other_packings_are_named(void **state)
{
	struct budget b = budget(1000);
	struct buf got;
	struct err err;

	assert_int_equal(unpack(SLICE_LIT("\xfd" "7zXZ\0\0\0"), &b, &got, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "xz"));
	assert_int_equal(unpack(SLICE_LIT("BZh91AY"), &b, &got, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "bzip2"));
	assert_string_equal(stream_packing(SLICE_LIT("\x50\x2a\x4d\x18")), "zstd");
	assert_string_equal(stream_packing(SLICE_LIT("")), "");
}

static void a_pipe_and_a_part_of_a_file_are_read(void **state)
{
	int ends[2];
	struct budget b = budget(1000);
	struct stream *s = NULL;
	struct buf got;
	struct err err;
	FILE *f = tmpfile();

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "hel", 3), 3);
	assert_int_equal(write(ends[1], "lo", 2), 2);
	close(ends[1]);
	assert_int_equal(stream_of_fd(ends[0], true, 0, UINT64_MAX, &b, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, NULL), 0);
	assert_true(slice_is(buf_slice(&got), "hello"));
	assert_int_equal(b.read, 5);
	buf_fini(&got);
	close(ends[0]);

	fputs("0123456789", f);
	fflush(f);
	assert_int_equal(stream_of_fd(fileno(f), false, 2, 5, &b, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, NULL), 0);
	assert_true(slice_is(buf_slice(&got), "23456"));
	buf_fini(&got);
	assert_int_equal(stream_of_fd(fileno(f), false, 8, UINT64_MAX, &b, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, NULL), 0);
	assert_true(slice_is(buf_slice(&got), "89"));
	buf_fini(&got);
	assert_int_equal(stream_of_fd(fileno(f), false, 8, 5, &b, &s, NULL), 0);
	assert_int_equal(read_all(s, &got, &err), -ERR_CORRUPT);
	buf_fini(&got);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_matches_its_digest_passes),
		cmocka_unit_test(packed_and_plain_bytes_come_out_the_same),
		cmocka_unit_test(cut_streams_are_told),
		cmocka_unit_test(a_bomb_is_refused_early),
		cmocka_unit_test(a_frame_that_wants_much_memory_is_refused),
		cmocka_unit_test(other_packings_are_named),
		cmocka_unit_test(a_pipe_and_a_part_of_a_file_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

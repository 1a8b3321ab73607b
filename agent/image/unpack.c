/* unpack.c - stream_unpacked: gzip (zlib) and zstd, with a bound on what comes out and on the memory it takes. */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "agent/image/image_limits.h"
#include "agent/image/stream.h"

enum {
	HEAD_BYTES = 6,
	/* 8 MiB is what the highest level without --ultra uses; a frame may wish for 2 GiB. */
	ZSTD_WINDOW_LOG = 24,
};

struct unpacked {
	struct stream s, *below;
	struct budget *budget;
	struct slice in; /* of below's last piece, not used yet */
	uint64_t in_bytes, out_bytes;
	bool is_end;	 /* below has no more */
	bool is_between; /* two members or frames: the end may come here */
	z_stream z;
	ZSTD_DCtx *zstd;
	bool has_z, is_begun;
	char *out; /* IMAGE_STREAM_BYTES; NULL: not packed */
};

const char *stream_packing(struct slice head)
{
	static const struct {
		const char *name;
		struct slice magic;
	} rows[] = {
		{ "gzip", { "\x1f\x8b", 2 } },	     { "zstd", { "\x28\xb5\x2f\xfd", 4 } },
		{ "xz", { "\xfd" "7zXZ", 5 } }, { "bzip2", { "BZh", 3 } },
		{ "lz4", { "\x04\x22\x4d\x18", 4 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_starts(head, rows[i].magic))
			return rows[i].name;
	/* zstd may begin with a frame to be skipped: 0x184D2A5? */
	return head.n >= 4 && ((uint8_t)head.p[0] & 0xf0) == 0x50 && !memcmp(head.p + 1, "\x2a\x4d\x18", 3) ? "zstd" :
													     "";
}

static int fill(struct unpacked *u, struct err *err)
{
	int r = u->below->read(u->below, &u->in, err);

	if (r < 0)
		return r;
	u->in_bytes += u->in.n;
	u->is_end = !u->in.n;
	return 0;
}

static int spend(struct unpacked *u, size_t n, struct err *err)
{
	u->out_bytes += n;
	if (n > u->budget->unpacked_left)
		return err_set(err, ERR_LIMIT, "unpacks to more than is allowed for an image");
	u->budget->unpacked_left -= n;
	if (u->out && u->out_bytes > IMAGE_RATIO_FREE && u->out_bytes / u->budget->ratio > u->in_bytes)
		return err_set(err, ERR_LIMIT,
			       "unpacks to more than %llu times its size: a bomb (%llu bytes in, %llu out)",
			       (unsigned long long)u->budget->ratio, (unsigned long long)u->in_bytes,
			       (unsigned long long)u->out_bytes);
	return 0;
}

/* Turns u->in into up to IMAGE_STREAM_BYTES of u->out. */
static int gunzip(struct unpacked *u, size_t *ret_n, struct err *err)
{
	u->z.next_in = (Bytef *)(uintptr_t)u->in.p;
	u->z.avail_in = (uInt)u->in.n;
	u->z.next_out = (Bytef *)u->out;
	u->z.avail_out = IMAGE_STREAM_BYTES;
	if (u->is_between && inflateReset(&u->z) != Z_OK)
		return err_set(err, ERR_CORRUPT, "gzip");
	int z = inflate(&u->z, Z_NO_FLUSH);
	if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
		return z == Z_MEM_ERROR ? err_set(err, ENOMEM, "gunzip") :
					  err_set(err, ERR_CORRUPT, "gzip: %s", u->z.msg ? u->z.msg : "broken");
	u->in = slice_sub(u->in, u->in.n - u->z.avail_in, u->in.n);
	u->is_between = z == Z_STREAM_END;
	*ret_n = IMAGE_STREAM_BYTES - u->z.avail_out;
	return 0;
}

static int unzstd(struct unpacked *u, size_t *ret_n, struct err *err)
{
	ZSTD_inBuffer in = { u->in.p, u->in.n, 0 };
	ZSTD_outBuffer out = { u->out, IMAGE_STREAM_BYTES, 0 };
	size_t z = ZSTD_decompressStream(u->zstd, &out, &in);

	if (ZSTD_isError(z))
		return err_set(err, ERR_CORRUPT, "zstd: %s", ZSTD_getErrorName(z));
	u->in = slice_sub(u->in, in.pos, u->in.n);
	u->is_between = !z;
	*ret_n = out.pos;
	return 0;
}

static int unpacked_read(struct stream *s, struct slice *ret, struct err *err)
{
	struct unpacked *u = (struct unpacked *)s;
	size_t n = 0;
	int r = 0;

	*ret = SLICE_NONE;
	while (!n) {
		/* A decoder may hold output back that needs no more input: only one that stands between
		 * two members is asked for nothing. */
		if (!u->in.n && !u->is_end)
			r = fill(u, err);
		if (r < 0)
			return r;
		if (!u->out) {
			*ret = u->in;
			u->in = SLICE_NONE;
			return spend(u, ret->n, err);
		}
		if (u->is_end && !u->in.n && u->is_between)
			return 0;
		r = u->has_z ? gunzip(u, &n, err) : unzstd(u, &n, err);
		if (r < 0)
			return r;
		if (!n && u->is_end && !u->is_between)
			return err_set(err, ERR_CORRUPT, "it is cut short");
		/* gzip: zeros (padding of tapes) or other bytes behind the last member count for nothing. */
		if (u->has_z && u->is_between && u->in.n && u->in.p[0] != '\x1f')
			r = stream_drain(u->below, err), u->in = SLICE_NONE, u->is_end = true;
	}
	if (r < 0)
		return r;
	*ret = slice_from(u->out, n);
	return spend(u, n, err);
}

static bool unpacked_skip(struct stream *s, uint64_t n)
{
	struct unpacked *u = (struct unpacked *)s;

	if (u->out || n <= u->in.n || !u->below->skip || !u->below->skip(u->below, n - u->in.n))
		return false;
	u->in = SLICE_NONE;
	return true;
}

static void unpacked_close(struct stream *s)
{
	struct unpacked *u = (struct unpacked *)s;

	if (u->has_z)
		inflateEnd(&u->z);
	ZSTD_freeDCtx(u->zstd);
	stream_close(u->below);
	free(u->out);
	free(u);
}

static int begin(struct unpacked *u, const char *packing, struct err *err)
{
	if (!*packing)
		return 0;
	u->out = malloc(IMAGE_STREAM_BYTES);
	if (!u->out)
		return err_set(err, ENOMEM, "unpack");
	if (!strcmp(packing, "gzip")) {
		u->has_z = inflateInit2(&u->z, 16 + MAX_WBITS) == Z_OK;
		return u->has_z ? 0 : err_set(err, ENOMEM, "unpack");
	}
	if (strcmp(packing, "zstd") != 0)
		return err_set(err, ERR_CORRUPT, "packed with %s: images are packed with gzip or zstd", packing);
	u->zstd = ZSTD_createDCtx();
	if (!u->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
		return err_set(err, ENOMEM, "unpack");
	return 0;
}

int stream_unpacked(struct stream *below, struct budget *b, struct stream **ret, struct err *err)
{
	CLEANUP(stream_closep) struct stream *taken = below;
	struct unpacked *u = calloc(1, sizeof(*u));

	if (!u)
		return err_set(err, ENOMEM, "unpack");
	u->s = (struct stream){ unpacked_read, unpacked_close, unpacked_skip };
	u->below = take_ptr(taken);
	u->budget = b;
	int r = fill(u, err);
	if (r >= 0)
		r = begin(u, stream_packing(u->in), err);
	if (r < 0) {
		unpacked_close(&u->s);
		return r;
	}
	*ret = &u->s;
	return 0;
}

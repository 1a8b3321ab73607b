/* zip_build.h - makes zip archives, byte by byte, so that they can lie. */
#pragma once
#include <zlib.h>

#include "collect.h"

struct zip_build {
	struct buf out, directory;
	unsigned count;
	bool is_64;	  /* sizes and places in extra fields and a 64-bit end */
	uint32_t said;	  /* not 0: unpacked bytes as the next entries say */
	uint32_t header;  /* not 0: where the next entries say their data is */
	uint16_t method;  /* not 0 and not 8: what the next entries say */
};

static inline void zip_le(struct buf *b, unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		buf_add_char(b, (char)(v >> 8 * i));
}

static inline void zip_init(struct zip_build *z)
{
	memset(z, 0, sizeof(*z));
	buf_init(&z->out, 256 << 20);
	buf_init(&z->directory, 0);
}

/* Raw deflate. Caller frees with buf_fini. */
static inline struct buf deflated(struct slice s, int level)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)s.p, .avail_in = (uInt)s.n };
	struct buf b;

	buf_init(&b, 256 << 20);
	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t room = deflateBound(&z, s.n);
	z.next_out = (Bytef *)buf_reserve(&b, room);
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_written(&b, z.total_out);
	(void)deflateEnd(&z);
	return b;
}

static inline void zip_directory_row(struct zip_build *z, const char *name, unsigned method, size_t packed, size_t n,
				     size_t header)
{
	struct buf *d = &z->directory;

	zip_le(d, 4, 0x02014b50);
	zip_le(d, 2, 20), zip_le(d, 2, 20), zip_le(d, 2, 0);
	zip_le(d, 2, z->method ? z->method : method);
	zip_le(d, 4, 0), zip_le(d, 4, 0);
	zip_le(d, 4, z->is_64 ? UINT32_MAX : packed);
	zip_le(d, 4, z->said ? z->said : z->is_64 ? UINT32_MAX : n);
	zip_le(d, 2, strlen(name));
	zip_le(d, 2, z->is_64 ? 28 + 8 : 0);
	zip_le(d, 2, 0), zip_le(d, 2, 0), zip_le(d, 2, 0), zip_le(d, 4, 0);
	zip_le(d, 4, z->is_64 ? UINT32_MAX : z->header ? z->header : header);
	buf_add_str(d, name);
	if (z->is_64) {
		zip_le(d, 2, 0xcafe), zip_le(d, 2, 4), zip_le(d, 4, 0); /* somebody else's field first */
		zip_le(d, 2, 1), zip_le(d, 2, 24);
		zip_le(d, 8, n), zip_le(d, 8, packed), zip_le(d, 8, header);
	}
	z->count++;
}

static inline void zip_add(struct zip_build *z, const char *name, struct slice bytes, unsigned method)
{
	struct buf packed = { 0 };
	size_t header = z->out.n;

	if (method)
		packed = deflated(bytes, 6);
	struct slice data = method ? buf_slice(&packed) : bytes;
	zip_le(&z->out, 4, 0x04034b50);
	zip_le(&z->out, 2, 20), zip_le(&z->out, 2, 8), zip_le(&z->out, 2, method);
	zip_le(&z->out, 4, 0), zip_le(&z->out, 4, 0), zip_le(&z->out, 4, 0), zip_le(&z->out, 4, 0);
	zip_le(&z->out, 2, strlen(name)), zip_le(&z->out, 2, 3);
	buf_add_str(&z->out, name);
	buf_add(&z->out, "xyz", 3); /* an extra field that the directory has not */
	buf_add_slice(&z->out, data);
	zip_directory_row(z, name, method, data.n, bytes.n, header);
	buf_fini(&packed);
}

/* Caller frees with buf_fini. */
static inline struct buf zip_end(struct zip_build *z, const char *comment)
{
	size_t off = z->out.n, n = z->directory.n;

	buf_add_slice(&z->out, buf_slice(&z->directory));
	if (z->is_64) {
		size_t end = z->out.n;

		zip_le(&z->out, 4, 0x06064b50), zip_le(&z->out, 8, 44);
		zip_le(&z->out, 2, 45), zip_le(&z->out, 2, 45), zip_le(&z->out, 4, 0), zip_le(&z->out, 4, 0);
		zip_le(&z->out, 8, z->count), zip_le(&z->out, 8, z->count), zip_le(&z->out, 8, n), zip_le(&z->out, 8, off);
		zip_le(&z->out, 4, 0x07064b50), zip_le(&z->out, 4, 0), zip_le(&z->out, 8, end), zip_le(&z->out, 4, 1);
	}
	zip_le(&z->out, 4, 0x06054b50), zip_le(&z->out, 4, 0);
	zip_le(&z->out, 2, z->is_64 ? 0xffff : z->count), zip_le(&z->out, 2, z->is_64 ? 0xffff : z->count);
	zip_le(&z->out, 4, z->is_64 ? UINT32_MAX : n), zip_le(&z->out, 4, z->is_64 ? UINT32_MAX : off);
	zip_le(&z->out, 2, strlen(comment));
	buf_add_str(&z->out, comment);
	buf_fini(&z->directory);
	return z->out;
}

/* One entry. */
static inline struct buf zip_with(const char *name, struct slice bytes, unsigned method)
{
	struct zip_build z;

	zip_init(&z);
	zip_add(&z, name, bytes, method);
	return zip_end(&z, "");
}

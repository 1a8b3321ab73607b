/* rust_binary.c - what `cargo auditable` puts into programs: a section .dep-v0 with zlib-packed JSON,
 *   {"packages":[{"name":…,"version":…,"source":"crates.io"|"git"|"local"|"registry"|…,"kind":"build",
 *   "dependencies":[0,2],"root":true}, …],"format":0}
 * kind is there only where it is not "runtime"; what only built it is not in the program. Unpacked and read in
 * pieces, so that a bomb costs time at most. */
#include <errno.h>
#include <yajl/yajl_parse.h>
#include <zlib.h>

#include "agent/image/os/binary.h"

enum {
	UNPACKED_MAX = 4 * 1024 * 1024, /* half of cargo auditable's own bound, since a text may be held three times; 100 bytes a package */
	STEP = 4096,
	STEP_OUT = 16 * 1024,
	DEPTH_MAX = 16,
	DEPTH_PACKAGES = 2, /* {"packages":[ */
	DEPTH_PACKAGE = 3,  /* {"packages":[{ */
};

struct reader {
	struct emit *e;
	struct kept name, version, key;
	unsigned depth;
	bool in_packages, is_build, is_too_deep;
};

static int on_key(void *arg, const unsigned char *p, size_t n)
{
	struct reader *r = arg;

	kept_set(&r->key, slice_from(p, n));
	if (r->depth == 1)
		r->in_packages = slice_is(kept_slice(&r->key), "packages");
	return 1;
}

static int on_string(void *arg, const unsigned char *p, size_t n)
{
	struct reader *r = arg;
	const struct slice key = kept_slice(&r->key), value = slice_from(p, n);

	if (!r->in_packages || r->depth != DEPTH_PACKAGE)
		return 1;
	if (slice_is(key, "name"))
		kept_set(&r->name, value);
	else if (slice_is(key, "version"))
		kept_set(&r->version, value);
	else if (slice_is(key, "kind"))
		r->is_build = slice_is(value, "build");
	return 1;
}

static int open_level(struct reader *r)
{
	r->is_too_deep = ++r->depth > DEPTH_MAX;
	return !r->is_too_deep;
}

static int on_array(void *arg)
{
	return open_level(arg);
}

static int on_array_end(void *arg)
{
	struct reader *r = arg;

	r->depth--;
	return 1;
}

static int on_map(void *arg)
{
	struct reader *r = arg;

	if (r->depth == DEPTH_PACKAGES) {
		r->name.n = r->version.n = 0;
		r->name.is_cut = r->version.is_cut = r->is_build = false;
	}
	return open_level(r);
}

static int on_map_end(void *arg)
{
	struct reader *r = arg;
	struct pkg p = { .name = kept_slice(&r->name), .version = kept_slice(&r->version), .is_dev = r->is_build };

	if (r->depth-- != DEPTH_PACKAGE || !r->in_packages)
		return 1;
	if (r->name.is_cut || r->version.is_cut) {
		os_emit_wrong(r->e, ERR_SYNTAX, "cargo auditable: a name or version is too long");
		return 1;
	}
	return os_emit_package(r->e, &p);
}

static const yajl_callbacks callbacks = {
	.yajl_string = on_string,
	.yajl_map_key = on_key,
	.yajl_start_map = on_map,
	.yajl_end_map = on_map_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

static void yajl_freep(yajl_handle *h)
{
	if (*h)
		yajl_free(*h);
}

static void inflate_endp(z_stream *z)
{
	if (z->state)
		(void)inflateEnd(z);
}

static int json_failed(const struct reader *r, yajl_status s, struct err *err)
{
	if (s == yajl_status_ok || r->e->stop)
		return 0;
	return err_set(err, r->is_too_deep ? ERR_LIMIT : ERR_SYNTAX, "cargo auditable: %s",
		       r->is_too_deep ? "nested too deep" : "not JSON");
}

/* All of z's input that is there. 1: the packed data has ended. */
static int unpack(struct reader *r, z_stream *z, yajl_handle y, struct err *err)
{
	unsigned char out[STEP_OUT];
	int code = Z_OK;

	while (code == Z_OK && z->avail_in && !r->e->stop) {
		z->next_out = out;
		z->avail_out = sizeof(out);
		code = inflate(z, Z_NO_FLUSH);
		if (code != Z_OK && code != Z_STREAM_END)
			return err_set(err, ERR_CORRUPT, "cargo auditable: not packed by zlib");
		if (z->total_out > UNPACKED_MAX)
			return err_set(err, ERR_LIMIT, "cargo auditable: more than %d bytes", UNPACKED_MAX);
		int failed = json_failed(r, yajl_parse(y, out, sizeof(out) - z->avail_out), err);
		if (failed < 0)
			return failed;
	}
	return code == Z_STREAM_END;
}

static int read_section(struct reader *r, const struct blob *b, struct elf_range at, yajl_handle y,
			struct err *err)
{
	CLEANUP(inflate_endp) z_stream z = { 0 };
	unsigned char in[STEP];
	int done = 0;

	if (inflateInit(&z) != Z_OK)
		return err_set(err, ENOMEM, "read a program");
	for (uint64_t off = 0; !done && !r->e->stop && off < at.n; off += sizeof(in)) {
		z.avail_in = (uInt)(at.n - off < sizeof(in) ? at.n - off : sizeof(in));
		z.next_in = in;
		done = blob_read(b, at.off + off, in, z.avail_in, err);
		if (done >= 0)
			done = unpack(r, &z, y, err);
	}
	if (done < 0 || r->e->stop)
		return done < 0 ? done : 0;
	if (!done)
		return err_set(err, ERR_CORRUPT, "cargo auditable: it ends too early");
	return json_failed(r, yajl_complete_parse(y), err);
}

int rust_give(struct emit *e, const struct blob *b, struct elf_range at, struct err *err)
{
	CLEANUP(freep) struct reader *r = calloc(1, sizeof(*r));
	CLEANUP(yajl_freep) yajl_handle y = r ? yajl_alloc(&callbacks, NULL, r) : NULL;

	if (!y)
		return err_set(err, ENOMEM, "read a program");
	r->e = e;
	return read_section(r, b, at, y, err);
}

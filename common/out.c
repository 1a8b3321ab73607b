/* out.c - see out.h. */
#include "common/out.h"

#include <errno.h>
#include <time.h>

#include "common/file.h"

enum { FLUSH_BYTES = 64 * 1024, SCRATCH_BYTES = 256 * 1024 };

int out_init(struct out *o, int fd, struct err *err)
{
	*o = (struct out){ .fd = fd, .scratch = arena_new(SCRATCH_BYTES) };
	if (!o->scratch)
		return err_set(err, ENOMEM, "write");
	buf_init(&o->text, 0);
	json_init(&o->json, &o->text);
	return 0;
}

static void drain(struct out *o)
{
	struct err err = { 0 };

	if (!o->failed && file_write_all(o->fd, o->text.p, o->text.n, &err) < 0)
		o->failed = err.code;
	if (o->text.failed && !o->failed)
		o->failed = ERR_LIMIT;
	buf_reset(&o->text);
}

void out_flush(struct out *o)
{
	arena_reset(o->scratch);
	if (o->fd >= 0 && o->text.n >= FLUSH_BYTES)
		drain(o);
}

int out_end(struct out *o, struct err *err)
{
	if (o->fd >= 0 && o->text.n)
		drain(o);
	if (o->failed || o->text.failed)
		return err_set(err, o->failed ? o->failed : ERR_LIMIT, "write the result");
	return 0;
}

void out_fini(struct out *o)
{
	buf_fini(&o->text);
	arena_free(o->scratch);
	*o = (struct out){ .fd = -1 };
}

void out_kv(struct out *o, const char *key, struct slice s)
{
	if (s.n)
		json_kv_slice(&o->json, key, s);
}

void out_kv_str(struct out *o, const char *key, const char *s)
{
	out_kv(o, key, slice_of(s));
}

char *out_time(uint64_t unix_s, char dst[OUT_TIME_MAX])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(dst, OUT_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return dst;
}

void out_kv_time(struct out *o, const char *key, uint64_t unix_s)
{
	char when[OUT_TIME_MAX];

	if (unix_s)
		json_kv_str(&o->json, key, out_time(unix_s, when));
}

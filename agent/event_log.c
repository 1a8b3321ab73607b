/* event_log.c - see event_log.h. */
#include "agent/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/rules/rules_fields.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

enum {
	PATH_BYTES = 4096,
	NAME_BYTES = 160,
	NAMED_MAX = 256,
	FLUSH_BYTES = 64 * 1024,
	BUFFER_BYTES = 1024 * 1024,
	SCRATCH_BYTES = 1024 * 1024,
};

struct event_log {
	char path[PATH_BYTES], old_path[PATH_BYTES];
	int fd;
	uint64_t max_bytes, written, count;
	bool failed;
	struct buf buf;
	struct arena *scratch;
	const struct rules_field *plain[FIELD_COUNT]; /* without an argument */
	size_t plain_count;
	struct named {
		char name[NAME_BYTES]; /* as rules write it */
		struct rules_field_ref ref;
	} named[NAMED_MAX];
	size_t named_count;
};

static const char *const all_names[] = {
#define FIELD(id, name, type, flags, doc) name,
#include "agent/rules/fields.def"
#undef FIELD
};

static void find_plain(struct event_log *l)
{
	for (size_t i = 0; i < ARRAY_LEN(all_names); i++) {
		const struct rules_field *f = rules_field_find(slice_of(all_names[i]));

		/* What is only filtered by (fd.net) is made from the others, and old names have new ones. */
		if (f && !(f->flags & (FIELD_IS_ARG_REQUIRED | FIELD_IS_FILTER_ONLY | FIELD_IS_DEPRECATED)))
			l->plain[l->plain_count++] = f;
	}
}

static int open_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, errno, "record to '%s'", path);
	if (fchmod(fd, 0600) < 0) {
		int code = errno;

		close(fd);
		return err_set(err, code, "record to '%s'", path);
	}
	return fd;
}

int event_log_open(const char *path, uint64_t max_bytes, struct event_log **ret, struct err *err)
{
	CLEANUP(event_log_closep) struct event_log *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(err, ENOMEM, "record");
	l->fd = -1;
	l->max_bytes = max_bytes;
	buf_init(&l->buf, BUFFER_BYTES);
	l->scratch = arena_new(SCRATCH_BYTES);
	if (!l->scratch)
		return err_set(err, ENOMEM, "record");
	int n = snprintf(l->old_path, sizeof(l->old_path), "%s.1", path);
	if (n < 0 || (size_t)n >= sizeof(l->old_path))
		return err_set(err, ENAMETOOLONG, "record to '%s'", path);
	slice_copy(slice_of(path), l->path, sizeof(l->path));
	find_plain(l);
	l->fd = open_file(path, err);
	if (l->fd < 0)
		return l->fd;
	*ret = take_ptr(l);
	return 0;
}

static void add_named(void *arg, const char *name)
{
	struct event_log *l = arg;
	struct slice text = slice_of(name), inside = SLICE_NONE;
	ptrdiff_t bracket = slice_find_char(text, '[');
	struct named *x = &l->named[l->named_count];

	if (l->named_count == NAMED_MAX || !slice_copy(text, x->name, sizeof(x->name)))
		return;
	text = slice_of(x->name); /* the argument is borrowed from here */
	if (bracket >= 0) {
		inside = slice_sub(text, (size_t)bracket + 1, text.n - (size_t)bracket - 2);
		text = slice_sub(text, 0, (size_t)bracket);
	}
	if (rules_field_resolve(text, bracket >= 0, inside, &x->ref, NULL) != FIELD_OK)
		return;
	if (x->ref.index >= 0 || x->ref.arg.n)
		l->named_count++;
}

void event_log_set_rules(struct event_log *l, const struct rules *r)
{
	l->named_count = 0;
	rules_each_field(r, add_named, l);
}

static void write_number(struct json *j, int64_t v)
{
	const int64_t exact = 1ll << 53; /* readers take numbers for doubles */
	char text[24];

	if (v <= exact && v >= -exact) {
		json_i64(j, v);
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)v);
	json_str(j, slice_of(text));
}

static void write_value(struct json *j, enum rules_type type, unsigned flags, const struct rules_value *v)
{
	/* Words of the arguments are a list, too, but a text is what is read back. */
	bool is_list = v->list && flags & (FIELD_IS_LIST | FIELD_IS_ANCESTOR | FIELD_IS_EITHER);

	if (is_list) {
		json_array_open(j);
		for (size_t i = 0; i < v->list_count; i++)
			json_str(j, v->list[i]);
		json_array_close(j);
		return;
	}
	switch (type) {
	case RT_STRING:
	case RT_PATH:
	case RT_BYTES:
	case RT_IPADDR:
	case RT_IPNET:
		json_str(j, v->str);
		return;
	case RT_BOOL:
		json_bool(j, v->num);
		return;
	case RT_INT:
	case RT_UINT:
	case RT_PORT:
	case RT_TIME:
	case RT_DURATION:
		write_number(j, v->num);
		return;
	}
}

static void stop(struct event_log *l, const struct err *err)
{
	l->failed = true;
	LOG(ERROR, "record.stopped", KV_STR("file", l->path), KV_STR("why", err->msg), KV_U64("events", l->count));
}

/* The file is full: it becomes the old one. */
static int rotate(struct event_log *l, struct err *err)
{
	if (rename(l->path, l->old_path) < 0)
		return err_set(err, errno, "rename '%s'", l->path);
	int fd = open_file(l->path, err);
	if (fd < 0)
		return fd;
	close(l->fd);
	l->fd = fd;
	l->written = 0;
	LOG(INFO, "record.rotated", KV_STR("file", l->old_path), KV_U64("bytes", l->max_bytes));
	return 0;
}

void event_log_flush(struct event_log *l)
{
	struct err err;

	if (l->failed || !l->buf.n)
		return;
	int r = l->written && l->written + l->buf.n > l->max_bytes ? rotate(l, &err) : 0;
	if (r >= 0)
		r = file_write_all(l->fd, l->buf.p, l->buf.n, &err);
	if (r < 0)
		stop(l, &err);
	l->written += l->buf.n;
	buf_reset(&l->buf);
}

void event_log_add(struct event_log *l, const char *type, const struct rules_source *src)
{
	struct rules_value v;
	struct json j;
	size_t begin = l->buf.n;

	if (!type || l->failed)
		return;
	arena_reset(l->scratch);
	json_init(&j, &l->buf);
	json_object_open(&j);
	json_kv_str(&j, "evt.type", type);
	for (size_t i = 0; i < l->plain_count; i++) {
		const struct rules_field *f = l->plain[i];

		if (rules_field_id(f) == FIELD_EVT_TYPE || rules_field_id(f) == FIELD_SYSCALL_TYPE)
			continue;
		if (!src->get(src->ctx, f, -1, SLICE_NONE, l->scratch, &v))
			continue;
		json_key(&j, f->name);
		write_value(&j, f->type, f->flags, &v);
	}
	for (size_t i = 0; i < l->named_count; i++) {
		const struct rules_field_ref *ref = &l->named[i].ref;

		if (!src->get(src->ctx, ref->field, ref->index, ref->arg, l->scratch, &v))
			continue;
		json_key(&j, l->named[i].name);
		/* One of a list of values is a value. */
		write_value(&j, v.str.p && ref->field->flags & FIELD_IS_DYNAMIC ? RT_STRING : ref->type, 0, &v);
	}
	json_object_close(&j);
	buf_add_char(&l->buf, '\n');
	if (l->buf.failed) { /* no event comes near it; if one does, it goes alone */
		l->buf.failed = false;
		l->buf.n = begin;
		return;
	}
	l->count++;
	if (l->buf.n >= FLUSH_BYTES)
		event_log_flush(l);
}

uint64_t event_log_count(const struct event_log *l)
{
	return l->count;
}

void event_log_close(struct event_log *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		event_log_flush(l);
	if (l->fd >= 0)
		close(l->fd);
	buf_fini(&l->buf);
	arena_free(l->scratch);
	free(l);
}

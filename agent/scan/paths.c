/* paths.c - see paths.h. yajl's callbacks, with a path kept beside them. */
#include "agent/scan/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <yajl/yajl_parse.h>

enum { KEY_MAX = 64, TEXT_MAX = (KEY_MAX + 3) * (PATHS_DEPTH_MAX + 1), CHUNK_BYTES = 64 * 1024 };

struct paths {
	paths_fn fn;
	void *arg;
	struct err *err;
	int code; /* what ended it, negative; 0 so far */
	unsigned depth;
	size_t path_n;
	uint16_t ends[PATHS_DEPTH_MAX + 1]; /* path_n as it was outside of this level */
	bool is_array[PATHS_DEPTH_MAX + 1];
	uint64_t fed, last_call; /* bytes; the latter when yajl last had something to say */
	char path[TEXT_MAX];
};

static void add(struct paths *p, const char *s, size_t n)
{
	/* fits: a level adds one key of KEY_MAX, a dot and two brackets at most */
	memcpy(p->path + p->path_n, s, n);
	p->path_n += n;
}

static int tell(struct paths *p, enum paths_kind kind, struct slice value)
{
	p->last_call = p->fed;
	p->code = p->fn(p->arg, kind, (struct slice){ p->path, p->path_n }, value, p->err);
	return p->code >= 0;
}

/* Before a value or a level: inside an array it stands at "…[]", in an object behind its key already. */
static size_t enter(struct paths *p)
{
	size_t before = p->path_n;

	if (p->depth && p->is_array[p->depth])
		add(p, "[]", 2);
	return before;
}

/* \u0000 would end our C strings early and hide the rest. */
static bool has_nul(struct paths *p, struct slice s)
{
	if (!s.n || !memchr(s.p, 0, s.n))
		return false;
	p->code = err_set(p->err, ERR_SYNTAX, "a NUL character after byte %llu", (unsigned long long)p->last_call);
	return true;
}

static int value(struct paths *p, enum paths_kind kind, struct slice s)
{
	size_t before = enter(p);

	if (has_nul(p, s))
		return 0;
	int go_on = tell(p, kind, s);
	p->path_n = before;
	return go_on;
}

static int open_level(struct paths *p, bool is_array)
{
	p->last_call = p->fed;
	if (p->depth == PATHS_DEPTH_MAX) {
		p->code = err_set(p->err, ERR_LIMIT, "nested deeper than %d", PATHS_DEPTH_MAX);
		return 0;
	}
	size_t before = enter(p);
	p->depth++;
	p->ends[p->depth] = (uint16_t)before;
	p->is_array[p->depth] = is_array;
	return is_array ? 1 : tell(p, PATHS_OPEN, SLICE_NONE);
}

/* What an object's path is while its keys come and go: the end of the level's own path is where the key of
 * the last value begins. */
static size_t own_end(const struct paths *p)
{
	size_t n = p->ends[p->depth];

	return n + (p->depth > 1 && p->is_array[p->depth - 1] ? 2 : 0);
}

static int on_key(void *arg, const unsigned char *key, size_t n)
{
	struct paths *p = arg;
	struct slice s = slice_from(key, n);

	if (has_nul(p, s))
		return 0;
	p->last_call = p->fed;
	p->path_n = own_end(p);
	if (n > KEY_MAX || slice_find_char(s, '.') >= 0 || slice_find_char(s, '[') >= 0)
		s = SLICE_LIT("?");
	add(p, ".", 1);
	add(p, s.p ? s.p : "", s.n);
	return 1;
}

static int on_map_open(void *arg)
{
	return open_level(arg, false);
}

static int on_map_close(void *arg)
{
	struct paths *p = arg;

	p->path_n = own_end(p);
	int go_on = tell(p, PATHS_CLOSE, SLICE_NONE);
	p->path_n = p->ends[p->depth--];
	return go_on;
}

static int on_array_open(void *arg)
{
	return open_level(arg, true);
}

static int on_array_close(void *arg)
{
	struct paths *p = arg;

	p->last_call = p->fed;
	p->path_n = p->ends[p->depth--];
	return 1;
}

static int on_string(void *arg, const unsigned char *s, size_t n)
{
	return value(arg, PATHS_STRING, slice_from(s, n));
}

static int on_number(void *arg, const char *s, size_t n)
{
	return value(arg, PATHS_OTHER, slice_from(s, n));
}

static int on_bool(void *arg, int is_true)
{
	return value(arg, PATHS_OTHER, is_true ? SLICE_LIT("true") : SLICE_LIT("false"));
}

static int on_null(void *arg)
{
	return value(arg, PATHS_OTHER, SLICE_LIT("null"));
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map_open,
	.yajl_map_key = on_key,
	.yajl_end_map = on_map_close,
	.yajl_start_array = on_array_open,
	.yajl_end_array = on_array_close,
};

/* yajl's own words, in one line without its picture of the place. */
static int syntax(struct paths *p, yajl_handle y, struct slice chunk)
{
	unsigned char *text = yajl_get_error(y, 0, (const unsigned char *)chunk.p, chunk.n);
	struct slice s = slice_trim(slice_of(text ? (const char *)text : "not JSON"));
	/* at the end yajl counts a blank of its own */
	uint64_t at = p->fed - chunk.n + (chunk.n ? yajl_get_bytes_consumed(y) : 0);
	int r = err_set(p->err, ERR_SYNTAX, "byte %llu: %.*s", (unsigned long long)at, SLICE_FMT(s));

	if (text)
		yajl_free_error(y, text);
	return r;
}

static int feed(struct paths *p, yajl_handle y, struct slice chunk)
{
	if (!p->fed && slice_starts(chunk, SLICE_LIT("\xef\xbb\xbf"))) {
		p->fed = 3; /* a byte order mark */
		chunk = slice_sub(chunk, 3, chunk.n);
	}
	p->fed += chunk.n;
	yajl_status s = yajl_parse(y, (const unsigned char *)chunk.p, chunk.n);
	if (s == yajl_status_client_canceled)
		return p->code;
	if (s != yajl_status_ok)
		return syntax(p, y, chunk);
	/* yajl gathers a value that goes over chunks, without an end of its own */
	if (p->fed - p->last_call > PATHS_VALUE_MAX)
		return err_set(p->err, ERR_LIMIT, "a value of more than %d bytes at byte %llu", PATHS_VALUE_MAX,
			       (unsigned long long)p->last_call);
	return 0;
}

static int finish(struct paths *p, yajl_handle y)
{
	yajl_status s = yajl_complete_parse(y);

	if (s == yajl_status_client_canceled)
		return p->code;
	if (s == yajl_status_ok && p->depth)
		return err_set(p->err, ERR_SYNTAX, "byte %llu: it ends too early", (unsigned long long)p->fed);
	return s == yajl_status_ok ? 0 : syntax(p, y, SLICE_NONE);
}

static void yajl_freep(yajl_handle *y)
{
	if (*y)
		yajl_free(*y);
}

static int begin(struct paths **ret, yajl_handle *ret_yajl, paths_fn fn, void *arg, struct err *err)
{
	struct paths *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(err, ENOMEM, "read JSON");
	p->fn = fn;
	p->arg = arg;
	p->err = err;
	*ret = p;
	*ret_yajl = yajl_alloc(&callbacks, NULL, p);
	return *ret_yajl ? 0 : err_set(err, ENOMEM, "read JSON");
}

int paths_text(struct slice text, paths_fn fn, void *arg, struct err *err)
{
	CLEANUP(freep) struct paths *p = NULL;
	CLEANUP(yajl_freep) yajl_handle y = NULL;
	int r = begin(&p, &y, fn, arg, err);

	/* in pieces, so that one value has the same bound as in a file */
	for (size_t at = 0; r >= 0 && at < text.n; at += CHUNK_BYTES)
		r = feed(p, y, slice_sub(text, at, CHUNK_BYTES));
	return r < 0 ? r : finish(p, y);
}

static int feed_fd(struct paths *p, yajl_handle y, int fd, uint64_t max_bytes, struct err *err)
{
	CLEANUP(freep) char *chunk = malloc(CHUNK_BYTES);
	int r = chunk ? 0 : err_set(err, ENOMEM, "read JSON");

	while (r >= 0) {
		ssize_t n = read(fd, chunk, CHUNK_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read");
		if (!n)
			return finish(p, y);
		if ((uint64_t)n > max_bytes - p->fed)
			return err_set(err, ERR_LIMIT, "more than %llu MiB",
				       (unsigned long long)(max_bytes >> 20));
		r = feed(p, y, (struct slice){ chunk, (size_t)n });
	}
	return r;
}

int paths_file(const char *path, uint64_t max_bytes, paths_fn fn, void *arg, struct err *err)
{
	CLEANUP(fd_closep) int opened = -1;
	CLEANUP(freep) struct paths *p = NULL;
	CLEANUP(yajl_freep) yajl_handle y = NULL;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0)
		fd = opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	int r = begin(&p, &y, fn, arg, err);
	if (r >= 0)
		r = feed_fd(p, y, fd, max_bytes, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

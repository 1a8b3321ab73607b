/* walk.c - see walk.h. A stack of places beside yajl's own state; what nobody asked for is at none. */
#include "common/vulndb/walk.h"

#include <errno.h>
#include <yajl/yajl_parse.h>

#include "common/vulndb/limits.h"

/* How much yajl gets at once: what `silent` is exact to. */
enum { CHUNK = 65536 };

struct walk {
	const struct walk_place *places;
	size_t count;
	unsigned char first[WALK_PLACES_MAX]; /* by parent: its first row; count: it has none */
	void *arg;
	yajl_handle y;
	unsigned depth;
	struct level {
		const struct walk_place *place; /* NULL: skipped */
		bool is_array;
	} stack[VULNDB_DEPTH_MAX];
	const struct walk_place *next; /* where the value to come stands; NULL: skipped */
	char key_text[VULNDB_NAME_MAX];
	struct slice key; /* of the value to come, if its place is "*" */
	size_t silent;	  /* bytes fed since yajl told of anything */
	unsigned long line, column;
	int failed;
	struct err *err; /* of the call in progress */
};

static const struct walk_place *find_place(const struct walk *w, const struct walk_place *in, struct slice key)
{
	if (!in)
		return NULL;
	for (size_t i = w->first[in->place]; i < w->count && w->places[i].parent == in->place; i++)
		if (slice_is(key, w->places[i].key) || w->places[i].key[0] == '*')
			return &w->places[i];
	return NULL;
}

/* Of an element of an array: the row "[]". */
static void enter_element(struct walk *w)
{
	if (!w->depth || !w->stack[w->depth - 1].is_array)
		return;
	w->key = SLICE_NONE;
	w->next = find_place(w, w->stack[w->depth - 1].place, SLICE_LIT("[]"));
}

static int tell(struct walk *w, const struct walk_place *p, struct walk_event e)
{
	w->silent = 0;
	if (!p || !p->on)
		return 1;
	e.at = p->at;
	w->failed = p->on(w->arg, &e, w->err);
	if (w->failed > 0)
		w->failed = 0;
	return w->failed == 0;
}

static int on_value(struct walk *w, enum walk_what what, struct slice text)
{
	enter_element(w);
	return tell(w, w->next, (struct walk_event){ .what = what, .text = text });
}

static int on_null(void *arg)
{
	return on_value(arg, WALK_NULL, SLICE_NONE);
}

static int on_boolean(void *arg, int value)
{
	return on_value(arg, WALK_BOOL, value ? SLICE_LIT("true") : SLICE_LIT("false"));
}

static int on_number(void *arg, const char *p, size_t n)
{
	return on_value(arg, WALK_NUMBER, slice_from(p, n));
}

static int on_string(void *arg, const unsigned char *p, size_t n)
{
	return on_value(arg, WALK_TEXT, slice_from(p, n));
}

/* yajl's key is gone at its next call, and what it stands for opens later: a wanted one is copied. */
static int on_key(void *arg, const unsigned char *p, size_t n)
{
	struct walk *w = arg;
	struct slice key = slice_from(p, n);

	w->silent = 0;
	w->next = find_place(w, w->stack[w->depth - 1].place, key);
	w->key = SLICE_NONE;
	if (!w->next || w->next->key[0] != '*')
		return 1;
	if (n > sizeof(w->key_text))
		w->next = NULL; /* longer than any name: skipped with what it holds */
	else
		w->key = slice_from(memcpy(w->key_text, p, n), n);
	return 1;
}

static int on_open(struct walk *w, bool is_array)
{
	static const struct walk_place document = { 0 };

	if (w->depth == VULNDB_DEPTH_MAX) {
		w->failed = err_set(w->err, ERR_LIMIT, "JSON nested deeper than %d", VULNDB_DEPTH_MAX);
		return 0;
	}
	enter_element(w);
	const struct walk_place *p = w->depth ? w->next : &document;
	w->stack[w->depth++] = (struct level){ p, is_array };
	return tell(w, p, (struct walk_event){ .what = WALK_OPEN, .is_array = is_array, .text = w->key });
}

static int on_close(struct walk *w, bool is_array)
{
	const struct walk_place *p = w->stack[--w->depth].place;

	return tell(w, p, (struct walk_event){ .what = WALK_CLOSE, .is_array = is_array });
}

static int on_object_open(void *arg)
{
	return on_open(arg, false);
}

static int on_object_close(void *arg)
{
	return on_close(arg, false);
}

static int on_array_open(void *arg)
{
	return on_open(arg, true);
}

static int on_array_close(void *arg)
{
	return on_close(arg, true);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object_open,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_close,
	.yajl_start_array = on_array_open,
	.yajl_end_array = on_array_close,
};

struct walk *walk_new(const struct walk_place *places, size_t count, void *arg)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct walk){ .places = places, .count = count, .arg = arg };
	memset(w->first, (int)count, sizeof(w->first));
	for (size_t i = count; i-- > 0;)
		w->first[places[i].parent] = (unsigned char)i;
	if (walk_reset(w, NULL) < 0) {
		walk_free(w);
		return NULL;
	}
	return w;
}

int walk_reset(struct walk *w, struct err *err)
{
	if (w->y)
		yajl_free(w->y);
	w->y = yajl_alloc(&callbacks, NULL, w);
	w->depth = 0;
	w->next = NULL;
	w->key = SLICE_NONE;
	w->silent = 0;
	w->line = 1;
	w->column = 1;
	w->failed = 0;
	return w->y ? 0 : err_set(err, ENOMEM, "JSON reader");
}

/* Moves line and column over what yajl has read. */
static void count_lines(struct walk *w, struct slice read)
{
	for (const char *nl; (nl = read.n ? memchr(read.p, '\n', read.n) : NULL);) {
		w->line++;
		w->column = 1;
		read = slice_sub(read, (size_t)(nl - read.p) + 1, SIZE_MAX);
	}
	w->column += read.n;
}

static int result_of(struct walk *w, yajl_status status, struct err *err)
{
	if (status == yajl_status_ok)
		return 0;
	if (!w->failed) {
		unsigned char *why = yajl_get_error(w->y, 0, NULL, 0);
		struct slice text = slice_trim(slice_of((const char *)why));

		w->failed = err_set(err, ERR_SYNTAX, "%lu:%lu: JSON: %.*s", w->line, w->column, SLICE_FMT(text));
		yajl_free_error(w->y, why);
		return w->failed;
	}
	return w->failed == -ERR_LIMIT || w->failed == -ERR_SYNTAX ?
		       err_wrap(err, w->failed, "%lu:%lu", w->line, w->column) :
		       w->failed;
}

static int feed_chunk(struct walk *w, struct slice bytes, struct err *err)
{
	yajl_status s = yajl_parse(w->y, (const unsigned char *)bytes.p, bytes.n);
	count_lines(w, s == yajl_status_ok ? bytes : slice_sub(bytes, 0, yajl_get_bytes_consumed(w->y)));
	w->silent += bytes.n;
	if (s == yajl_status_ok && w->silent > VULNDB_TOKEN_MAX)
		return w->failed = err_set(err, ERR_LIMIT, "%lu:%lu: JSON: a text of over %d MiB", w->line,
					   w->column, VULNDB_TOKEN_MAX >> 20);
	return result_of(w, s, err);
}

int walk_feed(struct walk *w, struct slice bytes, struct err *err)
{
	int r = 0;

	if (w->failed)
		return err_set(err, -w->failed, "JSON reader has failed before");
	w->err = err;
	for (; bytes.n && r >= 0; bytes = slice_sub(bytes, CHUNK, SIZE_MAX))
		r = feed_chunk(w, slice_sub(bytes, 0, CHUNK), err);
	return r;
}

int walk_end(struct walk *w, struct err *err)
{
	if (w->failed)
		return err_set(err, -w->failed, "JSON reader has failed before");
	w->err = err;
	int r = result_of(w, yajl_complete_parse(w->y), err);
	if (r >= 0 && w->depth) /* yajl takes an empty text for a complete one */
		r = err_set(err, ERR_SYNTAX, "%lu:%lu: JSON ends too early", w->line, w->column);
	return r;
}

unsigned long walk_line(const struct walk *w)
{
	return w->line;
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	if (w->y)
		yajl_free(w->y);
	free(w);
}

/* levels.c - see levels.h. */
#include "agent/learn/levels.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/queue.h>
#include <uthash.h>

#include "common/file.h"
#include "common/json.h"

enum { FILE_BYTES = 8 * 1024 * 1024, UP_PART = 8 };
#define MINUTE_NS 60000000000ull
#define PER_MINUTE_MAX 1e15 /* a petabyte: what is read from a file is no more */

struct row {
	char key[LEVELS_KEY_BYTES];
	double level; /* bytes a minute */
	uint64_t first_unix_s, last_unix_s;
	UT_hash_handle hh;
	TAILQ_ENTRY(row) entry;
};

struct levels {
	struct row *rows;
	TAILQ_HEAD(, row) oldest; /* longest unused first */
};

struct levels *levels_new(void)
{
	struct levels *l = calloc(1, sizeof(*l));

	if (l)
		TAILQ_INIT(&l->oldest);
	return l;
}

static void drop(struct levels *l, struct row *r)
{
	HASH_DEL(l->rows, r);
	TAILQ_REMOVE(&l->oldest, r, entry);
	free(r);
}

static struct row *use(struct levels *l, const char *kind, const char *name, uint64_t now_unix_s, bool *ret_is_new)
{
	char key[LEVELS_KEY_BYTES];
	struct row *r;

	snprintf(key, sizeof(key), "%s:%s", kind, name);
	HASH_FIND_STR(l->rows, key, r);
	*ret_is_new = !r;
	if (!r) {
		if (HASH_COUNT(l->rows) >= LEVELS_MAX)
			drop(l, TAILQ_FIRST(&l->oldest));
		r = calloc(1, sizeof(*r));
		if (!r)
			return NULL;
		(void)slice_copy(slice_of(key), r->key, sizeof(r->key));
		r->first_unix_s = r->last_unix_s = now_unix_s;
		HASH_ADD_STR(l->rows, key, r);
	} else {
		TAILQ_REMOVE(&l->oldest, r, entry);
	}
	TAILQ_INSERT_TAIL(&l->oldest, r, entry);
	return r;
}

/* A clock that was set back is no age. */
static uint64_t age_s(uint64_t from, uint64_t now)
{
	return now > from ? now - from : 0;
}

static bool is_learning(const struct row *r, uint64_t now_unix_s)
{
	return age_s(r->first_unix_s, now_unix_s) < LEVELS_LEARN_S;
}

static void decay(struct row *r, uint64_t now_unix_s)
{
	r->level *= exp2(-(double)age_s(r->last_unix_s, now_unix_s) / LEVELS_HALF_S);
	r->last_unix_s = now_unix_s;
}

static void learn(struct row *r, double per_minute, double minutes, uint64_t now_unix_s)
{
	if (per_minute <= r->level)
		return;
	double part = is_learning(r, now_unix_s) ? 1.0 : minutes / UP_PART;
	r->level += (per_minute - r->level) * (part < 1.0 ? part : 1.0);
}

static void judge(const struct row *r, double per_minute, uint64_t now_unix_s, struct level *ret)
{
	ret->is_learning = is_learning(r, now_unix_s);
	ret->learned = (uint64_t)r->level;
	if (!ret->is_learning && per_minute > r->level)
		ret->above = (uint64_t)(per_minute - r->level);
}

void levels_add(struct levels *l, const char *container, const char *image, uint64_t bytes, uint64_t interval_ns,
		uint64_t now_unix_s, struct level *ret)
{
	bool is_new_container, is_new_image;
	struct row *i = use(l, "image", image, now_unix_s, &is_new_image);
	struct row *c = use(l, "container", container, now_unix_s, &is_new_container);
	double minutes = (double)interval_ns / (double)MINUTE_NS;
	double per_minute = minutes > 0 ? (double)bytes / minutes : 0;

	*ret = (struct level){ .per_minute = (uint64_t)per_minute, .is_learning = true };
	if (!c || !i || interval_ns < MINUTE_NS / 60)
		return;
	decay(c, now_unix_s);
	decay(i, now_unix_s);
	judge(is_learning(c, now_unix_s) ? i : c, per_minute, now_unix_s, ret);
	learn(c, per_minute, minutes, now_unix_s);
	learn(i, per_minute, minutes, now_unix_s);
}

void levels_add_image(struct levels *l, const char *image, uint64_t per_minute, uint64_t interval_ns, uint64_t now_unix_s,
		      struct level *ret)
{
	bool is_new;
	struct row *r = use(l, "all", image, now_unix_s, &is_new);

	*ret = (struct level){ .per_minute = per_minute, .is_learning = true };
	if (!r || interval_ns < MINUTE_NS / 60)
		return;
	decay(r, now_unix_s);
	judge(r, (double)per_minute, now_unix_s, ret);
	learn(r, (double)per_minute, (double)interval_ns / (double)MINUTE_NS, now_unix_s);
}

size_t levels_count(const struct levels *l)
{
	return HASH_COUNT(l->rows);
}

/* ---- the file ---- */

int levels_save(const struct levels *l, const char *path, struct err *err)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct json j;
	struct row *r;

	buf_init(&out, FILE_BYTES);
	json_init(&j, &out);
	json_object_open(&j);
	json_kv_u64(&j, "version", 1);
	json_key(&j, "levels");
	json_array_open(&j);
	TAILQ_FOREACH(r, &l->oldest, entry)
	{
		json_object_open(&j);
		json_kv_str(&j, "key", r->key);
		json_kv_u64(&j, "level", (uint64_t)r->level);
		json_kv_u64(&j, "first", r->first_unix_s);
		json_kv_u64(&j, "last", r->last_unix_s);
		json_object_close(&j);
	}
	json_array_close(&j);
	json_object_close(&j);
	if (out.failed)
		return err_set(err, ENOMEM, "%s", path);
	return file_write_atomic(path, buf_slice(&out), 0600, err);
}

static void read_row(struct levels *l, const cJSON *o, uint64_t now_unix_s)
{
	struct slice key = json_get_str(o, "key"), kind;
	char name[LEVELS_KEY_BYTES], kind_text[16];
	bool is_new;

	if (!slice_split(&key, ':', &kind) || !slice_copy(kind, kind_text, sizeof(kind_text)) ||
	    !slice_copy(key, name, sizeof(name)))
		return;
	if (strcmp(kind_text, "image") != 0 && strcmp(kind_text, "container") != 0 && strcmp(kind_text, "all") != 0)
		return;
	struct row *r = use(l, kind_text, name, now_unix_s, &is_new);
	if (!r)
		return;
	double level = (double)json_get_u64(o, "level", 0);
	uint64_t first = json_get_u64(o, "first", now_unix_s), last = json_get_u64(o, "last", now_unix_s);
	r->level = level < PER_MINUTE_MAX ? level : 0;
	r->first_unix_s = first < now_unix_s ? first : now_unix_s;
	r->last_unix_s = last < now_unix_s ? last : now_unix_s;
}

int levels_parse(struct levels *l, struct slice text, uint64_t now_unix_s, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	const cJSON *item;

	int r = json_parse(text, FILE_BYTES, &o, err);
	if (r < 0)
		return r;
	const cJSON *rows = cJSON_GetObjectItemCaseSensitive(o, "levels");
	if (json_get_u64(o, "version", 0) != 1 || !cJSON_IsArray(rows))
		return err_set(err, ERR_SYNTAX, "no levels of this version");
	cJSON_ArrayForEach(item, rows) read_row(l, item, now_unix_s);
	return 0;
}

int levels_load(struct levels *l, const char *path, uint64_t now_unix_s, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	int r = file_read(path, FILE_BYTES, &text, err);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = levels_parse(l, buf_slice(&text), now_unix_s, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

void levels_free(struct levels *l)
{
	if (!l)
		return;
	while (!TAILQ_EMPTY(&l->oldest))
		drop(l, TAILQ_FIRST(&l->oldest));
	free(l);
}

/* images.c - what agents ask and tell of images: is it known, what is in it, what its registry says. */
#include "collector/store/images_priv.h"

#include <errno.h>

#include "common/json.h"
#include "common/text.h"

enum { LIST_MAX = 64, LIST_BYTES = 1024 * 1024, TEXT_MAX = 1024, SEEN_EVERY_S = 600 };
static const uint64_t second_ns = 1000000000;

/* ---- rows ---- */

static int find_row(struct store *s, const char *image_id, int64_t *ret, struct err *err)
{
	return DB_NUMBER(&s->state, ret, err, "SELECT id FROM image WHERE image_id = ?", B_STR(image_id));
}

int images_row(struct store *s, const char *image_id, int64_t *ret, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int64_t count;
	int r = find_row(s, image_id, ret, err);

	if (r < 0 || *ret)
		return r;
	r = db_number(&s->state, "SELECT count(*) FROM image", NULL, 0, &count, err);
	if (r < 0 || count >= STORE_IMAGES_MAX)
		return r;
	r = DB_RUN(&s->state, err, "INSERT INTO image(image_id, first_seen, seen) VALUES (?1, ?2, ?2)",
		   B_STR(image_id), B_INT(now));
	if (r >= 0)
		*ret = sqlite3_last_insert_rowid(s->state.h);
	return r;
}

static void add_once(struct json *j, cJSON *seen, struct slice text)
{
	char copy[TEXT_MAX];
	const cJSON *item;

	if (!text.n || !text_is_clean(text) || !slice_copy(text, copy, sizeof(copy)))
		return;
	cJSON_ArrayForEach(item, seen)
	{
		if (!strcmp(item->valuestring, copy))
			return;
	}
	cJSON_AddItemToArray(seen, cJSON_CreateString(copy));
	json_str(j, text);
}

void images_list(struct buf *out, const char *old, char *const *texts, size_t count, size_t max)
{
	CLEANUP(cJSON_Deletep) cJSON *seen = cJSON_CreateArray(), *had = NULL;
	const cJSON *item;
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	/* The newest first: when there are too many, the oldest go. */
	for (size_t i = 0; i < count && (size_t)cJSON_GetArraySize(seen) < max; i++)
		add_once(&j, seen, slice_of(texts[i]));
	if (old[0] && json_parse(slice_of(old), LIST_BYTES, &had, NULL) < 0)
		had = NULL;
	cJSON_ArrayForEach(item, had)
	{
		if (cJSON_IsString(item) && (size_t)cJSON_GetArraySize(seen) < max)
			add_once(&j, seen, slice_of(item->valuestring));
	}
	json_array_close(&j);
}

/* ---- asked ---- */

/* 1: the inventory of this image is here, from somebody who may still talk. */
static int is_known(struct store *s, int64_t row, struct err *err)
{
	int64_t known;
	int r = DB_NUMBER(&s->state, &known, err,
			  "SELECT count(*) FROM image i WHERE i.id = ? AND length(i.sha256) > 0 AND NOT EXISTS"
			  " (SELECT 1 FROM agent a WHERE a.id = i.agent AND a.is_revoked = 1)",
			  B_INT(row));

	return r < 0 ? r : known > 0;
}

static int put_digests(struct store *s, int64_t row, char *const *digests, size_t count, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < count && i < LIST_MAX && r >= 0; i++) {
		struct slice all = slice_of(digests[i]);
		ptrdiff_t at = slice_find_char(all, '@');
		struct slice digest = slice_sub(all, (size_t)(at + 1), all.n);

		if (digest.n && digest.n < LIMIT_NAME_BYTES && text_is_clean(digest))
			r = DB_RUN(&s->state, err, "INSERT OR IGNORE INTO image_digest VALUES (?,?)",
				   B_TEXT(digest), B_INT(row));
	}
	return r;
}

/* A name may be given to an image long after its inventory came. */
static int take_names(struct store *s, int64_t row, char *const *names, size_t name_count, char *const *digests,
		      size_t digest_count, struct err *err)
{
	CLEANUP(buf_finip) struct buf new_names = { 0 }, new_digests = { 0 };
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;

	if (!name_count && !digest_count)
		return 0;
	buf_init(&new_names, LIST_BYTES);
	buf_init(&new_digests, LIST_BYTES);
	int r = DB_PREPARE(&s->state, &st, err, "SELECT names, digests FROM image WHERE id = ?", B_INT(row));
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	images_list(&new_names, db_text(st, 0), names, name_count, LIST_MAX);
	images_list(&new_digests, db_text(st, 1), digests, digest_count, LIST_MAX);
	if (slice_is(buf_slice(&new_names), db_text(st, 0)) && slice_is(buf_slice(&new_digests), db_text(st, 1)))
		return 0;
	/* Acceptances are for names. */
	r = DB_RUN(&s->state, err, "UPDATE image SET names = ?2, digests = ?3, is_judged = 0 WHERE id = ?1", B_INT(row),
		   B_TEXT(buf_slice(&new_names)), B_TEXT(buf_slice(&new_digests)));
	return r < 0 ? r : put_digests(s, row, digests, digest_count, err);
}

static int ask(struct store *s, const Picket__ImageAsk *a, bool *ret_is_known, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int64_t row;
	int r = find_row(s, a->image_id, &row, err);

	*ret_is_known = false;
	if (r < 0 || !row)
		return r;
	r = is_known(s, row, err);
	if (r < 0)
		return r;
	*ret_is_known = r > 0;
	r = DB_RUN(&s->state, err, "UPDATE image SET seen = ?2 WHERE id = ?1 AND seen < ?3", B_INT(row), B_INT(now),
		   B_INT(now > SEEN_EVERY_S * second_ns ? now - SEEN_EVERY_S * second_ns : 0));
	if (r >= 0 && *ret_is_known)
		r = take_names(s, row, a->names, a->n_names, a->repo_digests, a->n_repo_digests, err);
	return r;
}

int store_image_ask(struct store *s, const Picket__ImageAsk *a, bool *ret_is_known, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, ask(s, a, ret_is_known, err), err);
}

int store_layer_is_known(struct store *s, struct slice key, bool *ret, struct err *err)
{
	/* SHA-256 of nothing: a layer that brings no package is known by heart. */
	static const uint8_t empty[LIMIT_KEY_BYTES] = {
		0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
		0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
	};
	int64_t row;
	int r = packages_find_layer(s, key, &row, err);

	if (r >= 0)
		*ret = row != 0 || slice_eq(key, slice_from(empty, sizeof(empty)));
	return r;
}

int store_inventory_is_stored(struct store *s, const char *image_id, struct slice sha256, bool *ret,
			      struct err *err)
{
	int64_t count;
	int r = DB_NUMBER(&s->state, &count, err,
			  "SELECT count(*) FROM image WHERE image_id = ? AND sha256 = ?", B_STR(image_id),
			  B_BLOB(sha256));

	if (r >= 0)
		*ret = count > 0;
	return r;
}

/* ---- told ---- */

static int put_layers(struct store *s, int64_t image, int64_t os, const Picket__Inventory *inv, struct err *err)
{
	int r = DB_RUN(&s->state, err, "DELETE FROM image_layer WHERE image = ?", B_INT(image));

	for (size_t i = 0; i < inv->n_layers && r >= 0; i++) {
		const Picket__Layer *l = inv->layers[i];
		int64_t layer;

		r = packages_put_layer(s, l, &layer, err);
		if (r >= 0)
			r = DB_RUN(&s->state, err, "INSERT INTO image_layer VALUES (?,?,?,?,?,?,?)", B_INT(image),
				   B_INT(i), B_INT(layer), B_STR(l->diff_id), B_STR(l->digest),
				   B_STR(l->created_by), B_INT(l->size_bytes));
		if (r >= 0)
			r = packages_due(s, layer, os, err);
	}
	return r;
}

static int put_row(struct store *s, int64_t image, int64_t os, const char *agent, const Picket__Inventory *inv,
		   struct slice sha256, struct err *err)
{
	CLEANUP(buf_finip) struct buf names = { 0 }, digests = { 0 }, problems = { 0 }, config = { 0 };
	uint64_t now = clock_unix_ns(s->clk);

	buf_init(&names, LIST_BYTES);
	buf_init(&digests, LIST_BYTES);
	buf_init(&problems, LIST_BYTES);
	buf_init(&config, LIMIT_INVENTORY_BYTES);
	images_list(&names, "", inv->names, inv->n_names, LIST_MAX);
	images_list(&digests, "", inv->repo_digests, inv->n_repo_digests, LIST_MAX);
	images_list(&problems, "", inv->problems, inv->n_problems, LIST_MAX);
	if (inv->config) {
		size_t n = picket__image_config__get_packed_size(inv->config);
		char *at = buf_reserve(&config, n);

		if (!at)
			return err_set(err, ERR_LIMIT, "image '%.80s': its configuration", inv->image_id);
		picket__image_config__pack(inv->config, (uint8_t *)at);
		buf_written(&config, n);
	}
	int r = DB_RUN(&s->state, err,
		       "UPDATE image SET sha256 = ?2, agent = ?3, os = ?4, os_title = ?5, kind = ?6, arch = ?7,"
		       " os_type = ?8, created = ?9, size = ?10, taken = ?11, stored = ?12, seen = ?12, names = ?13,"
		       " digests = ?14, problems = ?15, config = ?16, is_counted = 0, worst_at = 0, is_judged = 0 WHERE id = ?1",
		       B_INT(image), B_BLOB(sha256), B_STR(agent), B_INT(os),
		       B_STR(inv->os ? inv->os->pretty_name : ""), B_STR(inv->kind), B_STR(inv->arch),
		       B_STR(inv->os_type), B_INT(inv->created_unix_s), B_INT(inv->size_bytes),
		       B_INT(inv->taken_unix_s), B_INT(now), B_TEXT(buf_slice(&names)), B_TEXT(buf_slice(&digests)),
		       B_TEXT(buf_slice(&problems)), B_BLOB(buf_slice(&config)));
	return r < 0 ? r : put_digests(s, image, inv->repo_digests, inv->n_repo_digests, err);
}

/* 1: another agent's inventory stands, and stays. */
static int is_anothers(struct store *s, int64_t image, const char *agent, struct err *err)
{
	int64_t others;
	int r = DB_NUMBER(&s->state, &others, err,
			  "SELECT count(*) FROM image i JOIN agent a ON a.id = i.agent WHERE i.id = ?1"
			  " AND length(i.sha256) > 0 AND i.agent <> ?2 AND a.is_revoked = 0",
			  B_INT(image), B_STR(agent));

	return r < 0 ? r : others > 0;
}

static int put_inventory(struct store *s, const char *agent, const Picket__Inventory *inv, struct slice sha256,
			 bool *ret_is_kept, struct err *err)
{
	int64_t image, os = 0, sent;
	int r = images_row(s, inv->image_id, &image, err);

	if (r < 0)
		return r;
	if (!image)
		return err_set(err, ERR_LIMIT, "more than %d images are known", STORE_IMAGES_MAX);
	r = is_anothers(s, image, agent, err);
	if (r != 0) {
		*ret_is_kept = r > 0;
		return r < 0 ? r : 0;
	}
	r = DB_NUMBER(&s->state, &sent, err, "SELECT count(*) FROM image WHERE agent = ? AND id <> ?", B_STR(agent),
		      B_INT(image));
	if (r >= 0 && sent >= STORE_IMAGES_SENT_MAX)
		return err_set(err, ERR_LIMIT, "%d images came from this agent already", STORE_IMAGES_SENT_MAX);
	if (r >= 0)
		r = packages_os_row(s, inv->os, &os, err);
	/* of what it was before, too: a vulnerability may be gone with it */
	if (r >= 0)
		r = vulns_due_of_image(s, image, err);
	if (r >= 0)
		r = put_row(s, image, os, agent, inv, sha256, err);
	if (r >= 0)
		r = put_layers(s, image, os, inv, err);
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "UPDATE image SET packages = (SELECT count(*) FROM image_layer il JOIN layer_package lp"
			   " ON lp.layer = il.layer WHERE il.image = ?1) WHERE id = ?1",
			   B_INT(image));
	return r < 0 ? r : vulns_due_of_image(s, image, err);
}

static int check_inventory(struct store *s, const Picket__Inventory *inv, struct err *err)
{
	size_t packages = 0;

	for (size_t i = 0; i < inv->n_layers; i++) {
		const Picket__Layer *l = inv->layers[i];
		bool known = true;

		packages += l->n_packages;
		if (l->key.len != LIMIT_KEY_BYTES)
			return err_set(err, EINVAL, "layer %zu has no key", i);
		if (!l->n_packages) {
			int r = store_layer_is_known(s, msg_slice(l->key), &known, err);
			if (r < 0)
				return r;
		}
		if (!known)
			return err_set(err, ERR_NOT_FOUND, "layer %zu is not known here", i);
	}
	if (packages > STORE_IMAGE_PACKAGES_MAX)
		return err_set(err, ERR_LIMIT, "%zu packages in one image, at most %d", packages,
			       STORE_IMAGE_PACKAGES_MAX);
	return 0;
}

int store_inventory_put(struct store *s, const char *agent, const Picket__Inventory *inv, struct slice sha256,
			bool *ret_is_kept, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	*ret_is_kept = false;
	r = check_inventory(s, inv, err);
	if (r >= 0)
		r = put_inventory(s, agent, inv, sha256, ret_is_kept, err);
	return store_own_end(s, is_own, r, err);
}

/* ---- registries ---- */

static int put_base(struct store *s, const char *agent, const Picket__BaseImage *b, struct err *err)
{
	int64_t image;
	int r = find_row(s, b->image_id, &image, err);

	/* An image that nobody knows: there is nothing to say it of. */
	if (r < 0 || !image || !text_is_clean(slice_of(b->reference)))
		return r;
	r = DB_RUN(&s->state, err,
		   "INSERT INTO base_image VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(image, reference) DO UPDATE"
		   " SET running = ?3, current = CASE WHEN ?6 = '' THEN ?4 ELSE current END, checked = ?5,"
		   " error = ?6, agent = ?7 WHERE ?5 >= checked",
		   B_INT(image), B_STR(b->reference), B_STR(b->running_digest), B_STR(b->current_digest),
		   B_INT(b->checked_unix_s), B_STR(b->error), B_STR(agent));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "DELETE FROM base_image WHERE image = ?1 AND reference NOT IN (SELECT reference FROM"
			   " base_image WHERE image = ?1 ORDER BY checked DESC LIMIT ?2)",
			   B_INT(image), B_INT(LIST_MAX));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "UPDATE image SET is_newer = EXISTS (SELECT 1 FROM base_image WHERE image = ?1 AND"
			   " current <> '' AND running <> '' AND current <> running) WHERE id = ?1",
			   B_INT(image));
	return r;
}

int store_base_image_put(struct store *s, const char *agent, const Picket__BaseImage *b, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, put_base(s, agent, b, err), err);
}

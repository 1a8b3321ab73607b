/* api_images.c - images: a list, one with all that is known of it, its packages, its vulnerabilities. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_risk.h"
#include "collector/store/record_json.h"
#include "collector/store/store_vulns.h"

enum { ROW_ARENA_BYTES = 32 * 1024 * 1024, USES_MAX = 1000, FIXES_MAX = 200 };

static int on_image(void *arg, const struct store_image *im)
{
	struct api_page *p = arg;

	json_object_open(&p->j);
	api_image_json(p->api, &p->j, im);
	json_object_close(&p->j);
	return api_page_row_done(p);
}

static int run_list(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
		    size_t cursor_size, struct err *err)
{
	return store_image_query(a->store, q, on_image, p, ret_cursor, cursor_size, err);
}

int api_images_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run_list, err);
}

static int find(const struct api_call *c, struct arena *a, struct store_image *ret, struct err *err)
{
	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	if (!c->id.n)
		return err_set(err, ERR_NOT_FOUND, "no such image");
	return store_image_get(c->api->store, c->id.p, a, ret, err);
}

/* ---- facts of its configuration ---- */

static void kv_list(struct json *j, const char *key, char *const *texts, size_t count)
{
	json_kv_array(j, key);
	for (size_t i = 0; i < count; i++)
		json_str(j, slice_of(texts[i]));
	json_array_close(j);
}

static void add_setid(struct json *j, const Picket__ImageConfig *c)
{
	json_kv_array(j, "setid_files");
	for (size_t i = 0; i < c->n_setid_files; i++) {
		const Picket__SetidFile *f = c->setid_files[i];
		char mode[16];

		snprintf(mode, sizeof(mode), "%04o", f->mode & 07777u);
		json_object_open(j);
		record_json_text(j, "path", msg_slice(f->path), LIMIT_PATH_BYTES);
		json_kv_str(j, "mode", mode);
		json_kv_u64(j, "uid", f->uid);
		json_kv_u64(j, "gid", f->gid);
		json_kv_str(j, "package", f->package);
		json_object_close(j);
	}
	json_array_close(j);
}

static void add_history(struct json *j, const Picket__ImageConfig *c)
{
	json_kv_array(j, "history");
	for (size_t i = 0; i < c->n_history; i++) {
		json_object_open(j);
		json_kv_str(j, "created_by", c->history[i]->created_by);
		json_kv_str(j, "comment", c->history[i]->comment);
		json_kv_bool(j, "empty", c->history[i]->empty_layer);
		json_object_close(j);
	}
	json_array_close(j);
}

/* Stored as it came, and checked then. */
static void add_config(struct json *j, struct slice packed)
{
	Picket__ImageConfig *c =
		packed.n ? picket__image_config__unpack(NULL, packed.n, (const uint8_t *)packed.p) : NULL;

	json_key(j, "config");
	if (!c) {
		json_null(j);
		return;
	}
	json_object_open(j);
	json_kv_str(j, "user", c->user);
	json_kv_str(j, "healthcheck", !c->healthcheck || !c->healthcheck->is_declared ? NULL :
				      c->healthcheck->is_none			     ? "none" :
										       "declared");
	kv_list(j, "exposed_ports", c->exposed_ports, c->n_exposed_ports);
	kv_list(j, "secret_env", c->secret_env, c->n_secret_env);
	kv_list(j, "entrypoint", c->entrypoint, c->n_entrypoint);
	kv_list(j, "cmd", c->cmd, c->n_cmd);
	kv_list(j, "volumes", c->volumes, c->n_volumes);
	json_kv_str(j, "working_dir", c->working_dir);
	add_setid(j, c);
	json_kv_object(j, "labels");
	for (size_t i = 0; i < c->n_labels; i++)
		json_kv_str(j, c->labels[i]->key, c->labels[i]->value);
	json_object_close(j);
	add_history(j, c);
	json_object_close(j);
	picket__image_config__free_unpacked(c, NULL);
}

/* ---- layers, where it runs, what registries say ---- */

static int on_layer(void *arg, const struct store_layer *l)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_u64(j, "position", l->position);
	json_kv_str(j, "diff_id", l->diff_id);
	json_kv_str(j, "digest", l->digest);
	json_kv_str(j, "created_by", l->created_by);
	json_kv_u64(j, "size_bytes", l->size_bytes);
	json_kv_u64(j, "packages", l->packages);
	json_object_close(j);
	return 0;
}

static int on_use(void *arg, const struct store_use *u)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "host", u->host);
	json_kv_str(j, "reference", u->reference);
	json_key(j, "container");
	if (u->container[0]) {
		json_object_open(j);
		json_kv_str(j, "id", u->container);
		json_kv_str(j, "name", u->container_name);
		json_object_close(j);
	} else {
		json_null(j);
	}
	api_raw_list(j, "ports", u->ports);
	json_kv_time(j, "started", u->started_unix_s * 1000000000);
	json_object_close(j);
	return 0;
}

struct bases {
	struct json *j;
	char newer[LIMIT_NAME_BYTES + 1]; /* the first newer image that is known here */
};

static int on_base(void *arg, const struct store_base *b)
{
	struct bases *x = arg;
	struct json *j = x->j;

	if (b->image_id[0] && !x->newer[0])
		slice_copy(slice_of(b->image_id), x->newer, sizeof(x->newer));
	json_object_open(j);
	json_kv_str(j, "reference", b->reference);
	json_kv_str(j, "running_digest", b->running_digest);
	json_kv_str(j, "current_digest", b->current_digest);
	json_kv_bool(j, "newer", b->is_newer);
	json_kv_time(j, "checked", b->checked_unix_s * 1000000000);
	json_kv_str(j, "error", b->error);
	json_kv_str(j, "image", b->image_id[0] ? b->image_id : NULL);
	if (b->image_id[0]) {
		json_kv_u64(j, "fixes", b->fixes);
		json_kv_u64(j, "adds", b->adds);
	}
	json_object_close(j);
	return 0;
}

static int on_fix(void *arg, const char *vuln, const char *package)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "id", vuln);
	json_kv_str(j, "package", package);
	json_object_close(j);
	return 0;
}

static int add_fixes(struct api_call *c, struct json *j, int64_t image, const char *newer, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_image other;
	int r = a ? store_image_get(c->api->store, newer, a, &other, err) : err_set(err, ERR_LIMIT, "out of memory");

	if (r < 0)
		return r;
	json_kv_array(j, "fixed_by_newer");
	r = store_image_fixes(c->api->store, image, other.row, FIXES_MAX, on_fix, j, err);
	json_array_close(j);
	return r;
}

/* Why its risk is what it is. */
static int add_risk(struct api_call *c, struct json *j, int64_t image, struct err *err)
{
	CLEANUP(buf_finip) struct buf reasons = { 0 };
	uint64_t score;

	buf_init(&reasons, API_RISK_BYTES);
	int r = store_risk_image(c->api->store, image, &score, &reasons, err);
	if (r >= 0)
		api_raw_list(j, "risk_reasons", reasons.p);
	return r;
}

int api_image_show(struct api_call *c, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct bases bases = { 0 };
	struct store_image im;
	struct json j;
	int r = find(c, a, &im, err);

	if (r < 0)
		return r;
	json_init(&j, &c->out);
	json_object_open(&j);
	api_image_json(c->api, &j, &im);
	r = add_risk(c, &j, im.row, err);
	if (r < 0)
		return r;
	add_config(&j, im.config);
	json_kv_array(&j, "layers");
	r = store_image_layers(c->api->store, im.row, on_layer, &j, err);
	json_array_close(&j);
	json_kv_array(&j, "runs");
	if (r >= 0)
		r = store_image_uses(c->api->store, im.row, USES_MAX, on_use, &j, err);
	json_array_close(&j);
	json_kv_array(&j, "registry");
	bases.j = &j;
	if (r >= 0)
		r = store_image_bases(c->api->store, im.row, on_base, &bases, err);
	json_array_close(&j);
	if (r >= 0 && bases.newer[0])
		r = add_fixes(c, &j, im.row, bases.newer, err);
	json_object_close(&j);
	if (r >= 0 && c->out.failed)
		return err_set(err, ERR_LIMIT, "the answer is too large");
	return r;
}

/* ---- its packages, its vulnerabilities: pages by how many were given ---- */

struct part {
	struct api_page *page;
	struct api *api;
	uint64_t given;
};

/* Which image, for run: api_page_write hands on no more than the query. */
static int read_part(struct api *a, const struct store_query *q, uint64_t *ret_from, int64_t *ret_image,
		     struct err *err)
{
	(void)a;
	*ret_image = (int64_t)q->since_unix_ns;
	*ret_from = 0;
	if (q->cursor && q->cursor[0] && (!slice_to_u64(slice_of(q->cursor), ret_from) || *ret_from > INT32_MAX))
		return err_set(err, ERR_SYNTAX, "the cursor is not one of ours");
	return 0;
}

static int on_package(void *arg, const struct store_package *p)
{
	struct part *part = arg;
	struct json *j = &part->page->j;

	json_object_open(j);
	json_kv_str(j, "name", p->name);
	json_kv_str(j, "version", p->version);
	json_kv_str(j, "arch", p->arch);
	json_kv_str(j, "source", p->source);
	json_kv_str(j, "source_version", p->source_version);
	json_kv_str(j, "ecosystem", p->ecosystem);
	record_json_text(j, "path", p->path, LIMIT_PATH_BYTES);
	json_kv_u64(j, "layer", p->layer);
	json_kv_str(j, "owner", p->owner);
	json_kv_bool(j, "dev", p->is_dev);
	json_kv_str(j, "used", p->is_executed ? "executed" : p->is_loaded ? "loaded" : NULL);
	json_object_close(j);
	part->given++;
	return api_page_row_done(part->page);
}

static int run_packages(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
			size_t cursor_size, struct err *err)
{
	struct part part = { .page = p, .api = a };
	uint64_t from;
	int64_t image;
	int r = read_part(a, q, &from, &image, err);

	if (r >= 0)
		r = store_image_packages(a->store, image, from, q->limit, on_package, &part, err);
	snprintf(ret_cursor, cursor_size, part.given == q->limit ? "%" PRIu64 : "", from + part.given);
	return r;
}

static int on_vuln(void *arg, const struct store_vuln *v, const struct store_place *p)
{
	struct part *part = arg;
	struct json *j = &part->page->j;

	json_object_open(j);
	json_kv_str(j, "id", v->id);
	api_raw_list(j, "aliases", v->aliases);
	api_place_json(part->api, j, p);
	json_key(j, "score");
	json_f64(j, v->score);
	json_key(j, "epss");
	if (v->epss < 0)
		json_null(j);
	else
		json_f64(j, v->epss);
	json_kv_bool(j, "kev", v->is_kev);
	json_kv_str(j, "kev_due", v->kev_due);
	json_kv_str(j, "title", v->title);
	api_raw_list(j, "urls", v->urls);
	json_object_close(j);
	part->given++;
	return api_page_row_done(part->page);
}

static int run_vulns(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
		     size_t cursor_size, struct err *err)
{
	struct part part = { .page = p, .api = a };
	uint64_t from;
	int64_t image;
	int r = read_part(a, q, &from, &image, err);

	if (r >= 0)
		r = store_image_vulns(a->store, image, from, q->limit, on_vuln, &part, err);
	snprintf(ret_cursor, cursor_size, part.given == q->limit ? "%" PRIu64 : "", from + part.given);
	return r;
}

static int list_part(struct api_call *c,
		     int (*run)(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
				size_t cursor_size, struct err *err),
		     struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_image im;
	struct store_query q;
	int r = find(c, a, &im, err);

	if (r >= 0)
		r = api_page_query(c, &q, err);
	if (r < 0)
		return r;
	q.since_unix_ns = (uint64_t)im.row; /* see read_part */
	return api_page_write(c, &q, run, err);
}

int api_image_packages(struct api_call *c, struct err *err)
{
	return list_part(c, run_packages, err);
}

int api_image_vulns(struct api_call *c, struct err *err)
{
	return list_part(c, run_vulns, err);
}

/* scans.c - what the collector says of the images that lie here, in a file for the guard.
 *
 *   a policy asks ──► the engine's list ──► stock of what is new (stock.c) ──► told (tell.c) ──► matched there
 *   every 3 s: "changed since generation G?" ──► if so, each image by id ──► scan-state.json, when it differs
 *
 * A collector that is not reached says nothing: the times in the file stay, and max_scan_age sees them age. A copy in
 * the state folder outlives the boot, so that a host comes up with the ages it had. */
#include <stdio.h>
#include <unistd.h>

#include "agent/image/live/live_priv.h"
#include "common/file.h"

enum { FILE_BYTES = 2 * 1024 * 1024, SETTLE_MS = 200, REFUSED_MS = 600000, SHOWN = 16 };
static const uint64_t ms_ns = 1000000;

static bool is_wanted(const struct limage *i)
{
	return i->is_here || !TAILQ_EMPTY(&i->containers);
}

/* ---- the file ---- */

static void put_image(const struct live *v, const struct limage *i, struct json *j)
{
	uint64_t at = i->scan_unix_s > v->scan_matched_unix_s ? i->scan_unix_s : v->scan_matched_unix_s;

	json_key(j, i->id);
	json_object_open(j);
	json_kv_u64(j, "scanned", at);
	json_kv_str(j, "worst", i->scan_worst);
	json_object_close(j);
}

static uint64_t hash_of(struct slice s)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a: to see that it is the same as last time, no more */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3ull;
	return h | 1;
}

static void copy_path(const struct live *v, char path[LIMIT_PATH_BYTES])
{
	snprintf(path, LIMIT_PATH_BYTES, "%s/scan-state.json", v->cfg.state_dir);
}

static void write_file(struct live *v)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char copy[LIMIT_PATH_BYTES];
	struct err err = { 0 };
	struct limage *i;
	struct json j;

	buf_init(&out, FILE_BYTES);
	json_init(&j, &out);
	json_object_open(&j);
	json_key(&j, "images");
	json_object_open(&j);
	TAILQ_FOREACH(i, &v->images, link)
	if (i->has_scan && is_wanted(i))
		put_image(v, i, &j);
	json_object_close(&j);
	json_object_close(&j);
	uint64_t hash = hash_of(buf_slice(&out));
	if (out.failed || hash == v->scan_written)
		return;
	if (file_write_atomic(v->scan_path, buf_slice(&out), 0600, &err) < 0) {
		LOG(ERROR, "image.scans", KV_STR("why", err.msg));
		return;
	}
	v->scan_written = hash;
	copy_path(v, copy);
	if (file_write_atomic(copy, buf_slice(&out), 0600, &err) < 0)
		LOG(WARN, "image.scans", KV_STR("why", err.msg));
}

/* After a boot: what was known before it. */
static void restore_file(struct live *v)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char copy[LIMIT_PATH_BYTES];
	struct err err;

	copy_path(v, copy);
	if (access(v->scan_path, F_OK) == 0 || file_read(copy, FILE_BYTES, &text, NULL) < 0)
		return;
	if (file_write_atomic(v->scan_path, buf_slice(&text), 0600, &err) < 0)
		LOG(WARN, "image.scans", KV_STR("why", err.msg));
}

/* ---- asked ---- */

static void ask_all_again(struct live *v)
{
	struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	i->is_scan_asked = false;
	v->scan_due_ns = 0;
}

static void take_scans(struct live *v, const Picket__ImageScansReply *m)
{
	for (size_t k = 0; k < v->asked_count; k++) {
		v->asked[k]->is_scan_asked = true;
		v->asked[k]->has_scan = false;
	}
	for (size_t k = 0; k < m->n_images; k++) {
		struct limage *i = live_image_find(v, slice_of(m->images[k]->image_id));

		if (!i)
			continue;
		i->has_scan = slice_copy(slice_of(m->images[k]->worst), i->scan_worst, sizeof(i->scan_worst));
		i->scan_unix_s = m->images[k]->scanned_unix_s;
	}
	for (size_t k = 0; k < m->n_unknown_images; k++) {
		struct limage *i = live_image_find(v, slice_of(m->unknown_images[k]));

		if (i && i->told == TOLD_KNOWN)
			i->told = TOLD_NOT;
	}
}

static bool is_round_done(const struct live *v)
{
	const struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	if (is_wanted(i) && !i->is_scan_asked)
		return false;
	return true;
}

/* An image is on its way there, or being matched. */
static bool is_waiting(const struct live *v)
{
	const struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	if (is_wanted(i) && !i->has_scan && i->stock != STOCK_FAILED && i->told != TOLD_REFUSED)
		return true;
	return false;
}

static void on_scans(struct live *v, const Picket__Reply *r)
{
	uint64_t now = live_now_ns(v);

	if (!r || r->body_case != PICKET__REPLY__BODY_IMAGE_SCANS) {
		/* An older collector understands no such question. */
		bool is_refused = r && r->body_case == PICKET__REPLY__BODY_REFUSAL &&
				  r->refusal->reason == PICKET__REFUSAL__REASON__REASON_MALFORMED;
		v->scan_due_ns = now + (is_refused ? REFUSED_MS : LIVE_SCANS_MS) * ms_ns;
		v->asked_count = 0;
		return;
	}
	const Picket__ImageScansReply *m = r->image_scans;
	take_scans(v, m);
	v->asked_count = 0;
	v->scan_matched_unix_s = m->matched_unix_s;
	v->scan_due_ns = now + (is_waiting(v) ? LIVE_SCANS_SOON_MS : LIVE_SCANS_MS) * ms_ns;
	if (m->generation != v->scan_generation) {
		v->scan_generation = m->generation;
		ask_all_again(v);
	} else if (!is_round_done(v)) {
		v->scan_due_ns = now;
	} else if (v->has_list) {
		write_file(v);
	}
}

bool live_scans_ask(struct live *v)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__ImageScansAsk q = PICKET__IMAGE_SCANS_ASK__INIT;
	char *ids[LIMIT_IMAGES_ASKED];
	struct limage *i;

	if (!v->scan_path || live_now_ns(v) < v->scan_due_ns)
		return false;
	v->asked_count = 0;
	TAILQ_FOREACH(i, &v->images, link)
	{
		if (v->asked_count == LIMIT_IMAGES_ASKED || !is_wanted(i) || i->is_scan_asked)
			continue;
		ids[v->asked_count] = i->id;
		v->asked[v->asked_count++] = i;
	}
	q.generation = v->scan_generation;
	q.image_ids = ids;
	q.n_image_ids = v->asked_count;
	m.body_case = PICKET__REQUEST__BODY_IMAGE_SCANS_ASK;
	m.image_scans_ask = &q;
	if (live_ask(v, &m, on_scans))
		return true;
	v->asked_count = 0;
	return false;
}

/* ---- wanted, listed ---- */

void live_want_scans(struct live *v, const char *path)
{
	if (!path) {
		free(v->scan_path);
		v->scan_path = NULL;
		v->scan_written = 0;
		v->has_list = false;
		return;
	}
	if (v->scan_path || !(v->scan_path = slice_dup(slice_of(path))))
		return;
	restore_file(v);
	v->list_due_ns = 0;
	ask_all_again(v);
	LOG(INFO, "image.scans", KV_STR("file", path), KV_STR("why", "the policy asks for images' scans"));
}

void live_images_changed(struct live *v)
{
	uint64_t soon = live_now_ns(v) + SETTLE_MS * ms_ns;

	if (v->list_due_ns > soon)
		v->list_due_ns = soon;
}

void live_scans_listed(struct live *v)
{
	if (!v->scan_path)
		return;
	v->has_list = true;
	if (is_round_done(v))
		write_file(v); /* what went is left out */
	else
		v->scan_due_ns = 0;
}

void live_scans_step(struct live *v)
{
	uint64_t now = live_now_ns(v);

	if (!v->scan_path || v->listing || now < v->list_due_ns)
		return;
	v->list_due_ns = now + LIVE_LIST_MS * ms_ns;
	live_list_all(v);
}

/* ---- status ---- */

static const char *why_not(const struct live *v, const struct limage *i)
{
	if (i->stock == STOCK_FAILED || i->told == TOLD_REFUSED)
		return i->why;
	if (i->stock != STOCK_THERE)
		return "its packages are being listed";
	if (i->told != TOLD_KNOWN)
		return "the collector has not been told of it yet";
	return v->scan_matched_unix_s ? "the collector has not matched it yet" : "the collector has no vulnerability data: picket-collector feed update";
}

void live_scans_write_status(const struct live *v, struct json *j)
{
	uint64_t scanned = 0, missing = 0;
	const struct limage *i;

	json_kv_bool(j, "scans_wanted", v->scan_path);
	if (!v->scan_path)
		return;
	json_key(j, "unscanned");
	json_array_open(j);
	TAILQ_FOREACH(i, &v->images, link)
	{
		scanned += is_wanted(i) && i->has_scan;
		if (!is_wanted(i) || i->has_scan || missing++ >= SHOWN)
			continue;
		json_object_open(j);
		json_kv_str(j, "image", i->id);
		json_kv_str(j, "name", i->reference);
		json_kv_str(j, "why", why_not(v, i));
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "unscanned_count", missing);
	json_kv_u64(j, "scanned", scanned);
	if (v->scan_matched_unix_s)
		json_kv_time(j, "matched", v->scan_matched_unix_s * 1000000000);
}

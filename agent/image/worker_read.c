/* worker_read.c - the layers of an image, one after the other, and again under other names where links say so. */
#include <errno.h>

#include "agent/image/image_limits.h"
#include "agent/image/worker_priv.h"

struct facts_reader worker_reader(struct worker *w, bool is_last_layer)
{
	return (struct facts_reader){ .matcher = w->matcher,
				      .parse_bytes = w->job.limits.parse_bytes,
				      .spool = w->spool,
				      .budget = &w->budget,
				      .room = &w->room,
				      .aliases = w->aliases,
				      .alias_count = w->alias_count,
				      .wants_drift = w->job.has_drift && is_last_layer,
				      .wants_owned = true };
}

/* ---- folders ---- */

static int on_opaque(void *arg, struct slice path, struct err *err)
{
	struct worker *w = arg;
	int r = worker_ask(w, CHAN_ASK_OPAQUE, w->layer - 1, 0, path, NULL, err);

	return r < 0 ? r : w->msg->a != 0;
}

static int read_folder(struct worker *w, uint32_t i, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	struct facts_reader fr = worker_reader(w, i + 1 == w->job.layers);
	struct facts f = { .room = &w->room };

	int r = worker_ask(w, CHAN_ASK_LAYER, i, 0, SLICE_NONE, &fd, err);
	if (r >= 0)
		r = facts_read_folder(&fr, fd, w->job.is_overlay ? ENTRY_OVERLAY : 0, &f, err);
	if (r >= 0 && fr.wants_drift) {
		buf_reset(&w->drift);
		buf_printf(&w->drift, "%llu\n", (unsigned long long)f.drift_total);
		buf_add_slice(&w->drift, buf_slice(&f.drift));
	}
	if (r >= 0 && i && w->job.is_overlay)
		r = merge_ask_opaque(&w->merged, &f, on_opaque, w, err);
	if (r >= 0)
		return merge_layer(&w->merged, &f, err);
	facts_fini(&f);
	return r;
}

static int read_folders(struct worker *w, struct err *err)
{
	CLEANUP(buf_finip) struct buf json = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	int r = 0;

	if (w->job.layers > LIMIT_LAYERS)
		return err_set(err, ERR_LIMIT, "%u layers, at most %d", w->job.layers, LIMIT_LAYERS);
	if (w->job.has_config) {
		r = worker_ask(w, CHAN_ASK_CONFIG, 0, 0, SLICE_NONE, &fd, err);
		if (r >= 0)
			r = worker_read_document(fd, w->msg->b, &json, err);
		if (r >= 0)
			r = meta_read_config(buf_slice(&json), w->arena, &w->meta, err);
	} else {
		r = meta_empty(w->arena, w->job.layers, &w->meta, err);
	}
	buf_fini(&json);
	w->layers = w->job.layers;
	for (uint32_t i = 0; r >= 0 && i < w->job.layers; i++) {
		w->layer = i + 1;
		r = read_folder(w, i, err);
		if (r < 0 && w->job.layers > 1)
			return err_wrap(err, r, "layer %u of %u", i + 1, w->job.layers);
	}
	return r;
}

/* ---- blobs ---- */

int worker_read_layer(struct worker *w, struct stream *in, const char *diff_id, struct facts *ret, struct err *err)
{
	CLEANUP(stream_closep) struct stream *plain = NULL;
	struct facts_reader fr = worker_reader(w, false);

	int r = stream_unpacked(in, &w->budget, &plain, err);
	if (r >= 0 && *diff_id)
		r = stream_checked(take_ptr(plain), slice_of(diff_id), UINT64_MAX, &plain, err);
	return r < 0 ? r : facts_read_tar(&fr, plain, ret, err);
}

static int read_blob_layer(struct worker *w, const struct manifest_blob *b, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	struct stream *in = NULL;
	struct facts f = { .room = &w->room };

	int r = worker_ask(w, CHAN_ASK_BLOB, 0, b->size, slice_of(b->digest), &fd, err);
	if (r >= 0)
		r = stream_of_fd(fd, w->msg->a == 1, 0, w->msg->a == 1 ? UINT64_MAX : w->msg->b, &w->budget, &in, err);
	if (r >= 0)
		r = stream_checked(in, slice_of(b->digest), b->size, &in, err);
	if (r >= 0)
		r = worker_read_layer(w, in, w->meta.layers[w->layer - 1].diff_id, &f, err);
	if (r >= 0)
		return merge_layer(&w->merged, &f, err);
	facts_fini(&f);
	return r;
}

/* what: CHAN_ASK_TOP, CHAN_ASK_MANIFEST or CHAN_ASK_BLOB. digest: "" for the top, which its asker checked. */
static int ask_document(struct worker *w, enum chan_ask what, const char *digest, uint64_t size, struct buf *b,
			struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	char got[72];

	int r = worker_ask(w, what, 0, size, slice_of(digest), &fd, err);
	/* a pipe is read to its end, but no further than a document may be long */
	if (r >= 0)
		r = worker_read_document(fd, w->msg->a == 1 ? UINT64_MAX : w->msg->b, b, err);
	if (r >= 0 && *digest)
		r = meta_digest(buf_slice(b), got, err);
	if (r >= 0 && *digest && strcmp(digest, got) != 0)
		r = err_set(err, ERR_CORRUPT, "%.80s: its content is not what its digest says", digest);
	return r;
}

static int find_manifest(struct worker *w, struct manifest *m, struct err *err)
{
	const char *platform = *w->job.platform ? w->job.platform : NULL;
	const struct manifest_blob *b = NULL;
	CLEANUP(buf_finip) struct buf json = { 0 };

	int r = ask_document(w, CHAN_ASK_TOP, "", 0, &json, err);
	for (unsigned depth = 0; r >= 0; depth++) {
		r = manifest_read(buf_slice(&json), w->arena, m, err);
		buf_fini(&json);
		if (r < 0 || m->kind == MANIFEST_IMAGE)
			return r;
		if (m->kind == MANIFEST_SAVED || depth == IMAGE_MANIFEST_NESTING)
			return err_set(err, ERR_CORRUPT, "an index that leads to no image");
		r = manifest_choose(m, platform, &b, err);
		if (r >= 0)
			r = ask_document(w, CHAN_ASK_MANIFEST, b->digest, b->size, &json, err);
	}
	return r;
}

static int read_blobs(struct worker *w, struct err *err)
{
	CLEANUP(buf_finip) struct buf json = { 0 };
	struct manifest m;

	int r = find_manifest(w, &m, err);
	if (r >= 0)
		r = ask_document(w, CHAN_ASK_BLOB, m.config.digest, m.config.size, &json, err);
	if (r >= 0)
		r = meta_read_config(buf_slice(&json), w->arena, &w->meta, err);
	buf_fini(&json);
	if (r >= 0 && w->meta.layer_count != m.count)
		r = err_set(err, ERR_CORRUPT, "the manifest names %zu layers, the configuration %zu", m.count,
			    w->meta.layer_count);
	w->layers = (uint32_t)(r >= 0 ? m.count : 0);
	w->total_bytes = 0;
	for (uint32_t i = 0; r >= 0 && i < m.count; i++)
		w->total_bytes += m.items[i].size == UINT64_MAX ? 0 : m.items[i].size;
	for (uint32_t i = 0; r >= 0 && i < m.count; i++) {
		w->layer = i + 1;
		w->meta.layers[i].digest = m.items[i].digest;
		r = read_blob_layer(w, &m.items[i], err);
		if (r < 0)
			return err_wrap(err, r, "layer %u of %zu", i + 1, m.count);
	}
	return r;
}

/* ---- passes ---- */

static int read_once(struct worker *w, struct err *err)
{
	merged_init(&w->merged, &w->room);
	switch ((enum worker_form)w->job.form) {
	case WORKER_FOLDERS:
		return read_folders(w, err);
	case WORKER_ARCHIVE:
		return worker_read_archive(w, err);
	case WORKER_BLOBS:
		return read_blobs(w, err);
	}
	return err_set(err, EINVAL, "form %u of image", w->job.form);
}

int worker_read_all(struct worker *w, struct err *err)
{
	int r = read_once(w, err);

	for (unsigned pass = 1; r >= 0; pass++) {
		r = merged_aliases(&w->merged, w->matcher, w->arena, w->aliases, IMAGE_ALIASES_ALL, &w->alias_count, err);
		if (r <= 0 || pass == IMAGE_PASSES)
			return r;
		/* What is read again counts again; what it may cost was said for one reading. */
		merged_fini(&w->merged);
		w->budget.entries_left = w->job.limits.entries;
		w->budget.unpacked_left = w->job.limits.unpacked_bytes;
		r = read_once(w, err);
	}
	return r;
}

/* worker_archive.c - an image in one archive: by name where it can be read at any offset; else in one go, each
 * layer as it comes, put in order when the end (where the manifest stands) is known. */
#include <errno.h>

#include "agent/image/bundle.h"
#include "agent/image/image_limits.h"
#include "agent/image/worker_priv.h"

/* A thing of the archive that was read in passing. */
struct piece {
	char *name, *target;
	struct buf document;
	struct facts facts;
	bool is_layer, has_facts;
	char diff_id[72];
};

struct archive {
	struct worker *w;
	int fd;
	bool is_pipe;
	uint64_t size;
	struct bundle_index index; /* one way */
	struct piece *pieces;	   /* the other */
	size_t piece_count;
	size_t documents_bytes;
};

/* ---- in one go ---- */

static bool may_be_layer(struct slice name)
{
	return slice_ends(name, SLICE_LIT(".tar")) || slice_ends(name, SLICE_LIT(".tar.gz")) ||
	       slice_ends(name, SLICE_LIT(".tgz")) || slice_starts(name, SLICE_LIT("blobs/"));
}

static bool may_be_document(struct slice name)
{
	return slice_ends(name, SLICE_LIT(".json")) || slice_starts(name, SLICE_LIT("blobs/"));
}

/* A stream that begins with a piece that was read ahead. */
struct ahead {
	struct stream s, *below;
	struct slice first;
};

static int ahead_read(struct stream *s, struct slice *ret, struct err *err)
{
	struct ahead *a = (struct ahead *)s;

	if (!a->first.n)
		return a->below->read(a->below, ret, err);
	*ret = a->first;
	a->first = SLICE_NONE;
	return 0;
}

static void ahead_close(struct stream *s)
{
	(void)s; /* on its owner's stack */
}

static int keep_document(struct archive *x, struct piece *p, struct stream *in, struct err *err)
{
	struct slice piece;
	int r;

	buf_init(&p->document, IMAGE_DOCUMENT_BYTES);
	while ((r = in->read(in, &piece, err)) >= 0 && piece.n) {
		buf_add_slice(&p->document, piece);
		x->documents_bytes += piece.n;
		if (p->document.failed || x->documents_bytes > IMAGE_DOCUMENTS_BYTES)
			return err_set(err, ERR_LIMIT, "'%.100s': documents of more than %d bytes", p->name,
				       IMAGE_DOCUMENTS_BYTES);
	}
	return r;
}

static int keep_layer(struct archive *x, struct piece *p, struct ahead *in, struct err *err)
{
	struct facts_reader fr = worker_reader(x->w, false);
	CLEANUP(stream_closep) struct stream *plain = NULL;

	p->is_layer = p->has_facts = true;
	p->facts = (struct facts){ .room = &x->w->room };
	x->w->layer++;
	int r = stream_unpacked(&in->s, &x->w->budget, &plain, err);
	if (r >= 0)
		r = stream_hashed(take_ptr(plain), p->diff_id, &plain, err);
	if (r >= 0)
		r = facts_read_tar(&fr, plain, &p->facts, err);
	return r < 0 ? err_wrap(err, r, "'%.100s'", p->name) : 0;
}

static int keep_piece(struct archive *x, struct bundle *b, const struct bundle_item *item, struct err *err)
{
	struct ahead in = { { ahead_read, ahead_close, NULL }, bundle_content(b), SLICE_NONE };
	struct piece *p = &x->pieces[x->piece_count];

	if (!item->target.n && !may_be_layer(item->name) && !may_be_document(item->name))
		return 0;
	if (x->piece_count == IMAGE_ARCHIVE_NAMES / 4)
		return err_set(err, ERR_LIMIT, "the archive holds more than %d layers and documents",
			       IMAGE_ARCHIVE_NAMES / 4);
	p->name = arena_dup(x->w->arena, item->name);
	p->target = arena_dup(x->w->arena, item->target);
	if (!p->name || !p->target)
		return err_set(err, ENOMEM, "list an archive");
	x->piece_count++;
	if (item->target.n)
		return 0;
	int r = in.below->read(in.below, &in.first, err);
	if (r < 0)
		return r;
	if (in.first.n && strchr("{[ \t\r\n", in.first.p[0]) && may_be_document(item->name))
		return keep_document(x, p, &in.s, err);
	return may_be_layer(item->name) ? keep_layer(x, p, &in, err) : 0;
}

static struct piece *find_piece(struct archive *x, const char *name)
{
	for (unsigned hops = 0; hops < 8; hops++) {
		struct piece *found = NULL;

		for (size_t i = x->piece_count; !found && i-- > 0;)
			if (!strcmp(x->pieces[i].name, name))
				found = &x->pieces[i];
		if (!found || !*found->target)
			return found;
		name = found->target;
	}
	return NULL;
}

static int read_pieces(struct archive *x, struct bundle *b, struct err *err)
{
	struct bundle_item item;
	int r;

	x->pieces = calloc(IMAGE_ARCHIVE_NAMES / 4, sizeof(*x->pieces));
	if (!x->pieces)
		return err_set(err, ENOMEM, "list an archive");
	while ((r = bundle_next(b, &item, err)) > 0) {
		r = keep_piece(x, b, &item, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- by name or from what was kept ---- */

/* ERR_NOT_FOUND: none of that name. *ret is read into storage, or borrowed from what was kept. */
static int get_document(struct archive *x, const char *name, struct buf *storage, struct slice *ret, struct err *err)
{
	if (x->pieces) {
		const struct piece *p = find_piece(x, name);

		if (!p || p->is_layer)
			return err_set(err, ERR_NOT_FOUND, "the archive has no '%.100s'", name);
		*ret = buf_slice(&p->document);
		return 0;
	}
	const struct bundle_place *p = bundle_find(&x->index, name);
	if (!p)
		return err_set(err, ERR_NOT_FOUND, "the archive has no '%.100s'", name);
	if (p->size > IMAGE_DOCUMENT_BYTES || p->offset == UINT64_MAX)
		return err_set(err, ERR_LIMIT, "'%.100s': %llu bytes, at most %d", name, (unsigned long long)p->size,
			       IMAGE_DOCUMENT_BYTES);
	struct blob b = blob_from_fd(&x->fd, x->size);
	buf_fini(storage);
	buf_init(storage, IMAGE_DOCUMENT_BYTES + 1);
	char *dst = buf_reserve(storage, (size_t)p->size);
	if (!dst)
		return err_set(err, ENOMEM, "read '%.100s'", name);
	int r = blob_read(&b, p->offset, dst, (size_t)p->size, err);
	buf_written(storage, (size_t)p->size);
	*ret = buf_slice(storage);
	return r < 0 ? err_wrap(err, r, "'%.100s'", name) : 0;
}

/* The same layer may stand in an image more than once (two steps that change nothing): what was kept of it serves
 * all of them. */
static bool is_needed_later(const struct worker *w, uint32_t i)
{
	for (uint32_t k = i + 1; k < w->meta.layer_count; k++)
		if (!strcmp(w->meta.layers[k].diff_id, w->meta.layers[i].diff_id))
			return true;
	return false;
}

/* digest: of the blob as it is packed, "" unknown. */
static int get_layer(struct archive *x, const char *name, const char *digest, const char *diff_id, struct facts *ret,
		     struct err *err)
{
	struct stream *in = NULL;

	if (x->pieces) {
		struct piece *p = find_piece(x, name);

		if (!p || !p->is_layer || !p->has_facts)
			return err_set(err, ERR_CORRUPT, "the archive has no '%.100s', or names it twice", name);
		if (strcmp(p->diff_id, diff_id) != 0)
			return err_set(err, ERR_CORRUPT, "its content is not what its digest says, but %s", p->diff_id);
		if (is_needed_later(x->w, x->w->layer - 1))
			return facts_copy(&p->facts, ret, err);
		*ret = p->facts;
		p->has_facts = false;
		return 0;
	}
	const struct bundle_place *p = bundle_find(&x->index, name);
	if (!p || p->offset == UINT64_MAX)
		return err_set(err, ERR_CORRUPT, "the archive has no '%.100s'", name);
	int r = stream_of_fd(x->fd, false, p->offset, p->size, &x->w->budget, &in, err);
	if (r >= 0 && *digest)
		r = stream_checked(in, slice_of(digest), UINT64_MAX, &in, err);
	return r < 0 ? r : worker_read_layer(x->w, in, diff_id, ret, err);
}

static int read_layers(struct archive *x, const struct manifest *m, struct err *err)
{
	struct worker *w = x->w;

	if (w->meta.layer_count != m->count)
		return err_set(err, ERR_CORRUPT, "the manifest names %zu layers, the configuration %zu", m->count,
			       w->meta.layer_count);
	w->layers = (uint32_t)m->count;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct manifest_blob *b = &m->items[i];
		const char *digest = m->kind == MANIFEST_IMAGE ? b->digest : "";
		char name[LIMIT_PATH_BYTES + 16];
		struct facts f = { .room = &w->room };

		w->layer = i + 1;
		(void)snprintf(name, sizeof(name), *digest ? "blobs/sha256/%s" : "%s", *digest ? digest + 7 : b->digest);
		w->meta.layers[i].digest = (char *)(uintptr_t)(*digest ? digest : meta_none);
		int r = get_layer(x, name, digest, w->meta.layers[i].diff_id, &f, err);
		if (r >= 0) {
			r = merge_layer(&w->merged, &f, err);
		} else {
			facts_fini(&f);
			r = err_wrap(err, r, "layer %u of %zu", i + 1, m->count);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int get_manifest(struct archive *x, const char *name, struct manifest *m, struct err *err)
{
	CLEANUP(buf_finip) struct buf storage = { 0 };
	const char *platform = *x->w->job.platform ? x->w->job.platform : NULL;
	const struct manifest_blob *b;
	char path[128], got[72];
	struct slice json;

	int r = get_document(x, name, &storage, &json, err);
	for (unsigned depth = 0; r >= 0; depth++) {
		r = manifest_read(json, x->w->arena, m, err);
		if (r < 0 || m->kind != MANIFEST_INDEX)
			return r;
		if (depth == IMAGE_MANIFEST_NESTING)
			return err_set(err, ERR_CORRUPT, "an index that leads to no image");
		r = manifest_choose(m, platform, &b, err);
		if (r < 0)
			return r;
		(void)snprintf(path, sizeof(path), "blobs/sha256/%s", b->digest + 7);
		r = get_document(x, path, &storage, &json, err);
		if (r >= 0)
			r = meta_digest(json, got, err);
		if (r >= 0 && strcmp(got, b->digest) != 0)
			r = err_set(err, ERR_CORRUPT, "'%.100s': its content is not what its digest says", path);
	}
	return r;
}

static int read_image(struct archive *x, struct err *err)
{
	static const char *const tops[] = { "manifest.json", "index.json" };
	CLEANUP(buf_finip) struct buf storage = { 0 };
	struct worker *w = x->w;
	bool oci = w->job.prefers_oci;
	char path[LIMIT_PATH_BYTES + 16];
	struct manifest m;
	struct slice json;

	int r = get_manifest(x, tops[oci], &m, err);
	if (r == -ERR_NOT_FOUND)
		r = get_manifest(x, tops[!oci], &m, err);
	if (r == -ERR_NOT_FOUND)
		return err_set(err, ERR_CORRUPT, "it holds no image: neither manifest.json nor index.json is in it");
	if (r < 0)
		return r;
	bool saved = m.kind == MANIFEST_SAVED;
	(void)snprintf(path, sizeof(path), saved ? "%s" : "blobs/sha256/%s", m.config.digest + (saved ? 0 : 7));
	r = get_document(x, path, &storage, &json, err);
	if (r >= 0)
		r = meta_read_config(json, w->arena, &w->meta, err);
	if (r >= 0 && !saved && strcmp(w->meta.image_id, m.config.digest) != 0)
		r = err_set(err, ERR_CORRUPT, "'%.100s': its content is not what its digest says", path);
	if (r < 0)
		return r;
	w->names = m.names;
	w->name_count = m.name_count;
	return read_layers(x, &m, err);
}

static int read_open(struct archive *x, struct err *err)
{
	struct budget outer = { .unpacked_left = x->w->job.limits.unpacked_bytes, .ratio = x->w->job.limits.ratio };
	CLEANUP(bundle_closep) struct bundle *b = NULL; /* uses outer */
	struct stream *raw = NULL, *plain = NULL;
	char head[8] = { 0 };
	size_t n = 0;

	struct blob whole = blob_from_fd(&x->fd, x->size);
	int r = x->is_pipe ? 0 : whole.read_at(whole.arg, 0, head, sizeof(head), &n, err);
	bool by_name = !x->is_pipe && !*stream_packing(slice_from(head, n));
	if (r >= 0)
		r = stream_of_fd(x->fd, x->is_pipe, 0, x->is_pipe ? UINT64_MAX : x->size, &x->w->budget, &raw, err);
	if (r < 0)
		return r;
	/* What is in the archive counts when it is unpacked itself, not with the archive. */
	if (by_name)
		plain = raw;
	else
		r = stream_unpacked(raw, &outer, &plain, err);
	if (r >= 0)
		r = bundle_open(plain, &x->w->budget, &b, err);
	if (r >= 0)
		r = by_name ? bundle_index_read(b, x->w->arena, &x->index, err) : read_pieces(x, b, err);
	return r < 0 ? r : read_image(x, err);
}

int worker_read_archive(struct worker *w, struct err *err)
{
	struct archive x = { .w = w, .fd = -1 };

	w->layer = w->layers = 0;
	int r = worker_ask(w, CHAN_ASK_ARCHIVE, 0, 0, SLICE_NONE, &x.fd, err);
	if (r >= 0) {
		x.is_pipe = w->msg->a == 1;
		x.size = w->msg->b;
		w->total_bytes = x.is_pipe ? 0 : x.size;
		r = read_open(&x, err);
	}
	for (size_t i = 0; i < x.piece_count; i++) {
		buf_fini(&x.pieces[i].document);
		if (x.pieces[i].has_facts)
			facts_fini(&x.pieces[i].facts);
	}
	free(x.pieces);
	if (x.fd >= 0)
		close(x.fd);
	return r;
}

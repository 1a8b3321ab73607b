/* source_registry.c - an image in a registry: its manifests and blobs to the worker, as it asks for them. */
#include <errno.h>

#include "agent/image/image_limits.h"
#include "agent/image/registry.h"
#include "agent/image/source.h"
#include "agent/image/stream.h"

struct remote {
	struct registry *registry;
	struct buf top;
	char blob[72]; /* the one being handed over */
};

static bool on_piece(void *arg, struct slice piece)
{
	return pump_write(arg, piece);
}

static int pump_blob(struct source *s, struct pump *p, struct err *err)
{
	struct remote *m = s->arg;

	return registry_blob(m->registry, m->blob, on_piece, p, err);
}

static int answer_registry(struct source *s, const struct chan_msg *ask, struct answer *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	struct remote *m = s->arg;
	char digest[72], got[72];

	if (ask->what == CHAN_ASK_TOP)
		return source_answer_bytes(buf_slice(&m->top), ret, err);
	if (ask->what != CHAN_ASK_MANIFEST && ask->what != CHAN_ASK_BLOB)
		return err_set(err, ERR_CORRUPT, "the worker asked for what there is not (%u)", ask->what);
	/* It goes into a URL: nothing but a digest. */
	if (!stream_is_digest(ask->data) || !slice_copy(ask->data, digest, sizeof(digest)))
		return err_set(err, ERR_CORRUPT, "the worker asked for what is no digest");
	if (ask->what == CHAN_ASK_MANIFEST) {
		int r = registry_manifest(m->registry, digest, &body, got, err);
		return r < 0 ? r : source_answer_bytes(buf_slice(&body), ret, err);
	}
	memcpy(m->blob, digest, sizeof(digest));
	ret->is_pipe = true;
	return 0;
}

static void close_remote(struct source *s)
{
	struct remote *m = s->arg;

	if (!m)
		return;
	registry_close(m->registry);
	buf_fini(&m->top);
	free(m);
}

/* What the image is called: as docker would. */
static int keep_names(struct source *s, const struct registry_ref *ref, const char *digest, struct err *err)
{
	s->names = calloc(1, sizeof(char *));
	s->repo_digests = calloc(1, sizeof(char *));
	if (!s->names || !s->repo_digests)
		return err_set(err, ENOMEM, "describe an image");
	if (*ref->tag) {
		if (asprintf(&s->names[0], "%s/%s:%s", ref->host, ref->repo, ref->tag) < 0)
			return err_set(err, ENOMEM, "describe an image");
		s->name_count = 1;
	}
	if (asprintf(&s->repo_digests[0], "%s/%s@%s", ref->host, ref->repo, digest) < 0)
		return err_set(err, ENOMEM, "describe an image");
	s->repo_digest_count = 1;
	return 0;
}

int source_open_registry(const char *text, const struct image_options *o, struct source *ret, struct err *err)
{
	struct registry_ref ref;
	char digest[72];

	source_init(ret);
	int r = registry_ref_parse(text, &ref, err);
	if (r < 0)
		return r;
	struct remote *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, ENOMEM, "ask a registry");
	ret->arg = m;
	ret->fini = close_remote;
	ret->answer = answer_registry;
	ret->pump = pump_blob;
	ret->job = (struct job){ .form = WORKER_BLOBS, .kind = "image" };
	r = registry_open(&ref, o, &m->registry, err);
	if (r >= 0)
		r = registry_manifest(m->registry, NULL, &m->top, digest, err);
	return r < 0 ? r : keep_names(ret, &ref, digest, err);
}

int image_registry_digest(const char *text, const struct image_options *o, char ret[IMAGE_DIGEST_MAX], struct err *err)
{
	static const struct image_options none;
	CLEANUP(registry_closep) struct registry *g = NULL;
	struct registry_ref ref;

	int r = registry_ref_parse(text, &ref, err);
	if (r >= 0)
		r = registry_open(&ref, o ? o : &none, &g, err);
	return r < 0 ? r : registry_digest(g, ret, err);
}

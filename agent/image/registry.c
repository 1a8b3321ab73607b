/* registry.c - requests to a registry: a challenge answered once, redirects of blobs followed by hand (the token
 * stays with the registry), plain HTTP only where it is allowed. */
#include "agent/image/registry_priv.h"

#include <errno.h>
#include <strings.h>

#include "agent/image/image_limits.h"
#include "agent/image/meta.h"
#include "agent/image/stream.h"
#include "common/text.h"

enum { REDIRECTS = 5 };

static const char accepts[] = "Accept: application/vnd.oci.image.index.v1+json, "
			      "application/vnd.docker.distribution.manifest.list.v2+json, "
			      "application/vnd.oci.image.manifest.v1+json, "
			      "application/vnd.docker.distribution.manifest.v2+json";

/* ---- one request ---- */

static bool is_named(struct slice name, const char *what)
{
	return name.n == strlen(what) && !strncasecmp(name.p, what, name.n);
}

static void on_header(void *arg, struct slice name, struct slice value)
{
	struct registry *g = arg;

	if (is_named(name, "Location") && !slice_copy(value, g->head.location, sizeof(g->head.location)))
		g->head.location[0] = 0;
	if (is_named(name, "Docker-Content-Digest") && !slice_copy(value, g->head.digest, sizeof(g->head.digest)))
		g->head.digest[0] = 0;
	/* Of several challenges a token's. */
	if (is_named(name, "WWW-Authenticate") &&
	    (!*g->head.challenge || (value.n > 7 && !strncasecmp(value.p, "Bearer ", 7))) &&
	    !slice_copy(value, g->head.challenge, sizeof(g->head.challenge)))
		g->head.challenge[0] = 0;
}

static bool on_data(void *arg, struct slice piece)
{
	struct registry *g = arg;

	return g->on_data(g->arg, piece);
}

struct request {
	const char *method;
	bool is_own; /* to the registry itself: with our authorization */
	bool is_stream;
};

static int ask_once(struct registry *g, const char *url, const struct request *q, long *ret_status, struct buf *body,
		    struct err *err)
{
	const char *headers[3] = { NULL };
	uint64_t time_ms = g->o->limits.time_ms ? g->o->limits.time_ms : IMAGE_TIME_MS;
	struct fetch_request rq = { .url = url,
				    .method = q->method,
				    .headers = headers,
				    .ca_file = g->o->ca_file,
				    .timeout_ms = q->is_stream ? time_ms : REGISTRY_TIMEOUT_MS,
				    .max_body_bytes = IMAGE_DOCUMENT_BYTES,
				    .on_data = q->is_stream ? on_data : NULL,
				    .on_header = on_header,
				    .arg = g };
	size_t n = 0;

	if (q->is_own && !q->is_stream)
		headers[n++] = accepts;
	if (q->is_own && g->authorization)
		headers[n++] = g->authorization;
	g->head = (struct registry_head){ 0 };
	return fetch_wait(&rq, ret_status, body, err);
}

/* Which of the two schemes it is, is found out with the first request. */
static int ask_server(struct registry *g, const char *path, const struct request *q, long *ret_status,
		      struct buf *body, struct err *err)
{
	char url[REGISTRY_URL_BYTES];

	(void)snprintf(url, sizeof(url), "http%s://%s/v2/%s", g->is_plain ? "" : "s", g->ref.server, path);
	int r = ask_once(g, url, q, ret_status, body, err);
	bool tries_plain = r < 0 && g->may_plain && !g->is_plain && !g->is_tried && (r == -ERR_CRYPTO || r == -ERR_PEER);
	if (tries_plain) {
		buf_fini(body);
		(void)snprintf(url, sizeof(url), "http://%s/v2/%s", g->ref.server, path);
		g->is_plain = true;
		/* 400 is what one that wants TLS says to plain HTTP: then the first error is the one to tell. */
		struct err second = { 0 };
		int plain = ask_once(g, url, q, ret_status, body, &second);
		g->is_plain = plain < 0 || *ret_status != 400;
		if (plain < 0 && err)
			*err = second;
		r = g->is_plain ? plain : r;
	}
	g->is_tried |= r >= 0;
	return r;
}

/* Where a redirect leads: absolute, or from the server's root. Not from TLS to plain. */
static int next_url(struct registry *g, bool was_plain, char *url, struct err *err)
{
	struct slice l = slice_of(g->head.location);
	bool plain = slice_starts(l, SLICE_LIT("http://"));

	if (l.n && l.p[0] == '/' && !slice_starts(l, SLICE_LIT("//"))) {
		int n = snprintf(url, REGISTRY_URL_BYTES, "http%s://%s%s", g->is_plain ? "" : "s", g->ref.server,
				 g->head.location);
		return n < REGISTRY_URL_BYTES ? 0 : err_set(err, ERR_PEER, "the registry redirects too far");
	}
	if ((!plain && !slice_starts(l, SLICE_LIT("https://"))) || (plain && !was_plain) || !text_is_clean(l))
		return err_set(err, ERR_PEER, "the registry redirects to where we don't go");
	(void)slice_copy(l, url, REGISTRY_URL_BYTES);
	return 0;
}

static int follow(struct registry *g, struct request *q, long *ret_status, struct buf *body, struct err *err)
{
	char url[REGISTRY_URL_BYTES];
	bool plain = g->is_plain;
	int r = 0;

	for (unsigned i = 0; r >= 0 && *ret_status / 100 == 3; i++) {
		if (i == REDIRECTS)
			return err_set(err, ERR_PEER, "the registry redirects more than %d times", REDIRECTS);
		r = next_url(g, plain, url, err);
		if (r < 0)
			return r;
		struct slice host = registry_url_host(slice_of(url));
		plain = slice_starts(slice_of(url), SLICE_LIT("http://"));
		q->is_own = slice_is(host, g->ref.server) && plain == g->is_plain;
		buf_fini(body);
		r = ask_once(g, url, q, ret_status, body, err);
	}
	return r;
}

/* path: below /v2/. A status of 2xx, or an error. */
static int ask(struct registry *g, const char *path, struct request *q, struct buf *body, struct err *err)
{
	long status = 0;

	q->is_own = true;
	int r = ask_server(g, path, q, &status, body, err);
	if (r >= 0 && status == 401) {
		r = registry_authorize(g, err);
		buf_fini(body);
		if (r >= 0)
			r = ask_server(g, path, q, &status, body, err);
	}
	if (r >= 0)
		r = follow(g, q, &status, body, err);
	if (r < 0)
		return err_wrap(err, r, "registry %.100s", g->ref.server);
	if (status == 401 || status == 403)
		return err_set(err, ERR_DENIED, "registry %.100s: %s may not read %.120s (%ld)", g->ref.server,
			       *g->user ? g->user : "who has no password", g->ref.repo, status);
	if (status == 404)
		return err_set(err, ERR_NOT_FOUND, "registry %.100s has no %.120s", g->ref.server, path);
	if (status == 429)
		return err_set(err, ERR_PEER, "registry %.100s: too many requests, try later", g->ref.server);
	return status / 100 == 2 ? 0 : err_set(err, ERR_PEER, "registry %.100s answers %ld", g->ref.server, status);
}

/* ---- what is asked for ---- */

int registry_open(const struct registry_ref *ref, const struct image_options *o, struct registry **ret,
		  struct err *err)
{
	CLEANUP(registry_closep) struct registry *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(err, ENOMEM, "ask a registry");
	g->ref = *ref;
	g->o = o;
	g->may_plain = o->is_insecure || registry_is_local(slice_of(ref->server));
	int r = registry_credentials(g, err);
	if (r >= 0)
		*ret = take_ptr(g);
	return r;
}

void registry_close(struct registry *g)
{
	if (!g)
		return;
	free(g->authorization);
	explicit_bzero(g->password, sizeof(g->password));
	free(g);
}

static void manifest_path(const struct registry *g, const char *digest, char *dst, size_t size)
{
	const char *name = digest ? digest : *g->ref.digest ? g->ref.digest : g->ref.tag;

	(void)snprintf(dst, size, "%s/manifests/%s", g->ref.repo, name);
}

int registry_manifest(struct registry *g, const char *digest, struct buf *ret, char *ret_digest, struct err *err)
{
	struct request q = { 0 };
	char path[1024], got[72];
	const char *want = digest ? digest : g->ref.digest;

	buf_init(ret, 0);
	manifest_path(g, digest, path, sizeof(path));
	int r = ask(g, path, &q, ret, err);
	if (r >= 0)
		r = meta_digest(buf_slice(ret), got, err);
	if (r < 0)
		return r;
	/* By tag it is what the registry says it is. */
	if (!*want && stream_is_digest(slice_of(g->head.digest)))
		want = g->head.digest;
	if (*want && strcmp(want, got) != 0)
		return err_set(err, ERR_CORRUPT, "registry %.100s: the manifest is not what its digest says",
			       g->ref.server);
	memcpy(ret_digest, got, sizeof(got));
	return 0;
}

int registry_digest(struct registry *g, char *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	struct request q = { .method = "HEAD" };
	char path[1024];

	manifest_path(g, NULL, path, sizeof(path));
	int r = ask(g, path, &q, &body, err);
	if (r < 0)
		return r;
	if (stream_is_digest(slice_of(g->head.digest))) {
		(void)slice_copy(slice_of(g->head.digest), ret, 72);
		return 0;
	}
	/* Some say it with the manifest only. */
	buf_fini(&body);
	return registry_manifest(g, NULL, &body, ret, err);
}

int registry_blob(struct registry *g, const char *digest, bool (*fn)(void *arg, struct slice piece), void *arg,
		  struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	struct request q = { .is_stream = true };
	char path[1024];

	g->on_data = fn;
	g->arg = arg;
	(void)snprintf(path, sizeof(path), "%s/blobs/%s", g->ref.repo, digest);
	return ask(g, path, &q, &body, err);
}

/* host.c - what has to be known of the host for one judgement, asked of the engine beside the request.
 *
 *   judge ──► ops: not known, noted ──► authz_asked_put: GETs on the loop ──► done ──► judge again ──► ops: known
 *
 * Asked anew for each request: a tag moves, a volume is made again under its name. The engine asks us about these
 * GETs too; they are reading, and answered while we wait. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/fetch.h"
#include "common/file.h"
#include "common/log.h"

enum { SCAN_BYTES = 16 << 20 };

enum question_kind { ASK_IMAGE, ASK_CONTAINER, ASK_VOLUME, ASK_EXEC, ASK_NETWORK };
static const struct {
	const char *before, *after;
} paths[] = {
	[ASK_IMAGE] = { "/images/", "/json" }, [ASK_CONTAINER] = { "/containers/", "/json" },
	[ASK_VOLUME] = { "/volumes/", "" },    [ASK_EXEC] = { "/exec/", "/json" },
	[ASK_NETWORK] = { "/networks/", "" },
};

struct question {
	struct authz_asked *in;
	enum question_kind kind;
	char *name;
	enum { NOTED, ASKED, ANSWERED } state;
	struct fetch *fetch;
	long status; /* 0: no answer */
	struct buf body;
};

struct authz_asked {
	struct authz_host *host;
	struct question v[AUTHZ_QUESTIONS];
	size_t count, pending;
	loop_fn done;
	void *arg;
};

struct authz_host {
	struct fetch_pool *fetch;
	char *socket_path, *scan_path;
	struct arena *scans_arena;
	const struct authz_body *scans; /* nullable: nobody to ask */
	struct stat scans_stat;
	bool has_version; /* it was asked for and told, or is being */
};

/* ---- the agent's file ---- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void read_scans(struct authz_host *h)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err = { 0 };
	struct stat st;

	if (!*h->scan_path || stat(h->scan_path, &st) < 0) {
		h->scans = NULL;
		memset(&h->scans_stat, 0, sizeof(h->scans_stat));
		return;
	}
	if (is_same_file(&st, &h->scans_stat))
		return;
	h->scans_stat = st;
	h->scans = NULL;
	arena_reset(h->scans_arena);
	int r = (st.st_uid != geteuid() && st.st_uid) || (st.st_mode & 022) ?
			err_set(&err, ERR_DENIED, "others than root may write to '%s'", h->scan_path) :
			file_read(h->scan_path, SCAN_BYTES, &b, &err);
	if (r >= 0)
		r = authz_body_of_engine(buf_slice(&b), h->scans_arena, &h->scans, &err);
	if (r < 0)
		LOG(WARN, "guard.scan_state", KV_STR("why", err.msg));
}

/* ---- questions ---- */

static struct question *find(struct authz_asked *q, enum question_kind kind, const char *name)
{
	struct question *new = &q->v[q->count];

	for (size_t i = 0; i < q->count; i++)
		if (q->v[i].kind == kind && !strcmp(q->v[i].name, name))
			return &q->v[i];
	if (q->count == AUTHZ_QUESTIONS || !(new->name = strdup(name)))
		return NULL;
	new->in = q;
	new->kind = kind;
	buf_init(&new->body, AUTHZ_ANSWER_BYTES);
	q->count++;
	return new;
}

/* KNOWN: *ret has the answer's body. */
static enum authz_known look(void *arg, enum question_kind kind, const char *name, struct slice *ret)
{
	const struct question *x = find(arg, kind, name);

	if (!x || x->state != ANSWERED)
		return AUTHZ_NOT_KNOWN;
	*ret = buf_slice(&x->body);
	return x->status == 200 && !x->body.failed ? AUTHZ_KNOWN : x->status == 404 ? AUTHZ_ABSENT : AUTHZ_NOT_KNOWN;
}

/* What can't be read is not known. */
static enum authz_known known_if(int r, const struct err *err)
{
	if (r < 0)
		LOG(WARN, "guard.engine_answer", KV_STR("why", err->msg));
	return r < 0 ? AUTHZ_NOT_KNOWN : AUTHZ_KNOWN;
}

static enum authz_known op_image(void *arg, const char *reference, struct arena *a, struct policy_workload *w)
{
	struct authz_host *h = ((struct authz_asked *)arg)->host;
	struct err err = { 0 };
	struct slice text;
	enum authz_known known = look(arg, ASK_IMAGE, reference, &text);

	if (known == AUTHZ_KNOWN)
		known = known_if(authz_read_image(text, a, w, &err), &err);
	if (known == AUTHZ_KNOWN) {
		read_scans(h);
		/* No file, or one that can't be read: nothing was scanned, as far as anybody here can say. */
		if (*h->scan_path)
			authz_read_scan(h->scans, w->image_id, w);
	}
	return known;
}

static enum authz_known op_container(void *arg, const char *name, struct arena *a, struct policy_workload *ret)
{
	struct err err = { 0 };
	struct slice text;
	enum authz_known known = look(arg, ASK_CONTAINER, name + (*name == '/'), &text);

	return known == AUTHZ_KNOWN ? known_if(authz_read_container(text, a, ret, &err), &err) : known;
}

static enum authz_known op_volume(void *arg, const char *name, struct arena *a, struct policy_mount *m)
{
	struct err err = { 0 };
	struct slice text;
	enum authz_known known = look(arg, ASK_VOLUME, name, &text);

	return known == AUTHZ_KNOWN ? known_if(authz_read_volume(text, a, m, &err), &err) : known;
}

static enum authz_known op_exec(void *arg, const char *id, struct arena *a, struct authz_exec *ret)
{
	struct err err = { 0 };
	struct slice text;
	enum authz_known known = look(arg, ASK_EXEC, id, &text);

	return known == AUTHZ_KNOWN ? known_if(authz_read_exec(text, a, ret, &err), &err) : known;
}

static enum authz_known op_network(void *arg, const char *id, struct arena *a, const char **ret)
{
	struct err err = { 0 };
	struct slice text;
	enum authz_known known = look(arg, ASK_NETWORK, id, &text);

	return known == AUTHZ_KNOWN ? known_if(authz_read_network(text, a, ret, &err), &err) : known;
}

const struct authz_ops authz_host_ops = { op_image, op_container, op_volume, op_exec, op_network };

static void on_answer(void *arg, const struct fetch_result *r)
{
	struct question *x = arg;
	struct authz_asked *q = x->in;

	x->fetch = NULL;
	x->state = ANSWERED;
	x->status = r->code ? 0 : r->status;
	if (r->code)
		LOG(WARN, "guard.ask_engine", KV_STR("what", x->name), KV_STR("why", r->message));
	else
		buf_add_slice(&x->body, r->body);
	if (!--q->pending)
		q->done(q->arg); /* may free q */
}

static bool ask(struct question *x)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	const struct authz_host *h = x->in->host;
	const char *path = a ? authz_question_path(paths[x->kind].before, x->name, paths[x->kind].after, a) : "";
	const char *url = *path ? arena_printf(a, "http://docker%s", path) : NULL;
	struct fetch_request rq = {
		.url = url,
		.unix_socket = h->socket_path,
		.timeout_ms = AUTHZ_WAIT_MS,
		.max_body_bytes = AUTHZ_ANSWER_BYTES,
		.on_done = on_answer,
		.arg = x,
	};
	struct err err = { 0 };

	x->state = ANSWERED; /* without an answer, unless one is to come */
	if (!url || !*h->socket_path)
		return false;
	if (fetch_start(h->fetch, &rq, &x->fetch, &err) < 0) {
		LOG(WARN, "guard.ask_engine", KV_STR("what", x->name), KV_STR("why", err.msg));
		return false;
	}
	x->state = ASKED;
	return true;
}

bool authz_asked_put(struct authz_asked *q, loop_fn done, void *arg)
{
	size_t before = q->pending;

	q->done = done;
	q->arg = arg;
	for (size_t i = 0; i < q->count; i++)
		if (q->v[i].state == NOTED)
			q->pending += ask(&q->v[i]);
	return q->pending > before;
}

struct authz_asked *authz_asked_new(struct authz_host *h)
{
	struct authz_asked *q = calloc(1, sizeof(*q));

	if (q)
		q->host = h;
	return q;
}

void authz_asked_free(struct authz_asked *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < q->count; i++) {
		fetch_cancel(q->v[i].fetch);
		buf_fini(&q->v[i].body);
		free(q->v[i].name);
	}
	free(q);
}

/* ---- the engine's version ---- */

static void on_version(void *arg, const struct fetch_result *r)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct authz_host *h = arg;
	const struct authz_body *b;
	const char *version;
	char open[128];

	h->has_version = !r->code && r->status == 200 && a && authz_body_of_engine(r->body, a, &b, NULL) >= 0 &&
			 authz_text(b, "Version", &version, NULL) >= 0;
	if (!h->has_version || !authz_engine_holes(slice_of(version), open, sizeof(open)))
		return;
	/* Requests whose body it keeps from us are refused; other plugins of the engine may let them through. */
	if (*open)
		LOG(WARN, "guard.engine", KV_STR("version", version), KV_STR("open_unless_patched", open));
	else
		LOG(INFO, "guard.engine", KV_STR("version", version));
}

void authz_host_ask_version(struct authz_host *h)
{
	struct fetch_request rq = {
		.url = "http://docker/version",
		.unix_socket = h->socket_path,
		.timeout_ms = AUTHZ_WAIT_MS,
		.max_body_bytes = 65536,
		.on_done = on_version,
		.arg = h,
	};
	struct err err;

	if (h->has_version || !*h->socket_path)
		return;
	h->has_version = fetch_start(h->fetch, &rq, NULL, &err) >= 0;
}

int authz_host_new(struct loop *l, const char *docker_socket, const char *scan_path, struct authz_host **ret,
		   struct err *err)
{
	CLEANUP(authz_host_freep) struct authz_host *h = calloc(1, sizeof(*h));

	if (!h || !(h->socket_path = strdup(docker_socket)) || !(h->scan_path = strdup(scan_path)) ||
	    !(h->scans_arena = arena_new(AUTHZ_ARENA_BYTES)))
		return err_set(err, ENOMEM, "the host's state");
	int r = fetch_pool_new(l, 32, &h->fetch, err);
	if (r >= 0)
		*ret = take_ptr(h);
	return r;
}

void authz_host_free(struct authz_host *h)
{
	if (!h)
		return;
	fetch_pool_free(h->fetch);
	arena_free(h->scans_arena);
	free(h->socket_path);
	free(h->scan_path);
	free(h);
}
